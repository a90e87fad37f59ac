/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - whatever the bus loses, repeats or reorders and whoever dies at whichever step: each call counts once. */
#include <stdlib.h>

#include "talk.h"
#include "test.h"

enum { CALLS = 120, MAX_VARIANT_COUNT = 12 };

/* What we, outside, know of a call. */
struct call {
    char id[32];
    const char *variant; /* that was spoken */
    struct signals signals;
    bool retracted, by_decision;
};

static void set_signals(Signals *m, const struct signals *s)
{
    TELL(m, resolution, SIGNALS, RESOLUTION, s->resolution == TRI_TRUE);
    if (s->user_rating)
        TELL(m, user_rating, SIGNALS, USER_RATING, s->user_rating);
    TELL(m, barge_in_count, SIGNALS, BARGE_IN_COUNT, s->barge_in_count);
    TELL(m, duration_sec, SIGNALS, DURATION_SEC, s->duration_sec);
}

static void amend_rating(struct world *w, struct call *c, int rating, int64_t at_us)
{
    CallAmended m = TOM__RL__V1__CALL_AMENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = c->id;
    m.signals = &s;
    TELL(&m, at, CALL_AMENDED, AT, (double)at_us / 1e6);
    TELL(&s, user_rating, SIGNALS, USER_RATING, rating);
    sim_publish(w->sim, SUBJECT_CALL_AMENDED, &m.base, "");
    c->signals.user_rating = rating;
}

static void retract(struct world *w, struct call *c, bool retracted)
{
    tell_retracted(w, c->id, retracted);
    c->retracted = retracted;
}

static void end_call(struct world *w, const struct call *c, bool name_variant)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = (char *)c->id;
    m.signals = &s;
    set_signals(&s, &c->signals);
    if (name_variant)
        TELL(&m, policy_variant, CALL_ENDED, POLICY_VARIANT, (char *)c->variant);
    sim_publish(w->sim, SUBJECT_CALL_ENDED, &m.base, "");
}

/* One attempt; the caller's assistant cannot wait. */
static const char *decide(struct world *w, const struct call *c)
{
    static const char *const profiles[] = {"kfz", "it", "sales", "unheard_of"};
    PolicySelectRequest m = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;

    m.call_id = (char *)c->id;
    m.profile = (char *)profiles[rng_below(&w->rng, 4)];
    uint64_t number = sim_request(w->sim, SUBJECT_POLICY_SELECT, &m.base);
    world_run(w, 200000);
    const PolicySelectReply *r = (const PolicySelectReply *)sim_reply(w->sim, number);
    return r && !r->error ? r->policy_variant : NULL;
}

static void live(struct world *w, struct call *c, int number)
{
    struct rng *rng = &w->rng;
    bool early = rng_below(rng, 8) == 0, early_retraction = rng_below(rng, 16) == 0;

    snprintf(c->id, sizeof c->id, "call-%d", number);
    c->signals = SIGNALS_NONE;
    c->signals.resolution = tri_of(rng_below(rng, 2));
    c->signals.user_rating = (int)rng_below(rng, 6);
    c->signals.barge_in_count = (int)rng_below(rng, 5);
    c->signals.duration_sec = (double)rng_below(rng, 3000) / 10;
    const char *decided = rng_below(rng, 5) ? decide(w, c) : NULL;
    c->by_decision = decided != NULL && rng_below(rng, 4) != 0;
    c->variant = decided && rng_below(rng, 20) ? decided : w->variants.items[rng_below(rng, w->variants.count)].id;
    if (c->by_decision)
        c->variant = decided;
    if (early_retraction)
        retract(w, c, true);
    if (early)
        amend_rating(w, c, 1 + (int)rng_below(rng, 5), sim_now_us(w->sim) + 1000000000);
    end_call(w, c, !c->by_decision);
    if (rng_below(rng, 4) == 0)
        end_call(w, c, !c->by_decision);
    world_run(w, (int64_t)rng_below(rng, 300000));
    if (!early && rng_below(rng, 3) == 0)
        amend_rating(w, c, 1 + (int)rng_below(rng, 5), sim_now_us(w->sim) + 1000);
    if (!early_retraction && rng_below(rng, 10) == 0)
        retract(w, c, true);
    if (c->retracted && rng_below(rng, 3) == 0) {
        world_run(w, 1000);
        retract(w, c, false);
    }
}

static struct stats expected_of(const struct call *calls, const char *variant, int *ret_counted)
{
    struct stats sum = {0};

    for (int i = 0; i < CALLS; i++) {
        if (calls[i].retracted || (variant && strcmp(calls[i].variant, variant) != 0))
            continue;
        add_expected(&sum, &default_rules, &calls[i].signals);
        ++*ret_counted;
    }
    return sum;
}

static void check_learned(struct world *w, const struct call *calls)
{
    const BanditStatsReply *r = ask_bandit_stats(w, "");

    CHECK(r && !r->error && r->n_variants == w->variants.count);
    for (size_t i = 0; r && i < r->n_variants; i++) {
        int counted = 0;
        struct stats sum = expected_of(calls, r->variants[i]->key, &counted);
        CHECK_INT(r->variants[i]->value->pulls, sum.n);
        CHECK_NEAR(r->variants[i]->value->total_reward, (double)sum.reward / REWARD_SCALE, 1e-9);
    }
    const BanditRebuildReply *same = check_rebuild(w);
    CHECK(same && same->differences == 0);
}

static void check_stored(struct world *w, const struct call *calls)
{
    const FeedbackStatsReply *r = ask_feedback_stats(w);
    int counted = 0;

    expected_of(calls, NULL, &counted);
    CHECK(r && !r->error);
    if (r) {
        CHECK_INT(r->total_events, counted);
        CHECK_INT(r->retracted, CALLS - counted);
        CHECK_INT(r->waiting, 0);
    }
    CHECK_INT(dead_letters(w), 0);
}

static void settle_and_check(struct world *w, const struct call *calls)
{
    world_calm(w);
    check_learned(w, calls);
    check_stored(w, calls);
}

static void run_seed(uint64_t seed)
{
    static const struct sim_chaos chaos = {.lose = 0.05, .repeat = 0.05, .delay_us = 60000};
    struct world *w = world_new(seed);
    struct call calls[CALLS] = {0};

    sim_set_chaos(w->sim, &chaos);
    w->death_rate = 0.0008;
    for (int i = 0; i < CALLS && !test_failed(); i++)
        live(w, &calls[i], i);
    settle_and_check(w, calls);
    if (test_failed())
        printf("  seed %llu\n", (unsigned long long)seed);
    world_free(w);
}

TEST(sim_loop, seeds)
{
    for (uint64_t seed = 1; seed <= 20 && !test_failed(); seed++)
        run_seed(seed);
}

/* One world a service; it dies at each step of the loop in turn, early and late. */
TEST(sim_loop, a_crash_at_every_step_of_every_service_changes_nothing)
{
    for (int service = 0; service < WORLD_SERVICES && !test_failed(); service++) {
        struct world *w = world_new(1000 + (uint64_t)service);
        struct call calls[CALLS] = {0};
        for (int i = 0; i < CALLS; i++) {
            if (i % 6 == 0)
                world_arm(w, (enum world_service)service, (enum loop_step)(i / 6 % STEP_COUNT), 1 + i / 60);
            live(w, &calls[i], i);
        }
        settle_and_check(w, calls);
        CHECK(w->lives[service].deaths > STEP_COUNT / 2);
        if (test_failed())
            printf("  service %d\n", service);
        world_free(w);
    }
}

static void replay_all(struct world *w)
{
    ask_replay(w, "");
    world_run(w, 10 * SECOND_US);
}

TEST(sim_loop, streams_lost_and_replayed_leave_the_sums_as_they_were)
{
    struct world *w = world_new(7);
    struct call calls[CALLS] = {0};

    for (int i = 0; i < CALLS; i++)
        live(w, &calls[i], i);
    settle_and_check(w, calls);
    sim_lose_streams(w->sim);
    for (int i = 0; i < WORLD_SERVICES; i++)
        world_kill(w, (enum world_service)i);
    replay_all(w);
    check_learned(w, calls);
    world_free(w);
}

/* bandit.db deleted: the truth about calls is in feedback.db. */
TEST(sim_loop, a_lost_ledger_is_learned_again_from_a_replay)
{
    struct world *w = world_new(8);
    struct call calls[CALLS] = {0};

    for (int i = 0; i < CALLS; i++)
        live(w, &calls[i], i);
    settle_and_check(w, calls);
    world_kill(w, WORLD_BANDIT);
    w->keepers[WORLD_BANDIT] = store_close(w->keepers[WORLD_BANDIT]);
    replay_all(w);
    check_learned(w, calls);
    world_free(w);
}

TEST(sim_loop, rubbish_lies_in_the_dead_letters_and_the_next_good_message_counts)
{
    struct world *w = world_new(9);
    struct call calls[CALLS] = {0};

    sim_publish_raw(w->sim, SUBJECT_CALL_ENDED, "\xff\xff\xff\xff", 4);
    sim_publish_raw(w->sim, SUBJECT_CALL_ENDED, "{\"call_id\":\"x\",\"signals\":{\"resolution\":true,\"user_rating\":9}}", 62);
    for (int i = 0; i < CALLS; i++)
        live(w, &calls[i], i);
    world_run(w, 20000000);
    check_learned(w, calls);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK), 2);
    const DeadLetter *d = (const DeadLetter *)sim_message(w->sim, SUBJECT_DLQ_FEEDBACK, 1);
    CHECK(d != NULL);
    CHECK_STR(d ? d->field : "", "signals.user_rating");
    world_free(w);
}
