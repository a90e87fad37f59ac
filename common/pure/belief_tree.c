/* SPDX-License-Identifier: Apache-2.0 */
/* belief_tree.c - up the tree to learn, down the tree to lend.
 *
 * reward of (cell, variant) = cell + effect; effect = variant + variant in the cell's first field + the pair's own.  Given the
 * cells' levels each variant is a tree of its own; the levels are what is left of the cells' means, found in a few sweeps. */
#include "belief_tree.h"

#include <math.h>

enum { SWEEPS = 4 };

/* A normal quantity; precision 0: nothing is known. */
struct normal {
    double mean, precision;
};

struct tree {
    const struct belief_settings *settings;
    const struct belief_data *data;
    double variant, field, cell; /* variances of the three levels */
    double pooled, intercept, calls;
    size_t *branch, branches;            /* [cell]: number of its level of the first field */
    double *level;                       /* [cell]: what all its variants have in common, less prior_mean */
    struct normal *branch_says, *effect; /* [branch] of one variant; [cell + 1][variant] */
};

static struct normal both(struct normal a, struct normal b)
{
    double precision = a.precision + b.precision;

    return (struct normal){precision > 0 ? (a.mean * a.precision + b.mean * b.precision) / precision : 0, precision};
}

/* What a child says of its parent, or a parent of its child, when they differ by N(0, variance). */
static struct normal through(struct normal from, double variance)
{
    return (struct normal){from.mean, from.precision > 0 ? 1 / (1 / from.precision + variance) : 0};
}

/* The child in the light of its whole tree: what its own subtree says, and the parent as it stands after all data.  Rauch, Tung &
 * Striebel 1965. */
static struct normal smoothed(struct normal below, struct normal parent, double variance)
{
    struct normal given = both(below, (struct normal){parent.mean, 1 / variance});
    double share = 1 / variance / given.precision;

    return (struct normal){given.mean, 1 / (1 / given.precision + share * share / parent.precision)};
}

static struct normal pair_says(const struct tree *t, size_t c, size_t v)
{
    const struct moments *own = &t->data->own[c * t->data->variants + v];

    if (!(own->n > 0))
        return (struct normal){0, 0};
    return (struct normal){own->sum / own->n - t->settings->prior_mean - t->level[c],
                           own->n / belief_variance_of(own, t->pooled)};
}

static void grow_variant(const struct tree *t, size_t v)
{
    const struct belief_data *d = t->data;
    struct normal root = {0, 1 / t->variant};

    for (size_t b = 0; b < t->branches; b++)
        t->branch_says[b] = (struct normal){0, 0};
    for (size_t c = 0; c < d->cells; c++)
        t->branch_says[t->branch[c]] = both(t->branch_says[t->branch[c]], through(pair_says(t, c, v), t->cell));
    for (size_t b = 0; b < t->branches; b++)
        root = both(root, through(t->branch_says[b], t->field));
    for (size_t b = 0; b < t->branches; b++)
        t->branch_says[b] = smoothed(t->branch_says[b], root, t->field);
    for (size_t c = 0; c < d->cells; c++)
        t->effect[c * d->variants + v] = smoothed(pair_says(t, c, v), t->branch_says[t->branch[c]], t->cell);
    t->effect[d->cells * d->variants + v] = through(root, t->field + t->cell);
}

static double calls_of(const struct tree *t, size_t c)
{
    double calls = 0;

    for (size_t v = 0; v < t->data->variants; v++)
        calls += t->data->own[c * t->data->variants + v].n;
    return calls;
}

static void settle_level(const struct tree *t, size_t c)
{
    const struct belief_data *d = t->data;
    double left = 0;

    for (size_t v = 0; v < d->variants; v++) {
        const struct moments *own = &d->own[c * d->variants + v];
        left += own->sum - own->n * (t->settings->prior_mean + t->effect[c * d->variants + v].mean);
    }
    t->level[c] = left / (calls_of(t, c) + t->pooled / t->intercept);
}

static void number_branches(struct tree *t)
{
    const struct belief_data *d = t->data;

    for (size_t c = 0; c < d->cells; c++) {
        size_t same = 0;
        while (d->fields && same < c && d->context[same * d->fields] != d->context[c * d->fields])
            same++;
        t->branch[c] = same < c ? t->branch[same] : c == 0 || d->fields ? t->branches++ : 0;
    }
}

static void say(const struct tree *t, size_t c, struct belief *ret)
{
    static const struct moments nothing;
    const struct belief_data *d = t->data;
    bool seen = c < d->cells;
    double level_variance = t->pooled / ((seen ? calls_of(t, c) : 0) + t->pooled / t->intercept),
           prior = t->variant + t->field + t->cell;

    for (size_t v = 0; v < d->variants; v++) {
        const struct moments *own = seen ? &d->own[c * d->variants + v] : &nothing;
        struct normal effect = t->effect[c * d->variants + v];
        double variance = 1 / effect.precision, single = belief_variance_of(own, t->pooled),
               worth = single / variance - single / prior;
        ret[v] = (struct belief){.mean = t->settings->prior_mean + (seen ? t->level[c] : 0) + effect.mean,
                                 .sd = sqrt(variance + level_variance),
                                 .sd_apart = sqrt(variance),
                                 .n = own->n,
                                 .n_borrowed = fmax(0, fmin(worth, t->calls) - own->n)};
    }
}

static double square(double x) { return fmax(1e-12, x * x); }

void tree_compute(const struct belief_settings *s, const struct belief_data *d, const struct tree_deviations *sd,
                  struct belief *ret, struct arena *arena)
{
    struct tree t = {.settings = s,
                     .data = d,
                     .variant = square(sd->variant),
                     .field = square(sd->field),
                     .cell = square(sd->cell),
                     .pooled = belief_variance(s, d),
                     .calls = belief_calls(d),
                     .intercept = square(sd->intercept)};

    t.branch = arena_alloc(arena, d->cells * sizeof *t.branch);
    t.level = arena_alloc(arena, d->cells * sizeof *t.level);
    t.branch_says = arena_alloc(arena, d->cells * sizeof *t.branch_says);
    t.effect = arena_alloc(arena, (d->cells + 1) * d->variants * sizeof *t.effect);
    number_branches(&t);
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        for (size_t c = 0; c < d->cells; c++)
            settle_level(&t, c);
        for (size_t v = 0; v < d->variants; v++)
            grow_variant(&t, v);
    }
    for (size_t c = 0; c <= d->cells; c++)
        say(&t, c, ret + c * d->variants);
    belief_overall(d, true, ret, arena);
}
