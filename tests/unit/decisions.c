/* SPDX-License-Identifier: Apache-2.0 */
/* decisions.c - what was decided is found again, for as long as it should be. */
#include "decisions.h"

#include "test.h"

static const uint8_t *key_of(int number, uint8_t ret[static CALL_KEY_BYTES])
{
    memset(ret, 0, CALL_KEY_BYTES); /* all in the same few buckets */
    ret[1] = (uint8_t)(number % 3);
    ret[14] = (uint8_t)(number >> 8);
    ret[15] = (uint8_t)number;
    return ret;
}

static void add(struct decisions *d, int number, int64_t at_us)
{
    uint8_t key[CALL_KEY_BYTES];
    struct held_decision *h = decisions_add(d, key_of(number, key), at_us);

    h->variant = (size_t)number;
    h->p[1] = number / 7.0;
}

static const struct held_decision *find(const struct decisions *d, int number)
{
    uint8_t key[CALL_KEY_BYTES];

    return decisions_find(d, key_of(number, key));
}

TEST(unit_decisions, each_is_found_again_with_its_exact_probabilities)
{
    struct decisions *d = decisions_new(2, 1000);

    for (int i = 0; i < 500; i++)
        add(d, i, i);
    CHECK_INT(decisions_count(d), 500);
    for (int i = 0; i < 500; i++) {
        CHECK(find(d, i) && find(d, i)->variant == (size_t)i);
        CHECK_NEAR(find(d, i)->p[1], i / 7.0, 0);
    }
    CHECK(!find(d, 500));
    decisions_free(d);
}

TEST(unit_decisions, the_old_are_forgotten_and_only_those)
{
    struct decisions *d = decisions_new(2, 1000);

    for (int i = 0; i < 100; i++)
        add(d, i, i * 10);
    decisions_forget(d, 500);
    CHECK_INT(decisions_count(d), 50);
    CHECK(!find(d, 49) && find(d, 50) && find(d, 99));
    decisions_forget(d, 100000);
    CHECK_INT(decisions_count(d), 0);
    add(d, 7, 100001);
    CHECK(find(d, 7));
    decisions_free(d);
}

TEST(unit_decisions, a_full_memory_loses_its_oldest)
{
    struct decisions *d = decisions_new(2, 10);

    for (int i = 0; i < 25; i++)
        add(d, i, i);
    CHECK_INT(decisions_count(d), 10);
    CHECK(!find(d, 14) && find(d, 15) && find(d, 24));
    decisions_free(d);
}

TEST(unit_decisions, history_that_comes_after_live_calls_is_forgotten_in_its_own_time)
{
    struct decisions *d = decisions_new(2, 1000);

    add(d, 100, 1000);
    add(d, 101, 1010);
    for (int i = 0; i < 50; i++)
        add(d, i, 500 + i * 2);
    add(d, 102, 1020);
    decisions_forget(d, 520);
    CHECK(!find(d, 9) && find(d, 10) && find(d, 49) && find(d, 100));
    add(d, 60, 519);
    decisions_forget(d, 1000);
    CHECK(!find(d, 10) && !find(d, 49) && !find(d, 60) && find(d, 100) && find(d, 101) && find(d, 102));
    decisions_forget(d, 1015);
    CHECK_INT(decisions_count(d), 1);
    CHECK(find(d, 102));
    decisions_free(d);
}

TEST(unit_decisions, one_that_is_removed_leaves_the_others_in_their_order)
{
    struct decisions *d = decisions_new(2, 4);
    uint8_t key[CALL_KEY_BYTES];

    for (int i = 0; i < 4; i++)
        add(d, i, i);
    CHECK(decisions_remove(d, key_of(3, key)) && decisions_remove(d, key_of(1, key)) && !decisions_remove(d, key_of(1, key)));
    CHECK_INT(decisions_count(d), 2);
    add(d, 5, 5);
    add(d, 6, 6);
    add(d, 7, 7); /* the oldest goes */
    CHECK(!find(d, 0) && find(d, 2) && find(d, 5) && find(d, 6) && find(d, 7));
    CHECK(decisions_remove(d, key_of(2, key)));
    decisions_forget(d, 100);
    CHECK_INT(decisions_count(d), 0);
    decisions_free(d);
}
