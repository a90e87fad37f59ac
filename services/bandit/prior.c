/* SPDX-License-Identifier: Apache-2.0 */
/* prior.c - rows of a prior become sums of imaginary calls, and these join the table. */
#include "prior.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "log.h"

enum { SECONDS_PER_HOUR = 3600 };

static const char *const times[] = {"morning", "afternoon", "evening", "night"};
enum { TIMES = sizeof times / sizeof *times };

/* ---- cells ----------------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Sorted, each once. */
static size_t sort_names(const char **names, size_t count)
{
    size_t kept = 0;

    if (count)
        qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++)
        if (!kept || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    return kept;
}

static size_t find(const char *const *names, size_t count, const char *name)
{
    const char *const *at = count ? bsearch(&name, names, count, sizeof *names, by_name) : NULL;

    return at ? (size_t)(at - names) : count;
}

static const char *cell_name(const struct config_list *profiles, size_t i, struct arena *arena)
{
    char cell[CELL_SIZE];

    context_cell(profiles->items[i / TIMES], times[i % TIMES], cell);
    return arena_str(arena, cell);
}

/* ---- sums ------------------------------------------------------------------------------------------------------------------ */

static double micro(double x) { return round(x * REWARD_SCALE) / REWARD_SCALE; }

/* Squares about the mean as (calls - 1) spread^2: a pooled variance divides them by calls - 1, so that a fraction of
 * a call says nothing of it. */
static void add(struct moments *m, const struct prior_row *row, double calls)
{
    m->n += calls;
    m->sum += calls * row->mean;
    m->sum_sq += calls * row->mean * row->mean + fmax(0, calls - 1) * row->spread * row->spread;
}

static double scale_of(const struct prior_file *file, const char *variant, double strength)
{
    double calls = 0;

    for (size_t i = 0; i < file->count; i++)
        calls += strcmp(file->rows[i].variant, variant) == 0 ? file->rows[i].calls : 0;
    return calls > strength ? strength / calls : 1;
}

/* One row, scaled, into the column of its variant. */
static void place(struct prior *p, struct moments *column, const struct prior_row *row, double calls,
                  const struct prior_settings *s)
{
    size_t contexts = s->profiles->count * TIMES, count = s->variants->count;
    char cell[CELL_SIZE];

    if (row->cell[0])
        add(&column[find(p->cells, p->cell_count, row->cell) * count], row, calls);
    for (size_t i = 0; !row->cell[0] && i < contexts; i++) {
        context_cell(s->profiles->items[i / TIMES], times[i % TIMES], cell);
        add(&column[find(p->cells, p->cell_count, cell) * count], row, calls / (double)contexts);
    }
}

struct prior prior_new(const struct prior_file *file, const struct prior_settings *s, struct arena *arena)
{
    size_t contexts = s->profiles->count * TIMES, count = s->variants->count;
    struct prior p = {.reward_version = file->reward_version, .as_of = file->as_of,
                      .cells = arena_alloc(arena, (contexts + file->count) * sizeof *p.cells)};

    for (size_t i = 0; i < contexts; i++)
        p.cells[p.cell_count++] = cell_name(s->profiles, i, arena);
    for (size_t i = 0; i < file->count; i++)
        if (file->rows[i].cell[0])
            p.cells[p.cell_count++] = file->rows[i].cell;
    p.cell_count = sort_names(p.cells, p.cell_count);
    struct moments *own = arena_alloc(arena, p.cell_count * count * sizeof *own);
    for (size_t i = 0; i < file->count; i++) {
        int v = variants_find(s->variants, file->rows[i].variant);
        if (v >= 0)
            place(&p, own + v, &file->rows[i], file->rows[i].calls * scale_of(file, file->rows[i].variant, s->strength), s);
    }
    for (size_t i = 0; i < p.cell_count * count; i++)
        own[i] = (struct moments){micro(own[i].n), micro(own[i].sum), micro(own[i].sum_sq)};
    p.own = own;
    return p;
}

enum status prior_load(const char *path, const struct prior_settings *s, struct arena *arena, struct prior *ret,
                       struct reason *reason)
{
    struct prior_file file;
    enum status status = prior_file_load(arena, path, &(struct prior_terms){.profiles = s->profiles, .variants = s->variants},
                                         &file, reason);
    const char *before = "";

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < file.count; before = file.rows[i++].variant)
        if (variants_find(s->variants, file.rows[i].variant) < 0 && strcmp(before, file.rows[i].variant) != 0)
            log_warning("prior.skipped", "variant=%s rule=\"is no configured variant\"", file.rows[i].variant);
    *ret = prior_new(&file, s, arena);
    return STATUS_OK;
}

double prior_calls(const struct prior *p, const struct variants *variants, size_t variant)
{
    double calls = 0;

    for (size_t c = 0; c < p->cell_count; c++)
        calls += p->own[c * variants->count + variant].n;
    return calls;
}

/* ---- joining --------------------------------------------------------------------------------------------------------------- */

static size_t place_in(const struct grid *g, const char *cell)
{
    size_t c = 0;

    while (c < g->cell_count && strcmp(g->cells[c], cell) != 0)
        c++;
    return c;
}

/* The table of the grid, then lines for the cells that only the prior has; ret_line: where each cell of the prior is. */
static struct grid widen(const struct prior *p, const struct grid *g, size_t *ret_line, struct arena *arena)
{
    struct grid wide = *g;
    size_t most = g->cell_count + p->cell_count, pairs = g->cell_count * g->variant_count;
    struct stats *own = arena_alloc(arena, most * g->variant_count * sizeof *own);

    wide.cells = arena_alloc(arena, most * sizeof *wide.cells);
    if (pairs) {
        memcpy(wide.cells, g->cells, g->cell_count * sizeof *wide.cells);
        memcpy(own, g->own, pairs * sizeof *own);
    }
    wide.own = own;
    for (size_t c = 0; c < p->cell_count; c++) {
        ret_line[c] = place_in(g, p->cells[c]);
        if (ret_line[c] < g->cell_count)
            continue;
        ret_line[c] = wide.cell_count;
        wide.cells[wide.cell_count++] = p->cells[c];
    }
    return wide;
}

static double weight(const struct prior *p, const struct prior_age *age)
{
    int64_t hours = age->now - p->as_of / SECONDS_PER_HOUR;

    return age->half_life > 0 && p->as_of && hours > 0 ? exp2(-(double)hours / age->half_life) : 1;
}

struct grid prior_join(const struct prior *p, const struct grid *g, const struct prior_age *age, struct arena *arena)
{
    if (!p || (p->reward_version[0] && strcmp(p->reward_version, g->version) != 0))
        return *g;
    size_t *line = arena_alloc(arena, p->cell_count * sizeof *line), count = g->variant_count;
    struct grid wide = widen(p, g, line, arena);
    const int64_t *from = age->restarts ? restarts_from(age->restarts, &wide, arena) : NULL;
    struct moments *moments = arena_alloc(arena, wide.cell_count * count * sizeof *moments);
    double *calls = arena_alloc(arena, wide.cell_count * count * sizeof *calls), factor = weight(p, age);

    for (size_t i = 0; i < g->cell_count * count; i++)
        moments[i] = g->moments ? g->moments[i] : stats_moments(&g->own[i]);
    for (size_t i = 0; i < p->cell_count * count; i++) {
        const struct moments *add = &p->own[i];
        size_t at = line[i / count] * count + i % count;
        if (from && from[at] > p->as_of / SECONDS_PER_HOUR)
            continue;
        calls[at] = factor * add->n;
        moments[at] = (struct moments){moments[at].n + factor * add->n, moments[at].sum + factor * add->sum,
                                       moments[at].sum_sq + factor * add->sum_sq};
    }
    wide.moments = moments;
    wide.prior = calls;
    return wide;
}
