/* SPDX-License-Identifier: Apache-2.0 */
/* change.c - the world changes: bandit.changed says so once, whatever is lost and whoever dies. */
#include <stdlib.h>

#include "talk.h"
#include "test.h"

enum { DAYS = 40, MOVED = 20, EACH = 8, MORNING_S = 9 * HOUR_S };

static int64_t today(const struct world *w) { return sim_now_us(w->sim) / 1000000 / DAY_S; }

static void end_call_named(struct world *w, const char *id, const char *variant, int64_t ts, bool resolved)
{
    tell_end(w, &(struct told_end){.id = id, .variant = variant, .profile = "kfz", .ts = (double)ts, .resolved = resolved});
}

static void end_call(struct world *w, const char *variant, int64_t ts, bool resolved)
{
    char id[48];

    snprintf(id, sizeof id, "change-%llx", (unsigned long long)rng_next(&w->rng));
    end_call_named(w, id, variant, ts, resolved);
}

/* Mornings of forty days.  v1a solves seven of eight problems for twenty of them, then one of eight; v1b solves half, then half
 * or all. */
static void live_and_change(struct world *w, bool both)
{
    for (int day = 0; day < DAYS; day++)
        for (int i = 0; i < EACH; i++) {
            int64_t ts = (today(w) - DAYS + day) * DAY_S + MORNING_S;
            end_call(w, "v1a", ts, (i == 0) != (day < MOVED));
            end_call(w, "v1b", ts, i % 2 == 0 || (both && day >= MOVED));
        }
    world_run(w, 15000000);
}

static void live(struct world *w) { live_and_change(w, false); }

static int64_t facts(struct world *w) { return world_number(w, WORLD_BANDIT, "SELECT count(*) FROM restart"); }

static const char *in_context(const BanditChanged *m, const char *key)
{
    for (size_t i = 0; i < m->n_context; i++)
        if (strcmp(m->context[i]->key, key) == 0)
            return m->context[i]->value;
    return "";
}

static const BanditChanged *the_one(struct world *w)
{
    CHECK_INT(sim_stored(w->sim, SUBJECT_BANDIT_CHANGED), 1);
    return (const BanditChanged *)sim_message(w->sim, SUBJECT_BANDIT_CHANGED, 0);
}

static void check_said(struct world *w)
{
    const BanditChanged *m = the_one(w);

    if (!m)
        return;
    CHECK_STR(m->level, "arm");
    CHECK_STR(m->policy_variant, "v1a");
    CHECK_INT(m->n_context, 2);
    CHECK_STR(in_context(m, "profile"), "kfz");
    CHECK_STR(in_context(m, "time_of_day"), "morning");
    CHECK_INT(m->since % DAY_S, 0); /* so old are days, not hours */
    CHECK_INT(today(w) - m->since / DAY_S, DAYS - MOVED);
    CHECK(m->evidence > 0);
    CHECK(m->mean_before > m->mean_after);
    CHECK_NEAR(m->mean_before - m->mean_after, 0.6 * 6 / 8, 1e-6);
    CHECK_STR(m->reward_version, "v1");
    CHECK(m->ts > (double)m->since && m->ts <= (double)sim_now_us(w->sim) / 1e6);
}

TEST(sim_change, a_world_that_changes_is_said_once_with_level_variant_context_and_evidence)
{
    struct world *w = world_new(1);

    live(w);
    CHECK_INT(sim_stored(w->sim, SUBJECT_BANDIT_CHANGED), 0);
    world_sleep(w, HOUR_S);
    world_run(w, 200000);
    check_said(w);
    const BanditUpdated *next = (const BanditUpdated *)sim_last(w->sim, SUBJECT_BANDIT_UPDATED);
    const BanditChanged *m = the_one(w);
    CHECK_STR(m ? m->policy_version : "-", next ? next->policy_version : "");
    for (int i = 0; i < 3; i++) {
        world_sleep(w, HOUR_S);
        world_run(w, 15000000);
    }
    world_kill(w, WORLD_BANDIT);
    world_run(w, 15000000);
    check_said(w);
    world_free(w);
}

TEST(sim_change, two_changes_of_one_hour_are_two_facts_and_two_messages)
{
    struct world *w = world_new(5);

    live_and_change(w, true);
    world_sleep(w, HOUR_S);
    world_run(w, 200000);
    CHECK_INT(facts(w), 2);
    CHECK_INT(sim_stored(w->sim, SUBJECT_BANDIT_CHANGED), 2);
    const BanditChanged *first = (const BanditChanged *)sim_message(w->sim, SUBJECT_BANDIT_CHANGED, 0),
                        *second = (const BanditChanged *)sim_message(w->sim, SUBJECT_BANDIT_CHANGED, 1);
    if (first && second) {
        CHECK_STR(first->policy_variant, "v1a"); /* explains more */
        CHECK_STR(second->policy_variant, "v1b");
        CHECK(first->mean_after < first->mean_before && second->mean_after > second->mean_before);
        CHECK_STR(first->policy_version, second->policy_version);
    }
    world_free(w);
}

TEST(sim_change, killed_between_the_commit_and_the_publish_it_is_said_by_the_next_life)
{
    struct world *w = world_new(2);

    live(w);
    world_sleep(w, HOUR_S);
    world_arm(w, WORLD_BANDIT, STEP_COMMITTED, 1);
    world_run(w, 20000);
    CHECK_INT(w->lives[WORLD_BANDIT].deaths, 1);
    CHECK_INT(facts(w), 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_BANDIT_CHANGED), 0);
    world_run(w, 15000000);
    check_said(w);
    world_free(w);
}

TEST(sim_change, a_death_at_any_step_over_a_bus_that_loses_and_repeats_loses_nothing_and_says_nothing_twice)
{
    static const struct sim_chaos chaos = {.lose = 0.2, .repeat = 0.2, .delay_us = 60000};

    for (int step = 0; step < STEP_COUNT && !test_failed(); step++) {
        struct world *w = world_new(10 + (uint64_t)step);
        live(w);
        sim_set_chaos(w->sim, &chaos);
        world_sleep(w, HOUR_S);
        world_arm(w, WORLD_BANDIT, (enum loop_step)step, 1);
        world_run(w, 30000000);
        sim_set_chaos(w->sim, NULL);
        world_run(w, 15000000);
        CHECK_INT(facts(w), 1);
        check_said(w);
        if (test_failed())
            printf("  step %d\n", step);
        world_free(w);
    }
}

/* ---- the day of a change is folded ----------------------------------------------------------------------------------- */

enum { AFTERNOON_H = 11, CHANGE_H = 14, EVENING_H = 16, AN_HOUR = 30, SINCE = (EVENING_H - CHANGE_H) * AN_HOUR }; /* UTC */

/* An afternoon of yesterday, in which v1a goes wrong at 14 o'clock; calls are named by variant, hour and number. */
static void live_an_afternoon(struct world *w)
{
    static const char *const two[] = {"v1a", "v1b"};

    for (int i = 0; i < 2 * (EVENING_H - AFTERNOON_H) * AN_HOUR; i++) {
        int hour = AFTERNOON_H + i / 2 / AN_HOUR, number = i / 2 % AN_HOUR;
        char id[48];
        snprintf(id, sizeof id, "%s-%d-%d", two[i % 2], hour, number);
        end_call_named(w, id, two[i % 2], (today(w) - 1) * DAY_S + hour * HOUR_S + number,
                       i % 2 ? number % 2 : (number % 8 == 0) != (hour < CHANGE_H));
    }
    world_run(w, 15000000);
}

/* Of the afternoon, under model gaussian, that borrows nothing. */
static const BanditArmStats *believed(struct world *w)
{
    BanditStatsRequest ask = TOM__RL__V1__BANDIT_STATS_REQUEST__INIT;
    static const BanditArmStats none = TOM__RL__V1__BANDIT_ARM_STATS__INIT;

    check_rebuild(w);
    ask.profile = (char *)"kfz";
    ask.time_of_day = (char *)"afternoon";
    const BanditArmStats *arm = stats_of_arm((const BanditStatsReply *)world_ask(w, SUBJECT_BANDIT_STATS, &ask.base), "v1a");
    return arm ? arm : &none;
}

/* With one call, in another context, that tells how far time has come. */
static void days_pass(struct world *w, int days)
{
    for (int i = 0; i < 24 * days; i++)
        world_sleep(w, HOUR_S);
    end_call(w, "v2b", today(w) * DAY_S, true);
    world_run(w, 15000000);
    world_sleep(w, HOUR_S);
    world_run(w, 15000000);
}

static void erase(struct world *w, const char *id)
{
    ask_erase_call(w, id);
    world_run(w, 15000000);
}

static void retract(struct world *w, const char *id)
{
    tell_retracted(w, id, true);
    world_run(w, 15000000);
}

TEST(sim_change, what_came_after_a_change_counts_to_the_call_when_its_day_is_folded)
{
    struct world *w = world_new(70);

    world_configure(w, "bandit: {model: gaussian}\n");
    live_an_afternoon(w);
    world_sleep(w, HOUR_S);
    world_run(w, 15000000);
    const BanditChanged *m = the_one(w);
    CHECK_INT(m ? m->since - (today(w) - 1) * DAY_S : -1, CHANGE_H * HOUR_S);
    CHECK_NEAR(believed(w)->n_eff, SINCE, 0);
    double mean = believed(w)->posterior_mean;
    for (int i = 0; i < 2; i++) {
        days_pass(w, 5);
        CHECK_NEAR(believed(w)->n_eff, SINCE, 0);
        CHECK_NEAR(believed(w)->posterior_mean, mean, 0.01); /* the variance is that of all calls, also of new ones */
        world_kill(w, WORLD_BANDIT);
        world_run(w, 15000000);
    }
    retract(w, "v1a-13-1");
    erase(w, "v1a-13-2");
    CHECK_NEAR(believed(w)->n_eff, SINCE, 0);
    retract(w, "v1a-14-1");
    CHECK_NEAR(believed(w)->n_eff, SINCE - 1, 0);
    erase(w, "v1a-14-2");
    CHECK_NEAR(believed(w)->n_eff, SINCE - 2, 0);
    world_kill(w, WORLD_BANDIT);
    world_run(w, 15000000);
    CHECK_NEAR(believed(w)->n_eff, SINCE - 2, 0);
    CHECK_INT(believed(w)->pulls, (EVENING_H - AFTERNOON_H) * AN_HOUR - 4);
    CHECK_INT(facts(w), 1);
    world_free(w);
}
