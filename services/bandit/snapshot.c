/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - model beta: shared Beta posteriors per cell, and the probability of being best. */
#include "snapshot.h"

#include <string.h>

#include "best.h"
#include "codec.h"
#include "context.h"

typedef Tom__Rl__V1__BanditStatsReply__VariantsEntry ArmEntry;
#define Arm_descriptor tom__rl__v1__bandit_stats_reply__variants_entry__descriptor

enum { SECONDS_PER_HOUR = 3600, US = 1000000, MAX_ARM_BYTES = 52, MAX_CELL_BYTES = 80 };

/* FNV-1a (Fowler, Noll & Vo). */
static uint32_t hash(uint32_t h, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++)
        h = (h ^ bytes[i]) * UINT32_C(16777619);
    return h;
}

uint32_t model_hash(const struct model *m)
{
    uint32_t h = hash(UINT32_C(2166136261), &m->prior, sizeof m->prior);

    h = hash(h, m->reward_version, strlen(m->reward_version) + 1);
    for (size_t v = 0; v < m->variants->count; v++)
        h = hash(h, m->variants->items[v].id, strlen(m->variants->items[v].id) + 1);
    return h;
}

const char *policy_version(const struct model *m, int64_t changes, int64_t now, struct arena *arena)
{
    return arena_printf(arena, "%s-%lld-%lld-%08x", m->reward_version, (long long)changes, (long long)(now / SECONDS_PER_HOUR), m->hash);
}

/* --- estimates ------------------------------------------------------------------------------------------------------------------------ */

static struct cell_estimate estimate_cell(const struct model *m, const struct stats *own, const struct stats *all, struct arena *arena)
{
    size_t count = m->variants->count, leader = 0;
    struct beta_posterior *arms = arena_alloc(arena, count * sizeof *arms);
    double *w = arena_alloc(arena, 3 * count * sizeof *w), *alpha = w + count, *beta = alpha + count;
    struct cell_estimate c = {.own = own, .arms = arms, .w = w};

    for (size_t v = 0; v < count; v++) {
        arms[v] = posterior_beta(&m->prior, &own[v], &all[v]);
        alpha[v] = arms[v].alpha_shared;
        beta[v] = arms[v].beta_shared;
        c.n += own[v].n;
        if (arms[v].mean > arms[leader].mean)
            leader = v;
    }
    best_beta(alpha, beta, count, w);
    c.exploration = 1 - w[leader];
    return c;
}

struct estimates estimate(const struct model *m, const struct grid *g, struct arena *arena)
{
    struct cell_estimate *cells = arena_alloc(arena, (g->cell_count + 1) * sizeof *cells);
    const struct stats *nothing = arena_alloc(arena, g->variant_count * sizeof *nothing);
    struct estimates e = {.model = m, .all = g->all, .cells = cells, .count = g->cell_count + 1};
    double calls = 0, explored = 0;

    for (size_t c = 0; c < e.count; c++) {
        bool unseen = c == g->cell_count;
        cells[c] = estimate_cell(m, unseen ? nothing : g->own + c * g->variant_count, g->all, arena);
        cells[c].cell = unseen ? "*" : g->cells[c];
        calls += (double)cells[c].n;
        explored += (double)cells[c].n * cells[c].exploration;
    }
    e.exploration_rate = calls > 0 ? explored / calls : cells[g->cell_count].exploration;
    return e;
}

/* --- bandit.updated --------------------------------------------------------------------------------------------------------------------- */

static CellEstimate *cell_message(const struct estimates *e, const struct cell_estimate *c, struct arena *arena)
{
    const struct variants *variants = e->model->variants;
    CellEstimate *m = codec_new(arena, &tom__rl__v1__cell_estimate__descriptor);

    m->cell = (char *)c->cell;
    m->variants = arena_alloc(arena, variants->count * sizeof *m->variants);
    for (; m->n_variants < variants->count; m->n_variants++) {
        size_t v = m->n_variants;
        ArmEstimate *arm = m->variants[v] = codec_new(arena, &tom__rl__v1__arm_estimate__descriptor);
        arm->policy_variant = (char *)variants->items[v].id;
        arm->n = c->own[v].n;
        arm->mean = c->arms[v].mean;
        arm->sd = c->arms[v].sd;
        arm->w = c->w[v];
        arm->n_borrowed = c->arms[v].n_borrowed;
    }
    return m;
}

static ArmTotal *total_message(const char *id, const struct stats *all, struct arena *arena)
{
    ArmTotal *m = codec_new(arena, &tom__rl__v1__arm_total__descriptor);

    m->policy_variant = (char *)id;
    m->n = all->n;
    m->mean = stats_mean(all);
    m->variance = stats_variance(all);
    return m;
}

void snapshot_message(const struct estimates *e, wall_time now, struct arena *arena, BanditUpdated *m)
{
    static const char *const fields[] = {"profile", "time_of_day"};
    const struct variants *variants = e->model->variants;
    int64_t seconds = now.us / US;

    m->model = arena_str(arena, "beta");
    m->as_of = seconds - seconds % SECONDS_PER_HOUR;
    m->ts = (double)now.us / US;
    m->context_fields = (char **)fields;
    m->n_context_fields = sizeof fields / sizeof *fields;
    m->reward_version = (char *)e->model->reward_version;
    m->exploration_rate = e->exploration_rate;
    m->cells = arena_alloc(arena, e->count * sizeof *m->cells);
    for (; m->n_cells < e->count; m->n_cells++)
        m->cells[m->n_cells] = cell_message(e, &e->cells[m->n_cells], arena);
    m->totals = arena_alloc(arena, variants->count * sizeof *m->totals);
    for (; m->n_totals < variants->count; m->n_totals++)
        m->totals[m->n_totals] = total_message(variants->items[m->n_totals].id, &e->all[m->n_totals], arena);
}

/* As protobuf: an arm is four doubles with tags (36 bytes), a count (11) and two lengths, beside its id. */
size_t snapshot_bound(const struct model *m, size_t profiles, size_t times)
{
    size_t cell = MAX_CELL_BYTES;

    for (size_t v = 0; v < m->variants->count; v++)
        cell += strlen(m->variants->items[v].id) + MAX_ARM_BYTES;
    return (profiles * times + 2) * cell; /* with "*" and the totals */
}

/* --- bandit.stats ------------------------------------------------------------------------------------------------------------------------- */

/* What an answer is about: one cell, or several together. */
struct view {
    const char *cell; /* "" several */
    const struct cell_estimate *one;
    struct stats *own;
    double *best;
    double exploration;
};

static bool part_matches(const char *wanted, const char *part, size_t length)
{
    return !wanted[0] || (strlen(wanted) == length && strncmp(wanted, part, length) == 0);
}

static bool cell_matches(const BanditStatsRequest *q, const char *cell)
{
    const char *slash = strchr(cell, '/');

    return slash && part_matches(q->profile, cell, (size_t)(slash - cell)) && part_matches(q->time_of_day, slash + 1, strlen(slash + 1));
}

static const struct cell_estimate *find_cell(const struct estimates *e, const char *cell)
{
    for (size_t c = 0; c + 1 < e->count; c++)
        if (strcmp(e->cells[c].cell, cell) == 0)
            return &e->cells[c];
    return &e->cells[e->count - 1];
}

static void add_cell(struct view *view, const struct cell_estimate *c, double weight, size_t count)
{
    for (size_t v = 0; v < count; v++) {
        stats_add(&view->own[v], &c->own[v]);
        view->best[v] += weight * c->w[v];
    }
    view->exploration += weight * c->exploration;
}

static struct view view_cells(const struct estimates *e, const BanditStatsRequest *q, struct arena *arena)
{
    size_t count = e->model->variants->count;
    struct view view = {.cell = "", .own = arena_alloc(arena, count * sizeof *view.own), .best = arena_alloc(arena, count * sizeof *view.best)};
    int64_t calls = 0;

    if (q->profile[0] && q->time_of_day[0]) {
        char cell[CELL_SIZE];
        context_cell(q->profile, q->time_of_day, cell);
        view.cell = arena_str(arena, cell);
        view.one = find_cell(e, cell);
        add_cell(&view, view.one, 1, count);
        return view;
    }
    for (size_t c = 0; c + 1 < e->count; c++)
        calls += cell_matches(q, e->cells[c].cell) ? e->cells[c].n : 0;
    for (size_t c = 0; c + 1 < e->count; c++)
        if (cell_matches(q, e->cells[c].cell))
            add_cell(&view, &e->cells[c], (double)e->cells[c].n / (double)calls, count);
    if (!calls)
        add_cell(&view, &e->cells[e->count - 1], 1, count);
    return view;
}

static BanditArmStats *arm_stats(const struct model *m, const struct view *view, size_t v, struct arena *arena)
{
    const struct stats *own = &view->own[v];
    struct beta_posterior p = view->one ? view->one->arms[v] : posterior_beta(&m->prior, own, own);
    BanditArmStats *s = codec_new(arena, &tom__rl__v1__bandit_arm_stats__descriptor);

    s->pulls = own->n;
    s->total_reward = (double)own->reward / REWARD_SCALE;
    s->mean_reward = stats_mean(own);
    s->rated = own->rated;
    s->response_rate = stats_response(own);
    s->alpha = p.alpha;
    s->beta = p.beta;
    s->alpha_shared = p.alpha_shared;
    s->beta_shared = p.beta_shared;
    s->n_borrowed = p.n_borrowed;
    s->confidence = beta_confidence(p.alpha_shared, p.beta_shared, own->n, m->min_pulls);
    s->probability_best = view->best[v];
    s->interval = arena_alloc(arena, 2 * sizeof *s->interval);
    s->interval[s->n_interval++] = beta_quantile(p.alpha_shared, p.beta_shared, 0.025);
    s->interval[s->n_interval++] = beta_quantile(p.alpha_shared, p.beta_shared, 0.975);
    return s;
}

void snapshot_stats(const struct estimates *e, const BanditStatsRequest *q, struct arena *arena, BanditStatsReply *ret)
{
    const struct variants *variants = e->model->variants;
    struct view view = view_cells(e, q, arena);

    ret->model = arena_str(arena, "beta");
    ret->cell = (char *)view.cell;
    ret->reward_version = (char *)e->model->reward_version;
    ret->exploration_rate = view.exploration;
    ret->variants = arena_alloc(arena, variants->count * sizeof *ret->variants);
    for (size_t v = 0; v < variants->count; v++)
        if (!q->policy_variant[0] || strcmp(q->policy_variant, variants->items[v].id) == 0)
            MAP_ADD(arena, ret, variants, Arm, variants->items[v].id, arm_stats(e->model, &view, v, arena));
}
