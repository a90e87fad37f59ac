/* SPDX-License-Identifier: Apache-2.0 */
/* codec_internal.h - what the two encodings share: places, refusals, and how a field lies in its struct. */
#ifndef RL_CODEC_INTERNAL_H
#define RL_CODEC_INTERNAL_H

#include "codec.h"

enum { MAX_DEPTH = 16 };

/* Where a decoder stands: inside the field `name` of the message that `up` stands in. */
struct at {
    const struct at *up; /* NULL: the outermost message */
    const char *name;
    unsigned depth;
    struct arena *arena;
    struct reason *reason;
};

typedef const ProtobufCFieldDescriptor field_type;

struct at codec_below(const struct at *at, const char *name);

/* STATUS_INVALID with the dotted path of the field `name` (NULL: the place itself). */
enum status codec_refuse(const struct at *at, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);

enum status codec_check_depth(const struct at *at) MUST_CHECK;

/* Does an integer fit the field, and does its enum know it?  A uint64 ends at INT64_MAX, as JSON integers do. */
enum status codec_check_integer(const struct at *at, const char *name, field_type *field, int64_t value) MUST_CHECK;

/* map<string, T>: a repeated message XEntry {key = 1, value = 2}. */
bool codec_is_map(field_type *field);

size_t codec_size_of(ProtobufCType type);

static inline void *codec_slot(field_type *field, const ProtobufCMessage *message) { return (char *)message + field->offset; }

static inline bool codec_repeated(field_type *field) { return field->label == PROTOBUF_C_LABEL_REPEATED; }
static inline bool codec_in_oneof(field_type *field) { return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0; }

/* What is there of a field: the elements of a repeated one; else one, or none when a oneof chose
 * otherwise or a message is absent. */
struct span {
    char *items;
    size_t count;
};

struct span codec_items(field_type *field, const ProtobufCMessage *message);

/* codec_json.c */
enum status codec_read_json(const struct at *at, const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                            ProtobufCMessage **ret_message) MUST_CHECK;

/* NUL-terminated; ret_size does not count that. */
char *codec_write_json(struct arena *arena, const ProtobufCMessage *message, bool pretty, size_t *ret_size);

#endif
