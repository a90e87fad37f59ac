/* SPDX-License-Identifier: Apache-2.0 */
/* feedback_store.c - rows and counts; the record itself is one protobuf blob. */
#include "feedback_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "codec.h"
#include "utf8.h"

enum { RECORD_LIMIT = 1 << 20 };

/* States are numbered in join.h: 6 counts, 7 is retracted. */
const char *const feedback_migrations[FEEDBACK_MIGRATIONS] = {
    "CREATE TABLE call(id INTEGER PRIMARY KEY, day INTEGER NOT NULL, call_key BLOB NOT NULL, revision INTEGER NOT NULL,"
    " ts INTEGER NOT NULL, variant TEXT NOT NULL, state INTEGER NOT NULL, waiting_us INTEGER NOT NULL, record BLOB NOT NULL,"
    " UNIQUE(day, call_key));"
    "CREATE INDEX call_revision ON call(revision) WHERE revision > 0;"
    "CREATE INDEX call_variant ON call(variant, ts) WHERE state = 6;"
    "CREATE INDEX call_retracted ON call(id) WHERE state = 7;"
    "CREATE INDEX call_waiting ON call(waiting_us) WHERE waiting_us > 0;"
    "CREATE TABLE tally(variant TEXT NOT NULL, profile TEXT NOT NULL, n INTEGER NOT NULL, resolved INTEGER NOT NULL,"
    " latest_ts INTEGER NOT NULL, PRIMARY KEY(variant, profile));"
    "CREATE TABLE replay(run INTEGER PRIMARY KEY, from_ts INTEGER NOT NULL, next_id INTEGER NOT NULL, last_id INTEGER NOT NULL,"
    " revision INTEGER NOT NULL);",
    "CREATE TABLE cleanup(id INTEGER PRIMARY KEY, before_day INTEGER NOT NULL, deleted INTEGER NOT NULL);",
    /* Each is searched by its state, so that a million rows of the other kind cost nothing. */
    "DROP INDEX call_waiting; DROP INDEX call_retracted;"
    "CREATE INDEX call_waiting ON call(state, waiting_us) WHERE waiting_us > 0;"
    "CREATE INDEX call_retracted ON call(state, ts) WHERE state = 7;",
    "CREATE TABLE day(day INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO day SELECT day, count(*) FROM call GROUP BY day;",
    "ALTER TABLE replay ADD COLUMN reward_version TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE erasure(revision INTEGER PRIMARY KEY, call_key BLOB NOT NULL, rows INTEGER NOT NULL);"
    "CREATE TABLE alias(call_key BLOB PRIMARY KEY, row_key BLOB NOT NULL, day INTEGER NOT NULL);",
    /* Of a caller's calls those of a day lie together, for the same reason as above; a call without caller costs nothing.  SQL
     * cannot read the records of rows that are there: table `fill` says up to which row that is still to be done. */
    "ALTER TABLE call ADD COLUMN caller_key BLOB;"
    "CREATE INDEX call_caller ON call(day, caller_key) WHERE caller_key IS NOT NULL;"
    "CREATE INDEX alias_row ON alias(row_key);"
    "CREATE TABLE fill(next_id INTEGER NOT NULL, last_id INTEGER NOT NULL);"
    "INSERT INTO fill SELECT min(id), max(id) FROM call HAVING count(*) > 0;"
    "CREATE TABLE caller_erasure(place INTEGER PRIMARY KEY, caller_key BLOB NOT NULL, until_us INTEGER NOT NULL);",
    /* A cell (variant, profile) is a range of this index, so no filter of feedback.query looks at what it does not want, and the
     * state in it saves looking into the rows.  (One index more instead, by profile, took a quarter of the insert rate.)  Rows
     * that are there already lie in the cell without a profile until `fill` has come to them. */
    "ALTER TABLE call ADD COLUMN profile TEXT NOT NULL DEFAULT '';"
    "DROP INDEX call_variant;"
    "CREATE INDEX call_cell ON call(state, variant, profile, ts) WHERE state = 6;"
    "DELETE FROM fill;"
    "INSERT INTO fill SELECT (SELECT min(id) FROM call), (SELECT max(id) FROM call) WHERE EXISTS (SELECT 1 FROM call);",
};

/* ---- days ------------------------------------------------------------------------------------------------------------------ */

/* The place of a day, or where it would go. */
static size_t place_of(const struct feedback_store *f, int32_t day)
{
    size_t at = f->day_count;

    while (at > 0 && f->days[at - 1].day >= day)
        at--;
    return at;
}

static void count_day(struct feedback_store *f, int32_t day, int64_t n)
{
    size_t at = place_of(f, day);

    if (at == f->day_count || f->days[at].day != day) {
        if (f->day_count == f->day_capacity) {
            f->day_capacity = f->day_capacity ? f->day_capacity * 2 : 64;
            f->days = xrealloc(f->days, f->day_capacity * sizeof *f->days);
        }
        memmove(f->days + at + 1, f->days + at, (f->day_count++ - at) * sizeof *f->days);
        f->days[at] = (struct day_count){.day = day};
    }
    f->days[at].n += n;
    f->days[at].dirty = true;
    assert(f->days[at].n >= 0);
}

int64_t feedback_store_calls(const struct feedback_store *f, int32_t before, int64_t *ret_all)
{
    int64_t older = 0;

    *ret_all = 0;
    for (size_t i = 0; i < f->day_count; i++) {
        *ret_all += f->days[i].n;
        older += f->days[i].day < before ? f->days[i].n : 0;
    }
    return older;
}

enum status feedback_store_drop_days(struct feedback_store *f, int32_t before)
{
    struct query *q = store_query(f->store, "DELETE FROM day WHERE day < ?");
    size_t gone = place_of(f, before);

    f->day_count -= gone;
    if (f->day_count)
        memmove(f->days, f->days + gone, f->day_count * sizeof *f->days);
    query_bind_int(q, 1, before);
    return query_run(q, NULL);
}

static enum status load_days(struct feedback_store *f)
{
    struct query *q = store_query(f->store, "SELECT day, n FROM day ORDER BY day");
    enum status status;
    bool row;

    while ((status = query_step(q, &row)) == STATUS_OK && row)
        count_day(f, (int32_t)query_int(q, 0), query_int(q, 1));
    for (size_t i = 0; i < f->day_count; i++)
        f->days[i].dirty = false;
    return status;
}

static enum status flush_days(struct feedback_store *f)
{
    enum status status = STATUS_OK;

    for (size_t i = f->day_count; i-- > 0 && status == STATUS_OK;) {
        if (!f->days[i].dirty)
            continue;
        struct query *q = store_query(f->store, "INSERT OR REPLACE INTO day VALUES(?, ?)");
        query_bind_int(q, 1, f->days[i].day);
        query_bind_int(q, 2, f->days[i].n);
        status = query_run(q, NULL);
        f->days[i].dirty = false;
    }
    return status;
}

/* ---- counts ---------------------------------------------------------------------------------------------------------------- */

void feedback_store_profile(const char *profile, char ret[static PROFILE_TEXT])
{
    snprintf(ret, PROFILE_TEXT, "%s", profile);
    utf8_clean(ret);
}

static struct tally *tally_of(struct feedback_store *f, const char *variant, const char *profile)
{
    struct tally empty = {0};

    snprintf(empty.variant, sizeof empty.variant, "%s", variant);
    feedback_store_profile(profile, empty.profile);
    for (size_t i = 0; i < f->tally_count; i++)
        if (strcmp(f->tallies[i].variant, empty.variant) == 0 && strcmp(f->tallies[i].profile, empty.profile) == 0)
            return &f->tallies[i];
    if (f->tally_count == f->tally_capacity) {
        f->tally_capacity = f->tally_capacity ? f->tally_capacity * 2 : 64;
        f->tallies = xrealloc(f->tallies, f->tally_capacity * sizeof *f->tallies);
    }
    f->tallies[f->tally_count] = empty;
    return &f->tallies[f->tally_count++];
}

void feedback_store_count(struct feedback_store *f, const CallRecord *record, int n)
{
    struct tally *t = tally_of(f, join_variant(record), join_profile(record));

    t->n += n;
    t->resolved += join_resolution(record) == TRI_TRUE ? n : 0;
    if (n > 0 && record->end->ts > t->latest_ts)
        t->latest_ts = record->end->ts;
    t->dirty = true;
    assert(t->n >= 0 && t->resolved >= 0);
}

int64_t feedback_store_latest_ts(const struct feedback_store *f)
{
    int64_t latest = 0;

    for (size_t i = 0; i < f->tally_count; i++)
        if (f->tallies[i].latest_ts > latest)
            latest = f->tallies[i].latest_ts;
    return latest;
}

static enum status load_tallies(struct feedback_store *f)
{
    struct query *q = store_query(f->store, "SELECT variant, profile, n, resolved, latest_ts FROM tally");
    enum status status;
    bool row;

    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        struct tally *t = tally_of(f, query_text(q, 0), query_text(q, 1));
        t->n = query_int(q, 2);
        t->resolved = query_int(q, 3);
        t->latest_ts = query_int(q, 4);
    }
    return status;
}

enum status feedback_store_flush(struct feedback_store *f)
{
    enum status status = flush_days(f);

    for (size_t i = 0; i < f->tally_count && status == STATUS_OK; i++) {
        struct tally *t = &f->tallies[i];
        if (!t->dirty)
            continue;
        struct query *q = store_query(f->store, "INSERT OR REPLACE INTO tally VALUES(?, ?, ?, ?, ?)");
        query_bind_text(q, 1, t->variant);
        query_bind_text(q, 2, t->profile);
        query_bind_int(q, 3, t->n);
        query_bind_int(q, 4, t->resolved);
        query_bind_int(q, 5, t->latest_ts);
        status = query_run(q, NULL);
        t->dirty = false;
    }
    return status;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

enum status feedback_store_number(struct feedback_store *f, const char *sql, int64_t *ret)
{
    struct query *q = store_query(f->store, sql);
    bool row;
    enum status status = query_step(q, &row);

    if (status == STATUS_OK && row)
        *ret = query_int(q, 0);
    query_reset(q);
    return status;
}

enum status feedback_store_open(struct feedback_store *f, struct store *store)
{
    f->store = store;
    enum status status = load_tallies(f);
    if (status == STATUS_OK)
        status = load_days(f);
    if (status == STATUS_OK)
        status = feedback_store_number(f, "SELECT count(*) FROM call WHERE state IN (1, 2) AND waiting_us > 0", &f->waiting);
    if (status == STATUS_OK)
        status = feedback_store_number(f, "SELECT count(*) FROM call WHERE state = 7", &f->retracted);
    if (status == STATUS_OK)
        status = feedback_store_number(f, "SELECT last_id - next_id + 1 FROM fill", &f->unfilled);
    return status == STATUS_OK ? feedback_store_number(f, "SELECT max(revision) FROM call WHERE revision > 0", &f->last_revision)
                               : status;
}

void feedback_store_close(struct feedback_store *f)
{
    free(f->tallies);
    free(f->days);
    *f = (struct feedback_store){0};
}

int64_t feedback_store_next_revision(struct feedback_store *f, wall_time now)
{
    f->last_revision = now.us > f->last_revision ? now.us : f->last_revision + 1;
    return f->last_revision;
}

/* The row counts as `c` says now; `there` false: it is gone. */
static void count_row(struct feedback_store *f, struct call *c, bool there)
{
    bool waits = there && c->waiting_us > 0, retracted = there && c->state == CALL_RETRACTED;

    f->waiting += waits - c->row_waits;
    f->retracted += retracted - c->row_retracted;
    c->row_waits = waits;
    c->row_retracted = retracted;
}

enum status feedback_store_step(struct query *q, struct arena *arena, struct call **ret)
{
    ProtobufCMessage *record = NULL;
    struct reason reason;
    bool row, json;
    size_t size;
    enum status status = query_step(q, &row);

    *ret = NULL;
    if (status != STATUS_OK || !row)
        return status;
    struct call *c = arena_alloc(arena, sizeof *c);
    c->id = query_int(q, 0);
    c->day = (int32_t)query_int(q, 1);
    const void *key = query_blob(q, 2, &size);
    if (size != CALL_KEY_BYTES)
        return STATUS_CORRUPT;
    memcpy(c->key, key, CALL_KEY_BYTES);
    c->revision = query_int(q, 3);
    c->state = (enum call_state)query_int(q, 4);
    c->waiting_us = query_int(q, 5);
    c->row_waits = c->waiting_us > 0;
    c->row_retracted = c->state == CALL_RETRACTED;
    const void *blob = query_blob(q, 6, &size);
    if (codec_decode(arena, &tom__rl__v1__call_record__descriptor, blob, size, RECORD_LIMIT, &json, &record,
                     &reason) != STATUS_OK)
        return STATUS_CORRUPT;
    c->record = (CallRecord *)record;
    *ret = c;
    return STATUS_OK;
}

enum status feedback_store_find(struct feedback_store *f, struct arena *arena, const uint8_t key[static CALL_KEY_BYTES],
                                int32_t day, int32_t back, struct call **ret)
{
    struct query *q = store_query(f->store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE day = ? AND call_key = ?");
    enum status status = STATUS_OK;

    *ret = NULL;
    for (size_t i = f->day_count; i-- > 0 && f->days[i].day >= day - back && !*ret && status == STATUS_OK;) {
        if (f->days[i].day > day + 1)
            continue;
        query_bind_int(q, 1, f->days[i].day);
        query_bind_blob(q, 2, key, CALL_KEY_BYTES);
        status = feedback_store_step(q, arena, ret);
        query_reset(q);
    }
    return status;
}

static struct query *insert_or_update(struct feedback_store *f, const struct call *c)
{
    struct query *q;

    if (c->id) {
        q = store_query(f->store, "UPDATE call SET revision = ?1, ts = ?2, variant = ?3, state = ?4, waiting_us = ?5,"
                                  " record = ?6, caller_key = ?7, profile = ?8 WHERE id = ?9");
        query_bind_int(q, 9, c->id);
        return q;
    }
    q = store_query(f->store,
                    "INSERT INTO call(revision, ts, variant, state, waiting_us, record, caller_key, profile, day,"
                    " call_key) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    query_bind_int(q, 9, c->day);
    query_bind_blob(q, 10, c->key, CALL_KEY_BYTES);
    return q;
}

/* What the row is found by: NULL where no caller was told, no profile where the call does not count. */
static void bind_found_by(struct query *q, int position, const struct call *c, char profile[static PROFILE_TEXT])
{
    const CallRecord *r = c->record;

    if (r->end && r->end->caller_key.len == CALL_KEY_BYTES)
        query_bind_blob(q, position, r->end->caller_key.data, CALL_KEY_BYTES);
    else
        query_bind_text(q, position, NULL);
    feedback_store_profile(c->state == CALL_STORED ? join_profile(r) : "", profile);
    query_bind_text(q, position + 1, profile);
}

enum status feedback_store_put(struct feedback_store *f, struct arena *arena, struct call *c)
{
    struct query *q = insert_or_update(f, c);
    char profile[PROFILE_TEXT];
    const uint8_t *data;
    size_t size;

    codec_encode(arena, &c->record->base, false, &data, &size);
    query_bind_int(q, 1, c->revision);
    query_bind_int(q, 2, c->record->end ? c->record->end->ts : 0);
    query_bind_text(q, 3, join_variant(c->record));
    query_bind_int(q, 4, c->state);
    query_bind_int(q, 5, c->waiting_us);
    query_bind_blob(q, 6, data, size);
    bind_found_by(q, 7, c, profile);
    enum status status = query_run(q, NULL);
    if (status == STATUS_OK && !c->id) {
        c->id = store_last_id(f->store);
        count_day(f, c->day, +1);
    }
    if (status == STATUS_OK)
        count_row(f, c, true);
    return status;
}

enum status feedback_store_forget(struct feedback_store *f, struct call *c)
{
    struct query *q = store_query(f->store, "DELETE FROM call WHERE id = ?");

    query_bind_int(q, 1, c->id);
    enum status status = query_run(q, NULL);
    if (status != STATUS_OK)
        return status;
    count_row(f, c, false);
    count_day(f, c->day, -1);
    return STATUS_OK;
}

/* ---- callers --------------------------------------------------------------------------------------------------------------- */

enum status feedback_store_next_of(struct feedback_store *f, struct arena *arena, const uint8_t caller[static CALL_KEY_BYTES],
                                   struct caller_place *at, struct call **ret)
{
    struct query *q = store_query(f->store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE day = ? AND caller_key = ? AND id > ?"
                                                                       " ORDER BY id LIMIT 1");
    enum status status = STATUS_OK;

    *ret = NULL;
    for (size_t i = place_of(f, at->day); i < f->day_count && !*ret && status == STATUS_OK; i++) {
        if (f->days[i].day != at->day)
            *at = (struct caller_place){.day = f->days[i].day};
        query_bind_int(q, 1, at->day);
        query_bind_blob(q, 2, caller, CALL_KEY_BYTES);
        query_bind_int(q, 3, at->id);
        status = feedback_store_step(q, arena, ret);
        query_reset(q);
    }
    if (*ret)
        at->id = (*ret)->id;
    return status;
}

static enum status set_found_by(struct feedback_store *f, const struct call *c)
{
    struct query *q = store_query(f->store, "UPDATE call SET caller_key = ?1, profile = ?2 WHERE id = ?3");
    char profile[PROFILE_TEXT];

    if (c->state != CALL_STORED && (!c->record->end || !c->record->end->caller_key.len))
        return STATUS_OK;
    bind_found_by(q, 1, c, profile);
    query_bind_int(q, 3, c->id);
    return query_run(q, NULL);
}

static enum status fill_rows(struct feedback_store *f, struct arena *arena, int64_t first, int64_t last)
{
    struct query *q = store_query(f->store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE id >= ? AND id <= ? ORDER BY id");
    struct call *row;
    enum status status;

    query_bind_int(q, 1, first);
    query_bind_int(q, 2, last);
    while ((status = feedback_store_step(q, arena, &row)) == STATUS_OK && row && (status = set_found_by(f, row)) == STATUS_OK)
        continue;
    query_reset(q);
    return status;
}

enum status feedback_store_fill(struct feedback_store *f, struct arena *arena, int64_t limit)
{
    int64_t next = 0, n = f->unfilled < limit ? f->unfilled : limit;

    if (n == 0)
        return STATUS_OK;
    enum status status = feedback_store_number(f, "SELECT next_id FROM fill", &next);
    if (status == STATUS_OK)
        status = fill_rows(f, arena, next, next + n - 1);
    if (status != STATUS_OK)
        return status;
    struct query *q = store_query(f->store, "UPDATE fill SET next_id = ?");
    query_bind_int(q, 1, next + n);
    f->unfilled -= n;
    return query_run(q, NULL);
}
