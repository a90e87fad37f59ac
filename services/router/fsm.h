/* SPDX-License-Identifier: Apache-2.0 */
/* fsm.h - the states of a live call and the events that move it: one table, nothing else. */
#ifndef RL_FSM_H
#define RL_FSM_H

#include <stdbool.h>

#define FSM_STATE_LIST(X) \
    X(IDLE, "idle") X(RINGING, "ringing") X(CONNECTED, "connected") X(LISTENING, "listening") X(THINKING, "thinking") \
    X(SPEAKING, "speaking") X(BARRED, "barred") X(ENDED, "ended")

#define FSM_EVENT_LIST(X) \
    X(INCOMING_CALL, "incoming_call") X(CALL_ANSWERED, "call_answered") X(AUDIO_START, "audio_start") \
    X(AUDIO_STOP, "audio_stop") X(BARGE_IN, "barge_in") X(CALL_ENDED, "call_ended") X(TIMEOUT, "timeout") X(ERROR, "error")

/* idle: nothing was heard of the call yet.  barred: the caller is on a block list.  ended: nothing moves it any more. */
enum fsm_state {
#define X(name, text) FSM_##name,
    FSM_STATE_LIST(X)
#undef X
    FSM_STATES
};

enum fsm_event {
#define X(name, text) FSM_ON_##name,
    FSM_EVENT_LIST(X)
#undef X
    FSM_EVENTS
};

/* False: the state does not take this event, and *ret stays as it is.  `barred`: the event says that the caller is barred; only a
 * call that would ring, or be answered, becomes so. */
bool fsm_next(enum fsm_state state, enum fsm_event event, bool barred, enum fsm_state *ret);

const char *fsm_state_text(enum fsm_state state);
const char *fsm_event_text(enum fsm_event event);
enum fsm_event fsm_event_find(const char *text); /* FSM_EVENTS: there is none of that name */

#endif
