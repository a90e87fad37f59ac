/* SPDX-License-Identifier: Apache-2.0 */
/* posterior.c - the worked values of the reference, and quantiles that are known in closed form. */
#include "posterior.h"

#include "test.h"

static const struct beta_prior prior = {.alpha = 1, .beta = 1, .shrinkage = 20};
static const struct stats nothing;
static const struct stats one_call = {.n = 1, .reward = 866667, .reward_sq = 751112};

TEST(unit_posterior, one_call_moves_its_own_cell)
{
    struct beta_posterior p = posterior_beta(&prior, &one_call, &one_call);

    CHECK_NEAR(p.alpha, 1.93333, 5e-6);
    CHECK_NEAR(p.beta, 1.06667, 5e-6);
    CHECK(p.alpha_shared == p.alpha && p.beta_shared == p.beta && p.n_borrowed == 0);
    CHECK_NEAR(p.mean, (1.9333335 - 1.0666665) / 3, 1e-9);
}

TEST(unit_posterior, another_cell_borrows_most_of_one_call)
{
    struct beta_posterior p = posterior_beta(&prior, &nothing, &one_call);

    CHECK(p.alpha == 1 && p.beta == 1);
    CHECK_NEAR(p.alpha_shared, 1.88889, 5e-6);
    CHECK_NEAR(p.beta_shared, 1.06349, 5e-6);
    CHECK_NEAR(p.n_borrowed, 20.0 / 21, 1e-12);
}

TEST(unit_posterior, never_more_than_k_calls_are_borrowed)
{
    struct stats many = {.n = 1000000, .reward = 0, .reward_sq = 0};
    struct beta_posterior p = posterior_beta(&prior, &nothing, &many);

    CHECK_NEAR(p.n_borrowed, 20, 0.001);
    CHECK_NEAR(p.alpha_shared, 11, 0.001);
}

TEST(unit_posterior, without_shrinkage_cells_are_strangers)
{
    struct beta_prior alone = {.alpha = 1, .beta = 1, .shrinkage = 0};
    struct beta_posterior p = posterior_beta(&alone, &nothing, &one_call), empty = posterior_beta(&alone, &nothing, &nothing);

    CHECK(p.alpha_shared == 1 && p.beta_shared == 1 && p.n_borrowed == 0);
    CHECK(empty.alpha_shared == 1 && empty.mean == 0);
    CHECK_NEAR(empty.sd, sqrt(1.0 / 3), 1e-12); /* uniform on [-1, +1] */
}

TEST(unit_posterior, confidence_needs_enough_calls_and_grows)
{
    CHECK(beta_confidence(100, 100, 9, 10) == 0);
    CHECK_NEAR(beta_confidence(100, 100, 10, 10), 1 - 1.96 / sqrt(201), 1e-12);
    CHECK(beta_confidence(1, 1, 10, 10) == 0);
    CHECK(beta_confidence(1e6, 1e6, 10, 10) < 1);
}

TEST(unit_posterior, own_half_width_needs_two_calls)
{
    struct stats two = {.n = 2, .reward = 0, .reward_sq = 2 * 250000};

    CHECK(isinf(own_half_width(&nothing)) && isinf(own_half_width(&one_call)));
    CHECK_NEAR(own_half_width(&two), 1.96 * sqrt(0.25 / 2), 1e-12);
}

TEST(unit_posterior, quantiles_of_beta_2_3_solve_its_polynomial)
{
    for (double q = 0.001; q < 1; q += 0.0499) {
        double x = (beta_quantile(2, 3, q) + 1) / 2;
        CHECK_NEAR(x * x * (6 - 8 * x + 3 * x * x), q, 1e-9);
    }
    CHECK_NEAR(beta_quantile(2, 3, 0.5), 2 * 0.38572756813239 - 1, 1e-8);
}

TEST(unit_posterior, quantiles_are_right_at_the_edges)
{
    static const double levels[] = {0.001, 0.025, 0.3, 0.5, 0.975, 0.999};

    for (int i = 0; i < 6; i++) {
        double q = levels[i], s = sin(q * M_PI / 2);
        CHECK_NEAR(beta_quantile(1, 1, q), 2 * q - 1, 1e-8);
        CHECK_NEAR(beta_quantile(0.5, 0.5, q), 2 * s * s - 1, 1e-8);
        CHECK_NEAR(beta_quantile(1, 1e6, q), -2 * expm1(log1p(-q) / 1e6) - 1, 1e-8);
        CHECK_NEAR(beta_quantile(1e6, 1, q), 2 * pow(q, 1e-6) - 1, 1e-8);
        CHECK_NEAR(beta_quantile(300, 700, q), -beta_quantile(700, 300, 1 - q), 1e-8);
    }
}

TEST(unit_posterior, quantiles_of_a_million_calls_are_normal)
{
    double sd = 1 / sqrt(2e6 + 1);

    CHECK_NEAR(beta_quantile(1e6, 1e6, 0.5), 0, 1e-8);
    CHECK_NEAR(beta_quantile(1e6, 1e6, 0.975), 1.959963985 * sd, 1e-8);
    CHECK_NEAR(beta_quantile(1e6, 1e6, 0.025), -1.959963985 * sd, 1e-8);
}
