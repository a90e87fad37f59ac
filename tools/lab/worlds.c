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

/* docs/policies/prompt_variants.yaml: v1a v1b v2a v2b v3a v3b v4a v4b v5a v5b v6a v6b */
const int lab_slots[LAB_VARIANTS][LAB_SLOTS] = {{0, 0, 1, 0}, {1, 1, 2, 1}, {2, 2, 0, 0}, {3, 1, 3, 2},
                                                {1, 0, 1, 3}, {3, 3, 4, 4}, {0, 2, 0, 5}, {3, 1, 2, 6},
                                                {1, 0, 1, 7}, {0, 2, 0, 8}, {4, 4, 1, 9}, {3, 1, 3, 10}};
enum { SLOT_VALUES = 5, SLOT_EFFECTS = 3 };

static const double profile_traffic[LAB_PROFILES] = {0.3, 0.25, 0.2, 0.15, 0.1}, time_traffic[LAB_TIMES] = {0.35, 0.4, 0.2, 0.05};

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

/* Standard deviations of the effects on the probability that a call is solved. */
struct effect_sizes {
    double variant, slots[SLOT_EFFECTS], variant_profile, variant_time, length_profile, barge_profile, length_time, residual;
};

static const struct effect_sizes sizes[] = {
    [TRUTH_STRUCTURED] = {0.04, {0.03, 0.03, 0.02}, 0.02, 0.01, 0.03, 0.02, 0.02, 0.015},
    [TRUTH_NO_STRUCTURE] = {.residual = 0.08},
    [TRUTH_NO_CONTEXT] = {.variant = 0.064},
};

struct effects {
    double profile[LAB_PROFILES], time[LAB_TIMES], variant[LAB_VARIANTS], slot[SLOT_EFFECTS][SLOT_VALUES];
    double variant_profile[LAB_VARIANTS][LAB_PROFILES], variant_time[LAB_VARIANTS][LAB_TIMES];
    double length_profile[SLOT_VALUES][LAB_PROFILES], barge_profile[SLOT_VALUES][LAB_PROFILES],
        length_time[SLOT_VALUES][LAB_TIMES];
};

static void draw(struct rng *rng, double sd, double *ret, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = sd * rng_normal(rng);
}

static void draw_effects(struct rng *rng, const struct effect_sizes *s, struct effects *e)
{
    draw(rng, 0.08, e->profile, LAB_PROFILES);
    draw(rng, 0.04, e->time, LAB_TIMES);
    draw(rng, s->variant, e->variant, LAB_VARIANTS);
    for (size_t k = 0; k < SLOT_EFFECTS; k++)
        draw(rng, s->slots[k], e->slot[k], SLOT_VALUES);
    draw(rng, s->variant_profile, e->variant_profile[0], LAB_VARIANTS * LAB_PROFILES);
    draw(rng, s->variant_time, e->variant_time[0], LAB_VARIANTS * LAB_TIMES);
    draw(rng, s->length_profile, e->length_profile[0], SLOT_VALUES * LAB_PROFILES);
    draw(rng, s->barge_profile, e->barge_profile[0], SLOT_VALUES * LAB_PROFILES);
    draw(rng, s->length_time, e->length_time[0], SLOT_VALUES * LAB_TIMES);
}

static double solved_by(const struct effects *e, size_t p, size_t t, size_t v)
{
    const int *slot = lab_slots[v];

    return 0.5 + e->profile[p] + e->time[t] + e->variant[v] + e->slot[0][slot[0]] + e->slot[1][slot[1]] + e->slot[2][slot[2]] +
           e->variant_profile[v][p] + e->variant_time[v][t] + e->length_profile[slot[0]][p] + e->barge_profile[slot[1]][p] +
           e->length_time[slot[0]][t];
}

static void make_calls(struct world *w)
{
    const struct effect_sizes *s = &sizes[w->c->truth];
    struct effects e;

    draw_effects(&w->drift, s, &e);
    for (size_t cell = 0; cell < w->cells; cell++)
        for (size_t v = 0; v < w->arms; v++) {
            double p = solved_by(&e, cell / LAB_TIMES, cell % LAB_TIMES, v) + s->residual * rng_normal(&w->drift);
            w->solved[cell * w->arms + v] = p = fmin(0.97, fmax(0.03, p));
            w->mean[cell * w->arms + v] = lab_x_unsolved + p * (lab_x_solved - lab_x_unsolved);
        }
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
        size_t profile = draw_share(profile_traffic, LAB_PROFILES, rng_uniform(&w->drift));
        return profile * LAB_TIMES + draw_share(time_traffic, LAB_TIMES, rng_uniform(&w->drift));
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

/* FNV-1a (Fowler, Noll & Vo): cases of one experiment share their seeds. */
static uint64_t seed_of(const char *id, uint64_t run)
{
    uint64_t h = 0xcbf29ce484222325;

    for (const char *s = id; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3;
    return h + run * 0x9e3779b97f4a7c15;
}

struct world *world_new(const struct lab_case *c, uint64_t run)
{
    struct world *w = xcalloc(1, sizeof *w);

    w->c = c;
    w->arms = c->arms;
    w->cells = c->world == WORLD_NEWS ? 4 : c->world == WORLD_CALLS ? LAB_PROFILES * LAB_TIMES : 1;
    w->secret = c->world != WORLD_RESTLESS;
    w->unit = c->world == WORLD_CALLS ? 2 : 1;
    w->mean = xcalloc(w->cells * w->arms, sizeof *w->mean);
    w->best = xcalloc(w->cells, sizeof *w->best);
    w->solved = xcalloc(w->cells * w->arms, sizeof *w->solved);
    w->drift = rng_seed(seed_of(c->id, 2 * run));
    w->chance = rng_seed(seed_of(c->id, 2 * run + 1));
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
