/* SPDX-License-Identifier: Apache-2.0 */
/* prior_file.c - a file of priors and a bandit_state.json are read, and a slip is named with its line. */
#include "prior_file.h"

#include <stdio.h>

#include "test.h"

static const char *const words[] = {"kfz", "it", NULL};
static const struct config_list profiles = {words, 2};
static const struct variants coins = {.initial_alpha = 1, .initial_beta = 1};
static const struct prior_terms terms = {.profiles = &profiles, .variants = &coins};

static enum status load(struct arena *arena, const char *text, struct prior_file *ret, struct reason *reason)
{
    const char *path = arena_printf(arena, "%s/prior", test_dir());
    FILE *f = fopen(path, "w");

    fputs(text, f);
    fclose(f);
    return prior_file_load(arena, path, &terms, ret, reason);
}

TEST(unit_prior_file, rows_of_all_contexts_and_of_one_are_read)
{
    struct arena arena = {0};
    struct prior_file p = {0};
    struct reason reason = {0};

    CHECK_INT(load(&arena, "as_of: 1790000000\nreward_version: v2\nvariants:\n  v1a: {mean: 0.31, calls: 120, spread: 0.4}\n"
                           "  v2b:\n    mean: -0.9\n    calls: 50\n    cells:\n"
                           "      kfz/morning: {mean: 0.5, calls: 30}\n      other/night: {mean: 0, calls: 2}\n"
                           "  v3a: {cells: {it/night: {mean: 1, calls: 3}}}\n  v4a: {mean: 0, calls: 0}\n", &p, &reason),
              STATUS_OK);
    CHECK_STR(reason.text, "");
    CHECK_INT(p.count, 5);
    CHECK_INT(p.as_of, 1790000000);
    CHECK_STR(p.reward_version, "v2");
    CHECK(!p.state);
    CHECK_STR(p.rows[0].variant, "v1a");
    CHECK_NEAR(p.rows[0].spread, 0.4, 0);
    CHECK_NEAR(p.rows[1].spread, sqrt(1 - 0.81), 1e-12); /* no wider than such rewards can spread */
    CHECK_STR(p.rows[2].cell, "kfz/morning");
    CHECK_NEAR(p.rows[2].spread, PRIOR_SPREAD, 0);
    CHECK_STR(p.rows[4].variant, "v3a");
    CHECK_NEAR(p.rows[4].spread, 0, 0);
    arena_done(&arena);
}

TEST(unit_prior_file, what_was_written_is_read_again_to_the_bit)
{
    struct arena arena = {0};
    struct prior_file p = {0}, again = {0};
    struct reason reason = {0};

    CHECK_INT(load(&arena, "{\"variants\": {\"v1a\": {\"mean\": 0.1, \"calls\": 7.3, \"cells\": {\"it/morning\": {\"mean\": -0.3,"
                           " \"calls\": 2}}}}}", &p, &reason), STATUS_OK);
    CHECK_INT(load(&arena, prior_file_text(&p, "a comment", &arena), &again, &reason), STATUS_OK);
    CHECK_STR(prior_file_text(&again, "a comment", &arena), prior_file_text(&p, "a comment", &arena));
    CHECK_INT(again.count, 2);
    CHECK(again.rows[1].mean == p.rows[1].mean && again.rows[0].calls == p.rows[0].calls);
    arena_done(&arena);
}

TEST(unit_prior_file, a_state_file_gives_mean_and_calls_of_each_variant_that_was_heard)
{
    struct arena arena = {0};
    struct prior_file p = {0};
    struct reason reason = {0};

    CHECK_INT(load(&arena, "{\n  \"alpha\": {\"v1a\": 31.0, \"v1b\": 1.0, \"v9z\": 1.5},\n"
                           "  \"beta\": {\"v1a\": 11.0, \"v1b\": 1.0, \"v9z\": 1.5},\n  \"total_rewards\": {\"v1a\": 20.0},\n"
                           "  \"total_pulls\": {\"v1a\": 40},\n  \"last_updated\": 1790000000.5\n}\n", &p, &reason), STATUS_OK);
    CHECK_STR(reason.text, "");
    CHECK(p.state);
    CHECK_INT(p.count, 2);
    CHECK_INT(p.as_of, 1790000000);
    CHECK_STR(p.rows[0].variant, "v1a");
    CHECK_NEAR(p.rows[0].calls, 40, 1e-12);
    CHECK_NEAR(p.rows[0].mean, 0.5, 1e-12); /* total_rewards / total_pulls */
    CHECK_STR(p.rows[1].variant, "v9z");
    CHECK_NEAR(p.rows[1].calls, 1, 1e-12);
    arena_done(&arena);
}

TEST(unit_prior_file, what_is_wrong_is_named_by_line_key_value_and_rule)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"variants: {v1a: {mean: 1.2, calls: 3}}\n", "prior:1: mean: 1.2 is outside of -1 .. 1"},
        {"variants:\n  v1a: {mean: much, calls: 3}\n", "prior:2: mean: \"much\": want a number"},
        {"variants:\n  v1a: {mean: .nan, calls: 3}\n", "prior:2: mean: \".nan\": want a number"},
        {"variants:\n  v1a: {mean: 0.1, calls: -3}\n", "prior:2: calls: -3 is outside of 0 .. 1e+09"},
        {"variants:\n  v1a: {mean: 0.1}\n", "prior:2: calls: missing: a row has mean and calls"},
        {"variants:\n  v1a: {calls: 4}\n", "prior:2: mean: missing: a row has mean and calls"},
        {"variants:\n  v1a: {mean: 0.9, calls: 4, spread: 0.5}\n",
         "prior:2: spread: 0.5: rewards in -1 .. 1 with mean 0.9 spread at most 0.436"},
        {"variants:\n  v1a: {mean: 0.9, calls: 4, weight: 2}\n",
         "prior:2: weight: unknown key; a variant has mean, calls, spread, cells"},
        {"variants:\n  v1A: {mean: 0.9, calls: 4}\n", "prior:2: v1A: no variant's name"},
        {"variants:\n  v1a: 3\n", "prior:2: v1a: want {mean: .., calls: ..}"},
        {"variants:\n  v1a:\n    cells:\n      boats/morning: {mean: 0, calls: 1}\n",
         "prior:4: boats/morning: \"boats\" is no configured profile"},
        {"variants:\n  v1a:\n    cells:\n      kfz/noon: {mean: 0, calls: 1}\n",
         "prior:4: kfz/noon: \"noon\" is none of morning, afternoon"},
        {"variants:\n  v1a:\n    cells:\n      kfz: {mean: 0, calls: 1}\n",
         "prior:4: kfz: want profile/time, such as kfz/morning"},
        {"variants:\n  v1a:\n    cells:\n      kfz/night: {mean: 0, call: 1}\n",
         "prior:4: call: unknown key; a cell has mean, calls, spread"},
        {"variants: {v1a: {mean: 0, calls: 1}}\nasof: 3\n",
         "prior:2: asof: unknown key; there is as_of, reward_version, variants"},
        {"variants: {}\nreward_version: \"a b\"\n", "prior:2: reward_version: want 1 .. 32 letters, digits, . _ or -"},
        {"as_of: 3\n", "prior:1: variants: missing, and no bandit_state.json either"},
        {"", "prior:1: variants: missing"},
        {"{\"alpha\": {\"v1a\": 0.5},\n \"beta\": {\"v1a\": 3}}\n",
         "prior:1: alpha: 0.5 is less than its prior, 1 (bandit_config.initial_alpha)"},
        {"{\"alpha\": {\"v1a\": 2,\n \"v1b\": 3}, \"beta\": {\"v1a\": 3}}\n", "prior:2: beta: has no v1b"},
        {"{\"alpha\": {\"v1a\": 2}}\n", "prior:1: beta: want alpha and beta"},
        {"{\"alpha\": {\"v1a\": 2},\n \"beta\": {\"v1a\": 3}", "prior:"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena arena = {0};
        struct prior_file p = {.count = 99};
        struct reason reason = {0};
        CHECK_INT(load(&arena, bad[i].text, &p, &reason), STATUS_CONFIG);
        if (!strstr(reason.text, bad[i].says))
            CHECK_STR(reason.text, bad[i].says);
        CHECK_INT(p.count, 99);
        arena_done(&arena);
    }
}
