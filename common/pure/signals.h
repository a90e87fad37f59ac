/* SPDX-License-Identifier: Apache-2.0 */
/* signals.h - how a call went, as plain numbers, and packed into 64 bits for the ledger. */
#ifndef RL_SIGNALS_H
#define RL_SIGNALS_H

#include <stdint.h>

#include "status.h"

/* Known to be false, known to be true, or not known. */
enum tri { TRI_UNKNOWN = 0, TRI_FALSE = 1, TRI_TRUE = 2 };

static inline enum tri tri_of(bool value) { return value ? TRI_TRUE : TRI_FALSE; }

/* All zeros but duration and satisfaction: nothing is known.  Start from SIGNALS_NONE. */
struct signals {
    enum tri resolution, handover, escalation;
    int user_rating;       /* 1 .. 5; 0: none */
    int barge_in_count;    /* 0 .. 10; -1: unknown */
    int repeats;           /* 0 .. 5; -1: unknown */
    double duration_sec;   /* 0 .. 3600; negative: unknown */
    double satisfaction;   /* -1 .. +1; below -1: unknown */
};

#define SIGNALS_NONE ((struct signals){.barge_in_count = -1, .repeats = -1, .duration_sec = -1, .satisfaction = -2})

/* Bits, from the lowest: resolution 2, handover 2, escalation 2, rating 3, barge-ins 4 (0 unknown, n + 1), repeats 3 (0 unknown,
 * n + 1), satisfaction 8 (0 unknown, 1 .. 201 in steps of 0.01), duration 16 (0 unknown, else 1 + tenths of a second). */
uint64_t signals_pack(const struct signals *signals);
struct signals signals_unpack(uint64_t packed);

#endif
