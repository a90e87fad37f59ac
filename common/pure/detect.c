/* SPDX-License-Identifier: Apache-2.0 */
/* detect.c - one change against none, in a series of rewards. */
#include "detect.h"

#include <math.h>

const char *const detect_level_names[] = {"arm", "variant", "cell", "all", NULL};

static const double prior_shape = 4;

static void add(struct moments *into, const struct moments *m)
{
    into->n += m->n;
    into->sum += m->sum;
    into->sum_sq += m->sum_sq;
}

/* Squares about the mean. */
static double scatter(const struct moments *m) { return m->n > 0 ? fmax(0, m->sum_sq - m->sum * m->sum / m->n) : 0; }

static double mean(const struct moments *m) { return m->n > 0 ? m->sum / m->n : 0; }

struct change detect_change(const struct detect_settings *settings, const struct moments *buckets, size_t count)
{
    struct moments all = {0}, before = {0};
    struct change change = {.evidence = -INFINITY};
    double least = INFINITY, b = prior_shape * settings->variance;

    for (size_t i = 0; i < count; i++)
        add(&all, &buckets[i]);
    for (size_t i = 0; i + 1 < count; i++) {
        add(&before, &buckets[i]);
        struct moments after = {all.n - before.n, all.sum - before.sum, all.sum_sq - before.sum_sq};
        double split = scatter(&before) + scatter(&after);
        if (buckets[i].n <= 0 || after.n <= 0 || split >= least)
            continue;
        least = split;
        change.since = i + 1;
        change.before = mean(&before);
        change.after = mean(&after);
    }
    if (change.since)
        change.evidence = (prior_shape + all.n / 2) * log((b + scatter(&all) / 2) / (b + least / 2)) - log(3 * all.n * sqrt(all.n) / settings->delta);
    change.found = change.evidence > 0;
    return change;
}

static bool within(enum detect_level level, const struct detect_table *t, size_t pair, size_t cell, size_t variant)
{
    bool same_cell = pair / t->variants == cell, same_variant = pair % t->variants == variant;

    return (same_cell || level == DETECT_VARIANT || level == DETECT_ALL) && (same_variant || level == DETECT_CELL || level == DETECT_ALL);
}

/* Moments of what is left of rewards less `mu`. */
static struct moments less(const struct moments *m, double mu)
{
    return (struct moments){m->n, m->sum - m->n * mu, m->sum_sq - 2 * mu * m->sum + m->n * mu * mu};
}

struct moments *detect_series(const struct detect_table *t, enum detect_level level, size_t cell, size_t variant, struct arena *arena)
{
    size_t pairs = t->cells * t->variants;
    struct moments *series = arena_alloc(arena, t->hours * sizeof *series);

    for (size_t pair = 0; pair < pairs; pair++) {
        struct moments all = {0};
        if (!within(level, t, pair, cell, variant))
            continue;
        for (size_t h = 0; h < t->hours && level != DETECT_ARM; h++)
            add(&all, &t->own[h * pairs + pair]);
        for (size_t h = 0; h < t->hours; h++) {
            struct moments m = less(&t->own[h * pairs + pair], mean(&all));
            add(&series[h], &m);
        }
    }
    return series;
}
