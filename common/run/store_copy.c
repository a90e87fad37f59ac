/* SPDX-License-Identifier: Apache-2.0 */
/* store_copy.c - whole databases, for tools: copied while they are in use, and tombstones from one into another. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "store.h"
#include "tombstones.h"

enum { PATIENCE_MS = 10000 };

static enum status failed(sqlite3 *db, const char *path, const char *what, struct reason *reason)
{
    int code = sqlite3_errcode(db) & 0xff;
    bool damaged = code == SQLITE_NOTADB || code == SQLITE_CORRUPT;

    return reason_fail(reason, damaged ? STATUS_CORRUPT : STATUS_STORE, "", "%s: %s: %s", path, what, sqlite3_errmsg(db));
}

/* Never makes one. */
static enum status open_there(const char *path, sqlite3 **ret, struct reason *reason)
{
    if (sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return failed(*ret, path, "cannot be opened", reason);
    sqlite3_busy_timeout(*ret, PATIENCE_MS);
    return STATUS_OK;
}

/* One statement with one text; the first column of its first row, if it has one, must be `expected` (NULL: anything). */
static bool run(sqlite3 *db, const char *sql, const char *text, const char *expected)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
              (!text || sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC) == SQLITE_OK);
    int code = ok ? sqlite3_step(stmt) : SQLITE_ERROR;

    if (code == SQLITE_ROW && expected)
        ok = strcmp((const char *)sqlite3_column_text(stmt, 0), expected) == 0;
    ok &= code == SQLITE_ROW || code == SQLITE_DONE;
    ok &= sqlite3_finalize(stmt) == SQLITE_OK;
    return ok;
}

static enum status sync_file(const char *path, struct reason *reason)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int why = errno;

    if (fd >= 0)
        close(fd);
    return ok ? STATUS_OK : reason_fail(reason, STATUS_STORE, "", "%s: %s", path, strerror(why));
}

enum status store_copy(const char *from, const char *to, struct reason *reason)
{
    sqlite3 *db = NULL;
    enum status status = open_there(from, &db, reason);

    if (status == STATUS_OK && !run(db, "PRAGMA quick_check(1)", NULL, "ok"))
        status = failed(db, from, "is damaged", reason);
    if (status == STATUS_OK && !run(db, "VACUUM INTO ?1", to, NULL))
        status = failed(db, from, "cannot be copied", reason);
    sqlite3_close(db);
    return status == STATUS_OK ? sync_file(to, reason) : status;
}

/* A database of a version before tombstones has none. */
static bool has_tombstones(sqlite3 *db, const char *schema_sql) { return run(db, schema_sql, NULL, "1"); }

static enum status merge(sqlite3 *db, const char *into, const char *from, struct reason *reason)
{
    if (!run(db, "ATTACH DATABASE ?1 AS other", from, NULL))
        return failed(db, from, "cannot be read", reason);
    if (!has_tombstones(db, "SELECT count(*) FROM other.sqlite_schema WHERE name = 'tombstone'"))
        return STATUS_OK;
    if (!run(db, TOMBSTONE_TABLE, NULL, NULL)
        || !run(db, "INSERT INTO main.tombstone(hash, erased_us, swept) SELECT hash, erased_us, 0"
                    " FROM other.tombstone WHERE hash NOT IN (SELECT hash FROM main.tombstone)", NULL, NULL))
        return failed(db, into, "tombstones cannot be taken over", reason);
    return STATUS_OK;
}

enum status store_merge_tombstones(const char *into, const char *from, int64_t *ret_taken, struct reason *reason)
{
    sqlite3 *db = NULL;
    enum status status = open_there(into, &db, reason);

    if (status == STATUS_OK)
        status = merge(db, into, from, reason);
    if (status == STATUS_OK)
        *ret_taken += sqlite3_total_changes(db);
    sqlite3_close(db);
    return status == STATUS_OK ? sync_file(into, reason) : status;
}
