/* SPDX-License-Identifier: Apache-2.0 */
/* stored_message.h - the answer of $JS.API.STREAM.MSG.GET. */
#ifndef RL_STORED_MESSAGE_H
#define RL_STORED_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "status.h"

/* Everything lives in the arena; data is followed by a NUL. */
struct stored_message {
    const char *subject, *traceparent;
    const uint8_t *data;
    size_t size;
    uint64_t sequence;
    int64_t time_us; /* unix microseconds */
};

/* STATUS_NOT_FOUND: there is no such message or stream, reason has the server's words. */
enum status stored_message_parse(struct arena *arena, const char *json, size_t size, struct stored_message *ret,
                                 struct reason *reason) MUST_CHECK;

/* "2026-11-24T08:30:22.123456789Z" -> unix microseconds; -1 when it is no such time. */
int64_t rfc3339_us(const char *text);

#endif
