/* SPDX-License-Identifier: Apache-2.0 */
/* erase.c - what an erased call leaves behind on disk: nothing.  Every byte of every file is looked at. */
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>

#include "pseudonym.h"
#include "stack.h"
#include "test.h"

/* What to look for, and where it was found. */
static struct search {
    const void *bytes;
    size_t size, files, hits;
    char where[600];
} search;

static int look_into(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F || st->st_size == 0 || strstr(path, "/secrets/"))
        return 0;
    FILE *f = fopen(path, "re");
    char *data = f ? malloc((size_t)st->st_size) : NULL;
    size_t n = data ? fread(data, 1, (size_t)st->st_size, f) : 0;

    search.files++;
    for (const char *at = data; at && (at = memmem(at, n - (size_t)(at - data), search.bytes, search.size)); at++) {
        search.hits++;
        snprintf(search.where, sizeof search.where, "%s at byte %zu", path, (size_t)(at - data));
    }
    free(data);
    if (f)
        fclose(f);
    return 0;
}

static size_t on_disk(struct stack *s, const void *bytes, size_t size)
{
    search = (struct search){.bytes = bytes, .size = size};
    nftw(s->dir, look_into, 16, FTW_PHYS);
    CHECK(search.files > 15);
    return search.hits;
}

/* A call under all the names it has. */
struct names {
    char id[64], key_text[CALL_KEY_TEXT], decision_text[CALL_KEY_TEXT];
    uint8_t key[CALL_KEY_BYTES];
};

static struct names names_of(struct stack *s, const char *id)
{
    struct names n;
    struct keyring *ring = NULL;
    struct reason reason;
    uint8_t decision[CALL_KEY_BYTES];

    CHECK_INT(keyring_load(arena_printf(&s->arena, "%s/secrets/pseudonym.keys", s->dir), &ring, &reason), STATUS_OK);
    snprintf(n.id, sizeof n.id, "%s", id);
    pseudonym(ring, 0, DOMAIN_CALL, id, n.key);
    pseudonym(ring, 0, DOMAIN_DECISION, id, decision);
    call_key_text(n.key, n.key_text);
    call_key_text(decision, n.decision_text);
    keyring_free(ring);
    return n;
}

static void check_gone(struct stack *s, const struct names *n, const char *when)
{
    const struct { const void *bytes; size_t size; const char *what; } all[] = {
        {n->id, strlen(n->id), "its id"}, {n->key_text, strlen(n->key_text), "its pseudonym as text"},
        {n->key, sizeof n->key, "its pseudonym"}, {n->decision_text, strlen(n->decision_text), "the id of its decision"}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (on_disk(s, all[i].bytes, all[i].size))
            test_fail(__FILE__, __LINE__, "%s: %s is there %zu times, in %s", when, all[i].what, search.hits, search.where);
}

static double pulls(struct stack *s) { return stack_number(s, "bandit.stats", "{}", "variants.v1a.pulls"); }

static void say_a_lot(struct stack *s, const char *id)
{
    static const char *const steps[] = {"incoming_call", "call_answered", "audio_start", "barge_in", "audio_stop", "audio_start"};

    json_decref(stack_ask(s, "policy.select",
                          arena_printf(&s->arena, "{\"call_id\":\"%s\",\"profile\":\"kfz\",\"eligible\":[\"v1a\"]}", id)));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        stack_publish(s, "call.event", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"event\":\"%s\"}", id, steps[i]), "");
    stack_publish(s, "call.ended", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"policy_variant\":\"v1a\",\"caller_key\":\"%s\","
                                                           "\"signals\":{\"resolution\":true}}",
                                                id, id), arena_printf(&s->arena, "%s:ended", id));
    stack_publish(s, "call.amended", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"signals\":{\"user_rating\":2}}", id), "");
    stack_publish(s, "call.amended", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"signals\":{\"user_rating\":7}}", id), "");
    stack_publish(s, "call.event", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"event\":\"%s\"}", id, "no_such_event"), "");
    stack_publish(s, "call.ended", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"%s\":1}", id, "no_such_key"), "");
}

static json_t *erase(struct stack *s, const char *id)
{
    struct client_message reply;
    struct reason reason;
    struct arena arena = {0};
    json_t *answer = NULL;
    const char *json = arena_printf(&s->arena, "{\"call_id\":\"%s\"}", id);

    if (client_request(s->operator, &arena, "feedback.erase", json, strlen(json), 30000, &reply, &reason) == STATUS_OK)
        answer = json_loadb((const char *)reply.data, reply.size, 0, NULL);
    arena_done(&arena);
    return answer;
}

TEST(integration_erase, no_byte_on_disk_knows_the_call_any_more_and_the_sums_are_as_before)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    say_a_lot(s, "keep-1");
    EVENTUALLY(pulls(s) == 1, 10000);
    EVENTUALLY(fabs(stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward") - 0.5) < 1e-9, 5000);
    double before = stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward");
    struct names n = names_of(s, "victim-4711-0815");
    say_a_lot(s, n.id);
    EVENTUALLY(pulls(s) == 2, 10000);
    EVENTUALLY(on_disk(s, n.key_text, strlen(n.key_text)) > 0 && on_disk(s, n.id, strlen(n.id)) > 12, 10000);
    json_t *r = erase(s, n.id), *places = json_object_get(r, "erased");
    CHECK(r && !json_object_get(r, "error") && json_string_length(json_object_get(r, "receipt_id")) == 18);
    CHECK_INT(json_integer_value(json_object_get(places, "feedback.db")), 1);
    CHECK(json_integer_value(json_object_get(places, "CALLS")) == 11);
    CHECK_INT(json_integer_value(json_object_get(places, "DECISIONS")), 1);
    CHECK(json_integer_value(json_object_get(places, "DLQ")) == 3);
    check_gone(s, &n, "after the receipt");
    CHECK(stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward") == before);
    CHECK_INT(pulls(s), 1);
    CHECK_INT(stack_number(s, "feedback.stats", "{}", "total_events"), 1);
    CHECK(stack_number(s, "bandit.rebuild", "{\"check\":true}", "identical") == 1);
    json_decref(r);
    stack_end(s, "feedback", SIGTERM);
    stack_end(s, "bandit", SIGTERM);
    stack_end(s, "router", SIGTERM);
    stack_end_nats(s, SIGTERM);
    check_gone(s, &n, "after all has stopped");
    CHECK(on_disk(s, "keep-1", 6) > 0);
    stack_free(s);
}

TEST(integration_erase, the_sandbox_erases_its_own_call_and_not_that_of_production)
{
    struct stack *s = stack_new(""), *sandbox = s ? stack_new_sandbox(s, "") : NULL;

    if (sandbox) {
        say_a_lot(s, "both-0817");
        say_a_lot(sandbox, "both-0817");
        EVENTUALLY(pulls(s) == 1 && pulls(sandbox) == 1, 10000);
        json_t *r = erase(sandbox, "both-0817"), *places = json_object_get(r, "erased");
        CHECK_INT(json_integer_value(json_object_get(places, "DECISIONS")), 1);
        CHECK(json_integer_value(json_object_get(places, "CALLS")) >= 11 &&
              json_integer_value(json_object_get(places, "FEEDBACK")) >= 2);
        CHECK_INT(pulls(sandbox), 0);
        CHECK_INT(pulls(s), 1);
        json_decref(r);
    }
    stack_free(sandbox);
    stack_free(s);
}

/* ---- a caller -------------------------------------------------------------------------------------------------------------- */

#define CALLER "0171-5550-815"

enum { CALLS = 12, ALL_CALLS = 20 };

/* As it is typed by hand: the caller's key on the standard input. */
static int rlctl(struct stack *s, const char *arguments, char text[static 65536])
{
    FILE *out = popen(arena_printf(&s->arena, "printf '%%s\\n' ' %s' | %s/bin/rlctl %s 2>&1", CALLER, RL_BINARY_DIR, arguments),
                      "r");
    size_t n = fread(text, 1, 65535, out);

    text[n] = '\0';
    return pclose(out) / 256;
}

static void call_of(struct stack *s, const char *id, const char *caller)
{
    json_decref(stack_ask(s, "policy.select", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"eligible\":[\"v1a\"]}", id)));
    stack_publish(s, "call.ended", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"policy_variant\":\"v1a\",\"caller_key\":\"%s\","
                                                           "\"signals\":{\"resolution\":true}}",
                                                id, caller), "");
    stack_publish(s, "call.amended", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"signals\":{\"user_rating\":2}}", id), "");
}

static void check_caller_gone(struct stack *s, const char *when)
{
    struct keyring *ring = NULL;
    struct reason reason;
    uint8_t key[CALL_KEY_BYTES];
    char text[CALL_KEY_TEXT];

    CHECK_INT(keyring_load(arena_printf(&s->arena, "%s/secrets/pseudonym.keys", s->dir), &ring, &reason), STATUS_OK);
    pseudonym(ring, 0, DOMAIN_CALLER, CALLER, key);
    keyring_free(ring);
    call_key_text(key, text);
    if (on_disk(s, CALLER, strlen(CALLER)) || on_disk(s, key, sizeof key) || on_disk(s, text, strlen(text)))
        test_fail(__FILE__, __LINE__, "%s: the caller is in %s", when, search.where);
    for (int i = 0; i < ALL_CALLS; i++) {
        struct names n = names_of(s, arena_printf(&s->arena, "ofcaller-%d-x", i));
        check_gone(s, &n, when);
    }
}

TEST(integration_erase, no_byte_on_disk_knows_a_caller_or_a_call_of_theirs_also_after_a_kill)
{
    struct stack *s = stack_new("");
    static char text[65536];

    if (!s)
        return;
    call_of(s, "keep-1", "somebody else");
    EVENTUALLY(fabs(stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward") - 0.5) < 1e-9, 10000);
    double before = stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward");
    for (int i = 0; i < CALLS; i++)
        call_of(s, arena_printf(&s->arena, "ofcaller-%d-x", i), CALLER);
    stack_publish(s, "call.ended", "{\"call_id\":\"refused\",\"caller_key\":\"" CALLER "\",\"no_such_key\":1}", "");
    EVENTUALLY(pulls(s) == CALLS + 1 && on_disk(s, CALLER, strlen(CALLER)) > CALLS + 1, 10000); /* CALLS, and DLQ */
    CHECK_INT(rlctl(s, "export --caller -", text), 0);
    json_t *held = json_loads(text, 0, NULL);
    CHECK_INT(json_array_size(json_object_get(json_object_get(held, "feedback"), "calls")), CALLS);
    CHECK(!strstr(text, CALLER));
    json_decref(held);
    CHECK_INT(rlctl(s, "erase --caller -", text), 0);
    CHECK(strstr(text, "receipt c-") &&
          strstr(text, "feedback.db        12\n  CALLS              25\n  DECISIONS          12\n"));
    CHECK(strstr(text, "DLQ                 1\n  router             12\n") && strstr(text, "under the keys k1") &&
          !strstr(text, CALLER));
    check_caller_gone(s, "after the receipt");
    for (int i = CALLS; i < ALL_CALLS; i++) /* they called again, and the process dies */
        call_of(s, arena_printf(&s->arena, "ofcaller-%d-x", i), CALLER);
    EVENTUALLY(pulls(s) == ALL_CALLS - CALLS + 1, 10000);
    CHECK_INT(system(arena_printf(&s->arena, "printf %s | %s/bin/rlctl erase --caller - --wait 1 >/dev/null 2>&1 &", CALLER,
                                  RL_BINARY_DIR)), 0);
    test_nap();
    stack_end(s, "feedback", SIGKILL);
    stack_start(s, "feedback");
    EVENTUALLY(stack_ready(s), 20000);
    for (int i = 0, code = 1; i < 5 && code; i++)
        code = rlctl(s, "erase --caller - --wait 20", text);
    CHECK(strstr(text, "receipt c-"));
    check_caller_gone(s, "after a kill");
    CHECK(stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward") == before);
    CHECK_INT(stack_number(s, "feedback.stats", "{}", "total_events"), 1);
    CHECK(stack_number(s, "bandit.rebuild", "{\"check\":true}", "identical") == 1);
    stack_end(s, "feedback", SIGTERM);
    stack_end(s, "bandit", SIGTERM);
    stack_end(s, "router", SIGTERM);
    stack_end_nats(s, SIGTERM);
    check_caller_gone(s, "after all has stopped");
    CHECK(on_disk(s, "keep-1", 6) > 0);
    stack_free(s);
}
