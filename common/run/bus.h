/* SPDX-License-Identifier: Apache-2.0 */
/* bus.h - what a service needs of the bus, as one interface with two implementations: bus_nats (real) and tests/sim/bus_sim.
 *
 * Everything that comes from the bus is an event that the service's thread takes; the bus's own threads do nothing but enqueue,
 * with one exception: a request whose subject is `immediate` is handled inside the bus's callback (the router's decision). */
#ifndef RL_BUS_H
#define RL_BUS_H

#include <stddef.h>
#include <stdint.h>

#include "clk.h"
#include "status.h"
#include "wiring.h"

enum bus_event_type {
    BUS_MESSAGE,   /* from a durable consumer of ours; wants an ack by `reply` */
    BUS_REQUEST,   /* wants an answer to `reply` */
    BUS_SNAPSHOT,  /* the newest of a last-only subject */
    BUS_HISTORY,   /* an older message of a stream that bus_setup.history asked for; no ack */
    BUS_CAUGHT_UP, /* all history has been delivered */
    BUS_PUBACK,    /* the publish `token` was stored (STATUS_OK), refused for good (STATUS_REFUSED) or for now (STATUS_BUSY) */
};

/* Data and texts belong to the event and live until it is released.  Texts are never NULL. */
struct bus_event {
    enum bus_event_type type;
    enum subject subject;
    int consumer;             /* index into consumer_table; -1: none */
    const uint8_t *data;
    size_t size;
    const char *reply;        /* where acks or answers go */
    const char *traceparent;
    const char *error;        /* BUS_PUBACK: what the server said */
    uint64_t sequence;        /* in the stream */
    int64_t time_us;          /* when it first arrived in the stream, unix microseconds: a replayed dead letter
                               * carries that time along */
    int64_t stream_time_us;   /* when it arrived in the stream under this sequence */
    uint32_t deliveries;      /* 1: the first */
    uint64_t token;
    enum status status;       /* BUS_PUBACK */
    void *owner;              /* of the implementation */
};

struct bus_message {
    enum subject subject;
    const void *data;
    size_t size;
    const char *id;          /* Nats-Msg-Id; "" none */
    const char *traceparent; /* "" none */
    uint64_t token;          /* comes back in BUS_PUBACK */
};

/* Where a database stands in a consumer's stream: everything up to `sequence` is in it, and what that caused was stored;
 * `time_us` is when that message had arrived.  Deliveries come in the stream's order and without a gap, so a consumer with an
 * owner is made again at each start to begin behind it: no message depends on what the server remembers of a former owner.  If
 * the stream ends before it or holds another message there (lost or cut), the consumer begins one minute before `time_us`: what
 * comes twice changes nothing. */
struct bus_position {
    uint64_t sequence; /* 0: nothing yet */
    int64_t time_us;
};

/* What the bus counts by itself; read once per second for metrics. */
struct bus_figures {
    bool connected;
    char problem[160]; /* why the service is not ready: a missing stream, no connection; "" none */
    uint64_t reconnects;
    uint64_t recreated[CONSUMER_COUNT]; /* consumers made again because they were gone or stood beyond their stream */
    uint64_t pending[CONSUMER_COUNT], ack_pending[CONSUMER_COUNT], redelivered[CONSUMER_COUNT];
};

/* Looks at all that a stream holds and overwrites each message that is `wanted`, once those who consume it have it.  One at a
 * time. `wanted` is called in another thread, up to the call of `scrub` that says the end or `drain`; subject SUBJECT_COUNT: one
 * that is not in the table. */
struct bus_scrub {
    enum stream stream;
    bool (*wanted)(void *ctx, enum subject subject, const uint8_t *data, size_t size);
    void *ctx;
};

struct bus; /* the first member of each implementation */

/* `immediate` runs in the bus's thread.  Everything else: one thread, the service's. */
struct bus_setup {
    const char *service; /* its rows of consumer_table are bound; its requests served */
    const enum subject *subjects; /* that it handles, streams, snapshots and requests alike */
    size_t subject_count;
    enum subject immediate; /* SUBJECT_COUNT: none */
    void (*on_immediate)(void *ctx, const struct bus_event *request);
    void *ctx;
    struct bus_position positions[CONSUMER_COUNT]; /* by consumer_table index */
    bool has_database;   /* positions mean something */
    /* 0: none.  Else what the streams of `subjects` hold of the last so many seconds comes as BUS_HISTORY, one stream after the
     * other, in the order in which `subjects` names them, then BUS_CAUGHT_UP.  Of a subject with a consumer only what lies before
     * the place where that consumer begins; it delivers after BUS_CAUGHT_UP.  So each message comes once, either way. */
    int64_t history_s;
};

struct bus_ops {
    /* Connects, binds, subscribes.  STATUS_LOCKED: another instance is bound. Waits for the server until `timeout_s`, then
     * STATUS_UNAVAILABLE. */
    enum status (*start)(struct bus *bus, const struct bus_setup *setup, struct reason *reason);

    /* Waits until there is an event or it is `until`; takes at most `capacity`, messages of streams only when `messages`.
     * Everything but stream messages comes first and is never held back.  Returns how many. */
    size_t (*take)(struct bus *bus, mono_time until, bool messages, struct bus_event *events, size_t capacity);
    void (*release)(struct bus *bus, struct bus_event *events, size_t count);

    /* Sends and does not wait; a BUS_PUBACK follows, or nothing at all when something was lost: the caller sends again. May be
     * called from any thread. */
    enum status (*publish)(struct bus *bus, const struct bus_message *message);
    void (*ack)(struct bus *bus, const char *reply);
    void (*respond)(struct bus *bus, const char *reply, const void *data, size_t size);
    void (*flush)(struct bus *bus); /* all that was sent is on its way to the server */

    void (*figures)(struct bus *bus, struct bus_figures *ret);
    /* See struct bus_scrub.  STATUS_BUSY: it is looking, ask again; STATUS_OK: done; STATUS_UNAVAILABLE: not everything could be
     * done, the next call begins anew. */
    enum status (*scrub)(struct bus *bus, const struct bus_scrub *scrub, uint64_t *ret_removed);
    /* Stop delivering stream messages, requests and snapshots, and looking for what is to be erased; PUBACKs still come. */
    void (*drain)(struct bus *bus);
};

struct bus {
    const struct bus_ops *ops;
};

#endif
