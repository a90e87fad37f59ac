/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - default, then file, then environment: each through the same parser and range. */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml_file.h"

#define K(type, member, ...) CONFIG_##type(struct common_config, member, __VA_ARGS__)

static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

const struct config_key common_keys[] = {
    K(LIST, agents, "context.agents", "TOM, TOM_v1, TOM_v2", NULL, "Assistants that may report calls; the first is assumed when a call names none."),
    K(LIST, profiles, "context.profiles", "kfz, it, sales, support, general", NULL, "Caller profiles; any other is counted as `other`."),
    K(BOOL, legacy_names, "metrics.legacy_names", "true", NULL, "Also serve gauges under their old names that end in _total."),
    K(INT, metrics_port_base, "metrics.port_base", "9101", 1, 65500, "RL_METRICS_PORT_BASE", "Port of feedback's sidecar; reward, bandit, guard, router follow."),
    K(TEXT, nats_password_file, "nats.password_file", "", "RL_NATS_PASSWORD_FILE", "Empty: <data_dir>/secrets/<user>.password."),
    K(INT, nats_port, "nats.port", "4222", 1, 65535, "RL_NATS_PORT", "Port of the bus on 127.0.0.1, when nats.url is empty."),
    K(TEXT, subject_prefix, "nats.subject_prefix", "", "RL_SUBJECT_PREFIX", "Put in front of every subject and stream, such as `sandbox.`."),
    K(TEXT, nats_url, "nats.url", "", "RL_NATS_URL", "Empty: nats://127.0.0.1:<port>."),
    K(TEXT, nats_user, "nats.user", "", "RL_NATS_USER", "Empty: the program's own user."),
    K(TEXT, data_dir, "rl.data_dir", "data", "RL_DATA_DIR", "Where databases, secrets, logs and the bus live."),
    K(BOOL, enabled, "rl.enabled", "true", "RL_ENABLED", "false: base is served, and what would have been chosen is logged."),
    K(ENUM, log_level, "rl.log_level", log_levels, "info", "The least level that is logged."),
    K(TEXT, pseudonym_key_file, "rl.pseudonym_key_file", "", "RL_PSEUDONYM_KEY_FILE", "Empty: <data_dir>/secrets/pseudonym.keys."),
    K(TEXT, timezone, "rl.timezone", "Europe/Berlin", "RL_TIMEZONE", "Decides what is morning, afternoon, evening and night."),
    K(TEXT, variants_path, "rl.variants_path", "docs/policies/prompt_variants.yaml", "RL_VARIANTS_PATH", "The policy variants."),
};
const size_t common_key_count = sizeof common_keys / sizeof *common_keys;

/* Sections of all programs: those that this one does not read are passed over. */
static const char *const sections[] = {"rl", "nats", "metrics", "context", "feedback", "reward", "bandit", "guard", "router", NULL};

/* ---- one value ------------------------------------------------------------------------------------------------------------------------ */

static enum status set_bool(bool *at, const char *text, struct reason *reason, const char *name)
{
    bool yes = strcmp(text, "true") == 0, no = strcmp(text, "false") == 0;

    if (!yes && !no)
        return reason_fail(reason, STATUS_CONFIG, name, "\"%s\" is neither true nor false", text);
    *at = yes;
    return STATUS_OK;
}

static enum status set_number(const struct config_key *k, void *at, const char *text, struct reason *reason)
{
    char *end;
    double value = strtod(text, &end);

    if (!text[0] || *end || !isfinite(value))
        return reason_fail(reason, STATUS_CONFIG, k->name, "\"%s\" is no number", text);
    if (k->type == CONFIG_TYPE_INT && value != floor(value))
        return reason_fail(reason, STATUS_CONFIG, k->name, "%s is no whole number", text);
    if (value < k->min || value > k->max)
        return reason_fail(reason, STATUS_CONFIG, k->name, "%s is outside of %g .. %g", text, k->min, k->max);
    if (k->type == CONFIG_TYPE_INT)
        *(int64_t *)at = (int64_t)value;
    else
        *(double *)at = value;
    return STATUS_OK;
}

static enum status set_enum(const struct config_key *k, int *at, const char *text, struct reason *reason)
{
    char names[160] = "";

    for (int i = 0; k->choices[i]; i++) {
        if (strcmp(k->choices[i], text) == 0) {
            *at = i;
            return STATUS_OK;
        }
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", k->choices[i]);
    }
    return reason_fail(reason, STATUS_CONFIG, k->name, "\"%s\" is none of %s", text, names);
}

static enum status set_list(struct arena *arena, const struct config_key *k, struct config_list *at, const char *text, struct reason *reason)
{
    const char **items = arena_alloc(arena, ((size_t)k->max + 1) * sizeof *items);
    char *copy = arena_str(arena, text), *rest = NULL;
    size_t n = 0;

    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        item += strspn(item, " ");
        item[strcspn(item, " ")] = '\0';
        if (!item[0])
            continue;
        if (n >= (size_t)k->max)
            return reason_fail(reason, STATUS_CONFIG, k->name, "more than %g items", k->max);
        items[n++] = item;
    }
    if (n < (size_t)k->min)
        return reason_fail(reason, STATUS_CONFIG, k->name, "needs at least %g item", k->min);
    *at = (struct config_list){.items = items, .count = n};
    return STATUS_OK;
}

static enum status set_value(struct arena *arena, const struct config_key *k, void *target, const char *text, struct reason *reason)
{
    void *at = (char *)target + k->offset;

    switch (k->type) {
    case CONFIG_TYPE_BOOL: return set_bool(at, text, reason, k->name);
    case CONFIG_TYPE_INT: case CONFIG_TYPE_DOUBLE: return set_number(k, at, text, reason);
    case CONFIG_TYPE_ENUM: return set_enum(k, at, text, reason);
    case CONFIG_TYPE_LIST: return set_list(arena, k, at, text, reason);
    case CONFIG_TYPE_TEXT: break;
    }
    if (strlen(text) > (size_t)k->max)
        return reason_fail(reason, STATUS_CONFIG, k->name, "longer than %g characters", k->max);
    *(const char **)at = arena_str(arena, text);
    return STATUS_OK;
}

/* ---- names ------------------------------------------------------------------------------------------------------------------------------ */

/* Levenshtein's distance; names here are short. */
static size_t distance(const char *a, const char *b)
{
    size_t row[80], lb = strlen(b) < 79 ? strlen(b) : 79;

    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t above = row[j], change = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = above + 1 < row[j - 1] + 1 ? above + 1 : row[j - 1] + 1;
            if (change < row[j])
                row[j] = change;
            diagonal = above;
        }
    }
    return row[lb];
}

struct nearest {
    const char *name;
    size_t distance;
};

static void consider(struct nearest *best, const char *wrong, const char *name)
{
    size_t d = distance(wrong, name);

    if (!best->name || d < best->distance)
        *best = (struct nearest){name, d};
}

static const struct config_key *find_key(const struct config_table *tables, size_t count, const char *name, struct nearest *ret, void **ret_target)
{
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            if (strcmp(tables[t].keys[i].name, name) == 0) {
                *ret_target = tables[t].target;
                return &tables[t].keys[i];
            }
            consider(ret, name, tables[t].keys[i].name);
        }
    return NULL;
}

static bool reads_section(const struct config_table *tables, size_t count, const char *section)
{
    size_t length = strlen(section);

    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++)
            if (strncmp(tables[t].keys[i].name, section, length) == 0 && tables[t].keys[i].name[length] == '.')
                return true;
    return false;
}

/* ---- the file ---------------------------------------------------------------------------------------------------------------------------- */

struct loading {
    struct arena *arena;
    const struct config_table *tables;
    size_t count;
    struct yaml_file *file;
};

static const char *list_text(struct loading *l, const yaml_node_t *node)
{
    const char *text = "";

    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        const char *item = yaml_text(yaml_node(l->file, *i));
        text = arena_printf(l->arena, "%s%s%s", text, text[0] ? ", " : "", item ? item : "");
    }
    return text;
}

static enum status load_key(struct loading *l, const char *section, const yaml_node_t *key, const yaml_node_t *value, struct reason *reason)
{
    const char *name = arena_printf(l->arena, "%s.%s", section, yaml_text(key));
    struct nearest nearest = {0};
    struct reason why;
    void *target = NULL;
    const struct config_key *k = find_key(l->tables, l->count, name, &nearest, &target);

    if (!k)
        return yaml_fail(reason, l->file, key, name, "unknown key; the nearest known one is %s", nearest.name);
    const char *text = value->type == YAML_SEQUENCE_NODE && k->type == CONFIG_TYPE_LIST ? list_text(l, value) : yaml_text(value);
    if (!text)
        return yaml_fail(reason, l->file, value, name, "expected a value");
    enum status status = set_value(l->arena, k, target, text, &why);
    return status == STATUS_OK ? status : yaml_fail(reason, l->file, value, name, "%s", why.text);
}

static enum status load_section(struct loading *l, const yaml_node_t *key, const yaml_node_t *value, struct reason *reason)
{
    const char *section = yaml_text(key);
    struct nearest nearest = {0};
    bool known = false;

    for (size_t i = 0; sections[i]; i++) {
        known |= strcmp(sections[i], section) == 0;
        consider(&nearest, section, sections[i]);
    }
    if (!known)
        return yaml_fail(reason, l->file, key, section, "unknown section; the nearest known one is %s", nearest.name);
    enum status status = yaml_check_mapping(l->file, value, section, reason);
    if (status != STATUS_OK || !reads_section(l->tables, l->count, section))
        return status;
    for (yaml_node_pair_t *p = value->data.mapping.pairs.start; p < value->data.mapping.pairs.top && status == STATUS_OK; p++)
        status = load_key(l, section, yaml_node(l->file, p->key), yaml_node(l->file, p->value), reason);
    return status;
}

static enum status load_file(struct loading *l, const char *path, struct reason *reason)
{
    struct yaml_file file;
    enum status status = yaml_file_load(path, &file, reason);

    if (status != STATUS_OK)
        return status;
    l->file = &file;
    yaml_node_t *root = yaml_root(&file);
    status = root ? yaml_check_mapping(&file, root, "", reason) : STATUS_OK;
    for (yaml_node_pair_t *p = root && status == STATUS_OK ? root->data.mapping.pairs.start : NULL;
         p && p < root->data.mapping.pairs.top && status == STATUS_OK; p++)
        status = load_section(l, yaml_node(&file, p->key), yaml_node(&file, p->value), reason);
    yaml_file_done(&file);
    return status;
}

/* A prefix is lower-case words, each ending in a dot; anything else would change what permissions mean. */
static enum status check_prefix(const struct config_key *k, const void *target, struct reason *reason)
{
    const char *prefix = *(const char *const *)((const char *)target + k->offset);

    if (strcmp(k->name, "nats.subject_prefix") != 0 || !prefix[0])
        return STATUS_OK;
    if (strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != strlen(prefix) || prefix[0] == '.' || strstr(prefix, "..")
        || prefix[strlen(prefix) - 1] != '.' || strlen(prefix) > 32)
        return reason_fail(reason, STATUS_CONFIG, k->name, "\"%s\": expected lower-case words, each ending in a dot, such as \"sandbox.\"", prefix);
    return STATUS_OK;
}

static enum status load_environment(struct arena *arena, const struct config_table *table, struct reason *reason)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < table->count && status == STATUS_OK; i++) {
        const struct config_key *k = &table->keys[i];
        const char *text = k->env ? getenv(k->env) : NULL;
        struct reason why;
        if (text && set_value(arena, k, table->target, text, &why) != STATUS_OK)
            return reason_fail(reason, STATUS_CONFIG, k->name, "%s: %s", k->env, why.text);
        if (k->type == CONFIG_TYPE_TEXT)
            status = check_prefix(k, table->target, reason);
    }
    return status;
}

enum status config_load(struct arena *arena, const struct config_table *tables, size_t count, const char *path, struct reason *reason)
{
    struct loading l = {.arena = arena, .tables = tables, .count = count};
    enum status status = STATUS_OK;

    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count && status == STATUS_OK; i++)
            status = set_value(arena, &tables[t].keys[i], tables[t].target, tables[t].keys[i].initial, reason);
    if (status == STATUS_OK && path)
        status = load_file(&l, path, reason);
    for (size_t t = 0; t < count && status == STATUS_OK; t++)
        status = load_environment(arena, &tables[t], reason);
    return status;
}

/* ---- printing ------------------------------------------------------------------------------------------------------------------------------ */

static void range_text(const struct config_key *k, char ret[static 160])
{
    ret[0] = '\0';
    if (k->type == CONFIG_TYPE_INT || k->type == CONFIG_TYPE_DOUBLE)
        snprintf(ret, 160, "%g .. %g", k->min, k->max);
    if (k->type == CONFIG_TYPE_BOOL)
        snprintf(ret, 160, "true, false");
    for (int i = 0; k->type == CONFIG_TYPE_ENUM && k->choices[i]; i++)
        snprintf(ret + strlen(ret), 160 - strlen(ret), "%s%s", i ? ", " : "", k->choices[i]);
}

static void print_rows(const struct config_table *tables, size_t count, const char *format)
{
    char range[160];

    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            const struct config_key *k = &tables[t].keys[i];
            range_text(k, range);
            printf(format, k->name, k->initial, range, k->env ? k->env : "", k->help);
        }
}

void config_print(const struct config_table *tables, size_t count) { print_rows(tables, count, "%-32s %-36s %-22s %-28s %s\n"); }

void config_print_markdown(const struct config_table *tables, size_t count)
{
    puts("| key | default | values | environment | |\n| --- | --- | --- | --- | --- |");
    print_rows(tables, count, "| `%s` | `%s` | %s | %s | %s |\n");
}
