/* SPDX-License-Identifier: Apache-2.0 */
/* detect.c - one pass over the borders of a series, and the series of four levels. */
#include "detect.h"

#include <assert.h>
#include <math.h>

static const double prior_strength = 4; /* a: as much trust in the expected variance as eight rewards earn */

const char *const detect_level_names[] = {"arm", "variant", "cell", "all", NULL};

static void add(struct moments *into, const struct moments *m)
{
    *into = (struct moments){into->n + m->n, into->sum + m->sum, into->sum_sq + m->sum_sq};
}

/* Squares about the own mean; rounding may leave a little less than nothing. */
static double scatter(const struct moments *m) { return m->n > 0 ? fmax(0, m->sum_sq - m->sum * m->sum / m->n) : 0; }

static double mean(const struct moments *m) { return m->n > 0 ? m->sum / m->n : 0; }

struct change detect_change(const struct detect_settings *s, const struct moments *buckets, size_t count)
{
    struct moments all = {0, 0, 0}, before = {0, 0, 0};
    struct change best = {.evidence = -INFINITY};
    double b = prior_strength * s->variance;

    assert(s->delta > 0 && s->delta < 1 && s->variance > 0);
    for (size_t i = 0; i < count; i++)
        add(&all, &buckets[i]);
    double threshold = log(3 * pow(fmax(1, all.n), 1.5) / s->delta), one = scatter(&all);
    for (size_t i = 0; i + 1 < count; i++) {
        add(&before, &buckets[i]);
        struct moments after = {all.n - before.n, all.sum - before.sum, all.sum_sq - before.sum_sq};
        if (!(before.n > 0) || !(after.n > 0) || !(buckets[i + 1].n > 0))
            continue;
        double two = scatter(&before) + scatter(&after),
               glr = (prior_strength + all.n / 2) * log((b + one / 2) / (b + fmin(one, two) / 2));
        if (glr - threshold > best.evidence)
            best = (struct change){.since = i + 1, .evidence = glr - threshold, .before = mean(&before), .after = mean(&after)};
    }
    best.found = best.evidence > 0;
    return best;
}

/* --- the series of four levels
 * ------------------------------------------------------------------------------------------------------------ */

static const struct moments *at(const struct detect_table *t, size_t hour, size_t cell, size_t variant)
{
    return &t->own[(hour * t->cells + cell) * t->variants + variant];
}

static struct moments over_hours(const struct detect_table *t, size_t cell, size_t variant)
{
    struct moments sum = {0, 0, 0};

    for (size_t h = 0; h < t->hours; h++)
        add(&sum, at(t, h, cell, variant));
    return sum;
}

/* Rewards less `level`. */
static struct moments shifted(const struct moments *m, double level)
{
    return (struct moments){m->n, m->sum - m->n * level, m->sum_sq - 2 * level * m->sum + m->n * level * level};
}

struct moments *detect_series(const struct detect_table *t, enum detect_level level, size_t cell, size_t variant,
                              struct arena *arena)
{
    struct moments *series = arena_alloc(arena, t->hours * sizeof *series);

    for (size_t c = 0; c < t->cells; c++)
        for (size_t v = 0; v < t->variants; v++) {
            if (((level == DETECT_ARM || level == DETECT_CELL) && c != cell) ||
                ((level == DETECT_ARM || level == DETECT_VARIANT) && v != variant))
                continue;
            struct moments all = over_hours(t, c, v);
            for (size_t h = 0; h < t->hours && all.n > 0; h++) {
                struct moments m = shifted(at(t, h, c, v), level == DETECT_ARM ? 0 : mean(&all));
                add(&series[h], &m);
            }
        }
    return series;
}
