/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_read.c - what can be asked of the ledger: the sums as a table, single rewards, and whether both still agree. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_internal.h"

enum { SECONDS_PER_HOUR = 3600 };

const struct sums *ledger_sums(const struct ledger *l) { return &l->sums; }

int64_t ledger_rows(const struct ledger *l) { return l->row_total; }

int64_t ledger_newest(const struct ledger *l) { return l->newest_ts; }

int64_t ledger_kept_from(const struct ledger *l) { return l->rows_from / LEDGER_HOURS_PER_DAY; }

int64_t ledger_calls(const struct ledger *l, const char *version, const char *variant)
{
    uint32_t in = ledger_name(l, version), of = ledger_name(l, variant);
    int64_t n = 0;

    for (const struct bucket *b = bucket_next(&l->sums.totals, NULL); b; b = bucket_next(&l->sums.totals, b))
        n += b->key.version == in && (!variant[0] || b->key.variant == of) ? b->stats.n : 0;
    return n;
}

int64_t ledger_changes(const struct ledger *l) { return l->changes; }

bool ledger_knows(const struct ledger *l, const char *name) { return ledger_name(l, name) != 0; }

/* --- the table -------------------------------------------------------------------------------------------------------------------------- */

/* Index of each name among the configured variants, or -1. */
static int *columns(const struct ledger *l, const struct variants *variants, struct arena *arena)
{
    int *column = arena_alloc(arena, (l->name_count + 1) * sizeof *column);

    for (size_t id = 0; id <= l->name_count; id++)
        column[id] = -1;
    for (size_t v = 0; v < variants->count; v++) {
        uint32_t id = ledger_name(l, variants->items[v].id);
        if (id)
            column[id] = (int)v;
    }
    return column;
}

static bool wanted(const struct bucket *b, uint32_t version, const int *column)
{
    return b->key.version == version && column[b->key.variant] >= 0 && b->stats.n > 0;
}

struct grid ledger_grid(const struct ledger *l, const char *version, const struct variants *variants, struct arena *arena)
{
    const struct bucket_table *totals = &l->sums.totals;
    const int *column = columns(l, variants, arena);
    size_t *line = arena_alloc(arena, (l->name_count + 1) * sizeof *line); /* by name id: 1 + place among the cells */
    struct grid g = {.version = version, .variants = variants, .variant_count = variants->count, .cells = arena_alloc(arena, (l->name_count + 1) * sizeof *g.cells)};
    uint32_t id = ledger_name(l, version);

    for (const struct bucket *b = bucket_next(totals, NULL); b; b = bucket_next(totals, b))
        line[b->key.cell] |= wanted(b, id, column);
    for (size_t i = 0; i < l->name_count; i++) {
        uint32_t cell = l->names[i].id;
        if (!line[cell])
            continue;
        g.cells[g.cell_count++] = l->names[i].text;
        line[cell] = g.cell_count;
    }
    struct stats *own = arena_alloc(arena, g.cell_count * g.variant_count * sizeof *own);
    struct stats *all = arena_alloc(arena, g.variant_count * sizeof *all);
    for (const struct bucket *b = bucket_next(totals, NULL); b; b = bucket_next(totals, b)) {
        if (!wanted(b, id, column))
            continue;
        own[(line[b->key.cell] - 1) * g.variant_count + (size_t)column[b->key.variant]] = b->stats;
        stats_add(&all[column[b->key.variant]], &b->stats);
    }
    g.own = own;
    g.all = all;
    return g;
}

/* No bucket has calls from both before and after a restart, so its start tells on which side it is. */
static int64_t start_of(const struct bucket *b) { return b->key.hour == BUCKET_OPENING ? 0 : b->key.hour; }

/* What is older than the opening border is as old as it. */
static int64_t hour_of(const struct ledger *l, const struct bucket *b)
{
    return b->key.hour < l->sums.borders.opening ? l->sums.borders.opening : b->key.hour;
}

static double weight_of(const struct forgetting *f, int64_t hour)
{
    return f->half_life > 0 && f->now > hour ? exp2(-(double)(f->now - hour) / f->half_life) : 1;
}

/* Where the buckets of a grid belong. */
struct places {
    uint32_t version;
    const int *column;
    size_t *line; /* by name id of the cell */
};

static struct places places_of(const struct ledger *l, const struct grid *g, struct arena *arena)
{
    struct places p = {.version = ledger_name(l, g->version), .column = columns(l, g->variants, arena),
                       .line = arena_alloc(arena, (l->name_count + 1) * sizeof *p.line)};

    for (size_t c = 0; c < g->cell_count; c++)
        p.line[ledger_name(l, g->cells[c])] = c;
    return p;
}

static size_t place(const struct places *p, const struct grid *g, const struct bucket *b)
{
    return p->line[b->key.cell] * g->variant_count + (size_t)p->column[b->key.variant];
}

void ledger_forget(const struct ledger *l, const struct forgetting *f, struct grid *g, struct arena *arena)
{
    struct places places = places_of(l, g, arena);
    struct moments *moments = arena_alloc(arena, g->cell_count * g->variant_count * sizeof *moments);

    for (const struct bucket *b = bucket_next(&l->sums.hours, NULL); b; b = bucket_next(&l->sums.hours, b)) {
        if (!wanted(b, places.version, places.column))
            continue;
        size_t at = place(&places, g, b);
        if (f->from && start_of(b) < f->from[at])
            continue;
        struct moments *m = &moments[at], add = stats_moments(&b->stats);
        double weight = weight_of(f, hour_of(l, b));
        *m = (struct moments){m->n + weight * add.n, m->sum + weight * add.sum, m->sum_sq + weight * add.sum_sq};
    }
    g->moments = moments;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

struct history ledger_history(const struct ledger *l, const struct grid *g, const int64_t *from, struct arena *arena)
{
    struct places places = places_of(l, g, arena);
    int64_t *hours = arena_alloc(arena, l->sums.hours.count * sizeof *hours);
    size_t pairs = g->cell_count * g->variant_count, count = 0, distinct = 0;

    for (const struct bucket *b = bucket_next(&l->sums.hours, NULL); b; b = bucket_next(&l->sums.hours, b))
        if (wanted(b, places.version, places.column))
            hours[count++] = start_of(b);
    if (count)
        qsort(hours, count, sizeof *hours, ascending);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || hours[i] != hours[distinct - 1])
            hours[distinct++] = hours[i];
    struct moments *own = arena_alloc(arena, distinct * pairs * sizeof *own);
    for (const struct bucket *b = bucket_next(&l->sums.hours, NULL); b; b = bucket_next(&l->sums.hours, b)) {
        if (!wanted(b, places.version, places.column))
            continue;
        int64_t hour = start_of(b);
        size_t at = place(&places, g, b), row = (size_t)((int64_t *)bsearch(&hour, hours, distinct, sizeof *hours, ascending) - hours);
        struct moments *m = &own[row * pairs + at], add = stats_moments(&b->stats);
        if (!from || hour >= from[at])
            *m = (struct moments){m->n + add.n, m->sum + add.sum, m->sum_sq + add.sum_sq};
    }
    return (struct history){.table = {.hours = distinct, .cells = g->cell_count, .variants = g->variant_count, .own = own}, .hours = hours};
}

struct stats grid_own(const struct grid *g, const struct variants *variants, const char *cell, const char *variant)
{
    int v = variants_find(variants, variant);

    for (size_t c = 0; v >= 0 && c < g->cell_count; c++)
        if (strcmp(g->cells[c], cell) == 0)
            return g->own[c * g->variant_count + (size_t)v];
    return (struct stats){0};
}

/* --- check -------------------------------------------------------------------------------------------------------------------------------- */

static enum status fold_all(struct ledger *l, struct sums *into, int64_t *ret_rows)
{
    struct query *q = store_query(l->store, "SELECT revision, version, cell, variant, hour, flags, signals, reward FROM ledger");
    bool found = false;
    enum status status = query_step(q, &found);

    for (*ret_rows = 0; status == STATUS_OK && found; status = query_step(q, &found), ++*ret_rows) {
        struct row row = {.revision = query_int(q, 0), .version = (uint32_t)query_int(q, 1), .cell = (uint32_t)query_int(q, 2),
                          .variant = (uint32_t)query_int(q, 3), .hour = query_int(q, 4), .flags = (uint32_t)query_int(q, 5),
                          .signals = (uint64_t)query_int(q, 6), .reward = query_int(q, 7)};
        struct bucket_key key;
        struct stats stats;
        if (row_contribution(&row, &key, &stats))
            sums_add(into, &key, &stats);
    }
    return status;
}

/* What no row tells any more is taken as it is. */
static int64_t start_from(const struct sums *given_up, struct sums *into)
{
    int64_t calls = 0;

    for (const struct bucket *b = bucket_next(&given_up->hours, NULL); b; b = bucket_next(&given_up->hours, b)) {
        sums_load(into, &b->key, &b->stats);
        calls += b->stats.n;
    }
    return calls;
}

static void describe(const struct ledger *l, const struct sums *folded, struct bucket_key key, struct ledger_check *check)
{
    struct stats live = bucket_stats(&l->sums.hours, &key), fold = bucket_stats(&folded->hours, &key);

    snprintf(check->first, sizeof check->first, "%.20s %.60s %.20s hour %lld: n %lld, the ledger says %lld", l->by_id[key.version],
             l->by_id[key.cell], l->by_id[key.variant], (long long)key.hour, (long long)live.n, (long long)fold.n);
}

enum status ledger_check(struct ledger *l, struct ledger_check *ret)
{
    struct sums folded = {.borders = l->sums.borders};
    struct ledger_check check = {.given_up = start_from(&l->given_up, &folded)};
    struct bucket_key first;

    assert(l->row_count == 0);
    enum status status = fold_all(l, &folded, &check.rows);
    if (status == STATUS_OK) {
        check.differences = sums_compare(&l->sums, &folded, &check.buckets, &first);
        if (check.differences)
            describe(l, &folded, first, &check);
        *ret = check;
    }
    sums_done(&folded);
    return status;
}

/* --- two versions ------------------------------------------------------------------------------------------------------------------------- */

/* Welford (1962). */
static void pair_add(struct paired *p, double difference)
{
    double before = difference - p->mean;

    p->mean += before / (double)++p->n;
    p->squares += before * (difference - p->mean);
}

enum status ledger_pairs(struct ledger *l, const char *active, const char *other, const struct variants *variants, struct paired *ret_paired)
{
    struct query *q = store_query(l->store, "SELECT a.variant, b.reward - a.reward FROM ledger a JOIN ledger b ON b.day = a.day"
                                            " AND b.call_key = a.call_key AND b.version = ?2 WHERE a.version = ?1 AND b.revision = a.revision"
                                            " AND b.variant = a.variant AND (a.flags | b.flags) & ?3 = 0");
    struct arena arena = {0};
    const int *column = columns(l, variants, &arena);
    bool row = false;
    enum status status;

    query_bind_int(q, 1, ledger_name(l, active));
    query_bind_int(q, 2, ledger_name(l, other));
    query_bind_int(q, 3, CALL_RETRACTED | CALL_RESET);
    while ((status = query_step(q, &row)) == STATUS_OK && row)
        if (column[query_int(q, 0)] >= 0)
            pair_add(&ret_paired[column[query_int(q, 0)]], (double)query_int(q, 1) / REWARD_SCALE);
    arena_done(&arena);
    return status;
}

/* --- single rewards ----------------------------------------------------------------------------------------------------------------------- */

static bool in_profile(const char *cell, const char *profile)
{
    size_t length = strlen(profile);

    return length == 0 || (strncmp(cell, profile, length) == 0 && cell[length] == '/');
}

enum status ledger_rewards(struct ledger *l, const struct reward_filter *f, int64_t **ret_rewards, size_t *ret_count)
{
    struct query *q = store_query(l->store, "SELECT reward, cell FROM ledger WHERE version = ?1 AND (?2 < 0 OR variant = ?2) AND hour >= ?3"
                                            " AND flags & ?4 = 0");
    int64_t *rewards = NULL;
    size_t count = 0, capacity = 0;
    bool row = false;

    query_bind_int(q, 1, ledger_name(l, f->version));
    query_bind_int(q, 2, f->variant[0] ? (int64_t)ledger_name(l, f->variant) : -1);
    query_bind_int(q, 3, f->from / SECONDS_PER_HOUR);
    query_bind_int(q, 4, CALL_RETRACTED | CALL_RESET);
    enum status status = query_step(q, &row);
    for (; status == STATUS_OK && row; status = query_step(q, &row)) {
        if (!in_profile(l->by_id[query_int(q, 1)], f->profile))
            continue;
        if (count == capacity)
            rewards = xrealloc(rewards, (capacity = capacity ? capacity * 2 : 1024) * sizeof *rewards);
        rewards[count++] = query_int(q, 0);
    }
    if (status != STATUS_OK) {
        free(rewards);
        return status;
    }
    if (count)
        qsort(rewards, count, sizeof *rewards, ascending);
    *ret_rewards = rewards;
    *ret_count = count;
    return STATUS_OK;
}
