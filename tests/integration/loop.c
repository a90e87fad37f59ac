/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - one call through five real services, and what happens when they are killed, stopped, or fed rubbish. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stack.h"
#include "test.h"

#define EVENT(id, rating)                                                                                             \
    "{\"call_id\":\"" id "\",\"ts\":1763800000.0,\"agent\":\"TOM\",\"profile\":\"kfz\",\"policy_variant\":\"v1a\","   \
    "\"signals\":{\"resolution\":true,\"user_rating\":" rating ",\"barge_in_count\":1,\"handover\":false,"            \
    "\"duration_sec\":120,\"repeats\":0,\"escalation\":false,\"satisfaction\":0.5}}"

static double pulls(struct stack *s, const char *variant)
{
    char path[64];

    snprintf(path, sizeof path, "variants.%s.pulls", variant);
    return stack_number(s, "bandit.stats", "{}", path);
}

static double total(struct stack *s) { return stack_number(s, "feedback.stats", "{}", "total_events"); }

static double reward_sum(struct stack *s) { return stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward"); }

static void check_rebuild(struct stack *s) { CHECK(stack_number(s, "bandit.rebuild", "{\"check\":true}", "identical") == 1); }

TEST(integration_loop, the_known_event_gives_the_known_posterior)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    for (int i = 0; i < 10; i++)
        stack_publish(s, "call.ended", EVENT("c-1", "4"), "");
    EVENTUALLY(pulls(s, "v1a") == 1, 5000);
    CHECK_NEAR(reward_sum(s), 0.866667, 1e-9);
    CHECK_NEAR(stack_number(s, "bandit.stats", "{\"profile\":\"kfz\",\"time_of_day\":\"morning\"}", "variants.v1a.alpha"),
               1.93333, 1e-5);
    CHECK_NEAR(stack_number(s, "bandit.stats", "{\"profile\":\"kfz\",\"time_of_day\":\"morning\"}", "variants.v1a.beta"), 1.06667,
               1e-5);
    CHECK_NEAR(stack_number(s, "bandit.stats", "{\"profile\":\"it\",\"time_of_day\":\"night\"}", "variants.v1a.alpha_shared"),
               1.8889, 1e-4);
    CHECK_NEAR(stack_number(s, "bandit.stats", "{\"profile\":\"it\",\"time_of_day\":\"night\"}", "variants.v1a.beta_shared"),
               1.0635, 1e-4);
    stack_publish(s, "call.amended", "{\"call_id\":\"c-1\",\"signals\":{\"user_rating\":1}}", "");
    EVENTUALLY(fabs(reward_sum(s) - 0.566667) < 1e-9, 5000);
    CHECK_INT(pulls(s, "v1a"), 1);
    stack_publish(s, "call.amended", "{\"call_id\":\"c-1\",\"retracted\":true}", "");
    EVENTUALLY(pulls(s, "v1a") == 0, 5000);
    CHECK(reward_sum(s) == 0);
    CHECK_INT(total(s), 0);
    check_rebuild(s);
    stack_free(s);
}

TEST(integration_loop, with_nothing_learned_base_gets_ninety_percent_and_the_others_share_ten)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    json_t *reply = stack_ask(s, "policy.select", "{\"call_id\":\"c-1\",\"profile\":\"kfz\"}"),
           *p = json_object_get(reply, "probabilities"), *value;
    const char *key;
    double sum = 0;
    CHECK_INT(json_object_size(p), 12);
    json_object_foreach(p, key, value)
    {
        CHECK_NEAR(json_number_value(value), strcmp(key, "v1a") == 0 ? 0.9 : 0.1 / 11, 1e-12);
        sum += json_number_value(value);
    }
    CHECK_NEAR(sum, 1, 1e-12);
    json_decref(reply);
    stack_free(s);
}

TEST(integration_join, retract_after_restart)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    stack_publish(s, "call.ended", EVENT("c-0", "5"), "");
    EVENTUALLY(pulls(s, "v1a") == 1, 5000);
    double before = reward_sum(s);
    stack_publish(s, "call.ended", EVENT("c-1", "2"), "");
    EVENTUALLY(pulls(s, "v1a") == 2, 5000);
    CHECK_INT(stack_end(s, "feedback", SIGKILL), -SIGKILL);
    CHECK_INT(stack_end(s, "bandit", SIGKILL), -SIGKILL);
    stack_start(s, "feedback");
    stack_start(s, "bandit");
    stack_publish(s, "call.amended", "{\"call_id\":\"c-1\",\"retracted\":true}", "");
    EVENTUALLY(pulls(s, "v1a") == 1, 20000);
    CHECK(reward_sum(s) == before);
    CHECK_INT(stack_number(s, "feedback.stats", "{}", "retracted"), 1);
    check_rebuild(s);
    stack_free(s);
}

TEST(integration_join, amendment_before_end)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    stack_publish(s, "call.amended", "{\"call_id\":\"c-1\",\"source\":\"USER\",\"signals\":{\"user_rating\":5}}", "");
    EVENTUALLY(stack_number(s, "feedback.stats", "{}", "total_events") == 0, 2000);
    stack_publish(s, "call.ended", "{\"call_id\":\"c-1\",\"policy_variant\":\"v1a\",\"signals\":{\"resolution\":true}}", "");
    EVENTUALLY(pulls(s, "v1a") == 1, 5000);
    CHECK_NEAR(reward_sum(s), 0.8, 1e-9);
    stack_free(s);
}

/* The call waits for a decision that never comes.  The bus stands still when the timer gives up, and
 * both die before it goes on. */
TEST(integration_outbox, timer_output_survives_kill)
{
    struct stack *s = stack_new("feedback:\n  join_wait_s: 3\n  join_idle_s: 1\n");
    struct client_message letter;
    struct reason reason;

    if (!s)
        return;
    stack_publish(s, "call.ended", "{\"call_id\":\"c-1\",\"signals\":{\"resolution\":true}}", "");
    EVENTUALLY(stack_number(s, "feedback.stats", "{}", "waiting") == 1, 5000);
    kill(s->nats, SIGSTOP);
    sleep(6); /* service time passes: the timer fires and commits, nothing can leave */
    CHECK_INT(stack_end(s, "feedback", SIGKILL), -SIGKILL);
    stack_end_nats(s, SIGKILL);
    stack_start_nats(s);
    struct client *operator = stack_client(s, "operator");
    CHECK_INT(client_stream_get(operator, &s->arena, "DLQ", 0, "rl.dlq.feedback", &letter, &reason), STATUS_NOT_FOUND);
    stack_start(s, "feedback");
    EVENTUALLY(client_stream_get(operator, &s->arena, "DLQ", 0, "rl.dlq.feedback", &letter, &reason) == STATUS_OK, 15000);
    EVENTUALLY(stack_number(s, "feedback.stats", "{}", "waiting") == 0, 5000);
    client_free(operator);
    stack_free(s);
}

static char *decision_of(struct stack *s, const char *call_id)
{
    json_t *reply = stack_ask(s, "policy.select", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"profile\":\"kfz\"}", call_id));
    char *text = reply ? json_dumps(reply, JSON_SORT_KEYS) : NULL,
         *copy = text ? arena_str(&s->arena, text) : arena_str(&s->arena, "none");

    free(text);
    json_decref(reply);
    return copy;
}

TEST(integration_router, sticky_after_kill9)
{
    struct stack *s = stack_new("");
    char *before[5];

    if (!s)
        return;
    for (int i = 0; i < 5; i++)
        before[i] = decision_of(s, arena_printf(&s->arena, "c-%d", i));
    CHECK_STR(decision_of(s, "c-0"), before[0]);
    for (int i = 0; i < 40; i++) /* what is learned since would decide otherwise */
        stack_publish(s, "call.ended",
                      arena_printf(&s->arena, "{\"call_id\":\"l-%d\",\"profile\":\"kfz\",\"policy_variant\":\"v2b\","
                                              "\"signals\":{\"resolution\":true}}", i), "");
    EVENTUALLY(pulls(s, "v2b") == 40, 10000);
    CHECK_INT(stack_end(s, "router", SIGKILL), -SIGKILL);
    stack_start(s, "router");
    EVENTUALLY(stack_number(s, "router.session", "{}", "decisions") >= 5, 15000);
    for (int i = 0; i < 5; i++)
        CHECK_STR(decision_of(s, arena_printf(&s->arena, "c-%d", i)), before[i]);
    CHECK(strcmp(decision_of(s, "c-other"), before[0]) != 0);
    stack_free(s);
}

/* The exit code of rlctl; its output lies in rlctl.txt. */
static int rlctl(struct stack *s, const char *arguments)
{
    char command[700];

    snprintf(command, sizeof command, "%s/bin/rlctl %s >%s/rlctl.txt 2>&1", RL_BINARY_DIR, arguments, s->dir);
    return WEXITSTATUS(system(command));
}

static bool rlctl_said(struct stack *s, const char *words)
{
    char command[700];

    snprintf(command, sizeof command, "grep -qF -- '%s' %s/rlctl.txt", words, s->dir);
    return system(command) == 0;
}

TEST(integration_rlctl, a_decision_is_explained_also_by_a_router_that_was_killed)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    EVENTUALLY(rlctl(s, "select --profile kfz") == 0 && rlctl_said(s, "LEARNED"), 10000);
    CHECK_INT(rlctl(s, "select c-1 --profile kfz"), 0);
    CHECK_INT(rlctl(s, "explain c-1"), 0);
    CHECK(rlctl_said(s, "LEARNED: drawn from what was learned"));
    CHECK(rlctl_said(s, "new 10 %"));
    CHECK(rlctl_said(s, "of the cumulated p"));
    stack_end(s, "router", SIGKILL);
    stack_start(s, "router");
    EVENTUALLY(rlctl(s, "explain c-1") == 0 && rlctl_said(s, "of the cumulated p"), 15000);
    CHECK_INT(rlctl(s, "explain c-2"), 1);
    CHECK(rlctl_said(s, "error: call_id: no decision is held for this call"));
    stack_free(s);
}

TEST(integration_rlctl, a_reward_is_shown_with_its_parts_and_the_version_of_its_formula)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    CHECK_INT(rlctl(s, "reward --resolved --rating 4 --barge-in 1 --duration 120"), 0);
    CHECK(rlctl_said(s, "  rating       +0.1000"));
    CHECK(rlctl_said(s, "reward +0.8667   formula v1"));
    CHECK_INT(rlctl(s, "reward"), 2);
    CHECK_INT(rlctl(s, "reward --rating 9"), 1);
    CHECK(rlctl_said(s, "signals.user_rating: 9 is outside of 1 .. 5"));
    stack_free(s);
}

TEST(integration_dlq, replay_is_learned_once)
{
    struct stack *s = stack_new("");
    struct client_message letter = {0};
    struct reason reason;
    char command[700];

    if (!s)
        return;
    stack_publish(s, "call.ended", "{\"call_id\":\"c-1\",\"profile\":\"werkstatt\",\"policy_variant\":\"v1a\","
                                   "\"signals\":{\"resolution\":true}}", "");
    EVENTUALLY(client_stream_get(s->operator, &s->arena, "DLQ", 0, "rl.dlq.feedback", &letter, &reason) == STATUS_OK, 5000);
    CHECK_INT(stack_end(s, "feedback", SIGTERM), 0);
    stack_config(s, "context:\n  profiles: [kfz, werkstatt]\n");
    stack_start(s, "feedback");
    snprintf(command, sizeof command, "%s/bin/rlctl dlq replay %llu >>%s/rlctl.log 2>&1", RL_BINARY_DIR,
             (unsigned long long)letter.sequence, s->dir);
    CHECK_INT(system(command), 0);
    EVENTUALLY(pulls(s, "v1a") == 1, 15000);
    CHECK_INT(system(command), 0);
    stack_publish(s, "call.ended", EVENT("c-2", "4"), "");
    EVENTUALLY(pulls(s, "v1a") == 2, 5000);
    CHECK_INT(total(s), 2);
    stack_free(s);
}

/* As a voice stack does: each message under an id, and again until the stream has it. */
static void send_one(struct stack *s, int i)
{
    char *json = arena_printf(&s->arena, "{\"call_id\":\"k-%d\",\"policy_variant\":\"v1b\",\"signals\":{\"resolution\":true,"
                                         "\"duration_sec\":%d}}", i, i % 300);
    const struct client_publish m = {.subject = "call.ended", .data = json, .size = strlen(json),
                                     .id = arena_printf(&s->arena, "end:k-%d", i),
                                     .reply = arena_printf(&s->arena, "_INBOX_voice.sent.%d", i)};
    struct reason reason;

    CHECK_INT(client_send(s->voice, &m, &reason), STATUS_OK);
}

static void send_ends(struct stack *s, int from, int count)
{
    struct reason reason;

    if (from == 0)
        CHECK_INT(client_listen(s->voice, "_INBOX_voice.sent.*", &reason), STATUS_OK);
    for (int i = from; i < from + count; i++)
        send_one(s, i);
    CHECK_INT(client_flush(s->voice, &reason), STATUS_OK);
}

static void await_stored(struct stack *s, int from, int count)
{
    bool *stored = xcalloc((size_t)count, sizeof *stored);
    struct client_message m;
    int left = count;

    for (int tries = 0; left && tries < 10; tries++) {
        while (left && client_next(s->voice, &s->arena, 1000 * test_patience(), &m) == STATUS_OK) {
            int i = atoi(strrchr(m.subject, '.') + 1) - from;
            if (i < 0 || i >= count || stored[i] || !strstr((const char *)m.data, "\"seq\""))
                continue;
            stored[i] = true;
            left--;
        }
        for (int i = 0; left && i < count; i++)
            if (!stored[i])
                send_one(s, from + i);
    }
    CHECK_INT(left, 0);
    free(stored);
}

TEST(integration_stop, sigterm_drains)
{
    static const char *const all[] = {"feedback", "reward", "bandit", "guard", "router"};
    struct stack *s = stack_new("");

    if (!s)
        return;
    send_ends(s, 0, 2000);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(stack_end(s, all[i], SIGTERM), 0);
        stack_start(s, all[i]);
    }
    await_stored(s, 0, 2000);
    EVENTUALLY(pulls(s, "v1b") == 2000, 30000);
    CHECK_INT(total(s), 2000);
    check_rebuild(s);
    stack_free(s);
}

/* Under the supervisor: each service is killed while 2,000 calls are in flight. */
TEST(integration_loop, kill9_of_each_service_under_load_counts_every_call_once)
{
    static const char *const all[] = {"feedback", "reward", "bandit", "guard", "router"};
    struct stack *s = stack_new_supervised();

    if (!s)
        return;
    for (int i = 0; i < 5 && !test_failed(); i++) {
        pid_t pid = stack_pid(s, all[i]);
        CHECK(pid > 0);
        send_ends(s, 2000 * i, 2000);
        CHECK_INT(kill(pid, SIGKILL), 0);
        await_stored(s, 2000 * i, 2000);
        EVENTUALLY(stack_pid(s, all[i]) != pid && stack_pid(s, all[i]) > 0, 2000);
    }
    EVENTUALLY(pulls(s, "v1b") == 10000, 30000);
    CHECK_INT(total(s), 10000);
    check_rebuild(s);
    stack_free(s);
}

TEST(integration_loop, a_lost_jetstream_directory_is_made_good_by_a_replay)
{
    static const char *const all[] = {"feedback", "reward", "bandit", "guard", "router"};
    struct stack *s = stack_new("");
    char command[400];

    if (!s)
        return;
    send_ends(s, 0, 500);
    await_stored(s, 0, 500);
    EVENTUALLY(pulls(s, "v1b") == 500, 10000);
    double sum = stack_number(s, "bandit.stats", "{}", "variants.v1b.total_reward");
    for (int i = 0; i < 5; i++)
        stack_end(s, all[i], SIGKILL);
    stack_end_nats(s, SIGKILL);
    snprintf(command, sizeof command, "rm -rf %s/nats/jetstream", s->dir);
    CHECK_INT(system(command), 0);
    stack_start_nats(s);
    snprintf(command, sizeof command, "%s/bin/rl-init streams >>%s/init.log 2>&1", RL_BINARY_DIR, s->dir);
    CHECK_INT(system(command), 0);
    snprintf(command, sizeof command, "rm -f %s/rl/bandit.db*", s->dir); /* the ledger too: feedback.db alone is the truth */
    CHECK_INT(system(command), 0);
    for (int i = 0; i < 5; i++)
        stack_start(s, all[i]);
    EVENTUALLY(stack_ready(s), 30000);
    CHECK_INT(stack_number(s, "feedback.replay", "{}", "replayed"), 500);
    EVENTUALLY(pulls(s, "v1b") == 500, 15000);
    CHECK(stack_number(s, "bandit.stats", "{}", "variants.v1b.total_reward") == sum);
    CHECK_INT(total(s), 500);
    send_ends(s, 500, 10);
    await_stored(s, 500, 10);
    EVENTUALLY(pulls(s, "v1b") == 510, 10000);
    check_rebuild(s);
    stack_free(s);
}

static enum status send_raw(struct stack *s, const void *data, size_t size, struct reason *reason)
{
    const struct client_publish m = {.subject = "call.ended", .data = data, .size = size};

    return client_publish(s->voice, &m, NULL, NULL, reason);
}

static void expect_letter(struct stack *s, struct client *listener, const char *field)
{
    struct client_message m;

    CHECK_INT(client_next(listener, &s->arena, 10000, &m), STATUS_OK);
    if (!test_failed() && !memmem(m.data, m.size, field, strlen(field)))
        test_fail(__FILE__, __LINE__, "the dead letter does not name %s", field);
}

TEST(integration_loop, rubbish_is_a_dead_letter_that_names_the_field)
{
    static const char nan_duration[] = "\x0a\x01n\x32\x0b\x08\x01\x29\x00\x00\x00\x00\x00\x00\xf8\x7f";
    static const char bad_utf8[] = "\x0a\x02\xff\xfe\x32\x02\x08\x01";
    struct stack *s = stack_new("");
    struct reason reason;
    char longer[300 + 1], big[70000];

    if (!s)
        return;
    CHECK_INT(client_listen(s->operator, "rl.dlq.feedback", &reason), STATUS_OK);
    CHECK_INT(send_raw(s, "\xff\xff\xff\xff", 4, &reason), STATUS_OK);
    expect_letter(s, s->operator, "bad field number");
    CHECK_INT(send_raw(s, "{\"call_id\":\"u\",\"mood\":1}", 24, &reason), STATUS_OK);
    expect_letter(s, s->operator, "mood");
    const char *rating = "{\"call_id\":\"r\",\"signals\":{\"resolution\":true,\"user_rating\":9}}";
    CHECK_INT(send_raw(s, rating, strlen(rating), &reason), STATUS_OK);
    expect_letter(s, s->operator, "signals.user_rating");
    CHECK_INT(send_raw(s, nan_duration, sizeof nan_duration - 1, &reason), STATUS_OK);
    expect_letter(s, s->operator, "signals.duration_sec");
    memset(longer, 'x', 300);
    longer[300] = '\0';
    const char *id = arena_printf(&s->arena, "{\"call_id\":\"%s\",\"signals\":{\"resolution\":true}}", longer);
    CHECK_INT(send_raw(s, id, strlen(id), &reason), STATUS_OK);
    expect_letter(s, s->operator, "call_id");
    CHECK_INT(send_raw(s, bad_utf8, sizeof bad_utf8 - 1, &reason), STATUS_OK);
    expect_letter(s, s->operator, "call_id");
    memset(big, 'x', sizeof big);
    CHECK_INT(send_raw(s, big, sizeof big, &reason), STATUS_REFUSED);
    CHECK(strstr(reason.text, "size exceeds") != NULL);
    stack_publish(s, "call.ended", EVENT("good", "4"), "");
    EVENTUALLY(pulls(s, "v1a") == 1, 5000);
    CHECK_INT(total(s), 1);
    stack_free(s);
}

/* The header travels: voice -> feedback -> reward. */
TEST(integration_loop, the_traceparent_travels_with_the_call)
{
    static const char trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    struct stack *s = stack_new("");
    struct client_message m;
    struct reason reason;

    if (!s)
        return;
    CHECK_INT(client_listen(s->operator, "reward.computed", &reason), STATUS_OK);
    const struct client_publish out = {.subject = "call.ended", .data = EVENT("t-1", "4"), .size = strlen(EVENT("t-1", "4")),
                                       .traceparent = trace};
    CHECK_INT(client_publish(s->voice, &out, NULL, NULL, &reason), STATUS_OK);
    CHECK_INT(client_next(s->operator, &s->arena, 10000, &m), STATUS_OK);
    CHECK_STR(test_failed() ? "" : m.traceparent, trace);
    stack_free(s);
}
