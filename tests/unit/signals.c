/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c - what goes into the ledger's 64 bits comes out again. */
#include "signals.h"

#include "test.h"

static void check_round_trip(struct signals s)
{
    struct signals back = signals_unpack(signals_pack(&s));

    CHECK_INT(back.resolution, s.resolution);
    CHECK_INT(back.handover, s.handover);
    CHECK_INT(back.escalation, s.escalation);
    CHECK_INT(back.user_rating, s.user_rating);
    CHECK_INT(back.barge_in_count, s.barge_in_count);
    CHECK_INT(back.repeats, s.repeats);
    CHECK_NEAR(back.duration_sec, s.duration_sec, 1e-12);
    CHECK_NEAR(back.satisfaction, s.satisfaction, 1e-12);
}

TEST(unit_signals, nothing_known_is_zero_and_stays_unknown)
{
    struct signals none = SIGNALS_NONE;

    CHECK_INT(signals_pack(&none), 0);
    check_round_trip(none);
}

TEST(unit_signals, extremes_and_ordinary_calls_come_back)
{
    check_round_trip((struct signals){TRI_TRUE, TRI_TRUE, TRI_TRUE, 5, 10, 5, 3600, 1});
    check_round_trip((struct signals){TRI_FALSE, TRI_FALSE, TRI_FALSE, 1, 0, 0, 0, -1});
    check_round_trip((struct signals){TRI_TRUE, TRI_UNKNOWN, TRI_FALSE, 4, 1, 0, 120.5, 0.5});
    check_round_trip((struct signals){TRI_UNKNOWN, TRI_TRUE, TRI_UNKNOWN, 0, -1, 3, -1, 0});
}

TEST(unit_signals, every_satisfaction_and_every_tenth_of_a_second_is_told_apart)
{
    struct signals s = SIGNALS_NONE;

    for (int i = -100; i <= 100; i++) {
        s.satisfaction = i / 100.0;
        CHECK(signals_unpack(signals_pack(&s)).satisfaction == s.satisfaction);
    }
    for (int i = 0; i <= 36000; i++) {
        s.duration_sec = i / 10.0;
        CHECK(signals_unpack(signals_pack(&s)).duration_sec == s.duration_sec);
    }
}

TEST(unit_signals, the_layout_is_the_one_that_old_ledgers_hold)
{
    struct signals s = {TRI_TRUE, TRI_FALSE, TRI_UNKNOWN, 4, 1, 0, 120, 0.5};

    CHECK(signals_pack(&s) == (2 | 1 << 2 | 0 << 4 | 4 << 6 | 2 << 9 | 1 << 13 | 151 << 16 | UINT64_C(1201) << 24));
}
