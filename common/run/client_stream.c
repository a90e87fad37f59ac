/* SPDX-License-Identifier: Apache-2.0 */
/* client_stream.c - a stored message by $JS.API.STREAM.MSG.GET. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "stored_message.h"

enum { GET_MS = 5000 };

enum status client_stream_get(struct client *client, struct arena *arena, const char *stream, uint64_t sequence,
                              const char *subject, struct client_message *ret, struct reason *reason)
{
    const char *prefix = client_prefix(client);
    char *name = arena_printf(arena, "%s%s", prefix, stream), *body;
    struct client_message answer;
    struct stored_message stored;

    for (size_t i = 0; i < strlen(prefix); i++)
        name[i] = name[i] == '.' ? '_' : (char)toupper((unsigned char)name[i]);
    body = sequence ? arena_printf(arena, "{\"seq\":%llu}", (unsigned long long)sequence)
                    : arena_printf(arena, "{\"last_by_subj\":\"%s%s\"}", prefix, subject);
    enum status status = client_request(client, arena, arena_printf(arena, "$JS.API.STREAM.MSG.GET.%s", name), body, strlen(body),
                                        GET_MS, &answer, reason);
    if (status == STATUS_OK)
        status = stored_message_parse(arena, (const char *)answer.data, answer.size, &stored, reason);
    if (status == STATUS_OK)
        *ret = (struct client_message){.subject = strncmp(stored.subject, prefix, strlen(prefix)) == 0
                                                      ? stored.subject + strlen(prefix)
                                                      : stored.subject,
                                       .reply = "", .traceparent = stored.traceparent, .data = stored.data, .size = stored.size,
                                       .sequence = stored.sequence, .time_us = stored.time_us};
    return status;
}
