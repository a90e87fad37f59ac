/* SPDX-License-Identifier: Apache-2.0 */
/* environments.c - the truth of experiment B6, and the environments by name. */
#include "environments.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* docs/policies/prompt_variants.yaml: v1a v1b v2a v2b v3a v3b v4a v4b v5a v5b v6a v6b */
const int environment_slots[ENVIRONMENT_VARIANTS][ENVIRONMENT_SLOTS] = {{0, 0, 1, 0}, {1, 1, 2, 1}, {2, 2, 0, 0}, {3, 1, 3, 2},
                                                {1, 0, 1, 3}, {3, 3, 4, 4}, {0, 2, 0, 5}, {3, 1, 2, 6},
                                                {1, 0, 1, 7}, {0, 2, 0, 8}, {4, 4, 1, 9}, {3, 1, 3, 10}};
enum { SLOT_VALUES = 5, SLOT_EFFECTS = 3 };

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
    double profile[CALLER_PROFILES], time[CALLER_TIMES], variant[ENVIRONMENT_VARIANTS], slot[SLOT_EFFECTS][SLOT_VALUES];
    double variant_profile[ENVIRONMENT_VARIANTS][CALLER_PROFILES], variant_time[ENVIRONMENT_VARIANTS][CALLER_TIMES];
    double length_profile[SLOT_VALUES][CALLER_PROFILES], barge_profile[SLOT_VALUES][CALLER_PROFILES],
        length_time[SLOT_VALUES][CALLER_TIMES];
};

static void draw(struct rng *rng, double sd, double *ret, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = sd * rng_normal(rng);
}

static void draw_effects(struct rng *rng, const struct effect_sizes *s, struct effects *e)
{
    draw(rng, 0.08, e->profile, CALLER_PROFILES);
    draw(rng, 0.04, e->time, CALLER_TIMES);
    draw(rng, s->variant, e->variant, ENVIRONMENT_VARIANTS);
    for (size_t k = 0; k < SLOT_EFFECTS; k++)
        draw(rng, s->slots[k], e->slot[k], SLOT_VALUES);
    draw(rng, s->variant_profile, e->variant_profile[0], ENVIRONMENT_VARIANTS * CALLER_PROFILES);
    draw(rng, s->variant_time, e->variant_time[0], ENVIRONMENT_VARIANTS * CALLER_TIMES);
    draw(rng, s->length_profile, e->length_profile[0], SLOT_VALUES * CALLER_PROFILES);
    draw(rng, s->barge_profile, e->barge_profile[0], SLOT_VALUES * CALLER_PROFILES);
    draw(rng, s->length_time, e->length_time[0], SLOT_VALUES * CALLER_TIMES);
}

static double solved_by(const struct effects *e, size_t p, size_t t, size_t v)
{
    const int *slot = environment_slots[v];

    return 0.5 + e->profile[p] + e->time[t] + e->variant[v] + e->slot[0][slot[0]] + e->slot[1][slot[1]] + e->slot[2][slot[2]] +
           e->variant_profile[v][p] + e->variant_time[v][t] + e->length_profile[slot[0]][p] + e->barge_profile[slot[1]][p] +
           e->length_time[slot[0]][t];
}

void environment_solved(enum truth truth, struct rng *rng, double *solved)
{
    const struct effect_sizes *s = &sizes[truth];
    struct effects e;

    draw_effects(rng, s, &e);
    for (size_t cell = 0; cell < CALLER_CELLS; cell++)
        for (size_t v = 0; v < ENVIRONMENT_VARIANTS; v++) {
            double p = solved_by(&e, cell / CALLER_TIMES, cell % CALLER_TIMES, v) + s->residual * rng_normal(rng);
            solved[cell * ENVIRONMENT_VARIANTS + v] = fmin(0.97, fmax(0.03, p));
        }
}

/* FNV-1a (Fowler, Noll & Vo): cases of one experiment share their seeds. */
uint64_t environment_seed(const char *id, uint64_t number)
{
    uint64_t h = 0xcbf29ce484222325;

    for (const char *s = id; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3;
    return h + number * 0x9e3779b97f4a7c15;
}

const struct environment environments[] = {
    {.name = "demo", .what = "large effects of variants and profiles: what ./rl demo shows", .demo = true},
    {.name = "structured", .what = "B6: effects of slots, profiles and times", .truth = TRUTH_STRUCTURED},
    {.name = "no-structure", .what = "B6: each cell by itself", .truth = TRUTH_NO_STRUCTURE},
    {.name = "no-context", .what = "B6: variants only", .truth = TRUTH_NO_CONTEXT},
    {.name = "swap", .what = "structured; halfway the two busiest profiles swap tastes, as in B4", .truth = TRUTH_STRUCTURED,
     .swaps = true},
    {0},
};

const struct environment *environment_find(const char *name)
{
    for (const struct environment *e = environments; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

struct callers *environment_callers(const struct environment *e, uint64_t seed, size_t variant_count)
{
    if (e->demo)
        return callers_new(seed, variant_count);
    if (variant_count != ENVIRONMENT_VARIANTS)
        return NULL;
    struct callers *c = callers_empty(variant_count);
    struct rng rng = rng_seed(environment_seed("B6", 2 * seed));
    environment_solved(e->truth, &rng, c->solved);
    return c;
}
