/* SPDX-License-Identifier: Apache-2.0 */
/* experiments.c - the experiments of docs/learning.md in short, with generous bounds: is the harness right, and does the default
 * still learn?
 *
 * What plain Thompson sampling must come to (within 15 %) is printed in its sources, or was found by independent simulations
 * where a source averages over a few noisy runs.  All seeds are fixed: a bound that holds here holds always, until somebody
 * changes what is learned. */
#include <assert.h>
#include <unistd.h>

#include "lab.h"
#include "test.h"

/* Mean figure of one algorithm in a case. */
static double mean_of(const char *id, const char *part, const char *algorithm, long runs)
{
    struct result results[LAB_ENTRIES];
    struct lab_case c = *lab_case_find(id, part);

    memset(c.entries, 0, sizeof c.entries);
    c.entries[0] = (struct entry){algorithm, NAN};
    lab_run(&c, runs, sysconf(_SC_NPROCESSORS_ONLN), results);
    return results[0].mean;
}

TEST(learning_thompson, restless_items_cost_what_chapelle_and_li_printed)
{
    CHECK_NEAR(mean_of("B1", "d = 1", "thompson", 2), 9105, 0.15 * 9105);
    CHECK_NEAR(mean_of("B1", "d = 1000", "thompson", 2), 59256, 0.15 * 59256);
}

TEST(learning_thompson, nine_bernoulli_arms_cost_what_was_found_elsewhere)
{
    CHECK_NEAR(mean_of("B2", "a:", "thompson", 60), 41.7, 0.15 * 41.7);
    CHECK_NEAR(mean_of("B2", "b:", "thompson", 60), 71.1, 0.15 * 71.1);
    CHECK_NEAR(mean_of("B2", "c:", "thompson", 60), 70.1, 0.15 * 70.1);
}

TEST(learning_thompson, changing_arms_are_followed_too_late)
{
    CHECK_NEAR(mean_of("B3", "10 steps", "thompson", 60), 492, 0.15 * 492);
    CHECK_NEAR(mean_of("B3", "10 steps", "discounted thompson .95", 60), 424, 0.15 * 424);
}

TEST(learning_thompson, news_readers_and_cold_starts_cost_what_was_found_elsewhere)
{
    CHECK_NEAR(mean_of("B4", "5000", "thompson", 6), 0.993, 0.005);
    CHECK_NEAR(mean_of("B4", "10000", "thompson", 6), 0.870, 0.03);
    CHECK_NEAR(mean_of("B5", "[0, 1]", "thompson", 400), 23.6, 0.15 * 23.6);
    CHECK_NEAR(mean_of("B5", "[.25", "thompson", 400), 37.3, 0.15 * 37.3);
}

TEST(learning_default, restless_items_and_late_rewards_cost_less_than_under_thompson)
{
    CHECK(mean_of("B1", "d = 100", "default", 2) < 11550);
    CHECK(mean_of("B1", "d = 1000", "default", 2) < 0.9 * 59256);
}

TEST(learning_default, nine_bernoulli_arms_cost_less_than_under_thompson)
{
    CHECK(mean_of("B2", "a:", "default", 60) < 1.25 * 41.7);
    CHECK(mean_of("B2", "b:", "default", 60) < 65);
    CHECK(mean_of("B2", "c:", "default", 60) < 0.9 * 69.2);
}

TEST(learning_default, a_changed_world_is_noticed)
{
    CHECK(mean_of("B3", "10 steps", "default", 60) < 40);
    CHECK(mean_of("B3", "200 steps", "default", 60) < 85);
    CHECK(mean_of("B4", "5000", "default", 4) > 0.98);
    CHECK(mean_of("B4", "10000", "default", 4) > 0.96);
}

TEST(learning_default, a_cold_start_is_short)
{
    CHECK(mean_of("B5", "[0, 1]", "default", 400) < 0.9 * 23.6);
    CHECK(mean_of("B5", "[.25", "default", 400) < 0.8 * 37.3);
}

TEST(learning_default, strength_is_shared_among_contexts_and_variants)
{
    double ours = mean_of("B6", "structured, 5000 calls", "default", 6);

    CHECK(ours < 0.65 * mean_of("B6", "structured, 5000 calls", "thompson, one cell", 6));
    CHECK(ours < 0.90 * mean_of("B6", "structured, 5000 calls", "gaussian, one cell", 6));
    CHECK(ours < 0.75 * mean_of("B6", "structured, 5000 calls", "gaussian", 6));
}

TEST(learning_default, the_caps_of_the_guard_cost_less_than_they_protect)
{
    double capped = mean_of("B6", "5000 calls, guard", "default", 4);

    CHECK(capped < 0.75 * mean_of("B6", "structured, 5000 calls", "base only", 4));
    CHECK(capped > mean_of("B6", "structured, 5000 calls", "default", 4));
}
