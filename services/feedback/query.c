/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - feedback.query: stored calls by time, variant and profile, newest first, page by page.
 *
 * A page costs the same wherever it lies: each variant's part of the index (variant, ts, id) is entered where the page before ended, and
 * what they give is put in order.  The profile is known only to the row itself, so a page looks at a bounded number of rows and may be short. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedback.h"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000, LOOKED_AT = 600 /* rows, for one page */ };

/* Where a page begins: strictly older than this. */
struct place {
    int64_t ts, id;
};

struct candidate {
    int64_t ts, id;
};

struct page {
    const FeedbackQueryRequest *q;
    struct feedback *f;
    struct arena *arena;
    struct place from; /* the newest that may be in it */
    int64_t oldest;
    struct candidate *found;
    size_t count, most; /* most: rows to look at, of each variant and then of all */
};

static int newest_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return x->ts != y->ts ? (x->ts < y->ts) - (x->ts > y->ts) : (x->id < y->id) - (x->id > y->id);
}

static enum status gather(struct page *p, struct query *q)
{
    bool row;
    enum status status;

    while ((status = query_step(q, &row)) == STATUS_OK && row)
        p->found[p->count++] = (struct candidate){query_int(q, 0), query_int(q, 1)};
    query_reset(q);
    return status;
}

/* The hour in which the page begins, then what is older: each is a range of the index. */
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
    query_bind_int(same, 4, (int64_t)p->most);
    if (p->from.ts >= p->oldest)
        status = gather(p, same);
    query_bind_text(older, 1, variant);
    query_bind_int(older, 2, p->from.ts);
    query_bind_int(older, 3, p->oldest);
    query_bind_int(older, 4, (int64_t)(p->most - (p->count - before)));
    return status == STATUS_OK ? gather(p, older) : status;
}

static enum status gather_all(struct page *p)
{
    const struct feedback_store *store = &p->f->store;
    enum status status = STATUS_OK;

    p->found = arena_alloc(p->arena, (store->tally_count * p->most + 1) * sizeof *p->found);
    for (size_t i = 0; i < store->tally_count && status == STATUS_OK; i++) {
        const char *variant = store->tallies[i].variant;
        bool done = p->q->policy_variant[0] && strcmp(p->q->policy_variant, variant) != 0;
        for (size_t k = 0; k < i && !done; k++)
            done = strcmp(store->tallies[k].variant, variant) == 0;
        if (!done)
            status = gather_variant(p, variant);
    }
    if (p->count)
        qsort(p->found, p->count, sizeof *p->found, newest_first);
    p->count = p->count < p->most ? p->count : p->most;
    return status;
}

/* Reads the rows, and takes those of the profile until the page is full. */
static enum status fill(struct page *p, size_t limit, FeedbackQueryReply *m)
{
    struct query *q = store_query(p->f->store.store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE id = ?");
    size_t i = 0;

    m->events = arena_alloc(p->arena, limit * sizeof *m->events);
    for (; i < p->count && m->n_events < limit; i++) {
        struct call *row = NULL;
        query_bind_int(q, 1, p->found[i].id);
        enum status status = feedback_store_step(q, p->arena, &row);
        query_reset(q);
        if (status != STATUS_OK)
            return status;
        FeedbackStored *event = event_of(p->arena, row);
        if (!p->q->profile[0] || strcmp(event->profile, p->q->profile) == 0)
            m->events[m->n_events++] = event;
    }
    if (i > 0 && (i < p->count || p->count == p->most))
        m->next = arena_printf(p->arena, "%" PRId64 ".%" PRId64, p->found[i - 1].ts, p->found[i - 1].id);
    return STATUS_OK;
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
    struct page p = {.q = q, .f = state, .arena = outbox_arena(out)};
    FeedbackQueryReply *m = codec_new(p.arena, &tom__rl__v1__feedback_query_reply__descriptor);
    size_t limit = q->limit ? q->limit : DEFAULT_LIMIT;
    enum status status = read_request(q, &p.from, reason);

    if (status != STATUS_OK)
        return status;
    p.oldest = (int64_t)ceil(q->from);
    p.most = q->profile[0] && limit < LOOKED_AT ? LOOKED_AT : limit;
    status = gather_all(&p);
    if (status == STATUS_OK)
        status = fill(&p, limit, m);
    if (status == STATUS_OK)
        outbox_reply(out, in, &m->base);
    return status;
}
