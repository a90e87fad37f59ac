/* SPDX-License-Identifier: Apache-2.0 */
/* versions.c - a second reward version is configured, fed by a replay, compared, switched to and back, over a bus that loses and
 * services that die: under each version each call counts once, and a switch moves no number. */
#include <stdlib.h>

#include "talk.h"
#include "test.h"

enum { CALLS = 90, BEFORE = 50 };

#define WITH_CANDIDATE                                                                                             \
    "reward_candidate: {version: v2, rating_weight: 0.7, resolution_weight: 0.2, duration_term: none, "            \
    "missing_rating: renormalise}\n"                                                                               \
    "bandit: {reward_candidate: v2}\n"

static const struct reward_rules candidate_rules = {
    .resolution_weight = 0.2, .rating_weight = 0.7, .barge_in_weight = 0.1, .repeat_weight = 0.1, .handover_weight = 0.1,
    .barge_in_cap = 3, .repeat_cap = 3, .duration_target_sec = 180, .duration_bound = 0.2, .duration_term = DURATION_NONE,
    .missing_rating = RATING_RENORMALISE};
static const struct reward_rules *const rules[2] = {&default_rules, &candidate_rules};
static const char *const names[2] = {"v1", "v2"};

/* What we, outside, know of a call. */
struct caller {
    char id[32];
    const char *variant;
    bool resolved, retracted;
    int rating, barge_ins;
};

static void amend(struct world *w, struct caller *c)
{
    CallAmended m = TOM__RL__V1__CALL_AMENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = c->id;
    if (rng_below(&w->rng, 3) == 0) {
        c->retracted = !c->retracted;
        TELL(&m, retracted, CALL_AMENDED, RETRACTED, c->retracted);
    } else {
        c->rating = 1 + (int)rng_below(&w->rng, 5);
        TELL(&s, user_rating, SIGNALS, USER_RATING, c->rating);
        m.signals = &s;
    }
    sim_publish(w->sim, SUBJECT_CALL_AMENDED, &m.base, "");
    world_run(w, (int64_t)rng_below(&w->rng, 100000));
}

static void end_call(struct world *w, struct caller *c, int number)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    snprintf(c->id, sizeof c->id, "call-%d", number);
    c->variant = w->variants.items[rng_below(&w->rng, 3)].id;
    c->resolved = rng_below(&w->rng, 2) == 0;
    c->barge_ins = (int)rng_below(&w->rng, 5);
    c->rating = (int)rng_below(&w->rng, 6);
    m.call_id = c->id;
    TELL(&m, policy_variant, CALL_ENDED, POLICY_VARIANT, (char *)c->variant);
    TELL(&s, resolution, SIGNALS, RESOLUTION, c->resolved);
    TELL(&s, barge_in_count, SIGNALS, BARGE_IN_COUNT, c->barge_ins);
    if (c->rating)
        TELL(&s, user_rating, SIGNALS, USER_RATING, c->rating);
    m.signals = &s;
    sim_publish(w->sim, SUBJECT_CALL_ENDED, &m.base, "");
    world_run(w, (int64_t)rng_below(&w->rng, 200000));
}

/* Solved, and nothing else is known. */
static void end_call_of(struct world *w, int number, const char *variant)
{
    char id[32];

    snprintf(id, sizeof id, "of-%d", number);
    tell_end(w, &(struct told_end){.id = id, .variant = variant, .resolved = true});
    world_run(w, 20000);
}

/* ---- what was learned ------------------------------------------------------------------------------------------------ */

static struct stats expected(const struct caller *calls, const char *variant, int version)
{
    struct stats sum = {0};

    for (int i = 0; i < CALLS; i++) {
        struct signals s = SIGNALS_NONE;
        if (calls[i].retracted || strcmp(calls[i].variant, variant) != 0)
            continue;
        s.resolution = tri_of(calls[i].resolved);
        s.user_rating = calls[i].rating;
        s.barge_in_count = calls[i].barge_ins;
        add_expected(&sum, rules[version], &s);
    }
    return sum;
}

/* The single rewards under a version are those that its sums are made of. */
static void check_rewards(struct world *w, const struct caller *calls, int version)
{
    BanditRewardsRequest ask = TOM__RL__V1__BANDIT_REWARDS_REQUEST__INIT;
    struct stats sum = expected(calls, "v1a", version);

    ask.policy_variant = (char *)"v1a";
    ask.reward_version = (char *)names[version];
    const BanditRewardsReply *r = (const BanditRewardsReply *)world_ask(w, SUBJECT_BANDIT_REWARDS, &ask.base);
    CHECK(r && !r->error);
    CHECK_INT(r ? r->count : -1, sum.n);
    CHECK_NEAR(r ? r->mean * (double)r->count : -1, (double)sum.reward / REWARD_SCALE, 1e-9);
}

static void check_learned(struct world *w, const struct caller *calls)
{
    for (int version = 0; version < 2; version++) {
        const BanditStatsReply *r = ask_bandit_stats(w, names[version]);
        CHECK(r && !r->error && r->n_variants == w->variants.count);
        for (size_t i = 0; r && i < r->n_variants; i++) {
            struct stats sum = expected(calls, r->variants[i]->key, version);
            CHECK_INT(r->variants[i]->value->pulls, sum.n);
            CHECK_INT(r->variants[i]->value->rated, sum.rated);
            CHECK_NEAR(r->variants[i]->value->response_rate, stats_response(&sum), 0);
            CHECK_NEAR(r->variants[i]->value->total_reward, (double)sum.reward / REWARD_SCALE, 0);
        }
        check_rewards(w, calls, version);
    }
    check_rebuild(w);
    CHECK_INT(dead_letters(w), 0);
}

/* Every call that counts is known under both, so each has its pair. */
static void check_complete(struct world *w)
{
    BanditVersionsRequest ask = TOM__RL__V1__BANDIT_VERSIONS_REQUEST__INIT;
    const BanditVersionsReply *r = (const BanditVersionsReply *)world_ask(w, SUBJECT_BANDIT_VERSIONS, &ask.base);
    int64_t pairs = 0;

    CHECK(r && !r->error && r->n_versions == 2);
    for (size_t i = 0; r && i < r->n_variants; i++) {
        pairs += r->variants[i]->pairs;
        CHECK_NEAR(r->variants[i]->difference, r->variants[i]->other_mean - r->variants[i]->active_mean, 1e-9);
    }
    CHECK_INT(pairs, r ? r->versions[0]->calls : -1);
    CHECK_INT(pairs, r ? r->versions[1]->calls : -1);
}

static void switch_to(struct world *w, const char *version)
{
    BanditSwitchRequest ask = TOM__RL__V1__BANDIT_SWITCH_REQUEST__INIT;

    ask.reward_version = (char *)version;
    const BanditSwitchReply *r = (const BanditSwitchReply *)world_ask(w, SUBJECT_BANDIT_SWITCH, &ask.base);
    CHECK(r && !r->error);
    if (r)
        CHECK_STR(r->reward_version, version);
}

static const BanditUpdated *last_snapshot(struct world *w)
{
    return (const BanditUpdated *)sim_last(w->sim, SUBJECT_BANDIT_UPDATED);
}

/* To the bit, but for the version's name of the hour. */
static void check_same(const BanditStatsReply *a, const BanditStatsReply *b)
{
    CHECK(a && b && a->n_variants == b->n_variants);
    for (size_t i = 0; a && b && i < a->n_variants; i++) {
        const BanditArmStats *x = a->variants[i]->value, *y = b->variants[i]->value;
        CHECK_INT(x->pulls, y->pulls);
        CHECK(memcmp(&x->total_reward, &y->total_reward, sizeof x->total_reward) == 0);
        CHECK(memcmp(&x->alpha_shared, &y->alpha_shared, sizeof x->alpha_shared) == 0);
        CHECK(memcmp(&x->probability_best, &y->probability_best, sizeof x->probability_best) == 0);
    }
}

static void there_and_back(struct world *w)
{
    const BanditStatsReply *before = ask_bandit_stats(w, ""), *other = ask_bandit_stats(w, "v2");

    switch_to(w, "v2");
    const BanditUpdated *said = last_snapshot(w);
    CHECK(said && strcmp(said->reward_version, "v2") == 0 && strncmp(said->policy_version, "v2-", 3) == 0);
    check_same(other, ask_bandit_stats(w, ""));
    world_kill(w, WORLD_BANDIT);
    world_run(w, 2 * SECOND_US);
    check_same(other, ask_bandit_stats(w, ""));
    switch_to(w, "v1");
    const BanditStatsReply *after = ask_bandit_stats(w, "");
    check_same(before, after);
    /* the same hour: sums, hour and configuration are named */
    CHECK_STR(before ? before->version : "", after ? after->version : "-");
    CHECK_STR(last_snapshot(w) ? last_snapshot(w)->reward_version : "", "v1");
}

static void run_seed(uint64_t seed)
{
    static const struct sim_chaos chaos = {.lose = 0.04, .repeat = 0.05, .delay_us = 60000};
    struct world *w = world_new(900 + seed);
    struct caller calls[CALLS] = {0};

    sim_set_chaos(w->sim, &chaos);
    w->death_rate = 0.0004;
    for (int i = 0; i < BEFORE; i++)
        end_call(w, &calls[i], i);
    world_run(w, 12 * SECOND_US);
    world_configure(w, WITH_CANDIDATE);
    ask_replay(w, "v2");
    for (int i = BEFORE; i < CALLS; i++) {
        end_call(w, &calls[i], i);
        if (rng_below(&w->rng, 2) == 0)
            amend(w, &calls[rng_below(&w->rng, (uint32_t)i)]);
    }
    world_calm(w);
    check_learned(w, calls);
    check_complete(w);
    there_and_back(w);
    check_learned(w, calls);
    if (test_failed())
        printf("  seed %llu\n", (unsigned long long)seed);
    world_free(w);
}

TEST(sim_versions, a_replay_under_a_second_version_then_a_switch_and_back_over_a_bus_that_loses_and_services_that_die)
{
    for (uint64_t seed = 1; seed <= 6 && !test_failed(); seed++)
        run_seed(seed);
}

/* An answer is a promise; without one either is fine, but the snapshot says the same as the database. */
static void switch_and_die(enum loop_step step, int countdown)
{
    struct world *w = world_new(950);
    struct caller call;
    BanditSwitchRequest ask = TOM__RL__V1__BANDIT_SWITCH_REQUEST__INIT;

    world_configure(w, WITH_CANDIDATE);
    world_run(w, SECOND_US);
    end_call(w, &call, 1);
    world_run(w, SECOND_US);
    world_arm(w, WORLD_BANDIT, step, countdown);
    ask.reward_version = (char *)"v2";
    uint64_t number = sim_request(w->sim, SUBJECT_BANDIT_SWITCH, &ask.base);
    world_run(w, 15 * SECOND_US);
    bool answered = sim_reply(w->sim, number) != NULL;
    const BanditStatsReply *r = ask_bandit_stats(w, "");
    const BanditUpdated *said = last_snapshot(w);
    if (!r || (answered && strcmp(r->reward_version, "v2") != 0) || !said || strcmp(said->reward_version, r->reward_version) != 0)
        test_fail(__FILE__, __LINE__, "step %d, time %d: %s, active %s, snapshot %s", step, countdown,
                  answered ? "answered" : "not answered", r ? r->reward_version : "-", said ? said->reward_version : "-");
    world_free(w);
}

TEST(sim_versions, a_switch_that_was_answered_survives_a_crash_at_every_step)
{
    for (int step = 0; step < STEP_COUNT; step++)
        for (int countdown = 1; countdown <= 2; countdown++)
            switch_and_die((enum loop_step)step, countdown);
}

/* Good calls of v2a before an operator blacklists and releases it, and after. */
static void release_after(struct world *w, int calls, int since)
{
    GuardCommandRequest m = TOM__RL__V1__GUARD_COMMAND_REQUEST__INIT;

    m.policy_variant = (char *)"v2a";
    for (int i = 0; i < calls + since; i++) {
        if (i == calls) {
            world_run(w, 2 * SECOND_US);
            m.command = (char *)"blacklist";
            world_ask(w, SUBJECT_GUARD_COMMAND, &m.base);
            m.command = (char *)"release";
            world_ask(w, SUBJECT_GUARD_COMMAND, &m.base);
        }
        end_call_of(w, i, "v2a");
    }
    world_run(w, 2 * SECOND_US);
}

TEST(sim_versions, what_a_released_variant_earned_under_one_version_is_not_taken_off_what_it_earns_under_another)
{
    struct world *w = world_new(970);
    GuardHealthRequest ask = TOM__RL__V1__GUARD_HEALTH_REQUEST__INIT;

    world_configure(w, "reward_candidate: {version: v2, resolution_weight: 0.05, rating_weight: 0, barge_in_weight: 0}\n"
                       "bandit: {reward_candidate: v2}\n");
    world_run(w, SECOND_US);
    release_after(w, 40, 25);
    switch_to(w, "v2");
    world_run(w, 2 * SECOND_US);
    ask.policy_variant = (char *)"v2a";
    const GuardHealthReply *r = (const GuardHealthReply *)world_ask(w, SUBJECT_GUARD_HEALTH, &ask.base);
    CHECK(r && r->stats);
    CHECK_INT(r ? r->stats->pulls : 0, 65);
    CHECK_NEAR(r ? r->stats->mean_reward : 0, 0.05, 1e-6);
    CHECK(r && !r->is_blacklisted);
    world_free(w);
}

TEST(sim_versions, only_the_version_that_was_asked_for_is_scored_again)
{
    struct world *w = world_new(960);
    struct caller call;

    world_configure(w, WITH_CANDIDATE);
    world_run(w, SECOND_US);
    end_call(w, &call, 1);
    world_run(w, 2 * SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_REWARD_COMPUTED), 2);
    ask_replay(w, "v2");
    world_run(w, 2 * SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_REWARD_COMPUTED), 3);
    CHECK_STR(((const RewardComputed *)sim_message(w->sim, SUBJECT_REWARD_COMPUTED, 2))->reward_version, "v2");
    ask_replay(w, "");
    world_run(w, 2 * SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_REWARD_COMPUTED), 5);
    world_free(w);
}
