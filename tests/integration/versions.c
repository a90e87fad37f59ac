/* SPDX-License-Identifier: Apache-2.0 */
/* versions.c - an operator tries a second reward version on real services: configure, replay, compare,
 * switch, kill, switch back. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack.h"
#include "test.h"

enum { CALLS = 12, PATIENCE_MS = 20000 };

#define WITH_CANDIDATE "reward_candidate: {version: v2, rating_weight: 1, resolution_weight: 0}\nbandit: {reward_candidate: v2}\n"

static void end_call(struct stack *s, int number)
{
    char json[256], rating[32] = "";

    if (number % 3 == 0)
        snprintf(rating, sizeof rating, ",\"user_rating\":%d", 1 + number % 5);
    snprintf(json, sizeof json, "{\"call_id\":\"c-%d\",\"policy_variant\":\"%s\",\"signals\":{\"resolution\":true%s}}", number,
             number % 2 ? "v1a" : "v2b", rating);
    stack_publish(s, "call.ended", json, "");
}

static double pulls(struct stack *s, const char *version)
{
    char ask[64];

    snprintf(ask, sizeof ask, "{\"reward_version\":\"%s\"}", version);
    double a = stack_number(s, "bandit.stats", ask, "variants.v1a.pulls"),
           b = stack_number(s, "bandit.stats", ask, "variants.v2b.pulls");
    return a + b;
}

static bool active_is(struct stack *s, const char *version)
{
    json_t *reply = stack_ask(s, "bandit.stats", "{}");
    const char *text = json_string_value(json_object_get(reply, "reward_version")),
               *policy = json_string_value(json_object_get(reply, "version"));
    bool yes = text && policy && strcmp(text, version) == 0 && strncmp(policy, version, strlen(version)) == 0;

    json_decref(reply);
    return yes;
}

/* What the router decides from. */
static bool decides_from(struct stack *s, const char *version)
{
    json_t *reply = stack_ask(s, "policy.select", "{\"call_id\":\"who-decides\",\"dry_run\":true}");
    const char *policy = json_string_value(json_object_get(reply, "policy_version"));
    bool yes = policy && strncmp(policy, version, strlen(version)) == 0 && policy[strlen(version)] == '-';

    json_decref(reply);
    return yes;
}

static bool exported(struct stack *s, const char *version)
{
    char path[400];

    snprintf(path, sizeof path, "%s/rl/bandit_state.json", s->dir);
    json_t *root = json_load_file(path, 0, NULL);
    const char *text = json_string_value(json_object_get(root, "reward_version"));
    bool yes = text && strcmp(text, version) == 0;
    json_decref(root);
    return yes;
}

static void restart(struct stack *s, const char *service)
{
    stack_end(s, service, SIGKILL);
    stack_start(s, service);
}

/* Before the candidate there were calls: they come under it by a replay. */
static void configure_and_replay(struct stack *s)
{
    stack_config(s, WITH_CANDIDATE);
    restart(s, "reward");
    restart(s, "bandit");
    EVENTUALLY(stack_ready(s), PATIENCE_MS);
    for (int i = CALLS; i < CALLS + 4; i++)
        end_call(s, i);
    EVENTUALLY(pulls(s, "v2") == 4 && pulls(s, "v1") == CALLS + 4, PATIENCE_MS);
    CHECK(stack_number(s, "feedback.replay", "{\"reward_version\":\"v2\"}", "replayed") == CALLS + 4);
    EVENTUALLY(pulls(s, "v2") == CALLS + 4, PATIENCE_MS);
    CHECK(pulls(s, "v1") == CALLS + 4);
    CHECK(stack_number(s, "bandit.rebuild", "{\"check\":true}", "identical") == 1);
}

static void check_comparison(struct stack *s)
{
    json_t *r = stack_ask(s, "bandit.versions", "{}"), *arm = NULL;
    size_t i;

    CHECK_INT(json_array_size(json_object_get(r, "versions")), 2);
    json_array_foreach(json_object_get(r, "variants"), i, arm) {
        const char *id = json_string_value(json_object_get(arm, "policy_variant"));
        if (strcmp(id, "v1a") != 0)
            continue;
        CHECK_INT(json_integer_value(json_object_get(arm, "pairs")), (CALLS + 4) / 2);
        CHECK_NEAR(json_number_value(json_object_get(arm, "response_rate")), 3 / 8.0, 1e-12);
        CHECK_INT(json_array_size(json_object_get(arm, "interval")), 2);
    }
    json_decref(r);
}

TEST(integration_versions, a_second_version_is_replayed_compared_switched_to_and_back_and_a_kill_undoes_nothing)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    for (int i = 0; i < CALLS; i++)
        end_call(s, i);
    EVENTUALLY(pulls(s, "v1") == CALLS, PATIENCE_MS);
    configure_and_replay(s);
    check_comparison(s);
    double before = stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward"),
           best = stack_number(s, "bandit.stats", "{}", "variants.v1a.probability_best");
    CHECK(stack_number(s, "bandit.switch", "{\"reward_version\":\"v9\"}", "changed") != 1);
    CHECK(active_is(s, "v1"));
    CHECK(stack_number(s, "bandit.switch", "{\"reward_version\":\"v2\",\"reason\":\"try it\",\"who\":\"anna\"}", "changed") == 1);
    CHECK(active_is(s, "v2"));
    restart(s, "bandit");
    EVENTUALLY(stack_ready(s) && active_is(s, "v2"), PATIENCE_MS);
    EVENTUALLY(decides_from(s, "v2") && exported(s, "v2"), PATIENCE_MS);
    CHECK(stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward") != before);
    CHECK(stack_number(s, "bandit.switch", "{\"reward_version\":\"v1\"}", "changed") == 1);
    CHECK(stack_number(s, "bandit.stats", "{}", "variants.v1a.total_reward") == before);
    CHECK(stack_number(s, "bandit.stats", "{}", "variants.v1a.probability_best") == best);
    EVENTUALLY(decides_from(s, "v1") && exported(s, "v1"), PATIENCE_MS);
    stack_free(s);
}

/* Ends with 78, and says why. */
TEST(integration_versions, rlctl_shows_both_versions_and_switches)
{
    struct stack *s = stack_new("");

    if (!s)
        return;
    for (int i = 0; i < 44; i++)
        end_call(s, i);
    EVENTUALLY(pulls(s, "v1") == 44, PATIENCE_MS);
    rlctl_says(s, "versions", 0, "v1           active         44 calls");
    rlctl_says(s, "replay --reward-version v2", 1, "\"v2\" is not configured, only \"v1\" is");
    stack_config(s, "reward_candidate: {version: v2, resolution_weight: -0.5}\nbandit: {reward_candidate: v2}\n");
    restart(s, "reward");
    restart(s, "bandit");
    EVENTUALLY(stack_ready(s), PATIENCE_MS);
    rlctl_says(s, "versions", 0, "44 calls are not known under v2 yet: rlctl replay --reward-version v2");
    rlctl_says(s, "replay --reward-version v2", 0, "44 calls are being said again");
    EVENTUALLY(pulls(s, "v2") == 44, PATIENCE_MS);
    rlctl_says(s, "versions", 0, "-1.1000 .. -1.1000");
    rlctl_says(s, "versions", 0, "v2b would be blacklisted after a switch");
    rlctl_says(s, "versions v9", 1, "\"v9\" is not learned, only \"v1\" and \"v2\" are");
    rlctl_says(s, "reward --resolved --reward-version v2", 0, "-0.5000");
    rlctl_says(s, "switch v2 --why 'only a test'", 0, "decisions come from v2 now; back: rlctl switch v1");
    rlctl_says(s, "switch v2", 0, "decisions come from v2 already");
    rlctl_says(s, "versions", 0, ": only a test");
    rlctl_says(s, "stats --reward-version v1", 0, "policy v1-");
    stack_free(s);
}

TEST(integration_versions, two_versions_of_one_name_are_a_configuration_error)
{
    static const struct {
        const char *service, *config;
    } wrong[] = {{"reward", "reward_candidate: {version: v1}\n"}, {"bandit", "bandit: {reward_candidate: v1}\n"}};
    struct stack *s = stack_new_bare();

    for (size_t i = 0; i < 2 && !test_failed(); i++) {
        stack_config(s, wrong[i].config);
        stack_start(s, wrong[i].service);
        CHECK_INT(stack_end(s, wrong[i].service, 0), 78);
    }
    stack_free(s);
}
