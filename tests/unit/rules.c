/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c - stages of variants, at their borders. */
#include "rules.h"

#include "test.h"

#define STAGE(name) TOM__RL__V1__STAGE__STAGE_##name

static const struct guard_rules rules = {.min_pulls = 20, .uncertainty_half_width = 0.15, .blacklist_mean = -0.2};

static Stage stage(int64_t n, double variance)
{
    return guard_stage(&rules, false, VERDICT_NONE, &(struct own_total){n, 0, variance});
}

TEST(unit_rules, a_variant_is_new_until_its_twentieth_rewarded_call)
{
    CHECK_INT(stage(0, 0), STAGE(NEW));
    CHECK_INT(stage(19, 0), STAGE(NEW));
    CHECK_INT(stage(20, 0), STAGE(ESTABLISHED));
    CHECK_INT(stage(20, 0.2116), STAGE(UNCERTAIN));
}

TEST(unit_rules, with_the_usual_spread_uncertainty_ends_at_37_calls)
{
    CHECK_INT(stage(36, 0.46 * 0.46), STAGE(UNCERTAIN)); /* statistics.md 4: sd .46: n = 37 */
    CHECK_INT(stage(37, 0.46 * 0.46), STAGE(ESTABLISHED));
}

TEST(unit_rules, base_is_base_whatever_else_is_said_of_it)
{
    for (int verdict = VERDICT_NONE; verdict <= VERDICT_INACTIVE; verdict++)
        CHECK_INT(guard_stage(&rules, true, (enum verdict)verdict, &(struct own_total){0, -1, 1}), STAGE(BASE));
}

TEST(unit_rules, a_verdict_outranks_the_totals)
{
    const struct own_total settled = {1000, 0.5, 0.1};

    CHECK_INT(guard_stage(&rules, false, VERDICT_BLACKLISTED, &settled), STAGE(BLACKLISTED));
    CHECK_INT(guard_stage(&rules, false, VERDICT_PAROLE, &settled), STAGE(PAROLE));
    CHECK_INT(guard_stage(&rules, false, VERDICT_INACTIVE, &settled), STAGE(INACTIVE));
}

TEST(unit_rules, below_two_calls_nothing_is_known_of_the_spread)
{
    const struct guard_rules eager = {.min_pulls = 1, .uncertainty_half_width = 0.15};

    CHECK(isinf(total_half_width(&(struct own_total){1, 0.9, 0})));
    CHECK_INT(guard_stage(&eager, false, VERDICT_NONE, &(struct own_total){1, 0.9, 0}), STAGE(UNCERTAIN));
}

TEST(unit_rules, only_new_uncertain_and_parole_are_capped)
{
    CHECK_INT(guard_group(STAGE(NEW)), 0);
    CHECK_INT(guard_group(STAGE(UNCERTAIN)), 1);
    CHECK_INT(guard_group(STAGE(PAROLE)), 2);
    CHECK_INT(guard_group(STAGE(BASE)), -1);
    CHECK_INT(guard_group(STAGE(ESTABLISHED)), -1);
    CHECK_INT(guard_group(STAGE(BLACKLISTED)), -1);
    CHECK_INT(guard_group(STAGE(INACTIVE)), -1);
    CHECK_INT(guard_group(STAGE(UNSPECIFIED)), -1);
}

/* 1.96 sqrt(v / n) = 0.15 at n = 100 for v = (0.15 / 1.96)^2 * 100. */
TEST(unit_rules, a_variant_is_uncertain_while_its_half_width_is_above_the_limit)
{
    double variance = (0.15 / 1.96) * (0.15 / 1.96) * 100;

    CHECK_INT(stage(100, variance * 1.001), STAGE(UNCERTAIN));
    CHECK_INT(stage(100, variance * 0.999), STAGE(ESTABLISHED));
    CHECK_INT(stage(101, variance), STAGE(ESTABLISHED));
    CHECK_INT(stage(99, variance), STAGE(UNCERTAIN));
}

TEST(unit_rules, the_half_width_shrinks_with_the_root_of_the_calls)
{
    struct own_total total = {.n = 25, .variance = 0.25};

    CHECK_NEAR(total_half_width(&total), 0.196, 1e-15);
    total.n = 100;
    CHECK_NEAR(total_half_width(&total), 0.098, 1e-15);
    total.variance = 0;
    CHECK_NEAR(total_half_width(&total), 0, 0);
}

static enum verdict judged(enum verdict before, int64_t n, double mean)
{
    return guard_verdict(&rules, false, before, &(struct own_total){n, mean, 0.2});
}

TEST(unit_rules, twenty_calls_with_a_mean_below_the_limit_blacklist_a_variant)
{
    CHECK_INT(judged(VERDICT_NONE, 19, -1), VERDICT_NONE);
    CHECK_INT(judged(VERDICT_NONE, 20, -0.2), VERDICT_NONE);
    CHECK_INT(judged(VERDICT_NONE, 20, -0.200001), VERDICT_BLACKLISTED);
    CHECK_INT(guard_verdict(&rules, true, VERDICT_NONE, &(struct own_total){1000, -1, 0}), VERDICT_NONE);
}

TEST(unit_rules, parole_lasts_until_twenty_calls_after_the_release_tell)
{
    CHECK_INT(judged(VERDICT_PAROLE, 19, -1), VERDICT_PAROLE);
    CHECK_INT(judged(VERDICT_PAROLE, 20, -0.3), VERDICT_BLACKLISTED);
    CHECK_INT(judged(VERDICT_PAROLE, 20, 0.1), VERDICT_NONE);
}

TEST(unit_rules, what_is_blacklisted_or_removed_waits_for_an_operator)
{
    CHECK_INT(judged(VERDICT_BLACKLISTED, 1000, 1), VERDICT_BLACKLISTED);
    CHECK_INT(judged(VERDICT_INACTIVE, 1000, -1), VERDICT_INACTIVE);
}

TEST(unit_rules, a_release_leaves_the_calls_before_it_behind)
{
    const struct own_total before = {100, -0.4, 0.1}, now = {120, -0.25, 0.1};
    struct own_total since = total_since(&now, &before);

    CHECK_INT(since.n, 20);
    CHECK_NEAR(since.mean, 0.5, 1e-12); /* (120 * -0.25 + 100 * 0.4) / 20 */
    CHECK_INT(total_since(&before, &before).n, 0);
    CHECK_INT(total_since(&(struct own_total){99, -0.4, 0.1}, &before).n, 0); /* one was retracted */
}

TEST(unit_rules, beyond_max_active_the_new_ones_go_first_and_then_the_lowest_mean)
{
    const struct own_total totals[] = {{50, -0.1, 0}, {30, 0.2, 0}, {0, 0, 0}, {30, 0.5, 0}, {5, 0.9, 0}, {30, -1, 0}};
    const Stage before[] = {STAGE(BASE), STAGE(ESTABLISHED), STAGE(NEW), STAGE(ESTABLISHED), STAGE(NEW), STAGE(BLACKLISTED)};
    static const bool speaks[6][6] = {{1, 1, 1, 1, 1, 0}, {1, 0, 0, 0, 0, 0}, {1, 0, 0, 1, 0, 0}, {1, 1, 0, 1, 0, 0},
                                      {1, 1, 1, 1, 0, 0}, {1, 1, 1, 1, 1, 0}};
    struct guard_rules few = rules;

    for (few.max_active = 0; few.max_active < 6; few.max_active++) {
        Stage stages[6];
        memcpy(stages, before, sizeof stages);
        guard_limit_active(&few, 6, totals, stages);
        for (size_t i = 0; i < 5; i++)
            CHECK_INT(stages[i], speaks[few.max_active][i] ? before[i] : STAGE(INACTIVE));
        CHECK_INT(stages[5], STAGE(BLACKLISTED));
    }
}
