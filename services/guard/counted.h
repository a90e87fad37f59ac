/* SPDX-License-Identifier: Apache-2.0 */
/* counted.h - which messages of a stream were counted: a set of sequences, kept as intervals, usually one.
 *
 * Messages come again and out of order; the set makes each count once.  A message whose sequence is not above the
 * highest known one but that arrived later than that one belongs to another stream: the old one was lost and made anew,
 * and its set is forgotten. */
#ifndef RL_COUNTED_H
#define RL_COUNTED_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

struct interval {
    uint64_t first, last;
};

struct counted {
    struct interval *items; /* ascending, with gaps between them */
    size_t count, capacity;
    uint64_t highest;
    int64_t highest_us; /* stream time of the highest */
};

void counted_done(struct counted *set);

/* True when the message was not counted yet; then it is now. */
bool counted_add(struct counted *set, uint64_t sequence, int64_t time_us);

/* "1-1234,1240-1300" and back; a text that is none gives false. */
char *counted_text(const struct counted *set); /* free() it */
bool counted_parse(struct counted *set, const char *text);

#endif
