/* SPDX-License-Identifier: Apache-2.0 */
/* feedback_plans.c - no statement of feedback reads the table of calls from end to end, so that a million rows cost what a thousand do. */
#include <stdio.h>

#include "feedback.h"
#include "test.h"
#include "world.h"

static void end_call(struct world *w, const char *id, bool resolved)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = (char *)id;
    m.has_policy_variant_case = TOM__RL__V1__CALL_ENDED__HAS_POLICY_VARIANT_POLICY_VARIANT;
    m.policy_variant = (char *)"v1a";
    s.has_resolution_case = TOM__RL__V1__SIGNALS__HAS_RESOLUTION_RESOLUTION;
    s.resolution = resolved;
    if (strcmp(id, "c-0") == 0) {
        m.has_caller_key_case = TOM__RL__V1__CALL_ENDED__HAS_CALLER_KEY_CALLER_KEY;
        m.caller_key = (char *)"caller";
    }
    m.signals = &s;
    sim_publish(w->sim, SUBJECT_CALL_ENDED, &m.base, "");
}

struct seen {
    bool hour, older, cleanup, replay, waiting, caller, alias;
};

static void note(void *ctx, const char *sql, const char *step)
{
    struct seen *seen = ctx;

    seen->hour |= strstr(sql, "profile = ? AND ts = ? AND id < ?") != NULL;
    seen->older |= strstr(sql, "profile = ? AND ts < ? AND ts >= ?") != NULL;
    seen->cleanup |= strstr(sql, "DELETE FROM call") != NULL;
    seen->replay |= strstr(sql, "id <= ? AND ts >=") != NULL;
    seen->waiting |= strstr(sql, "waiting_us < ?") != NULL;
    seen->caller |= strstr(sql, "caller_key = ? AND id > ?") != NULL;
    seen->alias |= strstr(sql, "FROM alias WHERE row_key") != NULL;
    if (strcmp(step, "SCAN call") == 0 || strncmp(step, "SCAN call ", 10) == 0 || (strstr(sql, "row_key") && strncmp(step, "SCAN alias", 10) == 0))
        test_fail(__FILE__, __LINE__, "%s: %s", sql, step);
    if (strncmp(sql, "SELECT ts, id FROM call", 23) == 0 && !strstr(step, "COVERING INDEX call_cell (state=? AND variant=? AND profile=? AND ts"))
        test_fail(__FILE__, __LINE__, "%s: %s", sql, step);
    if (strstr(step, "TEMP B-TREE") && !strstr(sql, "DISTINCT variant"))
        test_fail(__FILE__, __LINE__, "%s: %s", sql, step);
}

/* Every combination of filters, and the page after the first. */
static void ask_every_query(struct world *w)
{
    double now = (double)sim_now_us(w->sim) / 1e6;

    for (unsigned i = 0; i < 32; i++) {
        FeedbackQueryRequest q = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT;
        char after[64] = "";
        q.limit = 1;
        q.policy_variant = (char *)(i & 1 ? "v1a" : "");
        q.profile = (char *)(i & 2 ? i & 16 ? "nobody" : "general" : "");
        q.from = i & 4 ? now - 86400 : 0;
        q.to = i & 8 ? now + 86400 : 0;
        const FeedbackQueryReply *r = (const FeedbackQueryReply *)world_ask(w, SUBJECT_FEEDBACK_QUERY, &q.base);
        CHECK(r && !r->error && r->n_events == !(i & 2 && i & 16));
        snprintf(after, sizeof after, "%s", r ? r->next : "");
        q.after = after;
        CHECK(!after[0] || world_ask(w, SUBJECT_FEEDBACK_QUERY, &q.base));
    }
}

TEST(sim_plans, no_statement_of_feedback_reads_all_calls)
{
    struct world *w = world_new(1);
    FeedbackByPolicyRequest page = TOM__RL__V1__FEEDBACK_BY_POLICY_REQUEST__INIT;
    FeedbackStatsRequest stats = TOM__RL__V1__FEEDBACK_STATS_REQUEST__INIT;
    FeedbackReplayRequest replay = TOM__RL__V1__FEEDBACK_REPLAY_REQUEST__INIT;
    FeedbackEraseRequest erase = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;
    FeedbackCleanupRequest cleanup = TOM__RL__V1__FEEDBACK_CLEANUP_REQUEST__INIT;
    struct seen seen = {0};

    page.policy_variant = (char *)"v1a";
    cleanup.older_than_days = 5;
    cleanup.force = true;
    end_call(w, "c-1", true);
    end_call(w, "c-0", true);
    world_run(w, 3000000);
    world_ask(w, SUBJECT_FEEDBACK_STATS, &stats.base);
    world_ask(w, SUBJECT_FEEDBACK_BY_POLICY, &page.base);
    ask_every_query(w);
    world_ask(w, SUBJECT_FEEDBACK_REPLAY, &replay.base);
    world_run(w, 3000000);
    erase.caller_key = (char *)"caller";
    world_ask(w, SUBJECT_FEEDBACK_ERASE, &erase.base);
    for (int64_t end = sim_now_us(w->sim) + 10 * INT64_C(86400000000); sim_now_us(w->sim) < end;)
        sim_advance(w->sim, end);
    end_call(w, "c-2", true);
    world_run(w, 3000000);
    world_ask(w, SUBJECT_FEEDBACK_CLEANUP, &cleanup.base);
    world_run(w, 3000000);
    struct feedback *f = w->lives[WORLD_FEEDBACK].state;
    store_each_plan(f->store.store, note, &seen);
    CHECK(seen.hour && seen.older);
    CHECK(seen.cleanup);
    CHECK(seen.replay);
    CHECK(seen.waiting);
    CHECK(seen.caller && seen.alias);
    world_free(w);
}
