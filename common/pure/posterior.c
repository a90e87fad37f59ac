/* SPDX-License-Identifier: Apache-2.0 */
/* posterior.c - Beta posteriors from integer sums, with strength borrowed from other cells. */
#include "posterior.h"

#include <assert.h>
#include <math.h>

/* Sum of x = (r + 1) / 2 over the calls of `m`. */
static double wins(const struct moments *m) { return (m->n + m->sum) / 2; }

/* Of the mean on [-1, +1], twice as wide as the Beta. */
static double beta_sd(double a, double b) { return 2 * sqrt(a * b / (a + b + 1)) / (a + b); }

struct beta_posterior posterior_beta_moments(const struct beta_prior *prior, const struct moments *own, const struct moments *all)
{
    struct moments other = {.n = fmax(0, all->n - own->n), .sum = all->sum - own->sum};
    double weight = other.n > 0 ? prior->shrinkage / (prior->shrinkage + other.n) : 0;
    struct beta_posterior p;

    p.alpha = prior->alpha + wins(own);
    p.beta = prior->beta + own->n - wins(own);
    p.alpha_shared = p.alpha + weight * wins(&other);
    p.beta_shared = p.beta + weight * (other.n - wins(&other));
    p.n_borrowed = weight * other.n;
    p.mean = (p.alpha_shared - p.beta_shared) / (p.alpha_shared + p.beta_shared);
    p.sd = beta_sd(p.alpha_shared, p.beta_shared);
    return p;
}

struct beta_posterior posterior_beta(const struct beta_prior *prior, const struct stats *own, const struct stats *all)
{
    struct moments mine = stats_moments(own), everyone = stats_moments(all);

    return posterior_beta_moments(prior, &mine, &everyone);
}

double beta_half_width(double alpha, double beta) { return 1.96 * beta_sd(alpha, beta); }

double beta_confidence(double alpha, double beta, int64_t pulls, int64_t min_pulls)
{
    return pulls < min_pulls ? 0 : fmin(1, fmax(0, 1 - beta_half_width(alpha, beta)));
}

double own_half_width(const struct stats *all)
{
    return all->n < 2 ? INFINITY : 1.96 * sqrt(stats_variance(all) / (double)all->n);
}

/* x^a (1 - x)^b / B(a, b) */
static double beta_kernel(double a, double b, double x)
{
    int sign;

    return exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) + a * log(x) + b * log1p(-x));
}

/* One step of the modified Lentz method (Thompson & Barnett 1986) for the next partial numerator d. */
static void lentz(double *c, double *d, double *value, double numerator)
{
    const double tiny = 1e-300;

    *d = 1 + numerator * *d;
    *c = 1 + numerator / *c;
    *d = 1 / (fabs(*d) < tiny ? tiny : *d);
    if (fabs(*c) < tiny)
        *c = tiny;
    *value *= *c * *d;
}

/* Regularised incomplete beta I_x(a, b) for x <= (a + 1) / (a + b + 2) by its continued fraction (Abramowitz & Stegun 26.5.8;
 * Press et al. 2007, section 6.4), which needs about sqrt(max(a, b)) terms. */
static double beta_fraction(double a, double b, double x)
{
    double c = INFINITY, d = 1, value = 1, before = 0;

    lentz(&c, &d, &value, -(a + b) * x / (a + 1));
    for (int m = 1; m < 100000 && fabs(value - before) > 1e-15 * fabs(value); m++) {
        before = value;
        lentz(&c, &d, &value, m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
        lentz(&c, &d, &value, -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)));
    }
    return value * beta_kernel(a, b, x) / a;
}

static double beta_cdf(double a, double b, double x)
{
    return x <= (a + 1) / (a + b + 2) ? beta_fraction(a, b, x) : 1 - beta_fraction(b, a, 1 - x);
}

/* Newton steps inside a bracket that shrinks; every third step halves it, so that flat tails cannot hold it up. */
double beta_quantile(double alpha, double beta, double q)
{
    double low = 0, high = 1, x = alpha / (alpha + beta);

    assert(alpha > 0 && beta > 0 && q > 0 && q < 1);
    for (int i = 1; i < 200 && high - low > 1e-12; i++) {
        double excess = beta_cdf(alpha, beta, x) - q;
        if (excess > 0)
            high = x;
        else
            low = x;
        double step = excess * x * (1 - x) / beta_kernel(alpha, beta, x);
        if (fabs(step) < 1e-13)
            break;
        x = i % 3 && x - step > low && x - step < high ? x - step : (low + high) / 2;
    }
    return 2 * x - 1;
}

double normal_quantile(double q)
{
    double p = fmin(q, 1 - q), t = sqrt(-2 * log(p));
    double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));

    assert(q > 0 && q < 1);
    for (int i = 0; i < 3; i++)
        z += (erfc(z / sqrt(2)) / 2 - p) * sqrt(2 * M_PI) * exp(z * z / 2);
    return q < 0.5 ? -z : z;
}
