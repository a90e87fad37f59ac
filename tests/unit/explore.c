/* SPDX-License-Identifier: Apache-2.0 */
/* explore.c - shares of traffic: what they must be by hand, by draws, and at the edges. */
#include "explore.h"

#include "best.h"
#include "test.h"

enum { MOST = 256 };

static struct belief arm(double mean, double sd, double n)
{
    return (struct belief){.mean = mean, .sd = sd, .sd_apart = sd, .n = n};
}

static struct explore_settings with(enum strategy strategy, double sharpness, double widening)
{
    struct explore_settings s = EXPLORE_DEFAULTS;

    s.caution = 0;
    s.strategy = strategy;
    s.sharpness = sharpness;
    s.widening = widening;
    return s;
}

static const struct belief three[] = {{.mean = 0.2, .sd = 0.1, .sd_apart = 0.1, .n = 40},
                                      {.mean = 0.25, .sd = 0.2, .sd_apart = 0.15, .n = 9},
                                      {.mean = -0.1, .sd = 0.4, .sd_apart = 0.4, .n = 1}};

TEST(unit_explore, equal_beliefs_share_equally_whatever_the_strategy)
{
    for (enum strategy strategy = STRATEGY_THOMPSON; strategy <= STRATEGY_UNIFORM; strategy++)
        for (enum belief_model model = MODEL_BETA; model <= MODEL_LINEAR; model++) {
            struct explore_settings s = with(strategy, 0.4, 0.5);
            struct belief beliefs[MOST];
            double w[MOST];
            for (size_t i = 0; i < MOST; i++)
                beliefs[i] = arm(0.1, 0.3, 0);
            for (size_t count = 1; count <= MOST; count *= 4) {
                explore_weights(&s, model, beliefs, count, w);
                for (size_t i = 0; i < count; i++)
                    CHECK_NEAR(w[i], 1 / (double)count, 1e-9);
            }
        }
}

TEST(unit_explore, without_sharpening_thompson_serves_by_the_probability_of_being_best)
{
    for (enum belief_model model = MODEL_BETA; model <= MODEL_LINEAR; model++) {
        struct explore_settings s = with(STRATEGY_THOMPSON, 1, 0);
        double w[3], best[3];
        explore_weights(&s, model, three, 3, w);
        explore_best(model, three, 3, best);
        for (int i = 0; i < 3; i++)
            CHECK(w[i] == best[i]);
    }
}

/* n_eff = 40, 9 (of which 2 borrowed), 1; (N + 1) / K = 17: L = 0, ln(17/9), ln 17; 1 - 0.4^2 = 0.84. */
TEST(unit_explore, deviations_are_what_the_formula_says)
{
    struct explore_settings s = with(STRATEGY_THOMPSON, 0.4, 0.5);
    struct belief lent[3];
    double sd[3];

    memcpy(lent, three, sizeof lent);
    lent[1].n -= 2;
    lent[1].n_borrowed = 2;
    explore_deviations(&s, lent, 3, sd);
    CHECK_NEAR(sd[0], 0.1 * sqrt(0.16 + 0.84 * 40 / 1601), 1e-12);
    CHECK_NEAR(sd[1], 0.15 * sqrt(0.16 * (1 + 0.5 * log(17.0 / 9)) + 0.84 * 9 / 82), 1e-12);
    CHECK_NEAR(sd[2], 0.4 * sqrt(0.16 * (1 + 0.5 * log(17)) + 0.84 / 2), 1e-12);
}

/* The first calls are where luck shuts a variant out: there deviations are nearly believed, and never more than that. */
TEST(unit_explore, sharpening_comes_with_calls)
{
    struct explore_settings s = with(STRATEGY_THOMPSON, 0.4, 0);
    double sd[5];
    struct belief grown[] = {arm(0, 1, 0), arm(0, 1, 1), arm(0, 1, 4), arm(0, 1, 30), arm(0, 1, 10000)};

    explore_deviations(&s, grown, 5, sd);
    CHECK_NEAR(sd[0], 0.4, 1e-12); /* nothing heard: no luck to doubt */
    CHECK(sd[1] > 0.7 && sd[1] > sd[2] && sd[2] > sd[3] && sd[3] > sd[4] && sd[4] < 0.401);
    s.sharpness = 1;
    explore_deviations(&s, grown, 5, sd);
    for (int i = 0; i < 5; i++)
        CHECK_NEAR(sd[i], 1, 1e-12);
}

/* 20 calls with mean -1 + 2 / 22 against 2000 with mean 0.2: kl bounds by hand, ln(2023) / 2 = 3.806. */
TEST(unit_explore, caution_serves_the_variant_that_could_be_best_at_all)
{
    struct belief locked[] = {arm(0.2, 0.01, 2000), arm(-0.3, 0.02, 2), arm(-1 + 2.0 / 22, 0.01, 20)};
    struct explore_settings s = with(STRATEGY_THOMPSON, 0.45, 0.5);
    double w[3], cautious[3];

    explore_cautious(locked, 3, cautious); /* bounds: 0.64, 0.96, 0.3 on [0, 1] */
    CHECK(cautious[0] == 0 && cautious[1] == 1 && cautious[2] == 0);
    explore_weights(&s, MODEL_GAUSSIAN, locked, 3, w);
    CHECK(w[1] < 1e-9);
    s.caution = 0.03; /* x = 2022 / 90 */
    explore_weights(&s, MODEL_GAUSSIAN, locked, 3, w);
    CHECK_NEAR(w[1], 0.03 * 4 * 22.466667 / (23.466667 * 23.466667), 1e-9);
    CHECK_NEAR(w[0], 1 - w[1], 1e-9);
    locked[1].n = 2000;
    explore_cautious(locked, 3, cautious);
    CHECK(cautious[0] == 1); /* it had its chance */
}

TEST(unit_explore, caution_is_greatest_at_thirty_calls_of_its_own_a_variant_and_fades)
{
    struct belief equal[] = {arm(0, 0.1, 30), arm(0, 0.1, 30)};
    struct explore_settings s = with(STRATEGY_THOMPSON, 0.45, 0.5);

    s.caution = 0.03;
    CHECK_NEAR(explore_caution(&s, equal, 2), 0.03, 1e-12);
    equal[0].n = equal[1].n = 5;
    equal[0].n_borrowed = equal[1].n_borrowed = 25; /* a sixth of what it knows it heard itself */
    CHECK_NEAR(explore_caution(&s, equal, 2), 0.03 / 6, 1e-12);
    equal[0].n_borrowed = equal[1].n_borrowed = 0;
    equal[0].n = 1e6;
    CHECK(explore_caution(&s, equal, 2) < 0.03 * 4 * 60 / 1e6);
    equal[0].n = equal[1].n = 0;
    CHECK(explore_caution(&s, equal, 2) == 0);
}

TEST(unit_explore, only_differences_of_means_and_ratios_of_deviations_count)
{
    struct explore_settings s = with(STRATEGY_THOMPSON, 0.4, 0.5);
    struct belief moved[3];
    double w[3], again[3];

    for (int i = 0; i < 3; i++) {
        moved[i] = three[i];
        moved[i].mean = 0.5 * three[i].mean + 0.3;
        moved[i].sd_apart *= 0.5;
    }
    explore_weights(&s, MODEL_LINEAR, three, 3, w);
    explore_weights(&s, MODEL_LINEAR, moved, 3, again);
    for (int i = 0; i < 3; i++)
        CHECK_NEAR(w[i], again[i], 1e-9);
}

TEST(unit_explore, sharper_serves_the_leader_more_and_wider_serves_the_unknown_more)
{
    static const struct belief known[] = {{.mean = 0.3, .sd = 0.05, .sd_apart = 0.05, .n = 80},
                                          {.mean = 0.2, .sd = 0.05, .sd_apart = 0.05, .n = 80},
                                          {.mean = 0, .sd = 0.25, .sd_apart = 0.25, .n = 3}};
    struct explore_settings plain = with(STRATEGY_THOMPSON, 1, 0), sharp = with(STRATEGY_THOMPSON, 0.4, 0),
                            wide = with(STRATEGY_THOMPSON, 0.4, 0.5);
    double p[3], s[3], w[3];

    explore_weights(&plain, MODEL_LINEAR, known, 3, p);
    explore_weights(&sharp, MODEL_LINEAR, known, 3, s);
    explore_weights(&wide, MODEL_LINEAR, known, 3, w);
    CHECK(s[0] > p[0] && s[1] < p[1] && s[2] < p[2]);
    CHECK(w[2] > 1.2 * s[2] && w[0] > p[0]);
}

static void check_draws(const struct explore_settings *s, enum belief_model model)
{
    enum { DRAWS = 40000 };
    struct rng rng = rng_seed(11 + (uint64_t)model);
    int drawn[3] = {0};
    double w[3];

    explore_weights(s, model, three, 3, w);
    for (int i = 0; i < DRAWS; i++)
        drawn[explore_draw(s, model, three, 3, &rng)]++;
    for (int i = 0; i < 3; i++)
        CHECK_NEAR((double)drawn[i] / DRAWS, w[i], 4 * 0.5 / sqrt(DRAWS));
}

TEST(unit_explore, shares_of_draws_equal_w)
{
    for (enum strategy strategy = STRATEGY_THOMPSON; strategy <= STRATEGY_UNIFORM; strategy++)
        for (enum belief_model model = MODEL_BETA; model <= MODEL_LINEAR; model++) {
            struct explore_settings s = with(strategy, 0.4, 0.5);
            s.caution = 0.2;
            check_draws(&s, model);
        }
}

/* Russo 2016, done literally. */
TEST(unit_explore, top_two_is_thompson_drawn_again_until_the_winner_is_another)
{
    enum { DRAWS = 40000 };
    struct explore_settings s = with(STRATEGY_TOP_TWO, 1, 0), plain = with(STRATEGY_THOMPSON, 1, 0);
    struct rng rng = rng_seed(3);
    int served[3] = {0};
    double w[3];

    s.runner_up = 0.3;
    explore_weights(&s, MODEL_GAUSSIAN, three, 3, w);
    for (int i = 0; i < DRAWS; i++) {
        size_t first = explore_draw(&plain, MODEL_GAUSSIAN, three, 3, &rng), second = first;
        bool other = rng_uniform(&rng) < 0.3;
        while (other && second == first)
            second = explore_draw(&plain, MODEL_GAUSSIAN, three, 3, &rng);
        served[second]++;
    }
    CHECK_NEAR(w[0] + w[1] + w[2], 1, 1e-9);
    for (int i = 0; i < 3; i++)
        CHECK_NEAR((double)served[i] / DRAWS, w[i], 4 * 0.5 / sqrt(DRAWS));
}

TEST(unit_explore, greedy_and_epsilon_greedy_serve_the_largest_mean)
{
    struct explore_settings greedy = with(STRATEGY_GREEDY, 1, 0), epsilon = with(STRATEGY_EPSILON_GREEDY, 1, 0);
    double w[3];

    explore_weights(&greedy, MODEL_BETA, three, 3, w);
    CHECK(w[0] == 0 && w[1] == 1 && w[2] == 0);
    epsilon.epsilon = 0.3;
    explore_weights(&epsilon, MODEL_BETA, three, 3, w);
    CHECK_NEAR(w[0], 0.1, 1e-12);
    CHECK_NEAR(w[1], 0.8, 1e-12);
}

TEST(unit_explore, extreme_beliefs_still_give_probabilities)
{
    static const struct belief extreme[] = {{.mean = 1, .sd = 1e-6, .sd_apart = 1e-6, .n = 1e9},
                                            {.mean = -1, .sd = 1e-6, .sd_apart = 1e-6, .n = 1e9},
                                            {.mean = 0, .sd = 0.9, .sd_apart = 0.9, .n = 0}};

    for (enum strategy strategy = STRATEGY_THOMPSON; strategy <= STRATEGY_UNIFORM; strategy++)
        for (enum belief_model model = MODEL_BETA; model <= MODEL_LINEAR; model++) {
            struct explore_settings s = with(strategy, 0.4, 0.5);
            double w[3];
            explore_weights(&s, model, extreme, 3, w);
            CHECK_NEAR(w[0] + w[1] + w[2], 1, 1e-9);
            CHECK(w[0] >= 0 && w[1] >= 0 && w[2] >= 0);
        }
}

/* Clark 1961: E[max] = m Phi(a) + m' Phi(-a) + t phi(a), t^2 the sum of variances, a = (m - m') / t. */
TEST(unit_explore, the_expected_loss_of_two_normals_is_clarks)
{
    static const double arms[][4] = {{0.2, 0.1, 0.3, 0.2}, {0, 0.3, 0, 0.3}, {0.5, 0.01, -0.5, 0.4}, {0.1, 0.002, 0.1, 0.002}};

    for (size_t i = 0; i < sizeof arms / sizeof *arms; i++) {
        const double *k = arms[i];
        struct belief two[] = {arm(k[0], k[1], 5), arm(k[2], k[3], 5)};
        double best[2], t = hypot(k[1], k[3]), a = (k[0] - k[2]) / t, phi = exp(-a * a / 2) / sqrt(2 * M_PI),
                        above = 0.5 * erfc(-a / sqrt(2));
        CHECK_NEAR(explore_best(MODEL_GAUSSIAN, two, 2, best), k[0] * above + k[2] * (1 - above) + t * phi, 1e-5);
    }
}

/* Two uniforms on [-1, +1]: E[max] = 1/3. */
TEST(unit_explore, the_expected_loss_of_two_uniforms_is_a_third)
{
    struct belief two[] = {arm(0, sqrt(1.0 / 3), 0), arm(0, sqrt(1.0 / 3), 0)};
    double best[2];

    CHECK_NEAR(explore_best(MODEL_BETA, two, 2, best), 1.0 / 3, 1e-4);
}

TEST(unit_explore, intervals_are_central_and_stay_on_the_scale)
{
    struct belief b = arm(0.1, 0.05, 30), wide = arm(0.9, 0.4, 1);
    struct interval normal = belief_interval(MODEL_LINEAR, &b, 0.95), cut = belief_interval(MODEL_GAUSSIAN, &wide, 0.95),
                    beta = belief_interval(MODEL_BETA, &b, 0.95);

    CHECK_NEAR(normal.low, 0.1 - 1.959963985 * 0.05, 1e-9);
    CHECK_NEAR(normal.high, 0.1 + 1.959963985 * 0.05, 1e-9);
    CHECK(cut.high == 1 && cut.low > 0);
    CHECK_NEAR(beta.low, normal.low, 0.001); /* skewed, a little */
    CHECK(beta.low != normal.low && beta.high < 1);
}

TEST(unit_explore, normal_quantiles_are_those_of_the_tables)
{
    CHECK_NEAR(normal_quantile(0.5), 0, 1e-9);
    CHECK_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-9);
    CHECK_NEAR(normal_quantile(0.001), -3.090232306167813, 1e-9);
    CHECK_NEAR(normal_quantile(1e-12), -7.034483825301132, 1e-8);
}
