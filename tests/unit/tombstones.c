/* SPDX-License-Identifier: Apache-2.0 */
/* tombstones.c - what was erased is recognised for good, and what was deleted is in no byte of the files. */
#include "tombstones.h"

#include <stdlib.h>
#include <unistd.h>

#include "test.h"

static const char *const no_tables[] = {"CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT)"};

static struct store *open_file(const char *name)
{
    char path[300];
    struct store *store = NULL;
    struct reason reason;

    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    CHECK_INT(store_open(path, no_tables, 1, &store, &reason), STATUS_OK);
    return store;
}

static const uint8_t *key_of(int number, uint8_t ret[static CALL_KEY_BYTES])
{
    memset(ret, 7, CALL_KEY_BYTES);
    ret[0] = (uint8_t)number;
    return ret;
}

static void add(struct store *store, struct tombstones *t, int number)
{
    uint8_t key[CALL_KEY_BYTES];

    CHECK_INT(store_begin(store), STATUS_OK);
    CHECK_INT(tombstones_add(t, key_of(number, key), 1), STATUS_OK);
    CHECK_INT(store_commit(store), STATUS_OK);
}

TEST(unit_tombstones, each_is_known_again_after_a_restart_and_no_other)
{
    struct store *store = open_file("a.db");
    struct tombstones *t = NULL;
    uint8_t key[CALL_KEY_BYTES];

    CHECK_INT(tombstones_open(store, &t), STATUS_OK);
    for (int i = 0; i < 200; i += 2)
        add(store, t, i);
    add(store, t, 4); /* again */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++)
            CHECK(tombstones_has(t, key_of(i, key)) == (i % 2 == 0));
        CHECK(!tombstones_unswept(t));
        tombstones_free(t);
        CHECK_INT(tombstones_open(store, &t), STATUS_OK);
    }
    tombstones_free(t);
    store_close(store);
}

TEST(unit_tombstones, it_does_not_hold_the_pseudonym)
{
    uint8_t key[CALL_KEY_BYTES], hash[CALL_KEY_BYTES], other[CALL_KEY_BYTES];

    tombstone_of(key_of(1, key), hash);
    tombstone_of(key_of(2, key), other);
    CHECK(memcmp(hash, other, sizeof hash) != 0);
    CHECK(memcmp(hash, key_of(1, key), sizeof hash) != 0);
}

TEST(unit_tombstones, those_of_a_later_database_are_merged_and_ask_for_a_sweep)
{
    struct store *later = open_file("later.db"), *earlier = open_file("earlier.db");
    struct tombstones *t = NULL;
    char from[300], into[300], copy[300];
    uint8_t key[CALL_KEY_BYTES];
    struct reason reason;
    int64_t taken = 0;

    CHECK_INT(tombstones_open(later, &t), STATUS_OK);
    add(later, t, 1);
    add(later, t, 2);
    tombstones_free(t);
    CHECK_INT(tombstones_open(earlier, &t), STATUS_OK);
    add(earlier, t, 1);
    tombstones_free(t);
    snprintf(from, sizeof from, "%s/later.db", test_dir());
    snprintf(into, sizeof into, "%s/earlier.db", test_dir());
    snprintf(copy, sizeof copy, "%s/copy.db", test_dir());
    CHECK_INT(store_copy(into, copy, &reason), STATUS_OK); /* in use */
    CHECK(store_copy(into, copy, &reason) != STATUS_OK);   /* it is there */
    CHECK_INT(store_merge_tombstones(copy, from, &taken, &reason), STATUS_OK);
    CHECK_INT(taken, 1);
    store_close(earlier);
    earlier = open_file("copy.db");
    CHECK_INT(tombstones_open(earlier, &t), STATUS_OK);
    CHECK(tombstones_unswept(t) && tombstones_has(t, key_of(1, key)) && tombstones_has(t, key_of(2, key)));
    CHECK_INT(store_begin(earlier), STATUS_OK);
    CHECK_INT(tombstones_swept(t), STATUS_OK);
    CHECK_INT(store_commit(earlier), STATUS_OK);
    CHECK(!tombstones_unswept(t));
    tombstones_free(t);
    store_close(earlier);
    store_close(later);
}

static bool in_files(const char *name, const char *word)
{
    static const char *const ends[] = {"", "-wal"};
    bool found = false;

    for (size_t i = 0; i < 2; i++) {
        char path[320], data[200000];
        snprintf(path, sizeof path, "%s/%s%s", test_dir(), name, ends[i]);
        FILE *f = fopen(path, "re");
        size_t n = f ? fread(data, 1, sizeof data, f) : 0;
        found |= memmem(data, n, word, strlen(word)) != NULL;
        if (f)
            fclose(f);
    }
    return found;
}

TEST(unit_tombstones, what_was_deleted_is_gone_from_file_and_log_once_nobody_reads)
{
    struct store *store = open_file("b.db"), *reader = open_file("b.db");
    bool row;

    CHECK_INT(query_run(store_query(store, "INSERT INTO word(text) VALUES('a secret word of some length')"), NULL), STATUS_OK);
    CHECK(in_files("b.db", "secret word"));
    struct query *q = store_query(reader, "SELECT text FROM word");
    CHECK_INT(query_step(q, &row), STATUS_OK);
    CHECK_INT(store_begin(store), STATUS_OK);
    CHECK_INT(query_run(store_query(store, "DELETE FROM word"), NULL), STATUS_OK);
    store_truncate_log(store);
    CHECK_INT(store_commit(store), STATUS_OK);
    CHECK(store_truncate_pending(store) && in_files("b.db", "secret word"));
    query_reset(q);
    CHECK_INT(store_begin(store), STATUS_OK);
    CHECK_INT(store_commit(store), STATUS_OK);
    CHECK(!store_truncate_pending(store) && !in_files("b.db", "secret word"));
    store_close(reader);
    store_close(store);
}
