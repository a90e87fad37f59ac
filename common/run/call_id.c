/* SPDX-License-Identifier: Apache-2.0 */
/* call_id.c - ids are free text, within limits. */
#include "call_id.h"

#include <string.h>

#include "utf8.h"

enum status call_id_check(char **id, const char *field, struct reason *reason)
{
    static const char white[] = " \t\r\n\v\f";
    char *text = *id + strspn(*id, white), *end = text + strlen(text);

    while (end > text && strchr(white, end[-1]))
        *--end = '\0';
    size_t characters = utf8_count(text);
    *id = text;
    if (characters >= 1 && characters <= CALL_ID_LIMIT)
        return STATUS_OK;
    return reason_set(reason, field, "%zu characters; expected 1 .. %d", characters, CALL_ID_LIMIT);
}
