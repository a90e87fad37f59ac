/* SPDX-License-Identifier: Apache-2.0 */
/* restarts.c - the table `restart`, and the search for the next ones. */
#include "restarts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- facts ------------------------------------------------------------------------------------------------------------------ */

void restarts_append(struct restarts *r, const struct restart *restart)
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
        restarts_append(ret, &r);
    }
    return status;
}

enum status restarts_add(struct store *store, const char *version, const struct restart *r, int64_t now,
                         struct restarts *restarts)
{
    struct query *q = store_query(store,
                                  "INSERT INTO restart (version, level, cell, variant, hour, evidence, found_at, mean_before,"
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
        restarts_append(restarts, r);
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

/* --- the search ------------------------------------------------------------------------------------------------------------- */

struct restart restart_of(const struct found *f, const struct grid *g, int64_t from)
{
    struct restart r = {.level = f->level, .from = from, .evidence = f->change.evidence,
                        .before = f->change.before, .after = f->change.after};

    if (f->level == DETECT_ARM || f->level == DETECT_CELL)
        snprintf(r.cell, sizeof r.cell, "%s", g->cells[f->cell]);
    if (f->level == DETECT_ARM || f->level == DETECT_VARIANT)
        snprintf(r.variant, sizeof r.variant, "%s", g->variants->items[f->variant].id);
    return r;
}

size_t restarts_find(const struct ledger *ledger, const struct grid *g, const struct restarts *r,
                     const struct detect_settings *settings, struct restart ret[DETECT_MOST])
{
    struct arena arena = {0};
    struct history history = ledger_history(ledger, g, restarts_from(r, g, &arena), &arena);
    struct found found[DETECT_MOST];
    size_t count = detect_restarts(settings, &history.table, found);

    for (size_t i = 0; i < count; i++)
        ret[i] = restart_of(&found[i], g, history.hours[found[i].change.since]);
    arena_done(&arena);
    return count;
}
