/* SPDX-License-Identifier: Apache-2.0 */
/* service.h - the one loop that all five services run in, and the shape of a service.
 *
 *     take messages; BEGIN; each: decode, handle; tick; flush; COMMIT
 *     publish what was said, without waiting; at most two batches open
 *     a batch that has all its acks: ack its inputs, send its replies, and move the published floor with the next transaction
 *
 * A message is refused with a reason: a dead letter goes out and it is acked like any other.  A handler validates before its
 * first write, so a bad message never costs its neighbours anything. */
#ifndef RL_SERVICE_H
#define RL_SERVICE_H

#include "arena.h"
#include "bus.h"
#include "clk.h"
#include "codec.h"
#include "config.h"
#include "metrics.h"
#include "msg.h"
#include "status.h"
#include "store.h"
#include "variants.h"
#include "wiring.h"

struct in_msg {
    enum subject subject;
    const ProtobufCMessage *body; /* of the subject's message type; lives in the batch's arena, may be changed */
    bool json;                    /* how it was encoded, and how an answer will be */
    const char *traceparent;      /* "" none */
    uint64_t sequence;            /* in its stream; 0 for requests */
    int64_t time_us;              /* of its arrival in the stream; requests: now */
    int64_t stream_time_us;       /* of its arrival under this sequence */
    uint32_t deliveries;
    bool history;                 /* BUS_HISTORY: for the memory only, has been acted on */
    const char *reply;            /* requests */
};

/* What a handler says.  Leaves after the commit. */
struct outbox;

/* A message of zeros for `subject`, in the batch's arena. */
void *outbox_new(struct outbox *out, enum subject subject);
struct arena *outbox_arena(struct outbox *out);
wall_time outbox_now(const struct outbox *out); /* the time of this turn */
mono_time outbox_mono(const struct outbox *out);
/* What the bus counted, at most 5 s old; zeros before the first. */
const struct bus_figures *outbox_figures(const struct outbox *out);

/* Has a stream searched and overwritten, see bus_ops.scrub; called from a timer, turn by turn. */
enum status outbox_scrub(struct outbox *out, const struct bus_scrub *scrub, uint64_t *ret_removed) MUST_CHECK;

/* How much more a timer should say in this turn: a batch that is too large would hold the inputs behind it. */
size_t outbox_room(const struct outbox *out);

/* Says `message` on `subject`.  `id` makes repetitions harmless within the duplicate window.  `revision` (0: none) is the
 * database revision that this says; once acked it is below the published floor. */
void outbox_say(struct outbox *out, enum subject subject, const ProtobufCMessage *message, const char *id, int64_t revision,
                const char *traceparent);

/* Answers a request, in its encoding, after the commit and after all that was said in the same batch was stored. */
void outbox_reply(struct outbox *out, const struct in_msg *request, const ProtobufCMessage *reply);

/* Says a dead letter for something that is not the current message (a timer gave up). */
void outbox_dead_letter(struct outbox *out, DeadLetter *letter, const char *id, int64_t revision);

/* STATUS_OK, STATUS_STORE (the process ends), or a refusal with a reason: a dead letter, or an error answer to a request. */
typedef enum status handler_fn(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason);

enum handler_mode {
    HANDLE_BATCH,    /* inside the batch's transaction */
    HANDLE_READ,     /* a request that only reads: outside, answered at once */
    HANDLE_IMMEDIATE /* a request answered in the bus's thread; what it says leaves at once, before the answer */
};

struct subject_handler {
    enum subject subject;
    handler_fn *handle;
    enum handler_mode mode;
};

/* What a service gets to live with, before anything is handled. */
struct service_env {
    const struct common_config *common;
    const struct variants *variants;
    struct store *store; /* NULL when it has no database */
    struct metrics *metrics;
    struct clk clk;
    const char *key_file; /* pseudonym keys */
    int64_t published;    /* everything said with a revision up to here was stored */
};

struct service {
    const char *name;
    const char *what; /* one line for -h */
    size_t state_size;
    const struct config_key *keys;
    size_t key_count;
    const struct metric *metrics;
    size_t metric_count;
    const struct subject_handler *handles;
    size_t handle_count;
    const char *const *migrations; /* of <data_dir>/rl/<name>.db; NULL: no database */
    size_t migration_count;
    size_t database_path; /* offset of a const char * in the state that may name another database file, 0: none */
    int64_t history_s;    /* bus_setup.history_s */
    bool needs_keys;      /* pseudonym keys */

    /* Each may be NULL. */
    enum status (*open)(void *state, const struct service_env *env, struct reason *reason); /* config is loaded, nothing else */
    void (*close)(void *state);
    enum status (*resume)(void *state, struct outbox *out);       /* first turn: say what was never published */
    enum status (*tick)(void *state, struct outbox *out);         /* every turn that is due: timers */
    mono_time (*next_tick)(void *state, mono_time now);           /* when tick wants to run again; default: in 1 s */
    enum status (*flush)(void *state, struct outbox *out);        /* before each commit: write what handlers gathered */
    void (*caught_up)(void *state);                               /* history has been delivered */
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Names of metrics that every service has (first table of metrics_open). */
enum common_metric {
    METRIC_RECEIVED, METRIC_FAILED, METRIC_BATCH_SIZE, METRIC_HANDLING_SECONDS, METRIC_CONSUMER_LAG, METRIC_OPEN_ACKS,
    METRIC_REDELIVERIES, METRIC_RECONNECTS, METRIC_RECREATED, METRIC_DEAD_LETTERS, METRIC_PUBLISHED, METRIC_RESENT,
    METRIC_BUILD_INFO, METRIC_CONNECTED, METRIC_COMMIT_SECONDS, METRIC_PROCESS_CPU, METRIC_PROCESS_MEMORY, METRIC_PROCESS_FDS,
    METRIC_PROCESS_START, METRIC_COMMON_COUNT
};

/* A service's own metric number `i` of its table. */
#define METRIC_OWN(i) (METRIC_COMMON_COUNT + (size_t)(i))

/* Where a turn can be cut short; tests/sim crashes at each. */
enum loop_step {
    STEP_TAKEN, STEP_BEGUN, STEP_HANDLED, STEP_FLUSHED, STEP_COMMITTED, STEP_PUBLISHED_ONE, STEP_PUBLISHED, STEP_SETTLED,
    STEP_ACKED_ONE, STEP_COUNT
};

/* One running service: the loop without a process around it, so that tests/sim runs five of them. */
struct running;

struct running_setup {
    const struct service *service;
    void *state; /* zeros and the loaded configuration; freed by the caller */
    const struct common_config *common;
    const struct variants *variants;
    const char *database; /* path or URI; NULL when it has none */
    const char *key_file;
    const char *metrics_dir; /* NULL: in memory */
    struct bus *bus;
    struct clk clk;
    bool (*fault)(void *ctx, enum loop_step step); /* tests: true crashes here */
    void *fault_ctx;
};

/* Opens the database, calls open, starts the bus. */
enum status running_new(const struct running_setup *setup, struct running **ret, struct reason *reason) MUST_CHECK;

/* One turn: waits at most until `until`.  STATUS_OK, STATUS_STORE or STATUS_CRASHED. */
enum status running_turn(struct running *run, mono_time until) MUST_CHECK;

/* Takes nothing more, finishes what is open; true when done. */
bool running_drained(struct running *run);
struct running *running_free(struct running *run); /* a crash is a free without drain */

/* The process: arguments, configuration, lock, log, signals, loop.  Returns the exit code. */
int service_main(int argc, char **argv, const struct service *service);

#endif
