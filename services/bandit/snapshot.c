/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - what is believed, as bandit.updated and as the answer to bandit.stats. */
#include "snapshot.h"

#include <math.h>
#include <string.h>

#include "best.h"
#include "codec.h"
#include "context.h"

typedef Tom__Rl__V1__BanditStatsReply__VariantsEntry ArmEntry;
#define Arm_descriptor tom__rl__v1__bandit_stats_reply__variants_entry__descriptor

enum { SECONDS_PER_HOUR = 3600, US = 1000000, MAX_ARM_BYTES = 52, MAX_CELL_BYTES = 80, JOINT_POINTS = 8192 };

/* --- bandit.updated --------------------------------------------------------------------------------------------------------- */

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
        arm->mean = c->beliefs[v].mean;
        arm->sd = c->beliefs[v].sd;
        arm->w = c->w[v];
        arm->n_borrowed = c->beliefs[v].n_borrowed;
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

    m->model = arena_str(arena, model_names[e->model->belief.model]);
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

/* --- bandit.stats ----------------------------------------------------------------------------------------------------------- */

/* What an answer is about: one cell, or several together. */
struct view {
    const char *cell; /* "" several */
    const struct cell_estimate *one;
    const struct belief *beliefs;
    struct stats *own;
    double *best, *w, *prior;
    const double *joint;         /* NULL but in a report of one cell */
    double largest, exploration; /* means over the cells */
};

static bool part_matches(const char *wanted, const char *part, size_t length)
{
    return !wanted[0] || (strlen(wanted) == length && strncmp(wanted, part, length) == 0);
}

static bool cell_matches(const BanditStatsRequest *q, const char *cell)
{
    const char *slash = strchr(cell, '/');

    return slash && part_matches(q->profile, cell, (size_t)(slash - cell)) &&
           part_matches(q->time_of_day, slash + 1, strlen(slash + 1));
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
        view->best[v] += weight * c->best[v];
        view->w[v] += weight * c->w[v];
        view->prior[v] += c->prior ? c->prior[v] : 0;
    }
    view->largest += weight * c->largest;
    view->exploration += weight * c->exploration;
}

static struct view view_new(size_t count, struct arena *arena)
{
    struct view view = {.cell = "", .own = arena_alloc(arena, count * sizeof *view.own),
                        .best = arena_alloc(arena, 3 * count * sizeof *view.best)};

    view.w = view.best + count;
    view.prior = view.w + count;
    return view;
}

/* What is wrong about one variant is wrong about those that share a slot with it, so that they win and lose together. */
static const double *joint(const struct estimates *e, const struct cell_estimate *one, struct arena *arena)
{
    size_t count = e->model->variants->count;
    double *mean = arena_alloc(arena, 2 * count * sizeof *mean), *best = mean + count;

    if (e->model->belief.model == MODEL_BETA) /* its posteriors are not normal, and independent */
        return one->best;
    for (size_t v = 0; v < count; v++)
        mean[v] = one->beliefs[v].mean;
    best_joint(mean, belief_covariance(&e->model->belief, &e->data, e->fit, (size_t)(one - e->cells), arena), count, JOINT_POINTS,
               best);
    return best;
}

static struct view view_cell(const struct estimates *e, const BanditStatsRequest *q, struct arena *arena)
{
    struct view view = view_new(e->model->variants->count, arena);
    char cell[CELL_SIZE];

    context_cell(q->profile, q->time_of_day, cell);
    view.cell = arena_str(arena, cell);
    view.one = find_cell(e, cell);
    view.beliefs = view.one->beliefs;
    add_cell(&view, view.one, 1, e->model->variants->count);
    if (q->report && e->model->variants->count <= BEST_JOINT)
        view.joint = joint(e, view.one, arena);
    return view;
}

/* What each cell counts: its calls, and where there are none at all, each one that matches alike. */
static double traffic_of(const struct estimates *e, const BanditStatsRequest *q, double *ret_traffic)
{
    double calls = 0, cells = 0;

    for (size_t c = 0; c + 1 < e->count; c++) {
        ret_traffic[c] = cell_matches(q, e->cells[c].cell) ? (double)e->cells[c].n : 0;
        calls += ret_traffic[c];
    }
    for (size_t c = 0; c + 1 < e->count && !(calls > 0); c++)
        cells += ret_traffic[c] = cell_matches(q, e->cells[c].cell);
    return calls + cells;
}

static struct view view_cells(const struct estimates *e, const BanditStatsRequest *q, struct arena *arena)
{
    struct view view = view_new(e->model->variants->count, arena);
    double *traffic = arena_alloc(arena, e->count * sizeof *traffic), total = traffic_of(e, q, traffic);

    for (size_t c = 0; c + 1 < e->count; c++)
        if (cell_matches(q, e->cells[c].cell))
            add_cell(&view, &e->cells[c], traffic[c] / total, e->model->variants->count);
    if (!(total > 0))
        add_cell(&view, &e->cells[e->count - 1], 1, e->model->variants->count);
    view.beliefs = estimate_overall(e, traffic, arena);
    return view;
}

static void add_reference(const struct estimates *e, const struct view *view, size_t v, BanditArmStats *s)
{
    const struct stats *own = &view->own[v];
    struct beta_posterior p = posterior_beta(&e->model->belief.beta, own, view->one ? &e->all[v] : own);

    s->pulls = own->n;
    s->total_reward = (double)own->reward / REWARD_SCALE;
    s->mean_reward = stats_mean(own);
    s->rated = own->rated;
    s->response_rate = stats_response(own);
    s->alpha = p.alpha;
    s->beta = p.beta;
    s->alpha_shared = p.alpha_shared;
    s->beta_shared = p.beta_shared;
}

static BanditArmStats *arm_stats(const struct estimates *e, const struct view *view, size_t v, struct arena *arena)
{
    const struct model *m = e->model;
    const struct belief *b = &view->beliefs[v];
    struct interval interval = belief_interval(m->belief.model, b, 0.95);
    BanditArmStats *s = codec_new(arena, &tom__rl__v1__bandit_arm_stats__descriptor);

    add_reference(e, view, v, s);
    s->posterior_mean = b->mean;
    s->n_borrowed = b->n_borrowed;
    s->n_eff = belief_n_eff(b);
    s->n_prior = view->prior[v];
    s->confidence = view->own[v].n < m->min_pulls ? 0 : fmin(1, fmax(0, 1 - 1.96 * b->sd));
    s->probability_best = view->best[v];
    s->probability_best_joint = view->joint ? view->joint[v] : 0;
    s->w = view->w[v];
    s->expected_loss = fmax(0, view->largest - b->mean);
    s->interval = arena_alloc(arena, 2 * sizeof *s->interval);
    s->interval[s->n_interval++] = interval.low;
    s->interval[s->n_interval++] = interval.high;
    return s;
}

void snapshot_stats(const struct estimates *e, const BanditStatsRequest *q, struct arena *arena, BanditStatsReply *ret)
{
    const struct variants *variants = e->model->variants;
    struct view view = q->profile[0] && q->time_of_day[0] ? view_cell(e, q, arena) : view_cells(e, q, arena);

    ret->model = arena_str(arena, model_names[e->model->belief.model]);
    ret->cell = (char *)view.cell;
    ret->reward_version = (char *)e->model->reward_version;
    ret->exploration_rate = view.exploration;
    ret->variants = arena_alloc(arena, variants->count * sizeof *ret->variants);
    for (size_t v = 0; v < variants->count; v++)
        if (!q->policy_variant[0] || strcmp(q->policy_variant, variants->items[v].id) == 0)
            MAP_ADD(arena, ret, variants, Arm, variants->items[v].id, arm_stats(e, &view, v, arena));
}
