/* SPDX-License-Identifier: Apache-2.0 */
/* payload.h - from a command line to a message, without a bus: options name the field that they fill. */
#ifndef RL_PAYLOAD_H
#define RL_PAYLOAD_H

#include "codec.h"

enum { OPTIONS_MAX = 20, WORDS_MAX = 16 };

/* One option of a verb; a name of NULL ends a table. */
struct option {
    const char *name;    /* "--rating" */
    const char *value;   /* what the help calls its value; NULL: a flag */
    const char *help;
    const char *field;   /* dotted path of the message field that it fills, or NULL */
    const char *implied; /* what a flag puts there: "true" */
};

struct args {
    const struct option *options;
    const char *values[OPTIONS_MAX]; /* by row of the table; "" for a flag that is given, NULL for what is not */
    const char *words[WORDS_MAX];    /* the rest */
    size_t word_count;
    const char *as; /* --as USER */
    bool json, help;
};

/* Options and words may come in any order; "--x=1" is "--x 1".  STATUS_INVALID names what is wrong. */
enum status args_parse(int argc, const char *const *argv, const struct option *options, struct args *ret,
                       struct reason *reason) MUST_CHECK;

/* The value of an option of the table; NULL when it was not given. */
const char *args_get(const struct args *args, const char *name);

/* Sets one field from text, by the message's descriptor: a missing submessage is made, presence is marked. */
enum status payload_set(struct arena *arena, ProtobufCMessage *message, const char *path, const char *text,
                        struct reason *reason) MUST_CHECK;

/* A message with all fields that the given options name. */
enum status payload_fill(struct arena *arena, const ProtobufCMessageDescriptor *type, const struct args *args, void **ret_message,
                         struct reason *reason) MUST_CHECK;

#endif
