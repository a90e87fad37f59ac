/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h - what a voice stack tells the world, what an operator asks of it, and what must be learned of a call. */
#ifndef RL_TALK_H
#define RL_TALK_H

#include "formula.h"
#include "stats.h"
#include "world.h"

/* ---- told: the message is on its way, no time has passed ------------------------------------------------------------- */

/* A member that may be left out: TELL(&m, policy_variant, CALL_ENDED, POLICY_VARIANT, ...). */
#define TELL(message, name, type, NAME, v)                                                         \
    ((message)->has_##name##_case = TOM__RL__V1__##type##__HAS_##NAME##_##NAME, (message)->name = (v))

/* Of the end of a call; what is NULL or 0 is left out, whether it was resolved is always said. */
struct told_end {
    const char *id, *variant, *profile, *caller;
    bool resolved;
    int rating;
    double ts; /* unix seconds */
    Tom__Rl__V1__Consent consent;
    Tom__Rl__V1__Source source;
};

void tell_end(struct world *w, const struct told_end *end);
void tell_rating(struct world *w, const char *id, int rating);
void tell_retracted(struct world *w, const char *id, bool retracted);

/* ---- asked: as world_ask --------------------------------------------------------------------------------------------- */

const PolicySelectReply *ask_decision(struct world *w, const char *id, const char *profile);
const FeedbackStatsReply *ask_feedback_stats(struct world *w);
const FeedbackCleanupReply *ask_cleanup(struct world *w, uint32_t older_than_days, bool force);
const FeedbackReplayReply *ask_replay(struct world *w, const char *version); /* "": all versions; a refusal fails the test */
const FeedbackEraseReply *ask_erase_call(struct world *w, const char *id);
const FeedbackEraseReply *ask_erase_caller(struct world *w, const char *caller);
long long erased(const FeedbackEraseReply *r, const char *place); /* how much was in that place; -1: the reply does not say */
const BanditStatsReply *ask_bandit_stats(struct world *w, const char *version); /* "": the active one; over all contexts */
const BanditArmStats *stats_of_arm(const BanditStatsReply *r, const char *variant); /* NULL: not in it */

/* A rebuild of the bandit's sums from its rows must find no difference. */
const BanditRebuildReply *check_rebuild(struct world *w);

/* ---- what must come of it -------------------------------------------------------------------------------------------- */

/* Of reward version v1, written down once more: the tests trust no configuration. */
extern const struct reward_rules default_rules;

/* Adds a call, as it must be learned under the rules. */
void add_expected(struct stats *sum, const struct reward_rules *rules, const struct signals *signals);

size_t dead_letters(const struct world *w); /* of feedback, reward and bandit */

#endif
