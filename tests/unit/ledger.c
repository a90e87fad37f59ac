/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - tests of rows and sums: whatever comes, in whatever order and how often, the sums are
 * the fold of the newest rows. */
#include "ledger.h"

#include <stdlib.h>

#include "open_ledger.h"
#include "rng.h"
#include "test.h"

enum { NOW = 1763800000, HOUR = 3600, DAY = 24 * HOUR };

struct fixture {
    struct store *store;
    struct ledger *ledger;
};

static struct fixture open_file(void)
{
    struct fixture f = {0};

    open_ledger(bandit_file(), &f.store, &f.ledger);
    CHECK_INT(store_begin(f.store), STATUS_OK);
    return f;
}

static void commit(struct fixture *f) { commit_ledger(f->store, f->ledger); }

static void done(struct fixture *f)
{
    commit(f);
    f->ledger = ledger_free(f->ledger);
    f->store = store_close(f->store);
}

static struct call call_number(int number)
{
    const struct signals signals = {.resolution = TRI_TRUE, .user_rating = 4, .barge_in_count = 1, .repeats = 0,
                                    .duration_sec = 12.34, .satisfaction = .5};
    struct call c = {.day = NOW / DAY, .revision = 1, .ts = NOW, .version = "v1", .cell = "kfz/morning", .variant = "v1a",
                     .p_nano = 900000000, .flags = CALL_P_KNOWN, .signals = signals_pack(&signals), .reward = 866667};

    memcpy(c.key, &number, sizeof number);
    return c;
}

static enum learned learn(struct fixture *f, struct call call) { return learn_call(f->ledger, &call, NOW); }

static void check_exact(struct fixture *f, int64_t rows)
{
    struct ledger_check check = {0};

    CHECK_INT(ledger_check(f->ledger, &check), STATUS_OK);
    CHECK_INT(check.differences, 0);
    CHECK_STR(check.first, "");
    CHECK_INT(check.rows, rows);
}

/* All buckets added up. */
static struct stats everything(const struct fixture *f)
{
    struct stats sum = {0};
    const struct bucket_table *hours = &ledger_sums(f->ledger)->hours;

    for (const struct bucket *b = bucket_next(hours, NULL); b; b = bucket_next(hours, b))
        stats_add(&sum, &b->stats);
    return sum;
}

static size_t filled_buckets(const struct fixture *f)
{
    size_t count = 0;
    const struct bucket_table *hours = &ledger_sums(f->ledger)->hours;

    for (const struct bucket *b = bucket_next(hours, NULL); b; b = bucket_next(hours, b))
        count += !stats_zero(&b->stats);
    return count;
}

TEST(unit_ledger, ten_copies_count_once_also_after_a_restart)
{
    struct fixture f = open_file();

    CHECK_INT(learn(&f, call_number(1)), LEARNED_NEW);
    for (int i = 0; i < 5; i++)
        CHECK_INT(learn(&f, call_number(1)), LEARNED_STALE);
    done(&f);
    f = open_file();
    for (int i = 0; i < 4; i++)
        CHECK_INT(learn(&f, call_number(1)), LEARNED_STALE);
    CHECK_INT(everything(&f).n, 1);
    CHECK_INT(everything(&f).reward, 866667);
    CHECK_INT(ledger_rows(f.ledger), 1);
    commit(&f);
    check_exact(&f, 1);
    done(&f);
}

TEST(unit_ledger, a_retraction_gives_the_sums_back_to_the_bit)
{
    struct fixture f = open_file();
    struct call c = call_number(2);

    learn(&f, call_number(1));
    struct stats before = everything(&f);
    learn(&f, c);
    c.revision = 5;
    c.reward = 566667;
    CHECK_INT(learn(&f, c), LEARNED_AMENDED);
    CHECK_INT(everything(&f).reward, 866667 + 566667);
    commit(&f);
    c.revision = 6;
    c.flags |= CALL_RETRACTED;
    CHECK_INT(learn(&f, c), LEARNED_AMENDED);
    struct stats after = everything(&f);
    CHECK(stats_equal(&before, &after));
    commit(&f);
    check_exact(&f, 2);
    done(&f);
}

TEST(unit_ledger, an_older_revision_changes_nothing)
{
    struct fixture f = open_file();
    struct call c = call_number(1);

    c.revision = 9;
    learn(&f, c);
    c.revision = 8;
    c.reward = -1000000;
    CHECK_INT(learn(&f, c), LEARNED_STALE);
    CHECK_INT(everything(&f).reward, 866667);
    done(&f);
}

/* --- any sequence equals a fresh fold --------------------------------------------------------------------------------------- */

static struct call random_call(struct rng *rng)
{
    static const char *const cells[] = {"kfz/morning", "it/night", "sales/evening"};
    static const char *const variants[] = {"v1a", "v2b", "v3a"};
    struct call c = call_number((int)rng_below(rng, 60));
    struct signals s = {.resolution = (enum tri)rng_below(rng, 3), .handover = (enum tri)rng_below(rng, 3),
                        .escalation = (enum tri)rng_below(rng, 3), .user_rating = (int)rng_below(rng, 6),
                        .barge_in_count = (int)rng_below(rng, 12) - 1, .repeats = (int)rng_below(rng, 7) - 1,
                        .duration_sec = 40 * rng_uniform(rng), .satisfaction = 2 * rng_uniform(rng) - 1};

    c.revision = 1 + (int64_t)rng_below(rng, 20);
    c.ts = NOW - (int64_t)rng_below(rng, 200 * DAY);
    c.cell = cells[rng_below(rng, 3)];
    c.variant = variants[rng_below(rng, 3)];
    c.flags |= rng_below(rng, 5) == 0 ? CALL_RETRACTED : 0;
    c.signals = signals_pack(&s);
    c.reward = (int64_t)rng_below(rng, 2000001) - 1000000;
    return c;
}

TEST(unit_ledger, any_sequence_equals_the_fold_of_its_newest_rows)
{
    struct call newest[60] = {0};
    struct rng rng = rng_seed(11);
    struct fixture f = open_file();
    struct stats expected = {0}, sum;
    int64_t rows = 0;

    for (int i = 0; i < 1000; i++) {
        struct call c = random_call(&rng);
        int number;
        memcpy(&number, c.key, sizeof number);
        bool newer = c.revision > newest[number].revision;
        CHECK_INT(learn(&f, c), !newer ? LEARNED_STALE : newest[number].revision ? LEARNED_AMENDED : LEARNED_NEW);
        if (newer)
            newest[number] = c;
        if (rng_below(&rng, 10) == 0)
            commit(&f);
        if (i % 250 == 249) {
            done(&f);
            f = open_file();
        }
    }
    for (size_t i = 0; i < 60; i++) {
        struct signals s = signals_unpack(newest[i].signals);
        rows += newest[i].revision > 0;
        if (!newest[i].revision || newest[i].flags & CALL_RETRACTED)
            continue;
        struct stats one = stats_of_call(&s, newest[i].reward);
        stats_add(&expected, &one);
    }
    sum = everything(&f);
    CHECK(stats_equal(&sum, &expected));
    commit(&f);
    check_exact(&f, rows);
    done(&f);
}

TEST(unit_ledger, the_check_finds_sums_that_do_not_follow_from_the_rows)
{
    struct fixture f = open_file();
    struct ledger_check check;

    learn(&f, call_number(1));
    commit(&f);
    CHECK_INT(query_run(store_query(f.store, "UPDATE ledger SET reward = reward - 1"), NULL), STATUS_OK);
    CHECK_INT(ledger_check(f.ledger, &check), STATUS_OK);
    CHECK(check.differences > 0);
    CHECK(strstr(check.first, "v1 kfz/morning v1a hour"));
    done(&f);
}

/* --- folding ---------------------------------------------------------------------------------------------------------------- */

TEST(unit_ledger, folding_keeps_every_total_and_amendments_find_their_bucket)
{
    struct fixture f = open_file();
    const int64_t ages[] = {0, 10 * HOUR, 4 * DAY, 4 * DAY + 2 * HOUR, 190 * DAY, 250 * DAY};

    for (int i = 0; i < 6; i++) {
        struct call c = call_number(i);
        c.ts = NOW - ages[i];
        learn(&f, c);
    }
    struct stats before = everything(&f);
    CHECK_INT(filled_buckets(&f), 6);
    ledger_fold(f.ledger, NOW);
    struct stats after = everything(&f);
    CHECK(stats_equal(&before, &after));
    CHECK_INT(filled_buckets(&f), 4); /* two hours, one day, the opening bucket */
    done(&f);
    f = open_file();
    for (int i = 0; i < 6; i++) {
        struct call c = call_number(i);
        c.revision = 2;
        c.ts = NOW - ages[i];
        c.flags |= CALL_RETRACTED;
        CHECK_INT(learn(&f, c), LEARNED_AMENDED);
    }
    CHECK_INT(filled_buckets(&f), 0);
    commit(&f);
    check_exact(&f, 6);
    done(&f);
}

TEST(unit_ledger, folding_while_time_passes_equals_a_fresh_fold)
{
    struct fixture f = open_file();
    struct rng rng = rng_seed(3);
    int64_t rows = 0;

    for (int i = 0; i < 400; i++) {
        struct call c = call_number(1000 + i);
        c.ts = NOW + i * 12 * HOUR - (int64_t)rng_below(&rng, 10 * DAY);
        rows += learn(&f, c) == LEARNED_NEW;
        ledger_fold(f.ledger, NOW + i * 12 * HOUR);
        if (i % 7 == 0)
            commit(&f);
    }
    CHECK_INT(everything(&f).n, rows);
    CHECK(ledger_sums(f.ledger)->borders.opening > NOW / HOUR);
    done(&f);
    f = open_file();
    CHECK_INT(everything(&f).n, rows);
    check_exact(&f, rows);
    done(&f);
}

TEST(unit_ledger, a_call_from_before_the_opening_border_is_learned_while_all_rows_are_kept)
{
    struct fixture f = open_file();
    struct call old = call_number(7);

    learn(&f, call_number(1));
    ledger_fold(f.ledger, NOW);
    old.ts = NOW - 300 * DAY;
    CHECK_INT(learn(&f, old), LEARNED_NEW);
    CHECK_INT(everything(&f).n, 2);
    commit(&f);
    check_exact(&f, 2);
    done(&f);
}

TEST(unit_ledger, a_clock_that_jumps_ahead_folds_nothing_early)
{
    struct fixture f = open_file();

    learn(&f, call_number(1));
    ledger_fold(f.ledger, NOW + 1000 * (int64_t)DAY);
    CHECK(ledger_sums(f.ledger)->borders.day <= NOW / HOUR - 48);
    done(&f);
}

TEST(unit_ledger, a_restart_knows_how_far_time_has_come)
{
    struct fixture f = open_file();

    learn(&f, call_number(1));
    done(&f);
    f = open_file();
    ledger_fold(f.ledger, NOW);
    CHECK_INT(ledger_sums(f.ledger)->borders.day, (NOW / HOUR - HOURS_KEPT) / 24 * 24);
    done(&f);
}

/* --- reset ------------------------------------------------------------------------------------------------------------------ */

TEST(unit_ledger, reset_then_amend_then_rebuild)
{
    struct fixture f = open_file();
    struct call other = call_number(3);
    int64_t removed = -1;

    learn(&f, call_number(1));
    learn(&f, call_number(2));
    other.variant = "v2b";
    learn(&f, other);
    CHECK_INT(ledger_reset(f.ledger, "v1a", &removed), STATUS_OK);
    CHECK_INT(removed, 2);
    CHECK_INT(ledger_reset(f.ledger, "v1a", &removed), STATUS_OK);
    CHECK_INT(removed, 0);
    CHECK_INT(everything(&f).n, 1);
    struct call amended = call_number(1);
    amended.revision = 2;
    amended.reward = -500000;
    CHECK_INT(learn(&f, amended), LEARNED_AMENDED); /* taken, and counted nowhere */
    CHECK_INT(everything(&f).n, 1);
    CHECK_INT(learn(&f, call_number(4)), LEARNED_NEW); /* what comes after the reset counts */
    CHECK_INT(everything(&f).n, 2);
    done(&f);
    f = open_file();
    CHECK_INT(everything(&f).n, 2);
    check_exact(&f, 4);
    done(&f);
}

/* --- single rewards --------------------------------------------------------------------------------------------------------- */

TEST(unit_ledger, rewards_come_sorted_and_filtered)
{
    struct fixture f = open_file();
    struct reward_filter filter = {.version = "v1", .variant = "", .profile = ""};
    int64_t *rewards;
    size_t count;

    for (int i = 0; i < 5; i++) {
        struct call c = call_number(i);
        c.reward = (i * 3 % 5) * 100000;
        c.cell = i == 4 ? "kfzplus/morning" : "kfz/night";
        c.ts = NOW - i * (int64_t)DAY;
        c.flags |= i == 0 ? CALL_RETRACTED : 0;
        learn(&f, c);
    }
    commit(&f);
    CHECK_INT(ledger_rewards(f.ledger, &filter, &rewards, &count), STATUS_OK);
    CHECK_INT(count, 4);
    for (size_t i = 1; i < count; i++)
        CHECK(rewards[i - 1] <= rewards[i]);
    free(rewards);
    filter.profile = "kfz";
    filter.from = NOW - 2 * DAY;
    CHECK_INT(ledger_rewards(f.ledger, &filter, &rewards, &count), STATUS_OK);
    CHECK_INT(count, 2);
    free(rewards);
    filter.variant = "v9z";
    CHECK_INT(ledger_rewards(f.ledger, &filter, &rewards, &count), STATUS_OK);
    CHECK_INT(count, 0);
    free(rewards);
    done(&f);
}

/* ---- erasing --------------------------------------------------------------------------------------------------------------- */

static struct ledger_check checked(struct fixture *f)
{
    struct ledger_check check = {0};

    CHECK_INT(ledger_check(f->ledger, &check), STATUS_OK);
    return check;
}

/* Old calls have moved into days and into the opening balance meanwhile. */
TEST(unit_ledger, an_erased_call_leaves_the_sums_as_if_it_had_never_been_however_old_it_is)
{
    struct fixture f = open_file();
    int64_t rows = 0;

    for (int i = 0; i < 40; i++) {
        struct call c = call_number(i);
        c.ts = NOW - (int64_t)i * 9 * DAY;
        c.day = c.ts / DAY;
        c.reward = 1000 * i;
        CHECK_INT(learn(&f, c), LEARNED_NEW);
    }
    ledger_fold(f.ledger, NOW);
    commit(&f);
    for (int i = 1; i < 40; i += 2) {
        struct call c = call_number(i);
        CHECK_INT(ledger_erase(f.ledger, c.key, NOW, &rows), STATUS_OK);
    }
    commit(&f);
    CHECK_INT(rows, 20);
    CHECK_INT(ledger_rows(f.ledger), 20);
    struct ledger_check check = checked(&f);
    CHECK_INT(check.rows, 20);
    CHECK_INT(check.differences, 0);
    struct call again = call_number(7);
    again.revision = 9;
    CHECK_INT(learn(&f, again), LEARNED_ERASED);
    CHECK_INT(learn(&f, call_number(100)), LEARNED_NEW);
    commit(&f);
    CHECK_INT(checked(&f).differences, 0);
    done(&f);
}

/* ---- rows that are given up ------------------------------------------------------------------------------------------------ */

static struct call seen_before(int number, int64_t days)
{
    struct call c = call_number(number);

    c.day -= days;
    c.ts -= days * DAY;
    c.reward = 1000 * number;
    c.flags |= number % 5 == 0 ? CALL_RETRACTED : 0;
    return c;
}

static int64_t give_up(struct fixture *f, int64_t days, int64_t limit)
{
    int64_t rows = -1;

    CHECK_INT(ledger_give_up(f->ledger, NOW / DAY - days, limit, &rows), STATUS_OK);
    return rows;
}

TEST(unit_ledger, rows_leave_in_chunks_and_the_sums_stay_to_the_bit)
{
    struct fixture f = open_file();
    int64_t oldest = 0;

    for (int i = 0; i < 40; i++)
        CHECK_INT(learn(&f, seen_before(i, 9 * i)), LEARNED_NEW);
    ledger_fold(f.ledger, NOW);
    commit(&f);
    struct stats before = everything(&f);
    int64_t changes = ledger_changes(f.ledger);
    CHECK_INT(give_up(&f, 90, 10), 10);
    commit(&f);
    check_exact(&f, 30);
    CHECK_INT(give_up(&f, 90, 10), 10);
    CHECK_INT(give_up(&f, 90, 10), 9); /* day -99 is the youngest that goes */
    CHECK_INT(give_up(&f, 90, 10), 0);
    done(&f);
    f = open_file();
    check_exact(&f, 11);
    CHECK_INT(checked(&f).given_up, 24); /* 29 less the 5 that were retracted */
    CHECK_INT(ledger_rows(f.ledger), 11);
    CHECK_INT(ledger_changes(f.ledger), changes); /* what is believed is the same */
    CHECK_INT(ledger_kept_from(f.ledger), NOW / DAY - 90);
    CHECK_INT(ledger_oldest_day(f.ledger, &oldest), STATUS_OK);
    CHECK_INT(oldest, NOW / DAY - 90);
    struct stats after = everything(&f);
    CHECK(stats_equal(&before, &after));
    ledger_fold(f.ledger, NOW + 20 * DAY); /* days of which no row tells move into the opening balance */
    commit(&f);
    check_exact(&f, 11);
    done(&f);
}

TEST(unit_ledger, what_comes_of_a_call_whose_row_was_given_up_changes_nothing)
{
    struct fixture f = open_file();
    struct call old = seen_before(7, 100), kept = seen_before(8, 90), late = call_number(9);

    learn(&f, old);
    learn(&f, kept);
    CHECK_INT(give_up(&f, 90, 100), 1);
    commit(&f);
    struct stats before = everything(&f);
    CHECK_INT(learn(&f, old), LEARNED_CLOSED); /* a replay */
    old.revision = 2;
    CHECK_INT(learn(&f, old), LEARNED_CLOSED); /* a correction */
    old.flags |= CALL_RETRACTED;
    old.version = "v2";
    CHECK_INT(learn(&f, old), LEARNED_CLOSED); /* or under a version that comes now */
    struct stats after = everything(&f);
    CHECK(stats_equal(&before, &after));
    kept.revision = 2;
    CHECK_INT(learn(&f, kept), LEARNED_AMENDED); /* has its row */
    late.ts = NOW - 300 * DAY;
    CHECK_INT(learn(&f, late), LEARNED_NEW); /* told today, so it cannot have been given up */
    commit(&f);
    check_exact(&f, 2);
    done(&f);
}

TEST(unit_ledger, erasing_a_call_whose_row_was_given_up_leaves_a_tombstone_and_the_sums)
{
    struct fixture f = open_file();
    struct call old = seen_before(7, 100);
    int64_t rows = 0;

    learn(&f, old);
    give_up(&f, 90, 100);
    commit(&f);
    CHECK_INT(ledger_erase(f.ledger, old.key, NOW, &rows), STATUS_OK);
    CHECK_INT(rows, 0);
    CHECK_INT(everything(&f).n, 1);
    old.revision = 2;
    old.day = NOW / DAY;
    CHECK_INT(learn(&f, old), LEARNED_ERASED);
    commit(&f);
    check_exact(&f, 0);
    done(&f);
}

TEST(unit_ledger, an_amendment_in_the_batch_in_which_its_row_is_given_up_counts_once)
{
    struct fixture f = open_file();
    struct call old = seen_before(7, 100);

    learn(&f, old);
    commit(&f);
    old.revision = 2;
    old.reward = -300000;
    CHECK_INT(learn(&f, old), LEARNED_AMENDED);
    CHECK_INT(give_up(&f, 90, 100), 1);
    commit(&f);
    CHECK_INT(everything(&f).reward, -300000);
    check_exact(&f, 0);
    done(&f);
}

TEST(unit_ledger, a_reset_takes_out_what_was_given_up_too)
{
    struct fixture f = open_file();
    int64_t removed = 0;

    learn(&f, seen_before(7, 100));
    learn(&f, call_number(8));
    give_up(&f, 90, 100);
    CHECK_INT(ledger_reset(f.ledger, "v1a", &removed), STATUS_OK);
    CHECK_INT(removed, 2);
    done(&f);
    f = open_file();
    CHECK_INT(everything(&f).n, 0);
    check_exact(&f, 1);
    done(&f);
}

TEST(unit_ledger, the_sums_of_a_version_that_is_learned_no_more_go_with_its_last_row)
{
    struct fixture f = open_file();
    struct call retired = seen_before(7, 100), retired_too = seen_before(8, 50);

    retired.version = retired_too.version = "v0";
    learn(&f, retired);
    learn(&f, retired_too);
    learn(&f, seen_before(9, 100));
    give_up(&f, 90, 100);
    commit(&f);
    CHECK_INT(ledger_drop_versions(f.ledger, "v1", ""), 0); /* one has a row */
    give_up(&f, 40, 100);
    CHECK_INT(ledger_drop_versions(f.ledger, "v1", "v0"), 0);
    CHECK_INT(ledger_drop_versions(f.ledger, "v1", ""), 2);
    done(&f);
    f = open_file();
    CHECK_INT(everything(&f).n, 1);
    CHECK_INT(ledger_calls(f.ledger, "v0", ""), 0);
    check_exact(&f, 0);
    done(&f);
}
