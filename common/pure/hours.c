/* SPDX-License-Identifier: Apache-2.0 */
/* hours.c - buckets of one clock in the order of time: opened, filled, folded, forgotten. */
#include "hours.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HOURS_KEPT = 72, DAYS_KEPT = 180, HOURS_A_DAY = 24, FIRST_CAPACITY = 32 };

static size_t pairs_of(const struct hours *h) { return h->cells * h->variants; }
static struct moments *bucket(const struct hours *h, size_t i) { return h->buckets + i * pairs_of(h); }

static void merge(struct moments *into, const struct moments *m)
{
    into->n += m->n;
    into->sum += m->sum;
    into->sum_sq += m->sum_sq;
}

/* ---- buckets --------------------------------------------------------------------------------------------------------------- */

static void append(struct hours *h, long hour)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? 2 * h->capacity : FIRST_CAPACITY;
        h->buckets = xrealloc(h->buckets, h->capacity * pairs_of(h) * sizeof *h->buckets);
        h->starts = xrealloc(h->starts, h->capacity * sizeof *h->starts);
    }
    memset(bucket(h, h->count), 0, pairs_of(h) * sizeof *h->buckets);
    h->starts[h->count++] = hour;
}

/* The first of all buckets that are one with that of this hour. */
static long whole_of(const struct hours *h, long hour)
{
    long day = hour - hour % HOURS_A_DAY, opening = (h->now / HOURS_A_DAY - DAYS_KEPT) * HOURS_A_DAY;

    return hour >= h->now - HOURS_KEPT ? hour : day < opening ? -1 : day;
}

/* A bucket keeps the hour at which it starts, so that its age, and whether it is before a change, stay what they were. */
static void fold(struct hours *h)
{
    size_t kept = 0;

    for (size_t i = 0; i < h->count; i++) {
        if (kept && whole_of(h, h->starts[i]) == whole_of(h, h->starts[kept - 1])) {
            for (size_t k = 0; k < pairs_of(h); k++)
                merge(&bucket(h, kept - 1)[k], &bucket(h, i)[k]);
            continue;
        }
        if (i != kept)
            memmove(bucket(h, kept), bucket(h, i), pairs_of(h) * sizeof *h->buckets);
        h->starts[kept++] = h->starts[i];
    }
    h->count = kept;
}

void hours_init(struct hours *h, size_t cells, size_t variants, long calls_per_hour)
{
    assert(calls_per_hour > 0);
    *h = (struct hours){.cells = cells, .variants = variants, .calls_per_hour = calls_per_hour};
    h->own = xcalloc(pairs_of(h), sizeof *h->own);
    h->from = xcalloc(pairs_of(h), sizeof *h->from);
    append(h, 0);
}

void hours_done(struct hours *h)
{
    free(h->own);
    free(h->from);
    free(h->buckets);
    free(h->starts);
    *h = (struct hours){0};
}

void hours_turn(struct hours *h, long hour)
{
    assert(hour > h->now);
    h->now = hour;
    fold(h);
    append(h, hour);
}

bool hours_add(struct hours *h, long call, size_t pair, const struct moments *add)
{
    size_t at = h->count - 1;

    if (call < h->from[pair])
        return false;
    while (at > 0 && h->starts[at] > call / h->calls_per_hour)
        at--;
    merge(&bucket(h, at)[pair], add);
    merge(&h->own[pair], add);
    h->counted += add->n;
    return true;
}

/* ---- what counts ----------------------------------------------------------------------------------------------------------- */

void hours_forget(struct hours *h, size_t pair, long from)
{
    h->from[pair] = from > h->from[pair] ? from : h->from[pair];
    h->counted -= h->own[pair].n;
    h->own[pair] = (struct moments){0};
    for (size_t i = 0; i < h->count; i++) {
        if (h->starts[i] * h->calls_per_hour < from)
            bucket(h, i)[pair] = (struct moments){0};
        merge(&h->own[pair], &bucket(h, i)[pair]);
    }
    h->counted += h->own[pair].n;
}

size_t hours_restart(struct hours *h, const struct detect_settings *settings, struct found ret[DETECT_MOST])
{
    struct detect_table table = {.hours = h->count, .cells = h->cells, .variants = h->variants, .own = h->buckets};
    size_t count = detect_restarts(settings, &table, ret);

    for (size_t i = 0; i < count; i++) {
        ret[i].change.since = (size_t)(h->starts[ret[i].change.since] * h->calls_per_hour);
        for (size_t pair = 0; pair < pairs_of(h); pair++)
            if (detect_touches(&ret[i], pair / h->variants, pair % h->variants))
                hours_forget(h, pair, (long)ret[i].change.since);
    }
    return count;
}

void hours_age(struct hours *h, double half_life)
{
    memset(h->own, 0, pairs_of(h) * sizeof *h->own);
    h->counted = 0;
    for (size_t i = 0; i < h->count; i++) {
        double w = exp2(-(double)(h->now - h->starts[i]) / HOURS_A_DAY / half_life);
        for (size_t k = 0; k < pairs_of(h); k++) {
            const struct moments *m = &bucket(h, i)[k];
            merge(&h->own[k], &(struct moments){w * m->n, w * m->sum, w * m->sum_sq});
            h->counted += w * m->n;
        }
    }
}
