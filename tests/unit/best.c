/* SPDX-License-Identifier: Apache-2.0 */
/* best.c - probabilities of being best against closed forms and a reference of its own. */
#include "best.h"

#include "rng.h"
#include "test.h"

enum { MOST = 16 };

struct arms {
    size_t count;
    double a[MOST], b[MOST];
};

static double log_beta(double a, double b) { return lgamma(a) + lgamma(b) - lgamma(a + b); }

/* P(X > Y), X ~ Beta(a, b), Y ~ Beta(c, d), a an integer (Evan Miller 2015, "Formulas for Bayesian A/B testing", eq. 6). */
static double beats(int a, double b, double c, double d)
{
    double sum = 0;

    for (int i = 0; i < a; i++)
        sum += exp(log_beta(c + i, b + d) - log(b + i) - log_beta(1 + i, b) - log_beta(c, d));
    return sum;
}

/* The slow way: the trapezoidal rule in t = ln(x / (1 - x)) over [-36, 36], a third of the smallest standard deviation a step,
 * and the distribution functions by the same rule with its Euler-Maclaurin correction, normalised by their own totals. */
static void reference(const struct arms *k, double *w)
{
    double step = 0.02, cdf[MOST] = {0}, total[MOST] = {0}, f[MOST], F[MOST];

    for (size_t i = 0; i < k->count; i++) {
        step = fmin(step, sqrt(1 / k->a[i] + 1 / k->b[i]) / 3);
        w[i] = 0;
    }
    for (int pass = 0; pass < 2; pass++)
        for (double t = -36; t <= 36; t += step) {
            double x = 1 / (1 + exp(-t)), lx = -log1p(exp(-t)), ly = -log1p(exp(t));
            for (size_t i = 0; i < k->count; i++) {
                double a = k->a[i], b = k->b[i];
                f[i] = exp(a * (lx - log(a / (a + b))) + b * (ly - log(b / (a + b)))) * step;
                if (pass == 0)
                    total[i] += f[i];
                else {
                    F[i] = (cdf[i] + f[i] / 2 - step * f[i] * (a - (a + b) * x) / 12) / total[i];
                    cdf[i] += f[i];
                }
            }
            for (size_t i = 0; pass && i < k->count; i++) {
                double product = f[i] / total[i];
                for (size_t j = 0; j < k->count; j++)
                    product *= j == i ? 1 : F[j];
                w[i] += product;
            }
        }
}

static double check_arms(const struct arms *k, double tolerance)
{
    double w[MOST], expected[MOST], sum = 0, worst = 0;

    best_beta(k->a, k->b, k->count, w);
    reference(k, expected);
    for (size_t i = 0; i < k->count; i++) {
        CHECK_NEAR(w[i], expected[i], tolerance);
        worst = fmax(worst, fabs(w[i] - expected[i]));
        sum += w[i];
    }
    CHECK_NEAR(sum, 1, 1e-12);
    return worst;
}

TEST(unit_best, two_arms_agree_with_the_closed_form)
{
    static const int arms[][4] = {{2, 3, 3, 2}, {1, 1, 1, 1}, {1, 1, 2, 1}, {20, 30, 5, 4}, {1000, 900, 3, 2}, {1, 50, 1, 70},
                                  {400, 1, 90, 1}};

    for (size_t i = 0; i < sizeof arms / sizeof *arms; i++) {
        const int *k = arms[i];
        double w[2], a[2] = {k[0], k[2]}, b[2] = {k[1], k[3]};
        best_beta(a, b, 2, w);
        CHECK_NEAR(w[0], beats(k[0], k[1], k[2], k[3]), 2e-5);
    }
}

TEST(unit_best, equal_arms_share_equally)
{
    static const double shapes[][2] = {{1, 1}, {0.5, 0.5}, {0.5, 1e6}, {1e6, 1e6}, {7, 2}};
    double a[MOST], b[MOST], w[MOST];

    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t count = 1; count <= 12; count++) {
            for (size_t i = 0; i < count; i++) {
                a[i] = shapes[s][0];
                b[i] = shapes[s][1];
            }
            best_beta(a, b, count, w);
            for (size_t i = 0; i < count; i++)
                CHECK_NEAR(w[i], 1.0 / (double)count, 1e-12);
        }
}

TEST(unit_best, wildly_different_counts_stay_within_2e_4)
{
    static const struct arms cases[] = {
        {3, {0.5, 0.5, 2}, {0.5, 3, 0.5}},
        {3, {1e5, 2, 1}, {1e5, 1, 2}},
        {4, {6e4, 600, 6, 1}, {4e4, 410, 5, 1}},
        {4, {1e4, 0.5, 30, 5000}, {9e3, 0.5, 25, 4400}},
        {2, {1e6, 1}, {1e6, 1}},
        {3, {9, 0.5, 1}, {0.5, 200, 1000}},
        {12, {5000, 1, 2, 3, 10, 20, 50, 1, 1, 100, 7, 1.5}, {4000, 1, 1, 3, 9, 15, 41, 1, 2, 80, 6, 1.2}},
        {3, {1, 1, 20000}, {20000, 1, 1}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_arms(&cases[i], 5e-5);
}

TEST(unit_best, random_arms_stay_within_2e_4)
{
    struct rng rng = rng_seed(2);

    for (int run = 0; run < 40; run++) {
        struct arms k = {.count = 2 + rng_below(&rng, 11)};
        for (size_t i = 0; i < k.count; i++) {
            double n = exp(rng_uniform(&rng) * log(2000)), mean = 0.3 + 0.4 * rng_uniform(&rng);
            k.a[i] = 0.5 + n * mean;
            k.b[i] = 0.5 + n * (1 - mean);
        }
        check_arms(&k, 5e-5);
    }
}

TEST(unit_best, an_arm_beyond_hope_gets_nothing)
{
    double a[] = {90000, 10000}, b[] = {10000, 90000}, w[2];

    best_beta(a, b, 2, w);
    CHECK_NEAR(w[0], 1, 1e-12);
    CHECK_NEAR(w[1], 0, 1e-12);
}

TEST(unit_best, a_thousand_arms_add_up)
{
    static double a[1024], b[1024], w[1024];
    struct rng rng = rng_seed(9);
    double sum = 0;

    for (int i = 0; i < 1024; i++) {
        a[i] = 1 + 1000 * pow(rng_uniform(&rng), 4);
        b[i] = 1 + 1000 * pow(rng_uniform(&rng), 4);
    }
    best_beta(a, b, 1024, w);
    for (int i = 0; i < 1024; i++) {
        CHECK(w[i] >= 0);
        sum += w[i];
    }
    CHECK_NEAR(sum, 1, 1e-9);
}

TEST(unit_best, two_normal_arms_agree_with_the_closed_form)
{
    static const double arms[][4] = {{0, 1, 0, 1}, {0.1, 0.02, 0.13, 0.4}, {0.5, 0.001, 0.4, 1}, {0, 0.1, 0.5, 0.1},
                                     {-0.3, 3, 0.2, 0.01}};

    for (size_t i = 0; i < sizeof arms / sizeof *arms; i++) {
        double mean[] = {arms[i][0], arms[i][2]}, sd[] = {arms[i][1], arms[i][3]}, w[2];
        best_normal(mean, sd, 2, w);
        CHECK_NEAR(w[0], 0.5 * erfc((mean[1] - mean[0]) / hypot(sd[0], sd[1]) / sqrt(2)), 1e-5);
    }
}

/* Normal arms the slow way: trapezoidal rule, a tenth of the smallest deviation a step, distribution functions by erfc. */
static void reference_normal(const double *mean, const double *sd, size_t count, double *w)
{
    double low = -INFINITY, high = -INFINITY, least = INFINITY;

    for (size_t i = 0; i < count; i++) {
        low = fmax(low, mean[i] - 8 * sd[i]);
        high = fmax(high, mean[i] + 8 * sd[i]);
        least = fmin(least, sd[i]);
        w[i] = 0;
    }
    double step = fmax(least / 10, (high - low) / 400000);
    for (double x = low; x <= high; x += step)
        for (size_t i = 0; i < count; i++) {
            double z = (x - mean[i]) / sd[i], product = step * exp(-z * z / 2) / (sd[i] * sqrt(2 * M_PI));
            for (size_t j = 0; j < count && product > 1e-14; j++)
                product *= j == i ? 1 : 0.5 * erfc((mean[j] - x) / sd[j] / sqrt(2));
            w[i] += product;
        }
}

/* The counts of statistics.md 3, in which Gauss-Hermite fails: comparable, 2 .. 2,000, and base with 1e5 calls
 * beside others with 1 to 1e4. */
TEST(unit_best, normal_arms_of_any_counts_stay_within_1e_4)
{
    static const double ranges[][2] = {{200, 400}, {2, 2000}, {1, 1e4}};
    struct rng rng = rng_seed(6);
    double mean[12], sd[12], w[12], expected[12];

    for (int run = 0; run < 12; run++) {
        const double *range = ranges[run % 3];
        for (int i = 0; i < 12; i++) {
            double n = run % 3 == 2 && i == 0 ? 1e5 : range[0] * exp(rng_uniform(&rng) * log(range[1] / range[0]));
            sd[i] = 0.46 / sqrt(n + 2);
            mean[i] = 0.2 + 0.08 * rng_normal(&rng);
        }
        best_normal(mean, sd, 12, w);
        reference_normal(mean, sd, 12, expected);
        for (int i = 0; i < 12; i++)
            CHECK_NEAR(w[i], expected[i], 1e-4);
    }
}

TEST(unit_best, shares_of_draws_equal_the_probabilities)
{
    enum { DRAWS = 40000 };
    double a[] = {3, 20, 200}, b[] = {1, 8, 90}, w[3];
    int won[3] = {0};
    struct rng rng = rng_seed(4);

    best_beta(a, b, 3, w);
    for (int i = 0; i < DRAWS; i++) {
        double x[3];
        for (int k = 0; k < 3; k++)
            x[k] = rng_beta(&rng, a[k], b[k]);
        won[x[0] > x[1] ? (x[0] > x[2] ? 0 : 2) : (x[1] > x[2] ? 1 : 2)]++;
    }
    for (int k = 0; k < 3; k++)
        CHECK_NEAR((double)won[k] / DRAWS, w[k], 4 * 0.5 / sqrt(DRAWS));
}

TEST(unit_best, a_joint_posterior_without_covariance_is_the_independent_one)
{
    double mean[12], cov[144] = {0}, sd[12], w[12], joint[12];
    struct rng rng = rng_seed(12);

    for (int i = 0; i < 12; i++) {
        mean[i] = 0.1 * rng_normal(&rng);
        sd[i] = 0.02 + 0.1 * rng_uniform(&rng);
        cov[13 * i] = sd[i] * sd[i];
    }
    double largest = best_normal(mean, sd, 12, w), same = best_joint(mean, cov, 12, 8192, joint);
    CHECK_NEAR(largest, same, 2e-3);
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(joint[i], w[i], 5e-3);
}

/* Two arms: P(first) = Phi((m - m') / sqrt(v + v' - 2 c)); what is common to all of three changes nothing. */
TEST(unit_best, covariance_counts_and_what_is_common_does_not)
{
    double mean[] = {0.1, 0}, cov[] = {0.04, 0.03, 0.03, 0.04}, w[2], sd[] = {0.1, 0.12, 0.2}, three[] = {0.1, 0.05, 0}, apart[3],
           joint[3], shared[9];

    best_joint(mean, cov, 2, 8192, w);
    CHECK_NEAR(w[0], 0.5 * erfc(-0.1 / sqrt(0.02) / sqrt(2)), 5e-3);
    for (int i = 0; i < 9; i++)
        shared[i] = 0.25 + (i % 4 == 0 ? sd[i / 4] * sd[i / 4] : 0);
    best_normal(three, sd, 3, apart);
    best_joint(three, shared, 3, 8192, joint);
    for (int i = 0; i < 3; i++)
        CHECK_NEAR(joint[i], apart[i], 5e-3);
}
