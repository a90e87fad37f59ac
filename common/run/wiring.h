/* SPDX-License-Identifier: Apache-2.0 */
/* wiring.h - who says what to whom: subjects, streams and consumers, each in one table.
 *
 * Nobody types a subject, a stream or a consumer name anywhere else.  rl-init makes streams, consumers and permissions from
 * these tables; names on the wire carry the configured prefix. */
#ifndef RL_WIRING_H
#define RL_WIRING_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum subject {
    SUBJECT_CALL_EVENT,
    SUBJECT_CALL_ENDED,
    SUBJECT_CALL_AMENDED,
    SUBJECT_POLICY_SELECTED,
    SUBJECT_FEEDBACK_STORED,
    SUBJECT_REWARD_COMPUTED,
    SUBJECT_BANDIT_UPDATED,
    SUBJECT_BANDIT_CHANGED,
    SUBJECT_GUARD_UPDATED,
    SUBJECT_DLQ_FEEDBACK,
    SUBJECT_DLQ_REWARD,
    SUBJECT_DLQ_BANDIT,
    SUBJECT_DLQ_GUARD,
    SUBJECT_DLQ_ROUTER,
    SUBJECT_POLICY_SELECT,
    SUBJECT_ROUTER_SESSION,
    SUBJECT_ROUTER_FORGET,
    SUBJECT_FEEDBACK_QUESTION,
    SUBJECT_FEEDBACK_ANSWER,
    SUBJECT_FEEDBACK_STATS,
    SUBJECT_FEEDBACK_BY_POLICY,
    SUBJECT_FEEDBACK_QUERY,
    SUBJECT_FEEDBACK_CLEANUP,
    SUBJECT_FEEDBACK_REPLAY,
    SUBJECT_FEEDBACK_ERASE,
    SUBJECT_FEEDBACK_EXPORT,
    SUBJECT_REWARD_COMPUTE,
    SUBJECT_BANDIT_STATS,
    SUBJECT_BANDIT_REWARDS,
    SUBJECT_BANDIT_RESET,
    SUBJECT_BANDIT_REBUILD,
    SUBJECT_BANDIT_VERSIONS,
    SUBJECT_BANDIT_SWITCH,
    SUBJECT_GUARD_STATUS,
    SUBJECT_GUARD_HEALTH,
    SUBJECT_GUARD_COMMAND,
    SUBJECT_COUNT
};

enum stream { STREAM_CALLS, STREAM_DECISIONS, STREAM_FEEDBACK, STREAM_REWARDS, STREAM_BANDIT, STREAM_GUARD, STREAM_DLQ,
              STREAM_COUNT, STREAM_NONE = STREAM_COUNT };

enum subject_kind {
    KIND_STREAM,   /* every message counts; consumed durably */
    KIND_SNAPSHOT, /* the stream keeps the last; read once, then followed by a plain subscription */
    KIND_REQUEST   /* request and reply on core NATS */
};

struct subject_info {
    const char *name;
    enum subject_kind kind;
    enum stream stream; /* STREAM_NONE for requests */
    const char *service;     /* requests: who answers; else who publishes besides clients, or NULL */
    const ProtobufCMessageDescriptor *message, *reply; /* reply: requests only */
    bool voice;    /* user voice may publish or ask it */
    bool operator; /* user operator may publish or ask it */
};

struct stream_info {
    const char *name;
    int64_t max_age_s;
    int64_t max_bytes_share; /* percent of the account's file store */
    int32_t max_msg_size;    /* bytes; also the codec's cap */
    bool last_only;          /* one message per subject */
};

/* One durable consumer: `service` takes `subject` under `durable`. */
struct consumer_info {
    const char *service;
    enum subject subject;
    const char *durable;
    bool group; /* replicas share it (a deliver group); else one owner, the second instance is refused */
};

enum { MAX_ACK_PENDING = 8192, ACK_WAIT_S = 5, DUPLICATE_WINDOW_S = 120, CONSUMER_COUNT = 7, MAX_PAYLOAD = 64 * 1024 };

extern const struct subject_info subject_table[SUBJECT_COUNT];
extern const struct stream_info stream_table[STREAM_COUNT];
extern const struct consumer_info consumer_table[CONSUMER_COUNT];

/* The dead letter subject of a service; SUBJECT_COUNT when there is none of that name. */
enum subject subject_dlq(const char *service);

/* SUBJECT_COUNT when `name` (without prefix) is no subject. */
enum subject subject_find(const char *name);

/* The second loop of ./rl up --sandbox: its prefix, and its folder below the data of the loop that it lives beside. */
#define SANDBOX_PREFIX "sandbox."
#define SANDBOX_FOLDER "sandbox"

/* The names on the wire: prefix "sandbox." gives "sandbox.call.ended", "SANDBOX_CALLS" and "sandbox_feedback".
 * Truncates nothing: asserts. */
void wire_subject(const char *prefix, enum subject subject, char ret_name[static 128]);
void wire_stream(const char *prefix, enum stream stream, char ret_name[static 64]);
void wire_user(const char *prefix, const char *user, char ret_name[static 64]);

#endif
