/* SPDX-License-Identifier: Apache-2.0 */
/* codec_json.c - JSON by descriptor: Jansson reads text into a tree, the tree is walked beside the
 * descriptor; writing needs no tree.
 *
 * No text of the sender's gets into a reason but names of keys, enum words and what Jansson says without its "near ...": a call
 * id must not end up in a log. */
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec_internal.h"

enum { MAX_NAME = 64, MAX_FIELDS = 64 };

/* Enums are named X_UNSPECIFIED = 0, X_...: the length of "X_". */
static size_t prefix_of(const ProtobufCEnumDescriptor *type)
{
    const char *first = type->values[0].name, *end = strstr(first, "UNSPECIFIED");

    assert(type->values[0].value == 0 && end);
    return (size_t)(end - first);
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

/* snake_case, or the same name in lowerCamelCase. */
static field_type *field_of(const ProtobufCMessageDescriptor *type, const char *key)
{
    char snake[MAX_NAME];
    size_t n = 0;
    field_type *field = protobuf_c_message_descriptor_get_field_by_name(type, key);

    if (field || strchr(key, '_'))
        return field;
    for (; *key && n + 3 < sizeof snake; key++) {
        if (isupper((unsigned char)*key))
            snake[n++] = '_';
        snake[n++] = (char)tolower((unsigned char)*key);
    }
    snake[n] = '\0';
    return *key ? NULL : protobuf_c_message_descriptor_get_field_by_name(type, snake);
}

static enum status wrong_type(const struct at *at, const char *name, const char *expected, const json_t *value)
{
    static const char *const names[] = {[JSON_OBJECT] = "an object",    [JSON_ARRAY] = "a list",      [JSON_STRING] = "a text",
                                        [JSON_INTEGER] = "an integer", [JSON_REAL] = "a real number", [JSON_TRUE] = "true",
                                        [JSON_FALSE] = "false",        [JSON_NULL] = "null"};

    return codec_refuse(at, name, "must be %s, not %s", expected, names[json_typeof(value)]);
}

static enum status read_enum(const struct at *at, const char *name, field_type *field, const json_t *value, int *ret)
{
    const ProtobufCEnumDescriptor *type = field->descriptor;
    size_t prefix = prefix_of(type);

    if (!json_is_string(value))
        return wrong_type(at, name, "a name or an integer", value);
    const char *text = json_string_value(value);
    for (unsigned i = 0; i < type->n_values; i++)
        if (strcmp(type->values[i].name, text) == 0 || strcmp(type->values[i].name + prefix, text) == 0) {
            *ret = type->values[i].value;
            return STATUS_OK;
        }
    return codec_refuse(at, name, "'%.40s' is no value of %s", text, type->short_name);
}

static enum status read_integer(const struct at *at, const char *name, field_type *field, const json_t *value, void *slot)
{
    if (field->type == PROTOBUF_C_TYPE_ENUM && !json_is_integer(value))
        return read_enum(at, name, field, value, slot);
    if (!json_is_integer(value))
        return wrong_type(at, name, "an integer", value);
    int64_t number = json_integer_value(value);
    enum status status = codec_check_integer(at, name, field, number);
    if (status != STATUS_OK)
        return status;
    if (codec_size_of(field->type) == 4)
        *(uint32_t *)slot = (uint32_t)number;
    else
        *(int64_t *)slot = number;
    return STATUS_OK;
}

/* Strict: what decodes must encode to the same text. */
static enum status read_bytes(const struct at *at, const char *name, const json_t *value, ProtobufCBinaryData *ret)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value), padding = 0;

    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    uint8_t *data = arena_alloc(at->arena, length + 1);
    char *again = arena_alloc(at->arena, length + 5);
    int n = EVP_DecodeBlock(data, (const uint8_t *)text, (int)length) - (int)padding;
    if (n >= 0)
        EVP_EncodeBlock((uint8_t *)again, data, n);
    if (n < 0 || strcmp(text, again) != 0)
        return codec_refuse(at, name, "is not base64");
    *ret = (ProtobufCBinaryData){.len = (size_t)n, .data = data};
    return STATUS_OK;
}

static enum status read_object(const struct at *at, json_t *object, ProtobufCMessage *message);

static enum status read_message(const struct at *at, const char *name, field_type *field, json_t *value, ProtobufCMessage **ret)
{
    struct at below = codec_below(at, name);
    ProtobufCMessage *message = codec_new(at->arena, field->descriptor);

    if (!json_is_object(value))
        return wrong_type(at, name, "an object", value);
    *ret = message;
    return read_object(&below, value, message);
}

static enum status read_value(const struct at *at, const char *name, field_type *field, json_t *value, void *slot)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(at, name, field, value, slot);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        if (!json_is_string(value))
            return wrong_type(at, name, "a text", value);
        if (field->type == PROTOBUF_C_TYPE_BYTES)
            return read_bytes(at, name, value, slot);
        *(char **)slot = arena_copy(at->arena, json_string_value(value), json_string_length(value) + 1);
        return STATUS_OK;
    case PROTOBUF_C_TYPE_BOOL:
        if (!json_is_boolean(value))
            return wrong_type(at, name, "true or false", value);
        *(protobuf_c_boolean *)slot = json_is_true(value);
        return STATUS_OK;
    case PROTOBUF_C_TYPE_DOUBLE:
        if (!json_is_number(value))
            return wrong_type(at, name, "a number", value);
        *(double *)slot = json_number_value(value);
        return STATUS_OK;
    default:
        return read_integer(at, name, field, value, slot);
    }
}

static enum status read_list(const struct at *at, field_type *field, json_t *list, char *items)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < json_array_size(list) && status == STATUS_OK; i++)
        status = read_value(at, field->name, field, json_array_get(list, i), items + i * codec_size_of(field->type));
    return status;
}

static enum status read_map(const struct at *at, field_type *field, json_t *object, ProtobufCMessage **items)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    struct at below = codec_below(at, field->name);
    enum status status = STATUS_OK;

    for (void *i = json_object_iter(object); i && status == STATUS_OK; i = json_object_iter_next(object, i)) {
        const char *key = json_object_iter_key(i);
        *items = codec_new(at->arena, type);
        *(char **)codec_slot(&type->fields[0], *items) = arena_str(at->arena, key);
        status = read_value(&below, key, &type->fields[1], json_object_iter_value(i), codec_slot(&type->fields[1], *items));
        items++;
    }
    return status;
}

static enum status read_repeated(const struct at *at, field_type *field, json_t *value, ProtobufCMessage *message)
{
    bool map = codec_is_map(field);

    if (map ? !json_is_object(value) : !json_is_array(value))
        return wrong_type(at, field->name, map ? "an object" : "a list", value);
    size_t count = map ? json_object_size(value) : json_array_size(value);
    void *items = count ? arena_alloc(at->arena, count * codec_size_of(field->type)) : NULL;
    *(size_t *)((char *)message + field->quantifier_offset) = count;
    *(void **)codec_slot(field, message) = items;
    return map ? read_map(at, field, value, items) : read_list(at, field, value, items);
}

static enum status read_field(const struct at *at, field_type *field, json_t *value, ProtobufCMessage *message)
{
    if (json_is_null(value))
        return STATUS_OK;
    if (codec_repeated(field))
        return read_repeated(at, field, value, message);
    if (codec_in_oneof(field)) {
        uint32_t *chosen = (uint32_t *)((char *)message + field->quantifier_offset);
        if (*chosen)
            return codec_refuse(at, field->name, "excludes another field that is given too");
        *chosen = field->id;
    }
    return read_value(at, field->name, field, value, codec_slot(field, message));
}

static enum status read_object(const struct at *at, json_t *object, ProtobufCMessage *message)
{
    bool seen[MAX_FIELDS] = {false};
    const ProtobufCMessageDescriptor *type = message->descriptor;
    enum status status = codec_check_depth(at);

    assert(type->n_fields <= MAX_FIELDS);
    for (void *i = json_object_iter(object); i && status == STATUS_OK; i = json_object_iter_next(object, i)) {
        field_type *field = field_of(type, json_object_iter_key(i));
        if (!field)
            return codec_refuse(at, json_object_iter_key(i), "unknown field of %s", type->short_name);
        if (seen[field - type->fields])
            return codec_refuse(at, field->name, "is given twice");
        seen[field - type->fields] = true;
        status = read_field(at, field, json_object_iter_value(i), message);
    }
    return status;
}

/* The dotted name of the first field called `key`, in the message or below; NULL: none. */
static const char *find_field(struct arena *arena, const ProtobufCMessageDescriptor *type, const char *key, unsigned depth)
{
    field_type *found = field_of(type, key);

    for (unsigned i = 0; i < type->n_fields && !found && depth < MAX_DEPTH; i++) {
        field_type *field = &type->fields[i];
        const char *below = field->type == PROTOBUF_C_TYPE_MESSAGE ? find_field(arena, field->descriptor, key, depth + 1) : NULL;
        if (below)
            return arena_printf(arena, "%s.%s", field->name, below);
    }
    return found ? found->name : NULL;
}

/* What stands between the last two quotes of text[0 .. *end), if it is the name of a field; *end moves before it. */
static const char *last_field(struct arena *arena, const ProtobufCMessageDescriptor *type, const char *text, size_t *end)
{
    size_t stop = *end, start;

    while (stop > 0 && text[stop - 1] != '"')
        stop--;
    for (start = stop ? stop - 1 : 0; start > 0 && text[start - 1] != '"';)
        start--;
    *end = start;
    if (start == 0 || stop - 1 - start >= MAX_NAME)
        return NULL;
    char *word = arena_alloc(arena, stop - start);
    memcpy(word, text + start, stop - 1 - start);
    return find_field(arena, type, word, 0);
}

/* Broken text such as NaN, a duplicate key, a bad character: a field named shortly before the error is the culprit. */
static enum status broken(const struct at *at, const ProtobufCMessageDescriptor *type, const char *text, size_t size,
                          json_error_t *error)
{
    size_t end = error->position > 0 && (size_t)error->position < size ? (size_t)error->position : size;
    char *near = strstr(error->text, " near ");
    const char *name = NULL;

    for (int tries = 0; tries < 3 && !name; tries++)
        name = last_field(at->arena, type, text, &end);
    if (near)
        *near = '\0';
    return codec_refuse(at, name, "not a JSON object: %s (line %d, column %d)", error->text, error->line, error->column);
}

enum status codec_read_json(const struct at *at, const ProtobufCMessageDescriptor *type, const void *data, size_t size,
                            ProtobufCMessage **ret_message)
{
    json_error_t error;
    json_t *object = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);

    if (!object)
        return broken(at, type, data, size, &error);
    ProtobufCMessage *message = codec_new(at->arena, type);
    enum status status = read_object(at, object, message);
    json_decref(object);
    if (status == STATUS_OK)
        *ret_message = message;
    return status;
}

/* --- writing ---------------------------------------------------------------------------------------------------------------- */

struct text {
    struct arena *arena;
    char *data;
    size_t size, room;
    unsigned depth;
    bool pretty;
};

static void put(struct text *t, const char *s, size_t n)
{
    if (t->room - t->size < n) {
        size_t room = 2 * (t->room + n) + 512;
        char *data = arena_alloc(t->arena, room);
        if (t->size)
            memcpy(data, t->data, t->size);
        t->data = data;
        t->room = room;
    }
    memcpy(t->data + t->size, s, n);
    t->size += n;
}

static void put_str(struct text *t, const char *s) { put(t, s, strlen(s)); }

/* Before each item and before a closing bracket, for people. */
static void put_line(struct text *t)
{
    if (!t->pretty)
        return;
    put(t, "\n", 1);
    for (unsigned i = 0; i < t->depth; i++)
        put(t, "  ", 2);
}

static void put_item(struct text *t, bool first)
{
    if (!first)
        put(t, ",", 1);
    put_line(t);
}

static void put_close(struct text *t, char bracket, bool empty)
{
    t->depth--;
    if (!empty)
        put_line(t);
    put(t, &bracket, 1);
}

static void put_quoted(struct text *t, const char *s)
{
    put(t, "\"", 1);
    for (;;) {
        size_t plain = 0;
        while ((unsigned char)s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\')
            plain++;
        put(t, s, plain);
        s += plain;
        if (!*s)
            break;
        char escape[8];
        snprintf(escape, sizeof escape, (unsigned char)*s < 0x20 ? "\\u%04x" : "\\%c", *s);
        put_str(t, escape);
        s++;
    }
    put(t, "\"", 1);
}

static void put_key(struct text *t, const char *name)
{
    put_quoted(t, name);
    put_str(t, t->pretty ? ": " : ":");
}

/* The shortest of %.15g, %.16g, %.17g that reads back as the same number. */
static void put_double(struct text *t, double value)
{
    char digits[32];

    assert(isfinite(value));
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    put_str(t, value == 0 && signbit(value) ? "-0.0" : digits);
}

static void put_bytes(struct text *t, const ProtobufCBinaryData *bytes)
{
    char *base64 = arena_alloc(t->arena, (bytes->len + 2) / 3 * 4 + 1);

    EVP_EncodeBlock((uint8_t *)base64, bytes->data, (int)bytes->len);
    put_quoted(t, base64);
}

static void put_enum(struct text *t, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);

    assert(known);
    put_quoted(t, known->name + prefix_of(type));
}

static void put_integer(struct text *t, int64_t value)
{
    char digits[32];

    snprintf(digits, sizeof digits, "%" PRId64, value);
    put_str(t, digits);
}

static void put_message(struct text *t, const ProtobufCMessage *message);

static void put_value(struct text *t, field_type *field, const void *slot)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return put_message(t, *(ProtobufCMessage *const *)slot);
    case PROTOBUF_C_TYPE_STRING:
        return put_quoted(t, *(char *const *)slot ? *(char *const *)slot : "");
    case PROTOBUF_C_TYPE_BYTES:
        return put_bytes(t, slot);
    case PROTOBUF_C_TYPE_BOOL:
        return put_str(t, *(const protobuf_c_boolean *)slot ? "true" : "false");
    case PROTOBUF_C_TYPE_DOUBLE:
        return put_double(t, *(const double *)slot);
    case PROTOBUF_C_TYPE_ENUM:
        return put_enum(t, field->descriptor, *(const int *)slot);
    case PROTOBUF_C_TYPE_INT32:
        return put_integer(t, *(const int32_t *)slot);
    case PROTOBUF_C_TYPE_UINT32:
        return put_integer(t, *(const uint32_t *)slot);
    default:
        return put_integer(t, *(const int64_t *)slot);
    }
}

static void put_repeated(struct text *t, field_type *field, struct span span)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    bool map = codec_is_map(field);

    put(t, map ? "{" : "[", 1);
    t->depth++;
    for (size_t i = 0; i < span.count; i++) {
        const char *item = span.items + i * codec_size_of(field->type);
        put_item(t, i == 0);
        if (map) {
            const ProtobufCMessage *entry = *(ProtobufCMessage *const *)item;
            put_key(t, *(char **)codec_slot(&type->fields[0], entry));
            put_value(t, &type->fields[1], codec_slot(&type->fields[1], entry));
        } else {
            put_value(t, field, item);
        }
    }
    put_close(t, map ? '}' : ']', span.count == 0);
}

static void put_message(struct text *t, const ProtobufCMessage *message)
{
    bool empty = true;

    put(t, "{", 1);
    t->depth++;
    for (unsigned i = 0; message && i < message->descriptor->n_fields; i++) {
        field_type *field = &message->descriptor->fields[i];
        struct span span = codec_items(field, message);
        if (!codec_repeated(field) && span.count == 0)
            continue;
        put_item(t, empty);
        put_key(t, field->name);
        if (codec_repeated(field))
            put_repeated(t, field, span);
        else
            put_value(t, field, span.items);
        empty = false;
    }
    put_close(t, '}', empty);
}

char *codec_write_json(struct arena *arena, const ProtobufCMessage *message, bool pretty, size_t *ret_size)
{
    struct text t = {.arena = arena, .pretty = pretty};

    put_message(&t, message);
    if (pretty)
        put(&t, "\n", 1);
    *ret_size = t.size;
    put(&t, "", 1);
    return t.data;
}
