/* SPDX-License-Identifier: Apache-2.0 */
/* feedback_store.c - tests of where a call is found, what a row gives back, and of revisions that never come twice. */
#include "feedback_store.h"

#include "codec.h"
#include "test.h"

enum { TODAY = 20414 };

struct bench {
    struct arena arena;
    struct feedback_store store;
};

static const char *database(void)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/feedback.db", test_dir());
    return path;
}

static struct bench bench_open(void)
{
    struct bench b = {0};
    struct store *store = NULL;
    struct reason reason = {0};

    arena_init(&b.arena);
    if (store_open(database(), feedback_migrations, FEEDBACK_MIGRATIONS, &store, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s", reason.text);
    CHECK_INT(feedback_store_open(&b.store, store), STATUS_OK);
    return b;
}

static void bench_close(struct bench *b)
{
    struct store *store = b->store.store;

    feedback_store_close(&b->store);
    store_close(store);
    arena_done(&b->arena);
}

static struct call *new_call(struct bench *b, uint8_t first_byte, int32_t day)
{
    struct call *c = arena_alloc(&b->arena, sizeof *c);

    memset(c->key, 0xab, sizeof c->key);
    c->key[0] = first_byte;
    c->day = day;
    c->record = codec_new(&b->arena, &tom__rl__v1__call_record__descriptor);
    c->record->key_id = arena_str(&b->arena, "k1");
    return c;
}

/* The day on which the call is found, 0: not at all. */
static int32_t found_on(struct bench *b, const struct call *c, int32_t day, int32_t back)
{
    struct call *found = NULL;

    CHECK_INT(feedback_store_find(&b->store, &b->arena, c->key, day, back, &found), STATUS_OK);
    return found ? found->day : 0;
}

TEST(unit_feedback_store, a_call_is_found_from_the_day_before_it_was_seen_until_the_look_back_ends)
{
    struct bench b = bench_open();
    struct call *c = new_call(&b, 1, TODAY);

    CHECK_INT(found_on(&b, c, TODAY, 3), 0);
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    CHECK_INT(found_on(&b, c, TODAY - 2, 3), 0);
    CHECK_INT(found_on(&b, c, TODAY - 1, 3), TODAY); /* the decision before midnight that comes after the end */
    CHECK_INT(found_on(&b, c, TODAY, 3), TODAY);
    CHECK_INT(found_on(&b, c, TODAY + 3, 3), TODAY);
    CHECK_INT(found_on(&b, c, TODAY + 4, 3), 0);
    CHECK_INT(found_on(&b, c, TODAY + 30, 30), TODAY);
    CHECK_INT(found_on(&b, c, TODAY + 31, 30), 0);
    bench_close(&b);
}

TEST(unit_feedback_store, of_two_calls_with_one_key_the_newest_day_is_found_and_other_keys_are_not)
{
    struct bench b = bench_open();
    struct call *old = new_call(&b, 1, TODAY - 2), *new = new_call(&b, 1, TODAY), *other = new_call(&b, 2, TODAY - 1);

    CHECK_INT(feedback_store_put(&b.store, &b.arena, new), STATUS_OK);
    CHECK_INT(feedback_store_put(&b.store, &b.arena, old), STATUS_OK);
    CHECK_INT(feedback_store_put(&b.store, &b.arena, other), STATUS_OK);
    CHECK_INT(found_on(&b, old, TODAY, 3), TODAY);
    CHECK_INT(found_on(&b, old, TODAY - 2, 3), TODAY - 2);
    CHECK_INT(found_on(&b, other, TODAY, 3), TODAY - 1);
    bench_close(&b);
}

TEST(unit_feedback_store, a_row_gives_back_what_was_put_also_after_it_changed_and_the_file_was_opened_again)
{
    struct bench b = bench_open();
    struct call *c = new_call(&b, 1, TODAY), *found = NULL;

    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    c->state = CALL_WAITING_DECISION;
    c->waiting_us = 77;
    c->revision = 99;
    c->record->end = codec_new(&b.arena, &tom__rl__v1__end__descriptor);
    c->record->end->sequence = 12;
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    CHECK_INT(feedback_store_flush(&b.store), STATUS_OK);
    CHECK_INT(b.store.waiting, 1);
    bench_close(&b);
    b = bench_open();
    CHECK_INT(b.store.waiting, 1);
    CHECK_INT(feedback_store_find(&b.store, &b.arena, new_call(&b, 1, TODAY)->key, TODAY, 0, &found), STATUS_OK);
    CHECK(found != NULL);
    if (found) {
        CHECK_INT(found->state, CALL_WAITING_DECISION);
        CHECK_INT(found->waiting_us, 77);
        CHECK_INT(found->revision, 99);
        CHECK_STR(found->record->key_id, "k1");
        CHECK_INT(found->record->end ? (long long)found->record->end->sequence : 0, 12);
    }
    int64_t rows = 0;
    CHECK_INT(feedback_store_number(&b.store, "SELECT count(*) FROM call", &rows), STATUS_OK);
    CHECK_INT(rows, 1);
    bench_close(&b);
}

TEST(unit_feedback_store, a_revision_rises_when_the_clock_stands_still_or_goes_back_and_after_a_restart)
{
    struct bench b = bench_open();
    struct call *c = new_call(&b, 1, TODAY);

    CHECK_INT(feedback_store_next_revision(&b.store, (wall_time){1000}), 1000);
    CHECK_INT(feedback_store_next_revision(&b.store, (wall_time){1000}), 1001);
    c->revision = feedback_store_next_revision(&b.store, (wall_time){5});
    CHECK_INT(c->revision, 1002);
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    bench_close(&b);
    b = bench_open();
    CHECK_INT(feedback_store_next_revision(&b.store, (wall_time){5}), 1003);
    CHECK_INT(feedback_store_next_revision(&b.store, (wall_time){2000}), 2000);
    bench_close(&b);
}

static int64_t calls_before(const struct bench *b, int32_t day, int64_t all)
{
    int64_t n, older = feedback_store_calls(&b->store, day, &n);

    CHECK_INT(n, all);
    return older;
}

TEST(unit_feedback_store, calls_are_counted_by_day_and_by_what_they_wait_for_as_they_come_and_go)
{
    struct bench b = bench_open();
    struct call *a = new_call(&b, 1, TODAY - 2), *c = new_call(&b, 2, TODAY), *d = new_call(&b, 3, TODAY);

    c->state = CALL_WAITING_OUTCOME;
    c->waiting_us = 5;
    d->state = CALL_RETRACTED;
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    CHECK_INT(feedback_store_put(&b.store, &b.arena, a), STATUS_OK);
    CHECK_INT(feedback_store_put(&b.store, &b.arena, d), STATUS_OK);
    CHECK_INT(calls_before(&b, TODAY, 3), 1);
    CHECK_INT(calls_before(&b, TODAY - 2, 3), 0);
    CHECK(b.store.waiting == 1 && b.store.retracted == 1);
    c->state = CALL_STORED;
    c->waiting_us = 0;
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    CHECK(b.store.waiting == 0 && b.store.retracted == 1);
    CHECK_INT(feedback_store_forget(&b.store, d), STATUS_OK);
    CHECK_INT(feedback_store_forget(&b.store, a), STATUS_OK);
    CHECK(b.store.waiting == 0 && b.store.retracted == 0);
    CHECK_INT(calls_before(&b, TODAY, 1), 0);
    CHECK_INT(feedback_store_drop_days(&b.store, TODAY), STATUS_OK);
    CHECK_INT(feedback_store_flush(&b.store), STATUS_OK);
    bench_close(&b);
    b = bench_open();
    CHECK_INT(b.store.day_count, 1);
    CHECK_INT(calls_before(&b, TODAY + 1, 1), 1);
    bench_close(&b);
}

TEST(unit_feedback_store, an_older_database_learns_its_days)
{
    struct store *store = NULL;
    struct reason reason = {0};

    CHECK_INT(store_open(database(), feedback_migrations, 2, &store, &reason), STATUS_OK);
    struct query *q = store_query(store,
                                  "INSERT INTO call VALUES(1, ?, x'00112233445566778899aabbccddeeff', 1, 0, 'v1a', 7, 0, x'')");
    query_bind_int(q, 1, TODAY);
    CHECK_INT(query_run(q, NULL), STATUS_OK);
    store_close(store);
    struct bench b = bench_open();
    CHECK_INT(calls_before(&b, TODAY + 1, 1), 1);
    CHECK_INT(b.store.retracted, 1);
    bench_close(&b);
}

/* A profile longer than a tally holds comes from a foreign router at worst: it must be one tally, and count down again. */
TEST(unit_feedback_store, counts_go_back_to_zero_also_for_a_name_that_is_cut)
{
    struct bench b = bench_open();
    struct call *c = new_call(&b, 1, TODAY);

    c->record->end = codec_new(&b.arena, &tom__rl__v1__end__descriptor);
    c->record->end->policy_variant = arena_str(&b.arena, "v1a");
    c->record->end->profile = arena_str(&b.arena, "a-profile-of-more-than-forty-seven-characters-is-cut-here");
    feedback_store_count(&b.store, c->record, +1);
    feedback_store_count(&b.store, c->record, -1);
    CHECK_INT(b.store.tally_count, 1);
    CHECK_INT(b.store.tallies[0].n, 0);
    bench_close(&b);
}

/* ---- callers --------------------------------------------------------------------------------------------------------------- */

static struct call *call_of(struct bench *b, uint8_t first_byte, int32_t day, uint8_t caller)
{
    struct call *c = new_call(b, first_byte, day);

    c->record->end = codec_new(&b->arena, &tom__rl__v1__end__descriptor);
    c->record->end->caller_key = (ProtobufCBinaryData){.len = CALL_KEY_BYTES, .data = arena_alloc(&b->arena, CALL_KEY_BYTES)};
    memset(c->record->end->caller_key.data, caller, CALL_KEY_BYTES);
    CHECK_INT(feedback_store_put(&b->store, &b->arena, c), STATUS_OK);
    return c;
}

/* The first bytes of the keys of a caller's calls, as found. */
static const char *calls_of(struct bench *b, uint8_t caller)
{
    uint8_t key[CALL_KEY_BYTES];
    struct caller_place at = {0};
    struct call *c = NULL;
    char *text = arena_alloc(&b->arena, 16);

    memset(key, caller, sizeof key);
    for (size_t n = 0; n < 15; n++) {
        CHECK_INT(feedback_store_next_of(&b->store, &b->arena, key, &at, &c), STATUS_OK);
        if (!c)
            break;
        text[n] = (char)c->key[0];
    }
    return text;
}

TEST(unit_feedback_store, the_calls_of_a_caller_are_found_by_day_and_nobody_elses)
{
    struct bench b = bench_open();

    CHECK_STR(calls_of(&b, 7), "");
    struct call *late = call_of(&b, 'c', TODAY, 7), *early = call_of(&b, 'a', TODAY - 40, 7);
    call_of(&b, 'b', TODAY - 40, 7);
    call_of(&b, 'x', TODAY - 40, 8);
    CHECK_INT(feedback_store_put(&b.store, &b.arena, new_call(&b, 'y', TODAY)), STATUS_OK);
    CHECK_STR(calls_of(&b, 7), "abc");
    CHECK_STR(calls_of(&b, 8), "x");
    CHECK_STR(calls_of(&b, 0), "");
    CHECK_INT(feedback_store_forget(&b.store, early), STATUS_OK);
    late->record->end = NULL; /* the caller does not consent */
    CHECK_INT(feedback_store_put(&b.store, &b.arena, late), STATUS_OK);
    CHECK_STR(calls_of(&b, 7), "b");
    bench_close(&b);
}

TEST(unit_feedback_store, an_older_database_learns_its_callers_a_few_rows_at_a_time_over_restarts)
{
    struct bench b = bench_open();

    for (uint8_t i = 0; i < 6; i++)
        call_of(&b, (uint8_t)('a' + i), TODAY, i % 2);
    CHECK_INT(b.store.unfilled, 0);
    /* as the migration finds it */
    CHECK_INT(query_run(store_query(b.store.store, "UPDATE call SET caller_key = NULL"), NULL), STATUS_OK);
    CHECK_INT(query_run(store_query(b.store.store, "INSERT INTO fill SELECT min(id), max(id) FROM call HAVING count(*) > 0"),
                        NULL), STATUS_OK);
    CHECK_INT(feedback_store_flush(&b.store), STATUS_OK);
    bench_close(&b);
    b = bench_open();
    CHECK_INT(b.store.unfilled, 6);
    CHECK_STR(calls_of(&b, 1), "");
    CHECK_INT(feedback_store_fill(&b.store, &b.arena, 4), STATUS_OK);
    CHECK_STR(calls_of(&b, 1), "bd");
    bench_close(&b);
    b = bench_open();
    CHECK_INT(b.store.unfilled, 2);
    call_of(&b, 'g', TODAY, 1);
    CHECK_INT(feedback_store_fill(&b.store, &b.arena, 4), STATUS_OK);
    CHECK_INT(feedback_store_fill(&b.store, &b.arena, 4), STATUS_OK);
    CHECK_INT(b.store.unfilled, 0);
    CHECK_STR(calls_of(&b, 1), "bdfg");
    bench_close(&b);
}

TEST(unit_feedback_store, a_database_of_the_version_before_is_told_that_its_rows_are_to_be_looked_into)
{
    struct store *store = NULL;
    struct reason reason = {0};

    CHECK_INT(store_open(database(), feedback_migrations, 7, &store, &reason), STATUS_OK);
    CHECK_INT(query_run(store_query(store, "INSERT INTO call VALUES(5, 20414, x'00112233445566778899aabbccddeeff', 1, 0, 'v1a',"
                                           " 7, 0, x'', NULL)"), NULL),
              STATUS_OK);
    store_close(store);
    struct bench b = bench_open();
    CHECK_INT(b.store.unfilled, 1);
    bench_close(&b);
}

/* ---- cells ----------------------------------------------------------------------------------------------------------------- */

static int64_t in_cell(struct bench *b, const char *profile)
{
    struct query *q = store_query(b->store.store,
                                  "SELECT count(*) FROM call WHERE state = 6 AND variant = 'v1a' AND profile = ? AND ts = 3600");
    bool row;

    query_bind_text(q, 1, profile);
    CHECK_INT(query_step(q, &row), STATUS_OK);
    int64_t n = query_int(q, 0);
    query_reset(q);
    return n;
}

TEST(unit_feedback_store, a_call_is_in_the_cell_of_its_variant_and_profile_while_it_counts)
{
    struct bench b = bench_open();
    struct call *c = new_call(&b, 1, TODAY);
    const char *name = "a-profile-of-more-than-forty-seven-characters-is-cut-here";
    char cut[PROFILE_TEXT];

    c->record->end = codec_new(&b.arena, &tom__rl__v1__end__descriptor);
    c->record->end->policy_variant = arena_str(&b.arena, "v1a");
    c->record->end->ts = 3600;
    c->state = CALL_WAITING_OUTCOME;
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    CHECK_INT(in_cell(&b, "general"), 0);
    c->state = CALL_STORED;
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    CHECK_INT(in_cell(&b, "general"), 1);
    c->record->end->profile = arena_str(&b.arena, name);
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    feedback_store_profile(name, cut);
    CHECK_INT(strlen(cut), PROFILE_TEXT - 1);
    CHECK(in_cell(&b, "general") == 0 && in_cell(&b, cut) == 1);
    c->state = CALL_RETRACTED;
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    CHECK(in_cell(&b, cut) == 0 && in_cell(&b, "") == 0);
    bench_close(&b);
}

TEST(unit_feedback_store, rows_of_an_older_database_come_into_their_cell_when_they_are_read)
{
    struct bench b = bench_open();
    struct call *c = new_call(&b, 1, TODAY);

    c->record->end = codec_new(&b.arena, &tom__rl__v1__end__descriptor);
    c->record->end->policy_variant = arena_str(&b.arena, "v1a");
    c->record->end->profile = arena_str(&b.arena, "it");
    c->record->end->ts = 3600;
    c->state = CALL_STORED;
    CHECK_INT(feedback_store_put(&b.store, &b.arena, c), STATUS_OK);
    /* As the migration finds it. */
    CHECK_INT(query_run(store_query(b.store.store, "UPDATE call SET profile = ''"), NULL), STATUS_OK);
    CHECK_INT(query_run(store_query(b.store.store, "INSERT INTO fill SELECT min(id), max(id) FROM call"), NULL), STATUS_OK);
    b.store.unfilled = 1;
    CHECK(in_cell(&b, "") == 1 && in_cell(&b, "it") == 0);
    CHECK_INT(feedback_store_fill(&b.store, &b.arena, 10), STATUS_OK);
    CHECK(in_cell(&b, "") == 0 && in_cell(&b, "it") == 1 && b.store.unfilled == 0);
    bench_close(&b);
}
