/* SPDX-License-Identifier: Apache-2.0 */
/* message_signals.c - one place for the ranges of signals. */
#include "message_signals.h"

#include <math.h>
#include <stddef.h>

#include "codec.h"

struct signals signals_of_message(const Signals *m)
{
    struct signals s = SIGNALS_NONE;

    if (!m)
        return s;
    s.resolution = HAS(m, has_resolution_case) ? tri_of(m->resolution) : TRI_UNKNOWN;
    s.handover = HAS(m, has_handover_case) ? tri_of(m->handover) : TRI_UNKNOWN;
    s.escalation = HAS(m, has_escalation_case) ? tri_of(m->escalation) : TRI_UNKNOWN;
    if (HAS(m, has_user_rating_case))
        s.user_rating = m->user_rating;
    if (HAS(m, has_barge_in_count_case))
        s.barge_in_count = m->barge_in_count;
    if (HAS(m, has_repeats_case))
        s.repeats = m->repeats;
    if (HAS(m, has_duration_sec_case))
        s.duration_sec = m->duration_sec;
    if (HAS(m, has_satisfaction_case))
        s.satisfaction = m->satisfaction;
    return s;
}

static enum status whole(bool there, int value, int low, int high, const char *field, struct reason *reason)
{
    if (!there || (value >= low && value <= high))
        return STATUS_OK;
    return reason_set(reason, field, "%d is outside of %d .. %d", value, low, high);
}

static enum status real(bool there, double value, double low, double high, const char *field, struct reason *reason)
{
    if (!there || (isfinite(value) && value >= low && value <= high))
        return STATUS_OK;
    return reason_set(reason, field, "%g is outside of %g .. %g", value, low, high);
}

enum status signals_check(const Signals *m, struct reason *reason)
{
    enum status status = STATUS_OK;

    if (!m)
        return STATUS_OK;
    status = whole(HAS(m, has_user_rating_case), m->user_rating, 1, 5, "signals.user_rating", reason);
    if (status == STATUS_OK)
        status = whole(HAS(m, has_barge_in_count_case), m->barge_in_count, 0, 10, "signals.barge_in_count", reason);
    if (status == STATUS_OK)
        status = whole(HAS(m, has_repeats_case), m->repeats, 0, 5, "signals.repeats", reason);
    if (status == STATUS_OK)
        status = real(HAS(m, has_duration_sec_case), m->duration_sec, 0, 3600, "signals.duration_sec", reason);
    if (status == STATUS_OK)
        status = real(HAS(m, has_satisfaction_case), m->satisfaction, -1, 1, "signals.satisfaction", reason);
    return status;
}
