/* SPDX-License-Identifier: Apache-2.0 */
/* feedback_store.c - rows are found again, revisions rise, and the counts are what a recount gives. */
#include "feedback_store.h"

#include <stdlib.h>

#include "codec.h"
#include "rng.h"
#include "test.h"

enum { DAY = 20000, HOUR = 3600 };

struct fixture {
    struct arena arena;
    struct store *store;
    struct feedback_store f;
};

static void open_at(struct fixture *x, const char *path)
{
    struct reason reason = {0};

    *x = (struct fixture){0};
    if (store_open(path, feedback_migrations, feedback_migration_count, &x->store, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s", reason.text);
    CHECK_INT(feedback_store_open(&x->f, x->store), STATUS_OK);
}

static void open_memory(struct fixture *x) { open_at(x, ":memory:"); }

static void done(struct fixture *x)
{
    feedback_store_close(&x->f);
    store_close(x->store);
    arena_done(&x->arena);
}

static const char *file(void)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/feedback.db", test_dir());
    return path;
}

static void make_key(unsigned n, uint8_t key[static CALL_KEY_BYTES])
{
    for (unsigned i = 0; i < CALL_KEY_BYTES; i++)
        key[i] = (uint8_t)(n >> (i % 4 * 8));
}

/* A call of key number `n` that ended in the first hour of its day. */
static struct call *new_call(struct fixture *x, unsigned n, int32_t day)
{
    struct call *c = arena_alloc(&x->arena, sizeof *c);

    make_key(n, c->key);
    c->day = day;
    c->record = codec_new(&x->arena, &tom__rl__v1__call_record__descriptor);
    c->record->key_id = (char *)"k1";
    c->record->end = codec_new(&x->arena, &tom__rl__v1__end__descriptor);
    c->record->end->ts = (int64_t)day * 24 * HOUR;
    c->record->end->policy_variant = (char *)"v1a";
    c->record->end->profile = (char *)"kfz";
    c->state = CALL_STORED;
    c->revision = feedback_store_next_revision(&x->f, (wall_time){0});
    return c;
}

static struct call *put_new(struct fixture *x, unsigned n, int32_t day)
{
    struct call *c = new_call(x, n, day);

    CHECK_INT(feedback_store_put(&x->f, &x->arena, c), STATUS_OK);
    return c;
}

static struct call *find(struct fixture *x, unsigned n, int32_t day, int32_t back)
{
    uint8_t key[CALL_KEY_BYTES];
    struct call *c = NULL;

    make_key(n, key);
    CHECK_INT(feedback_store_find(&x->f, &x->arena, key, day, back, &c), STATUS_OK);
    return c;
}

/* ---- rows ----------------------------------------------------------------------------------------------------------------- */

TEST(unit_feedback_store, a_call_is_found_on_the_days_before_and_one_after)
{
    struct fixture x;

    open_memory(&x);
    put_new(&x, 1, DAY);
    put_new(&x, 2, DAY + 1);
    put_new(&x, 3, DAY + 4);
    CHECK(find(&x, 1, DAY, 0) && find(&x, 1, DAY + 3, 3));
    CHECK(!find(&x, 1, DAY + 4, 3));
    CHECK(find(&x, 3, DAY + 3, 3));
    CHECK(!find(&x, 3, DAY + 2, 3));
    CHECK(!find(&x, 4, DAY, 3));
    CHECK_INT(find(&x, 2, DAY + 3, 3)->id, 2);
    done(&x);
}

TEST(unit_feedback_store, days_are_known_again_after_a_restart)
{
    struct fixture x;

    open_at(&x, file());
    put_new(&x, 1, DAY + 9);
    put_new(&x, 2, DAY);
    put_new(&x, 3, DAY + 9);
    done(&x);
    open_at(&x, file());
    CHECK_INT(x.f.day_count, 2);
    CHECK(find(&x, 1, DAY + 9, 0) && find(&x, 2, DAY + 2, 3) && find(&x, 3, DAY + 9, 0));
    done(&x);
}

TEST(unit_feedback_store, of_one_key_on_two_days_the_later_is_found)
{
    struct fixture x;

    open_memory(&x);
    put_new(&x, 1, DAY + 2);
    put_new(&x, 1, DAY);
    CHECK_INT(find(&x, 1, DAY + 2, 3)->day, DAY + 2);
    CHECK_INT(find(&x, 1, DAY, 3)->day, DAY);
    done(&x);
}

TEST(unit_feedback_store, a_row_comes_back_whole)
{
    struct fixture x;

    open_memory(&x);
    struct call *c = new_call(&x, 0xfe00ff01, DAY);
    c->state = CALL_WAITING_OUTCOME;
    c->waiting_us = 1234567890123;
    c->revision = 0;
    c->record->traceparent = (char *)"00-aa-bb-01";
    CHECK_INT(feedback_store_put(&x.f, &x.arena, c), STATUS_OK);
    const struct call *again = find(&x, 0xfe00ff01, DAY, 0);
    CHECK(again && again->id == c->id && memcmp(again->key, c->key, CALL_KEY_BYTES) == 0);
    CHECK_INT(again->day, DAY);
    CHECK_INT(again->state, CALL_WAITING_OUTCOME);
    CHECK_INT(again->waiting_us, 1234567890123);
    CHECK_INT(again->revision, 0);
    CHECK_STR(again->record->traceparent, "00-aa-bb-01");
    CHECK_STR(again->record->end->profile, "kfz");
    CHECK(!again->record->decision);
    done(&x);
}

TEST(unit_feedback_store, a_change_stays_in_its_row)
{
    struct fixture x;
    int64_t rows = 0, ts = 0;

    open_memory(&x);
    put_new(&x, 1, DAY);
    put_new(&x, 2, DAY);
    struct call *c = find(&x, 1, DAY, 0);
    c->state = CALL_RETRACTED;
    c->record->end->ts += HOUR;
    CHECK_INT(feedback_store_put(&x.f, &x.arena, c), STATUS_OK);
    CHECK_INT(feedback_store_number(&x.f, "SELECT count(*) FROM call", &rows), STATUS_OK);
    CHECK_INT(feedback_store_number(&x.f, "SELECT ts FROM call WHERE state = 7", &ts), STATUS_OK);
    CHECK_INT(rows, 2);
    CHECK_INT(ts, c->record->end->ts);
    CHECK_INT(find(&x, 1, DAY, 0)->state, CALL_RETRACTED);
    CHECK_INT(find(&x, 2, DAY, 0)->state, CALL_STORED);
    done(&x);
}

TEST(unit_feedback_store, a_record_that_is_none_is_corrupt_and_not_an_empty_call)
{
    struct fixture x;
    struct call *c = NULL;
    uint8_t key[CALL_KEY_BYTES];

    open_memory(&x);
    put_new(&x, 1, DAY);
    CHECK_INT(query_run(store_query(x.store, "UPDATE call SET record = x'0aff'"), NULL), STATUS_OK);
    make_key(1, key);
    CHECK_INT(feedback_store_find(&x.f, &x.arena, key, DAY, 0, &c), STATUS_CORRUPT);
    CHECK(!c);
    done(&x);
}

/* ---- revisions ------------------------------------------------------------------------------------------------------------ */

TEST(unit_feedback_store, revisions_are_the_time_and_rise_even_when_the_clock_goes_back)
{
    struct fixture x;

    open_memory(&x);
    CHECK_INT(feedback_store_next_revision(&x.f, (wall_time){5000}), 5000);
    CHECK_INT(feedback_store_next_revision(&x.f, (wall_time){5000}), 5001);
    CHECK_INT(feedback_store_next_revision(&x.f, (wall_time){17}), 5002);
    CHECK_INT(feedback_store_next_revision(&x.f, (wall_time){5001}), 5003);
    CHECK_INT(feedback_store_next_revision(&x.f, (wall_time){6000}), 6000);
    done(&x);
}

TEST(unit_feedback_store, a_restart_with_a_clock_that_went_back_says_no_number_twice)
{
    struct fixture x;

    open_at(&x, file());
    struct call *c = new_call(&x, 1, DAY);
    c->revision = feedback_store_next_revision(&x.f, (wall_time){7000000});
    CHECK_INT(feedback_store_put(&x.f, &x.arena, c), STATUS_OK);
    done(&x);
    open_at(&x, file());
    CHECK_INT(feedback_store_next_revision(&x.f, (wall_time){5}), 7000001);
    done(&x);
}

/* Revisions of up to `limit` rows above `after`; how many. */
static size_t page(struct fixture *x, int64_t after, int64_t limit, int64_t ret[static 16])
{
    struct query *q = store_query(x->store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE revision > ? ORDER BY revision LIMIT ?");
    struct call *c;
    size_t n = 0;

    query_bind_int(q, 1, after);
    query_bind_int(q, 2, limit);
    while (feedback_store_step(q, &x->arena, &c) == STATUS_OK && c && n < 16)
        ret[n++] = c->revision;
    return n;
}

TEST(unit_feedback_store, rows_page_by_revision_each_once_and_a_changed_one_at_its_new_place)
{
    struct fixture x;
    int64_t seen[16], after = 0;
    size_t pages = 0, rows = 0, n;

    open_memory(&x);
    for (unsigned i = 1; i <= 5; i++)
        put_new(&x, i, DAY + (int32_t)(i % 3)); /* revisions 1 .. 5 */
    struct call *c = find(&x, 2, DAY + 2, 0);
    c->revision = feedback_store_next_revision(&x.f, (wall_time){0});
    CHECK_INT(feedback_store_put(&x.f, &x.arena, c), STATUS_OK);
    static const int64_t expected[] = {1, 3, 4, 5, 6};
    while ((n = page(&x, after, 2, seen)) > 0) {
        for (size_t i = 0; i < n && rows < 5; i++)
            CHECK_INT(seen[i], expected[rows++]);
        after = seen[n - 1];
        pages++;
    }
    CHECK_INT(rows, 5);
    CHECK_INT(pages, 3);
    done(&x);
}

/* ---- counts --------------------------------------------------------------------------------------------------------------- */

static const char *const variants[] = {"v1a", "v1b", "v999999999999999z"}, *const profiles[] = {"kfz", "it", "general"};

enum { V = 3, P = 3, CALLS = 60, STEPS = 1500 };

static struct tally tally_of(const struct feedback_store *f, const char *variant, const char *profile)
{
    struct tally sum = {0};

    for (size_t i = 0; i < f->tally_count; i++)
        if (strcmp(f->tallies[i].variant, variant) == 0 && strcmp(f->tallies[i].profile, profile) == 0) {
            sum.n += f->tallies[i].n;
            sum.resolved += f->tallies[i].resolved;
            sum.latest_ts = f->tallies[i].latest_ts;
        }
    return sum;
}

/* The slow truth: from the rows themselves. */
static struct tally recount(struct fixture *x, const char *variant, const char *profile)
{
    struct query *q = store_query(x->store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE state = 6");
    struct tally sum = {0};
    struct call *c;

    while (feedback_store_step(q, &x->arena, &c) == STATUS_OK && c) {
        if (strcmp(join_variant(c->record), variant) != 0 || strcmp(join_profile(c->record), profile) != 0)
            continue;
        sum.n++;
        sum.resolved += join_resolution(c->record) == TRI_TRUE;
    }
    return sum;
}

static void counts_equal_a_recount(struct fixture *x, int64_t expected_total)
{
    int64_t total = 0;

    for (int i = 0; i < V * P; i++) {
        const char *variant = variants[i / P], *profile = profiles[i % P];
        struct tally kept = tally_of(&x->f, variant, profile), true_one = recount(x, variant, profile);
        CHECK_INT(kept.n, true_one.n);
        CHECK_INT(kept.resolved, true_one.resolved);
        total += kept.n;
    }
    CHECK(total == expected_total && total > 0);
}

static void set_resolution(struct fixture *x, CallRecord *r, bool value, int64_t at_us)
{
    CallAmended *m = codec_new(&x->arena, &tom__rl__v1__call_amended__descriptor);

    m->signals = codec_new(&x->arena, &tom__rl__v1__signals__descriptor);
    m->signals->has_resolution_case = TOM__RL__V1__SIGNALS__HAS_RESOLUTION_RESOLUTION;
    m->signals->resolution = value;
    join_amendment(&x->arena, r, m, at_us);
}

/* As the service does: how the call counted leaves, it changes, how it counts now enters.  +1, 0 or -1 calls in the total. */
static int change_at_random(struct fixture *x, struct rng *rng, int64_t step)
{
    unsigned n = (unsigned)rng_below(rng, CALLS);
    struct call *c = find(x, n, DAY, 0);
    bool counted = c && c->state == CALL_STORED;

    c = c ? c : new_call(x, n, DAY);
    if (counted)
        feedback_store_count(&x->f, c->record, -1);
    c->record->end->policy_variant = (char *)variants[rng_below(rng, V)];
    c->record->end->profile = (char *)profiles[rng_below(rng, P)];
    set_resolution(x, c->record, rng_below(rng, 2), step);
    c->state = rng_below(rng, 4) ? CALL_STORED : CALL_RETRACTED;
    c->revision = feedback_store_next_revision(&x->f, (wall_time){(int64_t)rng_below(rng, 1000)});
    CHECK_INT(feedback_store_put(&x->f, &x->arena, c), STATUS_OK);
    if (c->state == CALL_STORED)
        feedback_store_count(&x->f, c->record, +1);
    return (c->state == CALL_STORED) - counted;
}

TEST(unit_feedback_store, counts_equal_a_recount_after_any_operations_and_a_restart)
{
    struct fixture x;
    struct rng rng = rng_seed(20251122);
    int64_t total = 0;

    open_at(&x, file());
    CHECK_INT(store_begin(x.store), STATUS_OK);
    for (int i = 1; i <= STEPS && !test_failed(); i++) {
        total += change_at_random(&x, &rng, i);
        if (i % 300 == 0)
            counts_equal_a_recount(&x, total);
        if (rng_below(&rng, 50) == 0)
            CHECK_INT(feedback_store_flush(&x.f), STATUS_OK);
        arena_reset(&x.arena);
    }
    CHECK_INT(feedback_store_flush(&x.f), STATUS_OK);
    CHECK_INT(store_commit(x.store), STATUS_OK);
    done(&x);
    open_at(&x, file());
    counts_equal_a_recount(&x, total);
    done(&x);
}

TEST(unit_feedback_store, what_was_not_flushed_is_gone_with_its_transaction)
{
    struct fixture x;

    open_at(&x, file());
    feedback_store_count(&x.f, new_call(&x, 1, DAY)->record, +1);
    CHECK_INT(feedback_store_flush(&x.f), STATUS_OK);
    feedback_store_count(&x.f, new_call(&x, 2, DAY)->record, +1);
    done(&x);
    open_at(&x, file());
    CHECK_INT(tally_of(&x.f, "v1a", "kfz").n, 1);
    done(&x);
}

TEST(unit_feedback_store, the_latest_call_is_remembered_per_variant_and_profile)
{
    struct fixture x;

    open_memory(&x);
    feedback_store_count(&x.f, new_call(&x, 1, DAY + 1)->record, +1);
    feedback_store_count(&x.f, new_call(&x, 2, DAY)->record, +1);
    CHECK_INT(tally_of(&x.f, "v1a", "kfz").latest_ts, (DAY + 1) * 24 * HOUR);
    CHECK_INT(tally_of(&x.f, "v1a", "it").latest_ts, 0);
    done(&x);
}

/* The decision's profile is as long as its sender likes. */
TEST(unit_feedback_store, a_profile_of_any_length_is_counted_and_taken_out_again)
{
    struct fixture x;
    char name[200];
    int64_t sum = 0;

    memset(name, 'p', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    open_memory(&x);
    struct call *c = new_call(&x, 1, DAY);
    c->record->end->profile = name;
    feedback_store_count(&x.f, c->record, +1);
    feedback_store_count(&x.f, c->record, +1);
    CHECK_INT(x.f.tally_count, 1);
    feedback_store_count(&x.f, c->record, x.f.tally_count == 1 ? -1 : 0);
    CHECK_INT(feedback_store_flush(&x.f), STATUS_OK);
    CHECK_INT(feedback_store_number(&x.f, "SELECT sum(n) FROM tally", &sum), STATUS_OK);
    CHECK_INT(sum, 1);
    done(&x);
}
