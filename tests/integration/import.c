/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - the history of another installation: taken over once, however often, and written out again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "stack.h"
#include "store.h"
#include "test.h"

enum { CALLS = 300 };

static int shell(struct stack *s, const char *command)
{
    int status = system(arena_printf(&s->arena, "cd %s && { %s; } >>import.log 2>&1", s->dir, command));

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A feedback.db as the described system keeps it; three rows of it are bad. */
static void make_history(struct stack *s)
{
    static const char *const schema[] = {"CREATE TABLE feedback(id INTEGER PRIMARY KEY, call_id TEXT, ts REAL, agent TEXT,"
                                         " profile TEXT, policy_variant TEXT, signals TEXT, created_at TEXT,"
                                         " anonymized INTEGER)"};
    static const char *const bad[] = {"{\"resolution\":true,\"user_rating\":9}", "no JSON", "{\"user_rating\":3}"};
    struct store *store;
    struct reason reason;

    CHECK(store_open(arena_printf(&s->arena, "%s/old.db", s->dir), schema, 1, &store, &reason) == STATUS_OK);
    CHECK(store_begin(store) == STATUS_OK);
    for (int i = 0; i < CALLS + 3; i++) {
        struct query *q = store_query(store, "INSERT INTO feedback(call_id, ts, agent, profile, policy_variant,"
                                             " signals) VALUES(?, ?, 'TOM', 'kfz', ?, ?)");
        char *id = arena_printf(&s->arena, "old-%d", i);
        query_bind_text(q, 1, id);
        query_bind_real(q, 2, 1790000000.25 - 3600.0 * i);
        query_bind_text(q, 3, i % 3 ? "v1a" : "v2b");
        query_bind_text(q, 4, i < CALLS ? i % 2 ? "{\"resolution\":true,\"user_rating\":4}"
                                        : "{\"resolution\":false,\"duration_sec\":99.5}" : bad[i - CALLS]);
        CHECK(query_run(q, NULL) == STATUS_OK);
    }
    CHECK(store_commit(store) == STATUS_OK);
    store_close(store);
}

static double total(struct stack *s) { return stack_number(s, "feedback.stats", "{}", "total_events"); }
static double pulls(struct stack *s)
{
    return stack_number(s, "bandit.stats", "{}", "variants.v1a.pulls") +
           stack_number(s, "bandit.stats", "{}", "variants.v2b.pulls");
}

TEST(integration_import, a_history_is_taken_over_once_and_its_bad_rows_are_named)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    make_history(s);
    CHECK_INT(shell(s, RL_BINARY_DIR "/bin/rlctl import tom3 --feedback-db old.db --dry-run >dry.txt"), 1);
    CHECK_INT(shell(s, "grep -q '303 read, 300 would be sent, 3 refused' dry.txt"
                       " && grep -q 'row 301: signals.user_rating: 9 is outside of 1 .. 5' dry.txt"
                       " && grep -q 'row 302: signals: is no JSON object' dry.txt"
                       " && grep -q 'row 303: signals.resolution: is required' dry.txt"), 0);
    CHECK_NEAR(total(s), 0, 0);
    for (int again = 0; again < 2; again++) {
        CHECK_INT(shell(s, RL_BINARY_DIR "/bin/rlctl import tom3 --feedback-db old.db"), 1);
        EVENTUALLY(pulls(s) >= CALLS, 10000);
    }
    CHECK_INT(shell(s, RL_BINARY_DIR "/bin/rlctl end after --variant v1a --resolved"), 0);
    EVENTUALLY(pulls(s) >= CALLS + 1, 10000); /* all before it were seen */
    CHECK_NEAR(pulls(s), CALLS + 1, 0);
    CHECK_NEAR(total(s), CALLS + 1, 0);
    stack_free(s);
}

TEST(integration_import, what_query_writes_out_another_system_takes_in)
{
    struct stack *s = stack_new(""), *other = s ? stack_new_sandbox(s, "") : NULL;

    if (!other)
        return;
    make_history(s);
    CHECK_INT(shell(s, RL_BINARY_DIR "/bin/rlctl import tom3 --feedback-db old.db"), 1);
    EVENTUALLY(pulls(s) >= CALLS, 10000);
    CHECK_INT(shell(s, RL_BINARY_DIR "/bin/rlctl query --all --csv >all.csv && "
                       RL_BINARY_DIR "/bin/rlctl query --all --json >all.jsonl"), 0);
    CHECK_INT(shell(s, "test $(wc -l <all.csv) = 301 && test $(wc -l <all.jsonl) = 300"), 0);
    const char *to = arena_printf(&s->arena, "RL_DATA_DIR=%s RL_SUBJECT_PREFIX=sandbox. " RL_BINARY_DIR "/bin/rlctl", other->dir);
    CHECK_INT(shell(s, arena_printf(&s->arena, "%s import csv all.csv && %s import jsonl all.jsonl", to, to)), 0);
    EVENTUALLY(pulls(other) >= CALLS, 10000);
    CHECK_NEAR(total(other), CALLS, 0);
    CHECK_NEAR(stack_number(other, "bandit.stats", "{}", "variants.v2b.total_reward"),
               stack_number(s, "bandit.stats", "{}", "variants.v2b.total_reward"), 1e-9);
    stack_free(other);
    stack_free(s);
}

TEST(integration_import, the_other_guards_blacklist_becomes_ours)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    CHECK_INT(shell(s, "echo '{\"blacklisted_variants\":[\"v5a\",\"v9z\"],\"active_variants\":[\"v1a\",\"v1b\",\"v2a\"],"
                       "\"last_update\":1}' >deploy.json"), 0);
    for (int again = 0; again < 2; again++)
        CHECK_INT(shell(s, RL_BINARY_DIR "/bin/rlctl import tom3 --deploy-state deploy.json"), 0);
    json_t *status = stack_ask(s, "guard.status", "{}");
    CHECK_INT((int)json_array_size(json_object_get(status, "eligible")), 3);
    CHECK_STR(json_string_value(json_array_get(json_object_get(status, "blacklisted_variants"), 0)), "v5a");
    json_decref(status);
    stack_free(s);
}

TEST(integration_import, what_the_other_bandit_learned_is_believed_here_until_the_history_says_it)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    CHECK_INT(shell(s, "echo '{\"alpha\":{\"v1a\":101,\"v2b\":181,\"v9z\":3},\"beta\":{\"v1a\":101,\"v2b\":21,\"v9z\":1},"
                       "\"last_updated\":1}' >state.json"), 0);
    const char *take = arena_printf(&s->arena, "RL_DATA_DIR=%s %s/bin/rlctl import tom3 --bandit-state state.json", s->dir,
                                    RL_BINARY_DIR);
    CHECK_INT(shell(s, arena_printf(&s->arena, "%s --dry-run >dry.txt && grep -q 'v9z .* no variant here' dry.txt && grep -q"
                                               " 'would be written' dry.txt && ! test -e rl/bandit_prior.yaml", take)), 0);
    CHECK_INT(shell(s, arena_printf(&s->arena, "%s && cp rl/bandit_prior.yaml first.yaml && %s >again.txt && grep -q 'holds this"
                                               " already' again.txt && cmp first.yaml rl/bandit_prior.yaml", take, take)), 0);
    CHECK_NEAR(stack_number(s, "bandit.stats", "{}", "variants.v2b.n_prior"), 0, 0);
    CHECK_INT(stack_end(s, "bandit", SIGTERM), 0);
    CHECK_INT(shell(s, "echo 'variants: {v1a: {mean: 2, calls: 1}}' >bad.yaml;"
                       " RL_BANDIT_PRIOR_PATH=bad.yaml " RL_BINARY_DIR "/bin/rl-bandit >bad.txt 2>&1"), 78);
    CHECK_INT(shell(s, "grep -q 'bad.yaml:1: mean: 2 is outside of -1 .. 1' bad.txt"), 0);
    stack_start(s, "bandit");
    EVENTUALLY(stack_number(s, "bandit.stats", "{}", "variants.v2b.n_prior") > 0, 10000);
    CHECK_NEAR(stack_number(s, "bandit.stats", "{}", "variants.v2b.n_prior"), 20, 1e-6);
    CHECK_NEAR(stack_number(s, "bandit.stats", "{}", "variants.v2b.pulls"), 0, 0);
    CHECK_NEAR(stack_number(s, "bandit.stats", "{}", "variants.v2b.alpha"), 1, 0);
    CHECK(stack_number(s, "bandit.stats", "{\"profile\":\"kfz\",\"time_of_day\":\"morning\"}", "variants.v2b.w") >
          3 * stack_number(s, "bandit.stats", "{\"profile\":\"kfz\",\"time_of_day\":\"morning\"}", "variants.v1a.w"));
    CHECK(stack_number(s, "bandit.stats", "{}", "variants.v2b.posterior_mean") > 0.4);
    make_history(s);
    CHECK_INT(shell(s, "echo '# mine' >mine.yaml && cp rl/bandit_prior.yaml kept.yaml && cp mine.yaml rl/bandit_prior.yaml"), 0);
    CHECK_INT(shell(s, take), 1); /* what somebody wrote himself is not written over */
    CHECK_INT(shell(s, "cmp mine.yaml rl/bandit_prior.yaml && cp kept.yaml rl/bandit_prior.yaml"), 0);
    CHECK_INT(shell(s, arena_printf(&s->arena, "%s --feedback-db old.db >both.txt;"
                                               " grep -q 'is taken away' both.txt && ! test -e rl/bandit_prior.yaml", take)), 0);
    stack_free(s);
}
