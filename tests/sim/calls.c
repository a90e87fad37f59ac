/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - live calls told by their events: whatever is lost, repeated or late and whoever dies, each ends once, is learned
 * once, and speaks with one voice. */
#include <stdlib.h>

#include "fsm.h"
#include "talk.h"
#include "test.h"

enum { CALLS = 60, STEPS = 14 };

/* What we, outside, know of a call. */
struct caller {
    char id[32];
    enum fsm_state state;
    struct signals signals;
    bool answered;
    int64_t clock_us, answered_at_us; /* as its events say */
    const char *variant;              /* that somebody was told */
    int refused;
};

static void say(struct world *w, const char *id, const char *event, double ts, Tom__Rl__V1__CallEvent__Data *data)
{
    CallEvent m = TOM__RL__V1__CALL_EVENT__INIT;
    char message_id[64];

    m.call_id = (char *)id;
    m.event = (char *)event;
    m.data = data;
    if (ts > 0)
        TELL(&m, ts, CALL_EVENT, TS, ts);
    snprintf(message_id, sizeof message_id, "event:%s:%zu", id, sim_stored(w->sim, SUBJECT_CALL_EVENT));
    sim_publish(w->sim, SUBJECT_CALL_EVENT, &m.base, message_id);
    sim_publish(w->sim, SUBJECT_CALL_EVENT, &m.base, message_id); /* a sender that missed the PubAck */
}

static void learn(struct caller *c, const Tom__Rl__V1__CallEvent__Data *data)
{
    if (HAS(data, has_user_rating_case))
        c->signals.user_rating = data->user_rating;
    if (HAS(data, has_resolution_case))
        c->signals.resolution = tri_of(data->resolution);
    if (HAS(data, has_repeat_count_case))
        c->signals.repeats = data->repeat_count;
}

static void tell_something(struct rng *rng, Tom__Rl__V1__CallEvent__Data *data)
{
    if (rng_below(rng, 6) == 0)
        TELL(data, user_rating, CALL_EVENT__DATA, USER_RATING, 1 + (int)rng_below(rng, 5));
    if (rng_below(rng, 6) == 0)
        TELL(data, repeat_count, CALL_EVENT__DATA, REPEAT_COUNT, (int)rng_below(rng, 6));
    if (rng_below(rng, 6) == 0)
        TELL(data, resolution, CALL_EVENT__DATA, RESOLUTION, rng_below(rng, 2) != 0);
}

/* Also what the state refuses. */
static void event(struct world *w, struct caller *c, enum fsm_event e)
{
    Tom__Rl__V1__CallEvent__Data data = TOM__RL__V1__CALL_EVENT__DATA__INIT;
    enum fsm_state before = c->state;

    c->clock_us += (int64_t)rng_below(&w->rng, 20 * SECOND_US);
    tell_something(&w->rng, &data);
    if (e == FSM_ON_CALL_ENDED && rng_below(&w->rng, 4))
        TELL(&data, resolution, CALL_EVENT__DATA, RESOLUTION, rng_below(&w->rng, 3) != 0);
    say(w, c->id, fsm_event_text(e), (double)c->clock_us / 1e6, &data);
    if (!fsm_next(before, e, false, &c->state)) {
        c->refused++;
        return;
    }
    learn(c, &data);
    c->signals.barge_in_count += e == FSM_ON_BARGE_IN && c->signals.barge_in_count < 10;
    if (c->state == FSM_CONNECTED) {
        c->answered = true;
        c->answered_at_us = c->clock_us;
    }
    if (c->state == FSM_ENDED && c->answered)
        c->signals.duration_sec = (double)(c->clock_us - c->answered_at_us) / 1e6;
}

/* Whoever asks, and whenever, hears of one variant. */
static void ask_variant(struct world *w, struct caller *c)
{
    PolicySelectRequest select = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;
    RouterSessionRequest session = TOM__RL__V1__ROUTER_SESSION_REQUEST__INIT;
    bool by_session = rng_below(&w->rng, 2) == 0;
    const char *told = NULL;

    select.call_id = session.call_id = c->id;
    uint64_t number = by_session ? sim_request(w->sim, SUBJECT_ROUTER_SESSION, &session.base)
                                 : sim_request(w->sim, SUBJECT_POLICY_SELECT, &select.base);
    world_run(w, 150000);
    const void *reply = sim_reply(w->sim, number);
    if (reply && by_session && !((const RouterSessionReply *)reply)->error)
        told = ((const RouterSessionReply *)reply)->policy_variant;
    if (reply && !by_session)
        told = ((const PolicySelectReply *)reply)->policy_variant;
    if (told && c->variant && strcmp(told, c->variant) != 0)
        test_fail(__FILE__, __LINE__, "%s hears %s and then %s", c->id, c->variant, told);
    c->variant = told ? told : c->variant;
}

static void live(struct world *w, struct caller *c, int number)
{
    struct rng *rng = &w->rng;
    enum fsm_state next;

    snprintf(c->id, sizeof c->id, "call-%d", number);
    c->signals = SIGNALS_NONE;
    c->signals.barge_in_count = 0;
    c->clock_us = sim_now_us(w->sim) - 400 * (int64_t)SECOND_US;
    if (rng_below(rng, 3) == 0)
        ask_variant(w, c);
    event(w, c, FSM_ON_INCOMING_CALL);
    for (int i = 0; i < STEPS && c->state != FSM_ENDED; i++) {
        enum fsm_event e = (enum fsm_event)rng_below(rng, FSM_EVENTS);
        bool ends = fsm_next(c->state, e, false, &next) && next == FSM_ENDED;
        if (!fsm_next(c->state, e, false, &next) ? rng_below(rng, 8) == 0 : !ends || i > 8)
            event(w, c, e);
        if (rng_below(rng, 6) == 0)
            ask_variant(w, c);
        world_run(w, (int64_t)rng_below(rng, 100000));
    }
    if (c->state == FSM_RINGING && rng_below(rng, 3))
        event(w, c, FSM_ON_CALL_ANSWERED);
    if (c->state != FSM_ENDED)
        event(w, c, FSM_ON_CALL_ENDED);
}

/* ---- what came of it ------------------------------------------------------------------------------------------------- */

static const CallEnded *only_end(struct world *w, const struct caller *c)
{
    const CallEnded *found = NULL, *m;

    for (size_t i = 0; (m = (const CallEnded *)sim_message(w->sim, SUBJECT_CALL_ENDED, i)); i++) {
        if (strcmp(m->call_id, c->id) != 0)
            continue;
        if (found)
            test_fail(__FILE__, __LINE__, "%s ended twice", c->id);
        found = m;
    }
    return found;
}

static void check_end(struct world *w, struct caller *c)
{
    const CallEnded *m = only_end(w, c);

    if ((m != NULL) != c->answered)
        test_fail(__FILE__, __LINE__, "%s was %sanswered, and there is %s end", c->id, c->answered ? "" : "not ",
                  m ? "an" : "no");
    if (!m)
        return;
    CHECK_INT(m->source, TOM__RL__V1__SOURCE__SOURCE_FSM);
    CHECK_STR(m->policy_variant, c->variant ? c->variant : m->policy_variant);
    c->variant = m->policy_variant;
    CHECK_INT(m->signals->barge_in_count, c->signals.barge_in_count);
    CHECK_INT(HAS(m->signals, has_user_rating_case) ? m->signals->user_rating : 0, c->signals.user_rating);
    CHECK_INT(HAS(m->signals, has_resolution_case) ? tri_of(m->signals->resolution) : TRI_UNKNOWN, c->signals.resolution);
    CHECK_INT(HAS(m->signals, has_repeats_case) ? m->signals->repeats : -1, c->signals.repeats);
    CHECK_NEAR(m->signals->duration_sec, c->signals.duration_sec, 1e-3);
    c->signals.duration_sec = m->signals->duration_sec; /* microseconds in a double of seconds */
}

static void check_learned(struct world *w, const struct caller *calls)
{
    const BanditStatsReply *r = ask_bandit_stats(w, "");

    for (size_t v = 0; r && v < r->n_variants; v++) {
        struct stats sum = {0};
        for (int i = 0; i < CALLS; i++)
            if (calls[i].answered && calls[i].signals.resolution != TRI_UNKNOWN
                && strcmp(calls[i].variant, r->variants[v]->key) == 0)
                add_expected(&sum, &default_rules, &calls[i].signals);
        CHECK_INT(r->variants[v]->value->pulls, sum.n);
        CHECK_NEAR(r->variants[v]->value->total_reward, (double)sum.reward / REWARD_SCALE, 1e-9);
    }
}

/* One decision a call, and no override: the propensity that was logged is that of what was spoken. */
static void check_decisions(struct world *w, const struct caller *calls)
{
    const FeedbackStatsReply *r = ask_feedback_stats(w);
    const FeedbackStored *m;
    size_t known = 0, waiting = 0;

    for (size_t i = 0; (m = (const FeedbackStored *)sim_message(w->sim, SUBJECT_FEEDBACK_STORED, i)); i++)
        if (m->decision_source && !HAS(m, has_propensity_case))
            test_fail(__FILE__, __LINE__, "a call spoke another variant than was decided");
    for (int i = 0; i < CALLS; i++) {
        known += calls[i].answered && calls[i].signals.resolution != TRI_UNKNOWN;
        waiting += calls[i].answered && calls[i].signals.resolution == TRI_UNKNOWN;
    }
    CHECK_INT(r ? r->total_events : 0, known);
    CHECK_INT(r ? r->waiting : 0, waiting);
    CHECK_INT(sim_stored(w->sim, SUBJECT_POLICY_SELECTED), CALLS);
}

static void settle_and_check(struct world *w, struct caller *calls)
{
    world_calm(w);
    for (int i = 0; i < CALLS; i++)
        check_end(w, &calls[i]);
    check_learned(w, calls);
    check_decisions(w, calls);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK), 0);
}

static int refused(const struct caller *calls)
{
    int n = 0;

    for (int i = 0; i < CALLS; i++)
        n += calls[i].refused;
    return n;
}

TEST(sim_calls, each_call_ends_once_and_is_learned_once_over_a_bus_that_loses_and_services_that_die)
{
    static const struct sim_chaos chaos = {.lose = 0.04, .repeat = 0.05, .delay_us = 60000};

    for (uint64_t seed = 1; seed <= 12 && !test_failed(); seed++) {
        struct world *w = world_new(500 + seed);
        struct caller calls[CALLS] = {0};
        sim_set_chaos(w->sim, &chaos);
        w->death_rate = 0.0006;
        for (int i = 0; i < CALLS && !test_failed(); i++)
            live(w, &calls[i], i);
        settle_and_check(w, calls);
        CHECK(refused(calls) > 0);
        if (test_failed())
            printf("  seed %llu\n", (unsigned long long)seed);
        world_free(w);
    }
}

/* Nothing is lost here but the router itself, at each step in turn: so each refused event has its dead letter, and only one. */
TEST(sim_calls, a_crash_of_the_router_at_every_step_changes_nothing)
{
    for (int countdown = 1; countdown <= 3 && !test_failed(); countdown++) {
        struct world *w = world_new(600 + (uint64_t)countdown);
        struct caller calls[CALLS] = {0};
        for (int i = 0; i < CALLS && !test_failed(); i++) {
            if (i % 3 == 0)
                world_arm(w, WORLD_ROUTER, (enum loop_step)(i / 3 % STEP_COUNT), countdown);
            live(w, &calls[i], i);
        }
        settle_and_check(w, calls);
        CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_ROUTER), refused(calls));
        CHECK(w->lives[WORLD_ROUTER].deaths > STEP_COUNT);
        if (test_failed())
            printf("  countdown %d\n", countdown);
        world_free(w);
    }
}

/* ---- one call at a time ---------------------------------------------------------------------------------------------- */

static void at_once(struct world *w, const char *id, const char *name)
{
    say(w, id, name, 0, NULL);
    world_run(w, SECOND_US);
}

static const RouterSessionReply *session(struct world *w, const char *id)
{
    RouterSessionRequest ask = TOM__RL__V1__ROUTER_SESSION_REQUEST__INIT;

    ask.call_id = (char *)id;
    return (const RouterSessionReply *)world_ask(w, SUBJECT_ROUTER_SESSION, &ask.base);
}

static uint64_t in_state(const RouterSessionReply *r, const char *state)
{
    for (size_t i = 0; i < r->n_states; i++)
        if (strcmp(r->states[i]->key, state) == 0)
            return r->states[i]->value;
    return UINT64_MAX;
}

static const DeadLetter *letter(struct world *w, size_t index)
{
    static const DeadLetter none = TOM__RL__V1__DEAD_LETTER__INIT;
    const DeadLetter *d = (const DeadLetter *)sim_message(w->sim, SUBJECT_DLQ_ROUTER, index);

    CHECK(d != NULL);
    return d ? d : &none;
}

TEST(sim_calls, what_does_not_fit_lies_in_the_dead_letters_with_state_and_event)
{
    static const struct { const char *json, *field, *words; } bad[] = {
        {"{\"call_id\":\"c\",\"event\":\"hung_up\"}", "event", "hung_up"},
        {"{\"call_id\":\"  \",\"event\":\"timeout\"}", "call_id", "expected 1 .. 100"},
        {"{\"call_id\":\"c\",\"event\":\"timeout\",\"ts\":1763800000000}", "ts", "milliseconds?"},
        {"{\"call_id\":\"c\",\"event\":\"timeout\",\"data\":{\"user_rating\":6}}", "data.user_rating", "1 .. 5"},
        {"{\"call_id\":\"c\",\"event\":\"timeout\",\"data\":{\"repeat_count\":-1}}", "data.repeat_count", "0 .. 5"},
        {"{\"call_id\":\"c\",\"event\":\"timeout\",\"data\":{\"mood\":1}}", "data.mood", ""},
        {"{\"call_id\":\"c\",\"event\":\"audio_start\"}", "event", "state ringing takes no audio_start"},
        {"{\"call_id\":\"nobody\",\"event\":\"call_ended\"}", "event", "state idle takes no call_ended"},
    };
    struct world *w = world_new(700);

    world_run(w, SECOND_US);
    at_once(w, "c", "incoming_call");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        sim_publish_raw(w->sim, SUBJECT_CALL_EVENT, bad[i].json, strlen(bad[i].json));
        world_run(w, SECOND_US);
        CHECK_STR(letter(w, i)->field, bad[i].field);
        if (!strstr(letter(w, i)->message, bad[i].words))
            test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", letter(w, i)->message, bad[i].words);
        CHECK_INT(letter(w, i)->payload.len, strlen(bad[i].json));
    }
    CHECK_STR(session(w, "c")->state, "ringing");
    CHECK_INT(session(w, "c")->events, 1);
    CHECK_STR(session(w, "nobody")->error->code, "not_found");
    CHECK_INT(sim_stored(w->sim, SUBJECT_CALL_ENDED), 0);
    world_free(w);
}

TEST(sim_calls, an_incoming_call_decides_as_policy_select_does)
{
    struct world *w = world_new(701);
    Tom__Rl__V1__CallEvent__Data kfz = TOM__RL__V1__CALL_EVENT__DATA__INIT;

    world_run(w, SECOND_US);
    const PolicySelectReply *first = ask_decision(w, "asked", "it");
    at_once(w, "asked", "incoming_call");
    CHECK_STR(session(w, "asked")->policy_variant, first->policy_variant);
    CHECK_STR(session(w, "asked")->decision_id, first->decision_id);
    CHECK_INT(sim_stored(w->sim, SUBJECT_POLICY_SELECTED), 1);
    TELL(&kfz, profile, CALL_EVENT__DATA, PROFILE, (char *)"kfz");
    say(w, "unasked", "incoming_call", 0, &kfz);
    at_once(w, "plain", "incoming_call");
    CHECK_INT(sim_stored(w->sim, SUBJECT_POLICY_SELECTED), 3);
    CHECK_STR(((const PolicySelected *)sim_message(w->sim, SUBJECT_POLICY_SELECTED, 1))->context[0]->value, "kfz");
    CHECK_STR(((const PolicySelected *)sim_message(w->sim, SUBJECT_POLICY_SELECTED, 2))->context[0]->value, "general");
    const PolicySelectReply *then = ask_decision(w, "unasked", "it");
    CHECK_STR(then->decision_id, session(w, "unasked")->decision_id);
    CHECK_STR(then->context[0]->value, "kfz");
    world_run(w, (DUPLICATE_WINDOW_S + 30) * (int64_t)SECOND_US);
    CHECK(ask_decision(w, "plain", "it") != NULL);
    CHECK_INT(sim_stored(w->sim, SUBJECT_POLICY_SELECTED), 3);
    world_free(w);
}

TEST(sim_calls, a_call_that_was_never_answered_says_nothing_at_its_end)
{
    struct world *w = world_new(702);
    Tom__Rl__V1__CallEvent__Data barred = TOM__RL__V1__CALL_EVENT__DATA__INIT;

    world_run(w, SECOND_US);
    at_once(w, "missed", "incoming_call");
    at_once(w, "missed", "timeout");
    at_once(w, "barred", "incoming_call");
    TELL(&barred, barred, CALL_EVENT__DATA, BARRED, true);
    say(w, "barred", "call_answered", 0, &barred);
    world_run(w, SECOND_US);
    CHECK_STR(session(w, "barred")->state, "barred");
    at_once(w, "barred", "call_ended");
    CHECK_STR(session(w, "missed")->state, "ended");
    CHECK_STR(session(w, "barred")->state, "ended");
    CHECK_INT(sim_stored(w->sim, SUBJECT_CALL_ENDED), 0);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_ROUTER), 0);
    world_free(w);
}

TEST(sim_calls, an_ended_call_is_known_for_300_seconds_and_one_without_an_end_for_two_hours)
{
    struct world *w = world_new(703);

    world_run(w, SECOND_US);
    at_once(w, "short", "incoming_call");
    at_once(w, "short", "call_answered");
    at_once(w, "short", "call_ended");
    at_once(w, "endless", "incoming_call");
    at_once(w, "endless", "call_answered");
    const RouterSessionReply *all = session(w, "");
    CHECK_INT(all->active_sessions, 1);
    CHECK_INT(in_state(all, "connected"), 1);
    CHECK_INT(in_state(all, "ended"), 1);
    CHECK_INT(in_state(all, "speaking"), 0);
    CHECK_INT(all->total_events, 5);
    world_run(w, 290 * (int64_t)SECOND_US);
    at_once(w, "short", "incoming_call");
    CHECK(strstr(letter(w, 0)->message, "state ended takes no incoming_call") != NULL);
    world_run(w, 20 * SECOND_US);
    CHECK_INT(in_state(session(w, ""), "ended"), 0);
    CHECK_STR(session(w, "short")->state, "decided");
    sim_advance(w->sim, sim_now_us(w->sim) + 6800 * (int64_t)SECOND_US);
    world_run(w, 2 * SECOND_US);
    CHECK_INT(session(w, "")->active_sessions, 1);
    sim_advance(w->sim, sim_now_us(w->sim) + 200 * (int64_t)SECOND_US);
    world_run(w, 2 * SECOND_US);
    CHECK_INT(session(w, "")->active_sessions, 0);
    CHECK_INT(sim_stored(w->sim, SUBJECT_CALL_ENDED), 1);
    world_free(w);
}

TEST(sim_calls, an_end_without_outcome_waits_is_learned_when_one_comes_and_dropped_after_a_day)
{
    struct world *w = world_new(704);
    CallAmended m = TOM__RL__V1__CALL_AMENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;
    static const char *const ids[] = {"told", "silent"};

    world_run(w, SECOND_US);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        at_once(w, ids[i], "incoming_call");
        at_once(w, ids[i], "call_answered");
        at_once(w, ids[i], "call_ended");
    }
    CHECK_INT(ask_feedback_stats(w)->waiting, 2);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 0);
    TELL(&s, resolution, SIGNALS, RESOLUTION, true);
    m.call_id = (char *)"told";
    m.signals = &s;
    sim_publish(w->sim, SUBJECT_CALL_AMENDED, &m.base, "");
    world_run(w, 2 * SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 1);
    CHECK_INT(ask_feedback_stats(w)->waiting, 1);
    sim_advance(w->sim, sim_now_us(w->sim) + 25 * 3600 * (int64_t)SECOND_US);
    world_run(w, 5 * SECOND_US);
    CHECK_INT(ask_feedback_stats(w)->waiting, 0);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_REWARD_COMPUTED), 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK), 0);
    world_free(w);
}

TEST(sim_calls, a_router_that_was_away_when_a_call_began_does_not_invent_what_it_heard)
{
    struct world *w = world_new(705);

    world_run(w, SECOND_US);
    world_kill(w, WORLD_ROUTER);
    w->lives[WORLD_ROUTER].again_us += 120 * (int64_t)SECOND_US;
    say(w, "alone", "incoming_call", 0, NULL);
    say(w, "alone", "call_answered", 0, NULL);
    world_run(w, 100 * (int64_t)SECOND_US);
    say(w, "waits", "incoming_call", 0, NULL);
    world_run(w, 30 * SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_ROUTER), 2);
    CHECK(strstr(letter(w, 0)->message, "nobody knows what it heard") != NULL);
    CHECK_STR(session(w, "waits")->state, "ringing");
    CHECK_INT(session(w, "")->active_sessions, 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_POLICY_SELECTED), 1);
    world_free(w);
}

/* The duplicate window is long over: only what is read back tells that the end was said. */
TEST(sim_calls, a_router_that_starts_later_knows_which_ends_were_said)
{
    struct world *w = world_new(706);

    world_run(w, SECOND_US);
    at_once(w, "said", "incoming_call");
    at_once(w, "said", "call_answered");
    at_once(w, "said", "call_ended");
    CHECK_INT(sim_stored(w->sim, SUBJECT_CALL_ENDED), 1);
    world_run(w, (DUPLICATE_WINDOW_S + 30) * (int64_t)SECOND_US);
    world_kill(w, WORLD_ROUTER);
    world_run(w, 10 * SECOND_US);
    CHECK_STR(session(w, "said")->state, "ended");
    CHECK_INT(sim_stored(w->sim, SUBJECT_CALL_ENDED), 1);
    world_free(w);
}

TEST(sim_calls, nobody_is_told_what_an_incoming_call_decided_before_the_record_of_it_lies_in_the_stream)
{
    static const struct sim_chaos chaos = {.lose = 0.6};
    struct world *w = world_new(707);
    PolicySelectRequest ask = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;
    const PolicySelected *m;
    int answered = 0;

    for (int i = 0; i < 40 && !test_failed(); i++) {
        char id[32];
        sim_set_chaos(w->sim, NULL);
        world_run(w, 6 * SECOND_US); /* what was lost has been said again */
        sim_set_chaos(w->sim, &chaos);
        snprintf(id, sizeof id, "call-%d", i);
        say(w, id, "incoming_call", 0, NULL);
        world_run(w, 100000);
        ask.call_id = id;
        uint64_t number = sim_request(w->sim, SUBJECT_POLICY_SELECT, &ask.base);
        world_run(w, 50000);
        const PolicySelectReply *r = (const PolicySelectReply *)sim_reply(w->sim, number);
        bool recorded = false;
        for (size_t k = 0; r && (m = (const PolicySelected *)sim_message(w->sim, SUBJECT_POLICY_SELECTED, k)); k++)
            recorded |= strcmp(m->decision_id, r->decision_id) == 0;
        CHECK(!r || recorded);
        answered += r != NULL;
    }
    CHECK(answered > 5);
    world_free(w);
}
