/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c - stages of variants, at their borders. */
#include "rules.h"

#include "test.h"

#define STAGE(name) TOM__RL__V1__STAGE__STAGE_##name

static const struct guard_rules rules = {.min_pulls = 20, .uncertainty_half_width = 0.15};

static Stage stage(int64_t n, double variance) { return guard_stage(&rules, false, VERDICT_NONE, &(struct own_total){n, 0, variance}); }

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
