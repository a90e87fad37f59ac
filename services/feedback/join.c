/* SPDX-License-Identifier: Apache-2.0 */
/* join.c - the rules by which decision, end and later knowledge become one call. */
#include "join.h"

#include <string.h>

#include "codec.h"

#define FIELD(name) TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_##name

typedef Tom__Rl__V1__Knowledge__Field Field;
typedef Tom__Rl__V1__Source Source;
typedef Tom__Rl__V1__FeedbackStored__ContextEntry StoredContextEntry;
#define StoredContext_descriptor tom__rl__v1__feedback_stored__context_entry__descriptor

/* ---- knowledge ------------------------------------------------------------------------------------------------------------- */

const Knowledge *join_knowledge(const CallRecord *r, Field field)
{
    for (size_t i = 0; i < r->n_known; i++)
        if (r->known[i]->field == field)
            return r->known[i];
    return NULL;
}

bool join_known(const CallRecord *r, Field field, double *ret_value)
{
    const Knowledge *k = join_knowledge(r, field);

    if (k)
        *ret_value = k->value;
    return k != NULL;
}

enum tri join_resolution(const CallRecord *r)
{
    double value;

    return join_known(r, FIELD(RESOLUTION), &value) ? tri_of(value != 0) : TRI_UNKNOWN;
}

/* A total order, so that the greatest of any set is the same in any order of arrival. */
static bool outranks(const Knowledge *a, const Knowledge *b)
{
    if (a->at_us != b->at_us)
        return a->at_us > b->at_us;
    return a->source != b->source ? a->source > b->source : a->value > b->value;
}

/* The list stays sorted by field: equal knowledge is equal bytes. */
static unsigned learn(struct arena *arena, CallRecord *r, const Knowledge *news)
{
    size_t at = 0;

    while (at < r->n_known && r->known[at]->field < news->field)
        at++;
    bool there = at < r->n_known && r->known[at]->field == news->field;
    if (there && !outranks(news, r->known[at]))
        return JOIN_NOTHING;
    if (!there) {
        Knowledge **grown = arena_alloc(arena, (r->n_known + 1) * sizeof *grown);
        for (size_t i = 0; i < r->n_known; i++)
            grown[i < at ? i : i + 1] = r->known[i];
        r->known = grown;
        r->n_known++;
    }
    r->known[at] = arena_copy(arena, news, sizeof *news);
    return JOIN_CHANGED;
}

static unsigned learn_signals(struct arena *arena, CallRecord *r, const Signals *s, Source source, int64_t at_us)
{
    if (!s)
        return JOIN_NOTHING;
    const struct { Field field; bool there; double value; } all[] = {
        {FIELD(RESOLUTION), HAS(s, has_resolution_case), s->resolution},
        {FIELD(USER_RATING), HAS(s, has_user_rating_case), s->user_rating},
        {FIELD(BARGE_IN_COUNT), HAS(s, has_barge_in_count_case), s->barge_in_count},
        {FIELD(HANDOVER), HAS(s, has_handover_case), s->handover},
        {FIELD(DURATION_SEC), HAS(s, has_duration_sec_case), s->duration_sec},
        {FIELD(REPEATS), HAS(s, has_repeats_case), s->repeats},
        {FIELD(ESCALATION), HAS(s, has_escalation_case), s->escalation},
        {FIELD(SATISFACTION), HAS(s, has_satisfaction_case), s->satisfaction}};
    unsigned effect = JOIN_NOTHING;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        Knowledge k = TOM__RL__V1__KNOWLEDGE__INIT;
        k.field = all[i].field;
        k.value = all[i].value;
        k.source = source;
        k.at_us = at_us;
        if (all[i].there)
            effect |= learn(arena, r, &k);
    }
    return effect;
}

/* ---- decision -------------------------------------------------------------------------------------------------------------- */

static const char *context_of(const PolicySelected *m, const char *name)
{
    for (size_t i = 0; i < m->n_context; i++)
        if (strcmp(m->context[i]->key, name) == 0)
            return m->context[i]->value;
    return "";
}

static double probability_of(const PolicySelected *m, const char *variant)
{
    for (size_t i = 0; i < m->n_probabilities; i++)
        if (strcmp(m->probabilities[i]->key, variant) == 0)
            return m->probabilities[i]->value;
    return 0;
}

static Decision *decision_of(struct arena *arena, const PolicySelected *m, int64_t arrived_us)
{
    Decision *d = codec_new(arena, &tom__rl__v1__decision__descriptor);

    d->decision_id = arena_str(arena, m->decision_id);
    d->policy_variant = arena_str(arena, m->policy_variant);
    d->propensity = m->propensity;
    d->policy_version = arena_str(arena, m->policy_version);
    d->guard_version = arena_str(arena, m->guard_version);
    d->source = m->source;
    d->profile = arena_str(arena, context_of(m, "profile"));
    d->time_of_day = arena_str(arena, context_of(m, "time_of_day"));
    d->holdback = m->holdback;
    d->at_us = m->ts > 0 ? (int64_t)(m->ts * 1e6) : arrived_us;
    d->n_eligible = d->n_probabilities = m->n_eligible;
    d->eligible = arena_alloc(arena, m->n_eligible * sizeof *d->eligible);
    d->probabilities = arena_alloc(arena, m->n_eligible * sizeof *d->probabilities);
    for (size_t i = 0; i < m->n_eligible; i++) {
        d->eligible[i] = arena_str(arena, m->eligible[i]);
        d->probabilities[i] = probability_of(m, m->eligible[i]);
    }
    return d;
}

static bool overridden(const CallRecord *r)
{
    return r->decision && r->end && r->end->policy_variant[0] && strcmp(r->end->policy_variant, r->decision->policy_variant) != 0;
}

/* The earliest decision is what the caller heard; later ones can only come from a router that lost its memory. */
unsigned join_decision(struct arena *arena, CallRecord *r, const PolicySelected *m, int64_t arrived_us)
{
    Decision *d = decision_of(arena, m, arrived_us);

    if (r->tombstone_us)
        return JOIN_NOTHING;
    if (r->decision && (r->decision->at_us < d->at_us ||
                        (r->decision->at_us == d->at_us && strcmp(r->decision->decision_id, d->decision_id) <= 0)))
        return JOIN_NOTHING;
    bool before = overridden(r);
    r->decision = d;
    return JOIN_CHANGED | (overridden(r) && !before ? JOIN_OVERRIDDEN : 0u);
}

/* ---- end and amendments ---------------------------------------------------------------------------------------------------- */

/* Nothing can be known as of later than it was told: a clock that runs ahead does not outrank what comes after. */
static int64_t known_at(bool told, double seconds, int64_t arrived_us)
{
    return told && seconds * 1e6 < (double)arrived_us ? (int64_t)(seconds * 1e6) : arrived_us;
}

static Source source_of(Source told)
{
    return told == TOM__RL__V1__SOURCE__SOURCE_UNSPECIFIED ? TOM__RL__V1__SOURCE__SOURCE_TOOL : told;
}

/* The router's state machine concluded it: what the voice stack tells itself takes its place. */
static bool concluded(const End *end) { return end->source == TOM__RL__V1__SOURCE__SOURCE_FSM; }

unsigned join_end(struct arena *arena, CallRecord *r, const End *end, const CallEnded *m)
{
    if (r->tombstone_us)
        return JOIN_NOTHING;
    if (r->end && r->end->sequence == end->sequence)
        return JOIN_NOTHING;
    bool told_better = r->end && concluded(r->end) && !concluded(end);
    if (r->end && !told_better)
        return JOIN_DUPLICATE_END;
    bool before = overridden(r);
    r->end = arena_copy(arena, end, sizeof *end);
    learn_signals(arena, r, m->signals, source_of(m->source), known_at(HAS(m, has_ts_case), m->ts, end->arrived_us));
    return JOIN_CHANGED | (told_better ? JOIN_DUPLICATE_END : 0u) | (overridden(r) && !before ? JOIN_OVERRIDDEN : 0u);
}

unsigned join_amendment(struct arena *arena, CallRecord *r, const CallAmended *m, int64_t arrived_us)
{
    Source source = source_of(m->source);
    int64_t at_us = known_at(HAS(m, has_at_case), m->at, arrived_us);

    if (r->tombstone_us)
        return JOIN_NOTHING;
    unsigned effect = learn_signals(arena, r, m->signals, source, at_us);

    if (HAS(m, has_retracted_case)) {
        Knowledge k = TOM__RL__V1__KNOWLEDGE__INIT;
        k.field = FIELD(RETRACTED);
        k.value = m->retracted;
        k.source = source;
        k.at_us = at_us;
        effect |= learn(arena, r, &k);
    }
    return effect | (r->end ? 0u : JOIN_EARLY);
}

void join_tombstone(CallRecord *r, int64_t now_us)
{
    r->tombstone_us = now_us;
    r->decision = NULL;
    r->end = NULL;
    r->n_known = 0;
    r->traceparent = (char *)"";
}

/* ---- what follows ---------------------------------------------------------------------------------------------------------- */

const char *join_variant(const CallRecord *r)
{
    if (r->end && r->end->policy_variant[0])
        return r->end->policy_variant;
    return r->decision ? r->decision->policy_variant : "";
}

const char *join_profile(const CallRecord *r)
{
    if (r->end && r->end->profile[0])
        return r->end->profile;
    return r->decision && r->decision->profile[0] ? r->decision->profile : "general";
}

enum call_state join_state(const CallRecord *r, enum call_state before)
{
    double retracted = 0;

    if (r->tombstone_us)
        return CALL_TOMBSTONE;
    if (!r->end)
        return CALL_OPEN;
    if (!join_variant(r)[0])
        return before == CALL_NO_DECISION ? before : CALL_WAITING_DECISION;
    if (join_resolution(r) == TRI_UNKNOWN)
        return before == CALL_DROPPED ? before : CALL_WAITING_OUTCOME;
    join_known(r, FIELD(RETRACTED), &retracted);
    return retracted != 0 ? CALL_RETRACTED : CALL_STORED;
}

static void set_signal(Signals *s, const Knowledge *k)
{
#define SET(NAME, name, type)                                                  \
    case FIELD(NAME):                                                          \
        s->has_##name##_case = TOM__RL__V1__SIGNALS__HAS_##NAME##_##NAME;      \
        s->name = (type)k->value;                                              \
        return
    switch (k->field) {
        SET(RESOLUTION, resolution, protobuf_c_boolean);
        SET(USER_RATING, user_rating, int32_t);
        SET(BARGE_IN_COUNT, barge_in_count, int32_t);
        SET(HANDOVER, handover, protobuf_c_boolean);
        SET(DURATION_SEC, duration_sec, double);
        SET(REPEATS, repeats, int32_t);
        SET(ESCALATION, escalation, protobuf_c_boolean);
        SET(SATISFACTION, satisfaction, double);
    default: /* retracted is no signal */
        return;
    }
#undef SET
}

/* The context is what the router used: the propensity belongs to that cell. */
static void set_context(struct arena *arena, const CallRecord *r, FeedbackStored *m)
{
    const Decision *d = r->decision;
    const char *profile = d && d->profile[0] ? d->profile : join_profile(r);
    const char *time_of_day = d && d->time_of_day[0] ? d->time_of_day : r->end->time_of_day;

    m->context = arena_alloc(arena, 2 * sizeof *m->context);
    MAP_ADD(arena, m, context, StoredContext, "profile", (char *)profile);
    MAP_ADD(arena, m, context, StoredContext, "time_of_day", (char *)time_of_day);
}

void join_message(struct arena *arena, const CallRecord *r, FeedbackStored *m)
{
    double retracted = 0;

    m->key_id = r->key_id;
    m->ts = r->end->ts;
    m->agent = r->end->agent;
    m->profile = (char *)join_profile(r);
    m->policy_variant = (char *)join_variant(r);
    set_context(arena, r, m);
    m->signals = codec_new(arena, &tom__rl__v1__signals__descriptor);
    for (size_t i = 0; i < r->n_known; i++)
        set_signal(m->signals, r->known[i]);
    m->retracted = join_known(r, FIELD(RETRACTED), &retracted) && retracted != 0;
    if (!r->decision)
        return;
    m->policy_version = r->decision->policy_version;
    m->decision_source = r->decision->source;
    m->holdback = r->decision->holdback;
    if (!overridden(r)) {
        m->has_propensity_case = TOM__RL__V1__FEEDBACK_STORED__HAS_PROPENSITY_PROPENSITY;
        m->propensity = r->decision->propensity;
    }
}
