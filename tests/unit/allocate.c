/* SPDX-License-Identifier: Apache-2.0 */
/* allocate.c - the promises about traffic: caps hold, base is never without, what is drawn is what is logged. */
#include "allocate.h"

#include "rng.h"
#include "test.h"

enum { K = 12, NEW = 0, UNCERTAIN = 1, PAROLE = 2 };

struct setup {
    struct limits limits;
    bool eligible[K];
    uint8_t group[K];
    double w[K], p[K];
};

/* Variant 0 is base, all others are new, nothing is known. */
static void start(struct setup *s)
{
    *s = (struct setup){0};
    for (int i = 0; i < K; i++) {
        s->eligible[i] = true;
        s->group[i] = i ? NEW : GROUP_NONE;
        s->w[i] = 1.0 / K;
    }
    s->limits = (struct limits){.count = K, .eligible = s->eligible, .group = s->group, .group_count = 3,
                                .caps = {0.10, 0.05, 0.01}, .floor = 0.002};
}

static double group_sum(const struct setup *s, unsigned group)
{
    double sum = 0;

    for (int i = 1; i < K; i++)
        sum += s->group[i] == group ? s->p[i] : 0;
    return sum;
}

static void run(struct setup *s)
{
    double sum = 0;

    allocate(&s->limits, s->w, s->p);
    for (int i = 0; i < K; i++) {
        CHECK(s->p[i] >= 0);
        sum += s->p[i];
    }
    CHECK_NEAR(sum, 1, 1e-12);
    for (unsigned g = 0; g < s->limits.group_count; g++)
        CHECK(group_sum(s, g) <= s->limits.caps[g] + 1e-9);
}

TEST(unit_allocate, with_nothing_learned_base_gets_nine_tenths)
{
    struct setup s;

    start(&s);
    run(&s);
    CHECK_NEAR(s.p[0], 0.90, 1e-12);
    for (int i = 1; i < K; i++)
        CHECK_NEAR(s.p[i], 0.1 / 11, 1e-12);
}

TEST(unit_allocate, an_uncapped_winner_takes_what_its_probability_says)
{
    struct setup s;

    start(&s);
    memset(s.group, GROUP_NONE, sizeof s.group);
    for (int i = 0; i < K; i++)
        s.w[i] = i == 3 ? 1 : 0;
    run(&s);
    CHECK_NEAR(s.p[3], 1 - 11 * 0.002, 1e-12);
    CHECK_NEAR(s.p[0], 0.002, 1e-12);
}

TEST(unit_allocate, two_groups_violated_at_once_both_keep_their_caps)
{
    struct setup s;

    start(&s);
    for (int i = 1; i < K; i++)
        s.group[i] = i < 4 ? NEW : i < 8 ? UNCERTAIN : GROUP_NONE;
    run(&s);
    CHECK_NEAR(group_sum(&s, NEW), 0.10, 1e-12);
    CHECK_NEAR(group_sum(&s, UNCERTAIN), 0.05, 1e-12);
    CHECK_NEAR(s.p[0], 0.85 / 5, 1e-12);
    CHECK_NEAR(s.p[9], 0.85 / 5, 1e-12);
}

TEST(unit_allocate, a_group_pushed_over_its_cap_by_the_first_round_is_capped_in_the_second)
{
    struct setup s;

    start(&s);
    for (int i = 1; i < K; i++) {
        s.group[i] = i == 1 ? UNCERTAIN : NEW;
        s.w[i] = i == 1 ? 0.03 : 0.07;
    }
    s.w[0] = 0.27;
    run(&s); /* freed mass would lift variant 1 to 0.09 */
    CHECK_NEAR(s.p[1], 0.05, 1e-12);
    CHECK_NEAR(s.p[0], 0.85, 1e-12);
}

TEST(unit_allocate, freed_traffic_goes_to_the_others_in_proportion)
{
    struct setup s;

    start(&s);
    s.limits.floor = 0;
    memset(s.group, GROUP_NONE, sizeof s.group);
    memset(s.w, 0, sizeof s.w);
    s.group[1] = NEW;
    s.w[0] = 0.2, s.w[1] = 0.4, s.w[2] = 0.4;
    run(&s);
    CHECK_NEAR(s.p[1], 0.1, 1e-12);
    CHECK_NEAR(s.p[0], 0.3, 1e-12);
    CHECK_NEAR(s.p[2], 0.6, 1e-12);
}

TEST(unit_allocate, nothing_left_outside_means_base_takes_the_rest)
{
    struct setup s;

    start(&s);
    s.limits.floor = 0;
    s.w[0] = 0;
    run(&s);
    CHECK_NEAR(s.p[0], 0.90, 1e-12);
}

TEST(unit_allocate, base_is_eligible_and_uncapped_whatever_the_tables_say)
{
    struct setup s;

    start(&s);
    memset(s.eligible, 0, sizeof s.eligible);
    memset(s.group, NEW, sizeof s.group);
    run(&s);
    CHECK_NEAR(s.p[0], 1, 1e-12);
}

TEST(unit_allocate, the_ineligible_get_nothing_and_count_in_no_floor)
{
    struct setup s;

    start(&s);
    memset(s.group, GROUP_NONE, sizeof s.group);
    for (int i = 2; i < K; i++)
        s.eligible[i] = false;
    s.w[0] = 0, s.w[1] = 0.4;
    run(&s);
    CHECK_NEAR(s.p[1], 0.998, 1e-12);
    for (int i = 2; i < K; i++)
        CHECK(s.p[i] == 0);
}

TEST(unit_allocate, all_weights_zero_counts_as_equal)
{
    struct setup s;

    start(&s);
    memset(s.group, GROUP_NONE, sizeof s.group);
    memset(s.w, 0, sizeof s.w);
    run(&s);
    CHECK_NEAR(s.p[5], 1.0 / K, 1e-12);
}

TEST(unit_allocate, holdback_is_mixed_in_last)
{
    struct setup s;

    start(&s);
    s.limits.base_share = 0.2;
    run(&s);
    CHECK_NEAR(s.p[0], 0.2 + 0.8 * 0.9, 1e-12);
    CHECK_NEAR(s.p[1], 0.8 * 0.1 / 11, 1e-12);
}

TEST(unit_allocate, a_cap_of_zero_closes_a_group)
{
    struct setup s;

    start(&s);
    s.limits.caps[NEW] = 0;
    run(&s);
    CHECK_NEAR(s.p[0], 1, 1e-12);
    CHECK(s.p[1] == 0);
}

TEST(unit_allocate, caps_hold_for_any_weights_and_groups)
{
    struct rng rng = rng_seed(8);

    for (int n = 0; n < 2000; n++) {
        struct setup s;
        start(&s);
        for (int i = 1; i < K; i++) {
            s.eligible[i] = rng_below(&rng, 8) > 0;
            s.group[i] = (uint8_t)(rng_below(&rng, 4) == 3 ? GROUP_NONE : rng_below(&rng, 3));
            s.w[i] = pow(rng_uniform(&rng), 6);
        }
        run(&s);
        CHECK(s.p[0] > 0);
    }
}

TEST(unit_allocate, the_draw_follows_p_and_never_picks_zero)
{
    static const double p[] = {0, 0.25, 0, 0.75, 0};
    double almost_one = 1 - 0x1p-53;

    CHECK_INT(allocate_draw(p, 5, 0), 1);
    CHECK_INT(allocate_draw(p, 5, 0.2499999), 1);
    CHECK_INT(allocate_draw(p, 5, 0.25), 3);
    CHECK_INT(allocate_draw(p, 5, almost_one), 3);
}

TEST(unit_allocate, the_draw_finds_somebody_when_p_falls_short_of_one_by_rounding)
{
    static const double p[] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 - 1e-15, 0};

    CHECK_INT(allocate_draw(p, 11, 1 - 0x1p-53), 9);
}
