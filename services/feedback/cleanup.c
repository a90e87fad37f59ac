/* SPDX-License-Identifier: Apache-2.0 */
/* cleanup.c - forgetting calls: once an hour those beyond feedback.retention_days, on request those that it names.
 *
 * A cleanup is a day that is stored with the decision to go through with it; all rows first seen before it then leave in
 * small chunks, a chunk a turn.  A kill in between loses nothing: the next life goes on.  The counts follow each call; the
 * bandit keeps what it learned. */
#include "feedback.h"
#include "log.h"

enum { DAY_S = 86400, EVERY_S = 3600, CHUNK = 200 /* rows forgotten in a turn, */, WINDOW = 20000 /* of so many ids */ };

struct plan {
    int32_t before; /* calls first seen before this day go */
    int64_t calls;  /* so many */
    bool large;     /* more than a fifth of all */
};

/* A wall clock that jumped ahead must not delete everything: no call is older than the newest one says, give or take a day. */
static int32_t border(const struct feedback *f, const struct outbox *out, int64_t days)
{
    int64_t now = outbox_now(out).us / 1000000, learned = feedback_store_latest_ts(&f->store) + DAY_S;

    return (int32_t)((now < learned ? now : learned) / DAY_S - days);
}

static struct plan make_plan(const struct feedback *f, const struct outbox *out, int64_t days)
{
    struct plan plan = {.before = border(f, out, days)};
    int64_t all;

    plan.calls = feedback_store_calls(&f->store, plan.before, &all);
    plan.large = 5 * plan.calls > all;
    return plan;
}

/* ---- the job --------------------------------------------------------------------------------------------------------------- */

enum status cleanup_resume(struct feedback *f)
{
    struct query *q = store_query(f->store.store, "SELECT before_day, deleted FROM cleanup");
    bool row;
    enum status status = query_step(q, &row);

    f->cleanup_before = 0;
    if (status == STATUS_OK && row) {
        f->cleanup_before = (int32_t)query_int(q, 0);
        f->cleanup_deleted = query_int(q, 1);
    }
    query_reset(q);
    return status;
}

static enum status store_cleanup(struct feedback *f)
{
    struct query *q = store_query(f->store.store, "INSERT OR REPLACE INTO cleanup(id, before_day, deleted) VALUES(1, ?, ?)");

    query_bind_int(q, 1, f->cleanup_before);
    query_bind_int(q, 2, f->cleanup_deleted);
    return query_run(q, NULL);
}

/* One that is going on already is only widened. */
static enum status begin(struct feedback *f, const struct plan *plan)
{
    if (!plan->calls)
        return STATUS_OK;
    if (!f->cleanup_before)
        f->cleanup_deleted = 0;
    if (plan->before > f->cleanup_before)
        f->cleanup_before = plan->before;
    f->cleanup_moves = true;
    log_info("cleanup.started", "calls=%lld before_day=%d", (long long)plan->calls, plan->before);
    return store_cleanup(f);
}

static enum status finish(struct feedback *f)
{
    log_info("cleanup.done", "calls=%lld before_day=%d", (long long)f->cleanup_deleted, f->cleanup_before);
    enum status status = feedback_store_drop_days(&f->store, f->cleanup_before);
    f->cleanup_before = 0;
    f->cleanup_cursor = f->cleanup_pass = 0;
    f->cleanup_moves = false;
    return status != STATUS_OK ? status : query_run(store_query(f->store.store, "DELETE FROM cleanup"), NULL);
}

static enum status forget(struct feedback *f, struct call *c)
{
    if (c->state == CALL_STORED)
        feedback_store_count(&f->store, c->record, -1);
    if (c->state == CALL_OPEN)
        metrics_add(f->metrics, METRIC_OWN(FEEDBACK_DANGLING), 1, NULL, NULL, NULL);
    return feedback_store_forget(&f->store, c);
}

/* Below it all is in its stream, what replays said too: those that did not get so far would begin anew, and need the rows. */
static enum status published_floor(struct feedback *f, int64_t *ret)
{
    *ret = 0;
    return feedback_store_number(&f->store, "SELECT value FROM rl_loop WHERE name = 'published'"
                                            " AND value >= (SELECT coalesce(max(revision), 0) FROM replay)", ret);
}

/* A call of the open batch, or one whose last word is not in its stream yet, waits for the next pass: its row is still needed. */
static enum status forget_next(struct feedback *f, struct outbox *out, int64_t published, int64_t *ret_gone)
{
    struct query *q = store_query(f->store.store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE id > ? AND id <= ? AND day < ?"
                                                                             " ORDER BY id LIMIT ?");
    int64_t found = 0, last = f->cleanup_cursor + WINDOW;
    struct call *row;
    enum status status;

    query_bind_int(q, 1, f->cleanup_cursor);
    query_bind_int(q, 2, last);
    query_bind_int(q, 3, f->cleanup_before);
    query_bind_int(q, 4, CHUNK);
    while ((status = feedback_store_step(q, outbox_arena(out), &row)) == STATUS_OK && row) {
        found++;
        f->cleanup_cursor = row->id;
        if (row->revision > published || calls_find_open(f, row->key))
            continue;
        if ((status = forget(f, row)) != STATUS_OK)
            break;
        ++*ret_gone;
    }
    query_reset(q);
    if (found < CHUNK)
        f->cleanup_cursor = last;
    return status;
}

/* In passes over the rows in the order they came, for neighbours share their pages in the table and in all indexes but one; the
 * counts by day tell when none is left.  A pass that forgot nothing gives the stream a moment. */
static enum status forget_some(struct feedback *f, struct outbox *out)
{
    int64_t published, all, last, gone = 0;

    if (feedback_store_calls(&f->store, f->cleanup_before, &all) == 0)
        return finish(f);
    enum status status = published_floor(f, &published);
    if (status == STATUS_OK && f->cleanup_cursor == 0)
        status = feedback_store_number(&f->store, "SELECT coalesce(min(id), 1) - 1 FROM call", &f->cleanup_cursor);
    if (status == STATUS_OK)
        status = forget_next(f, out, published, &gone);
    if (status == STATUS_OK)
        status = feedback_store_number(&f->store, "SELECT coalesce(max(id), 0) FROM call", &last);
    if (status != STATUS_OK)
        return status;
    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_DELETED), (double)gone, NULL, NULL, NULL);
    f->cleanup_deleted += gone;
    f->cleanup_pass += gone;
    f->cleanup_moves = true;
    if (f->cleanup_cursor >= last) {
        f->cleanup_moves = f->cleanup_pass > 0;
        f->cleanup_cursor = f->cleanup_pass = 0;
    }
    return gone ? store_cleanup(f) : STATUS_OK;
}

/* Without anybody who could say that it is meant, a large cleanup is refused; said once a day. */
static enum status periodic(struct feedback *f, struct outbox *out)
{
    int32_t today = (int32_t)(outbox_now(out).us / 1000000 / DAY_S);

    if (f->cleanup_before || outbox_mono(out).us < f->cleanup_next_us)
        return STATUS_OK;
    f->cleanup_next_us = outbox_mono(out).us + EVERY_S * INT64_C(1000000);
    enum status status = keys_drop_aliases(f, outbox_now(out));
    if (status != STATUS_OK)
        return status;
    struct plan plan = make_plan(f, out, f->retention_days);
    if (!plan.large)
        return begin(f, &plan);
    if (f->cleanup_refused_day != today)
        log_warning("cleanup.refused", "calls=%lld before_day=%d more than a fifth of all calls would go; if that is meant:"
                                       " feedback.cleanup with force",
                    (long long)plan.calls, plan.before);
    f->cleanup_refused_day = today;
    return STATUS_OK;
}

/* A replay says all that it promised first. */
enum status cleanup_some(struct feedback *f, struct outbox *out)
{
    enum status status = periodic(f, out);

    return status == STATUS_OK && f->cleanup_before && !f->replay_run ? forget_some(f, out) : status;
}

/* ---- feedback.cleanup ------------------------------------------------------------------------------------------------------ */

enum status on_cleanup(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    const FeedbackCleanupRequest *q = (const FeedbackCleanupRequest *)in->body;
    FeedbackCleanupReply *m = codec_new(outbox_arena(out), &tom__rl__v1__feedback_cleanup_reply__descriptor);
    int64_t days = q->older_than_days ? q->older_than_days : f->retention_days;

    if (days > MAX_RETENTION_DAYS)
        return reason_set(reason, "older_than_days", "%lld is more than %d", (long long)days, MAX_RETENTION_DAYS);
    if (days < MIN_RETENTION_DAYS)
        return reason_set(reason, "older_than_days",
                          "%lld is less than %d: the stream can still deliver such calls, and they would count again",
                          (long long)days, MIN_RETENTION_DAYS);
    struct plan plan = make_plan(f, out, days);
    if (plan.large && !q->force)
        return reason_set(reason, "force", "%lld calls would go, more than a fifth of all; if that is meant, set force",
                          (long long)plan.calls);
    enum status status = begin(f, &plan);
    m->deleted = (uint64_t)plan.calls;
    outbox_reply(out, in, &m->base);
    return status;
}
