/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - a second loop on the same bus learns for itself; the first one does not notice. */
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack.h"
#include "test.h"

enum { CALLS = 1000, OWN_CALLS = 20 };

static const char *const variants[] = {"v1a", "v2b", "v3a", "v6b"};

/* ---- what a loop knows, as text -------------------------------------------------------------------------------------------- */

static void dump_rows(FILE *out, sqlite3 *db, const char *table)
{
    char sql[128];
    sqlite3_stmt *q = NULL;

    snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" ORDER BY 1, 2", table);
    CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW) {
        fputs(table, out);
        for (int c = 0; c < sqlite3_column_count(q); c++) {
            const unsigned char *bytes = sqlite3_column_blob(q, c);
            fputc('|', out);
            for (int i = 0; i < sqlite3_column_bytes(q, c); i++)
                fprintf(out, "%02x", bytes[i]);
        }
        fputc('\n', out);
    }
    sqlite3_finalize(q);
}

/* Every row of every table of a service's database but the loop's own, where times are kept. */
static void dump(FILE *out, struct stack *s, const char *service)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *q = NULL;

    CHECK_INT(sqlite3_open_v2(arena_printf(&s->arena, "%s/rl/%s.db", s->dir, service), &db, SQLITE_OPEN_READONLY, NULL),
              SQLITE_OK);
    CHECK_INT(sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'rl_loop' ORDER BY name",
                                 -1, &q, NULL), SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW)
        dump_rows(out, db, (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    sqlite3_close(db);
}

static void dump_answer(FILE *out, struct stack *s, const char *subject)
{
    json_t *reply = stack_ask(s, subject, "{}");
    char *text = json_dumps(reply, JSON_SORT_KEYS);

    CHECK(text != NULL);
    fprintf(out, "%s %s\n", subject, text ? text : "");
    free(text);
    json_decref(reply);
}

/* Databases, answers, and process ids: nobody was started again. */
static char *known(struct stack *s)
{
    static const char *const services[] = {"feedback", "reward", "bandit", "guard", "router"};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    dump(out, s, "feedback");
    dump(out, s, "bandit");
    dump(out, s, "guard");
    dump_answer(out, s, "feedback.stats");
    dump_answer(out, s, "bandit.stats");
    dump_answer(out, s, "guard.status");
    for (int i = 0; i < STACK_SERVICES; i++)
        fprintf(out, "%s %d\n", services[i], (int)stack_pid(s, services[i]));
    fclose(out);
    return text;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------------- */

static double learned(struct stack *s)
{
    char path[64];
    double n = 0;

    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        snprintf(path, sizeof path, "variants.%s.pulls", variants[i]);
        n += stack_number(s, "bandit.stats", "{}", path);
    }
    return n;
}

/* A decision for each, its end, and that it was learned. */
static void call(struct stack *s, int count)
{
    char text[256];
    struct reason reason;

    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "{\"call_id\":\"c-%d\",\"profile\":\"kfz\"}", i);
        if (i % 10 == 0)
            json_decref(stack_ask(s, "policy.select", text));
        snprintf(text, sizeof text, "{\"call_id\":\"c-%d\",\"profile\":\"kfz\",\"policy_variant\":\"%s\","
                                    "\"signals\":{\"resolution\":%s,\"user_rating\":%d}}", i,
                 variants[i % 4], i % 3 ? "true" : "false", 1 + i % 5);
        const struct client_publish message = {.subject = "call.ended", .data = text, .size = strlen(text)};
        CHECK_INT(client_send(s->voice, &message, &reason), STATUS_OK);
    }
    CHECK_INT(client_flush(s->voice, &reason), STATUS_OK);
    EVENTUALLY(learned(s) == count, 20000);
}

TEST(integration_sandbox, a_thousand_calls_leave_production_as_it_was_to_the_byte)
{
    struct stack *s = stack_new(""), *sandbox = NULL;

    if (!s)
        return;
    call(s, OWN_CALLS);
    EVENTUALLY(stack_number(s, "guard.health", "{\"policy_variant\":\"v2b\"}", "stats.pulls") == OWN_CALLS / 4, 10000);
    char *before = known(s);
    sandbox = stack_new_sandbox(s, "");
    if (sandbox) {
        call(sandbox, CALLS);
        CHECK_INT(stack_number(sandbox, "feedback.stats", "{}", "total_events"), CALLS);
        CHECK(stack_number(sandbox, "bandit.rebuild", "{\"check\":true}", "identical") == 1);
        char *after = known(s);
        CHECK_STR(after, before);
        CHECK_INT(learned(s), OWN_CALLS);
        /* The server read its configuration again. */
        CHECK(system(arena_printf(&s->arena, "grep -q bus.disconnected %s/*.log", s->dir)) != 0);
        free(after);
    }
    free(before);
    stack_free(sandbox);
    stack_free(s);
}
