/* SPDX-License-Identifier: Apache-2.0 */
/* restarts.c - the table `restart`, and the search for the next one. */
#include "restarts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- facts
 * --------------------------------------------------------------------------------------------------------------------------------
 */

static void append(struct restarts *r, const struct restart *restart)
{
    r->items = xrealloc(r->items, (r->count + 1) * sizeof *r->items);
    r->items[r->count++] = *restart;
}

void restarts_done(struct restarts *r)
{
    free(r->items);
    *r = (struct restarts){0};
}

enum status restarts_load(struct store *store, const char *version, struct restarts *ret)
{
    struct query *q =
        store_query(store, "SELECT level, cell, variant, hour, evidence FROM restart WHERE version = ? ORDER BY id");
    bool found = false;

    query_bind_text(q, 1, version);
    enum status status = query_step(q, &found);
    for (; status == STATUS_OK && found; status = query_step(q, &found)) {
        struct restart r = {.level = (enum detect_level)query_int(q, 0), .from = query_int(q, 3), .evidence = query_real(q, 4)};
        snprintf(r.cell, sizeof r.cell, "%s", query_text(q, 1));
        snprintf(r.variant, sizeof r.variant, "%s", query_text(q, 2));
        append(ret, &r);
    }
    return status;
}

enum status restarts_add(struct store *store, const char *version, const struct restart *r, int64_t now,
                         struct restarts *restarts)
{
    struct query *q = store_query(store, "INSERT INTO restart (version, level, cell, variant, hour, evidence, found_at, mean_before,"
                                         " mean_after, policy_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '')");

    query_bind_text(q, 1, version);
    query_bind_int(q, 2, r->level);
    query_bind_text(q, 3, r->cell);
    query_bind_text(q, 4, r->variant);
    query_bind_int(q, 5, r->from);
    query_bind_real(q, 6, r->evidence);
    query_bind_int(q, 7, now);
    query_bind_real(q, 8, r->before);
    query_bind_real(q, 9, r->after);
    enum status status = query_run(q, NULL);
    if (status == STATUS_OK)
        append(restarts, r);
    return status;
}

/* A name that is no longer in the grid touches nothing. */
static bool touches(const struct restart *r, const char *cell, const char *variant)
{
    return (!r->cell[0] || strcmp(r->cell, cell) == 0) && (!r->variant[0] || strcmp(r->variant, variant) == 0);
}

const int64_t *restarts_from(const struct restarts *r, const struct grid *g, struct arena *arena)
{
    int64_t *from = arena_alloc(arena, g->cell_count * g->variant_count * sizeof *from);

    for (size_t i = 0; i < r->count; i++)
        for (size_t at = 0; at < g->cell_count * g->variant_count; at++)
            if (touches(&r->items[i], g->cells[at / g->variant_count], g->variants->items[at % g->variant_count].id) &&
                r->items[i].from > from[at])
                from[at] = r->items[i].from;
    return r->count ? from : NULL;
}

/* --- the search
 * ------------------------------------------------------------------------------------------------------------------------------
 */

struct search {
    const struct grid *grid;
    const struct history *history;
    const struct detect_settings *settings;
    struct arena *arena;
    struct restart *best;
    bool found;
};

static void look(struct search *s, enum detect_level level, size_t cell, size_t variant)
{
    const struct detect_table *table = &s->history->table;
    struct change c = detect_change(s->settings, detect_series(table, level, cell, variant, s->arena), table->hours);

    if (!c.found || (s->found && c.evidence <= s->best->evidence))
        return;
    s->found = true;
    *s->best = (struct restart){
        .level = level, .from = s->history->hours[c.since], .evidence = c.evidence, .before = c.before, .after = c.after};
    if (level == DETECT_ARM || level == DETECT_CELL)
        snprintf(s->best->cell, sizeof s->best->cell, "%s", s->grid->cells[cell]);
    if (level == DETECT_ARM || level == DETECT_VARIANT)
        snprintf(s->best->variant, sizeof s->best->variant, "%s", s->grid->variants->items[variant].id);
}

bool restarts_find(const struct ledger *ledger, const struct grid *g, const struct restarts *r,
                   const struct detect_settings *settings, struct restart *ret)
{
    struct arena arena = {0};
    struct history history = ledger_history(ledger, g, restarts_from(r, g, &arena), &arena);
    struct search s = {.grid = g, .history = &history, .settings = settings, .arena = &arena, .best = ret};

    if (history.table.hours > 1) {
        look(&s, DETECT_ALL, 0, 0);
        for (size_t c = 0; c < g->cell_count; c++)
            look(&s, DETECT_CELL, c, 0);
        for (size_t v = 0; v < g->variant_count; v++)
            look(&s, DETECT_VARIANT, 0, v);
        for (size_t i = 0; i < g->cell_count * g->variant_count; i++)
            look(&s, DETECT_ARM, i / g->variant_count, i % g->variant_count);
    }
    arena_done(&arena);
    return s.found;
}
