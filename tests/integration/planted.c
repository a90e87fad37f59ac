/* SPDX-License-Identifier: Apache-2.0 */
/* planted.c - what a voice stack writes where it does not belong is found in CALLS and DLQ, whose life is
 * 72 hours, and nowhere else. */
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>

#include "stack.h"
#include "test.h"

#define CALL_ID "planted-call-0815"
#define CALLER "planted-caller-0816"
#define NUMBER "491701234567"
#define TEXT "planted words of a caller"
#define VARIANT "v491709876543z" /* well formed, so a call may have spoken it: in data, never in a label or a log */

static struct {
    const char *bytes;
    bool shown_only; /* logs and metrics */
    size_t files, hits;
    char where[600];
} search;

static bool may_hold_it(const char *path)
{
    if (strstr(path, "/streams/CALLS/") || strstr(path, "/streams/DLQ/") || strstr(path, "/secrets/"))
        return true;
    return search.shown_only && !strstr(path, ".log") && !strstr(path, "/run/") && !strstr(path, ".json");
}

static int look_into(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F || st->st_size == 0 || may_hold_it(path))
        return 0;
    FILE *f = fopen(path, "re");
    char *data = f ? malloc((size_t)st->st_size) : NULL;
    size_t n = data ? fread(data, 1, (size_t)st->st_size, f) : 0;

    search.files++;
    const char *at = data ? memmem(data, n, search.bytes, strlen(search.bytes)) : NULL;
    if (at) {
        search.hits++;
        snprintf(search.where, sizeof search.where, "%s: %.80s", path, at - data > 40 ? at - 40 : at);
    }
    free(data);
    if (f)
        fclose(f);
    return 0;
}

static void check_nowhere(struct stack *s, const char *bytes, bool shown_only)
{
    memset(&search, 0, sizeof search);
    search.bytes = bytes;
    search.shown_only = shown_only;
    nftw(s->dir, look_into, 16, FTW_PHYS);
    CHECK(search.files > 8);
    if (search.hits)
        test_fail(__FILE__, __LINE__, "%s is in %zu files, one of them %s", bytes, search.hits, search.where);
}

static void publish(struct stack *s, const char *subject, const char *json, const char *traceparent)
{
    const struct client_publish message = {.subject = subject, .data = json, .size = strlen(json), .traceparent = traceparent};
    struct reason reason;

    if (client_publish(s->voice, &message, NULL, NULL, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", subject, reason.text);
}

static void say_everything(struct stack *s)
{
    static const struct { const char *subject, *json; } all[] = {
        {"call.ended", "{\"call_id\":\"" CALL_ID "\",\"caller_key\":\"" CALLER "\",\"policy_variant\":\"v1a\","
                       "\"signals\":{\"resolution\":true}}"},
        {"call.ended", "{\"call_id\":\"" CALL_ID "-2\",\"policy_variant\":\"" VARIANT "\",\"signals\":{\"resolution\":true}}"},
        {"call.ended", "{\"call_id\":\"" CALL_ID "\",\"profile\":\"" NUMBER "\",\"signals\":{\"resolution\":true}}"},
        {"call.ended", "{\"call_id\":\"" CALL_ID "\",\"agent\":\"" NUMBER "\",\"signals\":{\"resolution\":true}}"},
        {"call.ended", "{\"call_id\":\"" CALL_ID "\",\"policy_variant\":\"" NUMBER "\",\"signals\":{\"resolution\":true}}"},
        {"call.ended", "{\"call_id\":\"" CALL_ID "\",\"" NUMBER "\":1}"},
        {"call.ended", "{\"call_id\":\"" CALL_ID "\",\"signals\":{\"" NUMBER "\":1}}"},
        {"call.ended", "{\"call_id\":\"" CALL_ID "\",\"transcript\":\"" TEXT "\"}"},
        {"call.ended",
         "{\"call_id\":\"" CALL_ID " " TEXT " " TEXT " " TEXT " " TEXT " " TEXT "\",\"signals\":{\"resolution\":true}}"},
        {"call.ended", "{\"call_id\":\"" CALL_ID},
        {"call.ended", CALL_ID " " TEXT " " NUMBER},
        {"call.ended", "{\"call_id\":\"" CALL_ID "\",\"ts\":" NUMBER "}"},
        {"call.amended", "{\"call_id\":\"" CALL_ID "\",\"source\":\"" TEXT "\",\"signals\":{\"user_rating\":3}}"},
        {"call.amended", "{\"call_id\":\"" CALL_ID "\",\"signals\":{\"user_rating\":" NUMBER "}}"},
        {"call.amended", "{\"call_id\":\"" CALL_ID "\",\"signals\":{\"user_rating\":4}}"},
        {"call.event", "{\"call_id\":\"" CALL_ID "\",\"event\":\"" TEXT "\"}"},
        {"call.event", "{\"call_id\":\"" CALL_ID "-3\",\"event\":\"incoming_call\",\"data\":{\"profile\":\"" NUMBER "\"}}"},
        {"call.event", "{\"call_id\":\"" CALL_ID "-3\",\"event\":\"barge_in\"}"},
        {"call.event", "{\"call_id\":\"" CALL_ID "-4\",\"event\":\"call_ended\",\"data\":{\"user_rating\":" NUMBER "}}"},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        publish(s, all[i].subject, all[i].json, i % 2 ? CALL_ID : NUMBER "-" CALLER);
}

static void ask_everything(struct stack *s)
{
    static const struct { const char *subject, *json; } all[] = {
        {"policy.select", "{\"call_id\":\"" CALL_ID "\",\"profile\":\"" NUMBER "\"}"},
        {"policy.select", "{\"call_id\":\"" CALL_ID "\",\"profile\":\"kfz\",\"eligible\":[\"" TEXT "\"]}"},
        {"policy.select", "{\"call_id\":\"" CALL_ID "\",\"" NUMBER "\":1}"},
        {"router.session", "{\"call_id\":\"" CALL_ID "\"}"},
        {"feedback.by_policy", "{\"policy_variant\":\"" NUMBER "\"}"},
        {"bandit.stats", "{\"profile\":\"" NUMBER "\"}"},
        {"bandit.reset", "{\"policy_variant\":\"" TEXT "\"}"},
        {"guard.health", "{\"policy_variant\":\"" TEXT "\"}"},
        {"feedback.answer", "{\"call_id\":\"" CALL_ID "\",\"text\":\"" TEXT "\"}"},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        json_decref(stack_ask(s, all[i].subject, all[i].json));
}

TEST(integration_planted, ids_numbers_and_words_are_in_no_log_no_metric_and_no_database)
{
    struct stack *s = stack_new("rl:\n  log_level: debug\n");

    if (!s)
        return;
    ask_everything(s);
    say_everything(s);
    EVENTUALLY(stack_number(s, "bandit.stats", "{}", "variants.v1a.pulls") == 1, 10000);
    EVENTUALLY(stack_number(s, "feedback.stats", "{}", "total_events") == 2, 10000);
    EVENTUALLY(stack_number(s, "$JS.API.STREAM.INFO.DLQ", "", "state.messages") >= 15, 10000);
    static const char *const planted[] = {CALL_ID, CALLER, NUMBER, TEXT};
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        check_nowhere(s, planted[i], false);
    check_nowhere(s, VARIANT, true);
    stack_end_nats(s, SIGTERM);
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++)
        check_nowhere(s, planted[i], false);
    stack_free(s);
}
