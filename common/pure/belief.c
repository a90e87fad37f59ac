/* SPDX-License-Identifier: Apache-2.0 */
/* belief.c - the models beta and gaussian, what all models share, and which of them answers. */
#include "belief.h"

#include <assert.h>
#include <math.h>

#include "belief_linear.h"

enum { PRIOR_CALLS = 5, VARIANCE_CALLS = 8, FIRST_FIT = 12, FIT_EVERY = 250 };

const char *const model_names[] = {"beta", "gaussian", "linear", NULL};

/* Sum of squares about the own mean; rounding may leave a little less than nothing. */
static double scatter(const struct moments *m) { return m->n > 0 ? fmax(0, m->sum_sq - m->sum * m->sum / m->n) : 0; }

double belief_variance(const struct belief_settings *s, const struct belief_data *d)
{
    double squares = PRIOR_CALLS * s->prior_variance, freedom = PRIOR_CALLS;

    for (size_t i = 0; i < d->cells * d->variants; i++) {
        squares += scatter(&d->own[i]);
        freedom += fmax(0, d->own[i].n - 1);
    }
    return squares / freedom;
}

double belief_variance_of(const struct moments *own, double pooled)
{
    return (scatter(own) + VARIANCE_CALLS * pooled) / (own->n + VARIANCE_CALLS);
}

double belief_calls(const struct belief_data *d)
{
    double calls = 0;

    for (size_t i = 0; i < d->cells * d->variants; i++)
        calls += d->own[i].n;
    return calls;
}

static const struct moments nothing;

static const struct moments *own_of(const struct belief_data *d, size_t cell, size_t variant)
{
    return cell < d->cells ? &d->own[cell * d->variants + variant] : &nothing;
}

static struct belief beta_belief(const struct belief_settings *s, const struct moments *own, const struct moments *all)
{
    struct beta_posterior p = posterior_beta_moments(&s->beta, own, all);

    return (struct belief){.mean = p.mean, .sd = p.sd, .sd_apart = p.sd, .n = own->n, .n_borrowed = p.n_borrowed};
}

static void compute_beta(const struct belief_settings *s, const struct belief_data *d, struct belief *ret, struct arena *arena)
{
    struct moments *all = arena_alloc(arena, d->variants * sizeof *all);

    for (size_t i = 0; i < d->cells * d->variants; i++) {
        struct moments *m = &all[i % d->variants];
        *m = (struct moments){m->n + d->own[i].n, m->sum + d->own[i].sum, m->sum_sq + d->own[i].sum_sq};
    }
    for (size_t c = 0; c <= d->cells; c++)
        for (size_t v = 0; v < d->variants; v++)
            ret[c * d->variants + v] = beta_belief(s, own_of(d, c, v), &all[v]);
}

/* Squares about the own mean, and what the own mean is away from the prior one: ten equal rewards are no proof that rewards do
 * not vary. */
static struct belief gaussian_belief(const struct belief_settings *s, const struct moments *own, double pooled)
{
    double strength = s->prior_calls + own->n, away = own->n > 0 ? own->sum / own->n - s->prior_mean : 0;
    double squares = scatter(own) + s->prior_calls * own->n / strength * away * away;
    double sd = sqrt((squares + VARIANCE_CALLS * pooled) / (own->n + VARIANCE_CALLS) / strength);

    return (struct belief){.mean = (s->prior_calls * s->prior_mean + own->sum) / strength, .sd = sd, .sd_apart = sd, .n = own->n};
}

static void compute_gaussian(const struct belief_settings *s, const struct belief_data *d, struct belief *ret)
{
    double pooled = belief_variance(s, d);

    for (size_t c = 0; c <= d->cells; c++)
        for (size_t v = 0; v < d->variants; v++)
            ret[c * d->variants + v] = gaussian_belief(s, own_of(d, c, v), pooled);
}

double *belief_traffic(const struct belief_data *d, struct arena *arena)
{
    double *share = arena_alloc(arena, (d->cells + 1) * sizeof *share), total = 0;

    for (size_t c = 0; c < d->cells; c++) {
        share[c] = d->traffic ? d->traffic[c] : 0;
        for (size_t v = 0; v < d->variants && !d->traffic; v++)
            share[c] += d->own[c * d->variants + v].n;
        total += share[c];
    }
    for (size_t c = 0; c < d->cells && total > 0; c++)
        share[c] /= total;
    share[d->cells] = total > 0 ? 0 : 1;
    return share;
}

void belief_overall(const struct belief_data *d, bool alike, struct belief *beliefs, struct arena *arena)
{
    const double *share = belief_traffic(d, arena);

    for (size_t v = 0; v < d->variants; v++) {
        struct belief *overall = &beliefs[(d->cells + 1) * d->variants + v];
        double apart = 0;
        for (size_t c = 0; c <= d->cells; c++) {
            const struct belief *b = &beliefs[c * d->variants + v];
            overall->mean += share[c] * b->mean;
            overall->sd += alike ? share[c] * b->sd : share[c] * share[c] * b->sd * b->sd;
            apart += alike ? share[c] * b->sd_apart : share[c] * share[c] * b->sd_apart * b->sd_apart;
            overall->n += share[c] > 0 ? b->n : 0;
            overall->n_borrowed += share[c] * b->n_borrowed;
        }
        overall->sd = alike ? overall->sd : sqrt(overall->sd);
        overall->sd_apart = alike ? apart : sqrt(apart);
    }
}

struct belief *belief_compute(const struct belief_settings *s, const struct belief_data *d, const struct belief_fit *fit,
                              struct arena *arena)
{
    struct belief *ret = arena_alloc(arena, (d->cells + 2) * d->variants * sizeof *ret);

    assert(d->variants >= 1 && d->fields <= BELIEF_FIELDS);
    switch (s->model) {
    case MODEL_BETA:
        compute_beta(s, d, ret, arena);
        belief_overall(d, false, ret, arena);
        break;
    case MODEL_GAUSSIAN:
        compute_gaussian(s, d, ret);
        belief_overall(d, false, ret, arena);
        break;
    case MODEL_LINEAR:
        if (!linear_compute(s, d, fit, ret, arena)) {
            compute_gaussian(s, d, ret);
            belief_overall(d, false, ret, arena);
        }
        break;
    }
    return ret;
}

double *belief_covariance(const struct belief_settings *s, const struct belief_data *d, const struct belief_fit *fit, size_t cell,
                          struct arena *arena)
{
    double *ret = s->model == MODEL_LINEAR ? linear_covariance(s, d, fit, cell, arena) : NULL;

    assert(cell <= d->cells);
    if (ret)
        return ret;
    const struct belief *beliefs = belief_compute(s, d, fit, arena) + cell * d->variants;
    ret = arena_alloc(arena, d->variants * d->variants * sizeof *ret);
    for (size_t v = 0; v < d->variants; v++)
        ret[v * d->variants + v] = beliefs[v].sd * beliefs[v].sd;
    return ret;
}

void belief_fit(const struct belief_settings *s, const struct belief_data *d, struct belief_fit *fit, struct arena *arena)
{
    double calls = belief_calls(d);

    if (s->model != MODEL_LINEAR || calls <= 0)
        return;
    linear_fit(s, d, fit, arena);
    fit->calls = calls;
}

bool belief_fit_due(const struct belief_fit *fit, double calls)
{
    double more = fmax(fmin(FIT_EVERY, fit->calls / 4), fit->calls / 20);

    return calls >= (fit->calls > 0 ? fit->calls + more : FIRST_FIT);
}
