/* SPDX-License-Identifier: Apache-2.0 */
/* backup.c - a backup of yesterday, put back today: what came since is there again, and what was erased since is not. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "stack.h"
#include "test.h"

static int rlctl(struct stack *s, const char *arguments)
{
    return system(arena_printf(&s->arena, RL_BINARY_DIR "/bin/rlctl %s >>%s/rlctl.log 2>&1", arguments, s->dir)) / 256;
}

static void end_call(struct stack *s, const char *id, int rating)
{
    stack_publish(s, "call.ended", arena_printf(&s->arena, "{\"call_id\":\"%s\",\"policy_variant\":\"v1a\","
                                                           "\"signals\":{\"resolution\":true,\"user_rating\":%d}}",
                                                id, rating), "");
}

static double pulls(struct stack *s) { return stack_number(s, "bandit.stats", "{}", "variants.v1a.pulls"); }

static double reward(struct stack *s) { return stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward"); }

static double total(struct stack *s) { return stack_number(s, "feedback.stats", "{}", "total_events"); }

static void restart(struct stack *s, const char *command, int expected)
{
    static const char *const services[] = {"feedback", "bandit", "guard"};

    for (int i = 0; i < 3; i++)
        CHECK_INT(stack_end(s, services[i], SIGTERM), 0);
    CHECK_INT(rlctl(s, command), expected);
    for (int i = 0; i < 3; i++)
        stack_start(s, services[i]);
    EVENTUALLY(stack_ready(s), 20000);
}

TEST(integration_backup, a_restore_brings_back_what_came_since_and_not_what_was_erased_since)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    const char *folder = arena_printf(&s->arena, "%s/backup-1", s->dir), *restore = arena_printf(&s->arena, "restore %s", folder);
    end_call(s, "c-1", 4);
    end_call(s, "victim", 2);
    EVENTUALLY(pulls(s) == 2, 10000);
    CHECK_INT(rlctl(s, arena_printf(&s->arena, "backup %s", folder)), 0);
    CHECK_INT(rlctl(s, arena_printf(&s->arena, "backup %s", folder)), 2); /* it is there already */
    CHECK_INT(rlctl(s, restore), 1); /* the services run */
    end_call(s, "c-2", 5);
    stack_publish(s, "call.amended", "{\"call_id\":\"c-1\",\"signals\":{\"user_rating\":1}}", "");
    EVENTUALLY(pulls(s) == 3 && fabs(reward(s) - (0.6 - 0.2 + 0.6 - 0.1 + 0.6 + 0.2)) < 1e-6, 10000);
    CHECK_INT(rlctl(s, "erase victim"), 0);
    double before = reward(s);
    CHECK_INT(pulls(s), 2);
    restart(s, restore, 0);
    EVENTUALLY(pulls(s) == 2 && total(s) == 2 && reward(s) == before, 20000);
    CHECK(stack_number(s, "bandit.rebuild", "{\"check\":true}", "identical") == 1);
    end_call(s, "victim", 5);
    end_call(s, "c-3", 3);
    EVENTUALLY(total(s) == 3 && pulls(s) == 3, 10000);
    CHECK(stack_number(s, "bandit.rebuild", "{\"check\":true}", "identical") == 1);
    stack_free(s);
}

/* The disk took the databases with it; the keys and the bus are still there. */
TEST(integration_backup, after_a_loss_the_streams_complete_the_backup)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    const char *folder = arena_printf(&s->arena, "%s/backup-1", s->dir);
    end_call(s, "c-1", 4);
    EVENTUALLY(pulls(s) == 1, 10000);
    CHECK_INT(rlctl(s, arena_printf(&s->arena, "backup %s --keys", folder)), 0);
    end_call(s, "c-2", 2);
    EVENTUALLY(pulls(s) == 2, 10000);
    double before = reward(s);
    restart(s, arena_printf(&s->arena, "restore %s", folder), 0);
    EVENTUALLY(pulls(s) == 2 && total(s) == 2 && reward(s) == before, 20000);
    for (int i = 0; i < 2; i++)
        CHECK_INT(stack_end(s, i ? "bandit" : "feedback", SIGKILL), -SIGKILL);
    CHECK_INT(system(arena_printf(&s->arena, "cd %s/rl && echo rubbish >feedback.db && rm -f bandit.db bandit.db-* feedback.db-*",
                                  s->dir)), 0);
    CHECK_INT(stack_end(s, "guard", SIGTERM), 0);
    CHECK_INT(rlctl(s, arena_printf(&s->arena, "restore %s", folder)), 0);
    for (int i = 0; i < 3; i++)
        stack_start(s, i == 0 ? "feedback" : i == 1 ? "bandit" : "guard");
    EVENTUALLY(stack_ready(s), 20000);
    EVENTUALLY(pulls(s) == 2 && total(s) == 2 && reward(s) == before, 20000);
    stack_free(s);
}

/* What the file says holds for rlctl as for the services. */
TEST(integration_backup, databases_are_found_where_the_settings_file_has_them)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    const char *folder = arena_printf(&s->arena, "%s/backup-1", s->dir),
               *db = arena_printf(&s->arena, "%s/elsewhere/feedback.db", s->dir);
    CHECK_INT(stack_end(s, "feedback", SIGTERM), 0);
    CHECK_INT(system(arena_printf(&s->arena, "cd %s && mkdir elsewhere && mv rl/feedback.db* elsewhere", s->dir)), 0);
    stack_config(s, arena_printf(&s->arena, "rl:\n  data_dir: %s\nfeedback:\n  db_path: %s\n  join_wait_s: 5\n", s->dir, db));
    stack_start(s, "feedback");
    EVENTUALLY(stack_ready(s), 20000);
    end_call(s, "c-1", 4);
    EVENTUALLY(pulls(s) == 1, 10000);
    unsetenv("RL_DATA_DIR");
    CHECK_INT(rlctl(s, arena_printf(&s->arena, "backup %s", folder)), 0);
    restart(s, arena_printf(&s->arena, "restore %s", folder), 0);
    CHECK(access(db, F_OK) == 0);
    CHECK(access(arena_printf(&s->arena, "%s/rl/feedback.db", s->dir), F_OK) != 0);
    EVENTUALLY(total(s) == 1, 10000);
    setenv("RL_DATA_DIR", s->dir, 1);
    stack_free(s);
}

static void write_prior(struct stack *s, const char *path, const char *mean)
{
    CHECK_INT(system(arena_printf(&s->arena, "echo 'variants: {v1a: {mean: %s, calls: 40}}' >%s", mean, path)), 0);
}

static bool prior_says(struct stack *s, const char *path, const char *mean)
{
    return system(arena_printf(&s->arena, "grep -q 'mean: %s,' %s", mean, path)) == 0;
}

static double imagined(struct stack *s) { return stack_number(s, "bandit.stats", "{}", "variants.v1a.n_prior"); }

/* A new machine gets it from the backup; one that somebody has put there since is a setting of today. */
TEST(integration_backup, the_warm_start_comes_back_and_never_over_another_one)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    const char *folder = arena_printf(&s->arena, "%s/backup-1", s->dir), *restore = arena_printf(&s->arena, "restore %s", folder),
               *place = arena_printf(&s->arena, "%s/rl/bandit_prior.yaml", s->dir),
                   *named = arena_printf(&s->arena, "%s/mine.yaml", s->dir);
    write_prior(s, place, "0.3");
    CHECK_INT(rlctl(s, arena_printf(&s->arena, "backup %s", folder)), 0);
    CHECK_INT(unlink(place), 0);
    restart(s, restore, 0);
    CHECK(prior_says(s, place, "0.3"));
    EVENTUALLY(imagined(s) > 1, 10000);
    write_prior(s, place, "0.1");
    restart(s, restore, 0);
    CHECK(prior_says(s, place, "0.1"));
    setenv("RL_BANDIT_PRIOR_PATH", named, 1); /* where the settings have it, there it belongs */
    restart(s, restore, 0);
    CHECK(prior_says(s, named, "0.3"));
    EVENTUALLY(imagined(s) > 1, 10000);
    unsetenv("RL_BANDIT_PRIOR_PATH");
    stack_free(s);
}

TEST(integration_keys, rotation_while_all_runs_keeps_calls_whole)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    json_decref(stack_ask(s, "policy.select", "{\"call_id\":\"spans\",\"profile\":\"kfz\"}"));
    end_call(s, "old", 3);
    EVENTUALLY(total(s) == 1, 10000);
    CHECK_INT(rlctl(s, "keys rotate"), 0);
    CHECK_INT(rlctl(s, "keys list"), 0);
    CHECK_INT(rlctl(s, "keys prune"), 0); /* none is old enough */
    EVENTUALLY(system(arena_printf(&s->arena, "grep -q 'keys.changed.*key=k2' %s/feedback.log", s->dir)) == 0, 10000);
    stack_publish(s, "call.ended", "{\"call_id\":\"spans\",\"signals\":{\"resolution\":true}}", "");
    stack_publish(s, "call.amended", "{\"call_id\":\"old\",\"signals\":{\"user_rating\":5}}", "");
    end_call(s, "new", 3);
    EVENTUALLY(total(s) == 3, 10000);
    CHECK_INT(stack_number(s, "feedback.stats", "{}", "waiting"), 0);
    EVENTUALLY(system(arena_printf(&s->arena, "grep -q 'keys.changed.*key=k2' %s/router.log", s->dir)) == 0, 30000);
    CHECK_INT(rlctl(s, "keys prune --days 100000"), 0);
    CHECK_INT(rlctl(s, "keys revoke"), 2);
    stack_free(s);
}

static bool file_holds(struct stack *s, const char *text)
{
    return system(arena_printf(&s->arena, "grep -q '%s' %s/secrets/pseudonym.keys", text, s->dir)) == 0;
}

/* Retention is 90 days, the amendment window 30. */
TEST(integration_keys, a_key_past_retention_is_destroyed_and_no_other)
{
    static const char *const secrets[] = {"aa00000000000000000000000000000000000000000000000000000000000000",
                                          "bb00000000000000000000000000000000000000000000000000000000000000",
                                          "cc00000000000000000000000000000000000000000000000000000000000000"};
    struct stack *s = stack_new("");

    if (!s)
        return;
    const char *path = arena_printf(&s->arena, "%s/secrets/pseudonym.keys", s->dir);
    long long now = (long long)time(NULL), day = 86400;
    FILE *f = fopen(path, "we");
    fprintf(f, "k3 %s %lld\nk2 %s %lld\nk1 %s\n", secrets[2], now - 10 * day, secrets[1], now - 121 * day, secrets[0]);
    CHECK(fileno(f) >= 0 && fclose(f) == 0);
    f = fopen(path, "re"); /* the file as it is now, which prune replaces */
    char old[400] = "";
    CHECK_INT(rlctl(s, "keys prune"), 0);
    CHECK(file_holds(s, "^k3 cc00") && file_holds(s, "^k2 bb00") && !file_holds(s, "k1") && !file_holds(s, "aa00"));
    CHECK(fread(old, 1, sizeof old, f) > 100);
    for (size_t i = 0; i < sizeof old; i++)
        CHECK_INT(old[i], 0); /* overwritten where it lay */
    fclose(f);
    CHECK_INT(rlctl(s, "keys prune --days 5"), 0);
    CHECK(file_holds(s, "^k3 cc00") && !file_holds(s, "bb00"));
    stack_free(s);
}
