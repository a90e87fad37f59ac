/* SPDX-License-Identifier: Apache-2.0 */
/* payload.c - arguments, and fields set by name. */
#include "payload.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MEMBER(type, message, at) ((type *)(void *)((char *)(message) + (at)))

static const struct option common_options[] = {{"--json", NULL, "", NULL, NULL}, {"--as", "USER", "", NULL, NULL},
                                               {"--help", NULL, "", NULL, NULL}, {"-h", NULL, "", NULL, NULL},
                                               {NULL, NULL, NULL, NULL, NULL}};

/* --- arguments -------------------------------------------------------------------------------------------------------------- */

/* By its name, or by the beginning of one and no other, as getopt_long does. */
static const struct option *option_find(const struct option *options, const char *name, size_t length)
{
    const struct option *found = NULL;
    size_t count = 0;

    for (; options->name; options++) {
        if (strncmp(options->name, name, length) != 0)
            continue;
        if (!options->name[length])
            return options;
        found = options;
        count++;
    }
    return count == 1 && length > strlen("--x") ? found : NULL;
}

static enum status store_option(struct args *ret, const struct option *row, const char *value, struct reason *reason)
{
    ret->json |= strcmp(row->name, "--json") == 0;
    ret->help |= strcmp(row->name, "--help") == 0 || strcmp(row->name, "-h") == 0;
    if (strcmp(row->name, "--as") == 0)
        ret->as = value;
    if (row >= common_options && row < common_options + 4)
        return STATUS_OK;
    for (const struct option *o = ret->options; o->name; o++)
        if (ret->values[o - ret->options] && (o == row || (o->field && row->field && strcmp(o->field, row->field) == 0)))
            return reason_set(reason, row->name, o == row ? "is given twice" : "contradicts %s", o->name);
    ret->values[row - ret->options] = value ? value : "";
    return STATUS_OK;
}

enum status args_parse(int argc, const char *const *argv, const struct option *options, struct args *ret, struct reason *reason)
{
    *ret = (struct args){.options = options};
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] != '-' || !argv[i][1]) {
            if (ret->word_count == WORDS_MAX)
                return reason_set(reason, argv[i], "is one argument too many");
            ret->words[ret->word_count++] = argv[i];
            continue;
        }
        size_t length = strcspn(argv[i], "=");
        const char *value = argv[i][length] ? argv[i] + length + 1 : NULL;
        const struct option *row = option_find(options, argv[i], length);
        row = row ? row : option_find(common_options, argv[i], length);
        if (!row || (value && !row->value))
            return reason_set(reason, argv[i], row ? "takes no value" : "is no option of this verb");
        if (row->value && !value)
            value = ++i < argc ? argv[i] : NULL;
        if (row->value && !value)
            return reason_set(reason, row->name, "needs a value: %s", row->value);
        enum status status = store_option(ret, row, value, reason);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

const char *args_get(const struct args *args, const char *name)
{
    const struct option *row = option_find(args->options, name, strlen(name));

    assert(row);
    return args->values[row - args->options];
}

/* --- fields ----------------------------------------------------------------------------------------------------------------- */

static bool parse_whole(const char *text, double lowest, double highest, int64_t *ret)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || (double)value < lowest || (double)value > highest)
        return false;
    *ret = value;
    return true;
}

static bool set_enum(const ProtobufCEnumDescriptor *type, const char *text, int *ret)
{
    for (unsigned i = 0; i < type->n_values; i++) {
        const char *name = type->values[i].name;
        size_t all = strlen(name), tail = strlen(text);
        if (all > tail && name[all - tail - 1] == '_' && strcasecmp(name + all - tail, text) == 0) {
            *ret = type->values[i].value;
            return true;
        }
    }
    return false;
}

/* NULL: done; else what the field wants. */
static const char *set_scalar(struct arena *arena, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const char *text)
{
    int64_t whole = 0;
    char *end;

    switch (f->type) {
    case PROTOBUF_C_TYPE_BOOL:
        *MEMBER(protobuf_c_boolean, m, f->offset) = strcmp(text, "true") == 0;
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ? NULL : "true or false";
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
        if (!parse_whole(text, f->type == PROTOBUF_C_TYPE_INT32 ? INT32_MIN : 0,
                         f->type == PROTOBUF_C_TYPE_INT32 ? INT32_MAX : UINT32_MAX, &whole))
            return "a whole number";
        *MEMBER(uint32_t, m, f->offset) = (uint32_t)whole;
        return NULL;
    case PROTOBUF_C_TYPE_DOUBLE:
        *MEMBER(double, m, f->offset) = strtod(text, &end);
        return end != text && !*end && isfinite(*MEMBER(double, m, f->offset)) ? NULL : "a number";
    case PROTOBUF_C_TYPE_ENUM:
        return set_enum(f->descriptor, text, MEMBER(int, m, f->offset)) ? NULL : "one of its names";
    case PROTOBUF_C_TYPE_STRING:
        *MEMBER(char *, m, f->offset) = arena_str(arena, text);
        return NULL;
    default:
        return "something that cannot be typed";
    }
}

enum status payload_set(struct arena *arena, ProtobufCMessage *message, const char *path, const char *text, struct reason *reason)
{
    const char *dot = strchr(path, '.');

    if (dot) {
        const char *name = arena_printf(arena, "%.*s", (int)(dot - path), path);
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
        assert(f && f->type == PROTOBUF_C_TYPE_MESSAGE);
        ProtobufCMessage **sub = MEMBER(ProtobufCMessage *, message, f->offset);
        *sub = *sub ? *sub : codec_new(arena, f->descriptor);
        return payload_set(arena, *sub, dot + 1, text, reason);
    }
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, path);
    assert(f && f->label != PROTOBUF_C_LABEL_REPEATED);
    const char *wanted = set_scalar(arena, message, f, text);
    if (wanted)
        return reason_set(reason, path, "\"%s\" is not %s", text, wanted);
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *MEMBER(uint32_t, message, f->quantifier_offset) = f->id;
    return STATUS_OK;
}

enum status payload_fill(struct arena *arena, const ProtobufCMessageDescriptor *type, const struct args *args, void **ret_message,
                         struct reason *reason)
{
    ProtobufCMessage *message = codec_new(arena, type);
    enum status status = STATUS_OK;

    for (const struct option *o = args->options; o->name && status == STATUS_OK; o++) {
        const char *value = args->values[o - args->options];
        if (value && o->field)
            status = payload_set(arena, message, o->field, o->implied ? o->implied : value, reason);
    }
    if (status == STATUS_OK)
        *ret_message = message;
    return status;
}
