/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.c - what is gathered of a live call, and how many there can be. */
#include "sessions.h"

#include <stdio.h>

#include "codec.h"
#include "test.h"

#define SECONDS INT64_C(1000000)

typedef Tom__Rl__V1__CallEvent__Data Data;

struct desk {
    struct sessions *sessions;
    uint64_t sequence;
    struct reason reason;
};

static void key_of(int number, uint8_t key[CALL_KEY_BYTES])
{
    memset(key, 0, CALL_KEY_BYTES);
    key[0] = (uint8_t)(number * 7);
    memcpy(key + 4, &number, sizeof number);
}

static struct session *open_call(struct desk *d, int number, int64_t at_s, bool *ret_dropped)
{
    uint8_t key[CALL_KEY_BYTES];
    char id[32];

    key_of(number, key);
    snprintf(id, sizeof id, "call-%d", number);
    return sessions_add(d->sessions, key, id, at_s * SECONDS, ret_dropped);
}

static enum status step(struct desk *d, struct session *x, enum fsm_event event, int64_t at_s, const Data *data)
{
    const struct call_step s = {.event = event, .data = data, .at_us = at_s * SECONDS,
                                .sequence = ++d->sequence, .stream_us = at_s * SECONDS};

    return sessions_step(d->sessions, x, &s, &d->reason);
}

static void run_call(struct desk *d, struct session *x, int64_t from_s)
{
    CHECK_INT(step(d, x, FSM_ON_INCOMING_CALL, from_s, NULL), STATUS_OK);
    CHECK_INT(step(d, x, FSM_ON_CALL_ANSWERED, from_s + 5, NULL), STATUS_OK);
    CHECK_INT(step(d, x, FSM_ON_CALL_ENDED, from_s + 65, NULL), STATUS_OK);
}

#define TELL(data, name, NAME, value) \
    ((data).has_##name##_case = TOM__RL__V1__CALL_EVENT__DATA__HAS_##NAME##_##NAME, (data).name = (value))

TEST(unit_sessions, a_call_gathers_counts_what_it_was_told_last_and_its_length_from_the_answer)
{
    struct desk d = {.sessions = sessions_new(10)};
    Data data = TOM__RL__V1__CALL_EVENT__DATA__INIT, last = TOM__RL__V1__CALL_EVENT__DATA__INIT;
    bool dropped;
    struct session *x = open_call(&d, 1, 1000, &dropped);

    CHECK_INT(step(&d, x, FSM_ON_INCOMING_CALL, 1000, NULL), STATUS_OK);
    CHECK_INT(step(&d, x, FSM_ON_CALL_ANSWERED, 1008, NULL), STATUS_OK);
    TELL(data, repeat_count, REPEAT_COUNT, 1);
    TELL(data, resolution, RESOLUTION, false);
    CHECK_INT(step(&d, x, FSM_ON_AUDIO_START, 1010, &data), STATUS_OK);
    CHECK_INT(step(&d, x, FSM_ON_BARGE_IN, 1011, NULL), STATUS_OK);
    CHECK_INT(step(&d, x, FSM_ON_AUDIO_STOP, 1012, NULL), STATUS_OK);
    CHECK_INT(step(&d, x, FSM_ON_AUDIO_START, 1013, NULL), STATUS_OK);
    CHECK_INT(step(&d, x, FSM_ON_BARGE_IN, 1014, NULL), STATUS_OK);
    CHECK_INT(x->state, FSM_LISTENING);
    TELL(last, repeat_count, REPEAT_COUNT, 3);
    TELL(last, resolution, RESOLUTION, true);
    TELL(last, handover, HANDOVER, true);
    TELL(last, user_rating, USER_RATING, 4);
    CHECK_INT(step(&d, x, FSM_ON_CALL_ENDED, 1100, &last), STATUS_OK);
    CHECK_INT(x->signals.barge_in_count, 2);
    CHECK_INT(x->signals.repeats, 3);
    CHECK_INT(x->signals.resolution, TRI_TRUE);
    CHECK_INT(x->signals.handover, TRI_TRUE);
    CHECK_INT(x->signals.user_rating, 4);
    CHECK_NEAR(x->signals.duration_sec, 92, 1e-9);
    CHECK_INT(x->events, 8);
    CHECK_INT(sessions_events(d.sessions), 8);
    CHECK_STR(x->call_id, "call-1");
    sessions_free(d.sessions);
}

TEST(unit_sessions, a_refused_event_changes_nothing_and_names_state_and_event)
{
    struct desk d = {.sessions = sessions_new(10)};
    Data data = TOM__RL__V1__CALL_EVENT__DATA__INIT;
    bool dropped;
    struct session *x = open_call(&d, 1, 1000, &dropped);

    CHECK_INT(step(&d, x, FSM_ON_INCOMING_CALL, 1000, NULL), STATUS_OK);
    TELL(data, user_rating, USER_RATING, 5);
    CHECK_INT(step(&d, x, FSM_ON_AUDIO_START, 1001, &data), STATUS_INVALID);
    CHECK_STR(d.reason.field, "event");
    CHECK_STR(d.reason.text, "a call in state ringing takes no audio_start");
    CHECK_INT(x->state, FSM_RINGING);
    CHECK_INT(x->signals.user_rating, 0);
    CHECK_INT(x->events, 1);
    CHECK_INT(sessions_in(d.sessions, FSM_RINGING), 1);
    sessions_free(d.sessions);
}

TEST(unit_sessions, an_event_that_comes_again_is_seen_even_when_it_was_refused_but_not_after_its_stream_began_anew)
{
    struct desk d = {.sessions = sessions_new(10)};
    bool dropped;
    struct session *x = open_call(&d, 1, 1000, &dropped);
    struct call_step s = {.event = FSM_ON_AUDIO_START, .sequence = 7, .stream_us = 2000};

    CHECK(!session_saw(x, &s));
    CHECK_INT(sessions_step(d.sessions, x, &s, NULL), STATUS_INVALID);
    CHECK(session_saw(x, &s));
    s.sequence = 6, s.stream_us = 1500;
    CHECK(session_saw(x, &s));
    s.sequence = 1, s.stream_us = 3000; /* the stream was lost and made again */
    CHECK(!session_saw(x, &s));
    s.sequence = 8, s.stream_us = 1000; /* the server's clock was set back */
    CHECK(!session_saw(x, &s));
    sessions_free(d.sessions);
}

TEST(unit_sessions, the_length_is_unknown_without_an_answer_or_with_a_clock_that_ran_back_and_ends_at_an_hour)
{
    struct desk d = {.sessions = sessions_new(10)};
    bool dropped;
    struct session *never = open_call(&d, 1, 1000, &dropped), *back = open_call(&d, 2, 1000, &dropped),
                   *lasts = open_call(&d, 3, 1000, &dropped);

    CHECK_INT(step(&d, never, FSM_ON_INCOMING_CALL, 1000, NULL), STATUS_OK);
    CHECK_INT(step(&d, never, FSM_ON_TIMEOUT, 1030, NULL), STATUS_OK);
    CHECK(never->signals.duration_sec < 0 && !never->answered_at_us);
    CHECK_INT(step(&d, back, FSM_ON_INCOMING_CALL, 1000, NULL), STATUS_OK);
    CHECK_INT(step(&d, back, FSM_ON_CALL_ANSWERED, 1010, NULL), STATUS_OK);
    CHECK_INT(step(&d, back, FSM_ON_ERROR, 1005, NULL), STATUS_OK);
    CHECK(back->signals.duration_sec < 0 && back->answered_at_us);
    CHECK_INT(step(&d, lasts, FSM_ON_INCOMING_CALL, 1000, NULL), STATUS_OK);
    CHECK_INT(step(&d, lasts, FSM_ON_CALL_ANSWERED, 1000, NULL), STATUS_OK);
    CHECK_INT(step(&d, lasts, FSM_ON_CALL_ENDED, 9000, NULL), STATUS_OK);
    CHECK_NEAR(lasts->signals.duration_sec, 3600, 0);
    sessions_free(d.sessions);
}

TEST(unit_sessions, barge_ins_count_up_to_the_most_that_a_signal_says)
{
    struct desk d = {.sessions = sessions_new(10)};
    bool dropped;
    struct session *x = open_call(&d, 1, 0, &dropped);

    CHECK_INT(step(&d, x, FSM_ON_INCOMING_CALL, 1, NULL), STATUS_OK);
    CHECK_INT(step(&d, x, FSM_ON_CALL_ANSWERED, 2, NULL), STATUS_OK);
    CHECK_INT(step(&d, x, FSM_ON_AUDIO_START, 3, NULL), STATUS_OK);
    for (int i = 0; i < 14; i++)
        CHECK_INT(step(&d, x, FSM_ON_BARGE_IN, 4, NULL), STATUS_OK);
    CHECK_INT(x->signals.barge_in_count, 10);
    CHECK_INT(x->events, 17);
    sessions_free(d.sessions);
}

TEST(unit_sessions, what_ended_is_forgotten_by_its_end_and_what_never_ends_by_its_beginning)
{
    struct desk d = {.sessions = sessions_new(10)};
    uint8_t key[CALL_KEY_BYTES];
    bool dropped;

    struct session *first = open_call(&d, 1, 1000, &dropped), *lives = open_call(&d, 2, 1001, &dropped),
                   *later = open_call(&d, 3, 1002, &dropped);
    run_call(&d, later, 1002);
    run_call(&d, first, 1010);
    CHECK_INT(step(&d, lives, FSM_ON_INCOMING_CALL, 1001, NULL), STATUS_OK);
    CHECK(sessions_first_ended(d.sessions) == later && later->after == first);
    CHECK_INT(sessions_forget(d.sessions, 1070 * SECONDS, 1001 * SECONDS), 0); /* the third ended at 1067, the first at 1075 */
    key_of(3, key);
    CHECK(!sessions_find(d.sessions, key));
    key_of(1, key);
    CHECK(sessions_find(d.sessions, key) == first);
    CHECK_INT(sessions_forget(d.sessions, 1070 * SECONDS, 1002 * SECONDS), 1);
    CHECK_INT(sessions_in(d.sessions, FSM_RINGING), 0);
    CHECK_INT(sessions_in(d.sessions, FSM_ENDED), 1);
    sessions_free(d.sessions);
}

TEST(unit_sessions, when_there_are_too_many_the_ended_go_first_and_then_the_oldest)
{
    struct desk d = {.sessions = sessions_new(3)};
    uint8_t key[CALL_KEY_BYTES];
    bool dropped;

    open_call(&d, 1, 1, &dropped);
    run_call(&d, open_call(&d, 2, 2, &dropped), 2);
    open_call(&d, 3, 3, &dropped);
    CHECK(!dropped);
    open_call(&d, 4, 4, &dropped);
    CHECK(!dropped);
    key_of(2, key);
    CHECK(!sessions_find(d.sessions, key));
    open_call(&d, 5, 5, &dropped);
    CHECK(dropped);
    key_of(1, key);
    CHECK(!sessions_find(d.sessions, key));
    for (int i = 3; i <= 5; i++) {
        key_of(i, key);
        CHECK(sessions_find(d.sessions, key));
    }
    sessions_free(d.sessions);
}

TEST(unit_sessions, twenty_thousand_live_at_once_and_each_keeps_its_own)
{
    enum { MANY = 20000 };
    struct desk d = {.sessions = sessions_new(50000)};
    uint8_t key[CALL_KEY_BYTES];
    bool dropped = false, any = false;

    for (int i = 0; i < MANY; i++) {
        struct session *x = open_call(&d, i, i, &dropped);
        x->variant = (size_t)i % 12;
        any |= dropped;
        CHECK_INT(step(&d, x, FSM_ON_INCOMING_CALL, i, NULL), STATUS_OK);
    }
    CHECK(!any);
    CHECK_INT(sessions_in(d.sessions, FSM_RINGING), MANY);
    for (int i = MANY - 1; i >= 0; i--) {
        key_of(i, key);
        struct session *x = sessions_find(d.sessions, key);
        CHECK(x && x->variant == (size_t)i % 12 && x->began_us == i * SECONDS);
        if (x && i % 2)
            CHECK_INT(step(&d, x, FSM_ON_CALL_ANSWERED, MANY + i, NULL), STATUS_OK);
    }
    CHECK_INT(sessions_in(d.sessions, FSM_CONNECTED), MANY / 2);
    CHECK_INT(sessions_forget(d.sessions, 0, MANY * SECONDS), MANY);
    CHECK_INT(sessions_in(d.sessions, FSM_CONNECTED) + sessions_in(d.sessions, FSM_RINGING), 0);
    sessions_free(d.sessions);
}
