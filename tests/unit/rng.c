/* SPDX-License-Identifier: Apache-2.0 */
/* rng.c - the generator gives the published numbers, and the distributions have their moments. */
#include "rng.h"

#include "test.h"

TEST(unit_rng, xoshiro_gives_the_reference_numbers)
{
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240, 1216172134540287360, 607988272756665600,
                                        16172922978634559625u, 8476171486693032832, 10595114339597558777u, 2904607092377533576};
    struct rng rng = {{1, 2, 3, 4}};

    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        CHECK(rng_next(&rng) == expected[i]);
}

TEST(unit_rng, seeds_are_spread_by_splitmix64)
{
    struct rng rng = rng_seed(1234567);

    CHECK(rng.s[0] == 6457827717110365317u);
    CHECK(rng.s[1] == 3203168211198807973u);
    CHECK(rng.s[2] == 9817491932198370423u);
    CHECK(rng.s[3] == 4593380528125082431u);
}

TEST(unit_rng, uniform_stays_below_one_and_below_a_bound)
{
    struct rng rng = rng_seed(1);
    int counts[3] = {0};

    for (int i = 0; i < 30000; i++) {
        double u = rng_uniform(&rng);
        CHECK(u >= 0 && u < 1);
        counts[rng_below(&rng, 3)]++;
    }
    for (int i = 0; i < 3; i++)
        CHECK_NEAR(counts[i], 10000, 4 * 82);
    CHECK_INT(rng_below(&rng, 1), 0);
}

/* Mean and variance of 20,000 draws, as deviations in standard errors of the mean; the variance within 8 %. */
static void check_moments(double (*draw)(struct rng *, double, double), double a, double b, double mean, double variance)
{
    enum { N = 20000 };
    struct rng rng = rng_seed(7);
    double sum = 0, squares = 0;

    for (int i = 0; i < N; i++) {
        double x = draw(&rng, a, b);
        sum += x;
        squares += (x - mean) * (x - mean);
    }
    CHECK_NEAR(sum / N, mean, 4 * sqrt(variance / N));
    CHECK_NEAR(squares / N / variance, 1, 0.08);
}

static double normal(struct rng *rng, double a, double b) { return a + b * rng_normal(rng); }
static double gamma_shape(struct rng *rng, double a, double b) { return b * rng_gamma(rng, a); }

TEST(unit_rng, distributions_have_their_moments)
{
    check_moments(normal, 1, 2, 1, 4);
    check_moments(gamma_shape, 0.5, 1, 0.5, 0.5);
    check_moments(gamma_shape, 3, 1, 3, 3);
    check_moments(rng_beta, 2, 3, 0.4, 0.04);
    check_moments(rng_beta, 0.5, 0.5, 0.5, 0.125);
}

TEST(unit_rng, tiny_shapes_give_the_ends_and_never_nothing)
{
    struct rng rng = rng_seed(3);
    int ones = 0;

    for (int i = 0; i < 1000; i++) {
        double x = rng_beta(&rng, 1e-5, 3e-5);
        CHECK(x >= 0 && x <= 1);
        ones += x > 0.5;
    }
    CHECK_NEAR(ones, 250, 60);
}
