/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - one way to read a value, used for defaults, file and environment alike. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "markdown.h"
#include "text.h"
#include "yaml_file.h"

enum { NAME_SIZE = 128, RULE_SIZE = 160, LIST_ITEM = 40 };

/* Sections of all programs: what one program does not know, another one checks. */
static const char *const all_sections[] = {"rl", "nats", "metrics", "context", "feedback", "reward", "reward_candidate",
                                           "bandit", "exploration", "guard", "router", "sidecar", "supervisor", NULL};

struct loader {
    struct arena *arena;
    const struct config_table *tables;
    size_t count;
    const char *const *others;
    bool some; /* keys that no table names are another program's */
    struct yaml_file file;
    struct reason *reason;
};

/* --- values ----------------------------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(text, *words) == 0)
            return true;
    return false;
}

static const char *set_bool(const struct config_key *key, void *target, const char *text)
{
    static const char *const yes[] = {"true", "yes", "on", "1", NULL}, *const no[] = {"false", "no", "off", "0", NULL};
    bool value = is_one_of(text, yes);

    (void)key;
    if (!value && !is_one_of(text, no))
        return "want true or false";
    *(bool *)target = value;
    return NULL;
}

static const char *set_int(const struct config_key *key, void *target, const char *text)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end)
        return "want a whole number";
    if (errno || (double)value < key->min || (double)value > key->max)
        return "out of range";
    *(int64_t *)target = value;
    return NULL;
}

static const char *set_double(const struct config_key *key, void *target, const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value))
        return "want a number";
    if (value < key->min || value > key->max)
        return "out of range";
    *(double *)target = value;
    return NULL;
}

static bool prefix_valid(const char *text)
{
    for (size_t word; *text; text += word + 1) {
        word = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
        if (!word || text[word] != '.')
            return false;
    }
    return true;
}

static const char *set_text(const struct config_key *key, void *target, const char *text)
{
    if ((double)strlen(text) < key->min || (double)strlen(text) > key->max)
        return "too long or too short";
    if (key->type == CONFIG_TYPE_PREFIX && (!prefix_valid(text) || strlen(text) > 32))
        return "want nothing, or lower-case words that each end in a dot (sandbox.), at most 32 characters";
    *(const char **)target = text;
    return NULL;
}

static const char *set_enum(const struct config_key *key, void *target, const char *text)
{
    for (int i = 0; key->choices[i]; i++)
        if (strcmp(key->choices[i], text) == 0) {
            *(int *)target = i;
            return NULL;
        }
    return "is none of the choices";
}

/* Cuts `text` in place at its commas. */
static const char *set_list(const struct config_key *key, void *target, char *text, struct arena *arena)
{
    const char **items = arena_alloc(arena, (strlen(text) + 2) * sizeof *items);
    size_t count = 0;
    char *save;

    for (char *item = strtok_r(text, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
        item += strspn(item, " ");
        size_t size = strlen(item);
        while (size && item[size - 1] == ' ')
            item[--size] = '\0';
        if (!size || size > LIST_ITEM || strpbrk(item, " \t\n/*"))
            return "an item has 1 to 40 characters, no space, slash or star";
        for (size_t i = 0; i < count; i++)
            if (strcmp(items[i], item) == 0)
                return "an item stands there twice";
        items[count++] = item;
    }
    if ((double)count < key->min || (double)count > key->max)
        return "too many or too few items";
    *(struct config_list *)target = (struct config_list){items, count};
    return NULL;
}

/* NULL when `text` was fine, else the rule that it breaks. */
static const char *set_value(struct arena *arena, const struct config_key *key, void *target, const char *text)
{
    void *at = (char *)target + key->offset;

    switch (key->type) {
    case CONFIG_TYPE_BOOL: return set_bool(key, at, text);
    case CONFIG_TYPE_INT: return set_int(key, at, text);
    case CONFIG_TYPE_DOUBLE: return set_double(key, at, text);
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_PREFIX: return set_text(key, at, arena_str(arena, text));
    case CONFIG_TYPE_ENUM: return set_enum(key, at, text);
    case CONFIG_TYPE_LIST: return set_list(key, at, arena_str(arena, text), arena);
    }
    return "has no type";
}

/* "0 .. 1", "a, b, c", "true, false"; "" when there is nothing to say. */
static void range_text(const struct config_key *key, char ret[static RULE_SIZE])
{
    ret[0] = '\0';
    if (key->type == CONFIG_TYPE_INT || key->type == CONFIG_TYPE_DOUBLE)
        snprintf(ret, RULE_SIZE, "%.15g .. %.15g", key->min, key->max);
    else if (key->type == CONFIG_TYPE_BOOL)
        snprintf(ret, RULE_SIZE, "true, false");
    for (int i = 0; key->type == CONFIG_TYPE_ENUM && key->choices[i]; i++) {
        size_t used = strlen(ret);
        snprintf(ret + used, RULE_SIZE - used, "%s%s", i ? ", " : "", key->choices[i]);
    }
}

/* `rule`, the value, and what is allowed. */
static void explain(const struct config_key *key, const char *rule, const char *text, char ret[static 2 * RULE_SIZE])
{
    char range[RULE_SIZE];

    range_text(key, range);
    snprintf(ret, 2 * RULE_SIZE, "%s: \"%.40s\"%s%s%s", rule, text, *range ? " (" : "", range, *range ? ")" : "");
}

/* --- the file --------------------------------------------------------------------------------------------------------------- */

static const struct config_key *find_key(const struct loader *load, const char *name, void **ret_target)
{
    for (size_t t = 0; t < load->count; t++)
        for (size_t i = 0; i < load->tables[t].count; i++)
            if (strcmp(load->tables[t].keys[i].name, name) == 0) {
                *ret_target = load->tables[t].target;
                return &load->tables[t].keys[i];
            }
    return NULL;
}

static const char *nearest_key(const struct loader *load, const char *name)
{
    const char *best = "";
    size_t least = SIZE_MAX;

    for (size_t t = 0; t < load->count; t++)
        for (size_t i = 0; i < load->tables[t].count; i++) {
            size_t distance = text_distance(name, load->tables[t].keys[i].name);
            if (distance < least) {
                least = distance;
                best = load->tables[t].keys[i].name;
            }
        }
    return best;
}

/* Does a table of ours name a key that begins with "<section>."? */
static bool is_ours(const struct loader *load, const char *section)
{
    size_t size = strlen(section);

    for (size_t t = 0; t < load->count; t++)
        for (size_t i = 0; i < load->tables[t].count; i++)
            if (!load->tables[t].keys[i].borrowed && strncmp(load->tables[t].keys[i].name, section, size) == 0
                && load->tables[t].keys[i].name[size] == '.')
                return true;
    return false;
}

/* The text of a scalar, or of a sequence with commas between; NULL for a mapping or a list of anything but words. */
static const char *value_text(struct loader *load, const yaml_node_t *node)
{
    char *all = NULL;
    yaml_node_t *item;

    if (node->type != YAML_SEQUENCE_NODE)
        return yaml_file_text(node);
    for (size_t i = 0; yaml_file_entry(&load->file, node, i, NULL, &item); i++) {
        const char *text = yaml_file_text(item);
        if (!text || strchr(text, ','))
            return NULL;
        all = all ? arena_printf(load->arena, "%s,%s", all, text) : arena_str(load->arena, text);
    }
    return all ? all : "";
}

static enum status load_key(struct loader *load, const char *name, const yaml_node_t *key_node, const yaml_node_t *value)
{
    void *target = NULL;
    const struct config_key *key = find_key(load, name, &target);
    char why[2 * RULE_SIZE];

    if (!key && load->some)
        return STATUS_OK;
    if (!key)
        return yaml_file_fail(&load->file, key_node, load->reason, name, "unknown key, did you mean %s?",
                              nearest_key(load, name));
    const char *text = value_text(load, value);
    if (!text || (value->type == YAML_SEQUENCE_NODE && key->type != CONFIG_TYPE_LIST))
        return yaml_file_fail(&load->file, key_node, load->reason, name,
                              key->type == CONFIG_TYPE_LIST ? "want a list of words" : "want one value");
    const char *rule = set_value(load->arena, key, target, text);
    if (!rule)
        return STATUS_OK;
    explain(key, rule, text, why);
    return yaml_file_fail(&load->file, key_node, load->reason, name, "%s", why);
}

/* Keys below `path`, which is a section or deeper; a mapping in a mapping is one more part of the name. */
static enum status load_mapping(struct loader *load, const char *path, const yaml_node_t *mapping)
{
    enum status status = STATUS_OK;
    yaml_node_t *key, *value;

    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, mapping, i, &key, &value); i++) {
        const char *name = arena_printf(load->arena, "%s.%s", path, yaml_file_text(key));
        if (strlen(name) >= NAME_SIZE)
            return yaml_file_fail(&load->file, key, load->reason, path, "holds a key that is too long or nested too deeply");
        if (strchr(yaml_file_text(key), '.'))
            return yaml_file_fail(&load->file, key, load->reason, name, "write sections as nested mappings, not with a dot");
        status = value->type == YAML_MAPPING_NODE ? load_mapping(load, name, value) : load_key(load, name, key, value);
    }
    return status;
}

/* Of another program's section only what we borrow; the rest is not ours to judge. */
static enum status load_borrowed(struct loader *load, const char *section, const yaml_node_t *mapping)
{
    enum status status = STATUS_OK;
    yaml_node_t *key, *value;
    void *target;

    if (mapping->type != YAML_MAPPING_NODE)
        return STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, mapping, i, &key, &value); i++) {
        const char *name = arena_printf(load->arena, "%s.%s", section, yaml_file_text(key));
        if (find_key(load, name, &target))
            status = load_key(load, name, key, value);
    }
    return status;
}

static enum status unknown_section(struct loader *load, const yaml_node_t *node, const char *name)
{
    const char *best = load->others[0];

    for (const char *const *s = load->others; *s; s++)
        if (text_distance(name, *s) < text_distance(name, best))
            best = *s;
    for (size_t t = 0; t < load->count; t++)
        for (size_t i = 0; i < load->tables[t].count; i++) {
            const char *key = load->tables[t].keys[i].name;
            char *section = arena_printf(load->arena, "%.*s", (int)strcspn(key, "."), key);
            if (text_distance(name, section) < text_distance(name, best))
                best = section;
        }
    return yaml_file_fail(&load->file, node, load->reason, name, "unknown section, did you mean %s?", best);
}

static enum status load_section(struct loader *load, const yaml_node_t *key, const yaml_node_t *value)
{
    const char *name = yaml_file_text(key), *text = yaml_file_text(value);

    if (!is_ours(load, name))
        return is_one_of(name, load->others) ? load_borrowed(load, name, value) : unknown_section(load, key, name);
    if (text && !*text)
        return STATUS_OK; /* all its keys are comments */
    if (value->type != YAML_MAPPING_NODE)
        return yaml_file_fail(&load->file, key, load->reason, name, "is a section, want keys below it");
    return load_mapping(load, name, value);
}

static enum status load_file(struct loader *load, const char *path)
{
    yaml_node_t *key, *value;
    enum status status = yaml_file_open(path, &load->file, load->reason);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, yaml_file_root(&load->file), i, &key, &value); i++)
        status = load_section(load, key, value);
    yaml_file_close(&load->file);
    return status;
}

/* --- all of it -------------------------------------------------------------------------------------------------------------- */

static void load_defaults(struct arena *arena, const struct config_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const char *rule = set_value(arena, &table->keys[i], table->target, table->keys[i].initial);
        assert(!rule && "a default breaks its own rule");
        (void)rule;
    }
}

static enum status load_environment(struct arena *arena, const struct config_table *table, struct reason *reason)
{
    char why[2 * RULE_SIZE];

    for (size_t i = 0; i < table->count; i++) {
        const struct config_key *key = &table->keys[i];
        const char *text = key->env ? getenv(key->env) : NULL;
        const char *rule = text && *text ? set_value(arena, key, table->target, text) : NULL;
        if (!rule)
            continue;
        explain(key, rule, text, why);
        return reason_fail(reason, STATUS_CONFIG, key->name, "%s: %s: %s", key->env, key->name, why);
    }
    return STATUS_OK;
}

static enum status load_all(struct loader *load, const char *path)
{
    enum status status = STATUS_OK;

    for (size_t t = 0; t < load->count; t++)
        load_defaults(load->arena, &load->tables[t]);
    if (path)
        status = load_file(load, path);
    for (size_t t = 0; status == STATUS_OK && t < load->count; t++)
        status = load_environment(load->arena, &load->tables[t], load->reason);
    return status;
}

enum status config_load_beside(struct arena *arena, const struct config_table *tables, size_t count, const char *path,
                               const char *const *others, struct reason *reason)
{
    return load_all(&(struct loader){.arena = arena, .tables = tables, .count = count, .others = others, .reason = reason}, path);
}

enum status config_load_some(struct arena *arena, const struct config_table *table, const char *path, struct reason *reason)
{
    return load_all(&(struct loader){.arena = arena, .tables = table, .count = 1, .others = all_sections, .some = true,
                                     .reason = reason}, path);
}

enum status config_load(struct arena *arena, const struct config_table *tables, size_t count, const char *path,
                        struct reason *reason)
{
    return config_load_beside(arena, tables, count, path, all_sections, reason);
}

/* --- printing --------------------------------------------------------------------------------------------------------------- */

static bool new_section(const struct config_table *table, size_t i)
{
    const char *name = table->keys[i].name;
    size_t size = strcspn(name, ".") + 1;

    return i == 0 || table->keys[i - 1].borrowed || strncmp(table->keys[i - 1].name, name, size) != 0;
}

void config_print(const struct config_table *tables, size_t count)
{
    char range[RULE_SIZE];

    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            const struct config_key *key = &tables[t].keys[i];
            if (key->borrowed)
                continue;
            range_text(key, range);
            if (new_section(&tables[t], i))
                printf("# %.*s\n", (int)strcspn(key->name, "."), key->name);
            printf("%-32s  %-14s  %-22s  %-24s  %s\n", key->name, *key->initial ? key->initial : "\"\"", range,
                   key->env ? key->env : "-", key->help);
        }
}

void config_print_markdown(const struct config_table *tables, size_t count)
{
    char range[RULE_SIZE];

    printf("| key | default | range | variable | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            const struct config_key *key = &tables[t].keys[i];
            if (key->borrowed)
                continue;
            range_text(key, range);
            printf("| `%s` | `%s` | %s | %s | ", key->name, *key->initial ? key->initial : "\"\"", range,
                   key->env ? key->env : "");
            markdown_print(key->help);
            puts(" |");
        }
}
