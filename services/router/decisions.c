/* SPDX-License-Identifier: Apache-2.0 */
/* decisions.c - a hash by call key, and a queue by age. */
#include "decisions.h"

#include <stdlib.h>
#include <string.h>

#include "codec.h"

enum { BUCKETS = 1 << 16 };

struct decisions {
    size_t variants, capacity, count;
    struct held_decision **buckets;
    struct held_decision *oldest, *youngest;
    struct held_decision *late; /* the last one that did not go to the end of the queue; NULL: none, or gone */
};

/* A pseudonym is random already. */
static struct held_decision **bucket_of(const struct decisions *d, const uint8_t *key)
{
    return &d->buckets[(size_t)key[0] << 8 | key[1]];
}

struct decisions *decisions_new(size_t variant_count, size_t capacity)
{
    struct decisions *d = xcalloc(1, sizeof *d);

    *d = (struct decisions){.variants = variant_count, .capacity = capacity, .buckets = xcalloc(BUCKETS, sizeof *d->buckets)};
    return d;
}

/* `before` is the next older one, NULL: it is the oldest. */
static void drop(struct decisions *d, struct held_decision *gone, struct held_decision *before)
{
    struct held_decision **at = bucket_of(d, gone->key);

    while (*at != gone)
        at = &(*at)->same_bucket;
    *at = gone->same_bucket;
    *(before ? &before->younger : &d->oldest) = gone->younger;
    if (d->late == gone)
        d->late = NULL;
    if (d->youngest == gone)
        d->youngest = before;
    d->count--;
    free(gone->grounds);
    free(gone);
}

static void drop_oldest(struct decisions *d) { drop(d, d->oldest, NULL); }

struct decisions *decisions_free(struct decisions *d)
{
    if (!d)
        return NULL;
    while (d->oldest)
        drop_oldest(d);
    free(d->buckets);
    free(d);
    return NULL;
}

struct held_decision *decisions_find(const struct decisions *d, const uint8_t key[static CALL_KEY_BYTES])
{
    struct held_decision *h = *bucket_of(d, key);

    while (h && memcmp(h->key, key, CALL_KEY_BYTES) != 0)
        h = h->same_bucket;
    return h;
}

/* History arrives after calls that were decided in the meantime, and goes before them; it comes in order,
 * so `late` finds the place. */
static void enqueue(struct decisions *d, struct held_decision *h)
{
    struct held_decision **at = d->late && d->late->at_us <= h->at_us ? &d->late->younger : &d->oldest;

    if (d->youngest && d->youngest->at_us <= h->at_us)
        at = &d->youngest->younger;
    while (*at && (*at)->at_us <= h->at_us)
        at = &(*at)->younger;
    h->younger = *at;
    *at = h;
    if (h->younger)
        d->late = h;
    else
        d->youngest = h;
    d->count++;
}

struct held_decision *decisions_add(struct decisions *d, const uint8_t key[static CALL_KEY_BYTES], int64_t at_us)
{
    struct held_decision *h = xcalloc(1, sizeof *h + d->variants * sizeof h->p[0]), **bucket = bucket_of(d, key);

    if (d->count == d->capacity)
        drop_oldest(d);
    memcpy(h->key, key, CALL_KEY_BYTES);
    h->at_us = at_us;
    h->same_bucket = *bucket;
    *bucket = h;
    enqueue(d, h);
    return h;
}

void decisions_keep_grounds(struct held_decision *decision, struct arena *arena, const DecisionGrounds *grounds)
{
    const uint8_t *data;

    decision->grounds_size = 0;
    if (!grounds)
        return;
    codec_encode(arena, &grounds->base, false, &data, &decision->grounds_size);
    decision->grounds = xrealloc(decision->grounds, decision->grounds_size);
    memcpy(decision->grounds, data, decision->grounds_size);
}

DecisionGrounds *decisions_grounds(const struct held_decision *decision, struct arena *arena)
{
    ProtobufCMessage *m = NULL;
    struct reason reason;
    bool json;

    if (!decision->grounds_size ||
        codec_decode(arena, &tom__rl__v1__decision_grounds__descriptor, decision->grounds, decision->grounds_size,
                     decision->grounds_size, &json, &m, &reason) != STATUS_OK)
        return NULL;
    return (DecisionGrounds *)m;
}

void decisions_forget(struct decisions *d, int64_t before_us)
{
    while (d->oldest && d->oldest->at_us < before_us)
        drop_oldest(d);
}

bool decisions_remove(struct decisions *d, const uint8_t key[static CALL_KEY_BYTES])
{
    struct held_decision *gone = decisions_find(d, key), *before = NULL;

    if (!gone)
        return false;
    for (struct held_decision *h = d->oldest; h != gone; h = h->younger)
        before = h;
    drop(d, gone, before);
    return true;
}

size_t decisions_count(const struct decisions *d) { return d->count; }
