/* SPDX-License-Identifier: Apache-2.0 */
/* feedback.c - the truth about calls: what the voice stack says of them and what the router decided,
 * joined, validated, pseudonymised.
 *
 * call.ended, call.amended, policy.selected -> feedback.stored, once per call and batch, with a revision that rises.  Messages
 * may come in any order and any number of times; join.c says what follows. */
#include "feedback.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum { HOUR_S = 3600, DAY_S = 86400, FILL_CHUNK = 1000 };

#define K(type, member, ...) CONFIG_##type(struct feedback, member, __VA_ARGS__)

static const char *const out_of_range[] = {"reject", "clamp", NULL};
static const char *const consent_defaults[] = {"given", "none", NULL};

static const struct config_key keys[] = {
    K(BOOL, allow_unknown_resolution, "feedback.allow_unknown_resolution", "false", NULL,
      "Take calls whose resolution is told later, by an amendment."),
    CONFIG_AMENDMENT_WINDOW(struct feedback, amendment_window_days, false),
    K(ENUM, consent_default, "feedback.consent_default", consent_defaults, "given",
      "What a call means whose end says nothing of consent: given, it counts; none, it is treated as consent NONE."),
    K(TEXT, db_path, "feedback.db_path", "", "RL_FEEDBACK_DB_PATH", "The database; empty: <data_dir>/rl/feedback.db."),
    K(INT, join_idle_s, "feedback.join_idle_s", "60", 0, 3600, NULL,
      "It gives up only when no decision was on its way for so many seconds."),
    K(INT, join_wait_s, "feedback.join_wait_s", "600", 1, 86400, NULL,
      "How long a call that names no variant waits for its decision, seconds."),
    K(ENUM, out_of_range, "feedback.out_of_range", out_of_range, "reject",
      "What happens to a signal beyond its range: refused, or moved into it and counted."),
    K(ENUM, language, "feedback.language", question_languages, "de",
      "Language of the question at the end, where neither request nor call says one."),
    K(INT, outcome_wait_h, "feedback.outcome_wait_h", "24", 1, 720, NULL, "How long a call waits for its resolution, hours."),
    K(TEXT, question[0], "feedback.question_de",
      "Wie zufrieden waren Sie mit diesem Gespräch? Sagen Sie bitte eine Zahl von eins bis fünf; fünf ist sehr zufrieden.",
      NULL, "What is asked at the end of a German call.  Not: welche Note (1 is the best grade in Germany)."),
    K(TEXT, question[1], "feedback.question_en",
      "How satisfied were you with this call? Please say a number from one to five; five is very satisfied.",
      NULL, "What is asked at the end of an English call."),
    K(TEXT, question_retry[0], "feedback.question_retry_de", "Bitte eine Zahl von eins bis fünf, oder drücken Sie die Taste.",
      NULL, "The one retry, shorter."),
    K(TEXT, question_retry[1], "feedback.question_retry_en", "A number from one to five, please, or press the key.", NULL,
      "The same in English."),
    K(ENUM, question_wording, "feedback.question_wording", question_wordings, "common",
      "The same words for all variants, or each one's slot question_de, question_en; other words bias the comparison."),
    K(DOUBLE, rating_min_confidence, "feedback.rating_min_confidence", "0.6", 0, 1, NULL,
      "Answers read with less confidence give no rating; praise and a number beside words that are not understood have 0.5,"
      " a homophone 0.6, every other number more."),
    K(INT, retention_days, "feedback.retention_days", "90", MIN_RETENTION_DAYS, MAX_RETENTION_DAYS, NULL,
      "How long a call is kept after its first message, days."),
};

static const struct metric metrics[] = {
    [FEEDBACK_TOTAL] = {"rl_feedback_total", METRIC_COUNTER, "Calls stored.", {"policy_variant", "profile", "agent"},
                        .cell = "rl_feedback_total"},
    [FEEDBACK_RATING] = {"rl_user_rating_distribution", METRIC_HISTOGRAM, "First rating of each call, whenever it came.",
                         {"policy_variant"}, .bounds = {1, 2, 3, 4, 5}, .bound_count = 5, .cell = "rl_user_rating_distribution"},
    [FEEDBACK_DURATION] = {"rl_session_duration_seconds", METRIC_HISTOGRAM, "Length of calls.", {"policy_variant"},
                           .bounds = {30, 60, 120, 180, 300, 600, 900}, .bound_count = 7, .cell = "rl_session_duration_seconds"},
    [FEEDBACK_BARGE_IN] = {"rl_barge_in_total", METRIC_COUNTER, "Barge-ins.", {"policy_variant"}, .cell = "rl_feedback_total"},
    [FEEDBACK_ESCALATION] = {"rl_escalation_total", METRIC_COUNTER, "Escalations.", {"policy_variant"},
                             .cell = "rl_feedback_total"},
    [FEEDBACK_SUCCESS] = {"rl_policy_success_rate", METRIC_GAUGE, "Share of the variant's calls that were resolved.",
                          {"policy_variant"}, .cell = "rl_feedback_total"},
    [FEEDBACK_STORED] = {"rl_calls_stored_total", METRIC_COUNTER, "Calls stored, whatever variant, profile and agent.", {NULL}},
    [FEEDBACK_DUPLICATE] = {"rl_duplicate_ends_total", METRIC_COUNTER, "Further call.ended of a call that has one.", {NULL}},
    [FEEDBACK_AMENDED] = {"rl_amendments_total", METRIC_COUNTER,
                          "Amendments: before the end (early), after it (late), or after the window and refused (too_late).",
                          {"when"}},
    [FEEDBACK_OVERRIDDEN] = {"rl_decision_overridden_total", METRIC_COUNTER, "Calls that spoke another variant than was decided.",
                             {NULL}},
    [FEEDBACK_NO_CONSENT] = {"rl_no_consent_total", METRIC_COUNTER,
                             "Calls whose caller does not consent: counted here and nowhere else.", {NULL}},
    [FEEDBACK_CLAMPED] = {"rl_clamped_signals_total", METRIC_COUNTER, "Signals moved into their range.", {NULL}},
    [FEEDBACK_NO_DECISION] = {"rl_no_decision_total", METRIC_COUNTER, "Calls that gave up waiting for a decision.", {NULL}},
    [FEEDBACK_DROPPED] = {"rl_no_outcome_total", METRIC_COUNTER, "Calls that gave up waiting for an outcome.", {NULL}},
    [FEEDBACK_DELETED] = {"rl_calls_deleted_total", METRIC_COUNTER,
                          "Calls forgotten at the end of their retention or on request.", {NULL}},
    [FEEDBACK_ERASED] = {"rl_calls_erased_total", METRIC_COUNTER, "Calls erased on request.", {NULL}},
    [FEEDBACK_WAITING] = {"rl_calls_waiting", METRIC_GAUGE, "Calls that ended and wait for a decision or an outcome.", {NULL}},
    [FEEDBACK_ANSWERS] = {"rl_answers_total", METRIC_COUNTER,
                          "Answers to the question at the end, by what follows and how they were read.", {"status", "method"}},
    [FEEDBACK_DANGLING] = {"rl_dangling_total", METRIC_COUNTER,
                           "Calls forgotten of which no end ever came: a decision or an amendment alone.", {NULL}},
    [FEEDBACK_JOIN_DELAY] = {"rl_join_delay_seconds", METRIC_HISTOGRAM,
                             "From the arrival of a call's end until it was first said, complete.", {NULL},
                             .bounds = {0.01, 0.1, 1, 10, 60, 600, 3600, 86400}, .bound_count = 8},
    [FEEDBACK_RATING_DELAY] = {"rl_rating_delay_seconds", METRIC_HISTOGRAM,
                               "From the arrival of a call's end to that of its first rating; 0: it came with the end.", {NULL},
                               .bounds = {1, 10, 60, 600, 3600, 21600, 86400, 259200, 604800, 2592000}, .bound_count = 10},
};

/* ---- messages -------------------------------------------------------------------------------------------------------------- */

static void note(struct feedback *f, struct outbox *out, struct call *c, unsigned effect, const char *traceparent)
{
    if (effect & JOIN_DUPLICATE_END)
        metrics_add(f->metrics, METRIC_OWN(FEEDBACK_DUPLICATE), 1, NULL, NULL, NULL);
    if (effect & JOIN_OVERRIDDEN)
        metrics_add(f->metrics, METRIC_OWN(FEEDBACK_OVERRIDDEN), 1, NULL, NULL, NULL);
    if (!(effect & JOIN_CHANGED))
        return;
    c->changed = true;
    if (traceparent[0])
        c->record->traceparent = arena_str(outbox_arena(out), traceparent);
}

/* How the call counted until now leaves the sums; what it counts from now on enters them when it is written. */
static void open_for_change(struct feedback *f, struct call *c)
{
    double rating;

    if (!c->changed)
        c->rating_said = call_complete(c->state) &&
                         join_known(c->record, TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_USER_RATING, &rating);
    if (c->state == CALL_STORED && !c->changed)
        feedback_store_count(&f->store, c->record, -1);
}

static void unchanged(struct feedback *f, const struct call *c)
{
    if (c->state == CALL_STORED && !c->changed)
        feedback_store_count(&f->store, c->record, +1);
}

static End *end_of(struct feedback *f, struct arena *arena, const CallEnded *m, const struct in_msg *in)
{
    End *e = codec_new(arena, &tom__rl__v1__end__descriptor);
    int64_t ts = HAS(m, has_ts_case) ? (int64_t)m->ts : in->time_us / 1000000;

    e->ts = ts - ts % HOUR_S;
    e->agent = HAS(m, has_agent_case) ? m->agent : (char *)f->common->agents.items[0];
    e->profile = HAS(m, has_profile_case) ? m->profile : e->profile;
    e->policy_variant = HAS(m, has_policy_variant_case) ? m->policy_variant : e->policy_variant;
    e->time_of_day = arena_str(arena, clk_time_of_day(ts));
    e->consent = m->consent;
    e->arrived_us = in->time_us;
    e->sequence = in->sequence;
    e->source = m->source;
    if (HAS(m, has_caller_key_case)) {
        e->caller_key = (ProtobufCBinaryData){.len = CALL_KEY_BYTES, .data = arena_alloc(arena, CALL_KEY_BYTES)};
        pseudonym(f->ring, 0, DOMAIN_CALLER, m->caller_key, e->caller_key.data);
    }
    return e;
}

/* An end without a word on it falls under the operator's default, unless the caller is known to consent: a second end, or the
 * router's own conclusion, takes no yes back. */
static bool refuses_consent(const struct feedback *f, const struct call *c, const CallEnded *m)
{
    bool agreed = c->record->end && c->record->end->consent == TOM__RL__V1__CONSENT__CONSENT_GIVEN;

    if (m->consent == TOM__RL__V1__CONSENT__CONSENT_UNSPECIFIED)
        return f->consent_default && !agreed;
    return m->consent == TOM__RL__V1__CONSENT__CONSENT_NONE;
}

/* What came before is forgotten, and taken back where it was counted; what stays is the pseudonym, so that nothing that
 * comes later is kept either.  A refusal counts whenever it comes: neither what the router concluded of a call nor an
 * earlier end speaks for its caller. */
static void refuse_consent(struct feedback *f, struct call *c, int64_t now_us)
{
    if (c->record->tombstone_us)
        return;
    join_tombstone(c->record, now_us);
    c->changed = true;
    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_NO_CONSENT), 1, NULL, NULL, NULL);
}

static enum status on_ended(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    CallEnded *m = (CallEnded *)in->body;
    unsigned clamped = 0, effect;
    struct call *c;
    enum status status = validate_call_ended(&f->rules, m, outbox_now(out), &clamped, reason);

    if (status == STATUS_OK)
        status = calls_by_id(f, out, m->call_id, in, LOOK_BACK_DAYS, &c);
    if (status != STATUS_OK)
        return status;
    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_CLAMPED), clamped, NULL, NULL, NULL);
    if (refuses_consent(f, c, m)) {
        open_for_change(f, c);
        refuse_consent(f, c, in->time_us);
        return STATUS_OK;
    }
    open_for_change(f, c);
    effect = join_end(outbox_arena(out), c->record, end_of(f, outbox_arena(out), m, in), m);
    if (!(effect & JOIN_CHANGED))
        unchanged(f, c);
    note(f, out, c, effect, in->traceparent);
    return STATUS_OK;
}

/* From the arrival of the end, not from its ts: calls of the past may be told today, and corrected tomorrow. */
bool feedback_too_late(const struct feedback *f, const struct call *c, int64_t now_us)
{
    const End *end = c->record->end;

    return end && now_us - end->arrived_us > f->amendment_window_days * DAY_S * 1000000;
}

static enum status on_amended(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    CallAmended *m = (CallAmended *)in->body;
    unsigned clamped = 0, effect;
    struct call *c;
    enum status status = validate_call_amended(&f->rules, m, outbox_now(out), &clamped, reason);

    if (status == STATUS_OK)
        /* Twice the window: what is beyond it is found, to be refused. */
        status = calls_by_id(f, out, m->call_id, in, 2 * (int32_t)f->amendment_window_days, &c);
    if (status != STATUS_OK)
        return status;
    if (feedback_too_late(f, c, in->time_us)) {
        metrics_add(f->metrics, METRIC_OWN(FEEDBACK_AMENDED), 1, "too_late", NULL, NULL);
        return reason_set(reason, "at", "the amendment window of %lld days after the end is over",
                          (long long)f->amendment_window_days);
    }
    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_CLAMPED), clamped, NULL, NULL, NULL);
    open_for_change(f, c);
    effect = join_amendment(outbox_arena(out), c->record, m, in->time_us);
    if (!(effect & JOIN_CHANGED))
        unchanged(f, c);
    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_AMENDED), 1, effect & JOIN_EARLY ? "early" : "late", NULL, NULL);
    note(f, out, c, effect, in->traceparent);
    return STATUS_OK;
}

static enum status on_selected(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    const PolicySelected *m = (const PolicySelected *)in->body;
    uint8_t key[CALL_KEY_BYTES];
    struct call *c;

    if (!call_key_parse(m->call_key, key))
        return reason_set(reason, "call_key", "expected 32 lower-case hex digits");
    if (!variant_id_valid(m->policy_variant))
        return reason_set(reason, "policy_variant", "\"%.40s\" does not look like v1a", m->policy_variant);
    if (!(m->propensity >= 0 && m->propensity <= 1))
        return reason_set(reason, "propensity", "%g is outside of 0 .. 1", m->propensity);
    enum status status = calls_by_key(f, out, key, m->key_id, in, &c);
    if (status != STATUS_OK)
        return status;
    open_for_change(f, c);
    unsigned effect = join_decision(outbox_arena(out), c->record, m, in->time_us);
    if (!(effect & JOIN_CHANGED))
        unchanged(f, c);
    note(f, out, c, effect, in->traceparent);
    return STATUS_OK;
}

/* ---- timers ---------------------------------------------------------------------------------------------------------------- */

/* A decision may still be on its way while its consumer has anything pending: giving up now would lose good
 * calls after each restart. */
static bool decisions_idle(struct feedback *f, const struct outbox *out)
{
    const struct bus_figures *figures = outbox_figures(out);
    int64_t now = outbox_mono(out).us;
    bool idle = figures->connected;

    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        if (strcmp(consumer_table[c].service, "feedback") == 0 && consumer_table[c].subject == SUBJECT_POLICY_SELECTED)
            idle &= figures->pending[c] == 0 && figures->ack_pending[c] == 0;
    if (!idle)
        f->idle_since_us = 0;
    else if (!f->idle_since_us)
        f->idle_since_us = now;
    return idle && now - f->idle_since_us >= f->join_idle_s * 1000000;
}

static enum status give_up(struct feedback *f, struct outbox *out, enum call_state waits, enum call_state becomes,
                           int64_t before_us)
{
    struct query *q = store_query(f->store.store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE waiting_us > 0 AND waiting_us < ?"
                                                                             " AND state = ? LIMIT 500");
    struct call *row;
    enum status status;

    query_bind_int(q, 1, before_us);
    query_bind_int(q, 2, waits);
    while ((status = feedback_store_step(q, outbox_arena(out), &row)) == STATUS_OK && row) {
        struct call *c = calls_adopt(f, row);
        if (c->changed || c->state != waits)
            continue;
        c->state = becomes;
        c->changed = true;
        c->gave_up = becomes == CALL_NO_DECISION;
        metrics_add(f->metrics, METRIC_OWN(c->gave_up ? FEEDBACK_NO_DECISION : FEEDBACK_DROPPED), 1, NULL, NULL, NULL);
    }
    query_reset(q);
    return status;
}

/* After a start: what was stored and perhaps never said.  All in one batch, for the floor must not rise over what is still
 * unsaid; it is at most what the open batches of the last life held. */
static enum status resume(void *state, struct outbox *out)
{
    struct feedback *f = state;
    struct query *q = store_query(f->store.store,
                                  "SELECT " FEEDBACK_COLUMNS " FROM call WHERE revision > ? AND revision > 0 ORDER BY revision");
    struct call *row;
    enum status status;

    query_bind_int(q, 1, f->published);
    while ((status = feedback_store_step(q, outbox_arena(out), &row)) == STATUS_OK && row) {
        if (call_complete(row->state))
            calls_say(out, row, &(struct saying){.revision = row->revision, .id = "", .reward_version = ""});
        else if (row->state == CALL_TOMBSTONE)
            calls_say_erased(out, row->key, row->revision);
        else if (row->state == CALL_NO_DECISION)
            calls_say_no_decision(out, row);
    }
    query_reset(q);
    if (status == STATUS_OK)
        status = erase_sweep(f, out);
    return status == STATUS_OK ? erase_resume(f, out) : status;
}

static void show(struct feedback *f)
{
    for (size_t v = 0; v < f->variants->count; v++) {
        int64_t n = 0, resolved = 0;
        for (size_t i = 0; i < f->store.tally_count; i++)
            if (strcmp(f->store.tallies[i].variant, f->variants->items[v].id) == 0) {
                n += f->store.tallies[i].n;
                resolved += f->store.tallies[i].resolved;
            }
        bool few = n > 0 && n < f->common->min_cell_size;
        metrics_set(f->metrics, METRIC_OWN(FEEDBACK_SUCCESS), few ? NAN : n ? (double)resolved / (double)n : 0,
                    f->variants->items[v].id, NULL, NULL);
    }
}

static enum status tick(void *state, struct outbox *out)
{
    struct feedback *f = state;
    int64_t now = outbox_now(out).us;
    enum status status = replay_some(f, out);

    keys_refresh(f);
    if (status == STATUS_OK && decisions_idle(f, out))
        status = give_up(f, out, CALL_WAITING_DECISION, CALL_NO_DECISION, now - f->join_wait_s * 1000000);
    if (status == STATUS_OK)
        status = give_up(f, out, CALL_WAITING_OUTCOME, CALL_DROPPED, now - f->outcome_wait_h * HOUR_S * 1000000);
    if (status == STATUS_OK)
        status = cleanup_some(f, out);
    if (status == STATUS_OK)
        status = feedback_store_fill(&f->store, outbox_arena(out), FILL_CHUNK);
    if (status == STATUS_OK)
        status = erase_some(f, out);
    metrics_set(f->metrics, METRIC_OWN(FEEDBACK_WAITING), (double)f->store.waiting, NULL, NULL, NULL);
    show(f);
    return status;
}

static mono_time next_tick(void *state, mono_time now)
{
    const struct feedback *f = state;
    if (f->replay_run || f->cleanup_moves || f->store.unfilled)
        return now;
    return erase_next(f, now);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

static void declare_series(struct feedback *f)
{
    static const size_t plain[] = {FEEDBACK_DUPLICATE, FEEDBACK_OVERRIDDEN, FEEDBACK_NO_CONSENT, FEEDBACK_CLAMPED,
                                   FEEDBACK_NO_DECISION, FEEDBACK_DROPPED, FEEDBACK_DELETED, FEEDBACK_DANGLING,
                                   FEEDBACK_JOIN_DELAY, FEEDBACK_RATING_DELAY, FEEDBACK_ERASED, FEEDBACK_STORED};

    for (size_t v = 0; v < f->variants->count; v++) {
        const char *id = f->variants->items[v].id;
        for (size_t m = FEEDBACK_RATING; m <= FEEDBACK_SUCCESS; m++)
            metrics_declare(f->metrics, METRIC_OWN(m), id, NULL, NULL);
        for (size_t p = 0; p < f->common->profiles.count; p++)
            for (size_t a = 0; a < f->common->agents.count; a++)
                metrics_declare(f->metrics, METRIC_OWN(FEEDBACK_TOTAL), id, f->common->profiles.items[p],
                                f->common->agents.items[a]);
    }
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        metrics_declare(f->metrics, METRIC_OWN(plain[i]), NULL, NULL, NULL);
    metrics_declare(f->metrics, METRIC_OWN(FEEDBACK_AMENDED), "early", NULL, NULL);
    metrics_declare(f->metrics, METRIC_OWN(FEEDBACK_AMENDED), "late", NULL, NULL);
    metrics_declare(f->metrics, METRIC_OWN(FEEDBACK_AMENDED), "too_late", NULL, NULL);
    question_declare(f);
    metrics_declare(f->metrics, METRIC_DEAD_LETTERS, "no_decision", NULL, NULL);
}

static enum status open_feedback(void *state, const struct service_env *env, struct reason *reason)
{
    struct feedback *f = state;
    enum status status = keyring_load(env->key_file, &f->ring, reason);

    if (status != STATUS_OK)
        return status;
    f->common = env->common;
    f->variants = env->variants;
    f->metrics = env->metrics;
    f->key_file = env->key_file;
    f->rules = (struct validate_rules){.agents = &f->common->agents, .profiles = &f->common->profiles,
                                       .out_of_range = f->out_of_range, .allow_unknown_resolution = f->allow_unknown_resolution};
    declare_series(f);
    status = feedback_store_open(&f->store, env->store);
    f->published = env->published;
    /* Of rows that are gone, or of a replay: what is said below the floor would not be said again. */
    if (f->store.last_revision < f->published)
        f->store.last_revision = f->published;
    if (status == STATUS_OK)
        status = tombstones_open(env->store, &f->tombstones);
    if (status == STATUS_OK)
        status = replay_open(f);
    if (status == STATUS_OK)
        status = cleanup_resume(f);
    if (status != STATUS_OK)
        return reason_fail(reason, status, "", "feedback.db cannot be read");
    int64_t total = 0;
    for (size_t i = 0; i < f->store.tally_count; i++)
        total += f->store.tallies[i].n;
    log_info("calls.found", "calls=%lld days=%zu key=%s", (long long)total, f->store.day_count, keyring_id(f->ring, 0));
    return STATUS_OK;
}

static void close_feedback(void *state)
{
    struct feedback *f = state;

    feedback_store_close(&f->store);
    erase_done(f);
    f->tombstones = tombstones_free(f->tombstones);
    f->ring = keyring_free(f->ring);
    free(f->batch);
    f->batch = NULL;
}

static enum status flush(void *state, struct outbox *out) { return calls_flush(state, out); }

static const struct subject_handler handles[] = {
    {SUBJECT_CALL_ENDED, on_ended, HANDLE_BATCH},
    {SUBJECT_CALL_AMENDED, on_amended, HANDLE_BATCH},
    {SUBJECT_POLICY_SELECTED, on_selected, HANDLE_BATCH},
    {SUBJECT_FEEDBACK_QUESTION, on_question, HANDLE_BATCH},
    {SUBJECT_FEEDBACK_ANSWER, on_answer, HANDLE_BATCH},
    {SUBJECT_FEEDBACK_STATS, on_stats, HANDLE_READ},
    {SUBJECT_FEEDBACK_BY_POLICY, on_by_policy, HANDLE_READ},
    {SUBJECT_FEEDBACK_QUERY, on_query, HANDLE_READ},
    {SUBJECT_FEEDBACK_REPLAY, on_replay, HANDLE_BATCH},
    {SUBJECT_FEEDBACK_CLEANUP, on_cleanup, HANDLE_BATCH},
    {SUBJECT_FEEDBACK_ERASE, on_erase, HANDLE_BATCH},
    {SUBJECT_FEEDBACK_EXPORT, on_export, HANDLE_READ},
};

extern const struct service feedback_service;
const struct service feedback_service = {
    .name = "feedback", .what = "joins what is known of each call", .state_size = sizeof(struct feedback), .keys = keys,
    .key_count = COUNT_OF(keys), .metrics = metrics, .metric_count = COUNT_OF(metrics), .handles = handles,
    .handle_count = COUNT_OF(handles), .migrations = feedback_migrations, .migration_count = FEEDBACK_MIGRATIONS,
    .database_path = offsetof(struct feedback, db_path), .needs_keys = true, .open = open_feedback, .close = close_feedback,
    .resume = resume, .tick = tick, .next_tick = next_tick, .flush = flush,
};
