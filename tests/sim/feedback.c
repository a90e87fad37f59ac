/* SPDX-License-Identifier: Apache-2.0 */
/* feedback.c - what feedback promises beyond the sums: replays that survive a crash, the amendment window, clocks that run
 * ahead, consent. */
#include <stdlib.h>

#include "feedback.h"
#include "running.h"
#include "talk.h"
#include "test.h"

enum { CALLS = 40 };

static void end_call(struct world *w, const char *id, double ts, int rating, Tom__Rl__V1__Consent consent)
{
    tell_end(w, &(struct told_end){.id = id, .variant = "v1a", .resolved = true, .ts = ts, .rating = rating, .consent = consent});
    world_run(w, SECOND_US);
}

static void amend(struct world *w, const char *id, int rating)
{
    tell_rating(w, id, rating);
    world_run(w, SECOND_US);
}

static double seconds(const struct world *w) { return (double)sim_now_us(w->sim) / 1e6; }

/* How many different calls were said from message number `from` on. */
static size_t calls_said(struct world *w, size_t from)
{
    const char *keys[CALLS];
    size_t count = 0;
    const FeedbackStored *m;

    for (size_t i = from; (m = (const FeedbackStored *)sim_message(w->sim, SUBJECT_FEEDBACK_STORED, i)); i++) {
        size_t k = 0;
        while (k < count && strcmp(keys[k], m->call_key) != 0)
            k++;
        if (k == count && count < CALLS)
            keys[count++] = m->call_key;
    }
    return count;
}

/* The process dies once at the given step, after the request was taken; the asker does not ask again. */
static void replay_and_die(uint64_t seed, enum loop_step step, int countdown)
{
    struct world *w = world_new(seed);
    FeedbackReplayRequest ask = TOM__RL__V1__FEEDBACK_REPLAY_REQUEST__INIT;
    char id[32];

    for (int i = 0; i < CALLS; i++) {
        snprintf(id, sizeof id, "call-%d", i);
        end_call(w, id, 0, 4, 0);
    }
    size_t before = sim_stored(w->sim, SUBJECT_FEEDBACK_STORED);
    CHECK_INT(calls_said(w, 0), CALLS);
    world_arm(w, WORLD_FEEDBACK, step, countdown);
    uint64_t number = sim_request(w->sim, SUBJECT_FEEDBACK_REPLAY, &ask.base);
    world_run(w, 10 * SECOND_US);
    const FeedbackReplayReply *r = (const FeedbackReplayReply *)sim_reply(w->sim, number);
    if (r && calls_said(w, before) != CALLS)
        test_fail(__FILE__, __LINE__, "step %d, time %d: the answer says %llu calls, and %zu were said", step, countdown,
                  (unsigned long long)r->replayed, calls_said(w, before));
    world_free(w);
}

TEST(sim_feedback, a_replay_that_was_answered_says_every_call_whenever_the_process_dies)
{
    static const enum loop_step steps[] = {STEP_FLUSHED, STEP_COMMITTED, STEP_PUBLISHED_ONE, STEP_SETTLED};

    for (size_t s = 0; s < COUNT_OF(steps); s++)
        for (int countdown = 1; countdown <= 4; countdown++)
            replay_and_die(100 + s, steps[s], countdown);
}

TEST(sim_feedback, a_finished_replay_is_not_said_again_after_a_restart)
{
    struct world *w = world_new(110);

    end_call(w, "c-1", 0, 4, 0);
    ask_replay(w, "");
    world_run(w, 5 * SECOND_US);
    end_call(w, "c-2", 0, 4, 0);
    world_run(w, 5 * SECOND_US);
    size_t said = sim_stored(w->sim, SUBJECT_FEEDBACK_STORED);
    CHECK_INT(said, 3);
    world_kill(w, WORLD_FEEDBACK);
    world_run(w, 5 * SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), said);
    world_free(w);
}

/* A turn looks at so many rows and no more, whether it finds calls to say or not. */
TEST(sim_feedback, a_replay_goes_on_across_a_long_stretch_without_a_call)
{
    struct world *w = world_new(112);

    for (int i = 0; i < 3; i++)
        end_call(w, i == 0 ? "c-1" : i == 1 ? "c-2" : "c-3", 0, 4, 0);
    CHECK_INT(query_run(store_query(w->keepers[WORLD_FEEDBACK], "UPDATE call SET id = id * 40000"), NULL), STATUS_OK);
    size_t before = sim_stored(w->sim, SUBJECT_FEEDBACK_STORED);
    const FeedbackReplayReply *r = ask_replay(w, "");
    CHECK_INT(r ? r->replayed : 0, 3);
    world_run(w, 10 * SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), before + 3);
    CHECK_INT(calls_said(w, before), 3);
    world_free(w);
}

/* Time that nobody works in. */
static void sleep_days(struct world *w, int days)
{
    world_sleep(w, days * DAY_S);
    world_run(w, 5 * SECOND_US);
}

TEST(sim_feedback, an_amendment_after_the_window_is_refused_and_changes_nothing)
{
    struct world *w = world_new(111);

    end_call(w, "c-1", 0, 4, 0);
    sleep_days(w, 29);
    amend(w, "c-1", 3);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 2);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK), 0);
    sleep_days(w, 2);
    amend(w, "c-1", 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 2);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK), 1);
    const DeadLetter *d = (const DeadLetter *)sim_message(w->sim, SUBJECT_DLQ_FEEDBACK, 0);
    CHECK_STR(d ? d->field : "", "at");
    world_free(w);
}

/* The example of the documentation is one. */
TEST(sim_feedback, a_call_of_long_ago_that_is_told_today_may_be_amended)
{
    struct world *w = world_new(116);

    end_call(w, "c-1", seconds(w) - 400 * (double)DAY_S, 4, 0);
    amend(w, "c-1", 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 2);
    world_free(w);
}

/* A voice stack whose clock runs ahead must not make the next day's corrections void. */
TEST(sim_feedback, an_end_from_the_future_does_not_outrank_a_later_amendment)
{
    struct world *w = world_new(112);

    end_call(w, "c-1", seconds(w) + 3600, 5, 0);
    amend(w, "c-1", 1);
    const FeedbackStored *m = (const FeedbackStored *)sim_last(w->sim, SUBJECT_FEEDBACK_STORED);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 2);
    CHECK_INT(m && m->signals ? m->signals->user_rating : 0, 1);
    world_free(w);
}

static int64_t signals_kept(struct world *w)
{
    return world_number(w, WORLD_FEEDBACK, "SELECT coalesce(max(length(record)), 0) FROM call");
}

/* What remains is the pseudonym and that nothing more may be kept: without it an amendment would store what was refused. */
TEST(sim_feedback, without_consent_nothing_about_the_call_is_kept_whatever_comes_before_or_after)
{
    struct world *w = world_new(113);

    amend(w, "c-1", 2);
    end_call(w, "c-1", 0, 5, TOM__RL__V1__CONSENT__CONSENT_NONE);
    end_call(w, "c-1", 0, 5, 0);
    amend(w, "c-1", 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 0);
    CHECK(signals_kept(w) < 20);
    const FeedbackStatsReply *r = ask_feedback_stats(w);
    CHECK_INT(r ? (long long)r->total_events : -1, 0);
    world_free(w);
}

/* How many calls are stored, and how many refused to be. */
static void check_counted(struct world *w, int64_t stored, int64_t refused)
{
    const FeedbackStatsReply *r = ask_feedback_stats(w);

    CHECK_INT(r ? (long long)r->total_events : -1, stored);
    CHECK_INT(metrics_get(w->lives[WORLD_FEEDBACK].running->metrics, METRIC_OWN(FEEDBACK_NO_CONSENT), NULL, NULL, NULL), refused);
}

TEST(sim_feedback, a_call_that_says_nothing_of_consent_counts_as_the_operator_decided)
{
    struct world *w = world_new(114);

    end_call(w, "c-1", 0, 5, 0);
    check_counted(w, 1, 0);
    world_configure(w, "feedback: {consent_default: none}\n");
    end_call(w, "c-2", 0, 5, 0);
    amend(w, "c-2", 1);
    check_counted(w, 1, 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 1);
    end_call(w, "c-3", 0, 5, TOM__RL__V1__CONSENT__CONSENT_GIVEN);
    check_counted(w, 2, 1);
    end_call(w, "c-3", 0, 5, 0); /* the same call once more, without a word on it */
    amend(w, "c-3", 4);
    check_counted(w, 2, 1);
    end_call(w, "c-3", 0, 5, TOM__RL__V1__CONSENT__CONSENT_NONE);
    check_counted(w, 1, 2);
    end_call(w, "c-2", 0, 5, TOM__RL__V1__CONSENT__CONSENT_GIVEN); /* too late: nothing is left of it */
    check_counted(w, 1, 2);
    world_free(w);
}

static void conclude(struct world *w, const char *id)
{
    const struct told_end end = {.id = id, .variant = "v1a", .resolved = true, .source = TOM__RL__V1__SOURCE__SOURCE_FSM};

    tell_end(w, &end);
    world_run(w, SECOND_US);
}

static int64_t learned(struct world *w) { return world_number(w, WORLD_BANDIT, "SELECT count(*) FROM ledger"); }

/* The router cannot know it; a voice stack may think better of it. */
TEST(sim_feedback, a_refusal_takes_back_what_was_counted_before_it_came)
{
    for (int seed = 0; seed < 3; seed++) {
        struct world *w = world_new(117 + (uint64_t)seed);
        end_call(w, "other", 0, 3, 0);
        conclude(w, "c-1");
        if (seed == 1)
            end_call(w, "c-1", 0, 5, TOM__RL__V1__CONSENT__CONSENT_GIVEN);
        CHECK_INT(learned(w), 2);
        if (seed == 2)
            world_arm(w, WORLD_FEEDBACK, STEP_COMMITTED, 1);
        end_call(w, "c-1", 0, 5, TOM__RL__V1__CONSENT__CONSENT_NONE);
        world_run(w, 10 * SECOND_US);
        amend(w, "c-1", 1);
        conclude(w, "c-1");
        const FeedbackStatsReply *r = ask_feedback_stats(w);
        CHECK_INT(r ? (long long)r->total_events : -1, 1);
        CHECK_INT(learned(w), 1);
        check_rebuild(w);
        world_free(w);
    }
}

/* ---- counts and lists ------------------------------------------------------------------------------------------------ */

static void say_something(struct world *w, struct rng *rng)
{
    static const char *const profiles[] = {"kfz", "it", "sales"};
    CallEnded end = TOM__RL__V1__CALL_ENDED__INIT;
    CallAmended news = TOM__RL__V1__CALL_AMENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;
    char id[16];

    snprintf(id, sizeof id, "c-%d", (int)rng_below(rng, CALLS));
    TELL(&s, resolution, SIGNALS, RESOLUTION, rng_below(rng, 2) != 0);
    if (rng_below(rng, 2)) {
        end.call_id = id;
        end.signals = &s;
        TELL(&end, profile, CALL_ENDED, PROFILE, (char *)profiles[rng_below(rng, 3)]);
        TELL(&end, policy_variant, CALL_ENDED, POLICY_VARIANT, (char *)w->variants.items[rng_below(rng, w->variants.count)].id);
        sim_publish(w->sim, SUBJECT_CALL_ENDED, &end.base, "");
        return;
    }
    news.call_id = id;
    news.signals = rng_below(rng, 2) ? &s : NULL;
    TELL(&news, retracted, CALL_AMENDED, RETRACTED, rng_below(rng, 2) != 0);
    sim_publish(w->sim, SUBJECT_CALL_AMENDED, &news.base, "");
}

/* Counts all rows anew and compares with the counts that were kept in step. */
static void check_recount(struct world *w)
{
    struct feedback_store kept = {0}, anew = {0};
    struct arena arena = {0};
    struct query *q = store_query(w->keepers[WORLD_FEEDBACK], "SELECT " FEEDBACK_COLUMNS " FROM call WHERE state = 6");
    struct call *row = NULL;
    size_t compared = 0;

    CHECK_INT(feedback_store_open(&kept, w->keepers[WORLD_FEEDBACK]), STATUS_OK);
    while (feedback_store_step(q, &arena, &row) == STATUS_OK && row)
        feedback_store_count(&anew, row->record, +1);
    for (size_t i = 0; i < kept.tally_count; i++) {
        const struct tally *a = &kept.tallies[i];
        int64_t n = 0, resolved = 0;
        for (size_t k = 0; k < anew.tally_count; k++)
            if (strcmp(a->variant, anew.tallies[k].variant) == 0 && strcmp(a->profile, anew.tallies[k].profile) == 0) {
                n = anew.tallies[k].n;
                resolved = anew.tallies[k].resolved;
                compared++;
            }
        CHECK_INT(a->n, n);
        CHECK_INT(a->resolved, resolved);
    }
    CHECK_INT(compared, anew.tally_count);
    CHECK(compared > 3);
    feedback_store_close(&kept);
    feedback_store_close(&anew);
    arena_done(&arena);
}

TEST(sim_feedback, counts_equal_a_recount_after_ends_amendments_and_retractions_in_any_order)
{
    const struct sim_chaos chaos = {.lose = 0.05, .repeat = 0.2, .delay_us = 2000000};
    struct world *w = world_new(114);
    struct rng rng = rng_seed(114);

    sim_set_chaos(w->sim, &chaos);
    for (int i = 0; i < 600; i++) {
        say_something(w, &rng);
        if (i % 10 == 0)
            world_run(w, 100000);
        if (i == 300)
            world_kill(w, WORLD_FEEDBACK);
    }
    sim_set_chaos(w->sim, NULL);
    world_run(w, 60 * SECOND_US);
    check_recount(w);
    world_free(w);
}

TEST(sim_feedback, by_policy_lists_the_newest_first_without_the_retracted)
{
    struct world *w = world_new(115);
    FeedbackByPolicyRequest ask = TOM__RL__V1__FEEDBACK_BY_POLICY_REQUEST__INIT;

    end_call(w, "middle", seconds(w) - 7200, 2, 0);
    end_call(w, "oldest", seconds(w) - 14400, 1, 0);
    end_call(w, "newest", 0, 3, 0);
    end_call(w, "retracted", 0, 4, 0);
    tell_retracted(w, "retracted", true);
    world_run(w, SECOND_US);
    ask.policy_variant = (char *)"v1a";
    const FeedbackByPolicyReply *r = (const FeedbackByPolicyReply *)world_ask(w, SUBJECT_FEEDBACK_BY_POLICY, &ask.base);
    CHECK(r && r->n_events == 3);
    for (int i = 0; r && i < 3 && r->n_events == 3; i++)
        CHECK_INT(r->events[i]->signals->user_rating, 3 - i);
    ask.limit = 1;
    r = (const FeedbackByPolicyReply *)world_ask(w, SUBJECT_FEEDBACK_BY_POLICY, &ask.base);
    CHECK_INT(r ? (long long)r->n_events : -1, 1);
    ask.policy_variant = (char *)"version 1";
    r = (const FeedbackByPolicyReply *)world_ask(w, SUBJECT_FEEDBACK_BY_POLICY, &ask.base);
    CHECK_STR(r && r->error ? r->error->field : "", "policy_variant");
    world_free(w);
}
