/* SPDX-License-Identifier: Apache-2.0 */
/* belief_fit.c - the deviations of the groups of effects by empirical Bayes: the mode of marginal likelihood times hyperprior. */
#include <math.h>
#include <string.h>

#include "belief_kin.h"
#include "dense.h"

enum { FIT_PAIRS = 320, FIRST_STEPS = 12, LATER_STEPS = 4 };

struct search {
    const struct kin *kin;
    const struct observed *observed;
    struct covariances cov;
    size_t count, group[BELIEF_GROUPS]; /* of the groups that are fitted */
    double *factor, *inverse, *work;    /* n x n */
    double *alpha;                      /* K^-1 y */
    double *pull;                       /* [count][n]: K_g alpha, */
    double *pulled;                     /* and K^-1 of that */
};

static const double hyper_precision = 1 / (0.7 * 0.7);

/* ln of marginal likelihood times hyperprior, but for constants. */
static double objective(struct search *s, const double *sd)
{
    size_t n = s->observed->count;
    double value;

    covariances_set(&s->cov, s->kin, sd);
    value = -observed_factor(&s->cov, s->observed, s->factor) / 2;
    memcpy(s->alpha, s->observed->mean, n * sizeof *s->alpha);
    dense_forward(s->factor, n, 0, s->alpha);
    value -= dense_dot(s->alpha, s->alpha, n) / 2;
    dense_backward(s->factor, n, s->alpha);
    for (size_t g = 0; g < s->count; g++) {
        double away = log(sd[s->group[g]] / s->kin->at.centre[s->group[g]]);
        value -= hyper_precision * away * away / 2;
    }
    return value;
}

/* By the logarithms of the deviations: slope, and the average of observed and expected information, which is never indefinite. */
static void information(const struct search *s, const double *sd, double *ret_slope, double *ret_matrix)
{
    size_t n = s->observed->count;
    double shared[BELIEF_GROUPS], trace[BELIEF_GROUPS] = {0};

    dense_inverse(s->factor, n, s->work, s->inverse);
    memset(s->pull, 0, s->count * n * sizeof *s->pull);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            kinship(s->kin, s->observed->pairs[i], s->observed->pairs[j], shared);
            for (size_t g = 0; g < s->count; g++) {
                double much = shared[s->group[g]];
                trace[g] += (i == j ? 1 : 2) * much * s->inverse[i * n + j];
                s->pull[g * n + i] += much * s->alpha[j];
                s->pull[g * n + j] += i == j ? 0 : much * s->alpha[i];
            }
        }
    for (size_t g = 0; g < s->count; g++) {
        double scale = sd[s->group[g]] * sd[s->group[g]], away = log(sd[s->group[g]] / s->kin->at.centre[s->group[g]]);
        ret_slope[g] = scale * (dense_dot(s->alpha, s->pull + g * n, n) - trace[g]) - hyper_precision * away;
        for (size_t i = 0; i < n; i++)
            s->pulled[i] = dense_dot(s->inverse + i * n, s->pull + g * n, n);
        for (size_t h = 0; h <= g; h++) {
            double other = sd[s->group[h]] * sd[s->group[h]];
            ret_matrix[g * s->count + h] = 2 * scale * other * dense_dot(s->pulled, s->pull + h * n, n);
        }
        ret_matrix[g * s->count + g] += hyper_precision;
    }
}

/* Moves sd by a Newton step of at most a factor e; returns the largest of the moves. */
static double newton(const struct search *s, double *sd)
{
    double step[BELIEF_GROUPS], matrix[BELIEF_GROUPS * BELIEF_GROUPS], largest = 0;

    information(s, sd, step, matrix);
    dense_factor(matrix, s->count);
    dense_forward(matrix, s->count, 0, step);
    dense_backward(matrix, s->count, step);
    for (size_t g = 0; g < s->count; g++) {
        double move = fmin(1, fmax(-1, step[g]));
        sd[s->group[g]] *= exp(move);
        largest = fmax(largest, fabs(move));
    }
    return largest;
}

/* A step that made it worse is halved; what is returned in sd was looked at. */
static void climb(struct search *s, int steps, double *sd)
{
    double reached = -INFINITY, at[BELIEF_GROUPS], move = 1;

    memcpy(at, sd, sizeof at);
    for (int i = 0; i < steps && move > 0.02; i++) {
        double value = objective(s, at);
        if (value >= reached - 1e-9) {
            reached = value;
            memcpy(sd, at, sizeof at);
            move = i + 1 < steps ? newton(s, at) : 0;
            continue;
        }
        for (size_t g = 0; g < s->count; g++)
            at[s->group[g]] = sqrt(at[s->group[g]] * sd[s->group[g]]);
    }
}

void linear_fit(const struct belief_settings *s, const struct belief_data *d, struct belief_fit *fit, struct arena *arena)
{
    struct kin k = kin_of(s, d, arena);
    struct observed o = observed_of(s, d, FIT_PAIRS, arena);
    struct search search = {.kin = &k, .observed = &o, .cov = covariances_alloc(&k, arena)};
    size_t n = o.count;
    int steps = fit->calls > 0 ? LATER_STEPS : FIRST_STEPS;

    for (size_t g = 0; g < k.at.count; g++)
        if (k.at.fitted[g])
            search.group[search.count++] = g;
    search.factor = arena_alloc(arena, 3 * n * n * sizeof *search.factor);
    search.inverse = search.factor + n * n;
    search.work = search.inverse + n * n;
    search.alpha = arena_alloc(arena, (search.count + 2) * n * sizeof *search.alpha);
    search.pulled = search.alpha + n;
    search.pull = search.pulled + n;
    kin_deviations(&k, fit, fit->sd);
    climb(&search, steps, fit->sd);
}
