/* SPDX-License-Identifier: Apache-2.0 */
/* stored_message.c - base64 and times of the JetStream API. */
#include "stored_message.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t rfc3339_us(const char *text)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    int64_t us = 0, unit = 100000;

    if (!rest)
        return -1;
    if (*rest == '.')
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
            us += (*rest - '0') * unit;
    return strcmp(rest, "Z") == 0 ? (int64_t)timegm(&tm) * 1000000 + us : -1;
}

static uint8_t *from_base64(struct arena *arena, const char *text, size_t *ret_size)
{
    size_t length = text ? strlen(text) : 0, padding = 0;
    uint8_t *data = arena_alloc(arena, length / 4 * 3 + 1);
    int n = length ? EVP_DecodeBlock(data, (const unsigned char *)text, (int)length) : 0;

    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    *ret_size = n > 0 ? (size_t)n - padding : 0;
    data[*ret_size] = 0;
    return data;
}

/* One header of "NATS/1.0\r\nName: value\r\n...". */
static const char *header_of(struct arena *arena, const char *headers, const char *name)
{
    const char *at = strcasestr(headers, arena_printf(arena, "\r\n%s:", name));

    if (!at)
        return "";
    at += strlen(name) + 3;
    at += strspn(at, " ");
    size_t length = strcspn(at, "\r\n");
    char *value = arena_copy(arena, at, length + 1);
    value[length] = '\0';
    return value;
}

static void fill(struct arena *arena, const json_t *m, struct stored_message *ret)
{
    size_t ignored;
    const char *subject = json_string_value(json_object_get(m, "subject")), *time = json_string_value(json_object_get(m, "time"));
    const char *headers = (const char *)from_base64(arena, json_string_value(json_object_get(m, "hdrs")), &ignored);

    *ret = (struct stored_message){.subject = arena_str(arena, subject ? subject : ""),
                                   .traceparent = header_of(arena, headers, "traceparent"),
                                   .sequence = (uint64_t)json_integer_value(json_object_get(m, "seq")),
                                   .time_us = time ? rfc3339_us(time) : -1};
    ret->data = from_base64(arena, json_string_value(json_object_get(m, "data")), &ret->size);
}

enum status stored_message_parse(struct arena *arena, const char *json, size_t size, struct stored_message *ret,
                                 struct reason *reason)
{
    json_t *root = json_loadb(json, size, 0, NULL);
    const json_t *error = json_object_get(root, "error"), *message = json_object_get(root, "message");
    enum status status = STATUS_OK;

    if (error)
        status = reason_fail(reason, STATUS_NOT_FOUND, "", "%s", json_string_value(json_object_get(error, "description")));
    else if (!message)
        status = reason_fail(reason, STATUS_INTERNAL, "", "the answer holds no message");
    else
        fill(arena, message, ret);
    json_decref(root);
    return status;
}
