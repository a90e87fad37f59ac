/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - feedback.query: stored calls by time, variant and profile, newest first, page by page.
 *
 * A page costs the same wherever it lies and however few calls match.  Each cell (variant, profile) that may match is a range of
 * the index (variant, profile, ts, id); it is entered where the page before ended and gives as many candidates as its share of
 * all calls lets expect, and a few more.  Put in order, they are complete down to the horizon, the oldest that a cell with more
 * to give has given.  What lies above it is read, and then the next are gathered from there. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedback.h"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000, SPARE = 2, SPREAD = 4 /* standard deviations */ };

/* Where a call lies in the order of pages. */
struct place {
    int64_t ts, id;
};

struct cell {
    const char *variant, *profile;
    double calls;
    size_t part; /* how many candidates at once */
};

struct page {
    struct feedback *f;
    struct arena *arena;
    const char *variant;        /* "": any */
    char profile[PROFILE_TEXT]; /* "": any */
    struct place from;          /* what comes is strictly older */
    int64_t oldest;
    size_t limit;
    struct cell *cells;
    size_t cell_count;
    struct place *found, horizon;
    size_t found_count;
    bool ended; /* no cell has more than was found */
    FeedbackStored **events;
    size_t count;
};

static int newest_first(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->ts != y->ts ? (x->ts < y->ts) - (x->ts > y->ts) : (x->id < y->id) - (x->id > y->id);
}

/* ---- cells ----------------------------------------------------------------------------------------------------------------- */

static void add_cell(struct page *p, const struct tally *t, const char *profile)
{
    p->cells[p->cell_count++] = (struct cell){.variant = t->variant, .profile = profile, .calls = (double)t->n};
}

static bool first_of_variant(const struct feedback_store *store, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(store->tallies[k].variant, store->tallies[i].variant) == 0)
            return false;
    return true;
}

/* Those that hold rows; after an upgrade also the cell of a variant in which its rows lie until their profile is read. */
static void name_cells(struct page *p)
{
    const struct feedback_store *store = &p->f->store;

    p->cells = arena_alloc(p->arena, (2 * store->tally_count + 1) * sizeof *p->cells);
    for (size_t i = 0; i < store->tally_count; i++) {
        const struct tally *t = &store->tallies[i];
        if (p->variant[0] && strcmp(p->variant, t->variant) != 0)
            continue;
        if (store->unfilled && first_of_variant(store, i))
            add_cell(p, t, "");
        if ((t->n || t->dirty) && (!p->profile[0] || strcmp(p->profile, t->profile) == 0))
            add_cell(p, t, t->profile);
    }
}

static size_t at_most(double part, size_t limit) { return part < (double)limit ? (size_t)part : limit; }

static void share_out(struct page *p)
{
    double all = 1;

    for (size_t i = 0; i < p->cell_count; i++)
        all += p->cells[i].calls;
    for (size_t i = 0; i < p->cell_count; i++) {
        double expected = (double)p->limit * p->cells[i].calls / all;
        p->cells[i].part = at_most(expected + SPREAD * sqrt(expected) + SPARE, p->limit);
    }
}

/* ---- candidates ------------------------------------------------------------------------------------------------------------ */

/* In one range of the index: `bound` is an id in the hour of p->from, or a time. */
static enum status gather_range(struct page *p, struct query *q, const struct cell *cell, int64_t bound, size_t limit)
{
    bool row;
    enum status status;

    query_bind_text(q, 1, cell->variant);
    query_bind_text(q, 2, cell->profile);
    query_bind_int(q, 3, p->from.ts);
    query_bind_int(q, 4, bound);
    query_bind_int(q, 5, (int64_t)limit);
    while ((status = query_step(q, &row)) == STATUS_OK && row)
        p->found[p->found_count++] = (struct place){query_int(q, 0), query_int(q, 1)};
    query_reset(q);
    return status;
}

/* The hour in which the page begins, unless it begins with an hour, then what is older. */
static enum status gather_cell(struct page *p, struct cell *cell)
{
    struct query *same = store_query(p->f->store.store, "SELECT ts, id FROM call WHERE state = 6 AND variant = ? AND profile = ?"
                                                        " AND ts = ? AND id < ? ORDER BY id DESC LIMIT ?");
    struct query *older = store_query(p->f->store.store, "SELECT ts, id FROM call WHERE state = 6 AND variant = ? AND profile = ?"
                                                         " AND ts < ? AND ts >= ? ORDER BY ts DESC, id DESC LIMIT ?");
    size_t most = p->found_count + cell->part;
    enum status status = STATUS_OK;

    if (p->from.id > 0 && p->from.ts >= p->oldest)
        status = gather_range(p, same, cell, p->from.id, cell->part);
    if (status == STATUS_OK && p->found_count < most)
        status = gather_range(p, older, cell, p->oldest, most - p->found_count);
    if (status != STATUS_OK || p->found_count < most)
        return status;
    p->ended = false;
    if (newest_first(&p->found[most - 1], &p->horizon) < 0)
        p->horizon = p->found[most - 1];
    cell->part = at_most(2.0 * (double)cell->part, p->limit); /* if it was not enough, it was too little */
    return STATUS_OK;
}

static enum status gather_all(struct page *p)
{
    size_t capacity = 1;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < p->cell_count; i++)
        capacity += p->cells[i].part;
    p->found = arena_alloc(p->arena, capacity * sizeof *p->found);
    p->found_count = 0;
    p->ended = true;
    p->horizon = (struct place){INT64_MIN, INT64_MIN};
    for (size_t i = 0; i < p->cell_count && status == STATUS_OK; i++)
        status = gather_cell(p, &p->cells[i]);
    if (p->found_count)
        qsort(p->found, p->found_count, sizeof *p->found, newest_first);
    while (p->found_count && newest_first(&p->found[p->found_count - 1], &p->horizon) > 0)
        p->found_count--;
    return status;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------------- */

/* *ret_left: the page was full before all that was found was read. */
static enum status read_found(struct page *p, bool *ret_left)
{
    struct query *q = store_query(p->f->store.store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE id = ?");
    size_t i = 0;

    for (; i < p->found_count && p->count < p->limit; i++) {
        struct call *row = NULL;
        query_bind_int(q, 1, p->found[i].id);
        enum status status = feedback_store_step(q, p->arena, &row);
        query_reset(q);
        if (status != STATUS_OK)
            return status;
        p->from = p->found[i];
        p->events[p->count++] = event_of(p->arena, row);
    }
    *ret_left = i < p->found_count;
    return STATUS_OK;
}

/* *ret_more: there may be calls after this page, from p->from on. */
static enum status fill(struct page *p, bool *ret_more)
{
    bool left = false;
    enum status status = store_begin_reading(p->f->store.store);

    name_cells(p);
    share_out(p);
    p->events = arena_alloc(p->arena, p->limit * sizeof *p->events);
    for (p->ended = false; status == STATUS_OK && p->count < p->limit && !p->ended;) {
        status = gather_all(p);
        if (status == STATUS_OK)
            status = read_found(p, &left);
    }
    store_end_reading(p->f->store.store);
    *ret_more = left || !p->ended;
    return status;
}

enum status query_newest(struct feedback *f, struct arena *arena, const char *variant, size_t limit, FeedbackStored ***ret_events,
                         size_t *ret_count)
{
    struct page p = {.f = f, .arena = arena, .variant = variant, .limit = limit, .from = {.ts = INT64_MAX}};
    bool more;
    enum status status = fill(&p, &more);

    *ret_events = p.events;
    *ret_count = p.count;
    return status;
}

/* ---- the request ----------------------------------------------------------------------------------------------------------- */

static enum status check_time(double value, const char *field, struct reason *reason)
{
    if (isfinite(value) && value >= 0 && value <= 1e12)
        return STATUS_OK;
    return reason_set(reason, field, "%g is no time; expected unix seconds", value);
}

static enum status read_request(const FeedbackQueryRequest *q, struct place *ret_from, struct reason *reason)
{
    struct place from = {.ts = q->to > 0 ? (int64_t)ceil(q->to) : INT64_MAX};
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

/* The profiles of rows that were there before an upgrade. */
static enum status check_filled(const struct feedback *f, const FeedbackQueryRequest *q, struct reason *reason)
{
    if (!q->profile[0] || !f->store.unfilled)
        return STATUS_OK;
    return reason_fail(reason, STATUS_BUSY, "profile",
                       "calls of an older version are still being read, %lld at most; ask again in a moment, or without profile",
                       (long long)f->store.unfilled);
}

enum status on_query(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    const FeedbackQueryRequest *q = (const FeedbackQueryRequest *)in->body;
    struct page p = {.f = state, .arena = outbox_arena(out), .variant = q->policy_variant,
                     .limit = q->limit ? q->limit : DEFAULT_LIMIT};
    FeedbackQueryReply *reply = codec_new(p.arena, &tom__rl__v1__feedback_query_reply__descriptor);
    bool more = false;
    enum status status = read_request(q, &p.from, reason);

    if (status == STATUS_OK)
        status = check_filled(p.f, q, reason);
    if (status != STATUS_OK)
        return status;
    p.oldest = (int64_t)ceil(q->from);
    feedback_store_profile(q->profile, p.profile);
    status = fill(&p, &more);
    reply->events = p.events;
    reply->n_events = p.count;
    if (more)
        reply->next = arena_printf(p.arena, "%" PRId64 ".%" PRId64, p.from.ts, p.from.id);
    if (status == STATUS_OK)
        outbox_reply(out, in, &reply->base);
    return status;
}
