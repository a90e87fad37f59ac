/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - the table as the models want it, and what they say of each cell. */
#include "model.h"

#include <string.h>

enum { SECONDS_PER_HOUR = 3600, FIELDS = 2 };

/* FNV-1a (Fowler, Noll & Vo). */
static uint32_t hash(uint32_t h, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++)
        h = (h ^ bytes[i]) * UINT32_C(16777619);
    return h;
}

static uint32_t hash_text(uint32_t h, const char *text) { return hash(h, text, strlen(text) + 1); }

static uint32_t hash_prior(uint32_t h, const struct prior *p, size_t variants)
{
    h = hash(hash_text(h, p->reward_version), &p->as_of, sizeof p->as_of);
    for (size_t c = 0; c < p->cell_count; c++)
        h = hash_text(h, p->cells[c]);
    return hash(h, p->own, p->cell_count * variants * sizeof *p->own);
}

static uint32_t hash_of(const struct model *m)
{
    const struct belief_settings *b = &m->belief;
    const struct explore_settings *e = &m->explore;
    const double settings[] = {b->beta.alpha,     b->beta.beta,    b->beta.shrinkage,   b->prior_calls, b->prior_mean,
                               b->prior_variance, e->sharpness,    e->widening, e->caution,         e->epsilon,     e->runner_up,
                               m->half_life_days, m->change_delta, (double)m->min_pulls};
    uint32_t h = hash(UINT32_C(2166136261), settings, sizeof settings);

    h = hash_text(h, model_names[b->model]);
    h = hash_text(h, strategy_names[e->strategy]);
    h = hash_text(h, m->reward_version);
    for (size_t v = 0; v < m->variants->count; v++) {
        const struct variant *variant = &m->variants->items[v];
        h = hash_text(h, variant->id);
        for (size_t s = 0; s < variant->slot_count; s++)
            h = hash_text(h, variant->slots[s].value);
    }
    return m->prior ? hash_prior(h, m->prior, m->variants->count) : h;
}

void model_complete(struct model *m, const struct variants *variants)
{
    struct belief_settings belief = BELIEF_DEFAULTS;

    belief.model = m->belief.model;
    belief.beta = (struct beta_prior){variants->initial_alpha, variants->initial_beta, m->belief.beta.shrinkage};
    m->belief = belief;
    m->explore.epsilon = variants->exploration_rate;
    m->min_pulls = variants->min_pulls_for_confidence;
    m->variants = variants;
    m->hash = hash_of(m);
}

uint32_t facts_hash(const struct belief_fit *fit, const struct restarts *r)
{
    uint32_t h = fit->calls > 0 ? hash(UINT32_C(2166136261), fit->sd, sizeof fit->sd) : 0;

    for (size_t i = 0; i < r->count; i++) {
        const struct restart *one = &r->items[i];
        h = hash(hash_text(hash_text(h, one->cell), one->variant), &one->from, sizeof one->from);
    }
    return h;
}

const char *policy_version(const struct model *m, uint32_t facts, int64_t changes, int64_t now, struct arena *arena)
{
    uint32_t h = facts ? hash(m->hash, &facts, sizeof facts) : m->hash;

    return arena_printf(arena, "%s-%lld-%lld-%08x", m->reward_version, (long long)changes, (long long)(now / SECONDS_PER_HOUR),
                        h);
}

/* --- the table
 * -------------------------------------------------------------------------------------------------------------------------- */

/* What stands before (field 0) or after (field 1) the first slash of a cell's name. */
static const char *part(const char *cell, size_t field, size_t *ret_length)
{
    const char *slash = strchrnul(cell, '/');

    *ret_length = field == 0 ? (size_t)(slash - cell) : strlen(slash);
    return field == 0 ? cell : slash;
}

/* Equal parts have equal levels: the number of the first cell that has it. */
static int level(const struct grid *g, size_t cell, size_t field)
{
    size_t length, other_length, first = 0;
    const char *text = part(g->cells[cell], field, &length);

    for (; first < cell; first++) {
        const char *other = part(g->cells[first], field, &other_length);
        if (length == other_length && memcmp(text, other, length) == 0)
            break;
    }
    return (int)first;
}

/* Likewise the number of the first variant that has the value. */
static int value(const struct variants *variants, size_t v, size_t slot)
{
    size_t first = 0;

    while (first < v && strcmp(variants->items[first].slots[slot].value, variants->items[v].slots[slot].value) != 0)
        first++;
    return (int)first;
}

static struct belief_data data_of(const struct model *m, const struct grid *g, struct arena *arena)
{
    size_t pairs = g->cell_count * g->variant_count;
    struct moments *own = arena_alloc(arena, pairs * sizeof *own);
    int *context = arena_alloc(arena, g->cell_count * FIELDS * sizeof *context), *slot;
    struct belief_data d = {.cells = g->cell_count,
                            .variants = g->variant_count,
                            .fields = FIELDS,
                            .slots = m->variants->items[0].slot_count,
                            .own = g->moments ? g->moments : own,
                            .context = context};

    for (size_t i = 0; i < pairs && !g->moments; i++)
        own[i] = stats_moments(&g->own[i]);
    for (size_t i = 0; i < g->cell_count * FIELDS; i++)
        context[i] = level(g, i / FIELDS, i % FIELDS);
    slot = arena_alloc(arena, d.variants * d.slots * sizeof *slot);
    for (size_t i = 0; i < d.variants * d.slots; i++)
        slot[i] = value(m->variants, i / d.slots, i % d.slots);
    d.slot = slot;
    return d;
}

double model_variance(const struct model *m, const struct grid *g, struct arena *arena)
{
    struct belief_data d = data_of(m, g, arena);

    return belief_variance(&m->belief, &d);
}

bool model_fit(const struct model *m, const struct grid *g, struct belief_fit *fit, struct arena *arena)
{
    double calls = 0;

    if (m->belief.model != MODEL_LINEAR)
        return false;
    struct belief_data d = data_of(m, g, arena);
    for (size_t i = 0; i < d.cells * d.variants; i++)
        calls += d.own[i].n;
    if (!belief_fit_due(fit, calls))
        return false;
    belief_fit(&m->belief, &d, fit, arena);
    return true;
}

/* --- estimates
 * ------------------------------------------------------------------------------------------------------------------------ */

static struct cell_estimate estimate_cell(const struct model *m, const struct stats *own, const struct belief *beliefs,
                                          struct arena *arena)
{
    size_t count = m->variants->count, leader = 0;
    double *w = arena_alloc(arena, 2 * count * sizeof *w);
    struct cell_estimate c = {.own = own, .beliefs = beliefs, .w = w, .best = w + count};

    for (size_t v = 0; v < count; v++) {
        c.n += own[v].n;
        if (beliefs[v].mean > beliefs[leader].mean)
            leader = v;
    }
    explore_weights(&m->explore, m->belief.model, beliefs, count, w);
    c.largest = explore_best(m->belief.model, beliefs, count, w + count);
    c.exploration = 1 - w[leader];
    return c;
}

struct estimates estimate(const struct model *m, const struct grid *g, const struct belief_fit *fit, struct arena *arena)
{
    struct cell_estimate *cells = arena_alloc(arena, (g->cell_count + 1) * sizeof *cells);
    const struct stats *nothing = arena_alloc(arena, g->variant_count * sizeof *nothing);
    struct estimates e = {
        .model = m, .data = data_of(m, g, arena), .fit = fit, .all = g->all, .cells = cells, .count = g->cell_count + 1};
    const struct belief *beliefs = belief_compute(&m->belief, &e.data, fit, arena);
    double calls = 0, explored = 0, alike = 0;

    for (size_t c = 0; c < e.count; c++) {
        bool unseen = c == g->cell_count;
        cells[c] = estimate_cell(m, unseen ? nothing : g->own + c * g->variant_count, beliefs + c * g->variant_count, arena);
        cells[c].cell = unseen ? "*" : g->cells[c];
        cells[c].prior = unseen || !g->prior ? NULL : g->prior + c * g->variant_count;
        calls += (double)cells[c].n;
        explored += (double)cells[c].n * cells[c].exploration;
        alike += unseen && c ? 0 : cells[c].exploration;
    }
    e.exploration_rate = calls > 0 ? explored / calls : alike / (double)(g->cell_count ? g->cell_count : 1);
    return e;
}

const struct belief *estimate_overall(const struct estimates *e, const double *traffic, struct arena *arena)
{
    struct belief_data d = e->data;

    d.traffic = traffic;
    return belief_compute(&e->model->belief, &d, e->fit, arena) + (d.cells + 1) * d.variants;
}
