/* SPDX-License-Identifier: Apache-2.0 */
/* explore.c - shares of traffic from beliefs, and what else beliefs say of one cell. */
#include "explore.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "allocate.h"
#include "best.h"

enum {
    PRIOR_CALLS = 2,    /* what a posterior mean holds of its prior, in calls */
    CAUTION_CALLS = 30, /* a variant, when caution is greatest */
};

const char *const strategy_names[] = {"thompson", "top_two", "epsilon_greedy", "greedy", "uniform", NULL};

/* The Beta of this mean and deviation on [-1, +1]; a deviation as wide as a coin's is cut to what a Beta can be. */
static void beta_of(double mean, double sd, double *ret_alpha, double *ret_beta)
{
    double x = fmin(1 - 1e-9, fmax(1e-9, (mean + 1) / 2)), strength = fmax(1e-3, x * (1 - x) * 4 / (sd * sd) - 1);

    *ret_alpha = x * strength;
    *ret_beta = (1 - x) * strength;
}

/* P(best) under these means and deviations; returns the expectation of the largest. */
static double best_of(enum belief_model model, const struct belief *beliefs, const double *sd, size_t count, double *ret)
{
    double *a = xcalloc(2 * count, sizeof *a), *b = a + count, largest;

    for (size_t i = 0; i < count; i++)
        if (model == MODEL_BETA)
            beta_of(beliefs[i].mean, sd[i], &a[i], &b[i]);
        else
            a[i] = beliefs[i].mean;
    largest = model == MODEL_BETA ? 2 * best_beta(a, b, count, ret) - 1 : best_normal(a, sd, count, ret);
    free(a);
    return largest;
}

double explore_best(enum belief_model model, const struct belief *beliefs, size_t count, double *ret_best)
{
    double *sd = xcalloc(count, sizeof *sd);

    for (size_t i = 0; i < count; i++)
        sd[i] = beliefs[i].sd_apart;
    double largest = best_of(model, beliefs, sd, count, ret_best);
    free(sd);
    return largest;
}

static double calls_of(const struct belief *beliefs, size_t count)
{
    double total = 0;

    for (size_t i = 0; i < count; i++)
        total += belief_n_eff(&beliefs[i]);
    return total;
}

void explore_deviations(const struct explore_settings *s, const struct belief *beliefs, size_t count, double *ret_sd)
{
    double total = calls_of(beliefs, count);

    for (size_t i = 0; i < count; i++) {
        double n = belief_n_eff(&beliefs[i]), rarity = fmax(0, log((total + 1) / ((double)count * fmax(1, n))));
        double sharp = s->sharpness * s->sharpness, doubt = (1 - sharp) * n / (1 + n * n);
        ret_sd[i] = beliefs[i].sd_apart * sqrt(sharp * (1 + s->widening * rarity) + doubt);
    }
}

static double divergence(double p, double q) { return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q)); }

/* The largest q with n kl(x, q) <= bound, by halving. */
static double upper_bound(double x, double n, double bound)
{
    double p = fmin(1 - 1e-12, fmax(1e-12, x)), low = p, high = 1 - 1e-13;

    for (int i = 0; i < 40; i++) {
        double q = (low + high) / 2;
        if (n * divergence(p, q) > bound)
            high = q;
        else
            low = q;
    }
    return low;
}

void explore_cautious(const struct belief *beliefs, size_t count, double *ret_w)
{
    double bound = log(calls_of(beliefs, count) + 1) / 2, largest = -INFINITY, ties = 0;

    for (size_t i = 0; i < count; i++) {
        ret_w[i] = upper_bound((beliefs[i].mean + 1) / 2, belief_n_eff(&beliefs[i]) + PRIOR_CALLS, bound);
        largest = fmax(largest, ret_w[i]);
    }
    for (size_t i = 0; i < count; i++) {
        ret_w[i] = ret_w[i] > largest - 1e-9;
        ties += ret_w[i];
    }
    for (size_t i = 0; i < count; i++)
        ret_w[i] /= ties;
}

double explore_caution(const struct explore_settings *s, const struct belief *beliefs, size_t count)
{
    double total = calls_of(beliefs, count), x = total / (CAUTION_CALLS * (double)count), own = 0;

    for (size_t i = 0; i < count; i++)
        own += beliefs[i].n;
    return total > 0 ? s->caution * 4 * x / ((1 + x) * (1 + x)) * own / total : 0;
}

/* The largest mean takes it all; equal ones share. */
static void greedy(const struct belief *beliefs, size_t count, double *ret_w)
{
    double largest = -INFINITY, ties = 0;

    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, beliefs[i].mean);
    for (size_t i = 0; i < count; i++)
        ties += beliefs[i].mean >= largest;
    for (size_t i = 0; i < count; i++)
        ret_w[i] = beliefs[i].mean >= largest ? 1 / ties : 0;
}

/* p = P(best) becomes w: the best with probability 1 - runner_up, else the best of the others, drawn again until it is another
 * one. */
static void top_two(double runner_up, size_t count, double *w)
{
    double odds = 0, others = 0;

    for (size_t i = 0; i < count; i++) {
        if (w[i] > 1 - 1e-9)
            return; /* there is no runner-up to speak of */
        odds += w[i] / (1 - w[i]);
    }
    for (size_t i = 0; i < count; i++) {
        others = odds - w[i] / (1 - w[i]);
        w[i] *= 1 - runner_up + runner_up * others;
    }
}

static void mix_uniform(double *w, double share, size_t count)
{
    for (size_t i = 0; i < count; i++)
        w[i] = (1 - share) * w[i] + share / (double)count;
}

static void thompson(const struct explore_settings *s, enum belief_model model, const struct belief *beliefs, size_t count,
                     double *ret_w)
{
    double *sd = xcalloc(2 * count, sizeof *sd), *cautious = sd + count, share = explore_caution(s, beliefs, count);

    explore_deviations(s, beliefs, count, sd);
    best_of(model, beliefs, sd, count, ret_w);
    explore_cautious(beliefs, count, cautious);
    for (size_t i = 0; i < count; i++)
        ret_w[i] = (1 - share) * ret_w[i] + share * cautious[i];
    free(sd);
}

void explore_weights(const struct explore_settings *s, enum belief_model model, const struct belief *beliefs, size_t count,
                     double *ret_w)
{
    switch (s->strategy) {
    case STRATEGY_THOMPSON:
        thompson(s, model, beliefs, count, ret_w);
        break;
    case STRATEGY_TOP_TWO:
        explore_best(model, beliefs, count, ret_w);
        top_two(s->runner_up, count, ret_w);
        break;
    case STRATEGY_EPSILON_GREEDY:
    case STRATEGY_GREEDY:
        greedy(beliefs, count, ret_w);
        mix_uniform(ret_w, s->strategy == STRATEGY_GREEDY ? 0 : s->epsilon, count);
        break;
    case STRATEGY_UNIFORM:
        for (size_t i = 0; i < count; i++)
            ret_w[i] = 1 / (double)count;
        break;
    }
}

/* One draw of the mean reward. */
static double draw(enum belief_model model, double mean, double sd, struct rng *rng)
{
    double a, b;

    if (model != MODEL_BETA)
        return mean + sd * rng_normal(rng);
    beta_of(mean, sd, &a, &b);
    return 2 * rng_beta(rng, a, b) - 1;
}

static size_t draw_thompson(const struct explore_settings *s, enum belief_model model, const struct belief *beliefs, size_t count,
                            struct rng *rng)
{
    double sd[EXPLORE_DRAWN], largest = -INFINITY, share = explore_caution(s, beliefs, count);
    size_t found = 0;

    assert(count <= EXPLORE_DRAWN);
    if (share > 0 && rng_uniform(rng) < share) {
        explore_cautious(beliefs, count, sd);
        return allocate_draw(sd, count, rng_uniform(rng));
    }
    explore_deviations(s, beliefs, count, sd);
    for (size_t i = 0; i < count; i++) {
        double x = draw(model, beliefs[i].mean, sd[i], rng);
        if (x > largest) {
            largest = x;
            found = i;
        }
    }
    return found;
}

size_t explore_draw(const struct explore_settings *s, enum belief_model model, const struct belief *beliefs, size_t count,
                    struct rng *rng)
{
    double w[EXPLORE_DRAWN];

    assert(count >= 1 && count <= EXPLORE_DRAWN);
    if (s->strategy == STRATEGY_THOMPSON)
        return draw_thompson(s, model, beliefs, count, rng);
    explore_weights(s, model, beliefs, count, w);
    return allocate_draw(w, count, rng_uniform(rng));
}

struct interval belief_interval(enum belief_model model, const struct belief *b, double level)
{
    double tail = (1 - level) / 2, alpha, beta, z;

    assert(level > 0 && level < 1);
    if (model == MODEL_BETA) {
        beta_of(b->mean, b->sd, &alpha, &beta);
        return (struct interval){beta_quantile(alpha, beta, tail), beta_quantile(alpha, beta, 1 - tail)};
    }
    z = normal_quantile(1 - tail);
    return (struct interval){fmax(-1, b->mean - z * b->sd), fmin(1, b->mean + z * b->sd)};
}
