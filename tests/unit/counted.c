/* SPDX-License-Identifier: Apache-2.0 */
/* counted.c - each message of a stream counts once, in whatever order it comes. */
#include "counted.h"

#include <stdlib.h>

#include "rng.h"
#include "test.h"

/* Stream time rises with the sequence, as the server gives it. */
static bool add(struct counted *set, uint64_t sequence) { return counted_add(set, sequence, (int64_t)sequence * 10); }

static void check_text(const struct counted *set, const char *expected)
{
    char *text = counted_text(set);

    CHECK_STR(text, expected);
    free(text);
}

TEST(unit_counted, a_message_counts_once)
{
    struct counted set = {0};

    for (uint64_t s = 1; s <= 100; s++)
        CHECK(add(&set, s));
    for (uint64_t s = 1; s <= 100; s++)
        CHECK(!add(&set, s));
    check_text(&set, "1-100");
    counted_done(&set);
}

TEST(unit_counted, nothing_is_an_empty_text)
{
    struct counted set = {0};

    check_text(&set, "");
    CHECK(counted_parse(&set, ""));
    CHECK(add(&set, 1));
    counted_done(&set);
}

TEST(unit_counted, gaps_stay_open_until_they_are_filled)
{
    struct counted set = {0};

    CHECK(add(&set, 5) && add(&set, 9) && add(&set, 7));
    check_text(&set, "5-5,7-7,9-9");
    CHECK(add(&set, 10) && add(&set, 4));
    check_text(&set, "4-5,7-7,9-10");
    CHECK(add(&set, 8));
    check_text(&set, "4-5,7-10");
    CHECK(add(&set, 6));
    check_text(&set, "4-10");
    CHECK(!add(&set, 4) && !add(&set, 7) && !add(&set, 10));
    CHECK(add(&set, 3) && add(&set, 11));
    CHECK_INT(set.count, 1);
    counted_done(&set);
}

static void shuffle(struct rng *rng, uint64_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = rng_below(rng, i);
        uint64_t old = items[i - 1];
        items[i - 1] = items[j];
        items[j] = old;
    }
}

TEST(unit_counted, any_order_with_copies_ends_as_one_interval)
{
    enum { N = 300 };
    struct rng rng = rng_seed(11);
    uint64_t order[2 * N];

    for (int round = 0; round < 20; round++) {
        struct counted set = {0};
        int fresh = 0;
        for (size_t i = 0; i < 2 * N; i++)
            order[i] = 1 + i % N;
        shuffle(&rng, order, 2 * N);
        for (size_t i = 0; i < 2 * N; i++)
            fresh += add(&set, order[i]);
        CHECK_INT(fresh, N);
        check_text(&set, "1-300");
        counted_done(&set);
    }
}

TEST(unit_counted, a_low_sequence_with_a_late_time_is_of_a_new_stream)
{
    struct counted set = {0};

    for (uint64_t s = 1; s <= 50; s++)
        add(&set, s);
    CHECK(counted_add(&set, 1, 501)); /* the 50th was at 500 */
    check_text(&set, "1-1");
    CHECK(counted_add(&set, 2, 502));
    CHECK(!counted_add(&set, 2, 502));
    CHECK_INT(set.highest, 2);
    CHECK_INT(set.highest_us, 502);
    counted_done(&set);
}

TEST(unit_counted, a_new_stream_is_seen_also_when_it_starts_at_the_highest_sequence)
{
    struct counted set = {0};

    CHECK(counted_add(&set, 1, 10));
    CHECK(!counted_add(&set, 1, 10)); /* a copy */
    CHECK(counted_add(&set, 1, 11));  /* the first of another stream */
    CHECK(!counted_add(&set, 1, 11));
    counted_done(&set);
}

TEST(unit_counted, a_late_copy_of_the_same_stream_forgets_nothing)
{
    struct counted set = {0};

    CHECK(add(&set, 1) && add(&set, 3));
    CHECK(counted_add(&set, 2, 30)); /* as late as the third: two in one microsecond */
    CHECK(!add(&set, 1));
    check_text(&set, "1-3");
    counted_done(&set);
}

TEST(unit_counted, the_text_brings_the_set_back)
{
    struct rng rng = rng_seed(3);

    for (int round = 0; round < 50; round++) {
        struct counted set = {0}, again = {0};
        for (int i = 0; i < 40; i++)
            add(&set, 1 + rng_below(&rng, 100));
        char *text = counted_text(&set);
        CHECK(counted_parse(&again, text));
        again.highest = set.highest; /* kept beside the text */
        again.highest_us = set.highest_us;
        check_text(&again, text);
        for (uint64_t s = 1; s <= 100; s++)
            CHECK(add(&again, s) == add(&set, s));
        free(text);
        counted_done(&set);
        counted_done(&again);
    }
}

TEST(unit_counted, the_largest_sequences_fit_the_text)
{
    struct counted set = {0}, again = {0};

    CHECK(counted_add(&set, UINT64_MAX - 2, 1) && counted_add(&set, UINT64_MAX, 2));
    CHECK(counted_add(&set, 10000000000000000000u, 2));
    check_text(&set, "10000000000000000000-10000000000000000000,18446744073709551613-18446744073709551613,"
                     "18446744073709551615-18446744073709551615");
    char *text = counted_text(&set);
    CHECK(counted_parse(&again, text));
    CHECK_INT(again.count, 3);
    free(text);
    counted_done(&set);
    counted_done(&again);
}

TEST(unit_counted, what_is_no_text_of_a_set_is_refused)
{
    static const char *const bad[] = {"x",  "1",     "1-",    "-1",     "1-2x",  "2-1",      "0-3",   "1-5,3-9", "5-6,1-2",
                                      ",1-2", "1-2;3-4", "1-2,", "1-2,,4-5", "1-2 4-5", "1--2", "-5--3", " 1-2",    "1-2, 4-5",
                                      "1-2,3-4", "1-99999999999999999999999"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct counted set = {0};
        if (counted_parse(&set, bad[i]))
            test_fail(__FILE__, __LINE__, "\"%s\" is taken", bad[i]);
        counted_done(&set);
    }
}
