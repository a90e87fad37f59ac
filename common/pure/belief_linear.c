/* SPDX-License-Identifier: Apache-2.0 */
/* belief_linear.c - one Gaussian model of all cells and variants.
 *
 * mean of (cell, variant) = intercept + its fields + its cell + its variant + its slots + variant x fields + variant x cell +
 * slots x first field, each effect drawn from N(0, sd of its group squared).  So the covariance of two (cell, variant) pairs is a
 * sum of sd^2 over the effects they share, and nothing but the kinship of two pairs is ever needed: no list of features, a cost
 * that depends on pairs with data alone. */
#include "belief_linear.h"

#include <math.h>

#include "belief_kin.h"
#include "belief_tree.h"
#include "dense.h"

struct posterior {
    const struct belief_settings *settings;
    const struct belief_data *data;
    const struct covariances *cov;
    const struct observed *observed;
    double *factor, *answer; /* L, and L^-1 y */
    double *reach;           /* [variant]: L^-1 k of the variants of one cell */
    double *spread;          /* [variant]: their variance */
    double pooled, calls; /* variance of single rewards; how many there are */
};

/* A row of the answer: one cell, or a mean over cells. */
struct row {
    size_t first, last;  /* cells that have a share */
    const double *share; /* [cell + 1]; NULL: `first` is all of it */
};

static double share_of(const struct row *row, size_t cell) { return row->share ? row->share[cell] : 1; }

/* Covariance of a variant in the row with one pair, and with another variant in the row. */
static double with_pair(const struct posterior *p, const struct row *row, size_t v, struct pair pair)
{
    double sum = 0;

    for (size_t c = row->first; c <= row->last; c++)
        sum += share_of(row, c) * covariance(p->cov, (struct pair){c, v}, pair);
    return sum;
}

static double with_row(const struct posterior *p, const struct row *row, size_t v, size_t other)
{
    double sum = 0;

    for (size_t c = row->first; c <= row->last; c++)
        sum += share_of(row, c) * with_pair(p, row, v, (struct pair){c, other});
    return sum;
}

/* Moments of the row: what its single rewards are like. */
static struct moments moments_of(const struct posterior *p, const struct row *row, size_t v)
{
    const struct belief_data *d = p->data;
    struct moments sum = {0, 0, 0};

    for (size_t c = row->first; c <= row->last && c < d->cells; c++) {
        const struct moments *own = &d->own[c * d->variants + v];
        if (share_of(row, c) > 0)
            sum = (struct moments){sum.n + own->n, sum.sum + own->sum, sum.sum_sq + own->sum_sq};
    }
    return sum;
}

static void believe(const struct posterior *p, const struct row *row, size_t v, struct belief *ret)
{
    size_t n = p->observed->count;
    double *reach = p->reach + v * n;

    for (size_t i = 0; i < n; i++)
        reach[i] = with_pair(p, row, v, p->observed->pairs[i]);
    dense_forward(p->factor, n, 0, reach);
    p->spread[v] = fmax(1e-12, with_row(p, row, v, v) - dense_dot(reach, reach, n));
    *ret = (struct belief){
        .mean = p->settings->prior_mean + dense_dot(reach, p->answer, n), .sd = sqrt(p->spread[v]), .n = moments_of(p, row, v).n};
}

/* Mean covariance of two variants of a row, at most .98 of the least variance: of the prior, and of the posterior. */
static void common_variance(const struct posterior *p, const struct row *row, double *ret_prior, double *ret_posterior)
{
    size_t count = p->data->variants, n = p->observed->count;
    double prior = 0, after = 0, least = INFINITY, least_prior = INFINITY, pairs = (double)(count * (count - 1)) / 2;

    for (size_t i = 0; i < count; i++) {
        least = fmin(least, p->spread[i]);
        least_prior = fmin(least_prior, with_row(p, row, i, i));
        for (size_t j = 0; j < i; j++) {
            double both = with_row(p, row, i, j);
            prior += both;
            after += both - dense_dot(p->reach + i * n, p->reach + j * n, n);
        }
    }
    *ret_prior = count > 1 ? fmin(0.98 * least_prior, prior / pairs) : 0;
    *ret_posterior = count > 1 ? fmin(0.98 * least, after / pairs) : 0;
}

/* What all variants of a row have in common does not matter for choosing: neither uncertainty nor strength counts that is common
 * to them. */
static void set_apart(const struct posterior *p, const struct row *row, struct belief *beliefs)
{
    double common_prior, common;

    common_variance(p, row, &common_prior, &common);
    for (size_t v = 0; v < p->data->variants; v++) {
        struct moments own = moments_of(p, row, v);
        double prior = with_row(p, row, v, v) - common_prior, variance = p->spread[v] - common,
               single = belief_variance_of(&own, p->pooled), worth = single / variance - single / prior;
        beliefs[v].sd_apart = sqrt(variance);
        beliefs[v].n_borrowed = fmax(0, fmin(worth, p->calls) - own.n);
    }
}

static struct posterior posterior_make(const struct belief_settings *s, const struct kin *k, const double *sd,
                                       struct arena *arena)
{
    const struct belief_data *d = k->data;
    struct observed *o = arena_alloc(arena, sizeof *o);
    struct covariances *cov = arena_alloc(arena, sizeof *cov);
    struct posterior p = {.settings = s, .data = d, .cov = cov, .observed = o, .pooled = belief_variance(s, d),
                          .calls = belief_calls(d)};

    *o = observed_of(s, d, d->cells * d->variants, arena);
    *cov = covariances_alloc(k, arena);
    covariances_set(cov, k, sd);
    p.factor = arena_alloc(arena, o->count * o->count * sizeof *p.factor);
    p.answer = arena_copy(arena, o->mean, o->count * sizeof *o->mean);
    p.reach = arena_alloc(arena, (o->count + 1) * d->variants * sizeof *p.reach);
    p.spread = p.reach + o->count * d->variants;
    observed_factor(cov, o, p.factor);
    dense_forward(p.factor, o->count, 0, p.answer);
    return p;
}

static void believe_row(const struct posterior *p, size_t c, struct belief *beliefs, struct arena *arena)
{
    bool overall = c > p->data->cells;
    struct row row = {
        .first = overall ? 0 : c, .last = overall ? p->data->cells : c, .share = overall ? belief_traffic(p->data, arena) : NULL};

    for (size_t v = 0; v < p->data->variants; v++)
        believe(p, &row, v, &beliefs[v]);
    set_apart(p, &row, beliefs);
}

static size_t pairs_with_data(const struct belief_data *d)
{
    size_t count = 0;

    for (size_t i = 0; i < d->cells * d->variants; i++)
        count += d->own[i].n > 0;
    return count;
}

bool linear_compute(const struct belief_settings *s, const struct belief_data *d, const struct belief_fit *fit,
                    struct belief *ret, struct arena *arena)
{
    struct kin k = kin_of(s, d, arena);
    double sd[BELIEF_GROUPS];

    if (d->cells <= 1 && !kin_alike(&k))
        return false;
    kin_deviations(&k, fit, sd);
    if (pairs_with_data(d) > BELIEF_PAIRS) {
        for (size_t g = 0; g < k.at.count; g++)
            sd[g] *= k.at.active[g];
        struct tree_deviations deviations = {.intercept = sd[0],
                                             .variant =
                                                 sqrt(sd[k.at.variant] * sd[k.at.variant] + sd[k.at.slots] * sd[k.at.slots]),
                                             .field = d->fields ? sd[k.at.by_field] : 0,
                                             .cell = sd[k.at.by_cell]};
        tree_compute(s, d, &deviations, ret, arena);
        return true;
    }
    struct posterior p = posterior_make(s, &k, sd, arena);
    for (size_t c = 0; c <= d->cells + 1; c++)
        believe_row(&p, c, ret + c * d->variants, arena);
    return true;
}

double *linear_covariance(const struct belief_settings *s, const struct belief_data *d, const struct belief_fit *fit, size_t cell,
                          struct arena *arena)
{
    struct kin k = kin_of(s, d, arena);
    struct belief *beliefs = arena_alloc(arena, d->variants * sizeof *beliefs);
    double sd[BELIEF_GROUPS], *ret = arena_alloc(arena, d->variants * d->variants * sizeof *ret);

    if ((d->cells <= 1 && !kin_alike(&k)) || pairs_with_data(d) > BELIEF_PAIRS)
        return NULL;
    kin_deviations(&k, fit, sd);
    struct posterior p = posterior_make(s, &k, sd, arena);
    size_t n = p.observed->count, count = d->variants;
    believe_row(&p, cell, beliefs, arena);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            double prior = covariance(p.cov, (struct pair){cell, i}, (struct pair){cell, j});
            ret[i * count + j] = i == j ? p.spread[i] : prior - dense_dot(p.reach + i * n, p.reach + j * n, n);
        }
    return ret;
}
