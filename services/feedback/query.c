/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - feedback.query: stored calls by time, variant and profile, newest first, page by page.
 *
 * A page costs the same wherever it lies.  Each variant's part of the index (variant, ts, id) is entered where the page before ended and gives a few
 * candidates; put in order, they are complete down to the horizon, the oldest that a variant with more to give has given.  What lies above it is looked
 * at, and then the next few are gathered from there.  The profile is known only to the row itself, so a page looks at a bounded number of rows and may
 * be short. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedback.h"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000, LOOKED_AT = 600 /* rows, for one page */, SPARE = 8 /* variants are not heard equally often */ };

/* Where a call lies in the order of pages. */
struct place {
    int64_t ts, id;
};

struct page {
    const FeedbackQueryRequest *q;
    struct feedback *f;
    struct arena *arena;
    struct place from; /* what comes is strictly older */
    int64_t oldest;
    size_t limit, most, looked; /* calls wanted; rows to look at, and how many were */
    const char **variants;
    size_t variant_count, part; /* how many candidates of each variant at once */
    struct place *found, horizon;
    size_t count;
    bool ended; /* no variant has more than was found */
    FeedbackQueryReply *reply;
};

static int newest_first(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->ts != y->ts ? (x->ts < y->ts) - (x->ts > y->ts) : (x->id < y->id) - (x->id > y->id);
}

static enum status gather(struct page *p, struct query *q)
{
    bool row;
    enum status status;

    while ((status = query_step(q, &row)) == STATUS_OK && row)
        p->found[p->count++] = (struct place){query_int(q, 0), query_int(q, 1)};
    query_reset(q);
    return status;
}

/* The hour in which it begins, then what is older: each is a range of the index. */
static enum status gather_variant(struct page *p, const char *variant)
{
    size_t before = p->count;
    struct query *same = store_query(p->f->store.store, "SELECT ts, id FROM call WHERE state = 6 AND variant = ? AND ts = ? AND id < ?"
                                                        " ORDER BY id DESC LIMIT ?");
    struct query *older = store_query(p->f->store.store, "SELECT ts, id FROM call WHERE state = 6 AND variant = ? AND ts < ? AND ts >= ?"
                                                         " ORDER BY ts DESC, id DESC LIMIT ?");
    enum status status = STATUS_OK;

    query_bind_text(same, 1, variant);
    query_bind_int(same, 2, p->from.ts);
    query_bind_int(same, 3, p->from.id);
    query_bind_int(same, 4, (int64_t)p->part);
    if (p->from.ts >= p->oldest)
        status = gather(p, same);
    if (status == STATUS_OK && p->count - before < p->part) {
        query_bind_text(older, 1, variant);
        query_bind_int(older, 2, p->from.ts);
        query_bind_int(older, 3, p->oldest);
        query_bind_int(older, 4, (int64_t)(p->part - (p->count - before)));
        status = gather(p, older);
    }
    if (status == STATUS_OK && p->count - before == p->part) {
        p->ended = false;
        if (newest_first(&p->found[p->count - 1], &p->horizon) < 0)
            p->horizon = p->found[p->count - 1];
    }
    return status;
}

static enum status gather_all(struct page *p)
{
    enum status status = STATUS_OK;

    p->count = 0;
    p->ended = true;
    p->horizon = (struct place){INT64_MIN, INT64_MIN};
    for (size_t i = 0; i < p->variant_count && status == STATUS_OK; i++)
        status = gather_variant(p, p->variants[i]);
    if (p->count)
        qsort(p->found, p->count, sizeof *p->found, newest_first);
    while (p->count && newest_first(&p->found[p->count - 1], &p->horizon) > 0)
        p->count--;
    return status;
}

static bool full(const struct page *p) { return p->reply->n_events == p->limit || p->looked == p->most; }

/* Reads the rows, and takes those of the profile; *ret_left: the page was full before all were looked at. */
static enum status look(struct page *p, bool *ret_left)
{
    struct query *q = store_query(p->f->store.store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE id = ?");
    size_t i = 0;

    for (; i < p->count && !full(p); i++, p->looked++) {
        struct call *row = NULL;
        query_bind_int(q, 1, p->found[i].id);
        enum status status = feedback_store_step(q, p->arena, &row);
        query_reset(q);
        if (status != STATUS_OK)
            return status;
        p->from = p->found[i];
        if (!p->q->profile[0] || strcmp(join_profile(row->record), p->q->profile) == 0)
            p->reply->events[p->reply->n_events++] = event_of(p->arena, row);
    }
    *ret_left = i < p->count;
    return STATUS_OK;
}

static void name_variants(struct page *p)
{
    const struct feedback_store *store = &p->f->store;

    p->variants = arena_alloc(p->arena, (store->tally_count + 1) * sizeof *p->variants);
    for (size_t i = 0; i < store->tally_count; i++) {
        const char *variant = store->tallies[i].variant;
        bool known = p->q->policy_variant[0] && strcmp(p->q->policy_variant, variant) != 0;
        for (size_t k = 0; k < p->variant_count && !known; k++)
            known = strcmp(p->variants[k], variant) == 0;
        if (!known)
            p->variants[p->variant_count++] = variant;
    }
}

static enum status fill(struct page *p)
{
    bool left = false;
    enum status status = STATUS_OK;

    name_variants(p);
    p->part = p->limit / (p->variant_count + 1) + SPARE;
    p->found = arena_alloc(p->arena, (p->variant_count * p->part + 1) * sizeof *p->found);
    p->reply->events = arena_alloc(p->arena, p->limit * sizeof *p->reply->events);
    for (p->ended = false; status == STATUS_OK && !full(p) && !p->ended;) {
        status = gather_all(p);
        if (status == STATUS_OK)
            status = look(p, &left);
    }
    if (left || !p->ended)
        p->reply->next = arena_printf(p->arena, "%" PRId64 ".%" PRId64, p->from.ts, p->from.id);
    return status;
}

static enum status check_time(double value, const char *field, struct reason *reason)
{
    if (isfinite(value) && value >= 0 && value <= 1e12)
        return STATUS_OK;
    return reason_set(reason, field, "%g is no time; expected unix seconds", value);
}

static enum status read_request(const FeedbackQueryRequest *q, struct place *ret_from, struct reason *reason)
{
    struct place from = {.ts = q->to > 0 ? (int64_t)ceil(q->to) - 1 : INT64_MAX, .id = INT64_MAX};
    int used = 0;
    enum status status = check_time(q->from, "from", reason);

    if (status == STATUS_OK)
        status = check_time(q->to, "to", reason);
    if (status == STATUS_OK && q->policy_variant[0] && !variant_id_valid(q->policy_variant))
        status = reason_set(reason, "policy_variant", "\"%.40s\" does not look like v1a", q->policy_variant);
    if (status == STATUS_OK && q->limit > MAX_LIMIT)
        status = reason_set(reason, "limit", "%u is more than %d", q->limit, MAX_LIMIT);
    if (status == STATUS_OK && q->after[0]
        && (sscanf(q->after, "%" SCNd64 ".%" SCNd64 "%n", &from.ts, &from.id, &used) != 2 || q->after[used]))
        status = reason_set(reason, "after", "\"%.40s\" is not the `next` of a page", q->after);
    *ret_from = from;
    return status;
}

enum status on_query(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    const FeedbackQueryRequest *q = (const FeedbackQueryRequest *)in->body;
    struct page p = {.q = q, .f = state, .arena = outbox_arena(out), .limit = q->limit ? q->limit : DEFAULT_LIMIT};
    enum status status = read_request(q, &p.from, reason);

    if (status != STATUS_OK)
        return status;
    p.reply = codec_new(p.arena, &tom__rl__v1__feedback_query_reply__descriptor);
    p.oldest = (int64_t)ceil(q->from);
    p.most = q->profile[0] && p.limit < LOOKED_AT ? LOOKED_AT : p.limit;
    status = store_begin_reading(p.f->store.store);
    if (status == STATUS_OK)
        status = fill(&p);
    store_end_reading(p.f->store.store);
    if (status == STATUS_OK)
        outbox_reply(out, in, &p.reply->base);
    return status;
}
