/* SPDX-License-Identifier: Apache-2.0 */
/* over_bus.c - the callers as a voice stack would bring them: policy.select, call.ended, call.amended through the real bus.
 *
 * It does what any careful client does: asks again when nobody answers, publishes again until the stream has it.  One call in a hundred
 * is reported twice (--duplicate), one rating in four comes a second late.  A report that is lost (--lose) was never published: the
 * call stays without an end.  With --calls-per-hour ends say when they were, so that the bandit has hours to compare; what it finds
 * is heard. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clk.h"
#include "codec.h"
#include "decide.h"
#include "sim.h"
#include "wiring.h"

enum { SERVICES = 5, WINDOW = 256, PATIENCE_S = 60, CAP = 1 << 16 };
enum step { STEP_ASKED, STEP_HELD, STEP_ENDED, STEP_LATE, STEP_AMENDED, STEP_COUNT };

static const double wait_s[STEP_COUNT] = {[STEP_ASKED] = 0.5, [STEP_ENDED] = 2, [STEP_LATE] = 1, [STEP_AMENDED] = 2}; /* held: --delay */
static const double kill_every_s = 3;

/* Calls whose step is due at a time; the waits are constant, so each queue is in order. */
struct queue {
    struct due {
        double at;
        long call;
    } *items;
    size_t head, count, capacity;
};

struct life {
    struct signals signals;
    bool decided, said, ended, rated_late, amended;
    double asked_at;
};

struct drive {
    struct sim *sim;
    struct client *voice, *operator;
    struct arena arena;
    struct queue queues[STEP_COUNT];
    struct life *lives;
    struct limit_set *limits; /* each that was said, by version */
    size_t limit_count;
    char unheard[32]; /* the last version that never came */
    struct rng rng, chaos;
    struct way way;
    const char *victims[SERVICES];
    double started, kill_at, shown_at, answered_at;
    long asked, decided, open, held, ended, late_open; /* open: an answer is awaited; held: decided, and not yet said to have ended */
    bool failed;
};

static double now(void) { return (double)clk_real.mono(clk_real.ctx).us / 1e6; }

static bool fail(struct drive *d, const char *what, const char *why)
{
    fprintf(stderr, "rl-sim: %s: %s\n", what, why);
    d->failed = true;
    return false;
}

static void later(struct drive *d, enum step step, long call)
{
    struct queue *q = &d->queues[step];

    if (q->head + q->count == q->capacity) {
        q->capacity = q->capacity ? 2 * q->capacity : 1024;
        q->items = xrealloc(q->items, q->capacity * sizeof *q->items);
    }
    q->items[q->head + q->count++] = (struct due){now() + (step == STEP_HELD ? (double)d->sim->options.delay : wait_s[step]), call};
}

static struct client *connect_as(struct drive *d, const char *user)
{
    struct sim *s = d->sim;
    const char *url = s->common.nats_url[0] ? s->common.nats_url : arena_printf(&s->arena, "nats://127.0.0.1:%lld", (long long)s->common.nats_port);
    struct client_options options = {.url = url, .user = user, .prefix = s->common.subject_prefix, .name = "rl-sim",
                                     .password_file = arena_printf(&s->arena, "%s/secrets/%s.password", s->common.data_dir, user)};
    struct client *client = NULL;
    struct reason reason;

    if (client_connect(&options, &client, &reason) != STATUS_OK)
        fail(d, user, reason.text);
    return client;
}

/* ---- what the voice stack says ----------------------------------------------------------------------------------------------------------- */

/* What a broken connection did not take is said again like what nobody answered. */
static void say(struct drive *d, enum subject subject, const ProtobufCMessage *message, long call)
{
    struct client_publish out = {.subject = subject_table[subject].name};
    const uint8_t *data;
    struct reason reason;

    out.reply = arena_printf(&d->arena, "_INBOX_voice.%s.%ld", out.subject, call);
    codec_encode(&d->arena, message, false, &data, &out.size);
    out.data = data;
    if (client_send(d->voice, &out, &reason) == STATUS_REFUSED)
        fail(d, out.subject, reason.text);
}

static char *call_id(struct drive *d, long call) { return arena_printf(&d->arena, "%s-%ld", d->sim->options.name, call); }

static void ask(struct drive *d, long call)
{
    PolicySelectRequest m = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;
    size_t cell = d->sim->served[call].cell;

    m.call_id = call_id(d, call);
    m.profile = (char *)caller_profiles[cell / CALLER_TIMES];
    m.time_of_day = (char *)caller_times[cell % CALLER_TIMES];
    say(d, SUBJECT_POLICY_SELECT, &m.base, call);
    later(d, STEP_ASKED, call);
}

static void say_end(struct drive *d, long call)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;
    const struct life *l = &d->lives[call];

    m.call_id = call_id(d, call);
    m.signals = &s;
    if (d->sim->options.calls_per_hour) {
        m.has_ts_case = TOM__RL__V1__CALL_ENDED__HAS_TS_TS;
        m.ts = past_end(d->sim, call);
    }
    s.has_resolution_case = TOM__RL__V1__SIGNALS__HAS_RESOLUTION_RESOLUTION;
    s.resolution = l->signals.resolution == TRI_TRUE;
    s.has_barge_in_count_case = TOM__RL__V1__SIGNALS__HAS_BARGE_IN_COUNT_BARGE_IN_COUNT;
    s.barge_in_count = l->signals.barge_in_count;
    s.has_repeats_case = TOM__RL__V1__SIGNALS__HAS_REPEATS_REPEATS;
    s.repeats = l->signals.repeats;
    s.has_handover_case = TOM__RL__V1__SIGNALS__HAS_HANDOVER_HANDOVER;
    s.handover = l->signals.handover == TRI_TRUE;
    s.has_duration_sec_case = TOM__RL__V1__SIGNALS__HAS_DURATION_SEC_DURATION_SEC;
    s.duration_sec = l->signals.duration_sec;
    if (l->signals.user_rating && !l->rated_late) {
        s.has_user_rating_case = TOM__RL__V1__SIGNALS__HAS_USER_RATING_USER_RATING;
        s.user_rating = l->signals.user_rating;
    }
    say(d, SUBJECT_CALL_ENDED, &m.base, call);
}

static void say_rating(struct drive *d, long call)
{
    CallAmended m = TOM__RL__V1__CALL_AMENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = call_id(d, call);
    m.source = TOM__RL__V1__SOURCE__SOURCE_USER;
    m.signals = &s;
    s.has_user_rating_case = TOM__RL__V1__SIGNALS__HAS_USER_RATING_USER_RATING;
    s.user_rating = d->lives[call].signals.user_rating;
    say(d, SUBJECT_CALL_AMENDED, &m.base, call);
    later(d, STEP_AMENDED, call);
}

/* ---- what it hears ------------------------------------------------------------------------------------------------------------------------- */

static const struct limit_set *limits_of(const struct drive *d, const char *version)
{
    for (size_t i = d->limit_count; i-- > 0;)
        if (strcmp(d->limits[i].version, version) == 0)
            return &d->limits[i];
    return NULL;
}

static void keep_limits(struct drive *d, const struct client_message *m)
{
    ProtobufCMessage *body;
    struct reason reason;
    bool json;

    if (codec_decode(&d->arena, &tom__rl__v1__guard_updated__descriptor, m->data, m->size, CAP, &json, &body, &reason) != STATUS_OK)
        return;
    d->limits = xrealloc(d->limits, (d->limit_count + 1) * sizeof *d->limits);
    limit_set_read(&d->sim->variants, (const GuardUpdated *)body, &d->limits[d->limit_count++]);
}

/* guard.updated is kept, so is bandit.changed; dead letters are counted. */
static void hear_operator(struct drive *d, int64_t wait_ms)
{
    struct client_message m;

    while (client_next(d->operator, &d->arena, wait_ms, &m) == STATUS_OK) {
        wait_ms = 0;
        if (strcmp(m.subject, subject_table[SUBJECT_GUARD_UPDATED].name) == 0)
            keep_limits(d, &m);
        else if (strcmp(m.subject, subject_table[SUBJECT_BANDIT_CHANGED].name) == 0)
            past_heard(d->sim, &d->arena, &m, d->ended);
        else
            d->sim->dead_letters++;
    }
}

/* What was said before we listened. */
static void ask_limits(struct drive *d)
{
    GuardStatusRequest none = TOM__RL__V1__GUARD_STATUS_REQUEST__INIT;
    const struct variants *variants = &d->sim->variants;
    const GuardStatusReply *m = sim_ask(d->operator, &d->arena, SUBJECT_GUARD_STATUS, &none.base);
    struct limit_set *l = d->limits = xcalloc(1, sizeof *l);

    d->limit_count = 1;
    *l = (struct limit_set){.caps = {variants->cap_new, variants->cap_uncertain, d->sim->guard.parole_cap}};
    snprintf(l->version, sizeof l->version, "%s", m ? m->guard_version : "");
    memset(l->group, GROUP_NONE, sizeof l->group);
    for (size_t i = 0; m && i < m->n_stages; i++) {
        int v = variants_find(variants, m->stages[i]->key), group = guard_group(m->stages[i]->value);
        if (v >= 0 && group >= 0)
            l->group[v] = (uint8_t)group;
    }
}

/* The caps that this decision was under, and whether its probabilities kept them. */
static void check_caps(struct drive *d, const PolicySelectReply *m, long call)
{
    const struct limit_set *limits = limits_of(d, m->guard_version);
    double p[MAX_VARIANTS] = {0};

    for (int i = 0; i < 20 && !limits && strcmp(d->unheard, m->guard_version) != 0; i++) { /* the router heard it first */
        hear_operator(d, 5);
        limits = limits_of(d, m->guard_version);
    }
    if (!limits)
        snprintf(d->unheard, sizeof d->unheard, "%s", m->guard_version);
    for (size_t i = 0; i < m->n_probabilities; i++) {
        int v = variants_find(&d->sim->variants, m->probabilities[i]->key);
        if (v >= 0)
            p[v] = m->probabilities[i]->value;
    }
    if (limits)
        sim_note_limits(d->sim, call, limits, p);
}

/* What leaves its window waits for the delay. */
static void release(struct drive *d)
{
    const long *left = NULL;
    size_t count = way_take(&d->way, d->decided == d->sim->options.calls, &left);

    for (size_t i = 0; i < count; i++)
        later(d, STEP_HELD, left[i]);
}

static void end_held(struct drive *d, long call)
{
    say_end(d, call);
    if (d->lives[call].said)
        return;
    d->lives[call].said = true;
    d->held--;
    d->open++;
    later(d, STEP_ENDED, call);
}

static void on_decision(struct drive *d, const struct client_message *answer, long call)
{
    struct sim *s = d->sim;
    struct life *l = &d->lives[call];
    ProtobufCMessage *body;
    struct reason reason;
    bool json;

    if (l->decided || answer->size == 0) /* empty: nobody serves the subject now */
        return;
    if (codec_decode(&d->arena, &tom__rl__v1__policy_select_reply__descriptor, answer->data, answer->size, CAP, &json, &body, &reason) != STATUS_OK) {
        fail(d, "policy.select", reason.text);
        return;
    }
    const PolicySelectReply *m = (const PolicySelectReply *)body;
    int variant = m->error ? -1 : variants_find(&s->variants, m->policy_variant);
    if (variant < 0) {
        fail(d, "policy.select", m->error ? m->error->message : "a variant that is not in our file");
        return;
    }
    s->served[call].took_ms = (float)(1e3 * (now() - l->asked_at));
    sim_serve(s, call, (size_t)variant);
    check_caps(d, m, call);
    l->decided = true;
    l->signals = callers_call(s->callers, s->served[call].cell, (size_t)variant, &d->rng);
    s->served[call].rated = l->signals.user_rating > 0;
    l->rated_late = l->signals.user_rating && rng_uniform(&d->rng) < 0.25;
    d->open--;
    d->decided++;
    if (way_send(&d->way, call))
        d->held++;
    else
        s->lost++;
    release(d);
}

static void on_end_stored(struct drive *d, long call)
{
    struct life *l = &d->lives[call];

    if (l->ended)
        return;
    l->ended = true;
    d->ended++;
    d->open--;
    if (l->rated_late) {
        d->late_open++;
        later(d, STEP_LATE, call);
    }
}

static void on_rating_stored(struct drive *d, long call)
{
    if (!d->lives[call].amended)
        d->late_open--;
    d->lives[call].amended = true;
}

static bool stored(struct drive *d, const struct client_message *answer)
{
    if (answer->size && strstr((const char *)answer->data, "\"error\""))
        return fail(d, "the stream", (const char *)answer->data);
    return answer->size > 0;
}

static void hear_voice(struct drive *d, int64_t wait_ms)
{
    struct client_message m;

    while (!d->failed && client_next(d->voice, &d->arena, wait_ms, &m) == STATUS_OK) {
        long call = atol(strrchr(m.subject, '.') + 1);
        wait_ms = 0;
        d->answered_at = now();
        if (strstr(m.subject, "policy.select"))
            on_decision(d, &m, call);
        else if (stored(d, &m) && strstr(m.subject, "call.ended"))
            on_end_stored(d, call);
        else if (strstr(m.subject, "call.amended"))
            on_rating_stored(d, call);
        arena_reset(&d->arena);
    }
    arena_reset(&d->arena);
}

/* ---- time ---------------------------------------------------------------------------------------------------------------------------------- */

static void remind(struct drive *d, enum step step, long call)
{
    struct life *l = &d->lives[call];

    if (step == STEP_ASKED && !l->decided) {
        d->sim->asked_again++;
        ask(d, call);
    } else if (step == STEP_HELD) {
        end_held(d, call);
    } else if (step == STEP_ENDED && !l->ended) {
        say_end(d, call);
        later(d, STEP_ENDED, call);
    } else if ((step == STEP_LATE || step == STEP_AMENDED) && !l->amended) {
        say_rating(d, call);
    }
}

static void remind_all(struct drive *d)
{
    double at = now();

    for (enum step step = 0; step < STEP_COUNT; step++) {
        struct queue *q = &d->queues[step];
        while (q->count && q->items[q->head].at <= at) {
            long call = q->items[q->head++].call;
            q->count--;
            remind(d, step, call);
        }
    }
    arena_reset(&d->arena);
}

/* Each of the five once, in an order by chance, then again. */
static const char *victim(struct drive *d)
{
    static const char *const services[] = {"feedback", "reward", "bandit", "guard", "router"};
    size_t left = SERVICES - d->sim->kills % SERVICES, pick = (size_t)rng_below(&d->chaos, left);

    if (left == SERVICES)
        memcpy(d->victims, services, sizeof services);
    const char *name = d->victims[pick];
    d->victims[pick] = d->victims[left - 1];
    return name;
}

static void kill_one(struct drive *d)
{
    const char *service = victim(d);
    FILE *file = fopen(arena_printf(&d->arena, "%s/run/rl-%s.pid", d->sim->common.data_dir, service), "r");
    int pid = 0;

    if (file && fscanf(file, "%d", &pid) == 1 && pid > 1 && kill(pid, SIGKILL) == 0)
        d->sim->kills++;
    if (file)
        fclose(file);
    d->kill_at = now() + kill_every_s;
}

static void show(struct drive *d, bool end)
{
    if (d->sim->options.json || !isatty(STDOUT_FILENO) || (!end && now() < d->shown_at + 0.2))
        return;
    d->shown_at = now();
    printf("\r\033[K");
    if (!end)
        printf("  calls %ld of %ld   %.0f/s   services killed %llu", d->ended, d->sim->options.calls, (double)d->ended / (now() - d->started),
               (unsigned long long)d->sim->kills);
    fflush(stdout);
}

static void arrivals(struct drive *d)
{
    const struct sim_options *o = &d->sim->options;
    double due = o->rate ? (double)o->rate * (now() - d->started) : (double)o->calls;

    while (d->asked < o->calls && (double)d->asked < due && d->open < WINDOW) {
        sim_arrive(d->sim, d->asked, &d->rng);
        d->lives[d->asked].asked_at = now();
        d->open++;
        ask(d, d->asked++);
    }
}

static bool all_ended(const struct drive *d) { return (uint64_t)d->ended + d->sim->lost == (uint64_t)d->sim->options.calls; }

static bool drive(struct drive *d)
{
    d->started = d->answered_at = now();
    d->kill_at = d->started + kill_every_s;
    while (!d->failed && (!all_ended(d) || d->late_open)) {
        arrivals(d);
        hear_voice(d, 1);
        hear_operator(d, 0);
        remind_all(d);
        if (d->sim->options.chaos && now() >= d->kill_at)
            kill_one(d);
        show(d, false);
        if (d->held && !d->open)
            d->answered_at = now(); /* nobody was asked anything */
        if (now() > d->answered_at + PATIENCE_S)
            return fail(d, "the system", "no answer for a minute; ./rl status tells what is wrong");
        if (all_ended(d) && !d->sim->seconds)
            d->sim->seconds = now() - d->started;
    }
    show(d, true);
    return !d->failed;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------------------------- */

static bool open_all(struct drive *d)
{
    static const char *const heard[] = {"policy.select", "call.ended", "call.amended"};
    struct reason reason;
    bool ok = (d->voice = connect_as(d, "voice")) && (d->operator = connect_as(d, "operator"));

    for (size_t i = 0; ok && i < 3; i++)
        ok = client_listen(d->voice, arena_printf(&d->arena, "_INBOX_voice.%s.*", heard[i]), &reason) == STATUS_OK;
    ok = ok && client_listen(d->operator, subject_table[SUBJECT_GUARD_UPDATED].name, &reason) == STATUS_OK
         && client_listen(d->operator, subject_table[SUBJECT_BANDIT_CHANGED].name, &reason) == STATUS_OK
         && client_listen(d->operator, "rl.dlq.>", &reason) == STATUS_OK;
    if (!ok && !d->failed)
        fail(d, "listening", reason.text);
    if (ok)
        ask_limits(d);
    return ok;
}

bool sim_over_bus(struct sim *s)
{
    struct drive d = {.sim = s, .rng = rng_seed((uint64_t)s->options.seed + 1), .chaos = rng_seed((uint64_t)s->options.seed + 2),
                      .way = sim_way(s)};

    past_begin(s, clk_real.wall(clk_real.ctx));
    d.lives = xcalloc((size_t)s->options.calls, sizeof *d.lives);
    bool ok = open_all(&d) && drive(&d) && sim_conclude(s, d.operator);

    s->ended = (uint64_t)d.ended;
    if (ok)
        hear_operator(&d, 0);
    client_free(d.voice);
    client_free(d.operator);
    for (enum step step = 0; step < STEP_COUNT; step++)
        free(d.queues[step].items);
    free(d.lives);
    way_done(&d.way);
    free(d.limits);
    arena_done(&d.arena);
    return ok;
}
