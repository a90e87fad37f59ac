/* SPDX-License-Identifier: Apache-2.0 */
/* in_process.c - the loop of the five services without bus and disk: the same pure cores, a snapshot every
 * few calls, millions of calls.
 *
 * Ratings come with the report of the call here.  A report is learned once however often it comes, as the ledger would.  The
 * clock is that of the calls: so many of them are an hour, and at its end changes are looked for, as the bandit does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocate.h"
#include "decide.h"
#include "hours.h"
#include "sim.h"
#include "snapshot.h"

enum { HOURS_A_DAY = 24, SECONDS_AN_HOUR = 3600 };

struct loop {
    struct sim *sim;
    struct model model;
    struct prior prior;
    struct belief_fit fit;
    struct stats *own, *all; /* [cell][variant], [variant] */
    struct hours hours;      /* what of it the models learn from */
    struct restarts restarts;
    int64_t epoch;           /* hour 0 as unix hour */
    const char *cells[CALLER_CELLS]; /* names */
    struct policy policy;
    double *w; /* [cell][variant], the policy's */
    struct limit_set limits;
    Stage *stages;
    struct rng rng;
    struct way way;
    struct outcome {
        struct signals signals;
        bool learned;
    } *outcomes;    /* [call] */
    struct report {
        long call, due; /* at which call it is there */
    } *reports;     /* a queue: all wait alike */
    size_t head, reports_end;
    struct arena arena;
};

static struct grid grid_of(struct loop *l)
{
    return (struct grid){.version = l->model.reward_version, .variants = &l->sim->variants, .cell_count = CALLER_CELLS,
                         .cells = l->cells, .variant_count = l->sim->variants.count, .own = l->own, .all = l->all,
                         .moments = l->hours.own};
}

/* What guard would say of the totals. */
static void limit(struct loop *l)
{
    const struct sim *s = l->sim;
    const struct variants *v = &s->variants;
    struct guard_rules rules = {.min_pulls = v->blacklist_min_pulls, .uncertainty_half_width = s->guard.uncertainty_half_width,
                                .blacklist_mean = v->blacklist_reward_mean, .max_active = (size_t)s->guard.max_active};
    struct own_total *totals = arena_alloc(&l->arena, v->count * sizeof *totals);
    const double caps[LIMIT_COUNT] = {v->cap_new, v->cap_uncertain, s->guard.parole_cap};

    for (size_t i = 0; i < v->count; i++) {
        totals[i] = (struct own_total){.n = l->all[i].n, .mean = stats_mean(&l->all[i]), .variance = stats_variance(&l->all[i])};
        enum verdict before = l->stages[i] == TOM__RL__V1__STAGE__STAGE_BLACKLISTED ? VERDICT_BLACKLISTED : VERDICT_NONE;
        l->stages[i] = guard_stage(&rules, i == v->base, guard_verdict(&rules, i == v->base, before, &totals[i]), &totals[i]);
    }
    guard_limit_active(&rules, v->count, totals, l->stages);
    l->limits = (struct limit_set){.group_count = LIMIT_COUNT, .floor = s->guard.floor, .base_share = s->guard.base_share};
    memcpy(l->limits.caps, caps, sizeof caps);
    for (size_t i = 0; i < v->count; i++) {
        int group = guard_group(l->stages[i]);
        l->limits.group[i] = group < 0 ? GROUP_NONE : (uint8_t)group;
        l->limits.eligible[i] = l->stages[i] != TOM__RL__V1__STAGE__STAGE_BLACKLISTED &&
                                l->stages[i] != TOM__RL__V1__STAGE__STAGE_INACTIVE;
    }
}

/* The grid's cells come first. */
static struct estimates believe(struct loop *l, const struct grid *grid)
{
    struct prior_age age = {.half_life = l->model.half_life_days * HOURS_A_DAY, .now = l->epoch + l->hours.now,
                            .restarts = &l->restarts};
    struct grid joined = prior_join(l->model.prior, grid, &age, &l->arena);

    return estimate(&l->model, &joined, &l->fit, &l->arena);
}

/* What bandit would say of the sums.  The cell "*" of callers never seen is left out: each cell has its row. */
static void learn(struct loop *l)
{
    size_t count = l->sim->variants.count;
    struct grid grid = grid_of(l);
    struct estimates e;

    arena_reset(&l->arena);
    model_fit(&l->model, &grid, &l->fit, &l->arena);
    e = believe(l, &grid);
    for (size_t c = 0; c < CALLER_CELLS; c++)
        memcpy(l->w + c * count, e.cells[c].w, count * sizeof *l->w);
    limit(l);
}

/* Changes of which the hours so far tell; false: none. */
static bool look(struct loop *l, long number)
{
    struct grid grid = grid_of(l);
    struct detect_settings settings = {.delta = l->model.change_delta, .variance = model_variance(&l->model, &grid, &l->arena)};
    struct found found[DETECT_MOST];
    size_t count = hours_restart(&l->hours, &settings, found);

    for (size_t i = 0; i < count; i++) {
        long since = (long)found[i].change.since;
        struct restart restart = restart_of(&found[i], &grid, l->epoch + since / l->hours.calls_per_hour);
        restarts_append(&l->restarts, &restart);
        sim_note_restart(l->sim, &(struct sim_restart){.call = number, .since = since, .what = restart});
    }
    return count > 0;
}

/* What is said after a look is what follows from it. */
static void turn_hour(struct loop *l, long number)
{
    bool changed = l->model.change_delta > 0 && look(l, number);

    hours_turn(&l->hours, number / l->hours.calls_per_hour);
    if (l->model.half_life_days > 0)
        hours_age(&l->hours, l->model.half_life_days);
    if (changed)
        learn(l);
}

static void learn_call(struct loop *l, long call)
{
    struct sim *s = l->sim;
    struct outcome *o = &l->outcomes[call];
    const struct served *d = &s->served[call];
    struct reward_parts parts;

    if (o->learned) {
        s->repeated++;
        return;
    }
    o->learned = true;
    s->learned++;
    reward_compute(&s->rules, &o->signals, &parts);
    struct stats add = stats_of_call(&o->signals, reward_to_micro(parts.total));
    struct moments moments = stats_moments(&add);
    size_t pair = d->cell * s->variants.count + d->variant;
    stats_add(&l->own[pair], &add);
    stats_add(&l->all[d->variant], &add);
    hours_add(&l->hours, call, pair, &moments); /* of before a restart it is counted, and not believed */
}

/* What has left its window is on its way for the delay; what is due is learned. */
static void reports(struct loop *l, long number, bool all)
{
    long wait = l->sim->options.delay * (l->sim->options.rate ? l->sim->options.rate : 1);
    const long *left = NULL;
    size_t count = way_take(&l->way, all, &left);

    for (size_t i = 0; i < count; i++)
        l->reports[l->reports_end++] = (struct report){left[i], number + wait};
    while (l->head < l->reports_end && (all || l->reports[l->head].due <= number))
        learn_call(l, l->reports[l->head++].call);
    if (l->head == l->reports_end)
        l->head = l->reports_end = 0;
}

static void one_call(struct loop *l, long number)
{
    struct sim *s = l->sim;
    static const bool everyone[MAX_VARIANTS] = {[0 ... MAX_VARIANTS - 1] = true};
    size_t cell = sim_arrive(s, number, &l->rng);
    struct decide_output out;

    decide(&(struct decide_input){.variants = &s->variants, .policy = &l->policy, .limits = &l->limits, .enabled = true,
                                  .cell = l->cells[cell], .mask = everyone, .draw = rng_uniform(&l->rng),
                                  .holdback = rng_uniform(&l->rng)}, &out);
    sim_serve(s, number, out.variant);
    sim_note_limits(s, number, &l->limits, out.p);

    l->outcomes[number].signals = callers_call(s->callers, cell, out.variant, &l->rng);
    s->lost += !way_send(&l->way, number);
    reports(l, number, false);
}

static void conclude(struct loop *l)
{
    struct sim *s = l->sim;
    struct grid grid = grid_of(l);
    struct estimates e = believe(l, &grid);
    const struct belief *overall = estimate_overall(&e, s->callers->traffic, &l->arena);

    for (size_t v = 0; v < s->variants.count; v++)
        s->lines[v] = (struct verdict_line){.mean = overall[v].mean, .half_width = 1.96 * overall[v].sd, .stage = l->stages[v]};
}

/* As the bandit does, but only of a file that is named. */
static bool take_prior(struct loop *l)
{
    struct sim *s = l->sim;
    struct prior_settings settings = {.variants = &s->variants, .profiles = &s->common.profiles,
                                      .strength = l->model.prior_strength};
    struct reason reason;

    if (!l->model.prior_path || !l->model.prior_path[0] || !(settings.strength > 0))
        return true;
    if (prior_load(l->model.prior_path, &settings, &s->arena, &l->prior, &reason) != STATUS_OK)
        return fprintf(stderr, "rl-sim: %s\n", reason.text), false;
    l->model.prior = &l->prior;
    l->epoch = l->prior.as_of / SECONDS_AN_HOUR + 1; /* it is from before the first call */
    return true;
}

/* The tables, empty. */
static void open_loop(struct loop *l)
{
    struct sim *s = l->sim;
    size_t count = s->variants.count, calls = (size_t)s->options.calls;

    hours_init(&l->hours, CALLER_CELLS, count, s->options.calls_per_hour);
    l->outcomes = xcalloc(calls, sizeof *l->outcomes);
    l->reports = xcalloc(2 * calls, sizeof *l->reports);
    l->own = arena_alloc(&s->arena, CALLER_CELLS * count * sizeof *l->own);
    l->all = arena_alloc(&s->arena, count * sizeof *l->all);
    l->w = arena_alloc(&s->arena, CALLER_CELLS * count * sizeof *l->w);
    l->stages = arena_alloc(&s->arena, count * sizeof *l->stages);
    for (size_t c = 0; c < CALLER_CELLS; c++)
        l->cells[c] = arena_printf(&s->arena, "%s/%s", caller_profiles[c / CALLER_TIMES], caller_times[c % CALLER_TIMES]);
    l->policy = (struct policy){.cell_count = CALLER_CELLS, .cells = l->cells, .w = l->w};
}

static void close_loop(struct loop *l)
{
    way_done(&l->way);
    hours_done(&l->hours);
    restarts_done(&l->restarts);
    free(l->outcomes);
    free(l->reports);
    arena_done(&l->arena);
}

bool sim_in_process(struct sim *s)
{
    struct loop l = {.sim = s, .rng = rng_seed((uint64_t)s->options.seed + 1), .model = s->model, .way = sim_way(s)};

    if (!take_prior(&l))
        return false;
    model_complete(&l.model, &s->variants);
    open_loop(&l);
    for (long n = 0; n < s->options.calls; n++) {
        if (n / l.hours.calls_per_hour != l.hours.now)
            turn_hour(&l, n);
        if (n % s->options.refresh == 0)
            learn(&l);
        one_call(&l, n);
    }
    reports(&l, s->options.calls, true);
    learn(&l);
    conclude(&l);
    close_loop(&l);
    return true;
}
