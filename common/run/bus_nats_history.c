/* SPDX-License-Identifier: Apache-2.0 */
/* bus_nats_history.c - what streams hold of the last hours, read once: an ephemeral consumer on a connection of its
 * own, one stream after the other.
 *
 * The consumer needs no acks and counts what it sends: a gap in its numbers, or silence of more than two heartbeats, and the
 * reading starts over behind the last message that came.  The connection is closed before anything else goes (nats.c 3.4.1). */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "bus_nats_inside.h"
#include "log.h"

enum { SILENCE_US = (2 * HEARTBEAT_S + 2) * SECOND_US, BACKLOG = 1 << 15 };

/* One reading.  Counted: the keeper's, and the delivery thread's until its subscription is complete. */
struct history {
    struct bus_nats *bus;
    natsConnection *nc;
    natsSubscription *sub;
    char stream[64], name[64];
    uint64_t consumer_sequence;    /* the delivery thread's */
    uint64_t ends[SUBJECT_COUNT];  /* the last sequence that is history; 0: none of this subject is wanted */
    atomic_uint_least64_t sequence; /* of the last message in the stream */
    atomic_uint heard;             /* messages and heartbeats */
    atomic_bool done, broken, stopped;
    atomic_int references;
    unsigned heard_before;         /* the keeper's */
    int64_t heard_at_us;
};

static void unref(void *history)
{
    struct history *h = history;

    if (atomic_fetch_sub(&h->references, 1) != 1)
        return;
    bus_unref(h->bus);
    free(h);
}

static void caught_up(struct history *h)
{
    if (!atomic_exchange(&h->done, true))
        bus_kick(h->bus);
}

/* SUBJECT_COUNT: nobody asked for it. */
static enum subject subject_of(const struct history *h, natsMsg *msg, uint64_t sequence)
{
    const char *name = natsMsg_GetSubject(msg);
    enum subject s = 0;

    while (s < SUBJECT_COUNT && (sequence > h->ends[s] || strcmp(name, h->bus->wire[s]) != 0))
        s++;
    return s;
}

/* A heartbeat tells the number of the last message that was sent. */
static void on_control(struct history *h, natsConnection *nc, natsMsg *msg)
{
    const char *last = NULL;

    bool told = natsMsgHeader_Get(msg, "Nats-Last-Consumer", &last) == NATS_OK && last;

    if (told && strtoull(last, NULL, 10) != h->consumer_sequence)
        atomic_store(&h->broken, true);
    bus_answer_control(nc, msg);
    natsMsg_Destroy(msg);
}

static void on_history(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *history)
{
    struct history *h = history;
    struct bus_event e = {.type = BUS_HISTORY, .consumer = -1, .deliveries = 1};
    struct delivery d;

    (void)sub;
    atomic_fetch_add_explicit(&h->heard, 1, memory_order_relaxed);
    if (!bus_delivery(natsMsg_GetReply(msg), &d)) {
        on_control(h, nc, msg);
        return;
    }
    if (d.consumer_sequence != h->consumer_sequence + 1)
        atomic_store(&h->broken, true);
    if (atomic_load(&h->broken) || atomic_load(&h->done) || atomic_load(&h->stopped)) {
        natsMsg_Destroy(msg);
        return;
    }
    /* The server's flow control waits for us to answer: hours of a busy stream need no room here. */
    while (bus_backlog(h->bus) > BACKLOG && !atomic_load(&h->stopped))
        nats_Sleep(1);
    h->consumer_sequence = d.consumer_sequence;
    e.subject = subject_of(h, msg, d.sequence);
    e.sequence = d.sequence;
    e.time_us = e.stream_time_us = (int64_t)(d.time_ns / 1000);
    if (e.subject == SUBJECT_COUNT) {
        natsMsg_Destroy(msg);
    } else {
        bus_fill(&e, msg);
        bus_push(h->bus, &e);
    }
    atomic_store(&h->sequence, d.sequence);
    if (d.pending == 0)
        caught_up(h);
}

static char *request_of(const struct bus_nats *b, const struct history *h, const char *deliver)
{
    char since[40];

    keeper_time_text(b->history_since_us, since);
    json_t *request = json_pack("{s:s, s:{s:s, s:s, s:s, s:i, s:b, s:I, s:s, s:b}}", "stream_name", h->stream, "config",
                                "deliver_subject", deliver, "ack_policy", "none", "replay_policy", "instant", "max_deliver", 1,
                                "flow_control", 1, "idle_heartbeat", (json_int_t)HEARTBEAT_S * 1000000000, "deliver_policy",
                                b->history_next ? "by_start_sequence" : "by_start_time", "mem_storage", 1);
    json_t *config = json_object_get(request, "config");
    if (b->history_next)
        json_object_set_new(config, "opt_start_seq", json_integer((json_int_t)b->history_next));
    else
        json_object_set_new(config, "opt_start_time", json_string(since));
    char *body = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    return body;
}

static bool subscribe(struct history *h, const char *deliver)
{
    if (natsConnection_Subscribe(&h->sub, h->nc, deliver, on_history, h) != NATS_OK)
        return false;
    atomic_fetch_add(&h->references, 1);
    if (natsSubscription_SetOnCompleteCB(h->sub, unref, h) != NATS_OK) {
        atomic_fetch_sub(&h->references, 1);
        return false;
    }
    return natsSubscription_SetPendingLimits(h->sub, -1, -1) == NATS_OK && natsConnection_FlushTimeout(h->nc, 2000) == NATS_OK;
}

/* Our consumer of the subject delivers what lies behind its floor; without one all of it is history. */
static bool find_end(struct bus_nats *b, struct history *h, enum subject subject)
{
    int error = 0;

    h->ends[subject] = UINT64_MAX;
    for (size_t i = 0; i < b->consumer_count; i++) {
        if (consumer_table[b->consumers[i].index].subject != subject)
            continue;
        json_t *info = keeper_ask(b, "", &error, "CONSUMER.INFO.%s.%s", h->stream, b->consumers[i].durable);
        h->ends[subject] = (uint64_t)json_integer_value(json_object_get(json_object_get(info, "ack_floor"), "stream_seq"));
        json_decref(info);
        if (!info)
            return false;
    }
    return true;
}

/* The stream of the subject, and which of its messages. */
static bool find_ends(struct bus_nats *b, struct history *h)
{
    enum stream stream = subject_table[b->setup.subjects[b->history_subject]].stream;
    bool ok = true;

    wire_stream(b->prefix, stream, h->stream);
    for (size_t i = 0; i < b->setup.subject_count && ok; i++)
        if (subject_table[b->setup.subjects[i]].stream == stream)
            ok = find_end(b, h, b->setup.subjects[i]);
    return ok;
}

static void begin(struct bus_nats *b)
{
    struct history *h = xcalloc(1, sizeof *h);
    natsInbox *deliver = NULL;
    struct reason reason;
    int error = 0;

    *h = (struct history){.bus = b, .references = 1, .heard_at_us = bus_clock_us(CLOCK_MONOTONIC)};
    atomic_fetch_add(&b->references, 1);
    b->history = h;
    if (natsInbox_Create(&deliver) != NATS_OK)
        abort();
    char subject[192];
    snprintf(subject, sizeof subject, "%s.history.%s", b->inbox, deliver + 7); /* behind "_INBOX." */
    natsInbox_Destroy(deliver);
    if (!find_ends(b, h) || bus_connect(b, true, &h->nc, &reason) != STATUS_OK || !subscribe(h, subject)) {
        keeper_problem(b, "no second connection to read history");
        history_stop(b);
        return;
    }
    char *body = request_of(b, h, subject);
    json_t *reply = keeper_ask(b, body, &error, "CONSUMER.CREATE.%s", h->stream);
    const char *name = json_string_value(json_object_get(reply, "name"));
    snprintf(h->name, sizeof h->name, "%s", name ? name : "");
    bool empty = json_integer_value(json_object_get(reply, "num_pending")) == 0 &&
                 json_integer_value(json_object_get(json_object_get(reply, "delivered"), "consumer_seq")) == 0;
    free(body);
    json_decref(reply);
    if (!name)
        history_stop(b);
    else if (empty)
        caught_up(h);
}

void history_stop(struct bus_nats *b)
{
    struct history *h = b->history;
    int error;

    if (!h)
        return;
    atomic_store(&h->stopped, true);
    natsConnection_Close(h->nc);
    natsSubscription_Destroy(h->sub);
    natsConnection_Destroy(h->nc);
    if (h->name[0] && atomic_load(&b->connected))
        json_decref(keeper_ask(b, "", &error, "CONSUMER.DELETE.%s.%s", h->stream, h->name));
    uint64_t last = atomic_load(&h->sequence);
    if (last)
        b->history_next = last + 1;
    b->history = NULL;
    unref(h);
}

/* The next subject whose stream was not read yet; false: there is none. */
static bool next_stream(struct bus_nats *b)
{
    const enum subject *all = b->setup.subjects;
    bool fresh = false;

    while (!fresh && ++b->history_subject < b->setup.subject_count) {
        fresh = subject_table[all[b->history_subject]].kind == KIND_STREAM;
        for (size_t i = 0; i < b->history_subject; i++)
            fresh &= subject_table[all[i]].stream != subject_table[all[b->history_subject]].stream;
    }
    b->history_next = 0;
    return fresh;
}

static void end(struct bus_nats *b)
{
    b->history_wanted = false;
    bus_push(b, &(struct bus_event){.type = BUS_CAUGHT_UP, .subject = SUBJECT_COUNT, .consumer = -1, .reply = "",
                                    .traceparent = "", .error = ""});
}

void history_init(struct bus_nats *b)
{
    b->history_wanted = b->setup.history_s > 0;
    b->history_since_us = bus_clock_us(CLOCK_REALTIME) - b->setup.history_s * SECOND_US;
    b->history_subject = SIZE_MAX; /* before the first */
    if (b->history_wanted && !next_stream(b))
        end(b);
}

/* What is being read has been heard of lately, or it is begun again. */
static void watch(struct bus_nats *b, struct history *h)
{
    int64_t now = bus_clock_us(CLOCK_MONOTONIC);
    unsigned heard = atomic_load(&h->heard);

    if (heard != h->heard_before)
        h->heard_at_us = now;
    h->heard_before = heard;
    if (!atomic_load(&h->broken) && now - h->heard_at_us <= SILENCE_US)
        return;
    log_warning("bus.history_again", "stream=%s sequence=%llu", h->stream, (unsigned long long)atomic_load(&h->sequence));
    history_stop(b);
    begin(b);
}

void history_keep(struct bus_nats *b)
{
    while (b->history_wanted) {
        if (!b->history)
            begin(b);
        if (!b->history)
            return;
        if (!atomic_load(&b->history->done)) {
            watch(b, b->history);
            return;
        }
        history_stop(b);
        if (!next_stream(b))
            end(b);
    }
}
