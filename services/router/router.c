/* SPDX-License-Identifier: Apache-2.0 */
/* router.c - which variant speaks in this call?
 *
 * policy.select -> answer, and policy.selected.  Answers inside the bus's thread from two snapshots in memory, so bandit and
 * guard may both be down; never waits for a disk or an acknowledgement.  call.event -> a live call (calls.c), and call.ended at
 * its end.  Keeps no database: recent decisions and live calls are read back from the streams.
 *
 * One router owns the live calls, for a call's events must come to one place in their order: its consumer has no group, and a
 * second instance on the same bus is refused at its start. */
#include "router.h"

#include <stdio.h>
#include <string.h>

#include "call_id.h"
#include "log.h"

static const struct config_key keys[] = {
    CONFIG_INT(struct router, max_decisions, "router.max_decisions", "200000", 1000, 10000000, NULL,
               "Decisions kept for being asked again; each takes about 700 bytes, for two hours."),
    CONFIG_INT(struct router, max_sessions, "router.max_sessions", "50000", 100, 5000000, NULL,
               "Live calls followed by their events; beyond that the one that began first is given up.  Each takes about"
               " 300 bytes."),
    CONFIG_INT(struct router, session_limit_s, "router.session_limit_s", "7200", 60, MEMORY_S, NULL,
               "A call whose end has not come so long after its beginning is given up, seconds."),
};

static const struct metric metrics[] = {
    [ROUTER_PULLS] = {"rl_policy_pulls_total", METRIC_COUNTER, "Decisions served, once per call.", {"policy_variant"},
                      .cell = "rl_policy_pulls_total"},
    [ROUTER_DECISIONS] = {"rl_decisions_total", METRIC_COUNTER, "Decisions by how they came about.", {"source"}},
    [ROUTER_HELD] = {"rl_decisions_held", METRIC_GAUGE, "Decisions kept for being asked again.", {NULL}},
    [ROUTER_POLICY_AGE] = {"rl_bandit_snapshot_age_seconds", METRIC_GAUGE, "Age of the bandit's snapshot; -1: none yet.", {NULL}},
    [ROUTER_LIMITS_AGE] = {"rl_guard_snapshot_age_seconds", METRIC_GAUGE, "Age of the guard's snapshot; -1: none yet.", {NULL}},
    [ROUTER_SESSIONS] = {"rl_sessions", METRIC_GAUGE, "Calls by the state that their events brought them to.", {"state"}},
    [ROUTER_EVENTS] = {"rl_call_events_total", METRIC_COUNTER, "Events of live calls that were taken.", {"event"}},
    [ROUTER_REJECTED] = {"rl_call_events_rejected_total", METRIC_COUNTER, "Events that changed nothing, by why.", {"why"}},
    [ROUTER_DROPPED] = {"rl_sessions_dropped_total", METRIC_COUNTER,
                        "Live calls given up: too many (full) or for too long (expired).", {"why"}},
};

static const char *source_name(DecisionSource source)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&tom__rl__v1__decision_source__descriptor, (int)source);

    return v ? v->name + strlen("DECISION_SOURCE_") : "UNSPECIFIED";
}

/* ---- the request ----------------------------------------------------------------------------------------------------------- */

static enum status mark(const struct router *r, char *const *ids, size_t count, const char *field, bool value, bool *mask,
                        struct reason *reason)
{
    for (size_t i = 0; i < count; i++) {
        int index = variants_find(r->variants, ids[i]);
        if (index < 0)
            return reason_set(reason, field, "there is no variant \"%.32s\"", ids[i]);
        mask[index] = value;
    }
    return STATUS_OK;
}

static enum status read_request(const struct router *r, PolicySelectRequest *q, bool *mask, struct reason *reason)
{
    enum status status = call_id_check(&q->call_id, "call_id", reason);

    for (size_t i = 0; i < r->variants->count; i++)
        mask[i] = q->n_eligible == 0;
    if (status == STATUS_OK && q->time_of_day[0] && strcmp(context_time_of_day(q->time_of_day), "other") == 0)
        status = reason_set(reason, "time_of_day", "\"%.32s\" is none of morning, afternoon, evening, night", q->time_of_day);
    if (status == STATUS_OK)
        status = mark(r, q->eligible, q->n_eligible, "eligible", true, mask, reason);
    return status == STATUS_OK ? mark(r, q->exclude, q->n_exclude, "exclude", false, mask, reason) : status;
}

/* ---- deciding -------------------------------------------------------------------------------------------------------------- */

struct held_decision *router_remembered(struct router *r, const char *call_id, const char **ret_key_id)
{
    uint8_t key[CALL_KEY_BYTES];
    struct held_decision *h = NULL;

    for (size_t i = 0; keyring_id(r->ring, i) && !h; i++) {
        *ret_key_id = keyring_id(r->ring, i);
        pseudonym(r->ring, i, DOMAIN_CALL, call_id, key);
        h = decisions_find(r->decisions, key);
    }
    return h;
}

static double number_of(struct router *r, const char *domain, const char *call_id)
{
    uint8_t key[CALL_KEY_BYTES];

    pseudonym(r->ring, 0, domain, call_id, key);
    return pseudonym_uniform(key);
}

static DecisionGrounds *make(struct router *r, struct arena *arena, const PolicySelectRequest *q, const bool *mask,
                             struct held_decision *ret)
{
    uint8_t id[CALL_KEY_BYTES];
    char cell[CELL_SIZE];
    struct decide_output out;

    snprintf(ret->profile, sizeof ret->profile, "%s",
             context_profile(&r->common->profiles, q->profile[0] ? q->profile : "general"));
    snprintf(ret->time_of_day, sizeof ret->time_of_day, "%s",
             q->time_of_day[0] ? q->time_of_day : clk_time_of_day(ret->at_us / 1000000));
    context_cell(ret->profile, ret->time_of_day, cell);
    struct decide_input in = {.variants = r->variants, .policy = r->policy, .limits = r->has_limits ? &r->limits : NULL,
                              .enabled = r->common->enabled, .cell = cell, .mask = mask,
                              .draw = number_of(r, DOMAIN_DRAW, q->call_id),
                              .holdback = number_of(r, DOMAIN_HOLDBACK, q->call_id)};
    decide(&in, &out);
    pseudonym(r->ring, 0, DOMAIN_DECISION, q->call_id, id);
    call_key_text(id, ret->decision_id);
    ret->variant = out.variant;
    ret->source = out.source;
    ret->holdback = out.holdback;
    memcpy(ret->p, out.p, r->variants->count * sizeof ret->p[0]);
    snprintf(ret->policy_version, sizeof ret->policy_version, "%s", r->policy ? r->policy->version : "");
    snprintf(ret->guard_version, sizeof ret->guard_version, "%s", r->has_limits ? r->limits.version : "");
    return decide_grounds(arena, &in, &out);
}

/* ---- messages -------------------------------------------------------------------------------------------------------------- */

typedef Tom__Rl__V1__PolicySelectReply__ContextEntry ReplyContextEntry;
typedef Tom__Rl__V1__PolicySelectReply__ParametersEntry ReplyParametersEntry;
typedef Tom__Rl__V1__PolicySelectReply__ProbabilitiesEntry ReplyProbabilitiesEntry;
typedef Tom__Rl__V1__PolicySelected__ContextEntry SelectedContextEntry;
typedef Tom__Rl__V1__PolicySelected__ProbabilitiesEntry SelectedProbabilitiesEntry;
typedef Tom__Rl__V1__RouterSessionReply__VariantNamesEntry VariantNamesEntry;
#define VariantNames_descriptor tom__rl__v1__router_session_reply__variant_names_entry__descriptor
#define ReplyContext_descriptor tom__rl__v1__policy_select_reply__context_entry__descriptor
#define ReplyParameters_descriptor tom__rl__v1__policy_select_reply__parameters_entry__descriptor
#define ReplyProbabilities_descriptor tom__rl__v1__policy_select_reply__probabilities_entry__descriptor
#define SelectedContext_descriptor tom__rl__v1__policy_selected__context_entry__descriptor
#define SelectedProbabilities_descriptor tom__rl__v1__policy_selected__probabilities_entry__descriptor

static PolicySelectReply *reply_of(const struct router *r, struct arena *arena, char *call_id, const struct held_decision *d)
{
    PolicySelectReply *m = codec_new(arena, &tom__rl__v1__policy_select_reply__descriptor);
    const struct variant *v = &r->variants->items[d->variant];

    m->call_id = call_id;
    m->decision_id = arena_str(arena, d->decision_id);
    m->policy_variant = (char *)v->id;
    m->propensity = d->p[d->variant];
    m->policy_version = arena_str(arena, d->policy_version);
    m->guard_version = arena_str(arena, d->guard_version);
    m->source = d->source;
    m->parameters = arena_alloc(arena, v->slot_count * sizeof *m->parameters);
    for (size_t i = 0; i < v->slot_count; i++)
        MAP_ADD(arena, m, parameters, ReplyParameters, (char *)v->slots[i].name, (char *)v->slots[i].value);
    m->probabilities = arena_alloc(arena, r->variants->count * sizeof *m->probabilities);
    for (size_t i = 0; i < r->variants->count; i++)
        MAP_ADD(arena, m, probabilities, ReplyProbabilities, (char *)r->variants->items[i].id, d->p[i]);
    m->context = arena_alloc(arena, 2 * sizeof *m->context);
    MAP_ADD(arena, m, context, ReplyContext, "profile", arena_str(arena, d->profile));
    MAP_ADD(arena, m, context, ReplyContext, "time_of_day", arena_str(arena, d->time_of_day));
    return m;
}

/* Its texts stay where they are. */
static PolicySelected *record_of(const struct router *r, struct arena *arena, const struct held_decision *d, const char *key_id)
{
    PolicySelected *m = codec_new(arena, &tom__rl__v1__policy_selected__descriptor);
    char key[CALL_KEY_TEXT];

    call_key_text(d->key, key);
    m->call_key = arena_str(arena, key);
    m->key_id = (char *)key_id;
    m->decision_id = (char *)d->decision_id;
    m->policy_variant = (char *)r->variants->items[d->variant].id;
    m->propensity = d->p[d->variant];
    m->policy_version = (char *)d->policy_version;
    m->guard_version = (char *)d->guard_version;
    m->source = d->source;
    m->holdback = d->holdback;
    m->ts = (double)d->at_us / 1e6;
    m->probabilities = arena_alloc(arena, r->variants->count * sizeof *m->probabilities);
    m->eligible = arena_alloc(arena, r->variants->count * sizeof *m->eligible);
    for (size_t i = 0; i < r->variants->count; i++) {
        MAP_ADD(arena, m, probabilities, SelectedProbabilities, (char *)r->variants->items[i].id, d->p[i]);
        if (d->p[i] > 0)
            m->eligible[m->n_eligible++] = (char *)r->variants->items[i].id;
    }
    m->context = arena_alloc(arena, 2 * sizeof *m->context);
    MAP_ADD(arena, m, context, SelectedContext, "profile", (char *)d->profile);
    MAP_ADD(arena, m, context, SelectedContext, "time_of_day", (char *)d->time_of_day);
    return m;
}

static PolicySelected *full_record(const struct router *r, struct arena *arena, const struct held_decision *d, const char *key_id)
{
    PolicySelected *m = record_of(r, arena, d, key_id);

    m->grounds = decisions_grounds(d, arena);
    return m;
}

static void say_selected(struct outbox *out, const PolicySelected *m, const char *traceparent)
{
    outbox_say(out, SUBJECT_POLICY_SELECTED, &m->base, arena_printf(outbox_arena(out), "policy.selected/%s", m->decision_id), 0,
               traceparent);
}

/* ---- handlers -------------------------------------------------------------------------------------------------------------- */

struct held_decision *router_decide(struct router *r, const PolicySelectRequest *q, const bool *mask, struct outbox *out,
                                    const char *traceparent)
{
    struct arena *arena = outbox_arena(out);
    wall_time now = outbox_now(out);
    uint8_t key[CALL_KEY_BYTES];

    pseudonym(r->ring, 0, DOMAIN_CALL, q->call_id, key);
    struct held_decision *d = decisions_add(r->decisions, key, now.us);
    DecisionGrounds *grounds = make(r, arena, q, mask, d);
    PolicySelected *record = record_of(r, arena, d, keyring_id(r->ring, 0));
    record->grounds = grounds;
    decisions_keep_grounds(d, arena, grounds);
    say_selected(out, record, traceparent);
    metrics_add(r->metrics, METRIC_OWN(ROUTER_PULLS), 1, r->variants->items[d->variant].id, NULL, NULL);
    metrics_add(r->metrics, METRIC_OWN(ROUTER_DECISIONS), 1, source_name(d->source), NULL, NULL);
    return d;
}

static struct held_decision *try_out(struct router *r, const PolicySelectRequest *q, const bool *mask, struct outbox *out)
{
    struct held_decision *d = arena_alloc(outbox_arena(out), sizeof *d + r->variants->count * sizeof d->p[0]);

    d->at_us = outbox_now(out).us;
    make(r, outbox_arena(out), q, mask, d);
    return d;
}

/* Newer decisions pushed that of a live call out of the memory: it keeps its variant, and what was recorded of it stands. */
static const struct held_decision *keep_variant(struct router *r, const PolicySelectRequest *q, const bool *mask,
                                                struct outbox *out)
{
    const struct session *s = calls_session(r, q->call_id);
    struct held_decision *d = s ? try_out(r, q, mask, out) : NULL;
    if (d)
        d->variant = s->variant;
    return d;
}

/* What an event decided a moment ago is perhaps still on its way to the stream: it is said once more, for the record comes before
 * the answer, and within the duplicate window it is stored once. */
static bool perhaps_unrecorded(const struct held_decision *d, wall_time now)
{
    return !d->recorded && now.us - d->at_us < INT64_C(1000000) * DUPLICATE_WINDOW_S / 2;
}

static const struct held_decision *answer_of(struct router *r, const PolicySelectRequest *q, const bool *mask, struct outbox *out,
                                             const char *traceparent)
{
    const char *key_id;
    struct held_decision *d = router_remembered(r, q->call_id, &key_id);
    const struct held_decision *kept = d ? NULL : keep_variant(r, q, mask, out);

    if (kept)
        return kept;
    if (q->dry_run)
        return d ? d : try_out(r, q, mask, out);
    if (d && perhaps_unrecorded(d, outbox_now(out)))
        say_selected(out, full_record(r, outbox_arena(out), d, key_id), traceparent);
    if (!d)
        d = router_decide(r, q, mask, out, traceparent);
    d->recorded = true;
    return d;
}

/* Runs in the bus's thread. */
static enum status on_select(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct router *r = state;
    PolicySelectRequest *q = (PolicySelectRequest *)in->body;
    bool mask[MAX_VARIANTS];
    enum status status = read_request(r, q, mask, reason);

    if (status != STATUS_OK)
        return status;
    pthread_mutex_lock(&r->lock);
    const struct held_decision *d = answer_of(r, q, mask, out, in->traceparent);
    outbox_reply(out, in, &reply_of(r, outbox_arena(out), q->call_id, d)->base);
    pthread_mutex_unlock(&r->lock);
    return STATUS_OK;
}

void router_explain(const struct router *r, struct arena *arena, const struct held_decision *d, const char *key_id,
                    RouterSessionReply *m)
{
    m->decision = full_record(r, arena, d, key_id);
    m->variant_names = arena_alloc(arena, r->variants->count * sizeof *m->variant_names);
    for (size_t i = 0; i < r->variants->count; i++)
        MAP_ADD(arena, m, variant_names, VariantNames, r->variants->items[i].id, (char *)r->variants->items[i].name);
}

static enum status on_policy(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct router *r = state;
    struct policy *fresh = policy_new(r->variants, (const BanditUpdated *)in->body);

    (void)reason;
    pthread_mutex_lock(&r->lock);
    struct policy *old = r->policy;
    r->policy = fresh;
    r->policy_at = outbox_now(out);
    pthread_mutex_unlock(&r->lock);
    policy_free(old);
    return STATUS_OK;
}

static enum status on_limits(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct router *r = state;

    (void)reason;
    pthread_mutex_lock(&r->lock);
    limit_set_read(r->variants, (const GuardUpdated *)in->body, &r->limits);
    r->has_limits = true;
    r->limits_at = outbox_now(out);
    pthread_mutex_unlock(&r->lock);
    return STATUS_OK;
}

/* Grounds go by the number of a variant: they can only be kept while those are the same. */
static bool same_variants(const struct variants *v, const PolicySelected *m)
{
    bool same = m->n_probabilities == v->count;

    for (size_t i = 0; i < v->count && same; i++)
        same = strcmp(m->probabilities[i]->key, v->items[i].id) == 0;
    return same;
}

/* A decision of the last hours, read back after a start. */
static enum status on_selected(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct router *r = state;
    const PolicySelected *m = (const PolicySelected *)in->body;
    uint8_t key[CALL_KEY_BYTES];
    int variant = variants_find(r->variants, m->policy_variant);

    if (!call_key_parse(m->call_key, key) || variant < 0)
        return reason_set(reason, "policy_variant", "a decision that this router cannot repeat");
    pthread_mutex_lock(&r->lock);
    struct held_decision *d = decisions_find(r->decisions, key);
    /* What was answered while history was still being read gives way to what the caller heard. */
    if (!d || in->time_us < d->at_us) {
        d = d ? d : decisions_add(r->decisions, key, in->time_us);
        decisions_keep_grounds(d, outbox_arena(out), same_variants(r->variants, m) ? m->grounds : NULL);
        d->variant = (size_t)variant;
        d->source = m->source;
        d->holdback = m->holdback;
        d->recorded = true;
        snprintf(d->decision_id, sizeof d->decision_id, "%s", m->decision_id);
        snprintf(d->policy_version, sizeof d->policy_version, "%s", m->policy_version);
        snprintf(d->guard_version, sizeof d->guard_version, "%s", m->guard_version);
        for (size_t i = 0; i < m->n_context; i++) {
            bool profile = strcmp(m->context[i]->key, "profile") == 0;
            snprintf(profile ? d->profile : d->time_of_day, profile ? sizeof d->profile : sizeof d->time_of_day, "%s",
                     m->context[i]->value);
        }
        for (size_t i = 0; i < m->n_probabilities; i++) {
            int index = variants_find(r->variants, m->probabilities[i]->key);
            if (index >= 0)
                d->p[index] = m->probabilities[i]->value;
        }
    }
    pthread_mutex_unlock(&r->lock);
    return STATUS_OK;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

static enum status open_router(void *state, const struct service_env *env, struct reason *reason)
{
    struct router *r = state;
    static const DecisionSource sources[] = {1, 2, 3, 4, 5};
    enum status status = keyring_load(env->key_file, &r->ring, reason);

    if (status != STATUS_OK)
        return status;
    r->common = env->common;
    r->key_file = env->key_file;
    r->variants = env->variants;
    r->metrics = env->metrics;
    r->decisions = decisions_new(env->variants->count, (size_t)r->max_decisions);
    r->sessions = sessions_new((size_t)r->max_sessions);
    pthread_mutex_init(&r->lock, NULL);
    r->locked = true;
    for (size_t i = 0; i < env->variants->count; i++)
        metrics_declare(env->metrics, METRIC_OWN(ROUTER_PULLS), env->variants->items[i].id, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        metrics_declare(env->metrics, METRIC_OWN(ROUTER_DECISIONS), source_name(sources[i]), NULL, NULL);
    metrics_set(env->metrics, METRIC_OWN(ROUTER_HELD), 0, NULL, NULL, NULL);
    metrics_set(env->metrics, METRIC_OWN(ROUTER_POLICY_AGE), -1, NULL, NULL, NULL);
    metrics_set(env->metrics, METRIC_OWN(ROUTER_LIMITS_AGE), -1, NULL, NULL, NULL);
    calls_declare(r);
    return STATUS_OK;
}

static void close_router(void *state)
{
    struct router *r = state;

    r->policy = policy_free(r->policy);
    r->decisions = decisions_free(r->decisions);
    r->sessions = sessions_free(r->sessions);
    r->ring = keyring_free(r->ring);
    if (r->locked)
        pthread_mutex_destroy(&r->lock);
}

static double age(bool known, wall_time at, wall_time now) { return known ? (double)(now.us - at.us) / 1e6 : -1; }

/* A new key is written with when everybody had the time to learn it. */
static void refresh_keys(struct router *r, wall_time now)
{
    struct reason reason;
    bool changed;
    enum status status = keyring_refresh(&r->ring, r->key_file, now.us / 1000000 - KEY_SETTLES_S, &changed, &reason);

    if (status != STATUS_OK)
        log_error("keys.failed", "rule=\"%s\"", reason.text);
    else if (changed)
        log_info("keys.changed", "key=%s", keyring_id(r->ring, 0));
}

static enum status tick(void *state, struct outbox *out)
{
    struct router *r = state;
    wall_time now = outbox_now(out);

    pthread_mutex_lock(&r->lock);
    refresh_keys(r, now);
    calls_tick(r, out);
    decisions_forget(r->decisions, now.us - (int64_t)MEMORY_S * 1000000);
    metrics_set(r->metrics, METRIC_OWN(ROUTER_HELD), (double)decisions_count(r->decisions), NULL, NULL, NULL);
    metrics_set(r->metrics, METRIC_OWN(ROUTER_POLICY_AGE), age(r->policy != NULL, r->policy_at, now), NULL, NULL, NULL);
    metrics_set(r->metrics, METRIC_OWN(ROUTER_LIMITS_AGE), age(r->has_limits, r->limits_at, now), NULL, NULL, NULL);
    pthread_mutex_unlock(&r->lock);
    return STATUS_OK;
}

static void caught_up(void *state) { ((struct router *)state)->caught_up = true; }

/* At a start decisions are read back before the calls that they belong to. */
static const struct subject_handler handles[] = {
    {SUBJECT_POLICY_SELECT, on_select, HANDLE_IMMEDIATE},
    {SUBJECT_ROUTER_SESSION, on_session, HANDLE_READ},
    {SUBJECT_ROUTER_FORGET, on_forget, HANDLE_READ},
    {SUBJECT_BANDIT_UPDATED, on_policy, HANDLE_BATCH},
    {SUBJECT_GUARD_UPDATED, on_limits, HANDLE_BATCH},
    {SUBJECT_POLICY_SELECTED, on_selected, HANDLE_BATCH},
    {SUBJECT_CALL_EVENT, on_call_event, HANDLE_BATCH},
    {SUBJECT_CALL_ENDED, on_call_ended, HANDLE_BATCH},
};

extern const struct service router_service;
const struct service router_service = {
    .name = "router", .what = "decides which policy variant speaks in a call", .state_size = sizeof(struct router),
    .keys = keys, .key_count = COUNT_OF(keys), .metrics = metrics, .metric_count = COUNT_OF(metrics),
    .handles = handles, .handle_count = COUNT_OF(handles), .history_s = MEMORY_S, .needs_keys = true,
    .open = open_router, .close = close_router, .tick = tick, .caught_up = caught_up,
};
