/* SPDX-License-Identifier: Apache-2.0 */
/* best.c - P(arm i is best) = integral of f_i times the product of the other arms' F, by composite Gauss-Legendre.
 *
 * A Beta arm is integrated over t = ln(x / (1 - x)), where its density x^a (1-x)^b / B(a, b) is smooth and log-concave for every
 * a, b > 0: no end-point singularities, and the panels may break where the density has fallen by so much.  Survival 1 - F is
 * accumulated from the right over the same nodes: there every arm starts at 0, so no incomplete beta is needed, and the range may
 * end on the left where the best arm's own density ends. */
#include "best.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "arena.h"

enum { NODES = 6, DROPS = 3, MARKS = 2 * DROPS + 1 };

/* Breaks where the log density lies so far below its peak: 2, 4 and 5.7 standard deviations of a normal arm. */
static const double drops[DROPS] = {2, 8, 16};

struct arm {
    double a, b, log_norm; /* b > 0: Beta(a, b) in t; b = 0: normal of mean a and sd `scale` */
    double scale;          /* standard deviation of the normal that has the same curvature at the peak */
    double marks[MARKS];   /* ascending; marks[DROPS] is the peak, the outer two end its support */
};

/* Nodes, weights and integrals[i][j] = integral from -1 to node i of the j-th Lagrange polynomial, all on [-1, +1]. */
struct rule {
    double node[NODES], weight[NODES], integral[NODES][NODES];
};

/* P_0 .. P_{NODES+1} at x. */
static void legendre(double x, double p[NODES + 2])
{
    p[0] = 1;
    p[1] = x;
    for (int k = 1; k <= NODES; k++)
        p[k + 1] = ((2 * k + 1) * x * p[k] - k * p[k - 1]) / (k + 1);
}

static double node_near(double x, double *ret_weight)
{
    double p[NODES + 2], slope = 1;

    for (int i = 0; i < 8; i++) {
        legendre(x, p);
        slope = NODES * (x * p[NODES] - p[NODES - 1]) / (x * x - 1);
        x -= p[NODES] / slope;
    }
    *ret_weight = 2 / ((1 - x * x) * slope * slope);
    return x;
}

/* Golub & Welsch need not be asked for six nodes: Newton from the usual cosines.  The integrals follow from the expansion of the
 * Lagrange polynomials in Legendre polynomials, whose integral is (P_{k+1} - P_{k-1}) / (2k + 1). */
static struct rule rule_make(void)
{
    struct rule r;
    double p[NODES][NODES + 2];

    for (int i = 0; i < NODES; i++) {
        r.node[i] = node_near(-cos(M_PI * (i + 0.75) / (NODES + 0.5)), &r.weight[i]);
        legendre(r.node[i], p[i]);
    }
    for (int i = 0; i < NODES; i++)
        for (int j = 0; j < NODES; j++) {
            double sum = (r.node[i] + 1) / 2;
            for (int k = 1; k < NODES; k++)
                sum += p[j][k] * (p[i][k + 1] - p[i][k - 1]) / 2;
            r.integral[i][j] = r.weight[j] * sum;
        }
    return r;
}

/* ln(1 + e^t) */
static double softplus(double t) { return fmax(t, 0) + log1p(exp(-fabs(t))); }

/* What every arm needs of a node. */
struct point {
    double t, softplus, softplus_minus; /* of t and -t */
};

static double arm_density(const struct arm *arm, const struct point *at)
{
    double z = (at->t - arm->a) / arm->scale;

    return exp(arm->b > 0 ? arm->log_norm - arm->a * at->softplus_minus - arm->b * at->softplus : arm->log_norm - z * z / 2);
}

/* Where the log density -a softplus(-t) - b softplus(t) lies `drop` below its peak, on the side of `sign`.  It is concave, so
 * Newton comes down from outside and never falls short; three or four steps are near enough for a break. */
static double beta_mark(const struct arm *arm, double drop, int sign)
{
    double peak = log(arm->a / arm->b), a = arm->a, b = arm->b, t = peak + sign * arm->scale * sqrt(2 * drop);
    double floor = -a * softplus(-peak) - b * softplus(peak) - drop;

    for (int i = 0; i < 4; i++)
        t -= (-a * softplus(-t) - b * softplus(t) - floor) / (a - (a + b) / (1 + exp(-t)));
    return t;
}

static void arm_beta(struct arm *arm, double a, double b)
{
    int sign;

    assert(a > 0 && b > 0 && isfinite(a) && isfinite(b));
    *arm = (struct arm){.a = a, .b = b, .scale = sqrt(1 / a + 1 / b)};
    arm->log_norm = lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign);
    arm->marks[DROPS] = log(a / b);
    for (int i = 0; i < DROPS; i++) {
        arm->marks[DROPS - 1 - i] = beta_mark(arm, drops[i], -1);
        arm->marks[DROPS + 1 + i] = beta_mark(arm, drops[i], +1);
    }
}

static void arm_normal(struct arm *arm, double mean, double sd)
{
    assert(isfinite(mean) && sd > 0 && isfinite(sd));
    *arm = (struct arm){.a = mean, .scale = sd, .log_norm = -log(sd * sqrt(2 * M_PI))};
    arm->marks[DROPS] = mean;
    for (int i = 0; i < DROPS; i++) {
        arm->marks[DROPS - 1 - i] = mean - sd * sqrt(2 * drops[i]);
        arm->marks[DROPS + 1 + i] = mean + sd * sqrt(2 * drops[i]);
    }
}

static int descending(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;

    return a < b ? 1 : a > b ? -1 : 0;
}

/* The finest scale among the arms that reach up to t. */
static double scale_at(const struct arm *arms, size_t count, double t)
{
    double least = INFINITY;

    for (size_t i = 0; i < count; i++)
        if (arms[i].marks[MARKS - 1] >= t)
            least = fmin(least, arms[i].scale);
    return least;
}

/* Breaks from the right end of the last arm down to where the highest left end is.  Every arm that matters reaches across
 * that left end, so the scale only grows to the right, and merging what lies closer than half of it leaves a few dozen
 * panels of however many arms. */
static size_t breaks_make(const struct arm *arms, size_t count, double *breaks)
{
    double low = -INFINITY;
    size_t n = 0, kept = 1;

    for (size_t i = 0; i < count; i++)
        low = fmax(low, arms[i].marks[0]);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < MARKS; k++)
            if (arms[i].marks[k] > low)
                breaks[n++] = arms[i].marks[k];
    qsort(breaks, n, sizeof *breaks, descending);
    for (size_t i = 1; i < n; i++)
        if (breaks[kept - 1] - breaks[i] >= 0.5 * scale_at(arms, count, breaks[i]))
            breaks[kept++] = breaks[i];
    breaks[kept++] = low;
    return kept;
}

struct work {
    const struct arm *arms;
    size_t count;
    struct rule rule;
    double *survival;         /* per arm: P(beyond the panel's right end) */
    double (*density)[NODES]; /* per arm, nodes from the right */
    double *below;            /* per arm: F at one node */
    double *before;           /* product of F over the arms before it */
};

/* One node: w_i += weight f_i times the product of the others' F, by products from both sides, so that an F of 0 hurts nobody.
 * Returns the sum of what it added: the mass of the maximum here. */
static double node_add(const struct work *k, int node, double half, double *w)
{
    double product = 1;

    for (size_t i = 0; i < k->count; i++) {
        double inside = 0;
        for (int j = 0; j < NODES; j++)
            inside += k->rule.integral[node][j] * k->density[i][j];
        k->below[i] = fmax(0, 1 - k->survival[i] - half * inside);
        k->before[i] = product;
        product *= k->below[i];
    }
    double mass = 0;
    product = half * k->rule.weight[node];
    for (size_t i = k->count; i-- > 0; product *= k->below[i]) {
        double part = product * k->before[i] * k->density[i][node];
        w[i] += part;
        mass += part;
    }
    return mass;
}

/* Returns what the panel adds to the integral of the maximum. */
static double panel_add(const struct work *k, double right, double left, double *w)
{
    double half = (right - left) / 2, first = 0, t[NODES];

    for (int n = 0; n < NODES; n++) {
        struct point at = {.t = right - half * (1 + k->rule.node[n])};
        at.softplus = softplus(at.t);
        at.softplus_minus = at.softplus - at.t;
        t[n] = k->arms->b > 0 ? exp(-at.softplus_minus) : at.t;
        for (size_t i = 0; i < k->count; i++)
            k->density[i][n] = arm_density(&k->arms[i], &at);
    }
    for (int n = 0; n < NODES; n++)
        first += t[n] * node_add(k, n, half, w);
    for (size_t i = 0; i < k->count; i++)
        for (int n = 0; n < NODES; n++)
            k->survival[i] += half * k->rule.weight[n] * k->density[i][n];
    return first;
}

static double best_arms(const struct arm *arms, size_t count, double *w)
{
    struct work k = {.arms = arms, .count = count, .rule = rule_make(), .survival = xcalloc(3 * count, sizeof *k.survival)};
    double *breaks = xcalloc(MARKS * count + 1, sizeof *breaks), total = 0, first = 0;
    size_t n = breaks_make(arms, count, breaks);

    k.density = xcalloc(count, sizeof *k.density);
    k.below = k.survival + count;
    k.before = k.below + count;
    for (size_t i = 0; i < count; i++)
        w[i] = 0;
    for (size_t i = 0; i + 1 < n; i++)
        first += panel_add(&k, breaks[i], breaks[i + 1], w);
    for (size_t i = 0; i < count; i++)
        total += w[i];
    for (size_t i = 0; i < count; i++)
        w[i] /= total;
    free(k.survival);
    free(k.density);
    free(breaks);
    return first / total;
}

double best_beta(const double *alpha, const double *beta, size_t count, double *ret_w)
{
    struct arm *arms = xcalloc(count, sizeof *arms);

    assert(count >= 1 && count <= 1024);
    for (size_t i = 0; i < count; i++)
        arm_beta(&arms[i], alpha[i], beta[i]);
    double largest = best_arms(arms, count, ret_w);
    free(arms);
    return largest;
}

double best_normal(const double *mean, const double *sd, size_t count, double *ret_w)
{
    struct arm *arms = xcalloc(count, sizeof *arms);

    assert(count >= 1 && count <= 1024);
    for (size_t i = 0; i < count; i++)
        arm_normal(&arms[i], mean[i], sd[i]);
    double largest = best_arms(arms, count, ret_w);
    free(arms);
    return largest;
}
