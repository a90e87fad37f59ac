/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - live calls: each event moves its session, and one that was answered says call.ended at its end.
 *
 * An event is acked when all that it caused is in the streams; so at a start what was acked is read back as history, and what was
 * not comes again.  Both go through the same code; only history says no end, for it was said. */
#include <math.h>
#include <string.h>

#include "call_id.h"
#include "log.h"
#include "router.h"

enum {
    FORGET_S = 300, /* after its end a session is still known for so long */
    LATE_S = 60,    /* a call that began so long ago, undecided, has spoken already: nobody asked us */
    DAY_S = 86400
};

#define SECONDS INT64_C(1000000)

static const char *const whys[] = {"invalid", "unknown_call", "not_allowed", "late"};
enum why { WHY_INVALID, WHY_UNKNOWN, WHY_NOT_ALLOWED, WHY_LATE };

static enum status reject(struct router *r, const struct in_msg *in, enum why why)
{
    if (in->history)
        return STATUS_OK;
    metrics_add(r->metrics, METRIC_OWN(ROUTER_REJECTED), 1, whys[why], NULL, NULL);
    return STATUS_INVALID;
}

static struct held_decision *held(struct router *r, const char *call_id)
{
    const char *key_id;

    return router_remembered(r, call_id, &key_id);
}

/* A call that began before a rotation goes on under its old key. */
struct session *calls_session(struct router *r, const char *call_id)
{
    uint8_t key[CALL_KEY_BYTES];
    struct session *s = NULL;

    for (size_t i = 0; keyring_id(r->ring, i) && !s; i++) {
        pseudonym(r->ring, i, DOMAIN_CALL, call_id, key);
        s = sessions_find(r->sessions, key);
    }
    return s;
}

/* ---- what came ------------------------------------------------------------------------------------------------------------- */

static enum status check_data(const Tom__Rl__V1__CallEvent__Data *d, struct reason *reason)
{
    if (d && HAS(d, has_user_rating_case) && (d->user_rating < 1 || d->user_rating > 5))
        return reason_set(reason, "data.user_rating", "%d is outside of 1 .. 5", d->user_rating);
    if (d && HAS(d, has_repeat_count_case) && (d->repeat_count < 0 || d->repeat_count > 5))
        return reason_set(reason, "data.repeat_count", "%d is outside of 0 .. 5", d->repeat_count);
    return STATUS_OK;
}

static enum status read_event(CallEvent *m, const struct in_msg *in, wall_time now, struct call_step *ret, struct reason *reason)
{
    double ts = HAS(m, has_ts_case) ? m->ts : (double)in->time_us / 1e6;
    enum fsm_event event = fsm_event_find(m->event);
    enum status status = call_id_check(&m->call_id, "call_id", reason);

    if (status == STATUS_OK && event == FSM_EVENTS)
        status = reason_set(reason, "event",
                            "\"%.32s\" is none of incoming_call, call_answered, audio_start, audio_stop, barge_in, call_ended,"
                            " timeout, error", m->event);
    if (status == STATUS_OK && (!isfinite(ts) || ts < 0 || ts > (double)now.us / 1e6 + DAY_S))
        status = reason_set(reason, "ts", "%g is no time between 1970 and tomorrow%s", ts,
                            ts >= 1e12 ? "; milliseconds? expected unix seconds" : "");
    if (status == STATUS_OK)
        status = check_data(m->data, reason);
    if (status == STATUS_OK)
        *ret = (struct call_step){.event = event, .data = m->data, .at_us = (int64_t)(ts * 1e6), .sequence = in->sequence,
                                  .stream_us = in->stream_time_us};
    return status;
}

/* ---- the end --------------------------------------------------------------------------------------------------------------- */

static Signals *signals_message(struct arena *arena, const struct signals *k)
{
    Signals *m = codec_new(arena, &tom__rl__v1__signals__descriptor);

#define SET(there, NAME, name, v) \
    ((there) ? (void)(m->has_##name##_case = TOM__RL__V1__SIGNALS__HAS_##NAME##_##NAME, m->name = (v)) : (void)0)
    SET(k->resolution != TRI_UNKNOWN, RESOLUTION, resolution, k->resolution == TRI_TRUE);
    SET(k->handover != TRI_UNKNOWN, HANDOVER, handover, k->handover == TRI_TRUE);
    SET(k->user_rating > 0, USER_RATING, user_rating, k->user_rating);
    SET(k->barge_in_count >= 0, BARGE_IN_COUNT, barge_in_count, k->barge_in_count);
    SET(k->repeats >= 0, REPEATS, repeats, k->repeats);
    SET(k->duration_sec >= 0, DURATION_SEC, duration_sec, k->duration_sec);
#undef SET
    return m;
}

/* A call that was never answered says nothing: there was nothing to learn. */
static bool owes_end(const struct session *s, const struct held_decision *d)
{
    return s->state == FSM_ENDED && s->answered_at_us && !(d && d->ended);
}

static void say_ended(struct router *r, struct outbox *out, const struct session *s, struct held_decision *d,
                      const char *traceparent)
{
    CallEnded *m = outbox_new(out, SUBJECT_CALL_ENDED);
    struct arena *arena = outbox_arena(out);
    char key[CALL_KEY_TEXT];

    call_key_text(s->key, key);
    m->call_id = (char *)s->call_id;
    m->has_ts_case = TOM__RL__V1__CALL_ENDED__HAS_TS_TS;
    m->ts = (double)s->ended_at_us / 1e6;
    m->has_policy_variant_case = TOM__RL__V1__CALL_ENDED__HAS_POLICY_VARIANT_POLICY_VARIANT;
    m->policy_variant = (char *)r->variants->items[s->variant].id;
    m->signals = signals_message(arena, &s->signals);
    m->source = TOM__RL__V1__SOURCE__SOURCE_FSM;
    outbox_say(out, SUBJECT_CALL_ENDED, &m->base, arena_printf(arena, "call.ended/%s", d ? d->decision_id : key), 0, traceparent);
    if (d)
        d->ended = true;
}

/* History holds every end that was said: one that is missing was lost with the end of its stream. */
static void say_missing_ends(struct router *r, struct outbox *out)
{
    for (const struct session *s = sessions_first_ended(r->sessions); s; s = s->after) {
        struct held_decision *d = held(r, s->call_id);
        if (owes_end(s, d))
            say_ended(r, out, s, d, "");
    }
}

/* ---- events ---------------------------------------------------------------------------------------------------------------- */

/* One event on its way through the functions below. */
struct arrival {
    struct router *r;
    const CallEvent *m;
    const struct in_msg *in;
    struct outbox *out;
    struct reason *reason;
    struct call_step step;
    uint8_t key[CALL_KEY_BYTES];
};

/* NULL: it is too late for one. */
static struct held_decision *decision_of(struct arrival *a)
{
    struct held_decision *d = held(a->r, a->m->call_id);
    PolicySelectRequest q = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;
    bool all[MAX_VARIANTS];

    if (d || a->step.stream_us < outbox_now(a->out).us - LATE_S * SECONDS)
        return d;
    q.call_id = a->m->call_id;
    if (a->m->data && HAS(a->m->data, has_profile_case))
        q.profile = a->m->data->profile;
    memset(all, true, sizeof all);
    return router_decide(a->r, &q, all, a->out, a->in->traceparent);
}

/* A call begins; *ret NULL: it cannot. */
static enum status begin(struct arrival *a, struct session **ret)
{
    const struct held_decision *d = decision_of(a);
    bool dropped;

    if (!d) {
        reason_set(a->reason, "event", "the call began %.0f s before a router could decide, so nobody knows what it heard",
                   (double)(outbox_now(a->out).us - a->step.stream_us) / 1e6);
        return reject(a->r, a->in, WHY_LATE);
    }
    *ret = sessions_add(a->r->sessions, a->key, a->m->call_id, a->step.stream_us, &dropped);
    (*ret)->variant = d->variant;
    a->r->pushed_out += dropped;
    return STATUS_OK;
}

static struct session *find(struct arrival *a)
{
    struct session *s = calls_session(a->r, a->m->call_id);

    if (s && s->state == FSM_ENDED && a->step.stream_us - s->ended_us >= FORGET_S * SECONDS) {
        sessions_remove(a->r->sessions, s);
        s = NULL;
    }
    return s;
}

static enum status unknown(struct arrival *a)
{
    reason_set(a->reason, "event", "a call in state idle takes no %s: it did not begin with incoming_call, or was given up",
               fsm_event_text(a->step.event));
    if (a->step.stream_us >= outbox_now(a->out).us - a->r->session_limit_s * SECONDS)
        return reject(a->r, a->in, WHY_UNKNOWN);
    (void)reject(a->r, a->in, WHY_LATE); /* a stream that comes again from its beginning is no news */
    return STATUS_OK;
}

static enum status take(struct arrival *a)
{
    struct session *s = find(a);
    enum status status = STATUS_OK;

    if (s && session_saw(s, &a->step))
        return STATUS_OK;
    if (!s && a->step.event != FSM_ON_INCOMING_CALL)
        return unknown(a);
    if (!s)
        status = begin(a, &s);
    if (!s)
        return status;
    if (sessions_step(a->r->sessions, s, &a->step, a->reason) != STATUS_OK)
        return reject(a->r, a->in, WHY_NOT_ALLOWED);
    if (a->in->history)
        return STATUS_OK;
    metrics_add(a->r->metrics, METRIC_OWN(ROUTER_EVENTS), 1, fsm_event_text(a->step.event), NULL, NULL);
    struct held_decision *d = held(a->r, a->m->call_id);
    if (owes_end(s, d))
        say_ended(a->r, a->out, s, d, a->in->traceparent);
    return STATUS_OK;
}

enum status on_call_event(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    CallEvent *m = (CallEvent *)in->body;
    struct arrival a = {.r = state, .m = m, .in = in, .out = out, .reason = reason};

    if (read_event(m, in, outbox_now(out), &a.step, reason) != STATUS_OK)
        return reject(a.r, in, WHY_INVALID);
    pthread_mutex_lock(&a.r->lock);
    pseudonym(a.r->ring, 0, DOMAIN_CALL, m->call_id, a.key);
    enum status status = take(&a);
    pthread_mutex_unlock(&a.r->lock);
    return status;
}

/* Of the past only: what this router, or the one before it, has said. */
enum status on_call_ended(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct router *r = state;
    CallEnded *m = (CallEnded *)in->body;

    (void)out;
    if (m->source != TOM__RL__V1__SOURCE__SOURCE_FSM || call_id_check(&m->call_id, "call_id", reason) != STATUS_OK)
        return STATUS_OK;
    pthread_mutex_lock(&r->lock);
    struct held_decision *d = held(r, m->call_id);
    if (d)
        d->ended = true;
    pthread_mutex_unlock(&r->lock);
    return STATUS_OK;
}

/* ---- router.session -------------------------------------------------------------------------------------------------------- */

typedef Tom__Rl__V1__RouterSessionReply__StatesEntry SessionStatesEntry;
#define SessionStates_descriptor tom__rl__v1__router_session_reply__states_entry__descriptor

static void fill_statistics(const struct router *r, struct arena *arena, RouterSessionReply *m)
{
    m->states = arena_alloc(arena, FSM_STATES * sizeof *m->states);
    for (enum fsm_state s = FSM_RINGING; s < FSM_STATES; s++) {
        MAP_ADD(arena, m, states, SessionStates, (char *)fsm_state_text(s), sessions_in(r->sessions, s));
        m->active_sessions += s == FSM_ENDED ? 0 : sessions_in(r->sessions, s);
    }
    m->total_events = sessions_events(r->sessions);
}

static void fill_session(const struct router *r, struct arena *arena, const struct session *s, RouterSessionReply *m)
{
    m->state = (char *)fsm_state_text(s->state);
    m->policy_variant = (char *)r->variants->items[s->variant].id;
    m->barge_in_count = (uint32_t)s->signals.barge_in_count;
    m->repeats = s->signals.repeats > 0 ? (uint32_t)s->signals.repeats : 0;
    m->events = s->events;
    m->signals = signals_message(arena, &s->signals);
}

static enum status fill_call(struct router *r, struct arena *arena, const RouterSessionRequest *q, RouterSessionReply *m,
                             struct reason *reason)
{
    const char *key_id;
    const struct held_decision *d = router_remembered(r, q->call_id, &key_id);
    const struct session *s = calls_session(r, q->call_id);

    if (!d && !s)
        return reason_fail(reason, STATUS_NOT_FOUND, "call_id",
                           "no decision is held for this call: it never asked, or did so more than two hours ago");
    m->call_id = q->call_id;
    if (d) {
        m->state = arena_str(arena, "decided");
        m->policy_variant = (char *)r->variants->items[d->variant].id;
        m->decision_id = arena_str(arena, d->decision_id);
        m->source = d->source;
    }
    if (d && q->explain)
        router_explain(r, arena, d, key_id, m);
    if (s)
        fill_session(r, arena, s, m);
    return STATUS_OK;
}

enum status on_session(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct router *r = state;
    RouterSessionRequest *q = (RouterSessionRequest *)in->body;
    RouterSessionReply *m = codec_new(outbox_arena(out), &tom__rl__v1__router_session_reply__descriptor);
    enum status status = q->call_id[0] ? call_id_check(&q->call_id, "call_id", reason) : STATUS_OK;

    pthread_mutex_lock(&r->lock);
    m->decisions = decisions_count(r->decisions);
    if (status == STATUS_OK && q->call_id[0])
        status = fill_call(r, outbox_arena(out), q, m, reason);
    else
        fill_statistics(r, outbox_arena(out), m);
    if (status == STATUS_OK)
        outbox_reply(out, in, &m->base);
    pthread_mutex_unlock(&r->lock);
    return status;
}

/* Of erased calls; the streams that they could be read back from hold them no more. */
static uint64_t forget_key(struct router *r, const uint8_t *key)
{
    struct session *s = sessions_find(r->sessions, key);

    if (s)
        sessions_remove(r->sessions, s);
    return (s != NULL) + (uint64_t)decisions_remove(r->decisions, key);
}

static void forget_id(struct router *r, const char *call_id, uint64_t *forgotten)
{
    uint8_t key[CALL_KEY_BYTES];

    for (size_t i = 0; keyring_id(r->ring, i); i++) {
        pseudonym(r->ring, i, DOMAIN_CALL, call_id, key);
        *forgotten += forget_key(r, key);
    }
}

static enum status forget_keys(struct router *r, const RouterForgetRequest *q, uint64_t *forgotten, struct reason *reason)
{
    uint8_t key[CALL_KEY_BYTES];

    for (size_t i = 0; i < q->n_call_keys; i++) {
        if (!call_key_parse(q->call_keys[i], key))
            return reason_set(reason, "call_keys", "expected 32 lower-case hex digits");
        *forgotten += forget_key(r, key);
    }
    return STATUS_OK;
}

enum status on_forget(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct router *r = state;
    RouterForgetRequest *q = (RouterForgetRequest *)in->body;
    RouterForgetReply *m = codec_new(outbox_arena(out), &tom__rl__v1__router_forget_reply__descriptor);
    enum status status = q->n_call_keys ? STATUS_OK : call_id_check(&q->call_id, "call_id", reason);

    if (status != STATUS_OK)
        return status;
    pthread_mutex_lock(&r->lock);
    if (q->n_call_keys)
        status = forget_keys(r, q, &m->forgotten, reason);
    else
        forget_id(r, q->call_id, &m->forgotten);
    pthread_mutex_unlock(&r->lock);
    if (status == STATUS_OK)
        outbox_reply(out, in, &m->base);
    return status;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

void calls_declare(struct router *r)
{
    for (enum fsm_state s = FSM_RINGING; s < FSM_STATES; s++)
        metrics_set(r->metrics, METRIC_OWN(ROUTER_SESSIONS), 0, fsm_state_text(s), NULL, NULL);
    for (enum fsm_event e = 0; e < FSM_EVENTS; e++)
        metrics_declare(r->metrics, METRIC_OWN(ROUTER_EVENTS), fsm_event_text(e), NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(whys); i++)
        metrics_declare(r->metrics, METRIC_OWN(ROUTER_REJECTED), whys[i], NULL, NULL);
    metrics_declare(r->metrics, METRIC_OWN(ROUTER_DROPPED), "full", NULL, NULL);
    metrics_declare(r->metrics, METRIC_OWN(ROUTER_DROPPED), "expired", NULL, NULL);
}

static void count_dropped(struct router *r, const char *why, size_t n)
{
    if (!n)
        return;
    metrics_add(r->metrics, METRIC_OWN(ROUTER_DROPPED), (double)n, why, NULL, NULL);
    log_warning("session.dropped", "sessions=%zu why=%s", n, why);
}

void calls_tick(struct router *r, struct outbox *out)
{
    int64_t now = outbox_now(out).us;

    if (!r->caught_up)
        return;
    if (!r->ends_checked)
        say_missing_ends(r, out);
    r->ends_checked = true;
    count_dropped(r, "expired", sessions_forget(r->sessions, now - FORGET_S * SECONDS, now - r->session_limit_s * SECONDS));
    count_dropped(r, "full", r->pushed_out);
    r->pushed_out = 0;
    for (enum fsm_state s = FSM_RINGING; s < FSM_STATES; s++)
        metrics_set(r->metrics, METRIC_OWN(ROUTER_SESSIONS), (double)sessions_in(r->sessions, s), fsm_state_text(s), NULL, NULL);
}
