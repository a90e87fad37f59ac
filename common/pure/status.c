/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - names of statuses, and reasons in words. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>

#include "utf8.h"

const char *status_text(enum status status)
{
    switch (status) {
#define X(name, text) \
    case name:        \
        return text;
        STATUS_LIST(X)
#undef X
    }
    return "unknown";
}

static void reason_fill(struct reason *reason, const char *field, const char *fmt, va_list args)
{
    if (!reason)
        return;
    snprintf(reason->field, sizeof reason->field, "%s", field ? field : "");
    vsnprintf(reason->text, sizeof reason->text, fmt, args);
    utf8_clean(reason->field); /* also what the cut left of a last character */
    utf8_clean(reason->text);
}

enum status reason_set(struct reason *reason, const char *field, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    reason_fill(reason, field, fmt, args);
    va_end(args);
    return STATUS_INVALID;
}

enum status reason_fail(struct reason *reason, enum status status, const char *field, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    reason_fill(reason, field, fmt, args);
    va_end(args);
    return status;
}
