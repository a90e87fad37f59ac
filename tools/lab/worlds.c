/* SPDX-License-Identifier: Apache-2.0 */
/* worlds.c - the environments of the experiments B1 .. B6. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "callers.h"
#include "lab.h"

/* Measured over 4e7 calls each, standard error 2e-5; a test holds them against the callers and the formula. */
const double lab_x_unsolved = 0.422614, lab_x_solved = 0.840232;

static const struct manner manners[LAB_VARIANTS] = {[0 ... LAB_VARIANTS - 1] = {.pace = 1, .interruption = 0.4}};
static const struct reward_rules rules = {.resolution_weight = 0.6,
                                          .rating_weight = 0.2,
                                          .barge_in_weight = 0.1,
                                          .repeat_weight = 0.1,
                                          .handover_weight = 0.1,
                                          .barge_in_cap = 3,
                                          .repeat_cap = 3,
                                          .duration_target_sec = 180,
                                          .duration_bound = 0.2,
                                          .duration_term = DURATION_LINEAR};

static void find_best(struct world *w)
{
    for (size_t cell = 0; cell < w->cells; cell++) {
        w->best[cell] = w->mean[cell * w->arms];
        for (size_t i = 1; i < w->arms; i++)
            w->best[cell] = fmax(w->best[cell], w->mean[cell * w->arms + i]);
    }
}

/* ---- B6: twelve structured variants in twenty cells
 * --------------------------------------------------------------------------------------- */

static void make_calls(struct world *w)
{
    environment_solved(w->c->truth, &w->drift, w->solved);
    for (size_t i = 0; i < w->cells * w->arms; i++)
        w->mean[i] = lab_x_unsolved + w->solved[i] * (lab_x_solved - lab_x_unsolved);
}

static double call_outcome(struct world *w, size_t cell, size_t arm)
{
    struct callers callers = {.variant_count = w->arms, .solved = w->solved, .manners = (struct manner *)manners};
    struct rng rng = rng_seed(rng_next(&w->chance)); /* a call takes a varying number of draws */
    struct signals signals = callers_call(&callers, cell, arm, &rng);
    struct reward_parts parts;

    reward_compute(&rules, &signals, &parts);
    return (parts.total + 1) / 2;
}

/* ---- the others
 * ---------------------------------------------------------------------------------------------------------------------------- */

/* Tom in the morning, Tom in the afternoon, Anna in the morning, Anna in the afternoon; after half of 10,000 rounds they swap. */
static void make_news(struct world *w, bool swapped)
{
    static const size_t liked[2][4] = {{0, 1, 2, 0}, {2, 0, 0, 1}}; /* politics, music, sports, then four that nobody reads */

    memset(w->mean, 0, w->cells * w->arms * sizeof *w->mean);
    for (size_t cell = 0; cell < w->cells; cell++)
        w->mean[cell * w->arms + liked[swapped][cell]] = 1;
}

static void make(struct world *w)
{
    const struct lab_case *c = w->c;

    switch (c->world) {
    case WORLD_FIXED:
    case WORLD_SEGMENTS: memcpy(w->mean, c->means, w->arms * sizeof *w->mean); break;
    case WORLD_UNIFORM:
        for (size_t i = 0; i < w->arms; i++)
            w->mean[i] = c->low + (c->high - c->low) * rng_uniform(&w->drift);
        break;
    case WORLD_RESTLESS:
        for (size_t i = 0; i < w->arms; i++)
            w->mean[i] = rng_beta(&w->drift, 4, 4);
        break;
    case WORLD_NEWS: make_news(w, false); break;
    case WORLD_CALLS: make_calls(w); break;
    }
    find_best(w);
}

static void note(struct world *w, size_t arm)
{
    w->news = xrealloc(w->news, (w->news_count + 1) * sizeof *w->news);
    w->news[w->news_count++] = arm;
}

/* Chapelle & Li 2011, section 2.3: with probability 1e-3 per step one of the items retires and another takes its place. */
static void retire(struct world *w, long steps)
{
    for (long i = 0; i < steps; i++)
        if (rng_uniform(&w->drift) < 1e-3) {
            size_t arm = rng_below(&w->drift, w->arms);
            w->mean[arm] = rng_beta(&w->drift, 4, 4);
            note(w, arm);
        }
    if (w->news_count)
        find_best(w);
}

/* The arms whose means are not what they were, in any cell. */
static void note_changes(struct world *w, const double *before)
{
    for (size_t arm = 0; arm < w->arms; arm++)
        for (size_t at = arm; at < w->cells * w->arms; at += w->arms)
            if (w->mean[at] < before[at] || w->mean[at] > before[at]) {
                note(w, arm);
                break;
            }
}

static void change(struct world *w, long step)
{
    size_t size = w->cells * w->arms * sizeof *w->mean;
    double *before = memcpy(xcalloc(1, size), w->mean, size);

    if (w->c->world == WORLD_SEGMENTS)
        memcpy(w->mean, w->c->means + step / 1000 * (long)w->arms, size);
    else
        make_news(w, true);
    find_best(w);
    note_changes(w, before);
    free(before);
}

void world_news(struct world *w, long step)
{
    w->news_count = 0;
    switch (w->c->world) {
    case WORLD_RESTLESS:
        if (step && step % w->c->batch == 0)
            retire(w, w->c->batch);
        return;
    case WORLD_SEGMENTS:
        if (step && step % 1000 == 0)
            change(w, step);
        return;
    case WORLD_NEWS:
        if (step == 5000)
            change(w, step);
        return;
    case WORLD_FIXED:
    case WORLD_UNIFORM:
    case WORLD_CALLS: return;
    }
}

static size_t draw_share(const double *share, size_t count, double u)
{
    size_t i = 0;

    while (i + 1 < count && (u -= share[i]) >= 0)
        i++;
    return i;
}

size_t world_cell(struct world *w)
{
    switch (w->c->world) {
    case WORLD_NEWS: return rng_below(&w->drift, w->cells);
    case WORLD_CALLS: {
        size_t profile = draw_share(caller_profile_traffic, CALLER_PROFILES, rng_uniform(&w->drift));
        return profile * CALLER_TIMES + draw_share(caller_time_traffic, CALLER_TIMES, rng_uniform(&w->drift));
    }
    default: return 0;
    }
}

double world_outcome(struct world *w, size_t cell, size_t arm)
{
    if (w->c->world == WORLD_CALLS)
        return call_outcome(w, cell, arm);
    return rng_uniform(&w->chance) < w->mean[cell * w->arms + arm] ? 1 : 0;
}

struct world *world_new(const struct lab_case *c, uint64_t run)
{
    struct world *w = xcalloc(1, sizeof *w);

    w->c = c;
    w->arms = c->arms;
    w->cells = c->world == WORLD_NEWS ? 4 : c->world == WORLD_CALLS ? CALLER_PROFILES * CALLER_TIMES : 1;
    w->secret = c->world != WORLD_RESTLESS;
    w->unit = c->world == WORLD_CALLS ? 2 : 1;
    w->mean = xcalloc(w->cells * w->arms, sizeof *w->mean);
    w->best = xcalloc(w->cells, sizeof *w->best);
    w->solved = xcalloc(w->cells * w->arms, sizeof *w->solved);
    w->drift = rng_seed(environment_seed(c->id, 2 * run));
    w->chance = rng_seed(environment_seed(c->id, 2 * run + 1));
    assert(c->world != WORLD_CALLS || c->arms == LAB_VARIANTS);
    make(w);
    return w;
}

struct world *world_free(struct world *w)
{
    if (w) {
        free(w->mean);
        free(w->best);
        free(w->solved);
        free(w->news);
    }
    free(w);
    return NULL;
}
