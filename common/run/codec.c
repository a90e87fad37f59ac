/* SPDX-License-Identifier: Apache-2.0 */
/* codec.c - protobuf, strictly: the wire is checked against the descriptor before protobuf-c sees it.
 *
 * protobuf-c keeps unknown fields and enum numbers, checks no UTF-8, loses the length of a string with a NUL in it, and recurses
 * as deep as the sender likes.  So one walk over the bytes refuses all that first; it allocates nothing. */
#include "codec.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec_internal.h"
#include "msg.h"
#include "utf8.h"

enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_LENGTH = 2 };

/* --- shared with codec_json.c ----------------------------------------------------------------------------------------------- */

struct at codec_below(const struct at *at, const char *name)
{
    return (struct at){.up = at, .name = name, .depth = at->depth + 1, .arena = at->arena, .reason = at->reason};
}

static const char *path_of(const struct at *at, const char *name)
{
    for (; at->up; at = at->up)
        name = name ? arena_printf(at->arena, "%s.%s", at->name, name) : at->name;
    return name;
}

enum status codec_refuse(const struct at *at, const char *name, const char *fmt, ...)
{
    char text[sizeof at->reason->text];
    va_list args;

    if (!at->reason)
        return STATUS_INVALID;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return reason_set(at->reason, path_of(at, name), "%s", text);
}

enum status codec_check_depth(const struct at *at)
{
    return at->depth < MAX_DEPTH ? STATUS_OK : codec_refuse(at, NULL, "nested deeper than %d", MAX_DEPTH);
}

enum status codec_check_integer(const struct at *at, const char *name, field_type *field, int64_t value)
{
    int64_t least = INT64_MIN, greatest = INT64_MAX;

    if (field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_UINT64)
        least = 0;
    if (field->type == PROTOBUF_C_TYPE_UINT32)
        greatest = UINT32_MAX;
    if (field->type == PROTOBUF_C_TYPE_INT32 || field->type == PROTOBUF_C_TYPE_ENUM)
        least = INT32_MIN, greatest = INT32_MAX;
    if (value < least || value > greatest)
        return codec_refuse(at, name, "does not fit: %" PRId64 " .. %" PRId64 " is allowed", least, greatest);
    if (field->type == PROTOBUF_C_TYPE_ENUM && !protobuf_c_enum_descriptor_get_value(field->descriptor, (int)value))
        return codec_refuse(at, name, "%" PRId64 " is no value of %s", value,
                            ((const ProtobufCEnumDescriptor *)field->descriptor)->short_name);
    return STATUS_OK;
}

bool codec_is_map(field_type *field)
{
    const ProtobufCMessageDescriptor *entry = field->descriptor;

    if (!codec_repeated(field) || field->type != PROTOBUF_C_TYPE_MESSAGE || entry->n_fields != 2)
        return false;
    size_t length = strlen(entry->short_name);
    return length > 5 && strcmp(entry->short_name + length - 5, "Entry") == 0 &&
           entry->fields[0].type == PROTOBUF_C_TYPE_STRING &&
           strcmp(entry->fields[0].name, "key") == 0 && strcmp(entry->fields[1].name, "value") == 0;
}

/* Wire type and size in memory of what our messages use; 0: used by none (tests/unit/codec.c fills them all). */
static const struct shape { uint8_t wire, size; } shapes[] = {
    [PROTOBUF_C_TYPE_INT32] = {WIRE_VARINT, 4},  [PROTOBUF_C_TYPE_INT64] = {WIRE_VARINT, 8},
    [PROTOBUF_C_TYPE_UINT32] = {WIRE_VARINT, 4}, [PROTOBUF_C_TYPE_UINT64] = {WIRE_VARINT, 8},
    [PROTOBUF_C_TYPE_BOOL] = {WIRE_VARINT, 4},   [PROTOBUF_C_TYPE_ENUM] = {WIRE_VARINT, 4},
    [PROTOBUF_C_TYPE_DOUBLE] = {WIRE_64BIT, 8},  [PROTOBUF_C_TYPE_STRING] = {WIRE_LENGTH, sizeof(char *)},
    [PROTOBUF_C_TYPE_MESSAGE] = {WIRE_LENGTH, sizeof(void *)},
    [PROTOBUF_C_TYPE_BYTES] = {WIRE_LENGTH, sizeof(ProtobufCBinaryData)},
};

size_t codec_size_of(ProtobufCType type)
{
    assert(shapes[type].size);
    return shapes[type].size;
}

struct span codec_items(field_type *field, const ProtobufCMessage *message)
{
    char *slot = (char *)message + field->offset, *quantifier = (char *)message + field->quantifier_offset;

    if (codec_repeated(field))
        return (struct span){*(char **)slot, *(size_t *)quantifier};
    if (codec_in_oneof(field))
        return (struct span){slot, *(uint32_t *)quantifier == field->id};
    return (struct span){slot, field->type != PROTOBUF_C_TYPE_MESSAGE || *(void **)slot};
}

/* --- the wire --------------------------------------------------------------------------------------------------------------- */

struct wire {
    const uint8_t *p, *end;
};

static enum status broken(const struct at *at, const char *name, const char *what)
{
    return codec_refuse(at, name, "not a protobuf message: %s", what);
}

static bool take_varint(struct wire *w, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70 && w->p < w->end; shift += 7) {
        uint8_t byte = *w->p++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static enum status check_number(const struct at *at, field_type *field, struct wire *w)
{
    uint64_t value;
    double number;

    if (field->type != PROTOBUF_C_TYPE_DOUBLE) {
        if (!take_varint(w, &value))
            return broken(at, field->name, "a number is cut off or too long");
        return codec_check_integer(at, field->name, field, (int64_t)value);
    }
    if (w->end - w->p < 8)
        return broken(at, field->name, "a number is cut off");
    memcpy(&number, w->p, 8);
    w->p += 8;
    return isfinite(number) ? STATUS_OK : codec_refuse(at, field->name, "is no finite number");
}

static enum status check_text(const struct at *at, field_type *field, struct wire text)
{
    size_t size = (size_t)(text.end - text.p);

    if (memchr(text.p, 0, size))
        return codec_refuse(at, field->name, "has a NUL in it");
    return utf8_valid((const char *)text.p, size) ? STATUS_OK : codec_refuse(at, field->name, "is not valid UTF-8");
}

static enum status check_message(const struct at *at, const ProtobufCMessageDescriptor *type, struct wire w);

static enum status check_sized(const struct at *at, field_type *field, struct wire *w)
{
    uint64_t length;
    enum status status = STATUS_OK;

    if (!take_varint(w, &length) || length > (uint64_t)(w->end - w->p))
        return broken(at, field->name, "the field is cut off");
    struct wire value = {w->p, w->p + length};
    w->p += length;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return check_text(at, field, value);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        struct at below = codec_below(at, field->name);
        return check_message(&below, field->descriptor, value);
    }
    while (field->type != PROTOBUF_C_TYPE_BYTES && value.p < value.end && status == STATUS_OK) /* packed numbers */
        status = check_number(at, field, &value);
    return status;
}

static enum status check_message(const struct at *at, const ProtobufCMessageDescriptor *type, struct wire w)
{
    enum status status = codec_check_depth(at);

    while (w.p < w.end && status == STATUS_OK) {
        uint64_t tag;
        if (!take_varint(&w, &tag) || tag < 8 || tag > UINT32_MAX)
            return broken(at, NULL, "bad field number");
        field_type *field = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
        if (!field)
            return codec_refuse(at, arena_printf(at->arena, "#%u", (unsigned)(tag >> 3)), "unknown field number of %s",
                                type->short_name);
        unsigned expected = shapes[field->type].wire, got = tag & 7;
        bool packed = codec_repeated(field) && expected != WIRE_LENGTH && got == WIRE_LENGTH;
        if (got != expected && !packed)
            return broken(at, field->name, "the field has another type");
        status = got == WIRE_LENGTH ? check_sized(at, field, &w) : check_number(at, field, &w);
    }
    return status;
}

/* --- maps, which protobuf-c does not know ----------------------------------------------------------------------------------- */

static const char *key_of(const ProtobufCMessage *entry)
{
    return *(char **)codec_slot(&entry->descriptor->fields[0], entry);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(key_of(*(ProtobufCMessage *const *)a), key_of(*(ProtobufCMessage *const *)b));
}

/* No key twice, as in JSON; an entry without its message has an empty one. */
static enum status check_entries(const struct at *at, field_type *field, struct span entries)
{
    ProtobufCMessage **sorted = arena_copy(at->arena, entries.items, entries.count * sizeof *sorted);
    field_type *value = &((const ProtobufCMessageDescriptor *)field->descriptor)->fields[1];

    qsort(sorted, entries.count, sizeof *sorted, by_key);
    for (size_t i = 1; i < entries.count; i++)
        if (by_key(&sorted[i - 1], &sorted[i]) == 0) {
            struct at below = codec_below(at, field->name);
            return codec_refuse(&below, key_of(sorted[i]), "is given twice");
        }
    for (size_t i = 0; i < entries.count; i++)
        if (codec_items(value, sorted[i]).count == 0)
            *(void **)codec_slot(value, sorted[i]) = codec_new(at->arena, value->descriptor);
    return STATUS_OK;
}

static enum status check_maps(const struct at *at, const ProtobufCMessage *message)
{
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < message->descriptor->n_fields && status == STATUS_OK; i++) {
        field_type *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        struct at below = codec_below(at, field->name);
        struct span items = codec_items(field, message);
        if (codec_is_map(field))
            status = check_entries(at, field, items);
        for (size_t j = 0; j < items.count && status == STATUS_OK; j++)
            status = check_maps(&below, ((ProtobufCMessage **)items.items)[j]);
    }
    return status;
}

/* --- the public functions --------------------------------------------------------------------------------------------------- */

static void *allocate_in_arena(void *arena, size_t size) { return arena_alloc(arena, size); }
static void free_nothing(void *arena, void *memory) { (void)arena, (void)memory; }

static enum status read_wire(const struct at *at, const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                             ProtobufCMessage **ret_message)
{
    ProtobufCAllocator allocator = {allocate_in_arena, free_nothing, at->arena};
    enum status status = check_message(at, type, (struct wire){data, (const uint8_t *)data + size});

    if (status != STATUS_OK)
        return status;
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, size, data);
    if (!message)
        return broken(at, NULL, "protobuf-c refuses it");
    status = check_maps(at, message);
    if (status == STATUS_OK)
        *ret_message = message;
    return status;
}

void *codec_new(struct arena *arena, const ProtobufCMessageDescriptor *type)
{
    void *message = arena_alloc(arena, type->sizeof_message);

    protobuf_c_message_init(type, message);
    return message;
}

enum status codec_decode(struct arena *arena, const ProtobufCMessageDescriptor *type, const void *data, size_t size, size_t cap,
                         bool *ret_json, ProtobufCMessage **ret_message, struct reason *reason)
{
    struct at at = {.arena = arena, .reason = reason};
    const uint8_t *bytes = size ? data : (const uint8_t *)"";

    *ret_json = size > 0 && bytes[0] == '{';
    if (size > cap)
        return codec_refuse(&at, NULL, "%zu bytes, at most %zu are allowed", size, cap);
    return *ret_json ? codec_read_json(&at, type, bytes, size, ret_message) : read_wire(&at, type, bytes, size, ret_message);
}

static void assert_finite(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        field_type *field = &message->descriptor->fields[i];
        struct span items = codec_items(field, message);
        for (size_t j = 0; j < items.count; j++)
            if (field->type == PROTOBUF_C_TYPE_DOUBLE)
                assert(isfinite(((const double *)items.items)[j]));
            else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
                assert_finite(((ProtobufCMessage **)items.items)[j]);
    }
}

void codec_encode(struct arena *arena, const ProtobufCMessage *message, bool json, const uint8_t **ret_data, size_t *ret_size)
{
    if (json) {
        *ret_data = (const uint8_t *)codec_write_json(arena, message, false, ret_size);
        return;
    }
    assert_finite(message);
    uint8_t *data = arena_alloc(arena, protobuf_c_message_get_packed_size(message));
    *ret_size = protobuf_c_message_pack(message, data);
    *ret_data = data;
}

char *codec_pretty(struct arena *arena, const ProtobufCMessage *message)
{
    size_t size;

    return codec_write_json(arena, message, true, &size);
}

void codec_set_error(struct arena *arena, ProtobufCMessage *reply, enum status status, const struct reason *reason)
{
    field_type *field = protobuf_c_message_descriptor_get_field(reply->descriptor, 15);

    assert(field && field->descriptor == &tom__rl__v1__error__descriptor);
    Error *error = codec_new(arena, field->descriptor);
    error->code = arena_str(arena, status_text(status));
    error->message = arena_str(arena, reason ? reason->text : status_text(status));
    error->field = arena_str(arena, reason ? reason->field : "");
    *(Error **)codec_slot(field, reply) = error;
}
