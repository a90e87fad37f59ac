/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - live calls through the real programs: killed in the middle, twenty thousand at once, and by hand. */
#include <signal.h>
#include <stdlib.h>

#include "stack.h"
#include "test.h"

static const char *text_at(struct stack *s, const char *subject, const char *json, const char *key)
{
    json_t *reply = stack_ask(s, subject, json);
    const char *text = json_string_value(json_object_get(reply, key));
    const char *copy = arena_str(&s->arena, text ? text : "");

    json_decref(reply);
    return copy;
}

static const char *named(struct stack *s, const char *id) { return arena_printf(&s->arena, "{\"call_id\":\"%s\"}", id); }

static bool in_state(struct stack *s, const char *id, const char *state)
{
    return strcmp(text_at(s, "router.session", named(s, id), "state"), state) == 0;
}

static double pulls(struct stack *s, const char *variant)
{
    return stack_number(s, "bandit.stats", "{}", arena_printf(&s->arena, "variants.%s.pulls", variant));
}

static void say(struct stack *s, const char *id, const char *event, const char *more)
{
    stack_publish(s, "call.event", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"event\":\"%s\"%s}", id, event, more), "");
}

/* call.ended of a call among all that the operator heard so far. */
static int ends_heard(struct stack *s, const char *id)
{
    struct client_message m;
    int n = 0;

    while (client_next(s->operator, &s->arena, 200, &m) == STATUS_OK)
        n += strcmp(m.subject, "call.ended") == 0 && memmem(m.data, m.size, id, strlen(id)) != NULL;
    return n;
}

static void kill_router(struct stack *s)
{
    CHECK_INT(stack_end(s, "router", SIGKILL), -SIGKILL);
    stack_start(s, "router");
}

/* What is learned in the meantime would decide otherwise. */
static void learn_another(struct stack *s)
{
    for (int i = 0; i < 40; i++)
        stack_publish(s, "call.ended",
                      arena_printf(&s->arena, "{\"call_id\":\"l-%d\",\"profile\":\"kfz\",\"policy_variant\":\"v2b\","
                                              "\"signals\":{\"resolution\":true}}", i), "");
    EVENTUALLY(pulls(s, "v2b") == 40, 10000);
}

TEST(integration_calls, a_router_killed_after_every_step_keeps_the_variant_and_ends_the_call_once)
{
    static const struct { const char *event, *state, *more; } steps[] = {
        {"incoming_call", "ringing", ",\"data\":{\"profile\":\"kfz\"}"}, {"call_answered", "connected", ""},
        {"audio_start", "listening", ""}, {"barge_in", "listening", ""}, {"audio_stop", "thinking", ""},
        {"audio_start", "speaking", ",\"data\":{\"user_rating\":4}"}, {"call_ended", "ended", ",\"data\":{\"resolution\":true}"}};
    struct stack *s = stack_new("");
    struct reason reason;

    if (!s)
        return;
    CHECK_INT(client_listen(s->operator, "call.ended", &reason), STATUS_OK);
    say(s, "live-1", steps[0].event, steps[0].more);
    EVENTUALLY(in_state(s, "live-1", "ringing"), 10000);
    const char *decision = text_at(s, "policy.select", named(s, "live-1"), "decision_id");
    const char *variant = text_at(s, "policy.select", named(s, "live-1"), "policy_variant");
    learn_another(s);
    double before = pulls(s, variant);
    for (size_t i = 1; i < sizeof steps / sizeof *steps && !test_failed(); i++) {
        say(s, "live-1", steps[i].event, steps[i].more);
        kill_router(s);
        EVENTUALLY(in_state(s, "live-1", steps[i].state), 15000);
        CHECK_STR(text_at(s, "router.session", named(s, "live-1"), "policy_variant"), variant);
        CHECK_STR(text_at(s, "policy.select", named(s, "live-1"), "decision_id"), decision);
    }
    EVENTUALLY(pulls(s, variant) == before + 1, 10000);
    kill_router(s);
    EVENTUALLY(in_state(s, "live-1", "ended"), 15000);
    CHECK_INT(stack_number(s, "router.session", named(s, "live-1"), "barge_in_count"), 1);
    CHECK_INT(ends_heard(s, "live-1"), 1);
    CHECK_INT(stack_number(s, "feedback.stats", "{}", "total_events"), 41);
    stack_free(s);
}

/* ---- many ------------------------------------------------------------------------------------------------------------------ */

enum { MANY = 20000 };

static void say_all(struct stack *s, const char *event, const char *more)
{
    struct reason reason;
    char json[160];

    for (int i = 0; i < MANY; i++) {
        int n = snprintf(json, sizeof json, "{\"call_id\":\"many-%d\",\"event\":\"%s\"%s}", i, event, more);
        const struct client_publish m = {.subject = "call.event", .data = json, .size = (size_t)n};
        CHECK_INT(client_send(s->voice, &m, &reason), STATUS_OK);
    }
    CHECK_INT(client_flush(s->voice, &reason), STATUS_OK);
}

static double in(struct stack *s, const char *path) { return stack_number(s, "router.session", "{}", path); }

TEST(integration_calls, twenty_thousand_live_at_once_survive_a_kill_and_are_learned_once_each)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    say_all(s, "incoming_call", "");
    say_all(s, "call_answered", "");
    EVENTUALLY(in(s, "states.connected") == MANY, 60000);
    CHECK_INT(in(s, "active_sessions"), MANY);
    CHECK_INT(in(s, "total_events"), 2 * MANY);
    kill_router(s);
    EVENTUALLY(in(s, "states.connected") == MANY, 60000);
    CHECK_INT(in(s, "decisions"), MANY);
    say_all(s, "call_ended", ",\"data\":{\"resolution\":true}");
    EVENTUALLY(stack_number(s, "feedback.stats", "{}", "total_events") == MANY, 90000);
    CHECK_INT(in(s, "active_sessions"), 0);
    CHECK_INT(in(s, "states.ended"), MANY);
    EVENTUALLY(stack_number(s, "bandit.rewards", "{}", "count") == MANY, 60000);
    stack_free(s);
}

/* ---- by hand --------------------------------------------------------------------------------------------------------------- */

TEST(integration_calls, an_operator_leads_a_call_by_hand_and_sees_where_it_is)
{
    struct stack *s = stack_new("");
    const char *out;

    if (!s)
        return;
    rlctl_says(s, "session secret-1", 1, "no decision is held for this call");
    rlctl_says(s, "event secret-1 incoming_call --profile kfz", 0, "call.event: CALLS");
    EVENTUALLY(in_state(s, "secret-1", "ringing"), 10000);
    rlctl_says(s, "event secret-1 call_answered", 0, "CALLS");
    rlctl_says(s, "event secret-1 audio_start --repeats 2 --handover", 0, "CALLS");
    rlctl_says(s, "event secret-1 barge_in --json", 0, "\"sequence\":");
    EVENTUALLY(stack_number(s, "router.session", "{\"call_id\":\"secret-1\"}", "events") == 4, 10000);
    rlctl_says(s, "session secret-1", 0, "secret-1  listening, v");
    rlctl_says(s, "session secret-1", 0, "4 events, 1 barge-ins, 2 repeats");
    rlctl_says(s, "session secret-1", 0, "not yet whether it was resolved");
    rlctl_says(s, "session", 0, "1 live calls, 4 events taken, 1 decisions held");
    rlctl_says(s, "session --json", 0, "\"listening\":1");
    rlctl_says(s, "event secret-1 hung_up", 2, "there are incoming_call, call_answered");
    rlctl_says(s, "event secret-1 call_ended --rating 6", 2, "1 to 5");
    rlctl_says(s, "event secret-1 call_answered", 0, "CALLS"); /* the stream takes it, the state does not */
    EVENTUALLY(stack_rlctl(s, "dlq list", &out) == 0 && strstr(out, "state listening takes no call_answered"), 10000);
    rlctl_says(s, "event secret-1 call_ended --resolved --rating 5", 0, "CALLS");
    EVENTUALLY(stack_number(s, "bandit.rewards", "{}", "count") == 1, 10000);
    rlctl_says(s, "session secret-1", 0, "ended");
    rlctl_says(s, "session secret-1", 0, "resolved rating=5 handover=yes duration=");
    CHECK(system(arena_printf(&s->arena, "grep -l secret-1 %s/*.log", s->dir)) != 0);
    stack_free(s);
}

/* ---- the question at the end ----------------------------------------------------------------------------------------------- */

static double rating_of(struct stack *s, const char *variant)
{
    json_t *reply = stack_ask(s, "feedback.by_policy", arena_printf(&s->arena, "{\"policy_variant\":\"%s\"}", variant));
    json_t *signals = json_object_get(json_array_get(json_object_get(reply, "events"), 0), "signals");
    double rating = json_number_value(json_object_get(signals, "user_rating"));

    json_decref(reply);
    return rating;
}

/* As the voice stack, with its own rights. */
static json_t *ask_as_voice(struct stack *s, const char *subject, const char *json)
{
    struct client_message reply;
    struct reason reason;

    if (client_request(s->voice, &s->arena, subject, json, strlen(json), 5000, &reply, &reason) != STATUS_OK)
        return NULL;
    return json_loadb((const char *)reply.data, reply.size, 0, NULL);
}

TEST(integration_calls, a_caller_is_asked_and_the_answer_rates_the_call)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    stack_publish(s, "call.ended", "{\"call_id\":\"secret-7\",\"profile\":\"kfz\",\"policy_variant\":\"v2b\","
                                   "\"signals\":{\"resolution\":true}}", "");
    EVENTUALLY(stack_number(s, "bandit.rewards", "{}", "count") == 1, 10000);
    double mean = stack_number(s, "bandit.rewards", "{}", "mean");
    json_t *q = ask_as_voice(s, "feedback.question", "{\"call_id\":\"secret-7\",\"language\":\"en\"}");
    CHECK(strstr(json_string_value(json_object_get(q, "text")), "from one to five") != NULL);
    json_decref(q);
    q = ask_as_voice(s, "feedback.answer", "{\"call_id\":\"secret-7\",\"text\":\"Sorry, what?\"}");
    CHECK_STR(json_string_value(json_object_get(q, "status")), "retry");
    json_decref(q);
    q = ask_as_voice(s, "feedback.answer", "{\"call_id\":\"secret-7\",\"text\":\"on a scale from one to five I'd say four\"}");
    CHECK_STR(json_string_value(json_object_get(q, "status")), "rated");
    CHECK_INT(json_integer_value(json_object_get(q, "rating")), 4);
    json_decref(q);
    EVENTUALLY(rating_of(s, "v2b") == 4, 10000);
    EVENTUALLY(stack_number(s, "bandit.rewards", "{}", "mean") > mean, 10000);
    CHECK_INT(stack_number(s, "bandit.rewards", "{}", "count"), 1);
    rlctl_says(s, "ask secret-7", 0, "asked enough");
    rlctl_says(s, "ask secret-7 --dtmf 1", 0, "rated: 1 (dtmf, confidence 1.00)");
    EVENTUALLY(rating_of(s, "v2b") == 1, 10000);
    rlctl_says(s, "ask secret-8 --language de --text 'keine 5, eher eine 2'", 0, "rated: 2 (number, confidence");
    rlctl_says(s, "ask secret-9 --text zehn", 0, "retry: out_of_range");
    rlctl_says(s, "ask secret-9 < /dev/null", 0, "Bitte eine Zahl von eins bis f");
    rlctl_says(s, "ask secret-9 --text 5 --dtmf 5", 2, "--text or --dtmf");
    CHECK(system(arena_printf(&s->arena, "echo hm | %s/bin/rlctl ask secret-10 | grep -q 'retry: no_answer'",
                              RL_BINARY_DIR)) == 0);
    CHECK(system(arena_printf(&s->arena, "grep -lE 'secret-|keine 5' %s/*.log", s->dir)) != 0);
    stack_free(s);
}
