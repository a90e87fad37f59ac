/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c - signals in 64 bits; the layout is stored in every ledger and must never change. */
#include "signals.h"

#include <assert.h>
#include <math.h>

enum { RESOLUTION_AT = 0, HANDOVER_AT = 2, ESCALATION_AT = 4, RATING_AT = 6, BARGE_IN_AT = 9, REPEATS_AT = 13,
       SATISFACTION_AT = 16, DURATION_AT = 24 };

static uint64_t field(int64_t value, int64_t greatest, int at)
{
    assert(value >= 0 && value <= greatest);
    return (uint64_t)value << at;
}

static int take(uint64_t packed, int at, int bits) { return (int)(packed >> at & ((UINT64_C(1) << bits) - 1)); }

uint64_t signals_pack(const struct signals *s)
{
    int64_t satisfaction = s->satisfaction < -1 ? 0 : 101 + llround(100 * s->satisfaction);
    int64_t duration = s->duration_sec < 0 ? 0 : 1 + llround(10 * s->duration_sec);

    return field(s->resolution, 2, RESOLUTION_AT) | field(s->handover, 2, HANDOVER_AT) | field(s->escalation, 2, ESCALATION_AT) |
           field(s->user_rating, 5, RATING_AT) | field(s->barge_in_count + 1, 11, BARGE_IN_AT) |
           field(s->repeats + 1, 6, REPEATS_AT) |
           field(satisfaction, 201, SATISFACTION_AT) | field(duration, 36001, DURATION_AT);
}

struct signals signals_unpack(uint64_t packed)
{
    int satisfaction = take(packed, SATISFACTION_AT, 8), duration = take(packed, DURATION_AT, 16);

    return (struct signals){
        .resolution = (enum tri)take(packed, RESOLUTION_AT, 2),
        .handover = (enum tri)take(packed, HANDOVER_AT, 2),
        .escalation = (enum tri)take(packed, ESCALATION_AT, 2),
        .user_rating = take(packed, RATING_AT, 3),
        .barge_in_count = take(packed, BARGE_IN_AT, 4) - 1,
        .repeats = take(packed, REPEATS_AT, 3) - 1,
        .satisfaction = satisfaction ? (satisfaction - 101) / 100.0 : SIGNALS_NONE.satisfaction,
        .duration_sec = duration ? (duration - 1) / 10.0 : SIGNALS_NONE.duration_sec,
    };
}
