/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - one SQLite file: opened with care, brought up to date, statements kept by the address of their text. */
#include "store.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "log.h"

enum { BUCKETS = 64, BUSY_TIMEOUT_MS = 1000 };

struct query {
    sqlite3_stmt *stmt;
    struct store *store;
    const char *sql;
    struct query *next;
};

struct store {
    sqlite3 *db;
    char *path;
    struct query *buckets[BUCKETS];
    bool truncate; /* the write-ahead log, at the next commit */
};

/* Only a program can be wrong in these ways, never a disk. */
static bool programmers_error(int code)
{
    return (code & 0xff) == SQLITE_ERROR || (code & 0xff) == SQLITE_MISUSE || (code & 0xff) == SQLITE_RANGE;
}

static enum status failed(const struct store *store, int code, const char *sql)
{
    log_error("store.failed", "file=%s code=%d error=\"%s\" sql=\"%.200s\"", store->path, code, sqlite3_errmsg(store->db), sql);
    assert(!programmers_error(code));
    return STATUS_STORE;
}

static enum status execute(struct store *store, const char *sql)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? STATUS_OK : failed(store, code, sql);
}

/* --- opening ---------------------------------------------------------------------------------------------------------------- */

/* A schema that does not fit its own version (SQLITE_ERROR) is damage, too. */
static enum status open_failed(const struct store *store, const char *what, struct reason *reason)
{
    int code = sqlite3_errcode(store->db) & 0xff;

    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR)
        return reason_fail(reason, STATUS_CORRUPT, "", "%s: %s: %s; the file was left as it is", store->path, what,
                           sqlite3_errmsg(store->db));
    return reason_fail(reason, STATUS_STORE, "", "%s: %s: %s", store->path, what, sqlite3_errmsg(store->db));
}

static enum status open_execute(struct store *store, const char *sql, const char *what, struct reason *reason)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK : open_failed(store, what, reason);
}

/* First column of the first row, as text. */
static enum status open_ask(struct store *store, const char *sql, char ret_value[static 32], struct reason *reason)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
    enum status status = STATUS_OK;

    if (ok)
        snprintf(ret_value, 32, "%s", (const char *)sqlite3_column_text(stmt, 0));
    else
        status = open_failed(store, "cannot be read", reason);
    sqlite3_finalize(stmt);
    return status;
}

/* Reads before anything is written: header, version and the whole schema. */
static enum status inspect(struct store *store, size_t newest, size_t *ret_version, struct reason *reason)
{
    char version[32], tables[32];
    enum status status = open_ask(store, "PRAGMA user_version", version, reason);

    if (status == STATUS_OK)
        status = open_ask(store, "SELECT count(*) FROM sqlite_schema WHERE length(name) > 0", tables, reason);
    if (status != STATUS_OK)
        return status;
    long found = strtol(version, NULL, 10);
    if (found < 0 || (size_t)found > newest)
        return reason_fail(reason, STATUS_CORRUPT, "",
                           "%s: schema version %ld is newer than this program's %zu; the file was left as it is", store->path,
                           found, newest);
    if (newest > 0 && found == 0 && strcmp(tables, "0") != 0)
        return reason_fail(reason, STATUS_CORRUPT, "", "%s: the database of another program; the file was left as it is",
                           store->path);
    if (sqlite3_db_readonly(store->db, "main") == 1)
        return reason_fail(reason, STATUS_STORE, "", "%s: cannot be written", store->path);
    *ret_version = (size_t)found;
    return STATUS_OK;
}

/* A database in memory has no WAL; a file without one would lie on a file system that cannot hold a database safely. */
static enum status configure(struct store *store, struct reason *reason)
{
    char mode[32];
    enum status status = open_ask(store, "PRAGMA journal_mode = WAL", mode, reason);

    if (status != STATUS_OK)
        return status;
    if (strcmp(mode, "wal") != 0 && strncmp(store->path, "file:", 5) != 0 && strcmp(store->path, ":memory:") != 0)
        return reason_fail(reason, STATUS_STORE, "", "%s: this file system has no write-ahead log (journal mode %s)", store->path,
                           mode);
    return open_execute(store, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;"
                               " PRAGMA secure_delete = ON", "cannot be set up", reason);
}

static enum status migrate(struct store *store, const char *sql, size_t version, struct reason *reason)
{
    char what[64], mark[64];

    snprintf(what, sizeof what, "migration to version %zu", version);
    snprintf(mark, sizeof mark, "PRAGMA user_version = %zu; COMMIT", version);
    enum status status = open_execute(store, "BEGIN IMMEDIATE", what, reason);
    if (status == STATUS_OK)
        status = open_execute(store, sql, what, reason);
    if (status == STATUS_OK)
        status = open_execute(store, mark, what, reason);
    if (status != STATUS_OK && store_in_transaction(store))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* A new index over millions of rows takes its time, and nothing is answered meanwhile: that is said before. */
static enum status migrate_all(struct store *store, const char *const *migrations, size_t count, size_t version,
                               struct reason *reason)
{
    bool said = version > 0 && version < count;
    char bytes[32] = "";
    enum status status = STATUS_OK;

    if (said)
        status = open_ask(store, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", bytes, reason);
    if (said && status == STATUS_OK)
        log_info("store.migrating", "file=%s bytes=%s from=%zu to=%zu", store->path, bytes, version, count);
    for (; status == STATUS_OK && version < count; version++)
        status = migrate(store, migrations[version], version + 1, reason);
    if (said && status == STATUS_OK)
        log_info("store.migrated", "file=%s version=%zu", store->path, version);
    return status;
}

static enum status prepare_file(struct store *store, const char *const *migrations, size_t count, struct reason *reason)
{
    size_t version = 0;

    /* Until the file is known to be ours, closing it must not move its WAL into it. */
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    enum status status = inspect(store, count, &version, reason);
    if (status == STATUS_OK)
        status = configure(store, reason);
    if (status == STATUS_OK)
        status = migrate_all(store, migrations, count, version, reason);
    if (status == STATUS_OK)
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return status;
}

enum status store_open(const char *path, const char *const *migrations, size_t count, struct store **ret, struct reason *reason)
{
    struct store *store = xcalloc(1, sizeof *store);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;

    store->path = xstrdup(path);
    enum status status = sqlite3_open_v2(path, &store->db, flags, NULL) == SQLITE_OK
                             ? prepare_file(store, migrations, count, reason)
                             : open_failed(store, "cannot be opened", reason);
    if (status == STATUS_OK)
        *ret = store;
    else
        store_close(store);
    return status;
}

enum status store_open_foreign(const char *path, struct store **ret, struct reason *reason)
{
    struct store *store = xcalloc(1, sizeof *store);
    char tables[32];
    enum status status = STATUS_OK;

    store->path = xstrdup(path);
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        status = reason_fail(reason, STATUS_NOT_FOUND, "", "%s: %s", path, sqlite3_errmsg(store->db));
    if (status == STATUS_OK)
        status = open_ask(store, "SELECT count(*) FROM sqlite_master", tables, reason);
    if (status == STATUS_OK)
        *ret = store;
    else
        store_close(store);
    return status;
}

bool store_has_column(struct store *store, const char *table, const char *column)
{
    struct query *q = store_query(store, "SELECT 1 FROM pragma_table_info(?) WHERE name = ?");
    bool row = false;

    query_bind_text(q, 1, table);
    query_bind_text(q, 2, column);
    bool ok = query_step(q, &row) == STATUS_OK && row;
    query_reset(q);
    return ok;
}

struct store *store_close(struct store *store)
{
    if (!store)
        return NULL;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct query *q = store->buckets[i], *next; q; q = next) {
            next = q->next;
            sqlite3_finalize(q->stmt);
            free(q);
        }
    }
    if (store->db && store_in_transaction(store))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL); /* closing does the same; a failure changes nothing */
    int code = sqlite3_close(store->db);
    assert(code == SQLITE_OK);
    free(store->path);
    free(store);
    return NULL;
}

/* --- transactions and statements -------------------------------------------------------------------------------------------- */

enum status store_begin(struct store *store) { return execute(store, "BEGIN IMMEDIATE"); }
enum status store_begin_reading(struct store *store) { return execute(store, "BEGIN"); }
/* There is nothing to lose. */
void store_end_reading(struct store *store) { (void)!sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL); }
bool store_in_transaction(const struct store *store) { return !sqlite3_get_autocommit(store->db); }
void store_truncate_log(struct store *store) { store->truncate = true; }
bool store_truncate_pending(const struct store *store) { return store->truncate; }
int64_t store_last_id(const struct store *store) { return sqlite3_last_insert_rowid(store->db); }

/* While somebody reads, nothing can be cut; the next commit tries again. */
enum status store_commit(struct store *store)
{
    enum status status = execute(store, "COMMIT");

    if (status == STATUS_OK && store->truncate)
        store->truncate = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) != SQLITE_OK;
    return status;
}

struct query *store_query(struct store *store, const char *sql)
{
    struct query **at = &store->buckets[((uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15)) >> 58];

    for (struct query *q = *at; q; q = q->next)
        if (q->sql == sql)
            return q;

    struct query *q = xcalloc(1, sizeof *q);
    *q = (struct query){.store = store, .sql = sql, .next = *at};
    int code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->stmt, NULL);
    if (code != SQLITE_OK) /* it stays without a statement, and every step fails */
        (void)failed(store, code, sql);
    *at = q;
    return q;
}

static void bound(const struct query *q, int code)
{
    assert(!q->stmt || code == SQLITE_OK);
}

void query_bind_int(struct query *q, int position, int64_t value) { bound(q, sqlite3_bind_int64(q->stmt, position, value)); }
void query_bind_real(struct query *q, int position, double value) { bound(q, sqlite3_bind_double(q->stmt, position, value)); }

void query_bind_text(struct query *q, int position, const char *value)
{
    bound(q, sqlite3_bind_text(q->stmt, position, value, -1, SQLITE_STATIC));
}

void query_bind_blob(struct query *q, int position, const void *data, size_t size)
{
    bound(q, sqlite3_bind_blob64(q->stmt, position, data, size, SQLITE_STATIC));
}

void query_reset(struct query *q)
{
    if (!q->stmt)
        return;
    sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt); /* what was bound is not ours and may be gone */
}

enum status query_step(struct query *q, bool *ret_row)
{
    if (!q->stmt)
        return STATUS_STORE;
    int code = sqlite3_step(q->stmt);
    enum status status = code == SQLITE_ROW || code == SQLITE_DONE ? STATUS_OK : failed(q->store, code, q->sql);

    if (status == STATUS_OK)
        *ret_row = code == SQLITE_ROW;
    if (code != SQLITE_ROW)
        query_reset(q);
    return status;
}

enum status query_run(struct query *q, int64_t *ret_changes)
{
    bool row = true;

    while (row) {
        enum status status = query_step(q, &row);
        if (status != STATUS_OK)
            return status;
    }
    if (ret_changes)
        *ret_changes = sqlite3_stmt_readonly(q->stmt) ? 0 : sqlite3_changes64(q->store->db);
    return STATUS_OK;
}

int64_t query_int(const struct query *q, int column) { return sqlite3_column_int64(q->stmt, column); }
double query_real(const struct query *q, int column) { return sqlite3_column_double(q->stmt, column); }
bool query_null(const struct query *q, int column) { return sqlite3_column_type(q->stmt, column) == SQLITE_NULL; }

const char *query_text(const struct query *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q->stmt, column);

    return text ? (const char *)text : "";
}

const void *query_blob(const struct query *q, int column, size_t *ret_size)
{
    const void *data = sqlite3_column_blob(q->stmt, column);

    *ret_size = (size_t)sqlite3_column_bytes(q->stmt, column);
    return data;
}

static void explain(struct store *store, const char *sql, void (*visit)(void *ctx, const char *sql, const char *step), void *ctx)
{
    sqlite3_stmt *stmt = NULL;
    char *text = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);

    assert(text);
    if (sqlite3_prepare_v2(store->db, text, -1, &stmt, NULL) == SQLITE_OK)
        while (sqlite3_step(stmt) == SQLITE_ROW)
            visit(ctx, sql, (const char *)sqlite3_column_text(stmt, 3));
    sqlite3_finalize(stmt);
    sqlite3_free(text);
}

void store_each_plan(struct store *store, void (*visit)(void *ctx, const char *sql, const char *step), void *ctx)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct query *q = store->buckets[i]; q; q = q->next)
            explain(store, q->sql, visit, ctx);
}
