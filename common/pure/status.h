/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - how a call ended, and why a message was refused.
 *
 * A function that can fail returns enum status and leaves its ret_ outputs untouched when it does.  It says why in a struct
 * reason when a person will read it.  Running out of memory is not a status: arena and xmalloc end the process, the supervisor
 * starts it again and the bus redelivers. */
#ifndef RL_STATUS_H
#define RL_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#define STATUS_LIST(X)                                      \
    X(STATUS_OK, "ok")                                      \
    X(STATUS_INVALID, "invalid")         /* breaks a rule: reason names field, value, rule */ \
    X(STATUS_NOT_FOUND, "not_found")                        \
    X(STATUS_BUSY, "busy")               /* try again later */ \
    X(STATUS_UNAVAILABLE, "unavailable") /* the bus does not answer */ \
    X(STATUS_TIMEOUT, "timeout")                            \
    X(STATUS_DENIED, "denied")           /* refused by the server */ \
    X(STATUS_REFUSED, "refused")         /* an output that the stream will never take */ \
    X(STATUS_STORE, "store")             /* disk or database: log and exit, redelivery follows */ \
    X(STATUS_CORRUPT, "corrupt")         /* a file that must not be overwritten */ \
    X(STATUS_CONFIG, "config")                              \
    X(STATUS_LOCKED, "locked")           /* another process owns it */ \
    X(STATUS_CRASHED, "crashed")         /* a fault injected by tests/sim */ \
    X(STATUS_INTERNAL, "internal")

enum status {
#define X(name, text) name,
    STATUS_LIST(X)
#undef X
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Name of a status as it appears in logs and in Error.code; never NULL. */
const char *status_text(enum status status);

/* Why something was refused: the field that broke a rule, and the rule with the value. */
struct reason {
    char field[96];
    char text[256];
};

/* Fills `reason` (NULL is allowed) and returns STATUS_INVALID, so that a check reads `return reason_set(...)`. */
enum status reason_set(struct reason *reason, const char *field, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same with another status. */
enum status reason_fail(struct reason *reason, enum status status, const char *field, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
