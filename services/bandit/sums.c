/* SPDX-License-Identifier: Apache-2.0 */
/* sums.c - two open-addressing tables of buckets, and the folding of old ones. */
#include "sums.h"

#include <assert.h>
#include <stdlib.h>

#include "arena.h"

enum { FIRST_CAPACITY = 256, SECONDS_PER_HOUR = 3600, HOURS_PER_DAY = 24 };

/* --- the table ---------------------------------------------------------------------------------------------------------------------- */

static bool key_equal(const struct bucket_key *a, const struct bucket_key *b)
{
    return a->hour == b->hour && a->cell == b->cell && a->variant == b->variant && a->version == b->version;
}

/* The finalizer of splitmix64 (Steele, Lea & Flood 2014) over the parts. */
static size_t key_hash(const struct bucket_key *key)
{
    const uint64_t parts[] = {(uint64_t)key->hour, (uint64_t)key->cell << 32 | key->variant, key->version};
    uint64_t h = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        h = (h ^ parts[i]) + UINT64_C(0x9e3779b97f4a7c15);
        h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
        h ^= h >> 31;
    }
    return (size_t)h;
}

/* Its slot, or the free one where it belongs; the table must not be full. */
static struct bucket *slot_of(const struct bucket_table *table, const struct bucket_key *key)
{
    size_t i = key_hash(key) & (table->capacity - 1);

    while (table->slots[i].used && !key_equal(&table->slots[i].key, key))
        i = (i + 1) & (table->capacity - 1);
    return &table->slots[i];
}

static void grow(struct bucket_table *table)
{
    struct bucket_table larger = {.capacity = table->capacity ? table->capacity * 2 : FIRST_CAPACITY, .count = table->count};

    larger.slots = xcalloc(larger.capacity, sizeof *larger.slots);
    for (struct bucket *b = bucket_next(table, NULL); b; b = bucket_next(table, b))
        *slot_of(&larger, &b->key) = *b;
    free(table->slots);
    *table = larger;
}

static struct bucket *bucket_at(struct bucket_table *table, const struct bucket_key *key)
{
    if (table->count * 2 >= table->capacity)
        grow(table);
    struct bucket *b = slot_of(table, key);
    if (!b->used) {
        *b = (struct bucket){.key = *key, .used = true};
        table->count++;
    }
    return b;
}

struct stats bucket_stats(const struct bucket_table *table, const struct bucket_key *key)
{
    const struct bucket *b = table->capacity ? slot_of(table, key) : NULL;

    return b && b->used ? b->stats : (struct stats){0};
}

struct bucket *bucket_next(const struct bucket_table *table, const struct bucket *after)
{
    for (size_t i = after ? (size_t)(after - table->slots) + 1 : 0; i < table->capacity; i++)
        if (table->slots[i].used)
            return &table->slots[i];
    return NULL;
}

static void mark(struct sums *sums, struct bucket *b)
{
    if (b->dirty)
        return;
    b->dirty = true;
    if (sums->dirty_count == sums->dirty_capacity) {
        sums->dirty_capacity = sums->dirty_capacity ? sums->dirty_capacity * 2 : FIRST_CAPACITY;
        sums->dirty = xrealloc(sums->dirty, sums->dirty_capacity * sizeof *sums->dirty);
    }
    sums->dirty[sums->dirty_count++] = b->key;
}

const struct bucket *sums_take_dirty(struct sums *sums)
{
    while (sums->dirty_count) {
        struct bucket *b = slot_of(&sums->hours, &sums->dirty[--sums->dirty_count]);
        if (b->used && b->dirty) {
            b->dirty = false;
            return b;
        }
    }
    return NULL;
}

void sums_done(struct sums *sums)
{
    free(sums->hours.slots);
    free(sums->totals.slots);
    free(sums->dirty);
    *sums = (struct sums){0};
}

/* --- borders and folding ------------------------------------------------------------------------------------------------------------ */

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

struct borders borders_at(struct borders from, int64_t now)
{
    int64_t hour = now / SECONDS_PER_HOUR, day = (hour - HOURS_KEPT) / HOURS_PER_DAY, opening = hour / HOURS_PER_DAY - DAYS_KEPT;

    from.day = later(from.day, day * HOURS_PER_DAY);
    from.opening = later(from.opening, opening * HOURS_PER_DAY);
    return from;
}

/* Looked for from the newest on, because calls mostly are new. */
static int64_t last_cut(const struct borders *borders, int64_t hour)
{
    for (size_t i = borders->cut_count; i > 0; i--)
        if (borders->cuts[i - 1] <= hour)
            return borders->cuts[i - 1];
    return BUCKET_OPENING;
}

int64_t bucket_start(const struct borders *borders, int64_t hour)
{
    if (hour < borders->opening)
        return last_cut(borders, hour);
    return hour < borders->day ? later(hour - hour % HOURS_PER_DAY, last_cut(borders, hour)) : hour;
}

static struct bucket_key folded(const struct borders *borders, struct bucket_key key)
{
    key.hour = bucket_start(borders, key.hour);
    return key;
}

static struct bucket_key total_key(struct bucket_key key)
{
    key.hour = 0;
    return key;
}

void sums_add(struct sums *sums, const struct bucket_key *key, const struct stats *add)
{
    struct bucket_key at = folded(&sums->borders, *key), total = total_key(*key);
    struct bucket *b = bucket_at(&sums->hours, &at);

    stats_add(&b->stats, add);
    mark(sums, b);
    stats_add(&bucket_at(&sums->totals, &total)->stats, add);
}

void sums_sub(struct sums *sums, const struct bucket_key *key, const struct stats *sub)
{
    struct bucket_key at = folded(&sums->borders, *key), total = total_key(*key);
    struct bucket *b = bucket_at(&sums->hours, &at);

    stats_sub(&b->stats, sub);
    mark(sums, b);
    stats_sub(&bucket_at(&sums->totals, &total)->stats, sub);
}

void sums_load(struct sums *sums, const struct bucket_key *key, const struct stats *stats)
{
    struct bucket_key total = total_key(*key);

    stats_add(&bucket_at(&sums->hours, key)->stats, stats);
    stats_add(&bucket_at(&sums->totals, &total)->stats, stats);
}

/* Into a fresh table: what moved leaves an empty dirty bucket behind, so that its stored row goes, too. */
void sums_fold(struct sums *sums, struct borders to)
{
    struct bucket_table old = sums->hours, fresh = {0};

    assert(to.day >= sums->borders.day && to.opening >= sums->borders.opening && to.opening <= to.day);
    for (const struct bucket *b = bucket_next(&old, NULL); b; b = bucket_next(&old, b)) {
        struct bucket_key key = folded(&to, b->key);
        bool moved = !key_equal(&key, &b->key);
        if (moved)
            mark(sums, bucket_at(&fresh, &b->key));
        if (!b->dirty && stats_zero(&b->stats))
            continue;
        struct bucket *into = bucket_at(&fresh, &key);
        stats_add(&into->stats, &b->stats);
        if (b->dirty || moved)
            mark(sums, into);
    }
    free(old.slots);
    sums->hours = fresh;
    sums->borders = to;
}

/* 0: any version, any variant; names count from 1. */
static bool is_of(const struct bucket *b, uint32_t version, uint32_t variant)
{
    return (!version || b->key.version == version) && (!variant || b->key.variant == variant);
}

static int64_t empty(struct sums *sums, uint32_t version, uint32_t variant)
{
    int64_t calls = 0;

    for (struct bucket *b = bucket_next(&sums->hours, NULL); b; b = bucket_next(&sums->hours, b)) {
        if (!is_of(b, version, variant) || stats_zero(&b->stats))
            continue;
        calls += b->stats.n;
        b->stats = (struct stats){0};
        mark(sums, b);
    }
    for (struct bucket *b = bucket_next(&sums->totals, NULL); b; b = bucket_next(&sums->totals, b))
        if (is_of(b, version, variant))
            b->stats = (struct stats){0};
    return calls;
}

int64_t sums_clear(struct sums *sums, uint32_t variant) { return variant ? empty(sums, 0, variant) : 0; }

int64_t sums_drop(struct sums *sums, uint32_t version) { return version ? empty(sums, version, 0) : 0; }

/* Buckets of `a` against those of `b`; when `absent` only those that b does not hold: the others were compared the other way round. */
static int64_t compare(const struct bucket_table *a, const struct bucket_table *b, bool absent, int64_t *compared, struct bucket_key *first)
{
    int64_t differences = 0;

    for (const struct bucket *x = bucket_next(a, NULL); x; x = bucket_next(a, x)) {
        struct stats y = bucket_stats(b, &x->key);
        if (stats_zero(&x->stats) || (absent && !stats_zero(&y)))
            continue;
        ++*compared;
        if (stats_equal(&x->stats, &y))
            continue;
        *first = x->key;
        differences++;
    }
    return differences;
}

int64_t sums_compare(const struct sums *a, const struct sums *b, int64_t *ret_compared, struct bucket_key *ret_first)
{
    int64_t totals = 0;

    *ret_compared = 0;
    return compare(&a->totals, &b->totals, false, &totals, ret_first) + compare(&b->totals, &a->totals, true, &totals, ret_first) +
           compare(&a->hours, &b->hours, false, ret_compared, ret_first) + compare(&b->hours, &a->hours, true, ret_compared, ret_first);
}
