/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - what a person who edits rl.yaml relies on. */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "test.h"
#include "text.h"

struct rules {
    double weight;
    int64_t cap;
    int term;
    const char *name;
    int64_t window;
};

static const char *const terms[] = {"linear", "tent", "none", NULL};
static const struct config_key rule_keys[] = {
    CONFIG_INT(struct rules, cap, "reward.barge_in_cap", "3", 1, 10, NULL, "Cap."),
    CONFIG_ENUM(struct rules, term, "reward.duration.term", terms, "linear", "Term."),
    CONFIG_TEXT(struct rules, name, "reward.name", "v1", NULL, "Name."),
    CONFIG_DOUBLE(struct rules, weight, "reward.resolution_weight", "0.6", -1, 1, "RL_TEST_WEIGHT", "Weight."),
    CONFIG_AMENDMENT_WINDOW(struct rules, window, true),
};

struct fixture {
    struct arena arena;
    struct common_config common;
    struct rules rules;
    struct reason reason;
    char path[300];
};

/* Loads `text` as test.yaml (NULL: no file) into both tables. */
static enum status load(struct fixture *f, const char *text)
{
    struct config_table tables[] = {{common_keys, common_key_count, &f->common}, {rule_keys, 5, &f->rules}};

    *f = (struct fixture){0};
    snprintf(f->path, sizeof f->path, "%s/test.yaml", test_dir());
    if (text) {
        FILE *out = fopen(f->path, "w");
        fputs(text, out);
        fclose(out);
    }
    return config_load(&f->arena, tables, 2, text ? f->path : NULL, &f->reason);
}

/* Refused, and the whole message behind the folder is `expected`. */
static void refused(const char *text, const char *expected)
{
    struct fixture f;

    CHECK_INT(load(&f, text), STATUS_CONFIG);
    CHECK_STR(strstr(f.reason.text, "test.yaml"), expected);
    arena_done(&f.arena);
}

TEST(unit_config, without_a_file_everything_has_its_default)
{
    struct fixture f;

    CHECK_INT(load(&f, NULL), STATUS_OK);
    CHECK(f.common.enabled && f.common.legacy_names);
    CHECK_STR(f.common.data_dir, "data");
    CHECK_STR(f.common.timezone, "Europe/Berlin");
    CHECK_INT(f.common.nats_port, 4222);
    CHECK_INT(f.common.metrics_port_base, 9101);
    CHECK_INT(f.common.agents.count, 3);
    CHECK_INT(f.common.profiles.count, 5);
    CHECK_STR(f.common.profiles.items[4], "general");
    CHECK(!f.common.profiles.items[5]);
    CHECK_NEAR(f.rules.weight, 0.6, 0);
    arena_done(&f.arena);
}

TEST(unit_config, the_file_wins_over_the_default_and_the_environment_over_both)
{
    struct fixture f;

    CHECK_INT(load(&f, "reward:\n  resolution_weight: 0.5\n  duration: {term: tent}\n"), STATUS_OK);
    CHECK_NEAR(f.rules.weight, 0.5, 0);
    CHECK_INT(f.rules.term, 1);
    arena_done(&f.arena);
    setenv("RL_TEST_WEIGHT", "0.25", 1);
    CHECK_INT(load(&f, "reward:\n  resolution_weight: 0.5\n"), STATUS_OK);
    CHECK_NEAR(f.rules.weight, 0.25, 0);
    arena_done(&f.arena);
    setenv("RL_TEST_WEIGHT", "", 1);
    CHECK_INT(load(&f, "reward:\n  resolution_weight: 0.5\n"), STATUS_OK);
    CHECK_NEAR(f.rules.weight, 0.5, 0);
    unsetenv("RL_TEST_WEIGHT");
    arena_done(&f.arena);
}

TEST(unit_config, a_wrong_environment_value_names_the_variable)
{
    struct fixture f;

    setenv("RL_TEST_WEIGHT", "1.5", 1);
    CHECK_INT(load(&f, NULL), STATUS_CONFIG);
    CHECK_STR(f.reason.text, "RL_TEST_WEIGHT: reward.resolution_weight: out of range: \"1.5\" (-1 .. 1)");
    CHECK_STR(f.reason.field, "reward.resolution_weight");
    unsetenv("RL_TEST_WEIGHT");
    arena_done(&f.arena);
}

TEST(unit_config, an_unknown_key_names_the_nearest_one_with_file_and_line)
{
    refused("rl:\n  enabled: true\nreward:\n  resolutoin_weight: 0.5\n",
            "test.yaml:4: reward.resolutoin_weight: unknown key, did you mean reward.resolution_weight?");
    refused("rewards:\n  name: x\n", "test.yaml:1: rewards: unknown section, did you mean reward?");
}

TEST(unit_config, sections_of_other_programs_are_passed_over)
{
    struct fixture f;

    CHECK_INT(load(&f, "bandit:\n  what_we_do_not_know: 1\nreward:\nguard: {a: {b: [1, 2]}}\n"), STATUS_OK);
    arena_done(&f.arena);
}

TEST(unit_config, of_another_programs_section_only_a_borrowed_key_is_read)
{
    struct fixture f;

    CHECK_INT(load(&f, "rl:\n  enabled: false\n"), STATUS_OK);
    CHECK_INT(f.rules.window, 30);
    arena_done(&f.arena);
    CHECK_INT(load(&f, "feedback:\n  amendment_window_days: 60\n  no_key_of_ours: 1\n"), STATUS_OK);
    CHECK_INT(f.rules.window, 60);
    arena_done(&f.arena);
    CHECK_INT(load(&f, "feedback:\n"), STATUS_OK);
    CHECK_INT(f.rules.window, 30);
    arena_done(&f.arena);
    refused("feedback:\n  amendment_window_days: 0\n",
            "test.yaml:2: feedback.amendment_window_days: out of range: \"0\" (1 .. 365)");
}

TEST(unit_config, a_key_given_twice_is_refused)
{
    refused("rl:\n  enabled: true\n  enabled: false\n", "test.yaml:3: enabled: given twice, first in line 2");
    refused("rl:\n  enabled: true\nrl:\n  data_dir: x\n", "test.yaml:3: rl: given twice, first in line 1");
}

TEST(unit_config, values_of_the_wrong_kind_are_refused_with_what_is_allowed)
{
    refused("reward:\n  barge_in_cap: 2.5\n", "test.yaml:2: reward.barge_in_cap: want a whole number: \"2.5\" (1 .. 10)");
    refused("reward:\n  barge_in_cap: 11\n", "test.yaml:2: reward.barge_in_cap: out of range: \"11\" (1 .. 10)");
    refused("reward:\n  resolution_weight: .nan\n", "test.yaml:2: reward.resolution_weight: want a number: \".nan\" (-1 .. 1)");
    refused("reward:\n  resolution_weight: nan\n", "test.yaml:2: reward.resolution_weight: want a number: \"nan\" (-1 .. 1)");
    refused("reward:\n  duration:\n    term: square\n",
            "test.yaml:3: reward.duration.term: is none of the choices: \"square\" (linear, tent, none)");
    refused("rl:\n  enabled: perhaps\n", "test.yaml:2: rl.enabled: want true or false: \"perhaps\" (true, false)");
    refused("reward:\n  name: [a, b]\n", "test.yaml:2: reward.name: want one value");
    refused("rl: 3\n", "test.yaml:1: rl: is a section, want keys below it");
    refused("context:\n  profiles: [kfz, kfz]\n", "test.yaml:2: context.profiles: an item stands there twice: \"kfz,kfz\"");
    refused("context:\n  profiles: [a/b]\n",
            "test.yaml:2: context.profiles: an item has 1 to 40 characters, no space, slash or star: \"a/b\"");
}

TEST(unit_config, a_subject_prefix_must_end_in_a_dot)
{
    struct fixture f;

    CHECK_INT(load(&f, "nats: {subject_prefix: sandbox.}\n"), STATUS_OK);
    CHECK_STR(f.common.subject_prefix, "sandbox.");
    arena_done(&f.arena);
    CHECK_INT(load(&f, "nats: {subject_prefix: sandbox}\n"), STATUS_CONFIG);
    arena_done(&f.arena);
    CHECK_INT(load(&f, "nats: {subject_prefix: a..b.}\n"), STATUS_CONFIG);
    arena_done(&f.arena);
}

TEST(unit_config, what_is_no_yaml_is_refused_with_its_line)
{
    refused("rl:\n  enabled: [true\n", "test.yaml:2: enabled: did not find expected ',' or ']', while parsing a flow sequence");
    refused("- a\n- b\n", "test.yaml:1: a file consists of \"key: value\" lines");
    refused("bandit: &a\n  x: *a\n", "test.yaml:2: x: holds itself");
    refused("rl: {}\n---\nrl: {}\n", "test.yaml:3: a second document; a file holds one");
}

TEST(unit_config, whoever_wants_some_keys_of_a_section_leaves_the_others_to_their_program)
{
    struct fixture f;
    struct config_table table = {rule_keys, 1, &f.rules};

    CHECK_INT(load(&f, "reward: {another_one: {deeper: 7}, barge_in_cap: 4}\nguard: {what: ever}\n"), STATUS_CONFIG);
    CHECK_INT(config_load_some(&f.arena, &table, f.path, &f.reason), STATUS_OK);
    CHECK_INT(f.rules.cap, 4);
    arena_done(&f.arena);
    CHECK_INT(load(&f, "gaurd: {what: ever}\n"), STATUS_CONFIG);
    CHECK_INT(config_load_some(&f.arena, &table, f.path, &f.reason), STATUS_CONFIG); /* a section nobody knows */
    arena_done(&f.arena);
}

TEST(unit_config, a_missing_file_is_an_error)
{
    struct fixture f = {0};
    struct config_table table = {rule_keys, 4, &f.rules};

    CHECK_INT(config_load(&f.arena, &table, 1, "/nonexistent/rl.yaml", &f.reason), STATUS_CONFIG);
    CHECK_STR(f.reason.text, "/nonexistent/rl.yaml: No such file or directory");
    arena_done(&f.arena);
}

TEST(unit_config, distance_counts_insertions_deletions_and_replacements)
{
    CHECK_INT(text_distance("kitten", "sitting"), 3);
    CHECK_INT(text_distance("", "abc"), 3);
    CHECK_INT(text_distance("abc", ""), 3);
    CHECK_INT(text_distance("same", "same"), 0);
}
