/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.h - the live calls: where each one is, and what has become known of it.
 *
 * Pure memory, by call key.  A session that ended stays for a while, so that what comes late is recognised.  One whose end never
 * comes is given up; when there are too many, the one that ended first goes, and if none has, the one that began first: it is the
 * most likely to have lost its end. */
#ifndef RL_SESSIONS_H
#define RL_SESSIONS_H

#include <stddef.h>

#include "fsm.h"
#include "msg.h"
#include "pseudonym.h"
#include "signals.h"

struct session {
    uint8_t key[CALL_KEY_BYTES];
    enum fsm_state state;
    size_t variant;              /* what is spoken; never changes */
    uint32_t events;             /* taken */
    struct signals signals;      /* counts and what events told; the duration comes with the end */
    int64_t began_us, ended_us;  /* when the event arrived; ended_us 0: it lives */
    int64_t answered_at_us, ended_at_us; /* as the events say; answered 0: it never was */
    uint64_t seen_sequence;      /* the last event of it that came, taken or not, in its stream */
    int64_t seen_us;
    struct session *same_bucket, *before, *after; /* before and after: in the order of beginning, or of ending */
    char call_id[];              /* raw: for call.ended, and never for a log */
};

struct sessions;

struct sessions *sessions_new(size_t capacity);
struct sessions *sessions_free(struct sessions *s);

struct session *sessions_find(const struct sessions *s, const uint8_t key[static CALL_KEY_BYTES]); /* NULL: none */

/* A new one, idle.  The key must not be there yet.  *ret_dropped: another one that lived had to go. */
struct session *sessions_add(struct sessions *s, const uint8_t key[static CALL_KEY_BYTES], const char *call_id, int64_t at_us,
                             bool *ret_dropped);
void sessions_remove(struct sessions *s, struct session *gone);

/* One event of the call's stream. */
struct call_step {
    enum fsm_event event;
    const Tom__Rl__V1__CallEvent__Data *data; /* NULL: none; in range */
    int64_t at_us;         /* as the event says */
    uint64_t sequence;
    int64_t stream_us;     /* when it came into the stream under this sequence */
};

/* Did it, or a later one, come already?  A stream that was lost begins again at 1, but not at an earlier time. */
bool session_saw(const struct session *session, const struct call_step *step);

/* Moves the session.  STATUS_INVALID names state and event, and nothing but what was seen has changed. */
enum status sessions_step(struct sessions *s, struct session *session, const struct call_step *step,
                          struct reason *reason) MUST_CHECK;

/* Forgets what ended before `ended_us` and gives up what began before `began_us` and lives; returns how many of the latter. */
size_t sessions_forget(struct sessions *s, int64_t ended_us, int64_t began_us);

size_t sessions_in(const struct sessions *s, enum fsm_state state);
uint64_t sessions_events(const struct sessions *s);             /* taken, of all that ever were */
struct session *sessions_first_ended(const struct sessions *s); /* then by `after` */

#endif
