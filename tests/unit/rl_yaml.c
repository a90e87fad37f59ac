/* SPDX-License-Identifier: Apache-2.0 */
/* rl_yaml.c - config/rl.yaml shows every setting at its default, with its help above it. */
#include <stdlib.h>

#include "service.h"
#include "test.h"

extern const struct service feedback_service, reward_service, bandit_service, guard_service, router_service;

static bool same(const struct config_key *key, const void *a, const void *b)
{
    const void *x = (const char *)a + key->offset, *y = (const char *)b + key->offset;
    const struct config_list *l = x, *m = y;

    switch (key->type) {
    case CONFIG_TYPE_BOOL: return *(const bool *)x == *(const bool *)y;
    case CONFIG_TYPE_INT: return *(const int64_t *)x == *(const int64_t *)y;
    case CONFIG_TYPE_DOUBLE: return memcmp(x, y, sizeof(double)) == 0;
    case CONFIG_TYPE_ENUM: return *(const int *)x == *(const int *)y;
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_PREFIX: return strcmp(*(const char *const *)x, *(const char *const *)y) == 0;
    case CONFIG_TYPE_LIST: break;
    }
    for (size_t i = 0; l->count == m->count && i < l->count; i++)
        if (strcmp(l->items[i], m->items[i]) != 0)
            return false;
    return l->count == m->count;
}

/* The file's text from the key's section on, and in it the help, then the key. */
static bool shown(const char *file, const struct config_key *key)
{
    const char *dot = strchr(key->name, '.');
    char section[64], line[256];

    snprintf(section, sizeof section, "\n%.*s:\n", (int)(dot - key->name), key->name);
    snprintf(line, sizeof line, "\n  # %s", key->help);
    const char *at = strstr(file, section), *help = at ? strstr(at, line) : NULL;
    snprintf(line, sizeof line, "\n  %s:", dot + 1);
    const char *name = help ? strstr(help + 1, "\n  ") : NULL;
    return name && strncmp(name, line, strlen(line)) == 0;
}

static void check_table(struct arena *arena, const char *file, const struct config_key *keys, size_t count, size_t size)
{
    void *from_file = xcalloc(1, size), *defaults = xcalloc(1, size);
    struct config_table table = {keys, count, from_file};
    struct reason reason = {0};

    CHECK_INT(config_load(arena, &table, 1, RL_SOURCE_DIR "/config/rl.yaml", &reason), STATUS_OK);
    CHECK_STR(reason.text, "");
    table.target = defaults;
    CHECK_INT(config_load(arena, &table, 1, NULL, &reason), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        if (!same(&keys[i], from_file, defaults))
            test_fail(__FILE__, __LINE__, "%s is not at its default", keys[i].name);
        if (!shown(file, &keys[i]))
            test_fail(__FILE__, __LINE__, "%s is missing, or its help is not above it", keys[i].name);
    }
    free(from_file);
    free(defaults);
}

TEST(unit_rl_yaml, every_setting_stands_there_at_its_default_below_its_help)
{
    const struct service *const services[] = {&feedback_service, &reward_service, &bandit_service, &guard_service,
                                              &router_service};
    char text[65536] = "";
    struct arena arena = {0};
    FILE *in = fopen(RL_SOURCE_DIR "/config/rl.yaml", "r");

    CHECK(in && fread(text, 1, sizeof text - 1, in) > 0);
    fclose(in);
    check_table(&arena, text, common_keys, common_key_count, sizeof(struct common_config));
    for (size_t i = 0; i < COUNT_OF(services); i++)
        check_table(&arena, text, services[i]->keys, services[i]->key_count, services[i]->state_size);
    arena_done(&arena);
}
