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

TEST(unit_counted, a_damaged_text_is_refused)
{
    static const char *const texts[] = {"x", "1", "1-", "5-4", "1-3,2-9", "1-3;5-6", "0-3", "7-9,1-2"};
    struct counted set = {0};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (counted_parse(&set, texts[i]))
            test_fail(__FILE__, __LINE__, "\"%s\" was taken", texts[i]);
    counted_done(&set);
}
