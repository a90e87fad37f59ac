/* SPDX-License-Identifier: Apache-2.0 */
/* formula.c - the worked values of the reference, and what the reward must never do. */
#include "formula.h"

#include "rng.h"
#include "test.h"

static struct reward_rules v1(void)
{
    return (struct reward_rules){.resolution_weight = 0.6, .rating_weight = 0.2, .barge_in_weight = 0.1, .repeat_weight = 0.1,
                                 .handover_weight = 0.1, .barge_in_cap = 3, .repeat_cap = 3, .duration_target_sec = 180,
                                 .duration_bound = 0.2, .duration_term = DURATION_LINEAR};
}

static double total(const struct reward_rules *rules, struct signals s)
{
    struct reward_parts p;

    reward_compute(rules, &s, &p);
    return p.total;
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

TEST(unit_formula, the_known_call_earns_0_8667_part_by_part)
{
    struct reward_rules rules = v1();
    struct signals s = known_call();
    struct reward_parts p;

    reward_compute(&rules, &s, &p);
    CHECK_NEAR(p.resolution, 0.6, 1e-12);
    CHECK_NEAR(p.rating, 0.1, 1e-12);
    CHECK_NEAR(p.barge_in, -0.1 / 3, 1e-12);
    CHECK_NEAR(p.duration, 0.2, 1e-12);
    CHECK(p.repeats == 0 && p.handover == 0);
    CHECK_NEAR(p.total, 0.6 + 0.1 - 0.1 / 3 + 0.2, 1e-12);
    s.user_rating = 1; /* the amendment of the known call */
    CHECK_NEAR(total(&rules, s), 0.566667, 5e-7);
}

TEST(unit_formula, the_worst_call_earns_minus_0_7_and_a_bare_resolution_0_6)
{
    struct reward_rules rules = v1();
    struct signals bare = SIGNALS_NONE;

    bare.resolution = TRI_TRUE;
    CHECK_NEAR(total(&rules, bare), 0.6, 1e-12);
    CHECK_NEAR(total(&rules, (struct signals){TRI_FALSE, TRI_TRUE, TRI_UNKNOWN, 1, 3, 3, 600, -2}), -0.7, 1e-12);
}

TEST(unit_formula, tent_pays_most_at_the_target_and_none_pays_nothing)
{
    struct reward_rules rules = v1();
    struct signals s = SIGNALS_NONE;

    rules.duration_term = DURATION_TENT;
    CHECK_NEAR(total(&rules, known_call()), 0.8, 1e-12);
    s.duration_sec = 180;
    CHECK_NEAR(total(&rules, s), 0.2, 1e-12);
    s.duration_sec = 360;
    CHECK_NEAR(total(&rules, s), 0, 1e-12);
    s.duration_sec = 3600;
    CHECK_NEAR(total(&rules, s), -0.2, 1e-12);
    rules.duration_term = DURATION_NONE;
    CHECK(total(&rules, s) == 0);
}

TEST(unit_formula, linear_is_clamped_on_both_sides_and_pays_for_a_hang_up)
{
    struct reward_rules rules = v1();
    struct signals s = SIGNALS_NONE;

    s.duration_sec = 10;
    CHECK_NEAR(total(&rules, s), 0.2, 1e-12);
    s.duration_sec = 3600;
    CHECK_NEAR(total(&rules, s), -0.2, 1e-12);
    s.duration_sec = 162;
    CHECK_NEAR(total(&rules, s), 0.1, 1e-12);
    s.duration_sec = 0; /* present, but no length */
    CHECK(total(&rules, s) == 0);
}

TEST(unit_formula, what_is_unknown_contributes_nothing)
{
    struct reward_rules rules = v1();
    struct signals s = SIGNALS_NONE;

    CHECK(total(&rules, s) == 0);
    s.escalation = TRI_TRUE; /* stored and watched, but no part of v1 */
    s.satisfaction = 1;
    CHECK(total(&rules, s) == 0);
}

TEST(unit_formula, counts_beyond_their_cap_cost_no_more)
{
    struct reward_rules rules = v1();
    struct signals s = SIGNALS_NONE;

    s.barge_in_count = 10;
    s.repeats = 5;
    CHECK_NEAR(total(&rules, s), -0.2, 1e-12);
}

TEST(unit_formula, the_total_is_clamped_where_weights_add_up_to_more)
{
    struct reward_rules rules = v1();

    rules.resolution_weight = 1;
    CHECK(total(&rules, known_call()) == 1);
    rules.resolution_weight = 0;
    rules.handover_weight = rules.repeat_weight = 1;
    CHECK(total(&rules, (struct signals){TRI_FALSE, TRI_TRUE, TRI_UNKNOWN, 1, 3, 3, 600, -2}) == -1);
}

TEST(unit_formula, the_range_is_attained_and_never_left)
{
    struct reward_rules rules = v1();
    struct rng rng = rng_seed(6);
    double least, greatest;

    reward_range(&rules, &least, &greatest);
    CHECK_NEAR(least, -0.7, 1e-12);
    CHECK_NEAR(greatest, 1, 1e-12);
    CHECK_NEAR(total(&rules, (struct signals){TRI_TRUE, TRI_FALSE, TRI_FALSE, 5, 0, 0, 60, -2}), greatest, 1e-12);
    for (int i = 0; i < 2000; i++) {
        double r = total(&rules, (struct signals){(enum tri)rng_below(&rng, 3), (enum tri)rng_below(&rng, 3), TRI_UNKNOWN,
                                                  (int)rng_below(&rng, 6), (int)rng_below(&rng, 12) - 1,
                                                  (int)rng_below(&rng, 7) - 1, 3601 * rng_uniform(&rng) - 1, -2});
        CHECK(r >= least - 1e-12 && r <= greatest + 1e-12);
    }
}

/* JSON would print it. */
TEST(unit_formula, nothing_is_never_minus_zero)
{
    for (int term = DURATION_LINEAR; term <= DURATION_NONE; term++) {
        struct reward_rules rules = v1();
        struct reward_parts p;
        rules.duration_term = term;
        reward_compute(&rules, &(struct signals){.resolution = TRI_FALSE, .handover = TRI_FALSE, .user_rating = 3}, &p);
        const double all[] = {p.resolution, p.rating, p.barge_in, p.repeats, p.handover, p.duration, p.total};
        for (size_t i = 0; i < 7; i++)
            CHECK(all[i] == 0 && !signbit(all[i]));
    }
}

TEST(unit_formula, each_count_up_to_its_cap_costs_the_same)
{
    static const double cost[] = {0, 0.1 / 3, 0.2 / 3, 0.1, 0.1};
    struct reward_rules rules = v1();
    struct signals s = SIGNALS_NONE;
    struct reward_parts p;

    for (int n = 0; n <= 4; n++) {
        s.barge_in_count = s.repeats = n;
        reward_compute(&rules, &s, &p);
        CHECK_NEAR(p.barge_in, -cost[n], 1e-15);
        CHECK_NEAR(p.repeats, -cost[n], 1e-15);
    }
}

TEST(unit_formula, without_a_duration_term_the_range_is_narrower)
{
    struct reward_rules rules = v1();
    double least, greatest;

    rules.duration_term = DURATION_NONE;
    reward_range(&rules, &least, &greatest);
    CHECK_NEAR(least, -0.5, 1e-12);
    CHECK_NEAR(greatest, 0.8, 1e-12);
}

static struct reward_rules random_rules(struct rng *rng)
{
    struct reward_rules r = v1();

    r.resolution_weight = rng_uniform(rng) - 0.5;
    r.rating_weight = rng_uniform(rng) - 0.5;
    r.barge_in_weight = rng_uniform(rng) - 0.5;
    r.repeat_weight = rng_uniform(rng) - 0.5;
    r.handover_weight = rng_uniform(rng) - 0.5;
    r.duration_term = (int)rng_below(rng, 3);
    r.duration_bound = rng_uniform(rng) / 2;
    r.missing_rating = (int)rng_below(rng, 2);
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

TEST(unit_formula, an_unrated_call_is_scaled_to_the_weight_of_a_rated_one_when_asked)
{
    struct reward_rules rules = v1();
    struct signals s = known_call();
    double rated = total(&rules, s);

    rules.missing_rating = RATING_RENORMALISE;
    CHECK_NEAR(total(&rules, s), rated, 0);
    s.user_rating = 0; /* 0.6 - 0.1/3 + 0.2 of 1.1 become so much of 1.3 */
    CHECK_NEAR(total(&rules, s), (0.6 - 0.1 / 3 + 0.2) * 1.3 / 1.1, 1e-12);
    rules.missing_rating = RATING_NEUTRAL;
    CHECK_NEAR(total(&rules, s), 0.6 - 0.1 / 3 + 0.2, 1e-12);
}

TEST(unit_formula, when_only_the_rating_weighs_an_unrated_call_earns_nothing)
{
    struct reward_rules rules = {.rating_weight = 1, .barge_in_cap = 1, .repeat_cap = 1, .duration_target_sec = 180,
                                 .duration_term = DURATION_NONE, .missing_rating = RATING_RENORMALISE};
    struct signals s = SIGNALS_NONE;

    s.resolution = TRI_TRUE;
    CHECK_NEAR(total(&rules, s), 0, 0);
}
