/* SPDX-License-Identifier: Apache-2.0 */
/* state_file.c - tests of the readable export. */
#include "state_file.h"

#include <jansson.h>
#include <unistd.h>

#include "test.h"

static const struct variant two[] = {{.id = "v1a"}, {.id = "v1b"}};
static const struct variants variants = {.items = two, .count = 2};
static const struct model model = {.belief.beta = {1, 1, 20}, .reward_version = "v1", .variants = &variants};

static double number(const json_t *root, const char *key, const char *variant)
{
    return json_number_value(json_object_get(json_object_get(root, key), variant));
}

TEST(unit_state_file, it_has_the_keys_that_users_know)
{
    const struct stats all[] = {{.n = 1, .reward = 866667}, {0}};
    struct reason reason = {0};
    char path[512];

    snprintf(path, sizeof path, "%s/bandit_state.json", test_dir());
    CHECK_INT(state_file_write(path, &model, all, 1, &reason), STATUS_OK);
    CHECK_INT(state_file_write(path, &model, all, 1763800000, &reason), STATUS_OK);
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    CHECK(root != NULL);
    CHECK_INT(json_object_size(root), 6);
    CHECK_STR(json_string_value(json_object_get(root, "reward_version")), "v1");
    CHECK_NEAR(number(root, "alpha", "v1a"), 1.9333335, 1e-12);
    CHECK_NEAR(number(root, "beta", "v1a"), 1.0666665, 1e-12);
    CHECK_NEAR(number(root, "total_rewards", "v1a"), 0.866667, 1e-12);
    CHECK_NEAR(number(root, "total_pulls", "v1a"), 1, 0);
    CHECK_NEAR(number(root, "alpha", "v1b"), 1, 0);
    CHECK_INT(json_integer_value(json_object_get(root, "last_updated")), 1763800000);
    json_decref(root);
}

TEST(unit_state_file, a_folder_that_is_not_there_is_named)
{
    const struct stats all[2] = {{0}};
    struct reason reason = {0};
    char path[512];

    snprintf(path, sizeof path, "%s/missing/state.json", test_dir());
    CHECK_INT(state_file_write(path, &model, all, 1, &reason), STATUS_STORE);
    CHECK(strstr(reason.text, "missing/state.json"));
}
