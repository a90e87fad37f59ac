/* SPDX-License-Identifier: Apache-2.0 */
/* rules.c - how far a variant has come, and which group caps it. */
#include "rules.h"

#include "test.h"

#define STAGE(name) TOM__RL__V1__STAGE__STAGE_##name

static const struct guard_rules rules = {.min_pulls = 20, .uncertainty_half_width = 0.15};

static Stage stage(int64_t n, double variance)
{
    struct own_total total = {.n = n, .mean = 0.1, .variance = variance};

    return guard_stage(&rules, false, VERDICT_NONE, &total);
}

TEST(unit_rules, a_variant_is_new_until_it_has_its_pulls)
{
    CHECK_INT(stage(0, 0), STAGE(NEW));
    CHECK_INT(stage(19, 0), STAGE(NEW));
    CHECK_INT(stage(19, 4), STAGE(NEW));
    CHECK_INT(stage(20, 0), STAGE(ESTABLISHED));
    CHECK_INT(stage(20, 4), STAGE(UNCERTAIN));
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

TEST(unit_rules, one_call_says_nothing_about_spread)
{
    struct own_total total = {.n = 1, .variance = 0};
    struct guard_rules at_once = {.min_pulls = 1, .uncertainty_half_width = 0.15};

    CHECK(isinf(total_half_width(&total)));
    CHECK_INT(guard_stage(&at_once, false, VERDICT_NONE, &total), STAGE(UNCERTAIN));
    total.n = 0;
    CHECK(isinf(total_half_width(&total)));
}

TEST(unit_rules, a_verdict_outranks_the_totals)
{
    static const struct { enum verdict verdict; Stage stage; } rows[] = {
        {VERDICT_BLACKLISTED, STAGE(BLACKLISTED)}, {VERDICT_PAROLE, STAGE(PAROLE)}, {VERDICT_INACTIVE, STAGE(INACTIVE)}};
    static const struct own_total totals[] = {{.n = 0}, {.n = 50, .variance = 4}, {.n = 5000, .mean = 0.9, .variance = 0.01}};

    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            CHECK_INT(guard_stage(&rules, false, rows[i].verdict, &totals[j]), rows[i].stage);
}

TEST(unit_rules, the_base_is_always_the_base)
{
    static const struct own_total totals[] = {{.n = 0}, {.n = 50, .variance = 4}, {.n = 5000, .mean = -0.9, .variance = 0.01}};

    for (int verdict = VERDICT_NONE; verdict <= VERDICT_INACTIVE; verdict++)
        for (size_t j = 0; j < 3; j++)
            CHECK_INT(guard_stage(&rules, true, (enum verdict)verdict, &totals[j]), STAGE(BASE));
}

TEST(unit_rules, three_stages_have_a_cap_and_the_others_none)
{
    CHECK_INT(guard_group(STAGE(NEW)), 0);
    CHECK_INT(guard_group(STAGE(UNCERTAIN)), 1);
    CHECK_INT(guard_group(STAGE(PAROLE)), 2);
    static const Stage free_ones[] = {STAGE(UNSPECIFIED), STAGE(BASE), STAGE(ESTABLISHED), STAGE(BLACKLISTED), STAGE(INACTIVE)};
    for (size_t i = 0; i < 5; i++)
        CHECK_INT(guard_group(free_ones[i]), -1);
}
