/* SPDX-License-Identifier: Apache-2.0 */
/* variants.c - loads prompt_variants.yaml and refuses whatever it does not understand. */
#include "variants.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "yaml_file.h"

enum { MAX_SLOTS = 16, MAX_ID = 16 };

struct loader {
    struct arena *arena;
    struct yaml_file *file;
    yaml_node_t *slots; /* the mapping of slot definitions */
    struct variants *out;
};

bool variant_id_valid(const char *id)
{
    size_t digits = id[0] == 'v' ? strspn(id + 1, "0123456789") : 0;

    return digits && id[digits + 1] >= 'a' && id[digits + 1] <= 'z' && !id[digits + 2] && digits + 2 <= MAX_ID;
}

int variants_find(const struct variants *variants, const char *id)
{
    size_t low = 0, high = variants->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(variants->items[middle].id, id);
        if (order == 0)
            return (int)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

static enum status known_keys(struct loader *l, const yaml_node_t *mapping, const char *field, const char *const *known, struct reason *reason)
{
    enum status status = yaml_check_mapping(l->file, mapping, field, reason);

    if (status != STATUS_OK)
        return status;
    for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_node(l->file, p->key);
        bool found = false;
        for (size_t i = 0; known[i]; i++)
            found |= strcmp(known[i], yaml_text(key)) == 0;
        if (!found)
            return yaml_fail(reason, l->file, key, arena_printf(l->arena, "%s.%s", field, yaml_text(key)), "unknown key");
    }
    return STATUS_OK;
}

/* Text of a required key. */
static enum status text_of(struct loader *l, const yaml_node_t *mapping, const char *field, const char *key, const char **ret, struct reason *reason)
{
    const char *text = yaml_text(yaml_get(l->file, mapping, key));

    if (!text || !text[0])
        return yaml_fail(reason, l->file, mapping, arena_printf(l->arena, "%s.%s", field, key), "missing or empty");
    *ret = arena_str(l->arena, text);
    return STATUS_OK;
}

struct number_key {
    const char *section, *key;
    double min, max;
    const char *env;
    double *at;
};

static enum status number(struct loader *l, const yaml_node_t *mapping, const struct number_key *k, struct reason *reason)
{
    const yaml_node_t *node = yaml_get(l->file, mapping, k->key);
    const char *field = arena_printf(l->arena, "%s.%s", k->section, k->key), *text = yaml_text(node), *env = k->env ? getenv(k->env) : NULL;
    char *end;

    if (!text)
        return yaml_fail(reason, l->file, node ? node : mapping, field, "missing");
    *k->at = strtod(env ? env : text, &end);
    if (end == (env ? env : text) || *end || !isfinite(*k->at) || *k->at < k->min || *k->at > k->max) {
        if (env)
            return reason_fail(reason, STATUS_CONFIG, field, "%s: \"%s\" is no number in %g .. %g", k->env, env, k->min, k->max);
        return yaml_fail(reason, l->file, node, field, "\"%s\" is no number in %g .. %g", text, k->min, k->max);
    }
    return STATUS_OK;
}

/* ---- slots --------------------------------------------------------------------------------------------------------------------------------- */

static bool allows(struct loader *l, const yaml_node_t *values, const char *text)
{
    for (yaml_node_item_t *i = values->data.sequence.items.start; i < values->data.sequence.items.top; i++) {
        const char *value = yaml_text(yaml_node(l->file, *i));
        if (value && strcmp(value, text) == 0)
            return true;
    }
    return false;
}

static enum status check_slots(struct loader *l, struct reason *reason)
{
    static const char *const known[] = {"description", "values", NULL};
    enum status status = yaml_check_mapping(l->file, l->slots, "slots", reason);

    if (status != STATUS_OK)
        return status;
    if (l->slots->data.mapping.pairs.top - l->slots->data.mapping.pairs.start > MAX_SLOTS)
        return yaml_fail(reason, l->file, l->slots, "slots", "more than %d", MAX_SLOTS);
    for (yaml_node_pair_t *p = l->slots->data.mapping.pairs.start; p < l->slots->data.mapping.pairs.top && status == STATUS_OK; p++) {
        const char *field = arena_printf(l->arena, "slots.%s", yaml_text(yaml_node(l->file, p->key)));
        yaml_node_t *slot = yaml_node(l->file, p->value), *values = yaml_get(l->file, slot, "values");
        status = known_keys(l, slot, field, known, reason);
        if (status == STATUS_OK && values && values->type != YAML_SEQUENCE_NODE)
            status = yaml_fail(reason, l->file, values, field, "values must be a list");
    }
    return status;
}

static enum status load_parameters(struct loader *l, const yaml_node_t *params, const char *id, struct variant *v, struct reason *reason)
{
    struct variant_slot *slots = arena_alloc(l->arena, MAX_SLOTS * sizeof *slots);
    enum status status = yaml_check_mapping(l->file, params, id, reason);

    if (status != STATUS_OK)
        return status;
    for (yaml_node_pair_t *p = params->data.mapping.pairs.start; p < params->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_node(l->file, p->key);
        if (!yaml_get(l->file, l->slots, yaml_text(key)))
            return yaml_fail(reason, l->file, key, arena_printf(l->arena, "%s.%s", id, yaml_text(key)), "no such slot is defined under slots");
    }
    for (yaml_node_pair_t *p = l->slots->data.mapping.pairs.start; p < l->slots->data.mapping.pairs.top; p++) {
        const char *name = yaml_text(yaml_node(l->file, p->key)), *field = arena_printf(l->arena, "%s.%s", id, name);
        const yaml_node_t *values = yaml_get(l->file, yaml_node(l->file, p->value), "values"), *node = yaml_get(l->file, params, name);
        const char *text = yaml_text(node);
        if (!text || !text[0])
            return yaml_fail(reason, l->file, node ? node : params, field, "the slot is missing or empty");
        if (values && !allows(l, values, text))
            return yaml_fail(reason, l->file, node, field, "\"%s\" is not among the values of slot %s", text, name);
        slots[v->slot_count++] = (struct variant_slot){arena_str(l->arena, name), arena_str(l->arena, text)};
    }
    v->slots = slots;
    return STATUS_OK;
}

/* ---- variants -------------------------------------------------------------------------------------------------------------------------------- */

static enum status load_variant(struct loader *l, const yaml_node_t *node, struct variant *v, struct reason *reason)
{
    static const char *const known[] = {"id", "name", "description", "parameters", NULL};
    enum status status = known_keys(l, node, "variants", known, reason);

    if (status == STATUS_OK)
        status = text_of(l, node, "variants", "id", &v->id, reason);
    if (status == STATUS_OK && !variant_id_valid(v->id))
        status = yaml_fail(reason, l->file, node, "variants.id", "\"%s\" does not look like v1a", v->id);
    if (status == STATUS_OK)
        status = text_of(l, node, v->id, "name", &v->name, reason);
    if (status == STATUS_OK)
        status = text_of(l, node, v->id, "description", &v->description, reason);
    if (status != STATUS_OK)
        return status;
    const yaml_node_t *params = yaml_get(l->file, node, "parameters");
    return params ? load_parameters(l, params, v->id, v, reason) : yaml_fail(reason, l->file, node, v->id, "parameters are missing");
}

static int by_id(const void *a, const void *b) { return strcmp(((const struct variant *)a)->id, ((const struct variant *)b)->id); }

static enum status load_variants(struct loader *l, const yaml_node_t *list, struct reason *reason)
{
    if (!list || list->type != YAML_SEQUENCE_NODE)
        return yaml_fail(reason, l->file, list, "variants", "expected a list of variants");
    size_t count = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
    if (count < 1 || count > MAX_VARIANTS)
        return yaml_fail(reason, l->file, list, "variants", "%zu variants; 1 .. %d are possible", count, MAX_VARIANTS);
    struct variant *items = arena_alloc(l->arena, count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *node = yaml_node(l->file, list->data.sequence.items.start[i]);
        enum status status = load_variant(l, node, &items[i], reason);
        for (size_t k = 0; k < i && status == STATUS_OK; k++)
            if (strcmp(items[k].id, items[i].id) == 0)
                status = yaml_fail(reason, l->file, node, "variants.id", "%s is there twice", items[i].id);
        if (status != STATUS_OK)
            return status;
    }
    qsort(items, count, sizeof *items, by_id);
    l->out->items = items;
    l->out->count = count;
    return STATUS_OK;
}

/* ---- numbers ---------------------------------------------------------------------------------------------------------------------------------- */

static enum status load_bandit(struct loader *l, const yaml_node_t *node, struct reason *reason)
{
    static const char *const known[] = {"initial_alpha", "initial_beta", "exploration_rate", "min_pulls_for_confidence", NULL};
    double min_pulls = 0;
    const struct number_key keys[] = {
        {"bandit_config", "initial_alpha", 1e-3, 1e6, NULL, &l->out->initial_alpha},
        {"bandit_config", "initial_beta", 1e-3, 1e6, NULL, &l->out->initial_beta},
        {"bandit_config", "exploration_rate", 0, 1, NULL, &l->out->exploration_rate},
        {"bandit_config", "min_pulls_for_confidence", 0, 1e9, NULL, &min_pulls},
    };
    enum status status = known_keys(l, node, "bandit_config", known, reason);

    for (size_t i = 0; i < sizeof keys / sizeof *keys && status == STATUS_OK; i++)
        status = number(l, node, &keys[i], reason);
    l->out->min_pulls_for_confidence = (long)min_pulls;
    return status;
}

static enum status load_split(struct loader *l, const yaml_node_t *split, struct reason *reason)
{
    static const char *const known[] = {"new_variants", "uncertain_variants", "base_variant", NULL};
    const struct number_key keys[] = {
        {"traffic_split", "new_variants", 0, 1, "RL_TRAFFIC_SPLIT_NEW", &l->out->cap_new},
        {"traffic_split", "uncertain_variants", 0, 1, "RL_TRAFFIC_SPLIT_UNCERTAIN", &l->out->cap_uncertain},
    };
    const char *base = NULL;
    enum status status = known_keys(l, split, "traffic_split", known, reason);

    for (size_t i = 0; i < sizeof keys / sizeof *keys && status == STATUS_OK; i++)
        status = number(l, split, &keys[i], reason);
    if (status == STATUS_OK)
        status = text_of(l, split, "traffic_split", "base_variant", &base, reason);
    if (status != STATUS_OK)
        return status;
    int index = variants_find(l->out, base);
    if (index < 0)
        return yaml_fail(reason, l->file, yaml_get(l->file, split, "base_variant"), "traffic_split.base_variant", "there is no variant %s", base);
    l->out->base = (size_t)index;
    return STATUS_OK;
}

static enum status load_deployment(struct loader *l, const yaml_node_t *node, struct reason *reason)
{
    static const char *const known[] = {"traffic_split", "blacklist_threshold", NULL};
    static const char *const threshold_keys[] = {"reward_mean", "min_pulls", NULL};
    double min_pulls = 0;
    const struct number_key keys[] = {
        {"blacklist_threshold", "reward_mean", -1, 1, "RL_BLACKLIST_THRESHOLD", &l->out->blacklist_reward_mean},
        {"blacklist_threshold", "min_pulls", 1, 1e9, "RL_MIN_PULLS_FOR_BLACKLIST", &min_pulls},
    };
    const yaml_node_t *threshold = yaml_get(l->file, node, "blacklist_threshold");
    enum status status = known_keys(l, node, "deployment", known, reason);

    if (status == STATUS_OK)
        status = load_split(l, yaml_get(l->file, node, "traffic_split"), reason);
    if (status == STATUS_OK)
        status = known_keys(l, threshold, "blacklist_threshold", threshold_keys, reason);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && status == STATUS_OK; i++)
        status = number(l, threshold, &keys[i], reason);
    l->out->blacklist_min_pulls = (long)min_pulls;
    return status;
}

enum status variants_load(struct arena *arena, const char *path, struct variants *ret, struct reason *reason)
{
    static const char *const known[] = {"slots", "variants", "bandit_config", "deployment", NULL};
    struct variants loaded = {0};
    struct yaml_file file;
    struct loader l = {.arena = arena, .file = &file, .out = &loaded};
    enum status status = yaml_file_load(path, &file, reason);

    if (status != STATUS_OK)
        return status;
    yaml_node_t *root = yaml_root(&file);
    status = known_keys(&l, root, "", known, reason);
    l.slots = yaml_get(&file, root, "slots");
    if (status == STATUS_OK)
        status = check_slots(&l, reason);
    if (status == STATUS_OK)
        status = load_variants(&l, yaml_get(&file, root, "variants"), reason);
    if (status == STATUS_OK)
        status = load_bandit(&l, yaml_get(&file, root, "bandit_config"), reason);
    if (status == STATUS_OK)
        status = load_deployment(&l, yaml_get(&file, root, "deployment"), reason);
    yaml_file_done(&file);
    if (status == STATUS_OK)
        *ret = loaded;
    return status;
}
