/* SPDX-License-Identifier: Apache-2.0 */
/* codec.h - bytes to messages and back, protobuf and JSON, by the messages' own descriptors.
 *
 * A payload whose first byte is '{' is JSON, anything else protobuf.  The JSON rules are those of docs/messages.md: field
 * names in snake_case (lowerCamelCase accepted on input), every field without presence printed, absent one-member oneofs left
 * out, doubles as the shortest of %.15g, %.16g, %.17g that reads back equal, 64-bit integers as numbers (a uint64 ends at
 * 2^63 - 1 in both encodings), repeated XEntry {key, value} as an object, enums without their prefix, bytes in base64.  On
 * input null means absent, but in a list or a map it is refused; an integer field takes no 4.0; the same map key twice is
 * refused in both encodings. */
#ifndef RL_CODEC_H
#define RL_CODEC_H

#include <protobuf-c/protobuf-c.h>

#include "arena.h"
#include "status.h"

/* A message of zeros (its type's init values) in the arena. */
void *codec_new(struct arena *arena, const ProtobufCMessageDescriptor *type);

/* Bytes -> message in the arena.  STATUS_INVALID with field (a dotted path such as `signals.user_rating`, "" when the bytes are
 * no message at all) and rule: unknown or duplicate keys, wrong types, numbers that do not fit, non-finite numbers, invalid
 * UTF-8, NUL in a string, unknown enum values or field numbers, trailing bytes, nesting deeper than 16, size above `cap`.  Both
 * encodings accept the same set of messages.  `ret_json` says which it was, also on failure. */
enum status codec_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, const void *data, size_t size, size_t cap,
                         bool *ret_json, ProtobufCMessage **ret_message, struct reason *reason) MUST_CHECK;

/* Message -> bytes in the arena.  Non-finite doubles are a programmer's error and assert. */
void codec_encode(struct arena *arena, const ProtobufCMessage *message, bool json, const uint8_t **ret_data, size_t *ret_size);

/* The same as indented JSON text with a final newline, for people; NUL-terminated. */
char *codec_pretty(struct arena *arena, const ProtobufCMessage *message);

/* Presence of a one-member oneof, by the case value protobuf-c keeps. */
#define HAS(message, case_member) ((message)->case_member != 0)

/* Adds {k, v} to a map whose array has room.  protobuf-c makes a struct of its own for the entries of each map, all alike:
 * `type`Entry and `type`_descriptor name it. */
#define MAP_ADD(arena, message, member, type, k, v)                   \
    do {                                                              \
        type##Entry *map_entry = codec_new(arena, &type##_descriptor); \
        map_entry->key = (char *)(k);                                 \
        map_entry->value = (v);                                       \
        (message)->member[(message)->n_##member++] = map_entry;       \
    } while (0)

/* Fills the reply's field `error` (number 15, every reply has one). */
void codec_set_error(struct arena *arena, ProtobufCMessage *reply, enum status status, const struct reason *reason);

#endif
