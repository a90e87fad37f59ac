/* SPDX-License-Identifier: Apache-2.0 */
/* sessions.c - a hash by call key, and two queues: those that live, by their beginning, and those that ended, by their end. */
#include "sessions.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "codec.h"

enum { BUCKETS = 1 << 16, BARGE_IN_LIMIT = 10, DURATION_LIMIT_S = 3600 }; /* limits of the message Signals */

struct queue {
    struct session *first, *last;
};

struct sessions {
    size_t capacity, in[FSM_STATES];
    uint64_t events;
    struct session **buckets;
    struct queue live, ended;
};

/* A pseudonym is random already. */
static struct session **bucket_of(const struct sessions *s, const uint8_t *key)
{
    return &s->buckets[(size_t)key[0] << 8 | key[1]];
}

static struct queue *queue_of(struct sessions *s, const struct session *x)
{
    return x->state == FSM_ENDED ? &s->ended : &s->live;
}

static void append(struct queue *q, struct session *x)
{
    x->before = q->last;
    x->after = NULL;
    *(q->last ? &q->last->after : &q->first) = x;
    q->last = x;
}

static void take_out(struct queue *q, struct session *x)
{
    *(x->before ? &x->before->after : &q->first) = x->after;
    *(x->after ? &x->after->before : &q->last) = x->before;
}

struct sessions *sessions_new(size_t capacity)
{
    struct sessions *s = xcalloc(1, sizeof *s);

    s->capacity = capacity;
    s->buckets = xcalloc(BUCKETS, sizeof *s->buckets);
    return s;
}

void sessions_remove(struct sessions *s, struct session *gone)
{
    struct session **at = bucket_of(s, gone->key);

    while (*at != gone)
        at = &(*at)->same_bucket;
    *at = gone->same_bucket;
    take_out(queue_of(s, gone), gone);
    s->in[gone->state]--;
    free(gone);
}

struct sessions *sessions_free(struct sessions *s)
{
    if (!s)
        return NULL;
    while (s->live.first)
        sessions_remove(s, s->live.first);
    while (s->ended.first)
        sessions_remove(s, s->ended.first);
    free(s->buckets);
    free(s);
    return NULL;
}

struct session *sessions_find(const struct sessions *s, const uint8_t key[static CALL_KEY_BYTES])
{
    struct session *x = *bucket_of(s, key);

    while (x && memcmp(x->key, key, CALL_KEY_BYTES) != 0)
        x = x->same_bucket;
    return x;
}

static size_t count(const struct sessions *s)
{
    size_t n = 0;

    for (size_t i = 0; i < FSM_STATES; i++)
        n += s->in[i];
    return n;
}

struct session *sessions_add(struct sessions *s, const uint8_t key[static CALL_KEY_BYTES], const char *call_id, int64_t at_us,
                             bool *ret_dropped)
{
    size_t size = strlen(call_id) + 1;
    struct session *x = xcalloc(1, sizeof *x + size), **bucket = bucket_of(s, key);

    *ret_dropped = count(s) >= s->capacity && !s->ended.first;
    if (count(s) >= s->capacity)
        sessions_remove(s, s->ended.first ? s->ended.first : s->live.first);
    memcpy(x->key, key, CALL_KEY_BYTES);
    memcpy(x->call_id, call_id, size);
    x->signals = SIGNALS_NONE;
    x->signals.barge_in_count = 0;
    x->began_us = at_us;
    x->same_bucket = *bucket;
    *bucket = x;
    append(&s->live, x);
    s->in[FSM_IDLE]++;
    return x;
}

/* ---- one event ------------------------------------------------------------------------------------------------------------- */

bool session_saw(const struct session *x, const struct call_step *step)
{
    return step->sequence <= x->seen_sequence && step->stream_us <= x->seen_us;
}

/* What events tell: the last word counts. */
static void learn(struct signals *k, const Tom__Rl__V1__CallEvent__Data *data)
{
    if (!data)
        return;
    if (HAS(data, has_user_rating_case))
        k->user_rating = data->user_rating;
    if (HAS(data, has_resolution_case))
        k->resolution = tri_of(data->resolution);
    if (HAS(data, has_handover_case))
        k->handover = tri_of(data->handover);
    if (HAS(data, has_repeat_count_case))
        k->repeats = data->repeat_count;
}

/* A sender whose clock went backwards does not know how long the call was. */
static void end(struct sessions *s, struct session *x, const struct call_step *step)
{
    double seconds = (double)(step->at_us - x->answered_at_us) / 1e6;

    if (x->answered_at_us && seconds >= 0)
        x->signals.duration_sec = seconds < DURATION_LIMIT_S ? seconds : DURATION_LIMIT_S;
    x->ended_us = step->stream_us;
    x->ended_at_us = step->at_us;
    take_out(&s->live, x);
    append(&s->ended, x);
}

enum status sessions_step(struct sessions *s, struct session *x, const struct call_step *step, struct reason *reason)
{
    enum fsm_state before = x->state, next;
    bool barred = step->data && HAS(step->data, has_barred_case) && step->data->barred;

    x->seen_sequence = step->sequence;
    x->seen_us = step->stream_us;
    if (!fsm_next(before, step->event, barred, &next))
        return reason_set(reason, "event", "a call in state %s takes no %s", fsm_state_text(before), fsm_event_text(step->event));
    learn(&x->signals, step->data);
    x->events++;
    s->events++;
    if (next == FSM_CONNECTED)
        x->answered_at_us = step->at_us > 0 ? step->at_us : 1;
    if (step->event == FSM_ON_BARGE_IN && x->signals.barge_in_count < BARGE_IN_LIMIT)
        x->signals.barge_in_count++;
    if (next == FSM_ENDED)
        end(s, x, step);
    x->state = next;
    s->in[before]--;
    s->in[next]++;
    return STATUS_OK;
}

/* ---- all of them ----------------------------------------------------------------------------------------------------------- */

size_t sessions_forget(struct sessions *s, int64_t ended_us, int64_t began_us)
{
    size_t given_up = 0;

    while (s->ended.first && s->ended.first->ended_us < ended_us)
        sessions_remove(s, s->ended.first);
    for (; s->live.first && s->live.first->began_us < began_us; given_up++)
        sessions_remove(s, s->live.first);
    return given_up;
}

size_t sessions_in(const struct sessions *s, enum fsm_state state) { return s->in[state]; }

uint64_t sessions_events(const struct sessions *s) { return s->events; }

struct session *sessions_first_ended(const struct sessions *s) { return s->ended.first; }
