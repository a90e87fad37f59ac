/* SPDX-License-Identifier: Apache-2.0 */
/* belief_linear.c - one Gaussian model of all cells and variants.
 *
 * mean of (cell, variant) = intercept + its fields + its cell + its variant + its slots + variant x fields + variant x cell + slots x first field, each
 * effect drawn from N(0, sd of its group squared).  So the covariance of two (cell, variant) pairs is a sum of sd^2 over the effects they share, and
 * nothing but the kinship of two pairs is ever needed: no list of features, a cost that depends on pairs with data alone. */
#include "belief_linear.h"

#include <math.h>
#include <string.h>

#include "belief_tree.h"
#include "dense.h"

enum { FIT_PAIRS = 320, FIRST_STEPS = 12, LATER_STEPS = 4, NOBODY = -1 };

/* --- kinship ---------------------------------------------------------------------------------------------------------------------------- */

/* Where the groups stand in belief_fit.sd, for F fields. */
struct layout {
    size_t fields, cell, variant, slots, by_field, by_cell, slots_by_field, count;
    bool active[BELIEF_GROUPS]; /* the others are other names of the same effect, or have nothing to tell apart */
    bool fitted[BELIEF_GROUPS];
    double centre[BELIEF_GROUPS];
};

struct pair {
    size_t cell, variant; /* cell = data->cells: the unseen one */
};

struct kin {
    const struct belief_data *data;
    struct layout at;
    double *alike; /* [variant][variant]: how many slots have the same value, of those that any two variants share */
};

static void use_group(struct layout *at, size_t group, double centre, bool active)
{
    at->centre[group] = centre;
    at->active[group] = active;
    at->fitted[group] = active && group > 0;
}

static bool any_alike(const struct kin *k)
{
    size_t count = k->data->variants;

    for (size_t i = 0; i < count * count; i++)
        if (i / count != i % count && k->alike[i] > 0)
            return true;
    return false;
}

/* With one field, a cell is that field's level by another name, unless several cells share one. */
static bool cell_is_field(const struct belief_data *d)
{
    for (size_t i = 0; i < d->cells; i++)
        for (size_t j = 0; j < i; j++)
            if (d->fields != 1 || d->context[i] == d->context[j])
                return false;
    return d->fields == 1;
}

static struct layout layout_of(const struct kin *k, double scale)
{
    size_t fields = k->data->fields;
    bool many = k->data->cells > 1, slots = any_alike(k), cell = many && !cell_is_field(k->data);
    struct layout at = {.fields = fields, .cell = fields + 1, .variant = fields + 2, .slots = fields + 3, .by_field = fields + 4,
                        .by_cell = 2 * fields + 4, .slots_by_field = 2 * fields + 5, .count = 2 * fields + 6};

    use_group(&at, 0, 1.1 * scale, true);
    for (size_t f = 0; f < fields; f++) {
        use_group(&at, 1 + f, 0.22 * scale, many);
        use_group(&at, at.by_field + f, 0.11 * scale, many && k->data->variants > 1);
    }
    use_group(&at, at.cell, 0.22 * scale, cell);
    use_group(&at, at.variant, 0.4 * scale, true);
    use_group(&at, at.slots, 0.065 * scale, slots);
    use_group(&at, at.by_cell, 0.11 * scale, cell);
    use_group(&at, at.slots_by_field, 0.065 * scale, slots && many && fields > 0);
    return at;
}

/* Adds what slot s says; a slot in which no two variants agree says nothing that the variant does not say. */
static void add_slot(struct kin *k, size_t s)
{
    const struct belief_data *d = k->data;
    bool shared = false;

    for (size_t i = 0; i < d->variants; i++)
        for (size_t j = 0; j < i; j++)
            shared |= d->slot[i * d->slots + s] == d->slot[j * d->slots + s];
    for (size_t i = 0; shared && i < d->variants; i++)
        for (size_t j = 0; j < d->variants; j++)
            k->alike[i * d->variants + j] += d->slot[i * d->slots + s] == d->slot[j * d->slots + s];
}

static struct kin kin_of(const struct belief_settings *s, const struct belief_data *d, struct arena *arena)
{
    struct kin k = {.data = d, .alike = arena_alloc(arena, d->variants * d->variants * sizeof *k.alike)};

    for (size_t slot = 0; slot < d->slots; slot++)
        add_slot(&k, slot);
    k.at = layout_of(&k, sqrt(belief_variance(s, d)));
    return k;
}

static bool same_level(const struct kin *k, struct pair x, struct pair y, size_t field)
{
    const struct belief_data *d = k->data;

    if (x.cell == y.cell)
        return true;
    return x.cell < d->cells && y.cell < d->cells && d->context[x.cell * d->fields + field] == d->context[y.cell * d->fields + field];
}

/* How often both pairs share an effect, per group. */
static void kinship(const struct kin *k, struct pair x, struct pair y, double *ret)
{
    const struct layout *at = &k->at;
    double same_variant = x.variant == y.variant, same_cell = x.cell == y.cell, alike = k->alike[x.variant * k->data->variants + y.variant];

    ret[0] = 1;
    for (size_t f = 0; f < at->fields; f++) {
        ret[1 + f] = same_level(k, x, y, f);
        ret[at->by_field + f] = same_variant * ret[1 + f];
    }
    ret[at->cell] = same_cell;
    ret[at->variant] = same_variant;
    ret[at->slots] = alike;
    ret[at->by_cell] = same_variant * same_cell;
    ret[at->slots_by_field] = at->fields ? alike * ret[1] : 0;
    for (size_t g = 0; g < at->count; g++)
        ret[g] *= at->active[g];
}

/* Covariances as numbers: [cell + 1][cell + 1] of any two pairs, and what the same variant and each slot alike add. */
struct covariances {
    size_t cells, variants;
    double *any, *same, *slot;
    const double *alike;
};

static struct covariances covariances_alloc(const struct kin *k, struct arena *arena)
{
    size_t cells = k->data->cells + 1;
    struct covariances cov = {.cells = cells, .variants = k->data->variants, .alike = k->alike};

    cov.any = arena_alloc(arena, 3 * cells * cells * sizeof *cov.any);
    cov.same = cov.any + cells * cells;
    cov.slot = cov.same + cells * cells;
    return cov;
}

static void covariances_set(struct covariances *cov, const struct kin *k, const double *sd)
{
    const struct layout *at = &k->at;
    double variance[BELIEF_GROUPS];

    for (size_t g = 0; g < at->count; g++)
        variance[g] = at->active[g] ? sd[g] * sd[g] : 0;
    for (size_t i = 0; i < cov->cells * cov->cells; i++) {
        struct pair x = {i / cov->cells, 0}, y = {i % cov->cells, 0};
        double same_cell = x.cell == y.cell;
        cov->any[i] = variance[0] + same_cell * variance[at->cell];
        cov->same[i] = variance[at->variant] + same_cell * variance[at->by_cell];
        cov->slot[i] = variance[at->slots];
        for (size_t f = 0; f < at->fields; f++) {
            double shared = same_level(k, x, y, f);
            cov->any[i] += shared * variance[1 + f];
            cov->same[i] += shared * variance[at->by_field + f];
            cov->slot[i] += f == 0 ? shared * variance[at->slots_by_field] : 0;
        }
    }
}

static double covariance(const struct covariances *cov, struct pair x, struct pair y)
{
    size_t cells = x.cell * cov->cells + y.cell;

    return cov->any[cells] + (x.variant == y.variant ? cov->same[cells] : 0) + cov->alike[x.variant * cov->variants + y.variant] * cov->slot[cells];
}

/* --- what was observed -------------------------------------------------------------------------------------------------------------------- */

struct observed {
    size_t count;
    struct pair *pairs;
    double *mean, *noise; /* of the mean: variance of single rewards by calls */
};

static void observe(struct observed *o, const struct belief_settings *s, const struct belief_data *d, struct pair pair, double pooled)
{
    const struct moments *own = &d->own[pair.cell * d->variants + pair.variant];

    if (!(own->n > 0))
        return;
    o->pairs[o->count] = pair;
    o->mean[o->count] = own->sum / own->n - s->prior_mean;
    o->noise[o->count++] = belief_variance_of(own, pooled) / own->n + 1e-10;
}

/* The cell with most calls among those not yet taken; NOBODY: none is left that has any. */
static long busiest(const struct belief_data *d, const bool *taken)
{
    double most = 0;
    long found = NOBODY;

    for (size_t c = 0; c < d->cells; c++) {
        double calls = 0;
        for (size_t v = 0; v < d->variants && !taken[c]; v++)
            calls += d->own[c * d->variants + v].n;
        if (calls > most) {
            most = calls;
            found = (long)c;
        }
    }
    return found;
}

/* Whole cells in the order of their calls, while there is room for all their variants; the busiest cell in any case. */
static struct observed observed_of(const struct belief_settings *s, const struct belief_data *d, size_t room, struct arena *arena)
{
    size_t most = d->cells * d->variants;
    struct observed o = {.pairs = arena_alloc(arena, most * sizeof *o.pairs), .mean = arena_alloc(arena, 2 * most * sizeof *o.mean)};
    bool *taken = arena_alloc(arena, d->cells * sizeof *taken);
    double pooled = belief_variance(s, d);

    o.noise = o.mean + most;
    for (long c = busiest(d, taken); c != NOBODY && (o.count == 0 || o.count + d->variants <= room); c = busiest(d, taken)) {
        taken[c] = true;
        for (size_t v = 0; v < d->variants; v++)
            observe(&o, s, d, (struct pair){(size_t)c, v}, pooled);
    }
    return o;
}

static size_t pairs_with_data(const struct belief_data *d)
{
    size_t count = 0;

    for (size_t i = 0; i < d->cells * d->variants; i++)
        count += d->own[i].n > 0;
    return count;
}

/* The factor of the covariance of all observations, and ln of its determinant. */
static double factor(const struct covariances *cov, const struct observed *o, double *ret)
{
    for (size_t i = 0; i < o->count; i++) {
        for (size_t j = 0; j <= i; j++)
            ret[i * o->count + j] = covariance(cov, o->pairs[i], o->pairs[j]);
        ret[i * o->count + i] += o->noise[i];
    }
    return dense_factor(ret, o->count);
}

/* --- beliefs ------------------------------------------------------------------------------------------------------------------------------ */

struct posterior {
    const struct belief_settings *settings;
    const struct belief_data *data;
    const struct covariances *cov;
    const struct observed *observed;
    double *factor, *answer; /* L, and L^-1 y */
    double *reach;           /* [variant]: L^-1 k of the variants of one cell */
    double *spread;          /* [variant]: their variance */
    double pooled;
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
    *ret = (struct belief){.mean = p->settings->prior_mean + dense_dot(reach, p->answer, n), .sd = sqrt(p->spread[v]),
                           .n = moments_of(p, row, v).n};
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

/* What all variants of a row have in common does not matter for choosing: neither uncertainty nor strength counts that is common to them. */
static void set_apart(const struct posterior *p, const struct row *row, struct belief *beliefs)
{
    double common_prior, common;

    common_variance(p, row, &common_prior, &common);
    for (size_t v = 0; v < p->data->variants; v++) {
        struct moments own = moments_of(p, row, v);
        double variance = p->spread[v] - common, single = belief_variance_of(&own, p->pooled);
        beliefs[v].sd_apart = sqrt(variance);
        beliefs[v].n_borrowed = fmax(0, single / variance - single / (with_row(p, row, v, v) - common_prior) - own.n);
    }
}

static void compute_pairs(const struct belief_settings *s, const struct kin *k, const double *sd, struct belief *ret, struct arena *arena)
{
    const struct belief_data *d = k->data;
    struct observed o = observed_of(s, d, d->cells * d->variants, arena);
    struct covariances cov = covariances_alloc(k, arena);
    struct posterior p = {.settings = s, .data = d, .cov = &cov, .observed = &o, .pooled = belief_variance(s, d)};

    covariances_set(&cov, k, sd);
    p.factor = arena_alloc(arena, o.count * o.count * sizeof *p.factor);
    p.answer = arena_copy(arena, o.mean, o.count * sizeof *o.mean);
    p.reach = arena_alloc(arena, (o.count + 1) * d->variants * sizeof *p.reach);
    p.spread = p.reach + o.count * d->variants;
    factor(&cov, &o, p.factor);
    dense_forward(p.factor, o.count, 0, p.answer);
    for (size_t c = 0; c <= d->cells + 1; c++) {
        bool overall = c > d->cells;
        struct row row = {.first = overall ? 0 : c, .last = overall ? d->cells : c, .share = overall ? belief_traffic(d, arena) : NULL};
        for (size_t v = 0; v < d->variants; v++)
            believe(&p, &row, v, &ret[c * d->variants + v]);
        set_apart(&p, &row, ret + c * d->variants);
    }
}

/* --- empirical Bayes -------------------------------------------------------------------------------------------------------------------- */

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
    value = -factor(&s->cov, s->observed, s->factor) / 2;
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

/* --- the model ------------------------------------------------------------------------------------------------------------------------------ */

static void start(const struct layout *at, const struct belief_fit *fit, double *ret_sd)
{
    memcpy(ret_sd, fit && fit->calls > 0 ? fit->sd : at->centre, BELIEF_GROUPS * sizeof *ret_sd);
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
    start(&k.at, fit, fit->sd);
    climb(&search, steps, fit->sd);
}

void linear_compute(const struct belief_settings *s, const struct belief_data *d, const struct belief_fit *fit, struct belief *ret,
                    struct arena *arena)
{
    struct kin k = kin_of(s, d, arena);
    double sd[BELIEF_GROUPS];

    start(&k.at, fit, sd);
    if (pairs_with_data(d) > BELIEF_PAIRS) {
        for (size_t g = 0; g < k.at.count; g++)
            sd[g] *= k.at.active[g];
        struct tree_deviations deviations = {.intercept = sd[0], .variant = sqrt(sd[k.at.variant] * sd[k.at.variant] + sd[k.at.slots] * sd[k.at.slots]),
                                             .field = d->fields ? sd[k.at.by_field] : 0, .cell = sd[k.at.by_cell]};
        tree_compute(s, d, &deviations, ret, arena);
        return;
    }
    compute_pairs(s, &k, sd, ret, arena);
}
