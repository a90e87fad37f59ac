/* SPDX-License-Identifier: Apache-2.0 */
/* erase_caller.c - all calls of one caller are told and forgotten, under whatever key they were written, whoever dies
 * meanwhile. */
#include <stdlib.h>

#include "feedback.h"
#include "talk.h"
#include "test.h"

#define CALLER "+49 171 555"

static void end_call(struct world *w, const char *id, const char *caller)
{
    tell_end(w, &(struct told_end){.id = id, .variant = "v1a", .caller = caller, .resolved = true});
}

static void end_calls(struct world *w, const char *prefix, size_t n, const char *caller)
{
    char id[32];

    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "%s-%zu", prefix, i);
        end_call(w, id, caller);
    }
    world_run(w, 2 * SECOND_US);
}

/* Of v1a, as the bandit knows it. */
static double learned(struct world *w, long long *ret_pulls)
{
    const BanditArmStats *arm = stats_of_arm(ask_bandit_stats(w, ""), "v1a");

    *ret_pulls = arm ? arm->pulls : 0;
    return arm ? arm->total_reward : 0;
}

/* How many calls are told of a caller, page by page. */
static size_t told(struct world *w, const char *caller, size_t *ret_pages)
{
    FeedbackExportRequest ask = TOM__RL__V1__FEEDBACK_EXPORT_REQUEST__INIT;
    size_t n = 0;
    char after[96] = "";

    ask.caller_key = (char *)caller;
    *ret_pages = 0;
    do {
        ask.after = after;
        const FeedbackExportReply *r = (const FeedbackExportReply *)world_ask(w, SUBJECT_FEEDBACK_EXPORT, &ask.base);
        CHECK(r && !r->error && r->n_key_ids >= 1);
        n += r ? r->n_calls : 0;
        ++*ret_pages;
        snprintf(after, sizeof after, "%s", r ? r->next : "");
    } while (after[0] && *ret_pages < 50 && !test_failed());
    return n;
}

static size_t held(struct world *w, const char *caller)
{
    size_t pages;

    return told(w, caller, &pages);
}

static int64_t rows(struct world *w, const char *sql) { return world_number(w, WORLD_FEEDBACK, sql); }

/* That are still to be done. */
static int64_t erasures(struct world *w)
{
    return rows(w, "SELECT (SELECT count(*) FROM erasure) + (SELECT count(*) FROM caller_erasure)");
}

/* Messages of CALLS and DLQ that hold the caller or a call of the prefix. */
static size_t traces(struct world *w, const char *caller, const char *prefix)
{
    size_t n = 0;
    const ProtobufCMessage *m;

    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_CALL_ENDED, i)); i++) {
        const CallEnded *end = (const CallEnded *)m;
        n += (HAS(end, has_caller_key_case) && strstr(end->caller_key, caller))
             || strncmp(end->call_id, prefix, strlen(prefix)) == 0;
    }
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_DLQ_FEEDBACK, i)); i++)
        n += memmem(((const DeadLetter *)m)->payload.data, ((const DeadLetter *)m)->payload.len, caller, strlen(caller)) != NULL;
    return n;
}

/* Is what was learned what it was before the caller, to the bit? */
static void check_learned(struct world *w, double reward, long long pulls)
{
    long long now;

    CHECK(learned(w, &now) == reward);
    CHECK_INT(now, pulls);
    check_rebuild(w);
}

static void rotate(struct world *w, bool keep)
{
    world_rotate(w, keep);
    world_run(w, 15 * SECOND_US);
}

TEST(sim_erase_caller, all_calls_of_a_caller_leave_and_those_of_others_stay)
{
    struct world *w = world_new(400);
    long long pulls;
    static const char bad[] = "{\"call_id\":\"x-1\",\"caller_key\":\"" CALLER "\",\"signals\":{\"user_rating\":9}}";
    static const char worse[] = "{\"call_id\":\"x-2\",\"caller_key\":\" " CALLER "\",\"nonsense\":1}";
    static const char worst[] = "\x0a\x03x-3\xf0\x42\x0b" CALLER "\x01"; /* protobuf that breaks off, the caller in it */

    end_calls(w, "other", 2, "somebody else");
    end_calls(w, "nobody", 1, NULL);
    double before = learned(w, &pulls);
    end_calls(w, "mine", 120, CALLER);
    CHECK_INT(held(w, CALLER), 120);
    sim_publish_raw(w->sim, SUBJECT_CALL_ENDED, bad, sizeof bad - 1);
    sim_publish_raw(w->sim, SUBJECT_CALL_AMENDED, worse, sizeof worse - 1);
    sim_publish_raw(w->sim, SUBJECT_CALL_AMENDED, worst, sizeof worst - 1);
    world_run(w, SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK), 3);
    CHECK_INT(traces(w, CALLER, "mine"), 124);
    const FeedbackEraseReply *r = ask_erase_caller(w, "  " CALLER " ");
    CHECK(r && !r->error && r->receipt_id[0] == 'c' && strlen(r->receipt_id) == 18 && r->n_key_ids == 1);
    CHECK_INT(erased(r, "feedback.db"), 120);
    CHECK_INT(erased(r, "CALLS"), 123);
    CHECK_INT(erased(r, "FEEDBACK"), 240);
    CHECK_INT(erased(r, "DLQ"), 3);
    CHECK_INT(traces(w, CALLER, "mine"), 0);
    CHECK_INT(held(w, CALLER), 0);
    CHECK_INT(held(w, "somebody else"), 2);
    check_learned(w, before, pulls);
    CHECK_INT(rows(w, "SELECT count(*) FROM call"), 3);
    CHECK_INT(erasures(w), 0);
    world_free(w);
}

TEST(sim_erase_caller, asked_again_the_receipt_has_the_same_name_and_later_calls_are_new_data)
{
    struct world *w = world_new(401);
    char receipt[32];
    long long pulls;

    end_calls(w, "mine", 3, CALLER);
    const FeedbackEraseReply *r = ask_erase_caller(w, CALLER);
    snprintf(receipt, sizeof receipt, "%s", r ? r->receipt_id : "");
    CHECK_INT(erased(r, "feedback.db"), 3);
    end_calls(w, "mine", 3, CALLER); /* replayed: they stay away */
    end_calls(w, "new", 2, CALLER);
    CHECK_INT(held(w, CALLER), 2);
    learned(w, &pulls);
    CHECK_INT(pulls, 2);
    r = ask_erase_caller(w, CALLER);
    CHECK_STR(r ? r->receipt_id : "", receipt);
    CHECK_INT(erased(r, "feedback.db"), 2);
    r = ask_erase_caller(w, "never called");
    CHECK(r && !r->error && strcmp(r->receipt_id, receipt) != 0);
    CHECK_INT(erased(r, "feedback.db"), 0);
    world_free(w);
}

TEST(sim_erase_caller, what_is_asked_must_be_one_call_or_one_caller)
{
    struct world *w = world_new(402);
    FeedbackEraseRequest both = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;
    FeedbackExportRequest page = TOM__RL__V1__FEEDBACK_EXPORT_REQUEST__INIT;
    static const char *const afters[] = {"x", "k1", "k1.5", "k9.1.2", "k1.1.2.3", "k1.-1.2"};

    both.call_id = (char *)"c";
    both.caller_key = (char *)CALLER;
    const FeedbackEraseReply *r = (const FeedbackEraseReply *)world_ask(w, SUBJECT_FEEDBACK_ERASE, &both.base);
    CHECK_STR(r && r->error ? r->error->field : "", "caller_key");
    r = ask_erase_caller(w, "   ");
    CHECK_STR(r && r->error ? r->error->field : "", "caller_key");
    CHECK(r && r->error && !strstr(r->error->message, CALLER));
    page.caller_key = (char *)CALLER;
    for (size_t i = 0; i < COUNT_OF(afters); i++) {
        page.after = (char *)afters[i];
        const FeedbackExportReply *e = (const FeedbackExportReply *)world_ask(w, SUBJECT_FEEDBACK_EXPORT, &page.base);
        CHECK_STR(e && e->error ? e->error->field : "", "after");
    }
    world_free(w);
}

TEST(sim_erase_caller, calls_under_the_key_before_are_found_and_those_under_a_destroyed_one_are_not)
{
    struct world *w = world_new(403);
    size_t pages;

    end_calls(w, "old", 260, CALLER);
    rotate(w, true);
    end_calls(w, "new", 5, CALLER);
    CHECK_INT(told(w, CALLER, &pages), 265);
    CHECK_INT(pages, 2);
    CHECK_INT(erased(ask_erase_caller(w, CALLER), "feedback.db"), 265);
    CHECK_INT(traces(w, CALLER, "old"), 0);
    end_calls(w, "last", 1, CALLER);
    CHECK_INT(held(w, CALLER), 1);
    rotate(w, false);
    const FeedbackEraseReply *r = ask_erase_caller(w, "x");
    CHECK(r && r->n_key_ids == 1 && strcmp(r->key_ids[0], "k2") == 0);
    CHECK_INT(held(w, CALLER), 1);
    world_free(w);
}

/* The decision was made under the old key, the end came first: it lies in DECISIONS under a pseudonym that no row has. */
TEST(sim_erase_caller, a_call_that_spans_a_rotation_leaves_with_its_decision)
{
    struct world *w = world_new(404);
    PolicySelected late = TOM__RL__V1__POLICY_SELECTED__INIT;

    CHECK(ask_decision(w, "model", "") != NULL);
    late = *(const PolicySelected *)sim_message(w->sim, SUBJECT_POLICY_SELECTED, 0);
    rotate(w, true);
    end_calls(w, "late", 1, CALLER);
    late.call_key = world_call_key(w, 1, "late-0");
    sim_publish(w->sim, SUBJECT_POLICY_SELECTED, &late.base, "");
    world_run(w, 5 * SECOND_US);
    const FeedbackEraseReply *r = ask_erase_caller(w, CALLER);
    CHECK_INT(erased(r, "feedback.db"), 1);
    CHECK_INT(erased(r, "DECISIONS"), 1);
    CHECK_INT(rows(w, "SELECT count(*) FROM alias"), 0);
    world_free(w);
}

/* The asker does not ask again: what was begun is finished. */
static void erase_and_die(enum world_service service, enum loop_step step, int countdown)
{
    struct world *w = world_new(410 + step);
    FeedbackEraseRequest ask = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;
    long long pulls;

    end_calls(w, "other", 2, "somebody else");
    double before = learned(w, &pulls);
    end_calls(w, "mine", 130, CALLER);
    ask.caller_key = (char *)CALLER;
    sim_request(w->sim, SUBJECT_FEEDBACK_ERASE, &ask.base);
    world_run(w, 20000);
    world_arm(w, service, step, countdown);
    world_run(w, 20 * SECOND_US);
    if (rows(w, "SELECT count(*) FROM tombstone") == 0)
        CHECK(ask_erase_caller(w, CALLER) != NULL);
    world_run(w, 5 * SECOND_US);
    if (traces(w, CALLER, "mine") || held(w, CALLER) || erasures(w))
        test_fail(__FILE__, __LINE__, "service %d, step %d, time %d: %zu messages and %zu calls are left", service, step,
                  countdown, traces(w, CALLER, "mine"), held(w, CALLER));
    check_learned(w, before, pulls);
    world_free(w);
}

TEST(sim_erase_caller, what_was_begun_is_finished_whoever_dies)
{
    for (int step = 0; step < STEP_COUNT && !test_failed(); step++)
        for (int countdown = 1; countdown <= 5; countdown += 2)
            erase_and_die(WORLD_FEEDBACK, (enum loop_step)step, countdown);
    erase_and_die(WORLD_BANDIT, STEP_COMMITTED, 2);
}

TEST(sim_erase_caller, ends_that_were_on_their_way_are_found_on_a_bus_that_loses_and_repeats)
{
    const struct sim_chaos chaos = {.lose = 0.05, .repeat = 0.2, .delay_us = 500000};

    for (int seed = 0; seed < 4 && !test_failed(); seed++) {
        struct world *w = world_new(430 + (uint64_t)seed);
        FeedbackEraseRequest ask = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;
        long long pulls;

        end_calls(w, "other", 2, "somebody else");
        double before = learned(w, &pulls);
        end_calls(w, "mine", 5, CALLER);
        sim_set_chaos(w->sim, &chaos);
        for (int i = 0; i < 20; i++)
            end_call(w, i % 2 ? "wild-1" : "wild-2", CALLER);
        ask.caller_key = (char *)CALLER;
        sim_request(w->sim, SUBJECT_FEEDBACK_ERASE, &ask.base);
        world_run(w, 10 * SECOND_US);
        CHECK(ask_erase_caller(w, CALLER) != NULL);
        sim_set_chaos(w->sim, NULL);
        world_run(w, 20 * SECOND_US);
        CHECK_INT(held(w, CALLER), 0);
        CHECK_INT(traces(w, CALLER, "wild"), 0);
        check_learned(w, before, pulls);
        world_free(w);
    }
}

/* rlctl knows the pseudonyms from the export before. */
TEST(sim_erase_caller, the_router_forgets_calls_by_their_pseudonyms)
{
    struct world *w = world_new(405);
    FeedbackExportRequest export = TOM__RL__V1__FEEDBACK_EXPORT_REQUEST__INIT;
    RouterSessionRequest session = TOM__RL__V1__ROUTER_SESSION_REQUEST__INIT;
    RouterForgetRequest forget = TOM__RL__V1__ROUTER_FORGET_REQUEST__INIT;
    char *bad = (char *)"no pseudonym", *keys[2];

    CHECK(ask_decision(w, "mine-0", "") != NULL);
    CHECK(ask_decision(w, "other", "") != NULL);
    end_calls(w, "mine", 2, CALLER);
    export.caller_key = (char *)CALLER;
    const FeedbackExportReply *calls = (const FeedbackExportReply *)world_ask(w, SUBJECT_FEEDBACK_EXPORT, &export.base);
    CHECK(calls && calls->n_calls == 2);
    for (size_t i = 0; calls && i < calls->n_calls && i < 2; i++)
        keys[i] = calls->calls[i]->call_key;
    forget.n_call_keys = 2;
    forget.call_keys = keys;
    const RouterForgetReply *r = (const RouterForgetReply *)world_ask(w, SUBJECT_ROUTER_FORGET, &forget.base);
    CHECK(r && !r->error && r->forgotten == 1);
    const RouterSessionReply *left = (const RouterSessionReply *)world_ask(w, SUBJECT_ROUTER_SESSION, &session.base);
    CHECK(left && left->decisions == 1);
    forget.n_call_keys = 1;
    forget.call_keys = &bad;
    r = (const RouterForgetReply *)world_ask(w, SUBJECT_ROUTER_FORGET, &forget.base);
    CHECK_STR(r && r->error ? r->error->field : "", "call_keys");
    world_free(w);
}

/* They had arrived in the stream when it was asked, but not in feedback. */
TEST(sim_erase_caller, an_end_that_feedback_had_not_taken_yet_goes_with_the_others)
{
    const struct sim_chaos slow = {.delay_us = 3 * SECOND_US};

    for (int seed = 0; seed < 4 && !test_failed(); seed++) {
        struct world *w = world_new(450 + (uint64_t)seed);
        FeedbackEraseRequest ask = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;
        char id[32];

        end_calls(w, "mine", 2, CALLER);
        sim_set_chaos(w->sim, &slow);
        for (int i = 0; i < 20; i++) {
            snprintf(id, sizeof id, "late-%d", i);
            end_call(w, id, CALLER);
        }
        ask.caller_key = (char *)CALLER;
        sim_request(w->sim, SUBJECT_FEEDBACK_ERASE, &ask.base);
        for (int i = 0; i < 300 && rows(w, "SELECT count(*) FROM caller_erasure") == 0; i++)
            world_run(w, 20000);
        sim_set_chaos(w->sim, NULL);
        world_run(w, 30 * SECOND_US);
        CHECK_INT(rows(w, "SELECT count(*) FROM caller_erasure"), 0);
        CHECK_INT(held(w, CALLER), 0);
        CHECK_INT(traces(w, CALLER, "late"), 0);
        world_free(w);
    }
}

/* The rows of an older version have no caller beside the record. */
TEST(sim_erase_caller, after_an_upgrade_callers_are_found_as_soon_as_all_rows_were_read)
{
    struct world *w = world_new(440);
    FeedbackExportRequest ask = TOM__RL__V1__FEEDBACK_EXPORT_REQUEST__INIT;
    struct store *db = w->keepers[WORLD_FEEDBACK];

    end_calls(w, "mine", 30, CALLER);
    CHECK_INT(query_run(store_query(db, "UPDATE call SET caller_key = NULL"), NULL), STATUS_OK);
    CHECK_INT(query_run(store_query(db, "INSERT INTO fill VALUES(1, 100000)"), NULL), STATUS_OK);
    world_kill(w, WORLD_FEEDBACK);
    world_run(w, 550000);
    ask.caller_key = (char *)CALLER;
    const FeedbackExportReply *r = (const FeedbackExportReply *)world_ask(w, SUBJECT_FEEDBACK_EXPORT, &ask.base);
    CHECK_STR(r && r->error ? r->error->code : "", status_text(STATUS_BUSY));
    for (int i = 0; i < 100 && rows(w, "SELECT next_id FROM fill") <= 100000; i++)
        world_run(w, SECOND_US);
    CHECK_INT(held(w, CALLER), 30);
    world_free(w);
}
