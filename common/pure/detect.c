/* SPDX-License-Identifier: Apache-2.0 */
/* detect.c - one pass over the borders of a series, the series of four levels, and the search over all of them. */
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

static double kl(double q, double p)
{
    return (q > 0 ? q * log(q / p) : 0) + (q < 1 ? (1 - q) * log((1 - q) / (1 - p)) : 0);
}

/* Bennett 1962: of all distributions on [-1, +1] with this mean and variance, one on two points strays most easily; -ln of the
 * bound on the chance that it takes `side` to its mean. */
static double surprise(const struct moments *side, double level, double variance)
{
    double off = mean(side) - level, room = off > 0 ? 1 - level : 1 + level, most = fmin(variance, 1 - level * level);

    if (!(room > 0) || !(most > 0))
        return off == 0 ? 0 : INFINITY;
    double p = most / (most + room * room), step = fabs(off) * room / (most + room * room);
    return side->n * kl(fmin(1, p + step), p);
}

/* Could rewards of this mean and variance, if they are skewed enough, have parted like that? */
static bool by_chance(const struct detect_settings *s, const struct moments *all, const struct moments *before,
                      const struct moments *after)
{
    double variance = (prior_strength * s->variance + scatter(all) / 2) / (prior_strength + all->n / 2);

    return surprise(before, mean(all), variance) + surprise(after, mean(all), variance) <=
           log(sqrt(1 + all->n) / s->delta);
}

struct change detect_change(const struct detect_settings *s, const struct moments *buckets, size_t count)
{
    struct moments all = {0, 0, 0}, before = {0, 0, 0};
    struct change best = {.found = false};
    double b = prior_strength * s->variance;

    assert(s->delta > 0 && s->delta < 1 && s->variance > 0);
    for (size_t i = 0; i < count; i++)
        add(&all, &buckets[i]);
    double threshold = log(3 * pow(fmax(1, all.n), 1.5) / s->delta), one = scatter(&all);
    /* Above this no logarithm is needed: most borders are. */
    double enough = (b + one / 2) * exp(-threshold / (prior_strength + all.n / 2));
    for (size_t i = 0; i + 1 < count; i++) {
        add(&before, &buckets[i]);
        struct moments after = {all.n - before.n, all.sum - before.sum, all.sum_sq - before.sum_sq};
        if (!(before.n > 0) || !(after.n > 0) || !(buckets[i + 1].n > 0))
            continue;
        double two = fmin(one, scatter(&before) + scatter(&after));
        if (b + two / 2 > enough * (1 + 1e-9))
            continue;
        double glr = (prior_strength + all.n / 2) * log((b + one / 2) / (b + two / 2));
        if (glr - threshold > best.evidence && !by_chance(s, &all, &before, &after))
            best = (struct change){.found = true, .since = i + 1, .evidence = glr - threshold, .explained = one - two,
                                   .before = mean(&before), .after = mean(&after)};
    }
    return best;
}

/* --- the series of four levels
 * ------------------------------------------------------------------------------------------------------------ */

/* [cell][variant]: over all hours, row by row as they lie in memory. */
static struct moments *over_hours(const struct detect_table *t, struct arena *arena)
{
    size_t pairs = t->cells * t->variants;
    struct moments *sums = arena_alloc(arena, pairs * sizeof *sums);

    for (size_t h = 0; h < t->hours; h++)
        for (size_t i = 0; i < pairs; i++)
            add(&sums[i], &t->own[h * pairs + i]);
    return sums;
}

/* Rewards less `level`. */
static struct moments shifted(const struct moments *m, double level)
{
    return (struct moments){m->n, m->sum - m->n * level, m->sum_sq - 2 * level * m->sum + m->n * level * level};
}

static bool names_cell(enum detect_level level) { return level == DETECT_ARM || level == DETECT_CELL; }
static bool names_variant(enum detect_level level) { return level == DETECT_ARM || level == DETECT_VARIANT; }

/* What a level touches: cells and variants from the first to before the last. */
struct block {
    size_t cell, cells, variant, variants;
};

static struct block block_of(const struct detect_table *t, enum detect_level level, size_t cell, size_t variant)
{
    return (struct block){.cell = names_cell(level) ? cell : 0, .cells = names_cell(level) ? cell + 1 : t->cells,
                          .variant = names_variant(level) ? variant : 0,
                          .variants = names_variant(level) ? variant + 1 : t->variants};
}

static struct moments over_all(const struct detect_table *t, const struct moments *sums, const struct block *b)
{
    struct moments sum = {0, 0, 0};

    for (size_t c = b->cell; c < b->cells; c++)
        for (size_t v = b->variant; v < b->variants; v++)
            add(&sum, &sums[c * t->variants + v]);
    return sum;
}

/* sums: over_hours. */
static struct moments *series_of(const struct detect_table *t, const struct moments *sums, const struct block *b,
                                 struct arena *arena)
{
    struct moments *series = arena_alloc(arena, t->hours * sizeof *series), whole = over_all(t, sums, b);

    for (size_t h = 0; h < t->hours; h++)
        for (size_t c = b->cell; c < b->cells; c++)
            for (size_t v = b->variant; v < b->variants; v++) {
                size_t pair = c * t->variants + v;
                const struct moments *own = &t->own[h * t->cells * t->variants + pair];
                if (!(own->n > 0))
                    continue;
                struct moments m = shifted(own, mean(&sums[pair]) - mean(&whole));
                add(&series[h], &m);
            }
    return series;
}

struct moments *detect_series(const struct detect_table *t, enum detect_level level, size_t cell, size_t variant,
                              struct arena *arena)
{
    struct block b = block_of(t, level, cell, variant);

    return series_of(t, over_hours(t, arena), &b, arena);
}

/* --- the search
 * ------------------------------------------------------------------------------------------------------------------------------
 */

bool detect_touches(const struct found *f, size_t cell, size_t variant)
{
    return (!names_cell(f->level) || cell == f->cell) && (!names_variant(f->level) || variant == f->variant);
}

struct search {
    const struct detect_settings *settings;
    const struct detect_table *table;
    const struct moments *sums; /* over_hours of the table as it is */
    struct arena arena;         /* of one series */
    struct found best;          /* so far, if best.change.found */
};

static void look(struct search *s, enum detect_level level, size_t cell, size_t variant)
{
    struct block b = block_of(s->table, level, cell, variant);
    const struct moments *series = series_of(s->table, s->sums, &b, &s->arena);
    struct change change = detect_change(s->settings, series, s->table->hours);

    if (change.found && (!s->best.change.found || change.explained > s->best.change.explained))
        s->best = (struct found){.level = level, .cell = cell, .variant = variant, .change = change};
    arena_reset(&s->arena);
}

static bool search(struct search *s)
{
    const struct detect_table *t = s->table;
    struct arena sums = {0};

    s->sums = over_hours(t, &sums);
    s->best = (struct found){.change.found = false};
    look(s, DETECT_ALL, 0, 0);
    for (size_t c = 0; t->cells > 1 && c < t->cells; c++)
        look(s, DETECT_CELL, c, 0);
    for (size_t v = 0; t->cells > 1 && v < t->variants; v++)
        look(s, DETECT_VARIANT, 0, v);
    for (size_t i = 0; i < t->cells * t->variants; i++)
        look(s, DETECT_ARM, i / t->variants, i % t->variants);
    arena_done(&sums);
    return s->best.change.found;
}

static void forget(struct detect_table *t, const struct found *f)
{
    for (size_t h = 0; h < f->change.since; h++)
        for (size_t i = 0; i < t->cells * t->variants; i++)
            if (detect_touches(f, i / t->variants, i % t->variants))
                t->own[h * t->cells * t->variants + i] = (struct moments){0, 0, 0};
}

size_t detect_restarts(const struct detect_settings *settings, struct detect_table *table, struct found ret[DETECT_MOST])
{
    struct search s = {.settings = settings, .table = table};
    size_t count = 0;

    while (count < DETECT_MOST && table->hours > 1 && search(&s)) {
        ret[count++] = s.best;
        forget(table, &s.best);
    }
    arena_done(&s.arena);
    return count;
}
