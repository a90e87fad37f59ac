/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - what tools and tests need of the bus: ask, publish, read a stream, listen.  One thread,
 * blocking; services use bus.h.
 *
 * Subjects and streams are given without the prefix; the client puts it in front ($JS and _INBOX subjects excepted). */
#ifndef RL_CLIENT_H
#define RL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "status.h"

struct client;

struct client_options {
    const char *url, *user;
    const char *password_file;
    const char *prefix; /* "" none */
    const char *name;   /* of the connection, shown by the server */
};

/* One attempt.  STATUS_UNAVAILABLE: no server; STATUS_DENIED: wrong user or password. */
enum status client_connect(const struct client_options *options, struct client **ret, struct reason *reason) MUST_CHECK;
struct client *client_free(struct client *client); /* NULL is allowed */
const char *client_prefix(const struct client *client);

/* What came back or arrived; data and texts live in the arena that was given, texts are never NULL. */
struct client_message {
    const char *subject; /* without prefix */
    const char *reply, *traceparent;
    const uint8_t *data; /* followed by a NUL that size does not count */
    size_t size;
    uint64_t sequence; /* of a stored message */
    int64_t time_us;
};

/* Waits for one answer.  STATUS_UNAVAILABLE: nobody serves the subject; STATUS_TIMEOUT; STATUS_DENIED: the server refused the
 * subject (seen by its asynchronous error, which names the subject). */
enum status client_request(struct client *client, struct arena *arena, const char *subject, const void *data, size_t size,
                           int64_t timeout_ms, struct client_message *ret, struct reason *reason) MUST_CHECK;

struct client_publish {
    const char *subject;
    const void *data;
    size_t size;
    const char *reply;       /* client_send only: where answers go (the whole subject, `_INBOX_<user>....`); NULL none */
    const char *id;          /* Nats-Msg-Id; NULL or "" none */
    const char *traceparent; /* NULL or "" none */
    int64_t time_us;         /* of the first arrival (header Rl-Time), for a replayed dead letter; 0 none */
};

/* Publishes to a stream and waits for its PubAck.  STATUS_REFUSED: the stream does not take it, reason has the server's words;
 * STATUS_UNAVAILABLE: no stream takes the subject; STATUS_DENIED.  ret_sequence and ret_duplicate may be NULL. */
enum status client_publish(struct client *client, const struct client_publish *message, uint64_t *ret_sequence,
                           bool *ret_duplicate, struct reason *reason) MUST_CHECK;

/* Publishes without waiting, for load; client_flush waits until the server has all of it. */
enum status client_send(struct client *client, const struct client_publish *message, struct reason *reason) MUST_CHECK;
enum status client_flush(struct client *client, struct reason *reason) MUST_CHECK;

/* A stored message by its sequence, or (sequence 0) the last one of `subject`.  STATUS_NOT_FOUND. */
enum status client_stream_get(struct client *client, struct arena *arena, const char *stream, uint64_t sequence,
                              const char *subject, struct client_message *ret, struct reason *reason) MUST_CHECK;

/* Listens to a subject (wildcards allowed); client_next takes what arrived on any of them.  STATUS_TIMEOUT. */
enum status client_listen(struct client *client, const char *subject, struct reason *reason) MUST_CHECK;
enum status client_next(struct client *client, struct arena *arena, int64_t timeout_ms, struct client_message *ret) MUST_CHECK;

#endif
