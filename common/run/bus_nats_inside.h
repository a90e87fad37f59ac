/* SPDX-License-Identifier: Apache-2.0 */
/* bus_nats_inside.h - what the files of the NATS bus share.
 *
 * Threads.  The service's thread calls the ops and owns what `take` gave it.  nats.c's delivery threads, one per subscription,
 * turn a message into an event and put it into one of two rings (bus_nats_events.c).  The keeper's thread alone talks to the
 * JetStream API and
 * owns consumers, snapshots and history (bus_nats_keeper.c, bus_nats_history.c); `start` does its work before that thread exists.
 * What they share lies under `mutex` or is atomic.
 *
 * Ownership.  An event's natsMsg lives until it is released.  nats.c may call back after a connection was closed, so the bus is
 * counted: one reference for the owner, one per connection until its closed callback, one per subscription until it is complete.
 * No subscription is destroyed before its connection was closed (3.4.1: use after free). */
#ifndef RL_BUS_NATS_INSIDE_H
#define RL_BUS_NATS_INSIDE_H

#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "bus_nats.h"

enum { SECOND_US = 1000000, MINUTE_US = 60 * SECOND_US, MAX_LINKS = CONSUMER_COUNT + SUBJECT_COUNT + 1, HEARTBEAT_S = 5 };

enum order {
    ORDER_FRESH, /* made again: number 1 comes next, anything else is of its predecessor and dropped */
    ORDER_SOUND,
    ORDER_BROKEN /* a delivery is missing: what follows is dropped, the keeper makes the consumer again */
};

/* A subscription and what its messages are. */
struct bus_link {
    struct bus_nats *bus;
    enum subject subject;
    int consumer; /* -1: none */
    natsSubscription *sub;
    /* Of a consumer with one owner: deliveries are numbered without a gap from 1 on, until the consumer is made again. */
    atomic_ullong last, highest; /* the last delivery taken; the highest sequence of the stream up to it */
    atomic_int order;            /* enum order */
    atomic_bool dropped;         /* something was, while it was fresh */
};

/* Where a consumer begins. */
struct origin {
    uint64_t sequence; /* to start from, else */
    int64_t time_us;   /* to start from, else the stream's first */
};

/* A durable consumer of ours; the keeper's. */
struct kept_consumer {
    int index; /* in consumer_table */
    const char *durable;
    char stream[64], deliver[256], created[48]; /* `created` is when its stream was, as the server writes it */
    struct bus_link *link; /* NULL until it is bound */
    uint64_t floor;        /* the last seen ack floor, a sequence of the stream */
    int64_t since_us;      /* the server is another one: deliver again from here; 0: it is not */
    bool placed;           /* compared with the database's position */
    struct origin begin;   /* of the consumer as it is now */
};

struct event_ring {
    struct bus_event *slots;
    size_t head, count, capacity; /* a power of two */
};

struct history;
struct scrub;

struct bus_nats {
    struct bus base;
    atomic_int references;
    char *url, *user, *password_file, *prefix, *name;
    bool send_asap;
    int64_t connect_timeout_s;
    char inbox[96], acks[160]; /* "_INBOX_<user>", "_INBOX_<user>.ack.<this instance>." */
    size_t acks_size;
    char wire[SUBJECT_COUNT][128];

    struct bus_setup setup;
    enum subject subjects[SUBJECT_COUNT]; /* that it points to */
    natsConnection *nc;
    struct bus_link links[MAX_LINKS];
    size_t link_count;
    atomic_bool connected, draining;

    pthread_mutex_t mutex;
    pthread_cond_t wake, keeper_wake;
    struct event_ring control, messages;
    int sleeping; /* the service's thread waits: 1 for control events, 2 for all */
    bool closed, stop, kick, reconnected;
    int64_t disconnected_us; /* wall clock; 0: not since the keeper looked */
    char denied[160];        /* a subscription that the server refused */
    struct bus_figures shown;

    pthread_t keeper;
    bool keeper_runs;
    struct kept_consumer consumers[CONSUMER_COUNT];
    size_t consumer_count;
    bool snapshot_wanted[SUBJECT_COUNT];
    char server_id[64], problem[160];
    struct history *history;
    bool history_wanted;
    int64_t history_since_us;
    size_t history_subject; /* index in setup.subjects: its stream is read */
    uint64_t history_next;  /* sequence to go on from; 0: by time */
    struct scrub *scrub;    /* the service's thread's; NULL: none */
};

/* What the subject of an acknowledgement says of its message. */
struct delivery {
    uint64_t deliveries, sequence, consumer_sequence, time_ns, pending;
};

static inline int64_t bus_clock_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * SECOND_US + t.tv_nsec / 1000;
}

/* bus_nats_events.c */
size_t bus_take(struct bus *bus, mono_time until, bool messages, struct bus_event *events, size_t capacity);
void bus_release(struct bus *bus, struct bus_event *events, size_t count);
void bus_forget_events(struct bus_nats *b);
bool bus_delivery(const char *reply, struct delivery *ret);
void bus_push(struct bus_nats *b, const struct bus_event *event); /* takes over event->owner */
size_t bus_backlog(struct bus_nats *b); /* control events not taken yet */
void bus_fill(struct bus_event *event, natsMsg *msg);             /* data, texts and owner */
void bus_answer_control(natsConnection *nc, natsMsg *msg);        /* heartbeats and flow control of a push consumer */
void bus_on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *link);
void bus_on_request(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *link);
void bus_on_snapshot(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *link);
void bus_on_puback(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *link);

/* bus_nats.c */
void bus_kick(struct bus_nats *b);
void bus_unref(void *bus);
enum status bus_connect(struct bus_nats *b, bool temporary, natsConnection **ret, struct reason *reason);
enum status bus_subscribe(struct bus_nats *b, struct bus_link *link, const char *subject, const char *group,
                          natsMsgHandler handle);
struct bus_link *bus_link(struct bus_nats *b, enum subject subject, int consumer);

/* bus_nats_keeper.c */
void keeper_init(struct bus_nats *b);
enum status keeper_round(struct bus_nats *b); /* looks once after everything; STATUS_LOCKED: another instance is bound */
void *keeper_main(void *bus);
void keeper_problem(struct bus_nats *b, const char *fmt, ...) PRINTF_LIKE(2, 3); /* the first one of a round is shown */

/* One request to the JetStream API.  NULL: no answer, and that is the problem.  A refusal has a number in ret_error, else 0. */
struct json_t *keeper_ask(struct bus_nats *b, const char *body, int *ret_error, const char *subject, ...) PRINTF_LIKE(4, 5);
void keeper_time_text(int64_t us, char ret_text[static 40]);

/* bus_nats_history.c */
void history_init(struct bus_nats *b);
void history_keep(struct bus_nats *b); /* starts it, starts it over, ends it */
void history_stop(struct bus_nats *b);

/* bus_nats_scrub.c */
enum status bus_scrub(struct bus *bus, const struct bus_scrub *scrub, uint64_t *ret_removed);
void bus_scrub_stop(struct bus_nats *b);

#endif
