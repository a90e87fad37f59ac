/* SPDX-License-Identifier: Apache-2.0 */
/* requests.c - statistics, the newest calls of a variant, and saying all calls again. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "feedback.h"
#include "log.h"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000, REPLAY_WINDOW = 20000 /* rows looked at in one turn */ };

/* ---- feedback.stats -------------------------------------------------------------------------------------------------------- */

typedef Tom__Rl__V1__FeedbackStatsReply__PolicyStatsEntry PolicyStatsEntry;
typedef Tom__Rl__V1__FeedbackStatsReply__ProfileStatsEntry ProfileStatsEntry;
#define PolicyStats_descriptor tom__rl__v1__feedback_stats_reply__policy_stats_entry__descriptor
#define ProfileStats_descriptor tom__rl__v1__feedback_stats_reply__profile_stats_entry__descriptor

static void add_policy(struct arena *arena, FeedbackStatsReply *m, const struct tally *t)
{
    for (size_t i = 0; i < m->n_policy_stats; i++)
        if (strcmp(m->policy_stats[i]->key, t->variant) == 0) {
            m->policy_stats[i]->value += (uint64_t)t->n;
            return;
        }
    MAP_ADD(arena, m, policy_stats, PolicyStats, t->variant, (uint64_t)t->n);
}

static void add_profile(struct arena *arena, FeedbackStatsReply *m, const struct tally *t)
{
    for (size_t i = 0; i < m->n_profile_stats; i++)
        if (strcmp(m->profile_stats[i]->key, t->profile) == 0) {
            m->profile_stats[i]->value += (uint64_t)t->n;
            return;
        }
    MAP_ADD(arena, m, profile_stats, ProfileStats, t->profile, (uint64_t)t->n);
}

enum status on_stats(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    struct arena *arena = outbox_arena(out);
    FeedbackStatsReply *m = codec_new(arena, &tom__rl__v1__feedback_stats_reply__descriptor);
    int64_t latest = 0;

    (void)reason;
    m->policy_stats = arena_alloc(arena, f->store.tally_count * sizeof *m->policy_stats);
    m->profile_stats = arena_alloc(arena, f->store.tally_count * sizeof *m->profile_stats);
    for (size_t i = 0; i < f->store.tally_count; i++) {
        const struct tally *t = &f->store.tallies[i];
        if (t->n == 0)
            continue;
        m->total_events += (uint64_t)t->n;
        latest = t->latest_ts > latest ? t->latest_ts : latest;
        add_policy(arena, m, t);
        add_profile(arena, m, t);
    }
    if (m->total_events) {
        m->has_latest_event_ts_case = TOM__RL__V1__FEEDBACK_STATS_REPLY__HAS_LATEST_EVENT_TS_LATEST_EVENT_TS;
        m->latest_event_ts = latest;
    }
    m->waiting = (uint64_t)f->store.waiting;
    m->retracted = (uint64_t)f->store.retracted;
    m->retention_days = f->retention_days;
    m->amendment_window_days = f->amendment_window_days;
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

/* ---- feedback.by_policy ---------------------------------------------------------------------------------------------------- */

FeedbackStored *event_of(struct arena *arena, const struct call *c)
{
    FeedbackStored *m = codec_new(arena, &tom__rl__v1__feedback_stored__descriptor);
    char key[CALL_KEY_TEXT];

    join_message(arena, c->record, m);
    call_key_text(c->key, key);
    m->call_key = arena_str(arena, key);
    m->day = c->day;
    m->revision = c->revision;
    return m;
}

enum status on_by_policy(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    const FeedbackByPolicyRequest *q = (const FeedbackByPolicyRequest *)in->body;
    struct arena *arena = outbox_arena(out);
    FeedbackByPolicyReply *m = codec_new(arena, &tom__rl__v1__feedback_by_policy_reply__descriptor);
    uint32_t limit = q->limit ? q->limit : DEFAULT_LIMIT;

    if (!variant_id_valid(q->policy_variant))
        return reason_set(reason, "policy_variant", "\"%.40s\" does not look like v1a", q->policy_variant);
    if (limit > MAX_LIMIT)
        return reason_set(reason, "limit", "%u is more than %d", limit, MAX_LIMIT);
    enum status status = query_newest(f, arena, q->policy_variant, limit, &m->events, &m->n_events);
    outbox_reply(out, in, &m->base);
    return status;
}

/* ---- feedback.replay
 * --------------------------------------------------------------------------------------------------------------------------
 *
 * A row of `replay` is one run; it is done when next_id is beyond last_id.  What a run says carries a revision like
 * everything that is said, and the row keeps the last of them: if the next start finds it above the published floor, a part
 * may be lost and the run begins anew. */

static enum status next_replay(struct feedback *f)
{
    struct query *q = store_query(f->store.store, "SELECT run, from_ts, next_id, last_id, revision,"
                                                  " reward_version FROM replay WHERE next_id <= last_id ORDER BY run LIMIT 1");
    bool row;
    enum status status = query_step(q, &row);

    f->replay_run = 0;
    if (status == STATUS_OK && row) {
        f->replay_run = query_int(q, 0);
        f->replay_from = query_int(q, 1);
        f->replay_next = query_int(q, 2);
        f->replay_last = query_int(q, 3);
        f->replay_revision = query_int(q, 4);
        snprintf(f->replay_version, sizeof f->replay_version, "%s", query_text(q, 5));
    }
    query_reset(q);
    return status;
}

enum status replay_open(struct feedback *f)
{
    struct query *done = store_query(f->store.store, "DELETE FROM replay WHERE next_id > last_id AND revision <= ?");
    struct query *anew = store_query(f->store.store, "UPDATE replay SET next_id = 0 WHERE revision > ?");

    query_bind_int(done, 1, f->published);
    enum status status = query_run(done, NULL);
    query_bind_int(anew, 1, f->published);
    if (status == STATUS_OK)
        status = query_run(anew, NULL);
    return status == STATUS_OK ? next_replay(f) : status;
}

static enum status begin_replay(struct feedback *f, const FeedbackReplayRequest *request, int64_t run, int64_t last)
{
    struct query *q = store_query(f->store.store, "INSERT OR REPLACE INTO replay VALUES(?, ?, 0, ?, 0, ?)");

    query_bind_int(q, 1, run);
    query_bind_int(q, 2, (int64_t)request->from);
    query_bind_int(q, 3, last);
    query_bind_text(q, 4, request->reward_version);
    return query_run(q, NULL);
}

static enum status move_replay(struct feedback *f)
{
    struct query *q = store_query(f->store.store, "UPDATE replay SET next_id = ?, revision = ? WHERE run = ?");

    query_bind_int(q, 1, f->replay_next);
    query_bind_int(q, 2, f->replay_revision);
    query_bind_int(q, 3, f->replay_run);
    return query_run(q, NULL);
}

/* The id carries the run, so that the bus's duplicate window never swallows what is said again on purpose. */
static enum status say_chunk(struct feedback *f, struct outbox *out, int64_t limit, int64_t revision, int64_t *ret_said)
{
    struct query *q = store_query(f->store.store, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE id >= ? AND id <= ? AND ts >= ?"
                                                                             " AND state >= 6 ORDER BY id LIMIT ?");
    int64_t last = f->replay_next + REPLAY_WINDOW < f->replay_last ? f->replay_next + REPLAY_WINDOW : f->replay_last;
    struct saying how = {.revision = revision, .reward_version = f->replay_version};
    struct arena *arena = outbox_arena(out);
    struct call *row;
    char key[CALL_KEY_TEXT];
    enum status status;

    query_bind_int(q, 1, f->replay_next);
    query_bind_int(q, 2, last);
    query_bind_int(q, 3, f->replay_from);
    query_bind_int(q, 4, limit);
    while ((status = feedback_store_step(q, arena, &row)) == STATUS_OK && row) {
        call_key_text(row->key, key);
        how.id = arena_printf(arena, "feedback.stored/%s/%lld/r%lld", key, (long long)row->revision, (long long)f->replay_run);
        calls_say(out, row, &how);
        f->replay_next = row->id + 1;
        ++*ret_said;
    }
    if (*ret_said < limit)
        f->replay_next = last + 1;
    query_reset(q);
    return status;
}

enum status replay_some(struct feedback *f, struct outbox *out)
{
    int64_t room = (int64_t)outbox_room(out) / 2, said = 0;

    if (!f->replay_run || room == 0)
        return STATUS_OK;
    int64_t revision = feedback_store_next_revision(&f->store, outbox_now(out));
    enum status status = say_chunk(f, out, room, revision, &said);
    if (status != STATUS_OK)
        return status;
    if (said)
        f->replay_revision = revision;
    bool done = f->replay_next > f->replay_last;
    if (done)
        log_info("replay.done", "run=%lld", (long long)f->replay_run);
    status = move_replay(f);
    return status == STATUS_OK && done ? next_replay(f) : status;
}

/* By the indexes: the table itself is not read. */
static enum status count_replay(struct feedback *f, int64_t from, int64_t *ret_count, int64_t *ret_last)
{
    struct query *q = store_query(f->store.store, "SELECT (SELECT count(*) FROM call WHERE state = 7 AND ts >= ?1)"
                                                  " + coalesce(sum((SELECT count(*) FROM call WHERE state = 6"
                                                  " AND variant = t.variant AND profile = t.profile AND ts >= ?1)), 0),"
                                                  " (SELECT coalesce(max(id), 0) FROM call)"
                                                  " FROM (SELECT variant, profile FROM tally"
                                                  " UNION ALL SELECT DISTINCT variant, '' FROM tally) t");
    bool row;

    query_bind_int(q, 1, from);
    enum status status = query_step(q, &row);
    if (status == STATUS_OK && row) {
        *ret_count = query_int(q, 0);
        *ret_last = query_int(q, 1);
    }
    query_reset(q);
    return status;
}

enum status on_replay(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    const FeedbackReplayRequest *q = (const FeedbackReplayRequest *)in->body;
    FeedbackReplayReply *m = codec_new(outbox_arena(out), &tom__rl__v1__feedback_replay_reply__descriptor);
    int64_t count = 0, last = 0, run = outbox_now(out).us / 1000;

    if (!isfinite(q->from) || q->from < 0 || q->from > 1e12)
        return reason_set(reason, "from", "%g is no time; expected unix seconds", q->from);
    if (strlen(q->reward_version) >= sizeof f->replay_version)
        return reason_set(reason, "reward_version", "longer than %zu bytes", sizeof f->replay_version - 1);
    enum status status = count_replay(f, (int64_t)q->from, &count, &last);
    if (status == STATUS_OK)
        status = begin_replay(f, q, run, last);
    if (status == STATUS_OK && !f->replay_run)
        status = next_replay(f);
    if (status != STATUS_OK)
        return status;
    log_info("replay.started", "run=%lld calls=%lld", (long long)run, (long long)count);
    m->replayed = (uint64_t)count;
    m->run = (uint64_t)run;
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}
