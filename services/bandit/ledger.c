/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - rows and sums: what a batch changes waits in memory, and is written once by ledger_flush. */
#include "ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_internal.h"

enum { FIRST_ROWS = 64, SECONDS_PER_HOUR = 3600, SECONDS_PER_DAY = 86400 };

#define X(member) ", " #member " INTEGER NOT NULL"
const char *const ledger_migrations[LEDGER_MIGRATIONS] = {
    "CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
    "CREATE TABLE ledger (id INTEGER PRIMARY KEY, day INTEGER NOT NULL, call_key BLOB NOT NULL, revision INTEGER NOT NULL,"
    " version INTEGER NOT NULL, cell INTEGER NOT NULL, variant INTEGER NOT NULL, hour INTEGER NOT NULL, p INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, signals INTEGER NOT NULL, reward INTEGER NOT NULL, learned_at INTEGER NOT NULL, UNIQUE (day, call_key));"
    "CREATE TABLE sums (version INTEGER NOT NULL, cell INTEGER NOT NULL, variant INTEGER NOT NULL, hour INTEGER NOT NULL" STATS_MEMBERS(X)
    ", PRIMARY KEY (version, cell, variant, hour)) WITHOUT ROWID;"
    "CREATE TABLE facts (id INTEGER PRIMARY KEY CHECK (id = 0), row_total INTEGER NOT NULL, changes INTEGER NOT NULL,"
    " newest_ts INTEGER NOT NULL, day_border INTEGER NOT NULL, opening_border INTEGER NOT NULL, rows_from INTEGER NOT NULL);"
    "INSERT INTO facts VALUES (0, 0, 0, 0, 0, 0, 0)",
    /* A call has a row under each reward version. */
    "ALTER TABLE ledger RENAME TO old_ledger;"
    "CREATE TABLE ledger (id INTEGER PRIMARY KEY, day INTEGER NOT NULL, call_key BLOB NOT NULL, revision INTEGER NOT NULL,"
    " version INTEGER NOT NULL, cell INTEGER NOT NULL, variant INTEGER NOT NULL, hour INTEGER NOT NULL, p INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, signals INTEGER NOT NULL, reward INTEGER NOT NULL, learned_at INTEGER NOT NULL, UNIQUE (day, call_key, version));"
    "INSERT INTO ledger SELECT * FROM old_ledger; DROP TABLE old_ledger;"
    /* Which version is learned from, since when, by whom and why; the newest counts. */
    "CREATE TABLE version_switch (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, version TEXT NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL)",
    "CREATE TABLE fit (hash INTEGER PRIMARY KEY, calls REAL NOT NULL, sd BLOB NOT NULL)",
    "CREATE TABLE restart (id INTEGER PRIMARY KEY, version TEXT NOT NULL, level INTEGER NOT NULL, cell TEXT NOT NULL, variant TEXT NOT NULL,"
    " hour INTEGER NOT NULL, evidence REAL NOT NULL, found_at INTEGER NOT NULL)",
    /* What bandit.changed says of a restart; policy_version "-": it was found before there was such a message, "": it is yet to be said. */
    "ALTER TABLE restart ADD COLUMN mean_before REAL NOT NULL DEFAULT 0; ALTER TABLE restart ADD COLUMN mean_after REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE restart ADD COLUMN policy_version TEXT NOT NULL DEFAULT '-'",
    /* The part of `sums` that no row tells any more. */
    "CREATE TABLE given_up (version INTEGER NOT NULL, cell INTEGER NOT NULL, variant INTEGER NOT NULL, hour INTEGER NOT NULL" STATS_MEMBERS(X)
    ", PRIMARY KEY (version, cell, variant, hour)) WITHOUT ROWID",
    /* Days and the opening balance were folded across restarts, and nothing takes them apart any more: such a restart holds from
     * the next day on, or from that border. */
    "UPDATE restart SET hour = max((hour + 23) / 24 * 24, (SELECT opening_border FROM facts))"
    " WHERE hour < (SELECT day_border FROM facts)",
};
#undef X

/* --- names ------------------------------------------------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b) { return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text); }

uint32_t ledger_name(const struct ledger *l, const char *text)
{
    struct name wanted = {.text = (char *)text};
    const struct name *found = l->name_count ? bsearch(&wanted, l->names, l->name_count, sizeof *l->names, by_text) : NULL;

    return found ? found->id : 0;
}

static void add_name(struct ledger *l, const char *text)
{
    struct name name = {.text = xstrdup(text), .id = (uint32_t)++l->name_count};

    l->names = xrealloc(l->names, l->name_count * sizeof *l->names);
    l->by_id = xrealloc(l->by_id, (l->name_count + 1) * sizeof *l->by_id);
    l->by_id[0] = "";
    l->by_id[name.id] = name.text;
    l->names[l->name_count - 1] = name;
    qsort(l->names, l->name_count, sizeof *l->names, by_text);
}

/* The number of a name, given to it when it is first seen. */
static enum status intern(struct ledger *l, const char *text, uint32_t *ret_id)
{
    struct query *q;
    enum status status = STATUS_OK;

    *ret_id = ledger_name(l, text);
    if (*ret_id)
        return STATUS_OK;
    q = store_query(l->store, "INSERT INTO name (id, text) VALUES (?, ?)");
    query_bind_int(q, 1, (int64_t)l->name_count + 1);
    query_bind_text(q, 2, text);
    status = query_run(q, NULL);
    if (status == STATUS_OK) {
        add_name(l, text);
        *ret_id = (uint32_t)l->name_count;
    }
    return status;
}

/* --- the rows of a batch ------------------------------------------------------------------------------------------------------------------ */

/* The rows of one call under several versions lie one behind the other. */
static uint32_t *slot_of(struct ledger *l, const uint8_t *key, int64_t day, uint32_t version)
{
    uint64_t h;

    memcpy(&h, key, sizeof h);
    h = (h ^ (uint64_t)day) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = h >> 32;; i++) {
        uint32_t *slot = &l->slots[i & (l->slot_capacity - 1)];
        const struct row *row = *slot ? &l->rows[*slot - 1] : NULL;
        if (!row || (row->day == day && row->version == version && memcmp(row->key, key, CALL_KEY_BYTES) == 0))
            return slot;
    }
}

static void grow_rows(struct ledger *l)
{
    l->row_capacity = l->row_capacity ? l->row_capacity * 2 : FIRST_ROWS;
    l->slot_capacity = l->row_capacity * 2;
    l->rows = xrealloc(l->rows, l->row_capacity * sizeof *l->rows);
    l->slots = xrealloc(l->slots, l->slot_capacity * sizeof *l->slots);
    memset(l->slots, 0, l->slot_capacity * sizeof *l->slots);
    for (size_t i = 0; i < l->row_count; i++)
        *slot_of(l, l->rows[i].key, l->rows[i].day, l->rows[i].version) = (uint32_t)i + 1;
}

static void take_row(const struct query *q, struct row *row)
{
    row->id = query_int(q, 1);
    row->revision = query_int(q, 2);
    row->cell = (uint32_t)query_int(q, 3);
    row->variant = (uint32_t)query_int(q, 4);
    row->hour = query_int(q, 5);
    row->p_nano = query_int(q, 6);
    row->flags = (uint32_t)query_int(q, 7);
    row->signals = (uint64_t)query_int(q, 8);
    row->reward = query_int(q, 9);
    row->learned_at = query_int(q, 10);
}

enum status ledger_read_any(struct ledger *l, struct row *row)
{
    struct query *q = store_query(l->store, "SELECT version, id, revision, cell, variant, hour, p, flags, signals, reward, learned_at"
                                            " FROM ledger WHERE day = ? AND call_key = ? LIMIT 1");
    bool found = false;

    query_bind_int(q, 1, row->day);
    query_bind_blob(q, 2, row->key, CALL_KEY_BYTES);
    enum status status = query_step(q, &found);
    if (status == STATUS_OK && found) {
        row->version = (uint32_t)query_int(q, 0);
        take_row(q, row);
    }
    query_reset(q);
    return status;
}

/* row->version says which; of its sisters under other versions: what was reset under one is reset under all, once it changes. */
static enum status read_row_under(struct ledger *l, struct row *row)
{
    struct query *q = store_query(l->store, "SELECT version, id, revision, cell, variant, hour, p, flags, signals, reward, learned_at"
                                            " FROM ledger WHERE day = ? AND call_key = ?");
    bool found = false;
    enum status status;

    query_bind_int(q, 1, row->day);
    query_bind_blob(q, 2, row->key, CALL_KEY_BYTES);
    while ((status = query_step(q, &found)) == STATUS_OK && found) {
        if (query_int(q, 0) == row->version)
            take_row(q, row);
        else
            row->sister_reset |= (query_int(q, 7) & CALL_RESET) != 0;
    }
    return status;
}

/* The row of a call under a version, from this batch, else from the database, else a fresh one.  Valid until the next look-up. */
static enum status find_row(struct ledger *l, const struct call *call, uint32_t version, struct row **ret)
{
    if (l->row_count == l->row_capacity)
        grow_rows(l);
    uint32_t *slot = slot_of(l, call->key, call->day, version);
    if (!*slot) {
        struct row *row = &l->rows[l->row_count];
        *row = (struct row){.day = call->day, .version = version};
        memcpy(row->key, call->key, CALL_KEY_BYTES);
        enum status status = read_row_under(l, row);
        if (status != STATUS_OK)
            return status;
        *slot = (uint32_t)++l->row_count;
    }
    *ret = &l->rows[*slot - 1];
    return STATUS_OK;
}

/* --- learning ------------------------------------------------------------------------------------------------------------------------- */

bool row_contribution(const struct row *row, struct bucket_key *ret_key, struct stats *ret_stats)
{
    struct signals signals;

    if (!row->revision || row->flags & (CALL_RETRACTED | CALL_RESET))
        return false;
    signals = signals_unpack(row->signals);
    *ret_key = (struct bucket_key){.version = row->version, .cell = row->cell, .variant = row->variant, .hour = row->hour};
    *ret_stats = stats_of_call(&signals, row->reward);
    return true;
}

static enum status row_of_call(struct ledger *l, const struct call *call, const struct row *old, int64_t now, struct row *ret)
{
    enum status status;

    *ret = *old;
    ret->revision = call->revision;
    ret->hour = call->ts / SECONDS_PER_HOUR;
    ret->p_nano = call->p_nano;
    ret->flags = call->flags | (old->flags & CALL_RESET) | (old->sister_reset ? CALL_RESET : 0);
    ret->signals = call->signals;
    ret->reward = call->reward;
    ret->learned_at = now;
    ret->dirty = true;
    status = intern(l, call->cell, &ret->cell);
    if (status == STATUS_OK)
        status = intern(l, call->variant, &ret->variant);
    return status;
}

enum status ledger_learn(struct ledger *l, const struct call *call, int64_t now, enum learned *ret)
{
    struct row *row = NULL, changed;
    struct bucket_key key;
    struct stats stats;
    uint32_t version;
    enum status status = intern(l, call->version, &version);

    if (status == STATUS_OK)
        status = find_row(l, call, version, &row);
    assert(call->revision > 0 && call->ts >= 0);
    if (status != STATUS_OK)
        return status;
    bool is_new = row->revision == 0;
    if (!is_new && call->revision <= row->revision) {
        *ret = LEARNED_STALE;
        return STATUS_OK;
    }
    if (is_new && tombstones_has(l->tombstones, call->key)) {
        *ret = LEARNED_ERASED;
        return STATUS_OK;
    }
    if (is_new && call->day * LEDGER_HOURS_PER_DAY < l->rows_from) {
        *ret = LEARNED_CLOSED;
        return STATUS_OK;
    }
    status = row_of_call(l, call, row, now, &changed);
    if (status != STATUS_OK)
        return status;
    if (row_contribution(row, &key, &stats))
        sums_sub(&l->sums, &key, &stats);
    if (row_contribution(&changed, &key, &stats))
        sums_add(&l->sums, &key, &stats);
    *row = changed;
    l->row_total += is_new;
    l->changes++;
    l->newest_ts = call->ts > l->newest_ts ? call->ts : l->newest_ts;
    l->facts_dirty = true;
    *ret = is_new ? LEARNED_NEW : LEARNED_AMENDED;
    return STATUS_OK;
}

void ledger_fold(struct ledger *l, int64_t now)
{
    int64_t bound = l->newest_ts + SECONDS_PER_DAY;
    struct borders to = borders_at(l->sums.borders, now < bound ? now : bound);

    if (to.day == l->sums.borders.day && to.opening == l->sums.borders.opening)
        return;
    sums_fold(&l->sums, to);
    sums_fold(&l->given_up, to);
    l->facts_dirty = true;
}

static void share_cuts(struct ledger *l, size_t count)
{
    l->sums.borders.cuts = l->given_up.borders.cuts = l->cuts;
    l->sums.borders.cut_count = l->given_up.borders.cut_count = count;
}

void ledger_split(struct ledger *l, int64_t hour)
{
    size_t count = l->sums.borders.cut_count, at = count;

    assert(bucket_start(&l->sums.borders, hour) == hour);
    while (at > 0 && l->cuts[at - 1] >= hour)
        at--;
    if (at < count && l->cuts[at] == hour)
        return;
    l->cuts = xrealloc(l->cuts, (count + 1) * sizeof *l->cuts);
    memmove(l->cuts + at + 1, l->cuts + at, (count - at) * sizeof *l->cuts);
    l->cuts[at] = hour;
    share_cuts(l, count + 1);
}

/* --- writing ------------------------------------------------------------------------------------------------------------------------- */

static enum status write_row(struct ledger *l, const struct row *row)
{
    struct query *q = row->id ? store_query(l->store, "UPDATE ledger SET revision = ?3, cell = ?5, variant = ?6, hour = ?7, p = ?8,"
                                                      " flags = ?9, signals = ?10, reward = ?11, learned_at = ?12"
                                                      " WHERE day = ?1 AND call_key = ?2 AND version = ?4")
                              : store_query(l->store, "INSERT INTO ledger (day, call_key, revision, version, cell, variant, hour, p, flags,"
                                                      " signals, reward, learned_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");

    query_bind_int(q, 1, row->day);
    query_bind_blob(q, 2, row->key, CALL_KEY_BYTES);
    query_bind_int(q, 3, row->revision);
    query_bind_int(q, 4, row->version);
    query_bind_int(q, 5, row->cell);
    query_bind_int(q, 6, row->variant);
    query_bind_int(q, 7, row->hour);
    query_bind_int(q, 8, row->p_nano);
    query_bind_int(q, 9, row->flags);
    query_bind_int(q, 10, (int64_t)row->signals);
    query_bind_int(q, 11, row->reward);
    query_bind_int(q, 12, row->learned_at);
    return query_run(q, NULL);
}

enum status ledger_write_rows(struct ledger *l)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < l->row_count && status == STATUS_OK; i++)
        if (l->rows[i].dirty)
            status = write_row(l, &l->rows[i]);
    if (l->row_count)
        memset(l->slots, 0, l->slot_capacity * sizeof *l->slots);
    l->row_count = 0;
    return status;
}

/* Where sums are kept. */
struct sums_table {
    const char *read, *write, *remove;
};

#define X(member) ", ?"
#define SUMS_TABLE(name)                                                                                                                   \
    {.read = "SELECT * FROM " name, .write = "INSERT OR REPLACE INTO " name " VALUES (?, ?, ?, ?" STATS_MEMBERS(X) ")",                    \
     .remove = "DELETE FROM " name " WHERE version = ? AND cell = ? AND variant = ? AND hour = ?"}
static const struct sums_table sums_table = SUMS_TABLE("sums"), given_up_table = SUMS_TABLE("given_up");
#undef X

/* An empty bucket has no row. */
static enum status write_bucket(struct ledger *l, const struct sums_table *table, const struct bucket *b)
{
    struct query *q = store_query(l->store, stats_zero(&b->stats) ? table->remove : table->write);
    int position = 5;

    query_bind_int(q, 1, b->key.version);
    query_bind_int(q, 2, b->key.cell);
    query_bind_int(q, 3, b->key.variant);
    query_bind_int(q, 4, b->key.hour);
#define X(member) query_bind_int(q, position++, b->stats.member);
    if (!stats_zero(&b->stats)) {
        STATS_MEMBERS(X)
    }
#undef X
    return query_run(q, NULL);
}

static enum status write_sums(struct ledger *l, const struct sums_table *table, struct sums *sums)
{
    enum status status = STATUS_OK;

    for (const struct bucket *b; status == STATUS_OK && (b = sums_take_dirty(sums));)
        status = write_bucket(l, table, b);
    return status;
}

static enum status write_facts(struct ledger *l)
{
    struct query *q = store_query(l->store, "UPDATE facts SET row_total = ?, changes = ?, newest_ts = ?, day_border = ?, opening_border = ?,"
                                            " rows_from = ?");

    query_bind_int(q, 1, l->row_total);
    query_bind_int(q, 2, l->changes);
    query_bind_int(q, 3, l->newest_ts);
    query_bind_int(q, 4, l->sums.borders.day);
    query_bind_int(q, 5, l->sums.borders.opening);
    query_bind_int(q, 6, l->rows_from);
    return query_run(q, NULL);
}

enum status ledger_flush(struct ledger *l)
{
    enum status status = ledger_write_rows(l);

    if (!l->facts_dirty)
        return status;
    if (status == STATUS_OK)
        status = write_sums(l, &sums_table, &l->sums);
    if (status == STATUS_OK)
        status = write_sums(l, &given_up_table, &l->given_up);
    if (status == STATUS_OK)
        status = write_facts(l);
    l->facts_dirty = false;
    return status;
}

enum status ledger_reset(struct ledger *l, const char *variant, int64_t *ret_removed)
{
    struct query *q = store_query(l->store, "UPDATE ledger SET flags = flags | ?1 WHERE variant = ?2 AND flags & ?1 = 0");
    enum status status = ledger_write_rows(l);
    int64_t changed = 0;

    query_bind_int(q, 1, CALL_RESET);
    query_bind_int(q, 2, ledger_name(l, variant));
    if (status == STATUS_OK)
        status = query_run(q, &changed);
    if (status != STATUS_OK)
        return status;
    *ret_removed = sums_clear(&l->sums, ledger_name(l, variant));
    changed += sums_clear(&l->given_up, ledger_name(l, variant));
    l->changes += changed > 0;
    l->facts_dirty |= changed > 0;
    return STATUS_OK;
}

/* --- opening ------------------------------------------------------------------------------------------------------------------------- */

static enum status read_names(struct ledger *l)
{
    struct query *q = store_query(l->store, "SELECT text FROM name ORDER BY id");
    bool row = false;
    enum status status = query_step(q, &row);

    for (; status == STATUS_OK && row; status = query_step(q, &row))
        add_name(l, query_text(q, 0));
    return status;
}

static enum status read_facts(struct ledger *l)
{
    struct query *q = store_query(l->store, "SELECT row_total, changes, newest_ts, day_border, opening_border, rows_from FROM facts");
    bool row = false;
    enum status status = query_step(q, &row);

    if (status != STATUS_OK || !row)
        return status;
    l->row_total = query_int(q, 0);
    l->changes = query_int(q, 1);
    l->newest_ts = query_int(q, 2);
    l->sums.borders = (struct borders){.day = query_int(q, 3), .opening = query_int(q, 4)};
    l->given_up.borders = l->sums.borders;
    l->rows_from = query_int(q, 5);
    query_reset(q);
    return STATUS_OK;
}

static enum status read_cuts(struct ledger *l)
{
    struct query *q = store_query(l->store, "SELECT DISTINCT hour FROM restart ORDER BY hour");
    size_t count = 0;
    bool row = false;
    enum status status;

    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        l->cuts = xrealloc(l->cuts, (count + 1) * sizeof *l->cuts);
        l->cuts[count++] = query_int(q, 0);
    }
    share_cuts(l, count);
    return status;
}

static enum status read_sums(struct ledger *l, const struct sums_table *table, struct sums *ret)
{
    struct query *q = store_query(l->store, table->read);
    bool row = false;
    enum status status = query_step(q, &row);

    for (; status == STATUS_OK && row; status = query_step(q, &row)) {
        struct bucket_key key = {(uint32_t)query_int(q, 0), (uint32_t)query_int(q, 1), (uint32_t)query_int(q, 2), query_int(q, 3)};
        struct stats stats;
        int column = 4;
#define X(member) stats.member = query_int(q, column++);
        STATS_MEMBERS(X)
#undef X
        sums_load(ret, &key, &stats);
    }
    return status;
}

enum status ledger_open(struct store *store, struct ledger **ret)
{
    struct ledger *l = xcalloc(1, sizeof *l);
    enum status status;

    l->store = store;
    status = tombstones_open(store, &l->tombstones);
    if (status == STATUS_OK)
        status = read_names(l);
    if (status == STATUS_OK)
        status = read_facts(l);
    if (status == STATUS_OK)
        status = read_cuts(l);
    if (status == STATUS_OK)
        status = read_sums(l, &sums_table, &l->sums);
    if (status == STATUS_OK)
        status = read_sums(l, &given_up_table, &l->given_up);
    if (status == STATUS_OK)
        *ret = l;
    else
        ledger_free(l);
    return status;
}

struct ledger *ledger_free(struct ledger *l)
{
    if (!l)
        return NULL;
    for (size_t i = 0; i < l->name_count; i++)
        free(l->names[i].text);
    tombstones_free(l->tombstones);
    free(l->names);
    free(l->by_id);
    free(l->rows);
    free(l->slots);
    free(l->cuts);
    sums_done(&l->sums);
    sums_done(&l->given_up);
    free(l);
    return NULL;
}
