/* SPDX-License-Identifier: Apache-2.0 */
/* counted.c - intervals in an array: nearly always the last one grows. */
#include "counted.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

void counted_done(struct counted *set)
{
    free(set->items);
    *set = (struct counted){0};
}

/* Index of the first interval that ends at or after `sequence`. */
static size_t place(const struct counted *set, uint64_t sequence)
{
    size_t i = set->count;

    while (i > 0 && set->items[i - 1].last >= sequence)
        i--;
    return i;
}

static void insert(struct counted *set, size_t at, struct interval interval)
{
    if (set->count == set->capacity) {
        set->capacity = set->capacity ? set->capacity * 2 : 8;
        set->items = xrealloc(set->items, set->capacity * sizeof *set->items);
    }
    memmove(set->items + at + 1, set->items + at, (set->count - at) * sizeof *set->items);
    set->items[at] = interval;
    set->count++;
}

static void take_away(struct counted *set, size_t at)
{
    memmove(set->items + at, set->items + at + 1, (set->count - at - 1) * sizeof *set->items);
    set->count--;
}

static void put(struct counted *set, size_t i, uint64_t sequence)
{
    bool grows_left = i > 0 && set->items[i - 1].last + 1 == sequence,
         grows_right = i < set->count && set->items[i].first == sequence + 1;

    if (grows_left && grows_right) {
        set->items[i - 1].last = set->items[i].last;
        take_away(set, i);
    } else if (grows_left) {
        set->items[i - 1].last = sequence;
    } else if (grows_right) {
        set->items[i].first = sequence;
    } else {
        insert(set, i, (struct interval){sequence, sequence});
    }
}

bool counted_add(struct counted *set, uint64_t sequence, int64_t time_us)
{
    if (sequence <= set->highest && time_us > set->highest_us)
        counted_done(set);
    size_t i = place(set, sequence);
    if (i < set->count && set->items[i].first <= sequence)
        return false;
    put(set, i, sequence);
    if (sequence > set->highest) {
        set->highest = sequence;
        set->highest_us = time_us;
    }
    return true;
}

char *counted_text(const struct counted *set)
{
    char *text = xcalloc(set->count + 1, 44);
    size_t used = 0;

    for (size_t i = 0; i < set->count; i++)
        used += (size_t)sprintf(text + used, "%s%" PRIu64 "-%" PRIu64, i ? "," : "", set->items[i].first, set->items[i].last);
    return text;
}

static bool take_number(const char **text, uint64_t *ret)
{
    char *end;

    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *ret = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0;
}

/* Strict: a damaged text must not pass for a set in which everything was counted. */
bool counted_parse(struct counted *set, const char *text)
{
    uint64_t first, last, before = 0;

    set->count = 0;
    if (!*text)
        return true;
    do {
        if (!take_number(&text, &first) || *text++ != '-' || !take_number(&text, &last))
            return false;
        if (first > last || first <= before || (before && first - before == 1))
            return false;
        insert(set, set->count, (struct interval){first, last});
        before = last;
    } while (*text++ == ',');
    return text[-1] == '\0';
}
