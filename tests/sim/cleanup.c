/* SPDX-License-Identifier: Apache-2.0 */
/* cleanup.c - calls leave at the end of their retention and the counts follow; nothing large goes unasked, nothing comes back. */
#include <stdlib.h>

#include "talk.h"
#include "test.h"

static void end_call(struct world *w, int number)
{
    char id[32];

    snprintf(id, sizeof id, "call-%d", number);
    tell_end(w, &(struct told_end){.id = id, .variant = w->variants.items[(size_t)number % w->variants.count].id,
                                   .profile = number % 2 ? "kfz" : "it", .resolved = number % 3 == 0});
}

static void end_calls(struct world *w, int from, int to)
{
    for (int i = from; i < to; i++)
        end_call(w, i);
    world_run(w, 3000000);
}

static void amend(struct world *w, int number, bool retracted)
{
    CallAmended m = TOM__RL__V1__CALL_AMENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;
    char id[32];

    snprintf(id, sizeof id, "call-%d", number);
    m.call_id = id;
    m.signals = &s;
    TELL(&s, user_rating, SIGNALS, USER_RATING, 5);
    if (retracted)
        TELL(&m, retracted, CALL_AMENDED, RETRACTED, true);
    sim_publish(w->sim, SUBJECT_CALL_AMENDED, &m.base, "");
}

static int64_t number(struct world *w, const char *sql) { return world_number(w, WORLD_FEEDBACK, sql); }

/* The counts, as told and as stored, equal a count of the rows, variant by variant. */
static void check_counts(struct world *w, int64_t expected)
{
    const FeedbackStatsReply *r = ask_feedback_stats(w);
    int64_t sum = 0;

    CHECK_INT(number(w, "SELECT count(*) FROM call WHERE state = 6"), expected);
    CHECK_INT(number(w, "SELECT coalesce(sum(n), 0) FROM tally"), expected);
    CHECK_INT(number(w, "SELECT count(*) FROM (SELECT variant, sum(n) AS n FROM tally WHERE n > 0 GROUP BY variant"
                        " EXCEPT SELECT variant, count(*) FROM call WHERE state = 6 GROUP BY variant)"), 0);
    if (!r)
        return;
    CHECK_INT(r->total_events, expected);
    CHECK_INT(r->waiting, number(w, "SELECT count(*) FROM call WHERE waiting_us > 0"));
    CHECK_INT(r->retracted, number(w, "SELECT count(*) FROM call WHERE state = 7"));
    for (size_t i = 0; i < r->n_profile_stats; i++)
        sum += (int64_t)r->profile_stats[i]->value;
    CHECK_INT(sum, expected);
}

static void check_deleted(const FeedbackCleanupReply *r, int64_t expected)
{
    CHECK(r && !r->error);
    CHECK_INT(r ? (int64_t)r->deleted : -1, expected);
}

static void check_refused(const FeedbackCleanupReply *r, const char *field)
{
    CHECK(r && r->error);
    CHECK_STR(r && r->error ? r->error->field : "", field);
}

TEST(sim_cleanup, old_calls_go_young_ones_stay_and_a_second_run_deletes_nothing)
{
    struct world *w = world_new(1);

    end_calls(w, 0, 20);
    amend(w, 3, true);
    world_run(w, 3000000);
    world_sleep(w, 10 * DAY_S);
    end_calls(w, 20, 120);
    check_counts(w, 119);
    check_deleted(ask_cleanup(w, 20, false), 0);
    check_deleted(ask_cleanup(w, 9, false), 20);
    world_run(w, 3000000);
    CHECK_INT(number(w, "SELECT count(*) FROM call"), 100);
    CHECK_INT(number(w, "SELECT count(*) FROM cleanup"), 0);
    CHECK_INT(number(w, "SELECT sum(resolved) FROM tally"), 33);
    check_counts(w, 100);
    CHECK_INT(number(w, "SELECT count(*) FROM call WHERE state = 7"), 0);
    check_deleted(ask_cleanup(w, 9, false), 0);
    world_free(w);
}

TEST(sim_cleanup, calls_with_long_gaps_between_them_go_as_well)
{
    struct world *w = world_new(21);

    end_calls(w, 0, 10);
    CHECK_INT(query_run(store_query(w->keepers[WORLD_FEEDBACK], "UPDATE call SET id = -id"), NULL), STATUS_OK);
    CHECK_INT(query_run(store_query(w->keepers[WORLD_FEEDBACK], "UPDATE call SET id = -id * 30000"), NULL), STATUS_OK);
    world_sleep(w, 10 * DAY_S);
    end_calls(w, 10, 90);
    check_deleted(ask_cleanup(w, 9, false), 10);
    world_run(w, 5000000);
    check_counts(w, 80);
    CHECK_INT(number(w, "SELECT count(*) FROM cleanup"), 0);
    CHECK_INT(number(w, "SELECT sum(n) FROM day"), 80);
    world_free(w);
}

TEST(sim_cleanup, more_than_a_fifth_only_goes_by_force)
{
    struct world *w = world_new(2);

    end_calls(w, 0, 26);
    world_sleep(w, 10 * DAY_S);
    end_calls(w, 26, 126);
    check_refused(ask_cleanup(w, 9, false), "force");
    world_run(w, 3000000);
    check_counts(w, 126);
    check_deleted(ask_cleanup(w, 9, true), 26);
    world_run(w, 3000000);
    check_counts(w, 100);
    world_free(w);
}

/* Such calls may still be delivered, as new ones. */
TEST(sim_cleanup, calls_that_the_stream_still_holds_are_not_forgotten)
{
    struct world *w = world_new(3);

    end_calls(w, 0, 5);
    check_refused(ask_cleanup(w, 3, true), "older_than_days");
    check_refused(ask_cleanup(w, 4294967295u, true), "older_than_days");
    check_counts(w, 5);
    world_free(w);
}

TEST(sim_cleanup, after_ninety_days_calls_go_by_themselves)
{
    struct world *w = world_new(4);

    end_calls(w, 0, 10);
    world_sleep(w, 60 * DAY_S);
    end_calls(w, 10, 110);
    world_sleep(w, 32 * DAY_S);
    end_call(w, 110); /* what is learned of it tells the day */
    world_run(w, 3000000);
    world_sleep(w, 1 * DAY_S);
    world_run(w, 3000000);
    check_counts(w, 101);
    world_free(w);
}

TEST(sim_cleanup, a_clock_that_jumps_ahead_deletes_nothing_and_neither_does_a_large_run_by_itself)
{
    struct world *w = world_new(5);

    end_calls(w, 0, 50);
    world_sleep(w, 4000 * DAY_S);
    world_run(w, 3000000);
    check_deleted(ask_cleanup(w, 4, true), 0);
    check_counts(w, 50);
    end_calls(w, 50, 51); /* now it is known that so much time went by */
    world_sleep(w, 1 * DAY_S);
    world_run(w, 3000000);
    check_counts(w, 51);
    world_free(w);
}

TEST(sim_cleanup, an_amendment_does_not_bring_a_forgotten_call_back)
{
    struct world *w = world_new(6);

    end_calls(w, 0, 10);
    world_sleep(w, 10 * DAY_S);
    end_calls(w, 10, 60);
    check_deleted(ask_cleanup(w, 5, false), 10);
    world_run(w, 3000000);
    size_t said = sim_stored(w->sim, SUBJECT_FEEDBACK_STORED);
    amend(w, 0, false);
    world_run(w, 3000000);
    check_counts(w, 50);
    CHECK_INT(number(w, "SELECT count(*) FROM call WHERE state = 0"), 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), said);
    world_free(w);
}

/* So many that they take several turns; some are amended meanwhile, before they go or when they are gone. */
TEST(sim_cleanup, a_promise_to_forget_survives_a_kill)
{
    enum { OLD = 4000, YOUNG = 100 };
    struct world *w = world_new(7);

    for (int i = 0; i < OLD; i += 500)
        end_calls(w, i, i + 500);
    world_sleep(w, 10 * DAY_S);
    end_calls(w, OLD, OLD + YOUNG);
    check_deleted(ask_cleanup(w, 9, true), OLD);
    CHECK_INT(number(w, "SELECT count(*) FROM cleanup"), 1);
    CHECK(number(w, "SELECT count(*) FROM call") > YOUNG);
    world_kill(w, WORLD_FEEDBACK);
    for (int i = 0; i < 200; i++)
        amend(w, i, false);
    world_run(w, 10000000);
    check_counts(w, YOUNG);
    CHECK_INT(number(w, "SELECT count(*) FROM call WHERE day < (SELECT max(day) FROM call)"), 0);
    CHECK_INT(number(w, "SELECT count(*) FROM cleanup"), 0);
    world_free(w);
}

/* Both in the same batches: an amended call counts until it goes, and goes once. */
TEST(sim_cleanup, calls_that_are_amended_while_they_go_leave_the_counts_right)
{
    enum { OLD = 4000, YOUNG = 100, AMENDED = 400 };
    struct world *w = world_new(9);

    for (int i = 0; i < OLD; i += 500)
        end_calls(w, i, i + 500);
    world_sleep(w, 10 * DAY_S);
    end_calls(w, OLD, OLD + YOUNG);
    FeedbackCleanupRequest ask = TOM__RL__V1__FEEDBACK_CLEANUP_REQUEST__INIT;
    ask.older_than_days = 9;
    ask.force = true;
    sim_request(w->sim, SUBJECT_FEEDBACK_CLEANUP, &ask.base);
    world_run(w, 20000);
    CHECK_INT(number(w, "SELECT count(*) FROM cleanup"), 1);
    for (int i = 0; i < AMENDED; i++)
        amend(w, i, false);
    world_run(w, 10000000);
    check_counts(w, YOUNG);
    CHECK_INT(number(w, "SELECT count(*) FROM call WHERE day < (SELECT max(day) FROM call)"), 0);
    check_rebuild(w);
    world_free(w);
}

/* The amendment is committed but never published; the next life, in which the calls should go, ends as early. */
TEST(sim_cleanup, what_was_not_yet_said_of_a_call_is_said_before_it_is_forgotten)
{
    struct world *w = world_new(8);

    end_calls(w, 0, 5);
    world_sleep(w, 10 * DAY_S);
    end_calls(w, 5, 55);
    size_t said = sim_stored(w->sim, SUBJECT_FEEDBACK_STORED);
    world_run(w, 600000);
    amend(w, 0, false);
    world_arm(w, WORLD_FEEDBACK, STEP_COMMITTED, 1);
    world_run(w, 400000);
    CHECK_INT(w->lives[WORLD_FEEDBACK].deaths, 1);
    CHECK_INT(number(w, "SELECT count(*) FROM call WHERE revision > (SELECT value FROM rl_loop WHERE name = 'published')"), 1);
    CHECK_INT(number(w, "INSERT INTO cleanup SELECT 1, max(day), 0 FROM call RETURNING id"), 1);
    world_arm(w, WORLD_FEEDBACK, STEP_COMMITTED, 1);
    world_run(w, 400000);
    CHECK_INT(w->lives[WORLD_FEEDBACK].deaths, 2);
    world_run(w, 20000000);
    check_counts(w, 50);
    CHECK_INT(number(w, "SELECT count(*) FROM call WHERE day < (SELECT max(day) FROM call)"), 0);
    const FeedbackStored *m = (const FeedbackStored *)sim_message(w->sim, SUBJECT_FEEDBACK_STORED, said);
    CHECK(m && m->signals->user_rating == 5);
    world_free(w);
}

/* Feedback dies at each step in turn while calls are forgotten, others arrive, and a replay says them all again. */
TEST(sim_cleanup, crashes_and_a_replay_change_nothing)
{
    enum { OLD = 1300, YOUNG = 300 };

    for (int step = 0; step < STEP_COUNT && !test_failed(); step++) {
        struct world *w = world_new(100 + (uint64_t)step);
        for (int i = 0; i < OLD; i += 650)
            end_calls(w, i, i + 650);
        world_sleep(w, 10 * DAY_S);
        end_calls(w, OLD, OLD + YOUNG);
        size_t said = sim_stored(w->sim, SUBJECT_FEEDBACK_STORED);
        CHECK_INT(said, OLD + YOUNG);
        world_arm(w, WORLD_FEEDBACK, (enum loop_step)step, 3);
        end_call(w, OLD + YOUNG);
        ask_replay(w, "");
        const FeedbackCleanupReply *r = ask_cleanup(w, 9, true);
        CHECK(r && !r->error);
        end_calls(w, OLD + YOUNG + 1, OLD + YOUNG + 5);
        world_run(w, 25000000);
        CHECK_INT(w->lives[WORLD_FEEDBACK].deaths, 1);
        check_counts(w, YOUNG + 5);
        CHECK_INT(number(w, "SELECT count(*) FROM call"), YOUNG + 5);
        CHECK(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED) >= said + YOUNG + 5);
        check_rebuild(w);
        if (test_failed())
            printf("  step %d\n", step);
        world_free(w);
    }
}
