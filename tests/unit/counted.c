/* SPDX-License-Identifier: Apache-2.0 */
/* counted.c - each message of a stream counts once, in whatever order and however often it comes. */
#include "counted.h"

#include <stdlib.h>

#include "rng.h"
#include "test.h"

static void check_text(const struct counted *set, const char *expected)
{
    char *text = counted_text(set);

    CHECK_STR(text, expected);
    free(text);
}

/* Messages of one stream: each arrived a second after the one before. */
static bool add(struct counted *set, uint64_t sequence) { return counted_add(set, sequence, (int64_t)sequence * 1000000); }

TEST(unit_counted, messages_in_order_are_one_interval)
{
    struct counted set = {0};

    for (uint64_t i = 1; i <= 1000; i++)
        CHECK(add(&set, i));
    check_text(&set, "1-1000");
    CHECK(!add(&set, 1) && !add(&set, 500) && !add(&set, 1000));
    check_text(&set, "1-1000");
    counted_done(&set);
}

TEST(unit_counted, late_ones_fill_the_gaps_and_merge)
{
    struct counted set = {0};

    CHECK(add(&set, 5) && add(&set, 9) && add(&set, 7));
    check_text(&set, "5-5,7-7,9-9");
    CHECK(add(&set, 8));
    check_text(&set, "5-5,7-9");
    CHECK(add(&set, 4) && add(&set, 6));
    check_text(&set, "4-9");
    CHECK(!add(&set, 7));
    counted_done(&set);
}

TEST(unit_counted, any_order_with_repetitions_counts_each_once)
{
    enum { N = 400 };
    struct counted set = {0};
    struct rng rng = rng_seed(12);
    bool seen[N + 1] = {false};
    int counted = 0;

    for (int i = 0; i < 20 * N; i++) {
        uint64_t sequence = 1 + rng_below(&rng, N);
        bool new = add(&set, sequence);
        CHECK(new == !seen[sequence]);
        seen[sequence] = true;
        counted += new;
    }
    CHECK_INT(counted, N);
    check_text(&set, "1-400");
    counted_done(&set);
}

TEST(unit_counted, a_stream_made_anew_starts_again_from_nothing)
{
    struct counted set = {0};

    for (uint64_t i = 1; i <= 50; i++)
        add(&set, i);
    CHECK(counted_add(&set, 1, 60 * 1000000)); /* arrived after number 50 did */
    check_text(&set, "1-1");
    CHECK(!counted_add(&set, 1, 60 * 1000000));
    CHECK(counted_add(&set, 2, 61 * 1000000));
    check_text(&set, "1-2");
    counted_done(&set);
}

TEST(unit_counted, the_newest_message_again_is_no_new_stream)
{
    struct counted set = {0};

    CHECK(add(&set, 3));
    CHECK(!add(&set, 3));
    check_text(&set, "3-3");
    counted_done(&set);
}

TEST(unit_counted, what_is_stored_is_read_back_and_goes_on)
{
    struct counted set = {0};

    CHECK(counted_parse(&set, "1-1234,1240-1300,18446744073709551615-18446744073709551615"));
    check_text(&set, "1-1234,1240-1300,18446744073709551615-18446744073709551615");
    CHECK(counted_parse(&set, "1-4,6-7"));
    set.highest = 7, set.highest_us = 7000000;
    CHECK(!add(&set, 6));
    CHECK(add(&set, 5));
    check_text(&set, "1-7");
    CHECK(counted_parse(&set, ""));
    check_text(&set, "");
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
    CHECK(counted_add(&set, 2, 3000000)); /* as late as the third: two in one microsecond */
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
