/* SPDX-License-Identifier: Apache-2.0 */
/* fsm.c - the table of the call state machine. */
#include "fsm.h"

#include <string.h>

/* No event leads back to idle, so 0 is what is not allowed. */
static const enum fsm_state table[FSM_STATES][FSM_EVENTS] = {
    [FSM_IDLE] = {[FSM_ON_INCOMING_CALL] = FSM_RINGING},
    [FSM_RINGING] = {[FSM_ON_CALL_ANSWERED] = FSM_CONNECTED, [FSM_ON_CALL_ENDED] = FSM_ENDED, [FSM_ON_TIMEOUT] = FSM_ENDED},
    [FSM_CONNECTED] = {[FSM_ON_AUDIO_START] = FSM_LISTENING, [FSM_ON_CALL_ENDED] = FSM_ENDED, [FSM_ON_ERROR] = FSM_ENDED},
    [FSM_LISTENING] = {[FSM_ON_AUDIO_STOP] = FSM_THINKING, [FSM_ON_BARGE_IN] = FSM_LISTENING, [FSM_ON_CALL_ENDED] = FSM_ENDED,
                       [FSM_ON_ERROR] = FSM_ENDED},
    [FSM_THINKING] = {[FSM_ON_AUDIO_START] = FSM_SPEAKING, [FSM_ON_CALL_ENDED] = FSM_ENDED, [FSM_ON_ERROR] = FSM_ENDED},
    [FSM_SPEAKING] = {[FSM_ON_AUDIO_STOP] = FSM_LISTENING, [FSM_ON_BARGE_IN] = FSM_LISTENING, [FSM_ON_CALL_ENDED] = FSM_ENDED,
                      [FSM_ON_ERROR] = FSM_ENDED},
    [FSM_BARRED] = {[FSM_ON_CALL_ENDED] = FSM_ENDED, [FSM_ON_ERROR] = FSM_ENDED},
};

bool fsm_next(enum fsm_state state, enum fsm_event event, bool barred, enum fsm_state *ret)
{
    enum fsm_state next = table[state][event];

    if (barred && state == FSM_RINGING && event == FSM_ON_INCOMING_CALL) /* said once more, to bar the caller */
        next = FSM_RINGING;
    if (!next)
        return false;
    *ret = barred && (next == FSM_RINGING || state == FSM_RINGING) && next != FSM_ENDED ? FSM_BARRED : next;
    return true;
}

const char *fsm_state_text(enum fsm_state state)
{
    static const char *const texts[] = {
#define X(name, text) text,
        FSM_STATE_LIST(X)
#undef X
    };

    return texts[state];
}

static const char *const events[] = {
#define X(name, text) text,
    FSM_EVENT_LIST(X)
#undef X
};

const char *fsm_event_text(enum fsm_event event) { return events[event]; }

enum fsm_event fsm_event_find(const char *text)
{
    enum fsm_event event = 0;

    while (event < FSM_EVENTS && strcmp(events[event], text) != 0)
        event++;
    return event;
}
