/* SPDX-License-Identifier: Apache-2.0 */
/* variants.c - slot definitions first, then each variant against them; the two blocks of numbers go through config. */
#include "variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "text.h"
#include "utf8.h"
#include "yaml_file.h"

enum { ID_SIZE = 16, MAX_SLOTS = 64, TEXT_LIMIT = 1000 };

/* A slot definition: one of `values`, or any text (NULL). */
struct slot {
    const char *name;
    const yaml_node_t *values;
};

struct loader {
    struct arena *arena;
    struct yaml_file file;
    struct slot slots[MAX_SLOTS];
    size_t slot_count;
    struct reason *reason;
};

/* What goes through config_load: the numbers, and the base variant's name. */
struct numbers {
    struct variants v;
    const char *base;
};

static const struct config_key keys[] = {
    CONFIG_DOUBLE(struct numbers, v.exploration_rate, "bandit_config.exploration_rate", "0.1", 0, 1, NULL,
                  "Used by the strategies epsilon_greedy and floor; without effect under thompson."),
    CONFIG_DOUBLE(struct numbers, v.initial_alpha, "bandit_config.initial_alpha", "1.0", 0.01, 1000, NULL,
                  "Prior of each variant: good."),
    CONFIG_DOUBLE(struct numbers, v.initial_beta, "bandit_config.initial_beta", "1.0", 0.01, 1000, NULL,
                  "Prior of each variant: bad."),
    CONFIG_INT(struct numbers, v.min_pulls_for_confidence, "bandit_config.min_pulls_for_confidence", "10", 0, 1000000, NULL,
               "Confidence is 0 below so many calls."),
    CONFIG_INT(struct numbers, v.blacklist_min_pulls, "deployment.blacklist_threshold.min_pulls", "20", 1, 1000000,
               "RL_MIN_PULLS_FOR_BLACKLIST", "A variant is new below so many rewarded calls, and is not blacklisted before."),
    CONFIG_DOUBLE(struct numbers, v.blacklist_reward_mean, "deployment.blacklist_threshold.reward_mean", "-0.2", -1, 1,
                  "RL_BLACKLIST_THRESHOLD", "A variant is blacklisted below this mean reward."),
    CONFIG_TEXT(struct numbers, base, "deployment.traffic_split.base_variant", "v1a", NULL, "The variant that is always there."),
    CONFIG_DOUBLE(struct numbers, v.cap_new, "deployment.traffic_split.new_variants", "0.1", 0, 1, "RL_TRAFFIC_SPLIT_NEW",
                  "Most traffic for all new variants together."),
    CONFIG_DOUBLE(struct numbers, v.cap_uncertain, "deployment.traffic_split.uncertain_variants", "0.05", 0, 1,
                  "RL_TRAFFIC_SPLIT_UNCERTAIN", "Most traffic for all uncertain variants together."),
};
_Static_assert(sizeof(long) == sizeof(int64_t), "CONFIG_INT fills an int64_t");

bool variant_id_valid(const char *id)
{
    size_t digits = *id == 'v' ? strspn(id + 1, "0123456789") : 0;

    return digits && strlen(id) <= ID_SIZE && id[1 + digits] >= 'a' && id[1 + digits] <= 'z' && !id[2 + digits];
}

int variants_find(const struct variants *variants, const char *id)
{
    size_t low = 0, high = variants->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(id, variants->items[middle].id);
        if (order == 0)
            return (int)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

const char *variants_label(const struct variants *variants, const char *id)
{
    int index = variants_find(variants, id);

    return index >= 0 ? variants->items[index].id : "other";
}

/* --- slot definitions ------------------------------------------------------------------------------------------------------- */

/* At most so many columns of a text that an error quotes. */
static const char *brief_to(struct loader *load, const char *text, size_t columns)
{
    size_t bytes;

    utf8_columns(text, columns, &bytes);
    return arena_printf(load->arena, "%.*s", (int)bytes, text);
}

static const char *brief(struct loader *load, const char *text) { return brief_to(load, text, 30); }

/* All words as far as they fit into an error. */
static const char *listed(struct loader *load, const char *const *words, size_t count)
{
    const char *all = words[0];

    for (size_t i = 1; i < count; i++) {
        bool full = strlen(all) > 80;
        all = arena_printf(load->arena, "%s, %s", all, full ? "..." : words[i]);
        if (full)
            break;
    }
    return brief_to(load, all, 100);
}

/* ", did you mean x?" for the nearest of the words, or all of them when none is near: " (x, y)". */
static const char *instead(struct loader *load, const char *text, const char *const *words, size_t count)
{
    const char *best = words[0];

    for (size_t i = 1; i < count; i++)
        if (text_distance(text, words[i]) < text_distance(text, best))
            best = words[i];
    if (text_distance(text, best) <= strlen(text) / 2)
        return arena_printf(load->arena, ", did you mean %s?", brief_to(load, best, 30));
    return arena_printf(load->arena, " (%s)", listed(load, words, count));
}

static enum status unknown_key(struct loader *load, const yaml_node_t *key, const char *what, const char *const *known,
                               size_t count)
{
    const char *name = yaml_file_text(key);

    return yaml_file_fail(&load->file, key, load->reason, name, "unknown %s%s", what, instead(load, name, known, count));
}

static bool is_among(const char *word, const char *const *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, known[i]) == 0)
            return true;
    return false;
}

static enum status read_values(struct loader *load, const yaml_node_t *list, struct slot *slot)
{
    yaml_node_t *item = NULL, *earlier;

    for (size_t i = 0; yaml_file_entry(&load->file, list, i, NULL, &item); i++) {
        if (!yaml_file_text(item) || !yaml_file_text(item)[0])
            return yaml_file_fail(&load->file, item, load->reason, slot->name, "values: want a list of words");
        for (size_t k = 0; k < i && yaml_file_entry(&load->file, list, k, NULL, &earlier); k++)
            if (strcmp(yaml_file_text(earlier), yaml_file_text(item)) == 0)
                return yaml_file_fail(&load->file, item, load->reason, slot->name, "values: \"%s\" stands there twice",
                                      brief(load, yaml_file_text(item)));
    }
    if (!item)
        return yaml_file_fail(&load->file, list, load->reason, slot->name, "values: want a list of words");
    slot->values = list;
    return STATUS_OK;
}

static enum status read_slot(struct loader *load, const yaml_node_t *name, const yaml_node_t *body)
{
    struct slot *slot = &load->slots[load->slot_count];
    static const char *const known[] = {"description", "values"};
    enum status status = STATUS_OK;
    yaml_node_t *key, *value;

    if (load->slot_count == MAX_SLOTS || body->type != YAML_MAPPING_NODE)
        return yaml_file_fail(&load->file, name, load->reason, yaml_file_text(name), "want a mapping, and at most %d slots",
                              MAX_SLOTS);
    *slot = (struct slot){.name = yaml_file_text(name)};
    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, body, i, &key, &value); i++) {
        const char *word = yaml_file_text(key);
        if (strcmp(word, "values") == 0)
            status = read_values(load, value, slot);
        else if (strcmp(word, "description") != 0)
            status = unknown_key(load, key, "key of a slot", known, 2);
    }
    load->slot_count++;
    return status;
}

static enum status read_slots(struct loader *load)
{
    yaml_node_t *key, *value, *slots = yaml_file_get(&load->file, yaml_file_root(&load->file), "slots");
    enum status status = STATUS_OK;

    if (!slots || slots->type != YAML_MAPPING_NODE)
        return yaml_file_fail(&load->file, slots, load->reason, "slots", "missing: what a variant's parameters may be");
    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, slots, i, &key, &value); i++)
        status = read_slot(load, key, value);
    if (status == STATUS_OK && !load->slot_count)
        return yaml_file_fail(&load->file, slots, load->reason, "slots", "at least one slot is needed");
    return status;
}

/* --- variants --------------------------------------------------------------------------------------------------------------- */

/* Any text that can be spoken or shown on one line; *ret without blanks around it, as a folded block has them. */
static enum status read_line(struct loader *load, const yaml_node_t *node, const char *key, const char **ret)
{
    const char *text = yaml_file_text(node);

    if (!text)
        return yaml_file_fail(&load->file, node, load->reason, key, "want a text of 1 to %d bytes", TEXT_LIMIT);
    text += strspn(text, " \t\n");
    char *copy = arena_str(load->arena, text), *clean;
    for (size_t n = strlen(copy); n > 0 && strchr(" \t\n", copy[n - 1]); n--)
        copy[n - 1] = '\0';
    if (!*copy || strlen(copy) > TEXT_LIMIT)
        return yaml_file_fail(&load->file, node, load->reason, key, "want a text of 1 to %d bytes", TEXT_LIMIT);
    clean = arena_str(load->arena, copy);
    utf8_clean(clean);
    if (strcmp(clean, copy) != 0)
        return yaml_file_fail(&load->file, node, load->reason, key, "holds a line break or another control character");
    *ret = copy;
    return STATUS_OK;
}

/* STATUS_OK when the slot takes the text. */
static enum status check_value(struct loader *load, const struct slot *slot, const yaml_node_t *node, const char *text)
{
    const char **words = NULL;
    yaml_node_t *item;
    size_t count = 0;

    if (!slot->values)
        return STATUS_OK;
    while (yaml_file_entry(&load->file, slot->values, count, NULL, &item))
        count++;
    words = arena_alloc(load->arena, count * sizeof *words);
    for (size_t i = 0; yaml_file_entry(&load->file, slot->values, i, NULL, &item); i++)
        words[i] = yaml_file_text(item);
    if (is_among(text, words, count))
        return STATUS_OK;
    return yaml_file_fail(&load->file, node, load->reason, slot->name, "\"%s\" is none of its values%s", brief(load, text),
                          instead(load, text, words, count));
}

static enum status read_parameters(struct loader *load, yaml_node_t *node, struct variant *v)
{
    struct variant_slot *slots = arena_alloc(load->arena, load->slot_count * sizeof *slots);
    const char *names[MAX_SLOTS];
    yaml_node_t *key, *value;

    for (size_t s = 0; s < load->slot_count; s++)
        names[s] = load->slots[s].name;
    for (size_t i = 0; yaml_file_entry(&load->file, node, i, &key, &value); i++)
        if (!is_among(yaml_file_text(key), names, load->slot_count))
            return unknown_key(load, key, "slot", names, load->slot_count);
    for (size_t s = 0; s < load->slot_count; s++) {
        value = yaml_file_get(&load->file, node, load->slots[s].name);
        if (!value)
            return yaml_file_fail(&load->file, node, load->reason, load->slots[s].name, "slot missing in variant %s", v->id);
        slots[s].name = arena_str(load->arena, names[s]);
        enum status status = read_line(load, value, names[s], &slots[s].value);
        if (status == STATUS_OK)
            status = check_value(load, &load->slots[s], value, slots[s].value);
        if (status != STATUS_OK)
            return status;
    }
    v->slots = slots;
    v->slot_count = load->slot_count;
    return STATUS_OK;
}

static enum status read_text(struct loader *load, const yaml_node_t *variant, const char *key, const char **ret)
{
    yaml_node_t *node = yaml_file_get(&load->file, variant, key);

    if (!node)
        return yaml_file_fail(&load->file, variant, load->reason, key, "missing in this variant");
    return read_line(load, node, key, ret);
}

static enum status read_variant(struct loader *load, const yaml_node_t *node, struct variant *v)
{
    static const char *const known[] = {"id", "name", "description", "parameters"};
    yaml_node_t *key, *value;

    if (node->type != YAML_MAPPING_NODE)
        return yaml_file_fail(&load->file, node, load->reason, "variants", "want id, name, description and parameters of each");
    for (size_t i = 0; yaml_file_entry(&load->file, node, i, &key, &value); i++)
        if (!is_among(yaml_file_text(key), known, 4))
            return unknown_key(load, key, "key of a variant", known, 4);
    enum status status = read_text(load, node, "id", &v->id);
    if (status == STATUS_OK && !variant_id_valid(v->id))
        return yaml_file_fail(&load->file, yaml_file_get(&load->file, node, "id"), load->reason, "id",
                              "\"%s\" is no id: v, digits, one lower-case letter", brief(load, v->id));
    if (status == STATUS_OK)
        status = read_text(load, node, "name", &v->name);
    if (status == STATUS_OK)
        status = read_text(load, node, "description", &v->description);
    value = yaml_file_get(&load->file, node, "parameters");
    if (status == STATUS_OK && (!value || value->type != YAML_MAPPING_NODE))
        return yaml_file_fail(&load->file, value ? value : node, load->reason, "parameters",
                              value ? "want a slot: value on each line" : "missing in variant %s", v->id);
    return status == STATUS_OK ? read_parameters(load, value, v) : status;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct variant *)a)->id, ((const struct variant *)b)->id);
}

static enum status read_variants(struct loader *load, struct variants *ret)
{
    yaml_node_t *node, *list = yaml_file_get(&load->file, yaml_file_root(&load->file), "variants");
    struct variant *items = arena_alloc(load->arena, MAX_VARIANTS * sizeof *items);
    enum status status = STATUS_OK;
    size_t count = 0;

    for (; status == STATUS_OK && yaml_file_entry(&load->file, list, count, NULL, &node); count++) {
        if (count == MAX_VARIANTS)
            return yaml_file_fail(&load->file, node, load->reason, "variants", "more than %d", MAX_VARIANTS);
        status = read_variant(load, node, &items[count]);
        for (size_t i = 0; status == STATUS_OK && i < count; i++)
            if (strcmp(items[i].id, items[count].id) == 0)
                status = yaml_file_fail(&load->file, node, load->reason, "id", "variant %s stands there twice", items[i].id);
    }
    if (status != STATUS_OK)
        return status;
    if (!count)
        return yaml_file_fail(&load->file, list, load->reason, "variants", "missing: a list of variants");
    qsort(items, count, sizeof *items, by_id);
    ret->items = items;
    ret->count = count;
    return STATUS_OK;
}

static enum status find_base(struct loader *load, struct numbers *all)
{
    yaml_node_t *split = yaml_file_get(&load->file, yaml_file_get(&load->file, yaml_file_root(&load->file), "deployment"),
                                       "traffic_split");
    int base = variants_find(&all->v, all->base);

    if (base < 0)
        return yaml_file_fail(&load->file, yaml_file_get(&load->file, split, "base_variant"), load->reason,
                              "deployment.traffic_split.base_variant", "there is no variant \"%s\"", brief(load, all->base));
    all->v.base = (size_t)base;
    return STATUS_OK;
}

enum status variants_load(struct arena *arena, const char *path, struct variants *ret, struct reason *reason)
{
    static const char *const others[] = {"slots", "variants", NULL};
    struct loader load = {.arena = arena, .reason = reason};
    struct numbers all = {0};
    struct config_table table = {keys, sizeof keys / sizeof *keys, &all};
    enum status status = config_load_beside(arena, &table, 1, path, others, reason);

    if (status == STATUS_OK)
        status = yaml_file_open(path, &load.file, reason);
    if (status != STATUS_OK)
        return status;
    status = read_slots(&load);
    if (status == STATUS_OK)
        status = read_variants(&load, &all.v);
    if (status == STATUS_OK)
        status = find_base(&load, &all);
    yaml_file_close(&load.file);
    if (status == STATUS_OK)
        *ret = all.v;
    return status;
}
