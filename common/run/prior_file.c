/* SPDX-License-Identifier: Apache-2.0 */
/* prior_file.c - reads priors strictly: what is not understood is named by file, line, key and rule. */
#include "prior_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "utf8.h"
#include "yaml_file.h"

enum { MOST_CELLS = 1024, VERSION_LIMIT = 32, SECONDS_LIMIT = 1000000000 };

static const double most_calls = 1e9;

struct loader {
    struct arena *arena;
    struct yaml_file file;
    const struct prior_terms *terms;
    struct prior_row *rows;
    size_t count, capacity;
    struct reason *reason;
};

/* A row as it is read; `has_` what was there. */
struct numbers {
    double mean, calls, spread;
    bool has_mean, has_calls, has_spread;
};

/* ---- values ---------------------------------------------------------------------------------------------------------------- */

/* At most 30 columns of a text that an error quotes. */
static const char *brief(struct loader *load, const char *text)
{
    size_t bytes;

    utf8_columns(text, 30, &bytes);
    return arena_printf(load->arena, "%.*s", (int)bytes, text);
}

static enum status number(struct loader *load, const yaml_node_t *node, const char *key, const double range[2], double *ret)
{
    const char *text = yaml_file_text(node);
    char *end = NULL;
    double value = text ? strtod(text, &end) : 0;

    if (!text || end == text || *end || !isfinite(value))
        return yaml_file_fail(&load->file, node, load->reason, key, "\"%s\": want a number", brief(load, text ? text : ""));
    if (value < range[0] || value > range[1])
        return yaml_file_fail(&load->file, node, load->reason, key, "%s is outside of %g .. %g", brief(load, text), range[0],
                              range[1]);
    *ret = value;
    return STATUS_OK;
}

static enum status add(struct loader *load, const struct prior_row *row)
{
    if (load->count == load->capacity) {
        struct prior_row *more = arena_alloc(load->arena, (load->capacity * 2 + 16) * sizeof *more);
        if (load->count)
            memcpy(more, load->rows, load->count * sizeof *more);
        load->rows = more;
        load->capacity = load->capacity * 2 + 16;
    }
    load->rows[load->count++] = *row;
    return STATUS_OK;
}

static enum status check_variant(struct loader *load, const yaml_node_t *key)
{
    const char *id = yaml_file_text(key);

    return variant_id_valid(id) ? STATUS_OK
                                : yaml_file_fail(&load->file, key, load->reason, id, "no variant's name: ^v[0-9]+[a-z]$");
}

/* ---- the file of priors ---------------------------------------------------------------------------------------------------- */

/* What a row may hold beside its cells; false: another key. */
static bool take_number(struct loader *load, struct numbers *n, const yaml_node_t *key, const yaml_node_t *value,
                        enum status *ret)
{
    static const double means[] = {-1, 1}, spreads[] = {0, 1}, calls[] = {0, most_calls};
    const struct {
        const char *name;
        const double *range;
        double *target;
        bool *has;
    } known[] = {{"mean", means, &n->mean, &n->has_mean}, {"calls", calls, &n->calls, &n->has_calls},
                 {"spread", spreads, &n->spread, &n->has_spread}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(yaml_file_text(key), known[i].name) == 0) {
            *known[i].has = true;
            *ret = number(load, value, known[i].name, known[i].range, known[i].target);
            return true;
        }
    return false;
}

/* Rewards between -1 and 1 with this mean cannot spread more than sqrt(1 - mean^2). */
static enum status finish_row(struct loader *load, const yaml_node_t *at, const struct numbers *n, struct prior_row row)
{
    double widest = sqrt(1 - n->mean * n->mean);

    if (!n->has_mean || !n->has_calls)
        return yaml_file_fail(&load->file, at, load->reason, n->has_mean ? "calls" : "mean", "missing: a row has mean and calls");
    if (n->has_spread && n->spread > widest + 1e-9)
        return yaml_file_fail(&load->file, at, load->reason, "spread", "%g: rewards in -1 .. 1 with mean %g spread at most %.3f",
                              n->spread, n->mean, widest);
    row.mean = n->mean;
    row.calls = n->calls;
    row.spread = fmin(n->has_spread ? n->spread : PRIOR_SPREAD, widest);
    return row.calls > 0 ? add(load, &row) : STATUS_OK;
}

static enum status check_cell(struct loader *load, const yaml_node_t *key)
{
    const char *cell = yaml_file_text(key), *slash = strchr(cell, '/');
    const char *profile = slash ? arena_printf(load->arena, "%.*s", (int)(slash - cell), cell) : cell;

    if (!slash || strlen(cell) >= CELL_SIZE)
        return yaml_file_fail(&load->file, key, load->reason, cell, "want profile/time, such as kfz/morning");
    if (strcmp(context_profile(load->terms->profiles, profile), profile) != 0)
        return yaml_file_fail(&load->file, key, load->reason, cell, "\"%s\" is no configured profile", profile);
    if (strcmp(context_time_of_day(slash + 1), slash + 1) != 0)
        return yaml_file_fail(&load->file, key, load->reason, cell, "\"%s\" is none of morning, afternoon, evening, night, other",
                              slash + 1);
    return STATUS_OK;
}

static enum status read_cell(struct loader *load, const char *variant, const yaml_node_t *key, const yaml_node_t *body)
{
    struct numbers n = {0};
    enum status status = check_cell(load, key);
    yaml_node_t *name, *value;

    if (status == STATUS_OK && body->type != YAML_MAPPING_NODE)
        status = yaml_file_fail(&load->file, body, load->reason, yaml_file_text(key), "want {mean: .., calls: ..}");
    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, body, i, &name, &value); i++)
        if (!take_number(load, &n, name, value, &status))
            status = yaml_file_fail(&load->file, name, load->reason, yaml_file_text(name),
                                    "unknown key; a cell has mean, calls, spread");
    if (status != STATUS_OK)
        return status;
    return finish_row(load, key, &n, (struct prior_row){.variant = variant, .cell = arena_str(load->arena, yaml_file_text(key))});
}

static enum status read_cells(struct loader *load, const char *variant, const yaml_node_t *cells)
{
    enum status status = STATUS_OK;
    yaml_node_t *key, *body;
    size_t i = 0;

    if (cells->type != YAML_MAPPING_NODE)
        return yaml_file_fail(&load->file, cells, load->reason, "cells", "want a mapping of profile/time");
    for (; status == STATUS_OK && yaml_file_entry(&load->file, cells, i, &key, &body); i++)
        status = i < MOST_CELLS ? read_cell(load, variant, key, body)
                                : yaml_file_fail(&load->file, key, load->reason, "cells", "at most %d", MOST_CELLS);
    return status;
}

static enum status read_variant(struct loader *load, const yaml_node_t *key, const yaml_node_t *body)
{
    const char *variant = arena_str(load->arena, yaml_file_text(key));
    const yaml_node_t *cells = NULL;
    struct numbers n = {0};
    enum status status = check_variant(load, key);
    yaml_node_t *name, *value;

    if (status == STATUS_OK && body->type != YAML_MAPPING_NODE)
        status = yaml_file_fail(&load->file, body, load->reason, variant, "want {mean: .., calls: ..}");
    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, body, i, &name, &value); i++) {
        if (strcmp(yaml_file_text(name), "cells") == 0)
            cells = value;
        else if (!take_number(load, &n, name, value, &status))
            status = yaml_file_fail(&load->file, name, load->reason, yaml_file_text(name),
                                    "unknown key; a variant has mean, calls, spread, cells");
    }
    if (status == STATUS_OK && (!cells || n.has_mean || n.has_calls || n.has_spread))
        status = finish_row(load, key, &n, (struct prior_row){.variant = variant, .cell = ""});
    return status == STATUS_OK && cells ? read_cells(load, variant, cells) : status;
}

static enum status read_variants(struct loader *load, const yaml_node_t *variants)
{
    enum status status = STATUS_OK;
    yaml_node_t *key, *body;

    if (variants->type != YAML_MAPPING_NODE)
        return yaml_file_fail(&load->file, variants, load->reason, "variants", "want a mapping of variants");
    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, variants, i, &key, &body); i++)
        status = read_variant(load, key, body);
    return status;
}

/* ---- bandit_state.json ----------------------------------------------------------------------------------------------------- */

static enum status read_beta(struct loader *load, const yaml_node_t *node, const char *key, double least, double *ret)
{
    enum status status = number(load, node, key, (const double[]){0, 2 * most_calls}, ret);

    if (status == STATUS_OK && *ret < least - 1e-9)
        status = yaml_file_fail(&load->file, node, load->reason, key, "%g is less than its prior, %g (bandit_config.initial_%s)",
                                *ret, least, key);
    return status;
}

/* alpha - alpha0 good and beta - beta0 bad calls: a mean on [-1, 1], and how many they were. */
static enum status read_arm(struct loader *load, const yaml_node_t *key, const yaml_node_t *alpha, const yaml_node_t *beta)
{
    double a0 = load->terms->variants->initial_alpha, b0 = load->terms->variants->initial_beta, a = a0, b = b0;
    enum status status = check_variant(load, key);

    if (status == STATUS_OK && !beta)
        status = yaml_file_fail(&load->file, key, load->reason, "beta", "has no %s", yaml_file_text(key));
    if (status == STATUS_OK)
        status = read_beta(load, alpha, "alpha", a0, &a);
    if (status == STATUS_OK)
        status = read_beta(load, beta, "beta", b0, &b);
    if (status != STATUS_OK)
        return status;
    struct numbers n = {.calls = fmax(0, a - a0) + fmax(0, b - b0), .has_mean = true, .has_calls = true};
    if (!(n.calls > 1e-9))
        return STATUS_OK;
    n.mean = fmin(1, fmax(-1, (a - a0 - (b - b0)) / n.calls));
    return finish_row(load, key, &n, (struct prior_row){.variant = arena_str(load->arena, yaml_file_text(key)), .cell = ""});
}

static enum status read_state(struct loader *load, const yaml_node_t *root)
{
    const yaml_node_t *alphas = yaml_file_get(&load->file, root, "alpha"), *betas = yaml_file_get(&load->file, root, "beta");
    enum status status = STATUS_OK;
    yaml_node_t *key, *alpha;

    if (alphas->type != YAML_MAPPING_NODE || !betas || betas->type != YAML_MAPPING_NODE)
        return yaml_file_fail(&load->file, betas, load->reason, "beta", "want alpha and beta, each a number for each variant");
    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, alphas, i, &key, &alpha); i++)
        status = read_arm(load, key, alpha, yaml_file_get(&load->file, betas, yaml_file_text(key)));
    return status;
}

/* ---- either ---------------------------------------------------------------------------------------------------------------- */

static enum status read_as_of(struct loader *load, const yaml_node_t *node, const char *key, int64_t *ret)
{
    double seconds = 0;
    enum status status = number(load, node, key, (const double[]){0, 1e5 * SECONDS_LIMIT}, &seconds);

    *ret = (int64_t)seconds;
    return status;
}

static enum status read_version(struct loader *load, const yaml_node_t *node, const char **ret)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *text = yaml_file_text(node);

    if (!text || !text[0] || strlen(text) > VERSION_LIMIT || text[strspn(text, letters)])
        return yaml_file_fail(&load->file, node, load->reason, "reward_version", "want 1 .. %d letters, digits, . _ or -",
                              VERSION_LIMIT);
    *ret = arena_str(load->arena, text);
    return STATUS_OK;
}

/* What both kinds of file have, by the kind's own keys; other keys of a bandit_state.json say nothing that
 * its alpha and beta do not. */
static enum status read_root(struct loader *load, const yaml_node_t *root, struct prior_file *ret)
{
    enum status status = STATUS_OK;
    yaml_node_t *key, *value;

    for (size_t i = 0; status == STATUS_OK && yaml_file_entry(&load->file, root, i, &key, &value); i++) {
        const char *name = yaml_file_text(key);
        if (strcmp(name, ret->state ? "last_updated" : "as_of") == 0)
            status = read_as_of(load, value, name, &ret->as_of);
        else if (strcmp(name, "reward_version") == 0)
            status = read_version(load, value, &ret->reward_version);
        else if (!ret->state && strcmp(name, "variants") == 0)
            status = read_variants(load, value);
        else if (!ret->state)
            status = yaml_file_fail(&load->file, key, load->reason, name,
                                    "unknown key; there is as_of, reward_version, variants");
    }
    return status == STATUS_OK && ret->state ? read_state(load, root) : status;
}

enum status prior_file_load(struct arena *arena, const char *path, const struct prior_terms *terms, struct prior_file *ret,
                            struct reason *reason)
{
    struct loader load = {.arena = arena, .terms = terms, .reason = reason};
    struct prior_file found = {.reward_version = ""};
    enum status status = yaml_file_open(path, &load.file, reason);

    if (status != STATUS_OK)
        return status;
    yaml_node_t *root = yaml_file_root(&load.file);
    found.state = yaml_file_get(&load.file, root, "alpha") && !yaml_file_get(&load.file, root, "variants");
    if (!root || (!found.state && !yaml_file_get(&load.file, root, "variants")))
        status = yaml_file_fail(&load.file, root, reason, "variants",
                                "missing, and no bandit_state.json either: that has alpha and beta");
    if (status == STATUS_OK)
        status = read_root(&load, root, &found);
    yaml_file_close(&load.file);
    if (status != STATUS_OK)
        return status;
    found.rows = load.rows;
    found.count = load.count;
    *ret = found;
    return STATUS_OK;
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

/* Rows of one variant follow each other, that of all contexts first: so they were read. */
const char *prior_file_text(const struct prior_file *file, const char *comment, struct arena *arena)
{
    const char *text = arena_printf(arena, "# %s\n", comment), *variant = "";

    if (file->as_of)
        text = arena_printf(arena, "%sas_of: %lld\n", text, (long long)file->as_of);
    if (file->reward_version[0])
        text = arena_printf(arena, "%sreward_version: \"%s\"\n", text, file->reward_version);
    text = arena_printf(arena, "%svariants:%s\n", text, file->count ? "" : " {}");
    for (size_t i = 0; i < file->count; i++) {
        const struct prior_row *r = &file->rows[i];
        bool same = strcmp(variant, r->variant) == 0;
        if (!same)
            text = arena_printf(arena, "%s  %s:\n", text, r->variant);
        if (r->cell[0] && (!same || !file->rows[i - 1].cell[0]))
            text = arena_printf(arena, "%s    cells:\n", text);
        const char *indent = r->cell[0] ? "        " : "    ";
        if (r->cell[0])
            text = arena_printf(arena, "%s      %s:\n", text, r->cell);
        text = arena_printf(arena, "%s%smean: %.17g\n%scalls: %.17g\n%sspread: %.17g\n", text, indent, r->mean, indent, r->calls,
                            indent, r->spread);
        variant = r->variant;
    }
    return text;
}

const char *prior_file_place(const char *data_dir, struct arena *arena)
{
    return arena_printf(arena, "%s/rl/bandit_prior.yaml", data_dir);
}
