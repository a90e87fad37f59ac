/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - feedback.query gives every stored call once, newest first, whatever the size of its pages. */
#include <stdio.h>
#include <stdlib.h>

#include "feedback.h"
#include "talk.h"
#include "test.h"

enum { CALLS = 60, MANY = 600 };

static const char *const variants[] = {"v1a", "v2b", "v6a"}, *const profiles[] = {"kfz", "it"};

static void end_call(struct world *w, int number, int hours_ago, const char *variant, const char *profile)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;
    char id[24];

    snprintf(id, sizeof id, "query-%d", number);
    m.call_id = id;
    m.signals = &s;
    TELL(&m, ts, CALL_ENDED, TS, (double)sim_now_us(w->sim) / 1e6 - HOUR_S * hours_ago);
    TELL(&m, policy_variant, CALL_ENDED, POLICY_VARIANT, (char *)variant);
    TELL(&m, profile, CALL_ENDED, PROFILE, (char *)profile);
    TELL(&s, resolution, SIGNALS, RESOLUTION, false);
    TELL(&s, duration_sec, SIGNALS, DURATION_SEC, number);
    sim_publish(w->sim, SUBJECT_CALL_ENDED, &m.base, "");
}

/* Several calls an hour, of three variants and two profiles; their duration tells which is which. */
static void end_calls(struct world *w)
{
    for (int i = 0; i < CALLS; i++)
        end_call(w, i, i * 7 % 10, variants[i % 3], profiles[i % 2]);
    world_run(w, 5000000);
}

/* Pages through all that match; how many calls came, each once and in order. */
static int page_through(struct world *w, FeedbackQueryRequest q)
{
    bool seen[MANY] = {false};
    char after[64] = "";
    int64_t last = INT64_MAX;
    int count = 0;

    for (int pages = 0; pages <= 2 * MANY; pages++) {
        q.after = after;
        const FeedbackQueryReply *r = (const FeedbackQueryReply *)world_ask(w, SUBJECT_FEEDBACK_QUERY, &q.base);
        CHECK(r && !r->error);
        CHECK(!r || !r->next[0] || r->n_events == (q.limit ? q.limit : 100)); /* only the last one may be short */
        for (size_t i = 0; r && i < r->n_events; i++) {
            int number = (int)r->events[i]->signals->duration_sec;
            CHECK(!seen[number] && r->events[i]->ts <= last);
            CHECK((q.from == 0 || (double)r->events[i]->ts >= q.from) && (q.to == 0 || (double)r->events[i]->ts < q.to));
            CHECK(!q.profile[0] || strcmp(r->events[i]->profile, q.profile) == 0);
            CHECK(!q.policy_variant[0] || strcmp(r->events[i]->policy_variant, q.policy_variant) == 0);
            seen[number] = true;
            last = r->events[i]->ts;
            count++;
        }
        if (!r || !r->next[0])
            return count;
        snprintf(after, sizeof after, "%s", r->next);
    }
    test_fail(__FILE__, __LINE__, "the pages have no end");
    return count;
}

TEST(sim_query, every_call_comes_once_and_in_order_whatever_the_page)
{
    struct world *w = world_new(201);
    static const uint32_t limits[] = {1, 2, 7, 59, 60, 61, 1000};

    end_calls(w);
    for (size_t i = 0; i < sizeof limits / sizeof *limits && !test_failed(); i++) {
        FeedbackQueryRequest q = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT;
        q.limit = limits[i];
        CHECK_INT(page_through(w, q), CALLS);
        q.policy_variant = (char *)"v2b";
        CHECK_INT(page_through(w, q), CALLS / 3);
        q.profile = (char *)"it";
        CHECK_INT(page_through(w, q), CALLS / 6);
    }
    world_free(w);
}

/* A page takes its candidates from all variants at once; one that is heard all the time must not push the calls of another one
 * behind its own. */
TEST(sim_query, every_call_comes_in_order_however_unevenly_variants_are_heard)
{
    struct world *w = world_new(203);
    static const uint32_t limits[] = {1, 10, 30, 47, 60, 1000};

    for (int i = 0; i < CALLS; i++) /* first and last hours are v1a's alone */
        end_call(w, i, i / 5, i % 10 == 9 && i > 15 && i < 50 ? "v2b" : i == 30 ? "v6a" : "v1a", i % 6 ? "kfz" : "it");
    world_run(w, 5000000);
    for (size_t i = 0; i < sizeof limits / sizeof *limits && !test_failed(); i++) {
        FeedbackQueryRequest q = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT;
        q.limit = limits[i];
        CHECK_INT(page_through(w, q), CALLS);
        q.profile = (char *)"it";
        CHECK_INT(page_through(w, q), CALLS / 6);
        q.policy_variant = (char *)"v1a";
        CHECK_INT(page_through(w, q), CALLS / 6 - 1);
    }
    world_free(w);
}

/* Candidates are shared out by how many calls a cell has in all; those that were silent until this hour and the last have them
 * all on the first page. */
TEST(sim_query, every_call_comes_in_order_when_variants_were_silent_until_now)
{
    struct world *w = world_new(207);
    static const uint32_t limits[] = {10, 20, 39, 41, 100};

    for (int i = 0; i < MANY; i++)
        end_call(w, i, i < MANY - 60 ? 2 + i % 50 : i >= MANY - 30,
                 i < MANY - 60 ? variants[i % 2] : i < MANY - 30 ? "v6a" : "v4b", "kfz");
    world_run(w, 8000000);
    for (size_t i = 0; i < sizeof limits / sizeof *limits && !test_failed(); i++) {
        FeedbackQueryRequest q = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT;
        q.limit = limits[i];
        CHECK_INT(page_through(w, q), MANY);
    }
    world_free(w);
}

TEST(sim_query, times_bound_what_comes_and_a_wrong_question_is_named)
{
    struct world *w = world_new(202);
    FeedbackQueryRequest q = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT;
    static const struct {
        const char *after, *variant;
        double from;
        const char *field;
    } wrong[] = {{"yesterday", "", 0, "after"}, {"12.3x", "", 0, "after"}, {"", "version 1", 0, "policy_variant"},
                 {"", "", -1, "from"}};

    end_calls(w);
    int64_t hour = sim_now_us(w->sim) / 1000000 / HOUR_S * HOUR_S;
    q.from = (double)(hour - 3 * HOUR_S);
    q.to = (double)(hour - HOUR_S);
    CHECK_INT(page_through(w, q), 2 * CALLS / 10);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FeedbackQueryRequest bad = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT;
        bad.after = (char *)wrong[i].after;
        bad.policy_variant = (char *)wrong[i].variant;
        bad.from = wrong[i].from;
        const FeedbackQueryReply *r = (const FeedbackQueryReply *)world_ask(w, SUBJECT_FEEDBACK_QUERY, &bad.base);
        CHECK_STR(r && r->error ? r->error->field : "", wrong[i].field);
    }
    world_free(w);
}

/* Counts the same calls in what a query without filters gives. */
static int expected(const FeedbackStored *const *all, size_t count, const FeedbackQueryRequest *q)
{
    int n = 0;

    for (size_t i = 0; i < count; i++)
        n += (!q->policy_variant[0] || strcmp(all[i]->policy_variant, q->policy_variant) == 0)
             && (!q->profile[0] || strcmp(all[i]->profile, q->profile) == 0) && (double)all[i]->ts >= q->from
             && (q->to == 0 || (double)all[i]->ts < q->to);
    return n;
}

/* Pages through every combination of filters; one call is of a profile of its own, and some filters fit none. */
static void check_every_filter(struct world *w, uint32_t limit)
{
    static const char *const of_variant[] = {"", "v2b", "v6a", "v4b"}, *const of_profile[] = {"", "it", "sales", "nobody"};
    FeedbackQueryRequest whole = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT, q = whole;
    double hour = (double)(sim_now_us(w->sim) / 1000000 / HOUR_S * HOUR_S);
    const double from[] = {0, hour - 4 * HOUR_S, hour - 4 * HOUR_S + 1, hour - 1000 * HOUR_S},
                 to[] = {0, hour - 2 * HOUR_S, hour - 2 * HOUR_S, hour - 900 * HOUR_S};
    FeedbackStored *all[CALLS];
    struct arena arena = {0};

    const FeedbackQueryReply *r = (const FeedbackQueryReply *)world_ask(w, SUBJECT_FEEDBACK_QUERY, &whole.base);
    CHECK_INT(r ? r->n_events : 0, CALLS);
    for (size_t i = 0; r && i < r->n_events && i < CALLS; i++) {
        all[i] = arena_copy(&arena, r->events[i], sizeof *all[i]); /* the reply goes with the next one */
        all[i]->profile = arena_str(&arena, r->events[i]->profile);
        all[i]->policy_variant = arena_str(&arena, r->events[i]->policy_variant);
    }
    q.limit = limit;
    for (unsigned i = 0; i < 64 && !test_failed(); i++) {
        q.policy_variant = (char *)of_variant[i % 4];
        q.profile = (char *)of_profile[i / 4 % 4];
        q.from = from[i / 16];
        q.to = to[i / 16];
        CHECK_INT(page_through(w, q), expected((const FeedbackStored *const *)all, CALLS, &q));
    }
    arena_done(&arena);
}

TEST(sim_query, every_combination_of_filters_gives_what_fits_and_nothing_else)
{
    struct world *w = world_new(204);

    for (int i = 0; i < CALLS; i++)
        end_call(w, i, i * 7 % 10, variants[i % 3], i == 31 ? "sales" : profiles[i / 3 % 2]);
    world_run(w, 5000000);
    check_every_filter(w, 1);
    check_every_filter(w, 3);
    check_every_filter(w, 100);
    world_free(w);
}

/* A page tells at once that nothing fits: nobody pages through millions of others. */
TEST(sim_query, what_fits_nothing_is_one_empty_page)
{
    struct world *w = world_new(205);
    FeedbackQueryRequest q = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT;

    end_calls(w);
    q.profile = (char *)"nobody";
    q.limit = 1;
    const FeedbackQueryReply *r = (const FeedbackQueryReply *)world_ask(w, SUBJECT_FEEDBACK_QUERY, &q.base);
    CHECK(r && !r->error && r->n_events == 0 && !r->next[0]);
    world_free(w);
}

/* As the migration leaves the rows that it finds. */
static void forget_profiles(struct world *w)
{
    struct feedback *f = w->lives[WORLD_FEEDBACK].state;
    struct store *db = w->keepers[WORLD_FEEDBACK];

    CHECK_INT(query_run(store_query(db, "UPDATE call SET profile = '' WHERE id % 4"), NULL), STATUS_OK);
    CHECK_INT(query_run(store_query(db, "INSERT INTO fill SELECT min(id), max(id) FROM call"), NULL), STATUS_OK);
    f->store.unfilled = CALLS;
}

TEST(sim_query, after_an_upgrade_pages_are_whole_while_profiles_are_still_read)
{
    struct world *w = world_new(206);
    FeedbackQueryRequest q = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT, by_profile = q;
    FeedbackStored **events;
    size_t count;

    end_calls(w);
    forget_profiles(w);
    struct feedback *f = w->lives[WORLD_FEEDBACK].state;
    CHECK_INT(query_newest(f, &w->arena, "v2b", CALLS, &events, &count), STATUS_OK);
    CHECK_INT(count, CALLS / 3);
    for (size_t i = 1; i < count; i++)
        CHECK(events[i]->ts <= events[i - 1]->ts);
    world_run(w, 3000000);
    CHECK_INT(f->store.unfilled, 0);
    by_profile.limit = 7;
    by_profile.profile = (char *)"it";
    CHECK_INT(page_through(w, by_profile), CALLS / 2);
    by_profile.policy_variant = (char *)"v2b";
    CHECK_INT(page_through(w, by_profile), CALLS / 6);
    f->store.unfilled = 100000; /* there are many more */
    const FeedbackQueryReply *r = (const FeedbackQueryReply *)world_ask(w, SUBJECT_FEEDBACK_QUERY, &by_profile.base);
    CHECK_STR(r && r->error ? r->error->field : "", "profile");
    q.limit = 7;
    CHECK_INT(page_through(w, q), CALLS);
    world_free(w);
}
