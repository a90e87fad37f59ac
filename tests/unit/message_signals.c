/* SPDX-License-Identifier: Apache-2.0 */
/* message_signals.c - signals of a message as plain numbers, and the range of each. */
#include "message_signals.h"

#include "codec.h"
#include "test.h"

enum { CAP = 4096 };

static Signals *read(struct arena *arena, const char *json)
{
    ProtobufCMessage *m = NULL;
    bool is_json;

    if (codec_decode(arena, &tom__rl__v1__signals__descriptor, json, strlen(json), CAP, &is_json, &m, NULL) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s is no message", json);
    return (Signals *)m;
}

static void check_unknown(struct signals s)
{
    CHECK(s.resolution == TRI_UNKNOWN && s.handover == TRI_UNKNOWN && s.escalation == TRI_UNKNOWN);
    CHECK(s.user_rating == 0 && s.barge_in_count == -1 && s.repeats == -1);
    CHECK(s.duration_sec < 0 && s.satisfaction < -1);
}

TEST(unit_message_signals, no_message_and_an_empty_one_say_nothing)
{
    struct arena arena = {0};

    check_unknown(signals_of_message(NULL));
    check_unknown(signals_of_message(read(&arena, "{}")));
    arena_done(&arena);
}

TEST(unit_message_signals, zero_and_false_are_known)
{
    struct arena arena = {0};
    const char *json = "{\"resolution\":false,\"barge_in_count\":0,\"handover\":false,\"duration_sec\":0,\"repeats\":0,"
                       "\"escalation\":false,\"satisfaction\":0}";
    struct signals s = signals_of_message(read(&arena, json));

    CHECK(s.resolution == TRI_FALSE && s.handover == TRI_FALSE && s.escalation == TRI_FALSE);
    CHECK(s.barge_in_count == 0 && s.repeats == 0 && s.duration_sec == 0 && s.satisfaction == 0);
    CHECK_INT(s.user_rating, 0);
    arena_done(&arena);
}

TEST(unit_message_signals, each_signal_lands_in_its_own_place)
{
    struct arena arena = {0};
    const char *json = "{\"resolution\":true,\"user_rating\":4,\"barge_in_count\":7,\"handover\":false,\"duration_sec\":12.5,"
                       "\"repeats\":3,\"escalation\":true,\"satisfaction\":-0.5}";
    struct signals s = signals_of_message(read(&arena, json));

    CHECK_INT(s.resolution, TRI_TRUE);
    CHECK_INT(s.user_rating, 4);
    CHECK_INT(s.barge_in_count, 7);
    CHECK_INT(s.handover, TRI_FALSE);
    CHECK_NEAR(s.duration_sec, 12.5, 0);
    CHECK_INT(s.repeats, 3);
    CHECK_INT(s.escalation, TRI_TRUE);
    CHECK_NEAR(s.satisfaction, -0.5, 0);
    arena_done(&arena);
}

/* Field, the numbers that are just allowed, and those that are just not. */
static const struct {
    const char *field, *good[2], *bad[2];
} ranges[] = {{"user_rating", {"1", "5"}, {"0", "6"}},
              {"barge_in_count", {"0", "10"}, {"-1", "11"}},
              {"repeats", {"0", "5"}, {"-1", "6"}},
              {"duration_sec", {"0", "3600"}, {"-0.001", "3600.001"}},
              {"satisfaction", {"-1", "1"}, {"-1.0001", "1.0001"}}};

static enum status check_one(struct arena *arena, const char *field, const char *value, struct reason *reason)
{
    return signals_check(read(arena, arena_printf(arena, "{\"%s\":%s}", field, value)), reason);
}

TEST(unit_message_signals, the_ends_of_each_range_are_inside_and_what_lies_beyond_is_refused_by_name)
{
    struct arena arena = {0};
    struct reason reason;

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        for (int end = 0; end < 2; end++) {
            reason = (struct reason){0};
            CHECK_INT(check_one(&arena, ranges[i].field, ranges[i].good[end], &reason), STATUS_OK);
            CHECK_INT(check_one(&arena, ranges[i].field, ranges[i].bad[end], &reason), STATUS_INVALID);
            CHECK_STR(reason.field, arena_printf(&arena, "signals.%s", ranges[i].field));
            CHECK(strstr(reason.text, "is outside of"));
        }
    arena_done(&arena);
}

TEST(unit_message_signals, a_number_that_is_none_is_refused)
{
    struct arena arena = {0};
    Signals *s = read(&arena, "{\"duration_sec\":1}");
    struct reason reason = {0};

    s->duration_sec = NAN;
    CHECK_INT(signals_check(s, &reason), STATUS_INVALID);
    CHECK_STR(reason.field, "signals.duration_sec");
    CHECK_INT(signals_check(NULL, &reason), STATUS_OK);
    arena_done(&arena);
}
