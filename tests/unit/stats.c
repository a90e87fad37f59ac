/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c - sums are exact, whatever the order, and give back what was added. */
#include "stats.h"

#include "rng.h"
#include "test.h"

enum { CALLS = 500 };

static struct stats random_call(struct rng *rng)
{
    struct signals s = {
        .resolution = (enum tri)rng_below(rng, 3),
        .handover = (enum tri)rng_below(rng, 3),
        .escalation = (enum tri)rng_below(rng, 3),
        .user_rating = (int)rng_below(rng, 6),
        .barge_in_count = (int)rng_below(rng, 12) - 1,
        .repeats = (int)rng_below(rng, 7) - 1,
        .duration_sec = (double)rng_below(rng, 600) - 1,
        .satisfaction = -2,
    };

    return stats_of_call(&s, reward_to_micro(2 * rng_uniform(rng) - 1));
}

TEST(unit_stats, rewards_round_to_micro_units_away_from_zero)
{
    CHECK_INT(reward_to_micro(0.6 + 0.1 - 0.1 / 3 + 0.2), 866667);
    CHECK_INT(reward_to_micro(-0.0000005), -1);
    CHECK_INT(reward_to_micro(1), 1000000);
    CHECK_INT(reward_to_micro(-1), -1000000);
}

TEST(unit_stats, one_call_counts_what_is_known_of_it)
{
    struct signals call = {TRI_FALSE, TRI_TRUE, TRI_UNKNOWN, 4, 3, -1, 19.9, -2};
    struct stats s = stats_of_call(&call, -500001);

    CHECK_INT(s.n, 1);
    CHECK_INT(s.reward, -500001);
    CHECK_INT(s.reward_sq, 250001);
    CHECK_INT(s.rated, 1);
    CHECK_INT(s.rating, 4);
    CHECK_INT(s.rating_sq, 16);
    CHECK_INT(s.outcome_known, 1);
    CHECK_INT(s.resolved, 0);
    CHECK_INT(s.handover, 1);
    CHECK_INT(s.escalation, 0);
    CHECK_INT(s.short_calls, 1);
    CHECK_INT(s.barge_in, 3);
    CHECK_INT(s.barge_in_sq, 9);
}

TEST(unit_stats, what_is_unknown_counts_nowhere)
{
    struct signals none = SIGNALS_NONE;
    struct stats s = stats_of_call(&none, 0), only_n = {.n = 1};

    CHECK(stats_equal(&s, &only_n));
}

TEST(unit_stats, a_short_call_that_solved_the_problem_is_no_alarm)
{
    struct signals s = SIGNALS_NONE;

    s.duration_sec = 10;
    s.resolution = TRI_TRUE;
    CHECK_INT(stats_of_call(&s, 0).short_calls, 0);
    s.resolution = TRI_FALSE;
    CHECK_INT(stats_of_call(&s, 0).short_calls, 1);
    s.duration_sec = 20;
    CHECK_INT(stats_of_call(&s, 0).short_calls, 0);
}

TEST(unit_stats, taking_calls_away_in_another_order_leaves_nothing)
{
    struct rng rng = rng_seed(11);
    struct stats calls[CALLS], sum = {0}, backwards = {0};

    for (int i = 0; i < CALLS; i++) {
        calls[i] = random_call(&rng);
        stats_add(&sum, &calls[i]);
    }
    for (int i = CALLS; i-- > 0;)
        stats_add(&backwards, &calls[i]);
    CHECK(stats_equal(&sum, &backwards));
    for (int i = 0; i < CALLS; i += 2)
        stats_sub(&sum, &calls[i]);
    CHECK_INT(sum.n, CALLS / 2);
    CHECK(!stats_zero(&sum));
    for (int i = CALLS - 1; i > 0; i -= 2)
        stats_sub(&sum, &calls[i]);
    CHECK(stats_zero(&sum));
}

TEST(unit_stats, an_amended_call_equals_one_that_was_so_from_the_start)
{
    struct rng rng = rng_seed(5);
    struct stats before = random_call(&rng), after = random_call(&rng), other = random_call(&rng), amended = {0}, fresh = {0};

    stats_add(&amended, &before);
    stats_add(&amended, &other);
    stats_sub(&amended, &before);
    stats_add(&amended, &after);
    stats_add(&fresh, &after);
    stats_add(&fresh, &other);
    CHECK(stats_equal(&amended, &fresh));
}

TEST(unit_stats, mean_and_variance_are_those_of_the_rewards)
{
    struct signals none = SIGNALS_NONE;
    static const double rewards[] = {0.5, -0.25, 1, 0.75};
    struct stats sum = {0};

    CHECK(stats_mean(&sum) == 0 && stats_variance(&sum) == 0);
    for (int i = 0; i < 4; i++) {
        struct stats one = stats_of_call(&none, reward_to_micro(rewards[i]));
        stats_add(&sum, &one);
    }
    CHECK_NEAR(stats_mean(&sum), 0.5, 1e-12);
    CHECK_NEAR(stats_variance(&sum), 0.21875, 1e-6);
}

TEST(unit_stats, equal_rewards_have_no_variance)
{
    struct signals none = SIGNALS_NONE;
    struct stats one = stats_of_call(&none, 333333), sum = {0};

    for (int i = 0; i < 100; i++)
        stats_add(&sum, &one);
    CHECK(stats_variance(&sum) >= 0);
    CHECK_NEAR(stats_variance(&sum), 0, 2e-6);
}
