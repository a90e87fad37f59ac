/* SPDX-License-Identifier: Apache-2.0 */
/* guard_store.c - small tables, written when they changed. */
#include "guard_store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE(name) TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_##name

const char *const guard_migrations[GUARD_MIGRATIONS] = {
    "CREATE TABLE decided(variant TEXT PRIMARY KEY, drawn INTEGER NOT NULL, expected INTEGER NOT NULL,"
    " expected_sq INTEGER NOT NULL);"
    "CREATE TABLE verdict(variant TEXT PRIMARY KEY, verdict INTEGER NOT NULL);"
    /* Each move of a variant, with who, when and why: written by commands and rules. */
    "CREATE TABLE move(id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, variant TEXT NOT NULL, verdict INTEGER NOT NULL,"
    " who TEXT NOT NULL, why TEXT NOT NULL);"
    "CREATE TABLE counted(only INTEGER PRIMARY KEY CHECK(only = 1), intervals TEXT NOT NULL, highest INTEGER NOT NULL,"
    " highest_us INTEGER NOT NULL);"
    "CREATE TABLE limits(only INTEGER PRIMARY KEY CHECK(only = 1), version INTEGER NOT NULL, digest INTEGER NOT NULL);",
    "ALTER TABLE move ADD COLUMN command TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE move ADD COLUMN cell TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE released(variant TEXT PRIMARY KEY, n INTEGER NOT NULL, mean REAL NOT NULL);"
    "CREATE TABLE pin(cell TEXT PRIMARY KEY, variant TEXT NOT NULL);"
    "CREATE TABLE frozen(only INTEGER PRIMARY KEY CHECK(only = 1), frozen INTEGER NOT NULL);",
    "CREATE TABLE learned(only INTEGER PRIMARY KEY CHECK(only = 1), reward_version TEXT NOT NULL);",
};

static enum status load_decided(struct guard_store *g)
{
    struct query *q = store_query(g->store, "SELECT variant, drawn, expected, expected_sq FROM decided");
    enum status status;
    bool row;

    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        int v = variants_find(g->variants, query_text(q, 0));
        if (v >= 0)
            g->decided[v] = (struct decided){.drawn = query_int(q, 1), .expected = query_int(q, 2),
                                             .expected_sq = query_int(q, 3)};
    }
    return status;
}

static enum status load_verdicts(struct guard_store *g)
{
    struct query *q = store_query(g->store, "SELECT variant, verdict FROM verdict");
    enum status status;
    bool row;

    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        int v = variants_find(g->variants, query_text(q, 0));
        if (v >= 0)
            g->verdicts[v] = (enum verdict)query_int(q, 1);
    }
    return status;
}

static enum status load_released(struct guard_store *g)
{
    struct query *q = store_query(g->store, "SELECT variant, n, mean FROM released");
    enum status status;
    bool row;

    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        int v = variants_find(g->variants, query_text(q, 0));
        if (v < 0)
            continue;
        g->was_released[v] = true;
        g->released[v] = (struct own_total){.n = query_int(q, 1), .mean = query_real(q, 2)};
    }
    return status;
}

static enum status load_reward_version(struct guard_store *g)
{
    struct query *q = store_query(g->store, "SELECT reward_version FROM learned");
    bool row;
    enum status status = query_step(q, &row);

    if (status == STATUS_OK && row)
        snprintf(g->reward_version, sizeof g->reward_version, "%s", query_text(q, 0));
    query_reset(q);
    return status;
}

static enum status load_pins(struct guard_store *g)
{
    struct query *q = store_query(g->store, "SELECT cell, variant FROM pin ORDER BY cell");
    enum status status;
    bool row;

    g->pin_count = 0;
    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        int v = variants_find(g->variants, query_text(q, 1));
        if (v < 0 || g->pin_count == GUARD_PINS)
            continue;
        g->pins[g->pin_count].variant = (size_t)v;
        snprintf(g->pins[g->pin_count++].cell, GUARD_CELL_SIZE, "%s", query_text(q, 0));
    }
    return status;
}

static enum status load_frozen(struct guard_store *g)
{
    struct query *q = store_query(g->store, "SELECT frozen FROM frozen");
    bool row;
    enum status status = query_step(q, &row);

    g->frozen = status == STATUS_OK && row && query_int(q, 0);
    query_reset(q);
    return status;
}

static enum status load_counted(struct guard_store *g, struct reason *reason)
{
    struct query *q = store_query(g->store, "SELECT intervals, highest, highest_us FROM counted");
    bool row, valid = true;
    enum status status = query_step(q, &row);

    if (status == STATUS_OK && row) {
        valid = counted_parse(&g->counted, query_text(q, 0));
        g->counted.highest = (uint64_t)query_int(q, 1);
        g->counted.highest_us = query_int(q, 2);
    }
    query_reset(q);
    return valid ? status : reason_fail(reason, STATUS_CORRUPT, "guard.db",
                                        "table counted holds no intervals; move the file away to start afresh");
}

static enum status load_version(struct guard_store *g)
{
    struct query *q = store_query(g->store, "SELECT version, digest FROM limits");
    bool row;
    enum status status = query_step(q, &row);

    if (status == STATUS_OK && row) {
        g->version = query_int(q, 0);
        g->digest = (uint64_t)query_int(q, 1);
    }
    query_reset(q);
    return status;
}

enum status guard_store_open(struct guard_store *g, struct store *store, const struct variants *variants, struct reason *reason)
{
    g->store = store;
    g->variants = variants;
    enum status status = load_decided(g);
    if (status == STATUS_OK)
        status = load_verdicts(g);
    if (status == STATUS_OK)
        status = load_released(g);
    if (status == STATUS_OK)
        status = load_reward_version(g);
    if (status == STATUS_OK)
        status = load_pins(g);
    if (status == STATUS_OK)
        status = load_frozen(g);
    if (status == STATUS_OK)
        status = load_counted(g, reason);
    return status == STATUS_OK ? load_version(g) : status;
}

void guard_store_close(struct guard_store *g) { counted_done(&g->counted); }

void guard_store_count(struct guard_store *g, const PolicySelected *decision, uint64_t sequence, int64_t time_us)
{
    int drawn = variants_find(g->variants, decision->policy_variant);

    if (!counted_add(&g->counted, sequence, time_us))
        return;
    g->counted_dirty = true;
    if (decision->source != SOURCE(LEARNED)) /* not drawn: nothing to compare with */
        return;
    if (drawn >= 0) {
        g->decided[drawn].drawn++;
        g->decided[drawn].dirty = true;
    }
    for (size_t i = 0; i < decision->n_probabilities; i++) {
        int v = variants_find(g->variants, decision->probabilities[i]->key);
        int64_t p = (int64_t)llround(decision->probabilities[i]->value * 1e9);
        if (v < 0)
            continue;
        g->decided[v].expected += p;
        g->decided[v].expected_sq += (int64_t)llround((double)p * (double)p / 1e9);
        g->decided[v].dirty = true;
    }
}

int64_t guard_store_version(struct guard_store *g, uint64_t digest)
{
    if (g->version == 0 || g->digest != digest) {
        g->version++;
        g->digest = digest;
        g->version_dirty = true;
    }
    return g->version;
}

/* ---- decisions of operators and rules -------------------------------------------------------------------------------------- */

static enum status delete_pins(struct guard_store *g, const char *cell, const char *variant)
{
    struct query *q = store_query(g->store, "DELETE FROM pin WHERE cell = ? OR variant = ?");

    query_bind_text(q, 1, cell);
    query_bind_text(q, 2, variant);
    return query_run(q, NULL);
}

enum status guard_store_set_verdict(struct guard_store *g, size_t variant, enum verdict verdict)
{
    struct query *q = store_query(g->store, "INSERT OR REPLACE INTO verdict VALUES(?, ?)");

    query_bind_text(q, 1, g->variants->items[variant].id);
    query_bind_int(q, 2, verdict);
    enum status status = query_run(q, NULL);
    g->verdicts[variant] = verdict;
    if (status != STATUS_OK || verdict == VERDICT_NONE || verdict == VERDICT_PAROLE)
        return status;
    status = delete_pins(g, NULL, g->variants->items[variant].id);
    return status == STATUS_OK ? load_pins(g) : status;
}

enum status guard_store_set_released(struct guard_store *g, size_t variant, const struct own_total *total)
{
    struct query *q = store_query(g->store, "INSERT OR REPLACE INTO released VALUES(?, ?, ?)");

    query_bind_text(q, 1, g->variants->items[variant].id);
    query_bind_int(q, 2, total->n);
    query_bind_real(q, 3, total->mean);
    g->was_released[variant] = true;
    g->released[variant] = *total;
    return query_run(q, NULL);
}

enum status guard_store_follow(struct guard_store *g, const char *reward_version, const struct own_total *totals)
{
    struct query *q = store_query(g->store, "INSERT OR REPLACE INTO learned VALUES(1, ?)");
    bool other = g->reward_version[0] != '\0';
    enum status status = STATUS_OK;

    if (strncmp(g->reward_version, reward_version, sizeof g->reward_version - 1) == 0)
        return STATUS_OK;
    snprintf(g->reward_version, sizeof g->reward_version, "%s", reward_version);
    query_bind_text(q, 1, g->reward_version);
    status = query_run(q, NULL);
    for (size_t i = 0; other && i < g->variants->count && status == STATUS_OK; i++)
        if (g->was_released[i])
            status = guard_store_set_released(g, i, &totals[i]);
    return status;
}

enum status guard_store_set_pin(struct guard_store *g, const char *cell, int variant)
{
    enum status status = delete_pins(g, cell, NULL);

    if (status == STATUS_OK && variant >= 0) {
        struct query *q = store_query(g->store, "INSERT INTO pin VALUES(?, ?)");
        query_bind_text(q, 1, cell);
        query_bind_text(q, 2, g->variants->items[variant].id);
        status = query_run(q, NULL);
    }
    return status == STATUS_OK ? load_pins(g) : status;
}

enum status guard_store_set_frozen(struct guard_store *g, bool frozen)
{
    struct query *q = store_query(g->store, "INSERT OR REPLACE INTO frozen VALUES(1, ?)");

    query_bind_int(q, 1, frozen);
    g->frozen = frozen;
    return query_run(q, NULL);
}

enum status guard_store_record(struct guard_store *g, const struct guard_move *move)
{
    struct query *q = store_query(g->store, "INSERT INTO move(at_us, variant, verdict, who, why, command, cell)"
                                            " VALUES(?, ?, ?, ?, ?, ?, ?)");

    query_bind_int(q, 1, move->at.us);
    query_bind_text(q, 2, move->variant);
    query_bind_int(q, 3, move->verdict);
    query_bind_text(q, 4, move->who);
    query_bind_text(q, 5, move->why);
    query_bind_text(q, 6, move->command);
    query_bind_text(q, 7, move->cell);
    return query_run(q, NULL);
}

int guard_store_pin(const struct guard_store *g, const char *cell)
{
    for (size_t i = 0; i < g->pin_count; i++)
        if (strcmp(g->pins[i].cell, cell) == 0)
            return (int)g->pins[i].variant;
    return -1;
}

bool guard_store_on_parole(const struct guard_store *g, size_t variant, const struct own_total *total)
{
    return g->was_released[variant] && total_since(total, &g->released[variant]).n < g->variants->blacklist_min_pulls;
}

/* ---- writing what changed -------------------------------------------------------------------------------------------------- */

static enum status flush_decided(struct guard_store *g)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < g->variants->count && status == STATUS_OK; i++) {
        struct decided *d = &g->decided[i];
        if (!d->dirty)
            continue;
        struct query *q = store_query(g->store, "INSERT OR REPLACE INTO decided VALUES(?, ?, ?, ?)");
        query_bind_text(q, 1, g->variants->items[i].id);
        query_bind_int(q, 2, d->drawn);
        query_bind_int(q, 3, d->expected);
        query_bind_int(q, 4, d->expected_sq);
        status = query_run(q, NULL);
        d->dirty = false;
    }
    return status;
}

static enum status flush_counted(struct guard_store *g)
{
    struct query *q = store_query(g->store, "INSERT OR REPLACE INTO counted VALUES(1, ?, ?, ?)");
    char *text = counted_text(&g->counted);

    query_bind_text(q, 1, text);
    query_bind_int(q, 2, (int64_t)g->counted.highest);
    query_bind_int(q, 3, g->counted.highest_us);
    enum status status = query_run(q, NULL);
    free(text);
    g->counted_dirty = false;
    return status;
}

enum status guard_store_flush(struct guard_store *g)
{
    enum status status = flush_decided(g);

    if (status == STATUS_OK && g->counted_dirty)
        status = flush_counted(g);
    if (status == STATUS_OK && g->version_dirty) {
        struct query *q = store_query(g->store, "INSERT OR REPLACE INTO limits VALUES(1, ?, ?)");
        query_bind_int(q, 1, g->version);
        query_bind_int(q, 2, (int64_t)g->digest);
        status = query_run(q, NULL);
        g->version_dirty = false;
    }
    return status;
}
