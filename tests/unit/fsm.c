/* SPDX-License-Identifier: Apache-2.0 */
/* fsm.c - every cell of the table of the call state machine, once more and by hand. */
#include "fsm.h"

#include "test.h"

struct arrow {
    const char *state, *event, *next;
};

static const struct arrow arrows[] = {
    {"idle", "incoming_call", "ringing"},
    {"ringing", "call_answered", "connected"}, {"ringing", "call_ended", "ended"}, {"ringing", "timeout", "ended"},
    {"connected", "audio_start", "listening"}, {"connected", "call_ended", "ended"}, {"connected", "error", "ended"},
    {"listening", "audio_stop", "thinking"}, {"listening", "barge_in", "listening"}, {"listening", "call_ended", "ended"},
    {"listening", "error", "ended"},
    {"thinking", "audio_start", "speaking"}, {"thinking", "call_ended", "ended"}, {"thinking", "error", "ended"},
    {"speaking", "audio_stop", "listening"}, {"speaking", "barge_in", "listening"}, {"speaking", "call_ended", "ended"},
    {"speaking", "error", "ended"},
    {"barred", "call_ended", "ended"}, {"barred", "error", "ended"},
};

static const char *expected(enum fsm_state state, enum fsm_event event)
{
    for (size_t i = 0; i < sizeof arrows / sizeof *arrows; i++)
        if (strcmp(arrows[i].state, fsm_state_text(state)) == 0 && strcmp(arrows[i].event, fsm_event_text(event)) == 0)
            return arrows[i].next;
    return NULL;
}

TEST(unit_fsm, every_cell_of_the_table_moves_or_refuses_as_described)
{
    int moves = 0;

    CHECK_INT(FSM_STATES * FSM_EVENTS, 64);
    for (enum fsm_state state = 0; state < FSM_STATES; state++)
        for (enum fsm_event event = 0; event < FSM_EVENTS; event++) {
            enum fsm_state next = FSM_STATES;
            const char *to = expected(state, event);
            bool moved = fsm_next(state, event, false, &next);
            if (moved != (to != NULL) || (to && strcmp(fsm_state_text(next), to) != 0))
                test_fail(__FILE__, __LINE__, "%s %s goes to %s, not to %s", fsm_state_text(state), fsm_event_text(event),
                          moved ? fsm_state_text(next) : "nowhere", to ? to : "nowhere");
            if (!moved)
                CHECK_INT(next, FSM_STATES); /* untouched */
            moves += moved;
        }
    CHECK_INT(moves, sizeof arrows / sizeof *arrows);
}

TEST(unit_fsm, a_barred_caller_is_barred_where_he_would_ring_or_be_answered_and_nowhere_else)
{
    for (enum fsm_state state = 0; state < FSM_STATES; state++)
        for (enum fsm_event event = 0; event < FSM_EVENTS; event++) {
            enum fsm_state plain = FSM_STATES, barred = FSM_STATES;
            bool before = state == FSM_IDLE || state == FSM_RINGING;
            bool stops = (before && event == FSM_ON_INCOMING_CALL) || (state == FSM_RINGING && event == FSM_ON_CALL_ANSWERED);
            fsm_next(state, event, false, &plain);
            fsm_next(state, event, true, &barred);
            if (barred != (stops ? FSM_BARRED : plain))
                test_fail(__FILE__, __LINE__, "%s %s", fsm_state_text(state), fsm_event_text(event));
        }
}

TEST(unit_fsm, events_are_found_by_their_whole_name)
{
    for (enum fsm_event event = 0; event < FSM_EVENTS; event++)
        CHECK_INT(fsm_event_find(fsm_event_text(event)), event);
    CHECK_INT(fsm_event_find("incoming"), FSM_EVENTS);
    CHECK_INT(fsm_event_find("incoming_call "), FSM_EVENTS);
    CHECK_INT(fsm_event_find(""), FSM_EVENTS);
}
