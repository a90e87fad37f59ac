/* SPDX-License-Identifier: Apache-2.0 */
/* retention.c - rows of bandit.db leave by age, whoever dies meanwhile and whatever is said again: no sum moves. */
#include <stdlib.h>

#include "talk.h"
#include "test.h"

#define KEEP_44 "bandit: {retention_days: 44}\n"

static void end_call(struct world *w, int number)
{
    char id[32];

    snprintf(id, sizeof id, "kept-%d", number);
    tell_end(w, &(struct told_end){.id = id, .variant = w->variants.items[(size_t)number % w->variants.count].id,
                                   .resolved = number % 3 == 0});
}

static void end_calls(struct world *w, int from, int to)
{
    for (int i = from; i < to; i++)
        end_call(w, i);
    world_run(w, 3 * SECOND_US);
}

static void replay_all(struct world *w)
{
    ask_replay(w, "");
    world_run(w, 10 * SECOND_US);
}

static const BanditStatsReply *learned(struct world *w) { return ask_bandit_stats(w, ""); }

static void check_same(const BanditStatsReply *a, const BanditStatsReply *b)
{
    CHECK(a && b && a->n_variants == b->n_variants);
    for (size_t i = 0; a && b && i < a->n_variants; i++) {
        CHECK_INT(a->variants[i]->value->pulls, b->variants[i]->value->pulls);
        CHECK_NEAR(a->variants[i]->value->total_reward, b->variants[i]->value->total_reward, 0);
    }
}

static void check_rows(struct world *w, int64_t rows, int64_t given_up)
{
    const BanditRebuildReply *r = check_rebuild(w);

    CHECK_INT(r ? r->rows : -1, rows);
    CHECK_INT(r ? r->given_up : -1, given_up);
}

TEST(sim_retention, rows_leave_after_their_time_and_a_replay_of_their_calls_changes_nothing)
{
    struct world *w = world_new(1);

    end_calls(w, 0, 50);
    world_sleep(w, 60 * DAY_S);
    end_calls(w, 50, 60);
    check_rows(w, 60, 0); /* ninety days */
    const BanditStatsReply *before = learned(w);
    world_configure(w, KEEP_44);
    world_run(w, 5 * SECOND_US);
    check_rows(w, 10, 50);
    check_same(before, learned(w));
    replay_all(w);
    check_rows(w, 10, 50);
    check_same(before, learned(w));
    world_kill(w, WORLD_BANDIT);
    world_run(w, 5 * SECOND_US);
    replay_all(w);
    check_rows(w, 10, 50);
    check_same(before, learned(w));
    world_free(w);
}

TEST(sim_retention, one_days_rows_an_hour_and_a_clock_that_jumps_takes_none)
{
    struct world *w = world_new(2);

    world_configure(w, KEEP_44);
    for (int day = 0; day < 3; day++) {
        end_calls(w, 10 * day, 10 * day + 10);
        world_sleep(w, DAY_S);
    }
    world_sleep(w, 1000 * DAY_S);
    world_run(w, 3 * SECOND_US);
    check_rows(w, 30, 0);
    end_calls(w, 30, 40); /* now it is known that so much time went by */
    world_sleep(w, HOUR_S);
    for (int day = 0; day < 3; day++) {
        world_run(w, 3 * SECOND_US);
        check_rows(w, 30 - 10 * day, 10 + 10 * day);
        world_sleep(w, HOUR_S);
    }
    world_run(w, 3 * SECOND_US);
    check_rows(w, 10, 30);
    world_free(w);
}

TEST(sim_retention, the_bandit_dies_at_each_step_while_rows_leave_and_a_replay_says_them_all_again)
{
    enum { OLD = 700, YOUNG = 100 };
    static const struct sim_chaos chaos = {.lose = 0.05, .repeat = 0.05, .delay_us = 60000};

    for (int step = 0; step < STEP_COUNT && !test_failed(); step++) {
        struct world *w = world_new(10 + (uint64_t)step);
        FeedbackReplayRequest replay = TOM__RL__V1__FEEDBACK_REPLAY_REQUEST__INIT;
        world_configure(w, KEEP_44);
        end_calls(w, 0, OLD);
        world_sleep(w, 60 * DAY_S);
        end_calls(w, OLD, OLD + YOUNG);
        const BanditStatsReply *before = learned(w);
        world_sleep(w, HOUR_S);
        sim_set_chaos(w->sim, &chaos);
        world_arm(w, WORLD_BANDIT, (enum loop_step)step, 3);
        sim_request(w->sim, SUBJECT_FEEDBACK_REPLAY, &replay.base);
        world_run(w, 30 * (int64_t)SECOND_US);
        sim_set_chaos(w->sim, NULL);
        world_run(w, 15 * SECOND_US);
        CHECK_INT(w->lives[WORLD_BANDIT].deaths, 2); /* the first was the configuration's */
        check_rows(w, YOUNG, OLD);
        check_same(before, learned(w));
        if (test_failed())
            printf("  step %d\n", step);
        world_free(w);
    }
}
