/* SPDX-License-Identifier: Apache-2.0 */
/* erase_match.c - is a message of what is being erased?  Asked in a thread of the bus: only what the job holds is looked at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_id.h"
#include "erase.h"

enum { LONGEST_ID = 127 };

static int compare_keys(const void *a, const void *b) { return memcmp(a, b, CALL_KEY_BYTES); }

void erase_sort(struct erasure *e)
{
    if (e->key_count)
        qsort(e->keys, e->key_count, sizeof *e->keys, compare_keys);
}

static bool wanted_call(const struct erasure *e, const uint8_t *key)
{
    return e->key_count && bsearch(key, e->keys, e->key_count, sizeof *e->keys, compare_keys);
}

static bool wanted_caller(const struct erasure *e, const uint8_t *key)
{
    for (size_t i = 0; i < e->caller_count; i++)
        if (memcmp(e->callers[i], key, CALL_KEY_BYTES) == 0)
            return true;
    return false;
}

/* What the text names, a call or a caller, under any key. */
static bool wanted_id(const struct erasure *e, const char *domain, const char *id, size_t length)
{
    bool (*is_wanted)(const struct erasure *, const uint8_t *) = strcmp(domain, DOMAIN_CALL) == 0 ? wanted_call : wanted_caller;
    char text[LONGEST_ID + 1], *trimmed = text;
    uint8_t key[CALL_KEY_BYTES];
    struct reason reason;

    if (is_wanted == wanted_caller && !e->caller_count)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)(length < LONGEST_ID ? length : LONGEST_ID), id);
    if (call_id_check(&trimmed, "", &reason) != STATUS_OK)
        return false;
    for (size_t i = 0; keyring_id(e->ring, i); i++) {
        pseudonym(e->ring, i, domain, trimmed, key);
        if (is_wanted(e, key))
            return true;
    }
    return false;
}

static const char *text_member(const ProtobufCMessage *m, const char *name)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

    return f ? *(char *const *)(const void *)((const char *)m + f->offset) : NULL;
}

/* ---- what is no message at all may still name it --------------------------------------------------------------------------- */

/* The text behind "name": anywhere. */
static bool json_names_it(const struct erasure *e, const char *domain, const char *name, const uint8_t *data, size_t size)
{
    const uint8_t *end = data + size, *at = memmem(data, size, name, strlen(name));
    const uint8_t *open = at ? memchr(at + strlen(name), '"', (size_t)(end - at) - strlen(name)) : NULL;
    const uint8_t *close = open ? memchr(open + 1, '"', (size_t)(end - open) - 1) : NULL;

    return open && wanted_id(e, domain, (const char *)open + 1, (size_t)((close ? close : end) - open) - 1);
}

/* Anything at `at` that may be a short text field with this tag. */
static bool field_names_it(const struct erasure *e, const char *domain, uint8_t tag, const uint8_t *at, size_t size)
{
    return size > 2 && at[0] == tag && at[1] < 128 && (size_t)at[1] + 2 <= size &&
           wanted_id(e, domain, (const char *)at + 2, at[1]);
}

/* A call is the first field of each message that has one; a caller only that of call.ended, wherever it lies. */
static bool rubbish_names_it(const struct erasure *e, const uint8_t *data, size_t size)
{
    static const struct { const char *name, *domain; } names[] = {
        {"\"call_id\"", DOMAIN_CALL}, {"\"callId\"", DOMAIN_CALL}, {"\"caller_key\"", DOMAIN_CALLER},
        {"\"callerKey\"", DOMAIN_CALLER}};
    enum { CALL_ID_TAG = 1 << 3 | 2, CALLER_KEY_TAG = 8 << 3 | 2 };

    if (field_names_it(e, DOMAIN_CALL, CALL_ID_TAG, data, size))
        return true;
    for (size_t i = 0; e->caller_count && i < size; i++)
        if (data[i] == CALLER_KEY_TAG && field_names_it(e, DOMAIN_CALLER, CALLER_KEY_TAG, data + i, size - i))
            return true;
    for (size_t n = 0; n < COUNT_OF(names); n++)
        if (json_names_it(e, names[n].domain, names[n].name, data, size))
            return true;
    return false;
}

/* ---- messages -------------------------------------------------------------------------------------------------------------- */

static bool end_names_caller(const struct erasure *e, const ProtobufCMessage *m)
{
    const CallEnded *end = (const CallEnded *)m;

    return m->descriptor == &tom__rl__v1__call_ended__descriptor && HAS(end, has_caller_key_case)
           && wanted_id(e, DOMAIN_CALLER, end->caller_key, strlen(end->caller_key));
}

static bool message_names_it(struct erasure *e, enum subject subject, const uint8_t *data, size_t size, int depth)
{
    ProtobufCMessage *m = NULL;
    struct reason reason;
    bool json;

    if (subject == SUBJECT_COUNT
        || codec_decode(&e->arena, subject_table[subject].message, data, size, 1 << 20, &json, &m, &reason) != STATUS_OK)
        return rubbish_names_it(e, data, size);
    const char *id = text_member(m, "call_id"), *key_text = text_member(m, "call_key");
    uint8_t key[CALL_KEY_BYTES];
    if (id)
        return wanted_id(e, DOMAIN_CALL, id, strlen(id)) || end_names_caller(e, m);
    if (key_text)
        return call_key_parse(key_text, key) && wanted_call(e, key);
    if (m->descriptor != &tom__rl__v1__dead_letter__descriptor || depth > 1)
        return false;
    const DeadLetter *letter = (const DeadLetter *)m;
    return message_names_it(e, subject_find(letter->subject), letter->payload.data, letter->payload.len, depth + 1);
}

bool erase_wanted(void *ctx, enum subject subject, const uint8_t *data, size_t size)
{
    struct erasure *e = ctx;

    arena_reset(&e->arena);
    return message_names_it(e, subject, data, size, 0);
}
