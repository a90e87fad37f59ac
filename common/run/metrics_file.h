/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_file.h - how metrics lie in the file: the service writes it (metrics.c), its sidecar maps it and reads.
 *
 *     header  family[family_count]  series[capacity], of which `used` are filled
 *
 * Families are written once.  A series is filled first and then counted in `used` (release); from then on only its numbers
 * change, each by one atomic operation.  A histogram keeps nothing but its own buckets, not cumulative, so that no reader can see
 * a count that contradicts them.  A file is never changed in size and never reused: each start renames a new one over the old. */
#ifndef RL_METRICS_FILE_H
#define RL_METRICS_FILE_H

#include <stdatomic.h>
#include <stdint.h>

#include "metrics.h"

#define METRICS_MAGIC "rl-metr"
#define METRICS_PER_UNIT 1e6 /* counters and sums of histograms are int64 in millionths: exact, and added without a loop */

enum { METRICS_LAYOUT = 2, METRICS_NAME_SIZE = 64, METRICS_HELP_SIZE = 192, METRICS_REASON_SIZE = 160,
       METRICS_HEARTBEAT_US = 5000000 };

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock would not be shared with the reader");

struct metrics_header {
    char magic[8];
    uint32_t layout;
    uint32_t family_size, series_size; /* of one */
    uint32_t family_count, capacity;
    _Atomic uint32_t min_cell; /* calls */
    _Atomic uint32_t used;
    _Atomic uint32_t ready;
    _Atomic uint32_t reason_slot; /* which of `reasons` is shown; the other may be half-written */
    _Atomic int64_t heartbeat_us; /* CLOCK_MONOTONIC, the same for all containers of a machine */
    char service[METRIC_LABEL_SIZE], version[METRIC_LABEL_SIZE];
    char reasons[2][METRICS_REASON_SIZE];
};

struct metrics_family {
    char name[METRICS_NAME_SIZE], help[METRICS_HELP_SIZE];
    uint32_t type, label_count, bound_count;
    uint32_t cell; /* 1 + the family that counts the calls of its cells; 0: it does not tell of callers */
    char labels[METRIC_LABELS][METRIC_LABEL_SIZE];
    double bounds[METRIC_BOUNDS];
};

struct metrics_series {
    uint32_t family, unused;
    char values[METRIC_LABELS][METRIC_LABEL_SIZE];
    _Atomic int64_t sum;                        /* counter and histogram, in millionths */
    _Atomic uint64_t cells[METRIC_BOUNDS + 1];  /* histogram: observations <= bounds[i], the last: above all;
                                                 * gauge: [0], a double's bits */
};

#endif
