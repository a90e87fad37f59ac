/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - tests of the database file: what is kept, what is refused, and what a full disk does. */
#include "store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "test.h"

static const char *const schema[] = {
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB, x REAL)",
    "CREATE TABLE child (t INTEGER REFERENCES t(id)); INSERT INTO t (name) VALUES ('from the second')",
};

static const char insert_sql[] = "INSERT INTO t (name, data, x) VALUES (?, ?, ?)";
static const char count_sql[] = "SELECT count(*) FROM t";

/* Failures that a test brings about are not told again in the log. */
static void log_quiet(bool quiet) { log_setup("test", quiet ? (enum log_level)(LOG_ERROR + 1) : LOG_INFO); }

static const char *file_in(const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

static struct store *open_ok(const char *path, size_t version)
{
    struct store *store = NULL;
    struct reason reason = {0};
    enum status status = store_open(path, schema, version, &store, &reason);

    if (status != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", status_text(status), reason.text);
    return store;
}

static int64_t number(struct store *store, const char *sql)
{
    struct query *q = store_query(store, sql);
    bool row = false;

    CHECK_INT(query_step(q, &row), STATUS_OK);
    int64_t value = row ? query_int(q, 0) : -1;
    query_reset(q);
    return value;
}

static enum status insert(struct store *store, const char *name)
{
    struct query *q = store_query(store, insert_sql);

    query_bind_text(q, 1, name);
    return query_run(q, NULL);
}

/* Reads a file whole; the caller frees. */
static char *slurp(const char *path, size_t *ret_size)
{
    FILE *f = fopen(path, "rb");
    char *data = calloc(1, 1 << 20);

    *ret_size = f ? fread(data, 1, 1 << 20, f) : 0;
    if (f)
        fclose(f);
    return data;
}

/* Opening gives `expected`, names the file and says `word`; the file's bytes stay what they were. */
static void refused(const char *path, size_t version, enum status expected, const char *word)
{
    struct store *store = NULL;
    struct reason reason = {0};
    size_t before, after;
    char *old = slurp(path, &before);

    CHECK_INT(store_open(path, schema, version, &store, &reason), expected);
    CHECK(store == NULL);
    CHECK(strstr(reason.text, path) && strstr(reason.text, word));
    char *new = slurp(path, &after);
    CHECK_INT(after, before);
    CHECK(memcmp(old, new, before) == 0);
    free(old), free(new);
}

TEST(unit_store, values_come_back_as_they_were_bound)
{
    struct store *store = open_ok("file:/values?vfs=memdb", 1);
    struct query *q = store_query(store, insert_sql);
    size_t size = 0;
    bool row = false;
    int64_t changes = 0;

    query_bind_text(q, 1, "Müller");
    query_bind_blob(q, 2, "\0\1\2", 3);
    query_bind_real(q, 3, 0.1);
    CHECK_INT(query_run(q, &changes), STATUS_OK);
    CHECK_INT(changes, 1);
    CHECK_INT(store_last_id(store), 1);
    q = store_query(store, "SELECT name, data, x, id, NULL FROM t");
    CHECK_INT(query_step(q, &row), STATUS_OK);
    CHECK_STR(query_text(q, 0), "Müller");
    const void *data = query_blob(q, 1, &size);
    CHECK(size == 3 && memcmp(data, "\0\1\2", 3) == 0);
    CHECK(query_real(q, 2) == 0.1);
    CHECK_INT(query_int(q, 3), 1);
    CHECK(query_null(q, 4) && !query_null(q, 0));
    CHECK_STR(query_text(q, 4), "");
    CHECK_INT(query_step(q, &row), STATUS_OK);
    CHECK(!row);
    store_close(store);
}

TEST(unit_store, one_text_is_one_statement_and_forgets_its_values)
{
    struct store *store = open_ok("file:/statements?vfs=memdb", 1);

    CHECK(store_query(store, insert_sql) == store_query(store, insert_sql));
    CHECK(store_query(store, insert_sql) != store_query(store, count_sql));
    CHECK_INT(insert(store, "a"), STATUS_OK);
    CHECK_INT(query_run(store_query(store, insert_sql), NULL), STATUS_OK);
    CHECK_INT(number(store, "SELECT count(*) FROM t WHERE name IS NULL"), 1);
    CHECK_INT(query_run(store_query(store, "DELETE FROM t WHERE name = 'nobody'"), &(int64_t){7}), STATUS_OK);
    store_close(store);
}

TEST(unit_store, only_what_was_committed_survives)
{
    const char *path = file_in("calls.db");
    struct store *store = open_ok(path, 1);

    CHECK_INT(store_begin(store), STATUS_OK);
    CHECK_INT(insert(store, "kept"), STATUS_OK);
    CHECK_INT(store_commit(store), STATUS_OK);
    CHECK(!store_in_transaction(store));
    CHECK_INT(store_begin(store), STATUS_OK);
    CHECK_INT(insert(store, "lost"), STATUS_OK);
    CHECK(store_in_transaction(store));
    store_close(store);
    store = open_ok(path, 1);
    CHECK_INT(number(store, count_sql), 1);
    CHECK_INT(number(store, "SELECT count(*) FROM t WHERE name = 'kept'"), 1);
    store_close(store);
}

TEST(unit_store, an_older_file_is_brought_up_to_date_once)
{
    const char *path = file_in("old.db");
    struct store *store = open_ok(path, 1);

    CHECK_INT(insert(store, "first"), STATUS_OK);
    store_close(store);
    for (int i = 0; i < 2; i++) {
        store = open_ok(path, 2);
        CHECK_INT(number(store, count_sql), 2);
        CHECK_INT(number(store, "PRAGMA user_version"), 2);
        CHECK_INT(number(store, "PRAGMA foreign_keys"), 1);
        CHECK_INT(number(store, "PRAGMA synchronous"), 2);
        store_close(store);
    }
}

TEST(unit_store, a_migration_that_fails_leaves_the_version_before_it)
{
    static const char *const broken[] = {"CREATE TABLE t (id INTEGER)",
                                         "CREATE TABLE u (id INTEGER); CREATE TABLE t (id INTEGER)"};
    const char *path = file_in("half.db");
    struct store *store = NULL;
    struct reason reason;

    CHECK_INT(store_open(path, broken, 2, &store, &reason), STATUS_CORRUPT);
    CHECK(strstr(reason.text, "migration to version 2"));
    CHECK_INT(store_open(path, broken, 1, &store, &reason), STATUS_OK);
    CHECK_INT(number(store, "SELECT count(*) FROM sqlite_schema"), 1);
    store_close(store);
}

TEST(unit_store, a_file_that_is_no_database_is_refused_and_left_alone)
{
    const char *path = file_in("letter.db");
    FILE *f = fopen(path, "w");

    for (int i = 0; i < 500; i++)
        fputs("Dear database, I am a letter.\n", f);
    fclose(f);
    refused(path, 1, STATUS_CORRUPT, "not a database");
}

TEST(unit_store, a_file_cut_short_or_overwritten_is_refused_and_left_alone)
{
    const char *path = file_in("cut.db");
    struct store *store = open_ok(path, 2);

    store_close(store);
    CHECK_INT(truncate(path, 4096 + 100), 0);
    refused(path, 2, STATUS_CORRUPT, "malformed");
    unlink(path);
    store = open_ok(path, 2);
    store_close(store);
    int fd = open(path, O_WRONLY);
    CHECK_INT(pwrite(fd, "\377\377\377\377\377\377\377\377", 8, 100), 8); /* the root of the schema */
    close(fd);
    refused(path, 2, STATUS_CORRUPT, "malformed");
}

TEST(unit_store, a_newer_version_is_refused_and_left_alone_even_after_a_crash)
{
    const char *path = file_in("newer.db");
    pid_t child = fork();

    if (child == 0) {
        struct store *store = open_ok(path, 2); /* its WAL still holds everything when it dies */
        _exit(store && insert(store, "in the WAL") == STATUS_OK ? 0 : 1);
    }
    int end = -1;
    CHECK(waitpid(child, &end, 0) == child && end == 0);
    refused(path, 1, STATUS_CORRUPT, "newer");
    struct store *store = open_ok(path, 2);
    CHECK_INT(number(store, "SELECT count(*) FROM t WHERE name = 'in the WAL'"), 1);
    store_close(store);
}

TEST(unit_store, another_programs_database_is_refused_and_left_alone)
{
    const char *path = file_in("other.db");
    struct store *store = NULL;

    CHECK_INT(store_open(path, NULL, 0, &store, NULL), STATUS_OK);
    CHECK_INT(query_run(store_query(store, "CREATE TABLE theirs (id INTEGER)"), NULL), STATUS_OK);
    store_close(store);
    refused(path, 1, STATUS_CORRUPT, "another program");
}

TEST(unit_store, a_missing_folder_is_named)
{
    struct store *store = NULL;
    struct reason reason;

    CHECK_INT(store_open(file_in("no/such/folder.db"), schema, 1, &store, &reason), STATUS_STORE);
    CHECK(strstr(reason.text, "no/such/folder.db"));
}

TEST(unit_store, a_full_database_is_a_status_and_what_was_committed_stays)
{
    const char *path = file_in("full.db");
    struct store *store = open_ok(path, 1);
    static char large[64 * 1024];

    CHECK_INT(insert(store, "before"), STATUS_OK);
    CHECK_INT(number(store, "PRAGMA max_page_count = 8"), 8);
    CHECK_INT(store_begin(store), STATUS_OK);
    struct query *q = store_query(store, insert_sql);
    query_bind_blob(q, 2, large, sizeof large);
    log_quiet(true);
    CHECK_INT(query_run(q, NULL), STATUS_STORE);
    log_quiet(false);
    store_close(store);
    store = open_ok(path, 1);
    CHECK_INT(number(store, count_sql), 1);
    store_close(store);
}

/* In a child: no file may grow beyond 64 KiB, as on a full disk.  0: every failure was a status, none a crash. */
static int run_on_a_full_disk(const char *path)
{
    struct store *store = open_ok(path, 1);
    enum status status = STATUS_OK;
    static char large[4096];

    log_quiet(true);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){65536, 65536});
    for (int i = 0; i < 100 && status == STATUS_OK; i++) {
        status = store_begin(store);
        struct query *q = store_query(store, insert_sql);
        query_bind_blob(q, 2, large, sizeof large);
        if (status == STATUS_OK)
            status = query_run(q, NULL);
        if (status == STATUS_OK)
            status = store_commit(store);
    }
    store_close(store);
    return status == STATUS_STORE ? 0 : 1;
}

TEST(unit_store, a_full_disk_is_a_status_and_the_file_opens_again)
{
    const char *path = file_in("disk.db");
    pid_t child = fork();

    if (child == 0)
        _exit(run_on_a_full_disk(path));
    int end = -1;
    CHECK(waitpid(child, &end, 0) == child);
    CHECK_INT(end, 0);
    struct store *store = open_ok(path, 1);
    CHECK(number(store, count_sql) > 0);
    CHECK_INT(number(store, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
    store_close(store);
}

TEST(unit_store, a_broken_rule_of_the_schema_is_a_status)
{
    struct store *store = open_ok("file:/rules?vfs=memdb", 2);

    CHECK_INT(insert(store, "twice"), STATUS_OK);
    log_quiet(true);
    CHECK_INT(insert(store, "twice"), STATUS_STORE);
    CHECK_INT(query_run(store_query(store, "INSERT INTO child VALUES (99)"), NULL), STATUS_STORE);
    log_quiet(false);
    CHECK_INT(insert(store, "and goes on"), STATUS_OK);
    store_close(store);
}
