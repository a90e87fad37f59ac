/* SPDX-License-Identifier: Apache-2.0 */
/* reward.c - turns what is known of a call into a number in [-1, +1].
 *
 * feedback.stored -> reward.computed.  Keeps nothing: the same signals give the same reward, so replicas and replays are harmless. */
#include <stdio.h>
#include <string.h>

#include "formula.h"
#include "log.h"
#include "message_signals.h"
#include "service.h"

struct reward {
    struct reward_rules rules;
    const char *version;
    struct metrics *metrics;
};

static const char *const duration_terms[] = {"linear", "tent", "none", NULL};
static const char *const missing_ratings[] = {"neutral", "renormalise", NULL};

#define K(type, member, ...) CONFIG_##type(struct reward, member, __VA_ARGS__)

static const struct config_key keys[] = {
    K(INT, rules.barge_in_cap, "reward.barge_in_cap", "3", 1, 10, NULL, "Barge-ins beyond this cost no more."),
    K(DOUBLE, rules.barge_in_weight, "reward.barge_in_weight", "0.1", 0, 1, NULL, "Taken off at barge_in_cap barge-ins, in proportion below."),
    K(DOUBLE, rules.duration_bound, "reward.duration_bound", "0.2", 0, 1, NULL, "The most that the length of a call gives or takes."),
    K(DOUBLE, rules.duration_target_sec, "reward.duration_target_sec", "180", 1, 3600, NULL, "Length that counts as neutral (tent: best), seconds."),
    K(ENUM, rules.duration_term, "reward.duration_term", duration_terms, "linear", "How the length of a call counts; linear also pays for callers who hang up."),
    K(DOUBLE, rules.handover_weight, "reward.handover_weight", "0.1", 0, 1, NULL, "Taken off when a human had to take over."),
    K(ENUM, rules.missing_rating, "reward.missing_rating", missing_ratings, "neutral",
      "A call without a rating counts as if rated 3, or its other parts are scaled up to the weight of a rated call."),
    K(DOUBLE, rules.rating_weight, "reward.rating_weight", "0.2", 0, 1, NULL, "Given for a rating of 5, taken for a rating of 1."),
    K(INT, rules.repeat_cap, "reward.repeat_cap", "3", 1, 5, NULL, "Repetitions beyond this cost no more."),
    K(DOUBLE, rules.repeat_weight, "reward.repeat_weight", "0.1", 0, 1, NULL, "Taken off at repeat_cap repetitions, in proportion below."),
    K(DOUBLE, rules.resolution_weight, "reward.resolution_weight", "0.6", -1, 1, NULL, "Paid when the caller's problem was solved."),
    K(TEXT, version, "reward.version", "v1", NULL, "Name of these rules; the bandit learns one version."),
};

enum { DISTRIBUTION, SCORE, AMENDED };

static const struct metric metrics[] = {
    [DISTRIBUTION] = {"rl_reward_distribution", METRIC_HISTOGRAM, "Rewards of calls, first revision.", {"policy_variant"},
                      .bounds = {-1, -0.5, -0.2, 0, 0.2, 0.5, 0.8, 1}, .bound_count = 8},
    [SCORE] = {"rl_reward_score", METRIC_HISTOGRAM, "(reward + 1) / 2: never negative, so its sum is a counter.", {"policy_variant"},
               .bounds = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1}, .bound_count = 11},
    [AMENDED] = {"rl_reward_amended_total", METRIC_COUNTER, "Rewards computed again because a call was amended or replayed.", {"policy_variant"}},
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
    const struct named_part parts[PART_COUNT] = {{"resolution", p->resolution}, {"rating", p->rating},     {"barge_in", p->barge_in},
                                                 {"repeats", p->repeats},       {"handover", p->handover}, {"duration", p->duration},
                                                 {"total", p->total}};

    memcpy(ret, parts, sizeof parts);
}

static void count(struct reward *r, const FeedbackStored *f, double reward)
{
    if (!f->first) {
        metrics_add(r->metrics, METRIC_OWN(AMENDED), 1, f->policy_variant, NULL, NULL);
        return;
    }
    metrics_observe(r->metrics, METRIC_OWN(DISTRIBUTION), reward, f->policy_variant, NULL, NULL);
    metrics_observe(r->metrics, METRIC_OWN(SCORE), (reward + 1) / 2, f->policy_variant, NULL, NULL);
}

static RewardComputed *computed(struct reward *r, const FeedbackStored *f, const struct reward_parts *parts, struct outbox *out)
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
    m->reward_version = (char *)r->version;
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

static enum status on_stored(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct reward *r = state;
    const FeedbackStored *f = (const FeedbackStored *)in->body;
    struct signals signals = signals_of_message(f->signals);
    struct reward_parts p;

    if (!f->call_key[0])
        return reason_set(reason, "call_key", "missing");
    reward_compute(&r->rules, &signals, &p);
    count(r, f, p.total);
    log_debug("reward.computed", "call=%s:%.8s.. reward=%+.4f (%.2f %+.2f %+.2f %+.2f %+.2f %+.2f)%s", f->key_id, f->call_key, p.total, p.resolution,
              p.rating, p.barge_in, p.repeats, p.handover, p.duration, f->retracted ? " retracted" : "");
    outbox_say(out, SUBJECT_REWARD_COMPUTED, &computed(r, f, &p, out)->base, "", 0, in->traceparent);
    return STATUS_OK;
}

/* What would this call earn? */
static enum status on_compute(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct reward *r = state;
    const RewardComputeRequest *q = (const RewardComputeRequest *)in->body;
    RewardComputeReply *m = codec_new(outbox_arena(out), &tom__rl__v1__reward_compute_reply__descriptor);
    struct named_part named[PART_COUNT];
    struct reward_parts parts;
    enum status status = signals_check(q->signals, reason);

    if (status != STATUS_OK)
        return status;
    struct signals signals = signals_of_message(q->signals);
    reward_compute(&r->rules, &signals, &parts);
    m->reward = parts.total;
    m->reward_version = (char *)r->version;
    name_parts(&parts, named);
    m->components = arena_alloc(outbox_arena(out), PART_COUNT * sizeof *m->components);
    for (size_t i = 0; i < PART_COUNT; i++)
        MAP_ADD(outbox_arena(out), m, components, Answer, named[i].name, named[i].value);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

static enum status open_reward(void *state, const struct service_env *env, struct reason *reason)
{
    struct reward *r = state;
    double least, greatest;

    if (!r->version[0] || strlen(r->version) > 32)
        return reason_fail(reason, STATUS_CONFIG, "reward.version", "needs 1 .. 32 characters");
    r->metrics = env->metrics;
    for (size_t i = 0; i < env->variants->count; i++)
        for (size_t k = 0; k < COUNT_OF(metrics); k++)
            metrics_declare(env->metrics, METRIC_OWN(k), env->variants->items[i].id, NULL, NULL);
    reward_range(&r->rules, &least, &greatest);
    log_info("reward.range", "version=%s least=%+.2f greatest=%+.2f", r->version, least, greatest);
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
