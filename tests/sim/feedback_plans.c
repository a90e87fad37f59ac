/* SPDX-License-Identifier: Apache-2.0 */
/* feedback_plans.c - no statement of feedback reads the table of calls from end to end, so that a million rows cost what a
 * thousand do. */
#include <stdio.h>

#include "feedback.h"
#include "talk.h"
#include "test.h"

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
    if (strcmp(step, "SCAN call") == 0 || strncmp(step, "SCAN call ", 10) == 0
        || (strstr(sql, "row_key") && strncmp(step, "SCAN alias", 10) == 0))
        test_fail(__FILE__, __LINE__, "%s: %s", sql, step);
    if (strncmp(sql, "SELECT ts, id FROM call", 23) == 0
        && !strstr(step, "COVERING INDEX call_cell (state=? AND variant=? AND profile=? AND ts"))
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
    struct seen seen = {0};

    page.policy_variant = (char *)"v1a";
    tell_end(w, &(struct told_end){.id = "c-1", .variant = "v1a", .resolved = true});
    tell_end(w, &(struct told_end){.id = "c-0", .variant = "v1a", .resolved = true, .caller = "caller"});
    world_run(w, 3000000);
    ask_feedback_stats(w);
    world_ask(w, SUBJECT_FEEDBACK_BY_POLICY, &page.base);
    ask_every_query(w);
    ask_replay(w, "");
    world_run(w, 3000000);
    ask_erase_caller(w, "caller");
    world_sleep(w, 10 * DAY_S);
    tell_end(w, &(struct told_end){.id = "c-2", .variant = "v1a", .resolved = true});
    world_run(w, 3000000);
    ask_cleanup(w, 5, true);
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
