/* SPDX-License-Identifier: Apache-2.0 */
/* running.h - what the files of the loop share: running.c (turns), outbox.c (what is said),
 * service_metrics.c (what is counted). */
#ifndef RL_RUNNING_H
#define RL_RUNNING_H

#include <pthread.h>

#include "service.h"

enum {
    BATCH_LIMIT = 2048,    /* messages; two open batches are half of MAX_ACK_PENDING */
    OUTBOX_LIMIT = 4096,   /* what timers may add up to */
    HELD_LIMIT = 1 << 17,  /* immediate outputs that wait for their PubAck */
    OPEN_BATCHES = 2,
    RESEND_US = 5000000,
    BUSY_RETRY_US = 1000000,
    SUSPECT_DELIVERIES = 4, /* from here on a message is handled in a batch of its own, */
    POISON_DELIVERIES = 10  /* and here it is given up unread */
};

/* One thing that was said, until the stream has it. */
struct output {
    struct bus_message message;
    int64_t revision;
    mono_time resend_at;
    bool acked;
};

struct answer {
    const char *to;
    const uint8_t *data;
    size_t size;
};

struct outbox {
    struct running *run;
    struct arena *arena;
    wall_time now;
    mono_time mono;
    const struct in_msg *current; /* what is handled; NULL in timers */
    struct output *outputs;
    size_t output_count, output_capacity;
    struct answer *answers;
    size_t answer_count, answer_capacity;
};

struct batch {
    struct arena arena;
    struct outbox out;
    struct bus_event inputs[BATCH_LIMIT];
    size_t input_count;
    bool open;
    uint64_t number;      /* rises; the older of two open ones has the lower */
    uint64_t first_token; /* of outputs[0] */
    size_t missing;       /* PubAcks */
    int64_t last_revision;
    struct bus_position positions[CONSUMER_COUNT]; /* the highest of its inputs; sequence 0: none */
};

struct running {
    struct running_setup setup;
    const struct service *service;
    struct store *store;
    struct metrics *metrics;
    struct bus *bus;
    struct clk clk;
    void *state;

    struct bus_event taken[BATCH_LIMIT];
    struct bus_event waiting[BATCH_LIMIT]; /* taken, not yet in a batch; from waiting_from on */
    size_t waiting_from, waiting_count;
    struct batch *batches; /* OPEN_BATCHES */
    uint64_t next_batch, next_token;

    struct bus_position positions[CONSUMER_COUNT];
    bool moved[CONSUMER_COUNT]; /* not stored yet */
    int64_t floor, stored_floor; /* everything said with a revision up to here is in its stream */

    mono_time last_tick, next_count, next_resend;
    uint64_t newest[SUBJECT_COUNT]; /* token of the snapshot that was said last, by subject */
    bool opened, resumed, caught_up, draining;
    struct bus_figures figures, counted; /* now, and as already added to the counters */

    pthread_mutex_t lock; /* the immediate handler's outbox and the held outputs */
    struct arena immediate_arena, read_arena;
    struct outbox immediate, read;
    struct output **held; /* HELD_LIMIT slots, by number */
    uint64_t held_from, held_to;
};

extern const struct metric common_metrics[METRIC_COMMON_COUNT];

const struct subject_handler *running_handler(const struct running *run, enum subject subject);

/* One input; STATUS_OK also when it was refused, which made a dead letter or an error answer of it.  Else STATUS_STORE. */
enum status running_handle(struct outbox *out, const struct bus_event *event);
void running_answer(struct running *run, struct outbox *out); /* sends the answers */
void running_time_request(struct running *run, enum subject subject, mono_time since);
void running_resend(struct running *run, struct output *o, mono_time now); /* when it is due */

/* Outputs of immediate handlers, by number. */
#define IMMEDIATE_TOKEN (UINT64_C(1) << 63)
void held_settle(struct running *run, uint64_t number, enum status status);
void held_resend(struct running *run, mono_time now);
bool held_any(struct running *run);

/* bus_setup.on_immediate; ctx is the struct running. */
void running_immediate(void *ctx, const struct bus_event *request);

void outbox_start(struct outbox *out, struct running *run, struct arena *arena);
void outbox_done(struct outbox *out);

/* The field that broke a rule, or "?": its name may be the sender's invention. */
const char *field_for_log(const ProtobufCMessageDescriptor *type, const char *field);

/* The dead letter of an input that was refused. */
void outbox_refuse(struct outbox *out, const struct bus_event *event, const char *why, const struct reason *reason);
/* What replaces an output that its stream will never take; the output keeps its token. */
void outbox_replace_refused(struct outbox *out, struct output *output, const char *server_words);

void running_declare_metrics(struct running *run);
void running_count(struct running *run); /* once a second: figures of the bus and of the process, heartbeat */

#endif
