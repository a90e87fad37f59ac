/* SPDX-License-Identifier: Apache-2.0 */
/* trial.c - one learner in one world, and all runs of a case on several threads. */
#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "lab.h"

/* ---- one run
 * -------------------------------------------------------------------------------------------------------------------------------
 */

struct meeting {
    struct world *world;
    const struct algorithm *algorithm;
    void *learner;
    struct rng rng;          /* the learner's own chance */
    struct rng way;          /* what happens to outcomes on their way */
    struct outcome *pending; /* the first `ordered` of them have left their window */
    size_t pending_count, ordered;
};

/* Durstenfeld 1964. */
static void shuffle(struct outcome *outcomes, size_t count, struct rng *rng)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = rng_below(rng, i);
        struct outcome o = outcomes[i - 1];
        outcomes[i - 1] = outcomes[other];
        outcomes[other] = o;
    }
}

/* Lost, told, or told twice. */
static void send(struct meeting *m, const struct outcome *o)
{
    const struct lab_case *c = m->world->c;

    if (c->lost > 0 && rng_uniform(&m->way) < c->lost)
        return;
    m->pending[m->pending_count++] = *o;
    if (c->duplicated > 0 && rng_uniform(&m->way) < c->duplicated)
        m->pending[m->pending_count++] = *o;
}

/* What was pending is told, and then what happened to the world meanwhile. */
static void tell(struct meeting *m, long step)
{
    const struct lab_case *c = m->world->c;

    if (c->reorder <= 1 || step % c->reorder == 0) {
        if (c->reorder > 1)
            shuffle(m->pending + m->ordered, m->pending_count - m->ordered, &m->way);
        m->ordered = m->pending_count;
    }
    if (step % c->batch == 0) {
        for (size_t i = 0; i < m->ordered; i++)
            m->algorithm->learn(m->learner, &m->pending[i]);
        memmove(m->pending, m->pending + m->ordered, (m->pending_count - m->ordered) * sizeof *m->pending);
        m->pending_count -= m->ordered;
        m->ordered = 0;
    }
    world_news(m->world, step);
    for (size_t i = 0; i < m->world->news_count && m->algorithm->replaced && (!m->world->secret || m->algorithm->oracle); i++)
        m->algorithm->replaced(m->learner, m->world->news[i]);
}

static struct setting setting_of(const struct world *w)
{
    const struct lab_case *c = w->c;

    return (struct setting){.arms = w->arms,
                            .cells = w->cells,
                            .horizon = c->horizon,
                            .steps_per_hour = c->steps_per_hour,
                            .capped = c->capped,
                            .callers = c->world == WORLD_CALLS,
                            .profiles = c->world == WORLD_CALLS  ? CALLER_PROFILES
                                        : c->world == WORLD_NEWS ? 2
                                                                 : 1};
}

/* Pseudo-regret of one step; ret_mean: the expected reward. */
static double step_once(struct meeting *m, long step, double *ret_mean)
{
    struct world *w = m->world;
    size_t cell = world_cell(w), arm = m->algorithm->choose(m->learner, step, cell, &m->rng);
    double mean = w->mean[cell * w->arms + arm];

    assert(arm < w->arms);
    struct outcome outcome = {.step = step, .cell = cell, .arm = arm, .x = world_outcome(w, cell, arm)};
    send(m, &outcome);
    *ret_mean = mean;
    return w->unit * (w->best[cell] - mean);
}

void lab_trial(const struct lab_case *c, const struct algorithm *a, uint64_t run, struct trial *ret)
{
    struct meeting m = {.world = world_new(c, run),
                        .algorithm = a,
                        .rng = rng_seed(~run),
                        .way = rng_seed(run),
                        .pending = xcalloc(2 * (size_t)(c->batch + c->reorder), sizeof *m.pending)};
    struct setting setting = setting_of(m.world);
    double regret = 0, reward = 0, mean;
    size_t point = 0;

    m.learner = a->create(a->rule, &setting);
    for (long step = 0; step < c->horizon; step++) {
        tell(&m, step);
        regret += step_once(&m, step, &mean);
        reward += mean;
        while (point < LAB_POINTS && (step + 1) * LAB_POINTS >= (long)(point + 1) * c->horizon)
            ret->curve[point++] = regret;
    }
    ret->figure = c->counts_reward ? reward / (double)c->horizon : regret;
    a->destroy(m.learner);
    world_free(m.world);
    free(m.pending);
}

/* ---- many runs
 * -----------------------------------------------------------------------------------------------------------------------------
 */

struct pool {
    const struct lab_case *c;
    size_t algorithms;
    long runs;
    struct trial *trials; /* [algorithm][run] */
    atomic_long next;     /* run * algorithms + algorithm */
};

static void *work(void *arg)
{
    struct pool *p = arg;
    long jobs = p->runs * (long)p->algorithms, job;

    while ((job = atomic_fetch_add(&p->next, 1)) < jobs) {
        size_t algorithm = (size_t)job % p->algorithms;
        long run = job / (long)p->algorithms;
        lab_trial(p->c, algorithm_find(p->c->entries[algorithm].algorithm), (uint64_t)run,
                  &p->trials[(long)algorithm * p->runs + run]);
    }
    return NULL;
}

static void run_all(struct pool *p, long threads)
{
    pthread_t *thread = xcalloc((size_t)threads, sizeof *thread);

    for (long i = 1; i < threads; i++)
        if (pthread_create(&thread[i], NULL, work, p) != 0)
            abort();
    work(p);
    for (long i = 1; i < threads; i++)
        pthread_join(thread[i], NULL);
    free(thread);
}

/* Welford 1962, in the order of the runs. */
static void interval(const struct trial *trials, long runs, size_t offset, double *ret_half_width, double *ret_mean)
{
    double mean = 0, squares = 0;

    for (long i = 0; i < runs; i++) {
        double x = *(const double *)((const char *)&trials[i] + offset), before = x - mean;
        mean += before / (double)(i + 1);
        squares += before * (x - mean);
    }
    *ret_mean = mean;
    *ret_half_width = runs > 1 ? 1.96 * sqrt(squares / (double)(runs - 1) / (double)runs) : 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The least value that a share q of the runs does not exceed; where more is better, that a share q does not fall below. */
static double percentile(const double *sorted, long runs, double q, bool more_is_better)
{
    long at = (long)ceil(q * (double)runs) - 1;

    at = at < 0 ? 0 : at;
    return sorted[more_is_better ? runs - 1 - at : at];
}

static void summarise(const struct lab_case *c, const struct trial *trials, long runs, struct result *ret)
{
    double *sorted = xcalloc((size_t)runs, sizeof *sorted);

    for (long i = 0; i < runs; i++)
        sorted[i] = trials[i].figure;
    qsort(sorted, (size_t)runs, sizeof *sorted, ascending);
    ret->c = c;
    ret->runs = runs;
    ret->p95 = percentile(sorted, runs, 0.95, c->counts_reward);
    ret->p99 = percentile(sorted, runs, 0.99, c->counts_reward);
    interval(trials, runs, offsetof(struct trial, figure), &ret->half_width, &ret->mean);
    for (size_t k = 0; k < LAB_POINTS; k++)
        interval(trials, runs, offsetof(struct trial, curve) + k * sizeof(double), &ret->curve_half[k], &ret->curve[k]);
    free(sorted);
}

size_t lab_run(const struct lab_case *c, long runs, long threads, struct result *ret)
{
    struct pool p = {.c = c, .runs = runs};

    while (p.algorithms < LAB_ENTRIES && c->entries[p.algorithms].algorithm) {
        assert(algorithm_find(c->entries[p.algorithms].algorithm));
        ret[p.algorithms].entry = &c->entries[p.algorithms];
        p.algorithms++;
    }
    p.trials = xcalloc(p.algorithms * (size_t)runs, sizeof *p.trials);
    run_all(&p, threads);
    for (size_t i = 0; i < p.algorithms; i++)
        summarise(c, p.trials + (long)i * runs, runs, &ret[i]);
    free(p.trials);
    return p.algorithms;
}
