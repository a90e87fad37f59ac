/* SPDX-License-Identifier: Apache-2.0 */
/* reward.c - turns what is known of a call into a number in [-1, +1].
 *
 * feedback.stored -> reward.computed, once for each configured version.  Keeps nothing: the same signals give the same reward, so
 * replicas and replays are harmless. */
#include <stdio.h>
#include <string.h>

#include "formula.h"
#include "log.h"
#include "message_signals.h"
#include "service.h"

/* Rules with a name; "": not configured. */
struct scored {
    struct reward_rules rules;
    const char *version;
};

enum { CURRENT, CANDIDATE, VERSIONS };

struct reward {
    struct scored versions[VERSIONS]; /* first: rl-sim reads the current rules from here */
    struct metrics *metrics;
    const struct variants *variants;
};

static const char *const duration_terms[] = {"linear", "tent", "none", NULL};
static const char *const missing_ratings[] = {"neutral", "renormalise", NULL};

#define K(type, member, ...) CONFIG_##type(struct reward, member, __VA_ARGS__)

/* The sections reward and reward_candidate; both are whole sets of rules. */
#define R(type, which, section, name, ...) K(type, versions[which].rules.name, section "." #name, __VA_ARGS__)
#define RULES(s, w)                                                                                                     \
    R(INT, w, s, barge_in_cap, "3", 1, 10, NULL, "Barge-ins beyond this cost no more."),                                \
    R(DOUBLE, w, s, barge_in_weight, "0.1", 0, 1, NULL, "Taken off at barge_in_cap barge-ins, in proportion below."),   \
    R(DOUBLE, w, s, duration_bound, "0.2", 0, 1, NULL, "The most that the length of a call gives or takes."),           \
    R(DOUBLE, w, s, duration_target_sec, "180", 1, 3600, NULL, "Length that counts as neutral (tent: best), seconds."), \
    R(ENUM, w, s, duration_term, duration_terms, "linear",                                                              \
      "How the length of a call counts; linear also pays for callers who hang up."),                                    \
    R(DOUBLE, w, s, handover_weight, "0.1", 0, 1, NULL, "Taken off when a human had to take over."),                    \
    R(ENUM, w, s, missing_rating, missing_ratings, "neutral",                                                           \
      "A call without a rating counts as if rated 3, or its other parts are scaled up to the weight of a rated call."), \
    R(DOUBLE, w, s, rating_weight, "0.2", 0, 1, NULL, "Given for a rating of 5, taken for a rating of 1."),             \
    R(INT, w, s, repeat_cap, "3", 1, 5, NULL, "Repetitions beyond this cost no more."),                                 \
    R(DOUBLE, w, s, repeat_weight, "0.1", 0, 1, NULL, "Taken off at repeat_cap repetitions, in proportion below."),     \
    R(DOUBLE, w, s, resolution_weight, "0.6", -1, 1, NULL, "Paid when the caller's problem was solved.")

static const struct config_key keys[] = {
    RULES("reward", CURRENT),
    K(TEXT, versions[CURRENT].version, "reward.version", "v1", NULL, "Name of these rules."),
    RULES("reward_candidate", CANDIDATE),
    K(TEXT, versions[CANDIDATE].version, "reward_candidate.version", "", NULL,
      "Name of a second set of rules by which each call is scored, too; empty: none."),
};

enum { DISTRIBUTION, SCORE, AMENDED };

static const struct metric metrics[] = {
    [DISTRIBUTION] = {"rl_reward_distribution", METRIC_HISTOGRAM, "Rewards of calls, first revision.", {"policy_variant"},
                      .bounds = {-1, -0.5, -0.2, 0, 0.2, 0.5, 0.8, 1}, .bound_count = 8, .cell = "rl_reward_distribution"},
    [SCORE] = {"rl_reward_score", METRIC_HISTOGRAM, "(reward + 1) / 2: never negative, so its sum is a counter.",
               {"policy_variant"}, .bounds = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1}, .bound_count = 11,
               .cell = "rl_reward_score"},
    [AMENDED] = {"rl_reward_amended_total", METRIC_COUNTER, "Rewards computed again because a call was amended or replayed.",
                 {"policy_variant"}, .cell = "rl_reward_score"},
};

typedef Tom__Rl__V1__RewardComputed__ComponentsEntry ComputedEntry;
typedef Tom__Rl__V1__RewardComputeReply__ComponentsEntry AnswerEntry;
typedef Tom__Rl__V1__RewardComputed__ContextEntry ContextEntry;
#define Computed_descriptor tom__rl__v1__reward_computed__components_entry__descriptor
#define Answer_descriptor tom__rl__v1__reward_compute_reply__components_entry__descriptor
#define Context_descriptor tom__rl__v1__reward_computed__context_entry__descriptor

enum { PART_COUNT = 7 };

struct named_part {
    const char *name;
    double value;
};

static void name_parts(const struct reward_parts *p, struct named_part ret[PART_COUNT])
{
    const struct named_part parts[PART_COUNT] = {{"resolution", p->resolution}, {"rating", p->rating},
                                                 {"barge_in", p->barge_in}, {"repeats", p->repeats},
                                                 {"handover", p->handover}, {"duration", p->duration},
                                                 {"total", p->total}};

    memcpy(ret, parts, sizeof parts);
}

static void count(struct reward *r, const FeedbackStored *f, double reward)
{
    const char *variant = variants_label(r->variants, f->policy_variant);

    if (!f->first) {
        metrics_add(r->metrics, METRIC_OWN(AMENDED), 1, variant, NULL, NULL);
        return;
    }
    metrics_observe(r->metrics, METRIC_OWN(DISTRIBUTION), reward, variant, NULL, NULL);
    metrics_observe(r->metrics, METRIC_OWN(SCORE), (reward + 1) / 2, variant, NULL, NULL);
}

static RewardComputed *computed(const char *version, const FeedbackStored *f, const struct reward_parts *parts,
                                struct outbox *out)
{
    struct arena *arena = outbox_arena(out);
    RewardComputed *m = outbox_new(out, SUBJECT_REWARD_COMPUTED);
    struct named_part named[PART_COUNT];

    m->call_key = f->call_key;
    m->day = f->day;
    m->revision = f->revision;
    m->ts = f->ts;
    m->policy_variant = f->policy_variant;
    m->reward = parts->total;
    m->reward_version = (char *)version;
    m->signals = f->signals;
    m->retracted = f->retracted;
    m->decision_source = f->decision_source;
    m->holdback = f->holdback;
    if (HAS(f, has_propensity_case)) {
        m->has_propensity_case = TOM__RL__V1__REWARD_COMPUTED__HAS_PROPENSITY_PROPENSITY;
        m->propensity = f->propensity;
    }
    m->context = arena_alloc(arena, f->n_context * sizeof *m->context);
    for (size_t i = 0; i < f->n_context; i++)
        MAP_ADD(arena, m, context, Context, f->context[i]->key, f->context[i]->value);
    name_parts(parts, named);
    m->components = arena_alloc(arena, PART_COUNT * sizeof *m->components);
    for (size_t i = 0; i < PART_COUNT; i++)
        MAP_ADD(arena, m, components, Computed, named[i].name, named[i].value);
    return m;
}

static void say_erased(const FeedbackStored *f, struct outbox *out, const char *traceparent)
{
    RewardComputed *m = outbox_new(out, SUBJECT_REWARD_COMPUTED);

    m->call_key = f->call_key;
    m->revision = f->revision;
    m->erased = true;
    outbox_say(out, SUBJECT_REWARD_COMPUTED, &m->base, "", 0, traceparent);
}

/* The rules of this name, of the section reward for ""; NULL: there are none. */
static const struct scored *find(const struct reward *r, const char *version, struct reason *reason)
{
    const struct scored *v = r->versions;

    for (size_t i = 0; i < VERSIONS; i++)
        if (strcmp(version[0] ? version : v[CURRENT].version, v[i].version) == 0)
            return &v[i];
    (void)reason_set(reason, "reward_version", "\"%.40s\" is not configured, only \"%s\"%s%s%s", version, v[CURRENT].version,
                     v[CANDIDATE].version[0] ? " and \"" : " is", v[CANDIDATE].version, v[CANDIDATE].version[0] ? "\" are" : "");
    return NULL;
}

static void score(struct reward *r, const struct scored *version, const struct in_msg *in, struct outbox *out)
{
    const FeedbackStored *f = (const FeedbackStored *)in->body;
    struct signals signals = signals_of_message(f->signals);
    struct reward_parts p;

    reward_compute(&version->rules, &signals, &p);
    if (version == &r->versions[CURRENT])
        count(r, f, p.total);
    log_debug("reward.computed", "call=%s:%.8s.. version=%s reward=%+.4f (%.2f %+.2f %+.2f %+.2f %+.2f %+.2f)%s", f->key_id,
              f->call_key, version->version, p.total, p.resolution, p.rating, p.barge_in, p.repeats, p.handover, p.duration,
              f->retracted ? " retracted" : "");
    outbox_say(out, SUBJECT_REWARD_COMPUTED, &computed(version->version, f, &p, out)->base, "", 0, in->traceparent);
}

static enum status on_stored(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct reward *r = state;
    const FeedbackStored *f = (const FeedbackStored *)in->body;
    const struct scored *only = f->reward_version[0] ? find(r, f->reward_version, reason) : NULL;

    if (!f->call_key[0])
        return reason_set(reason, "call_key", "missing");
    if (f->erased) {
        say_erased(f, out, in->traceparent);
        return STATUS_OK;
    }
    if (f->reward_version[0] && !only)
        return STATUS_INVALID;
    for (const struct scored *v = r->versions; v < r->versions + VERSIONS; v++)
        if (v->version[0] && (!only || v == only))
            score(r, v, in, out);
    return STATUS_OK;
}

/* What would this call earn? */
static enum status on_compute(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct reward *r = state;
    const RewardComputeRequest *q = (const RewardComputeRequest *)in->body;
    RewardComputeReply *m = codec_new(outbox_arena(out), &tom__rl__v1__reward_compute_reply__descriptor);
    const struct scored *version = find(r, q->reward_version, reason);
    struct named_part named[PART_COUNT];
    struct reward_parts parts;
    enum status status = version ? signals_check(q->signals, reason) : STATUS_INVALID;

    if (status != STATUS_OK)
        return status;
    struct signals signals = signals_of_message(q->signals);
    reward_compute(&version->rules, &signals, &parts);
    m->reward = parts.total;
    m->reward_version = (char *)version->version;
    name_parts(&parts, named);
    m->components = arena_alloc(outbox_arena(out), PART_COUNT * sizeof *m->components);
    for (size_t i = 0; i < PART_COUNT; i++)
        MAP_ADD(outbox_arena(out), m, components, Answer, named[i].name, named[i].value);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

static enum status check_config(const struct reward *r, struct reason *reason)
{
    const char *current = r->versions[CURRENT].version, *candidate = r->versions[CANDIDATE].version;

    if (!current[0] || strlen(current) > 32)
        return reason_fail(reason, STATUS_CONFIG, "reward.version", "needs 1 .. 32 characters");
    if (strlen(candidate) > 32)
        return reason_fail(reason, STATUS_CONFIG, "reward_candidate.version", "needs at most 32 characters");
    if (strcmp(current, candidate) == 0)
        return reason_fail(reason, STATUS_CONFIG, "reward_candidate.version", "must differ from reward.version, \"%s\"", current);
    return STATUS_OK;
}

static void log_range(const struct scored *v)
{
    double least, greatest;

    reward_range(&v->rules, &least, &greatest);
    log_info("reward.range", "version=%s least=%+.2f greatest=%+.2f", v->version, least, greatest);
}

static enum status open_reward(void *state, const struct service_env *env, struct reason *reason)
{
    struct reward *r = state;
    enum status status = check_config(r, reason);

    if (status != STATUS_OK)
        return status;
    r->metrics = env->metrics;
    r->variants = env->variants;
    for (size_t i = 0; i < env->variants->count; i++)
        for (size_t k = 0; k < COUNT_OF(metrics); k++)
            metrics_declare(env->metrics, METRIC_OWN(k), env->variants->items[i].id, NULL, NULL);
    for (const struct scored *v = r->versions; v < r->versions + VERSIONS; v++)
        if (v->version[0])
            log_range(v);
    return STATUS_OK;
}

static const struct subject_handler handles[] = {
    {SUBJECT_FEEDBACK_STORED, on_stored, HANDLE_BATCH},
    {SUBJECT_REWARD_COMPUTE, on_compute, HANDLE_READ},
};

extern const struct service reward_service;
const struct service reward_service = {
    .name = "reward", .what = "turns the signals of a call into a number in [-1, +1]", .state_size = sizeof(struct reward),
    .keys = keys, .key_count = COUNT_OF(keys), .metrics = metrics, .metric_count = COUNT_OF(metrics),
    .handles = handles, .handle_count = COUNT_OF(handles), .open = open_reward,
};
