/* SPDX-License-Identifier: Apache-2.0 */
/* formula.c - the worked values of the reference, and the bounds of every part. */
#include "formula.h"

#include "rng.h"
#include "test.h"

static struct reward_rules rules_with(enum duration_term term)
{
    return (struct reward_rules){.resolution_weight = 0.6, .rating_weight = 0.2, .barge_in_weight = 0.1, .repeat_weight = 0.1,
                                 .handover_weight = 0.1, .barge_in_cap = 3, .repeat_cap = 3, .duration_target_sec = 180,
                                 .duration_bound = 0.2, .duration_term = term};
}

static struct reward_parts parts_of(enum duration_term term, struct signals s)
{
    struct reward_rules rules = rules_with(term);
    struct reward_parts p;

    reward_compute(&rules, &s, &p);
    return p;
}

static struct signals known_call(void)
{
    struct signals s = SIGNALS_NONE;

    s.resolution = TRI_TRUE;
    s.user_rating = 4;
    s.barge_in_count = 1;
    s.duration_sec = 120;
    return s;
}

static struct signals worst_call(void)
{
    return (struct signals){.resolution = TRI_FALSE, .user_rating = 1, .barge_in_count = 3, .repeats = 3, .handover = TRI_TRUE,
                            .escalation = TRI_TRUE, .duration_sec = 600, .satisfaction = -1};
}

TEST(unit_formula, the_worked_values_of_the_reference)
{
    struct signals resolved_only = SIGNALS_NONE;

    resolved_only.resolution = TRI_TRUE;
    CHECK_NEAR(parts_of(DURATION_LINEAR, known_call()).total, 0.6 + 0.1 - 0.1 / 3 + 0.2, 1e-15);
    CHECK_NEAR(parts_of(DURATION_LINEAR, known_call()).total, 0.8667, 5e-5);
    CHECK_NEAR(parts_of(DURATION_TENT, known_call()).total, 0.8, 1e-15);
    CHECK_NEAR(parts_of(DURATION_LINEAR, worst_call()).total, -0.7, 1e-15);
    CHECK_NEAR(parts_of(DURATION_LINEAR, resolved_only).total, 0.6, 0);
}

TEST(unit_formula, the_known_call_amended_to_rating_one)
{
    struct signals s = known_call();

    s.user_rating = 1;
    CHECK_NEAR(parts_of(DURATION_LINEAR, s).total, 0.6 - 0.2 - 0.1 / 3 + 0.2, 1e-15);
}

TEST(unit_formula, each_part_has_its_name)
{
    struct reward_parts p = parts_of(DURATION_LINEAR, known_call()), w = parts_of(DURATION_LINEAR, worst_call());

    CHECK_NEAR(p.resolution, 0.6, 0);
    CHECK_NEAR(p.rating, 0.1, 1e-16);
    CHECK_NEAR(p.barge_in, -0.1 / 3, 1e-16);
    CHECK_NEAR(p.duration, 0.2, 0);
    CHECK_NEAR(w.resolution, 0, 0);
    CHECK_NEAR(w.rating, -0.2, 1e-16);
    CHECK_NEAR(w.barge_in, -0.1, 0);
    CHECK_NEAR(w.repeats, -0.1, 0);
    CHECK_NEAR(w.handover, -0.1, 0);
    CHECK_NEAR(w.duration, -0.2, 0);
}

/* Also no -0, which JSON would print. */
TEST(unit_formula, what_is_not_known_gives_nothing)
{
    for (int term = DURATION_LINEAR; term <= DURATION_NONE; term++) {
        struct reward_parts p = parts_of((enum duration_term)term, SIGNALS_NONE);
        const double all[] = {p.resolution, p.rating, p.barge_in, p.repeats, p.handover, p.duration, p.total};
        for (size_t i = 0; i < 7; i++)
            CHECK(all[i] == 0 && !signbit(all[i]));
    }
}

TEST(unit_formula, false_and_zero_and_a_middling_rating_give_nothing_too)
{
    struct signals s = {.resolution = TRI_FALSE, .handover = TRI_FALSE, .user_rating = 3, .satisfaction = 0};

    CHECK_NEAR(parts_of(DURATION_LINEAR, s).total, 0, 0);
    CHECK_NEAR(parts_of(DURATION_TENT, s).total, 0, 0); /* 0 seconds: no duration at all */
}

TEST(unit_formula, counts_above_their_cap_cost_no_more)
{
    struct signals s = SIGNALS_NONE;
    static const double barge_in[] = {0, -0.1 / 3, -0.2 / 3, -0.1, -0.1};

    for (int n = 0; n <= 4; n++) {
        s.barge_in_count = s.repeats = n;
        CHECK_NEAR(parts_of(DURATION_NONE, s).barge_in, barge_in[n], 1e-16);
        CHECK_NEAR(parts_of(DURATION_NONE, s).repeats, barge_in[n], 1e-16);
    }
}

static double duration(enum duration_term term, double seconds)
{
    struct signals s = SIGNALS_NONE;

    s.duration_sec = seconds;
    return parts_of(term, s).duration;
}

TEST(unit_formula, linear_falls_through_zero_at_the_target_and_is_cut_on_both_sides)
{
    CHECK_NEAR(duration(DURATION_LINEAR, 10), 0.2, 0); /* the known weakness: who hangs up at once is paid */
    CHECK_NEAR(duration(DURATION_LINEAR, 144), 0.2, 1e-15);
    CHECK_NEAR(duration(DURATION_LINEAR, 162), 0.1, 1e-15);
    CHECK_NEAR(duration(DURATION_LINEAR, 180), 0, 0);
    CHECK_NEAR(duration(DURATION_LINEAR, 198), -0.1, 1e-15);
    CHECK_NEAR(duration(DURATION_LINEAR, 3600), -0.2, 0);
}

TEST(unit_formula, tent_peaks_at_the_target)
{
    CHECK_NEAR(duration(DURATION_TENT, 180), 0.2, 0);
    CHECK_NEAR(duration(DURATION_TENT, 90), 0.1, 1e-15);
    CHECK_NEAR(duration(DURATION_TENT, 270), 0.1, 1e-15);
    CHECK_NEAR(duration(DURATION_TENT, 360), 0, 1e-15);
    CHECK_NEAR(duration(DURATION_TENT, 450), -0.1, 1e-15);
    CHECK_NEAR(duration(DURATION_TENT, 3600), -0.2, 0);
    CHECK_NEAR(duration(DURATION_NONE, 90), 0, 0);
}

TEST(unit_formula, the_total_is_clamped_and_the_parts_are_not)
{
    struct reward_rules rules = rules_with(DURATION_LINEAR);
    struct signals best = known_call(), worst = worst_call();
    struct reward_parts p;

    rules.resolution_weight = 0.95;
    rules.handover_weight = 0.9;
    reward_compute(&rules, &best, &p);
    CHECK_NEAR(p.total, 1, 0);
    CHECK_NEAR(p.resolution, 0.95, 0);
    reward_compute(&rules, &worst, &p);
    CHECK_NEAR(p.total, -1, 0);
    CHECK_NEAR(p.handover, -0.9, 0);
}

TEST(unit_formula, the_range_of_the_default_rules)
{
    struct reward_rules linear = rules_with(DURATION_LINEAR), none = rules_with(DURATION_NONE);
    double least, greatest;

    reward_range(&linear, &least, &greatest);
    CHECK_NEAR(least, -0.7, 1e-15);
    CHECK_NEAR(greatest, 1, 1e-15);
    reward_range(&none, &least, &greatest);
    CHECK_NEAR(least, -0.5, 1e-15);
    CHECK_NEAR(greatest, 0.8, 1e-15);
}

static struct reward_rules random_rules(struct rng *rng)
{
    struct reward_rules r = rules_with((enum duration_term)rng_below(rng, 3));

    r.resolution_weight = rng_uniform(rng) - 0.5;
    r.rating_weight = rng_uniform(rng) - 0.5;
    r.barge_in_weight = rng_uniform(rng) - 0.5;
    r.repeat_weight = rng_uniform(rng) - 0.5;
    r.handover_weight = rng_uniform(rng) - 0.5;
    r.duration_bound = rng_uniform(rng) / 2;
    return r;
}

static struct signals random_signals(struct rng *rng)
{
    return (struct signals){.resolution = (enum tri)rng_below(rng, 3), .handover = (enum tri)rng_below(rng, 3),
                            .user_rating = (int)rng_below(rng, 6), .barge_in_count = (int)rng_below(rng, 12) - 1,
                            .repeats = (int)rng_below(rng, 7) - 1, .duration_sec = 3601 * rng_uniform(rng) - 1};
}

TEST(unit_formula, no_call_leaves_the_range_whatever_the_weights)
{
    struct rng rng = rng_seed(4);
    double least, greatest;
    struct reward_parts p;

    for (int i = 0; i < 5000 && !test_failed(); i++) {
        struct reward_rules rules = random_rules(&rng);
        struct signals s = random_signals(&rng);
        reward_range(&rules, &least, &greatest);
        reward_compute(&rules, &s, &p);
        CHECK(p.total >= least - 1e-12 && p.total <= greatest + 1e-12);
    }
}
