/* SPDX-License-Identifier: Apache-2.0 */
/* glr_klucb.c - kl-UCB that forgets an arm when a Bernoulli likelihood ratio says that it changed (Besson, Kaufmann, Maillard &
 * Seznec 2022, "Efficient change-point detection for tackling piecewise-stationary bandits", algorithm 1, local restarts).
 *
 * Tuned as its authors tune it, to the horizon T: forced exploration alpha = 0.1 sqrt(K ln T / T), delta = 1 / sqrt(T), tests
 * every ten outcomes of the arm at every tenth border. */
#include <math.h>
#include <stdlib.h>

#include "arena.h"
#include "lab.h"

enum { EVERY = 10 };

struct arm {
    double *sum; /* [n + 1]: of the first i outcomes since the restart */
    long n;
};

struct glr {
    size_t arms;
    struct arm *arm; /* [cell][arm], one cell */
    double alpha, delta;
    long since;      /* steps since the last restart of any arm, for forced exploration */
    long steps;
};

static double kl(double p, double q)
{
    const double tiny = 1e-12;

    p = fmin(1 - tiny, fmax(tiny, p));
    q = fmin(1 - tiny, fmax(tiny, q));
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q));
}

static void *create(const void *rule, const struct setting *s)
{
    struct glr *g = xcalloc(1, sizeof *g);
    double horizon = (double)s->horizon;

    (void)rule;
    g->arms = s->arms;
    g->arm = xcalloc(s->arms, sizeof *g->arm);
    for (size_t i = 0; i < s->arms; i++)
        g->arm[i].sum = xcalloc(2 * (size_t)s->horizon + 1, sizeof(double)); /* an outcome may be told twice */
    g->alpha = 0.1 * sqrt((double)s->arms * log(horizon) / horizon);
    g->delta = 1 / sqrt(horizon);
    return g;
}

static void destroy(void *learner)
{
    struct glr *g = learner;

    for (size_t i = 0; i < g->arms; i++)
        free(g->arm[i].sum);
    free(g->arm);
    free(g);
}

static double index_of(const struct arm *arm, double steps)
{
    double mean = arm->n ? arm->sum[arm->n] / (double)arm->n : 0, bound = log(fmax(1, steps)) / (double)arm->n, low = mean, high;

    if (!arm->n)
        return INFINITY;
    high = fmin(1, low + sqrt(bound / 2));
    for (int i = 0; i < 20; i++) {
        double middle = (low + high) / 2;
        *(kl(mean, middle) > bound ? &high : &low) = middle;
    }
    return low;
}

static size_t choose(void *learner, long step, size_t cell, struct rng *rng)
{
    struct glr *g = learner;
    double highest = -INFINITY;
    size_t best = 0, start = rng_below(rng, g->arms);

    (void)step, (void)cell;
    if (rng_uniform(rng) < g->alpha)
        return rng_below(rng, g->arms);
    for (size_t k = 0; k < g->arms; k++) {
        size_t i = (start + k) % g->arms;
        double index = index_of(&g->arm[i], (double)g->since + 1);
        if (index > highest) {
            highest = index;
            best = i;
        }
    }
    return best;
}

static bool changed(const struct arm *arm, double delta)
{
    double n = (double)arm->n, mean = arm->sum[arm->n] / n, threshold = log(3 * n * sqrt(n) / delta);

    for (long s = EVERY; s < arm->n; s += EVERY) {
        double before = arm->sum[s] / (double)s, after = (arm->sum[arm->n] - arm->sum[s]) / (double)(arm->n - s);
        if ((double)s * kl(before, mean) + (double)(arm->n - s) * kl(after, mean) > threshold)
            return true;
    }
    return false;
}

static void learn(void *learner, const struct outcome *o)
{
    struct glr *g = learner;
    struct arm *arm = &g->arm[o->arm];

    arm->sum[arm->n + 1] = arm->sum[arm->n] + o->x;
    arm->n++;
    g->since++;
    if (arm->n % EVERY == 0 && changed(arm, g->delta)) {
        arm->n = 0;
        g->since = 0;
    }
}

const struct algorithm lab_glr_klucb = {.name = "glr-klucb",
                                        .source = "Besson, Kaufmann, Maillard & Seznec 2022, local restarts, tuned to T",
                                        .create = create,
                                        .destroy = destroy,
                                        .choose = choose,
                                        .learn = learn};
