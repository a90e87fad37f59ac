/* SPDX-License-Identifier: Apache-2.0 */
/* talk.c - builds the messages that many tests send. */
#include "talk.h"

#include "test.h"

void tell_end(struct world *w, const struct told_end *end)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = (char *)end->id;
    m.signals = &s;
    m.consent = end->consent;
    m.source = end->source;
    if (end->variant)
        TELL(&m, policy_variant, CALL_ENDED, POLICY_VARIANT, (char *)end->variant);
    if (end->profile)
        TELL(&m, profile, CALL_ENDED, PROFILE, (char *)end->profile);
    if (end->caller)
        TELL(&m, caller_key, CALL_ENDED, CALLER_KEY, (char *)end->caller);
    if (end->ts > 0)
        TELL(&m, ts, CALL_ENDED, TS, end->ts);
    TELL(&s, resolution, SIGNALS, RESOLUTION, end->resolved);
    if (end->rating)
        TELL(&s, user_rating, SIGNALS, USER_RATING, end->rating);
    sim_publish(w->sim, SUBJECT_CALL_ENDED, &m.base, "");
}

void tell_rating(struct world *w, const char *id, int rating)
{
    CallAmended m = TOM__RL__V1__CALL_AMENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = (char *)id;
    m.signals = &s;
    TELL(&s, user_rating, SIGNALS, USER_RATING, rating);
    sim_publish(w->sim, SUBJECT_CALL_AMENDED, &m.base, "");
}

void tell_retracted(struct world *w, const char *id, bool retracted)
{
    CallAmended m = TOM__RL__V1__CALL_AMENDED__INIT;

    m.call_id = (char *)id;
    TELL(&m, retracted, CALL_AMENDED, RETRACTED, retracted);
    sim_publish(w->sim, SUBJECT_CALL_AMENDED, &m.base, "");
}

const PolicySelectReply *ask_decision(struct world *w, const char *id, const char *profile)
{
    PolicySelectRequest ask = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;

    ask.call_id = (char *)id;
    ask.profile = (char *)profile;
    return (const PolicySelectReply *)world_ask(w, SUBJECT_POLICY_SELECT, &ask.base);
}

const FeedbackStatsReply *ask_feedback_stats(struct world *w)
{
    FeedbackStatsRequest ask = TOM__RL__V1__FEEDBACK_STATS_REQUEST__INIT;

    return (const FeedbackStatsReply *)world_ask(w, SUBJECT_FEEDBACK_STATS, &ask.base);
}

const FeedbackCleanupReply *ask_cleanup(struct world *w, uint32_t older_than_days, bool force)
{
    FeedbackCleanupRequest ask = TOM__RL__V1__FEEDBACK_CLEANUP_REQUEST__INIT;

    ask.older_than_days = older_than_days;
    ask.force = force;
    return (const FeedbackCleanupReply *)world_ask(w, SUBJECT_FEEDBACK_CLEANUP, &ask.base);
}

const FeedbackReplayReply *ask_replay(struct world *w, const char *version)
{
    FeedbackReplayRequest ask = TOM__RL__V1__FEEDBACK_REPLAY_REQUEST__INIT;

    ask.reward_version = (char *)version;
    const FeedbackReplayReply *r = (const FeedbackReplayReply *)world_ask(w, SUBJECT_FEEDBACK_REPLAY, &ask.base);
    CHECK(r && !r->error);
    return r;
}

const FeedbackEraseReply *ask_erase_call(struct world *w, const char *id)
{
    FeedbackEraseRequest ask = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;

    ask.call_id = (char *)id;
    return (const FeedbackEraseReply *)world_ask(w, SUBJECT_FEEDBACK_ERASE, &ask.base);
}

const FeedbackEraseReply *ask_erase_caller(struct world *w, const char *caller)
{
    FeedbackEraseRequest ask = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;

    ask.caller_key = (char *)caller;
    return (const FeedbackEraseReply *)world_ask(w, SUBJECT_FEEDBACK_ERASE, &ask.base);
}

long long erased(const FeedbackEraseReply *r, const char *place)
{
    for (size_t i = 0; r && i < r->n_erased; i++)
        if (strcmp(r->erased[i]->key, place) == 0)
            return (long long)r->erased[i]->value;
    return -1;
}

const BanditStatsReply *ask_bandit_stats(struct world *w, const char *version)
{
    BanditStatsRequest ask = TOM__RL__V1__BANDIT_STATS_REQUEST__INIT;

    ask.reward_version = (char *)version;
    return (const BanditStatsReply *)world_ask(w, SUBJECT_BANDIT_STATS, &ask.base);
}

const BanditArmStats *stats_of_arm(const BanditStatsReply *r, const char *variant)
{
    for (size_t i = 0; r && i < r->n_variants; i++)
        if (strcmp(r->variants[i]->key, variant) == 0)
            return r->variants[i]->value;
    return NULL;
}

const BanditRebuildReply *check_rebuild(struct world *w)
{
    BanditRebuildRequest ask = TOM__RL__V1__BANDIT_REBUILD_REQUEST__INIT;

    ask.check = true;
    const BanditRebuildReply *r = (const BanditRebuildReply *)world_ask(w, SUBJECT_BANDIT_REBUILD, &ask.base);
    CHECK(r && !r->error && r->identical);
    return r;
}

const struct reward_rules default_rules = {
    .resolution_weight = 0.6, .rating_weight = 0.2, .barge_in_weight = 0.1, .repeat_weight = 0.1, .handover_weight = 0.1,
    .barge_in_cap = 3, .repeat_cap = 3, .duration_target_sec = 180, .duration_bound = 0.2, .duration_term = DURATION_LINEAR};

void add_expected(struct stats *sum, const struct reward_rules *rules, const struct signals *signals)
{
    struct reward_parts parts;

    reward_compute(rules, signals, &parts);
    struct stats one = stats_of_call(signals, reward_to_micro(parts.total));
    stats_add(sum, &one);
}

size_t dead_letters(const struct world *w)
{
    return sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK) + sim_stored(w->sim, SUBJECT_DLQ_REWARD)
           + sim_stored(w->sim, SUBJECT_DLQ_BANDIT);
}
