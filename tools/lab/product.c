/* SPDX-License-Identifier: Apache-2.0 */
/* product.c - `default`: what the product does, with the settings it ships, whatever the experiment.
 *
 * Moments by the simulated hour from hours.h, model and allocation from belief.h and explore.h at their defaults, changes and
 * restarts from detect.h at each full hour.  Beliefs are computed anew when outcomes came in: the bandit does so ten times a
 * second.  In a capped case the guard's caps and floor stand between w and the choice; then p is computed by quadrature, else the
 * choice is a draw from the same distribution. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "allocate.h"
#include "explore.h"
#include "hours.h"
#include "lab.h"

enum { NEW_CALLS = 20, CAP_NEW = 0, CAP_UNCERTAIN = 1, REFRESH_WIDE = 25, WIDE = 100 };

/* A variation of the default that is shown beside it. */
struct variation {
    double floor;       /* share that each arm gets whatever is believed */
    bool plain;         /* no sharpening, no widening */
    bool no_detector;
    bool told;          /* of changes, which it need not find */
    bool nervous;       /* a detector with fifty times the false alarms */
    double caution;     /* another exploration.caution */
    bool reckless;      /* none */
    bool gaussian;      /* each (cell, arm) by itself */
    double half_life;   /* days after which an outcome counts half; 0: it always counts */
};

struct product {
    struct setting setting;
    const struct variation *variation;
    struct belief_settings belief_settings;
    struct explore_settings explore;
    struct belief_data data;
    struct belief_fit fit;
    struct hours hours;
    size_t pairs;
    int *context;               /* [cell][field] */
    struct arena beliefs_arena, work;
    struct belief *beliefs;     /* [cell][arm]; NULL: to be computed */
    double *w;                  /* [cell][arm], capped only; negative: to be computed */
    long calls, computed_at;    /* outcomes ever, and when beliefs were computed */
    long step;                  /* of the last choice */
    bool *known;                /* [step]: as the ledger knows its calls, so that nothing counts twice */
};

/* ---- change ---------------------------------------------------------------------------------------------------------------- */

/* bandit.change_delta.  With 0.01, false alarms cost B2a a quarter more regret; with a fiftieth of that changes are found as
 * soon. */
static const double false_alarms = 2e-4;

/* Once an hour, as the bandit; what a change touches forgets what came before it. */
static bool restart(struct product *p)
{
    struct detect_settings settings = {.delta = p->variation->nervous ? 50 * false_alarms : false_alarms,
                                       .variance = belief_variance(&p->belief_settings, &p->data)};
    struct found found[DETECT_MOST];

    return hours_restart(&p->hours, &settings, found) > 0;
}

static void turn_hour(struct product *p, long hour)
{
    if (!p->variation->no_detector && !p->variation->told && restart(p))
        p->beliefs = NULL;
    hours_turn(&p->hours, hour);
    if (p->variation->half_life > 0)
        hours_age(&p->hours, p->variation->half_life);
}

/* ---- beliefs and choices --------------------------------------------------------------------------------------------------- */

/* At once in small worlds; every 25 calls where a hundred and more (cell, arm) pairs make it slow. */
static void believe(struct product *p)
{
    if (p->beliefs && (p->calls == p->computed_at || (p->pairs >= WIDE && p->calls < p->computed_at + REFRESH_WIDE)))
        return;
    if (belief_fit_due(&p->fit, p->hours.counted)) {
        belief_fit(&p->belief_settings, &p->data, &p->fit, &p->work);
        arena_reset(&p->work);
    }
    arena_reset(&p->beliefs_arena);
    p->beliefs = belief_compute(&p->belief_settings, &p->data, &p->fit, &p->beliefs_arena);
    p->computed_at = p->calls;
    for (size_t i = 0; i < p->pairs; i++)
        p->w[i] = -1;
}

/* New and uncertain by the arm's own calls over all cells, as the guard counts. */
static uint8_t group_of(const struct product *p, size_t arm)
{
    struct moments all = {0};

    for (size_t i = arm; i < p->pairs; i += p->setting.arms)
        all = (struct moments){all.n + p->hours.own[i].n, all.sum + p->hours.own[i].sum, all.sum_sq + p->hours.own[i].sum_sq};
    if (arm == 0)
        return GROUP_NONE;
    if (all.n < NEW_CALLS)
        return CAP_NEW;
    double variance = all.sum_sq / all.n - all.sum / all.n * (all.sum / all.n);
    return 1.96 * sqrt(fmax(0, variance) / all.n) > 0.15 ? CAP_UNCERTAIN : GROUP_NONE;
}

static size_t choose_capped(struct product *p, size_t cell, struct rng *rng)
{
    bool eligible[LAB_VARIANTS];
    uint8_t group[LAB_VARIANTS];
    double share[LAB_VARIANTS], *w = p->w + cell * p->setting.arms;
    struct limits limits = {
        .count = p->setting.arms, .eligible = eligible, .group = group, .group_count = 2, .caps = {0.1, 0.05}, .floor = 0.002};

    if (w[0] < 0)
        explore_weights(&p->explore, p->belief_settings.model, p->beliefs + cell * p->setting.arms, p->setting.arms, w);
    for (size_t i = 0; i < p->setting.arms; i++) {
        eligible[i] = true;
        group[i] = group_of(p, i);
    }
    allocate(&limits, w, share);
    return allocate_draw(share, p->setting.arms, rng_uniform(rng));
}

static size_t choose(void *learner, long step, size_t cell, struct rng *rng)
{
    struct product *p = learner;
    long hour = step / p->setting.steps_per_hour;

    p->step = step;
    if (hour != p->hours.now)
        turn_hour(p, hour);
    believe(p);
    if (p->setting.capped)
        return choose_capped(p, cell, rng);
    if (p->variation->floor > 0 && rng_uniform(rng) < p->variation->floor * (double)p->setting.arms)
        return rng_below(rng, p->setting.arms);
    return explore_draw(&p->explore, p->belief_settings.model, p->beliefs + cell * p->setting.arms, p->setting.arms, rng);
}

static void learn(void *learner, const struct outcome *o)
{
    struct product *p = learner;
    double r = 2 * o->x - 1;
    struct moments m = {1, r, r * r};

    if (p->known[o->step] || !hours_add(&p->hours, o->step, o->cell * p->setting.arms + o->arm, &m))
        return;
    p->known[o->step] = true;
    p->calls++;
}

static void replaced(void *learner, size_t arm)
{
    struct product *p = learner;

    for (size_t pair = arm; pair < p->pairs; pair += p->setting.arms)
        hours_forget(&p->hours, pair, p->step + 1);
    p->beliefs = NULL;
}

/* ---- from nothing ---------------------------------------------------------------------------------------------------------- */

static void describe(struct product *p)
{
    const struct setting *s = &p->setting;
    size_t times = s->cells / s->profiles;

    p->data = (struct belief_data){.cells = s->cells, .variants = s->arms, .own = p->hours.own};
    if (s->cells > 1) {
        p->context = xcalloc(2 * s->cells, sizeof *p->context);
        for (size_t cell = 0; cell < s->cells; cell++) {
            p->context[2 * cell] = (int)(cell / times);
            p->context[2 * cell + 1] = (int)(cell % times);
        }
        p->data.fields = 2;
        p->data.context = p->context;
    }
    if (s->callers) {
        p->data.slots = ENVIRONMENT_SLOTS;
        p->data.slot = environment_slots[0];
    }
}

static void *create(const void *rule, const struct setting *setting)
{
    struct product *p = xcalloc(1, sizeof *p);

    p->setting = *setting;
    p->variation = rule;
    p->belief_settings = BELIEF_DEFAULTS;
    p->explore = EXPLORE_DEFAULTS;
    if (p->variation->gaussian)
        p->belief_settings.model = MODEL_GAUSSIAN;
    p->explore.caution = p->variation->caution > 0 ? p->variation->caution : p->variation->reckless ? 0 : p->explore.caution;
    if (p->variation->plain)
        p->explore.sharpness = 1, p->explore.widening = 0, p->explore.caution = 0;
    p->pairs = setting->cells * setting->arms;
    hours_init(&p->hours, setting->cells, setting->arms, setting->steps_per_hour);
    p->w = xcalloc(p->pairs, sizeof *p->w);
    p->known = xcalloc((size_t)setting->horizon, sizeof *p->known);
    p->step = -1;
    describe(p);
    return p;
}

static void destroy(void *learner)
{
    struct product *p = learner;

    arena_done(&p->beliefs_arena);
    arena_done(&p->work);
    hours_done(&p->hours);
    free(p->w);
    free(p->known);
    free(p->context);
    free(p);
}

#define PRODUCT(title, where, ...) \
    {.name = title, .source = where, .rule = &(const struct variation){__VA_ARGS__}, .create = create, .destroy = destroy, \
     .choose = choose, .learn = learn, .replaced = replaced}

const struct algorithm lab_product_algorithms[] = {
    PRODUCT("default", "the product as it ships: belief.h, explore.h, detect.h", .floor = 0),
    PRODUCT("default, floor .002", "the same with the guard's floor, for exact propensities", .floor = 0.002),
    PRODUCT("default, plain", "the same model with plain Thompson sampling", .plain = true),
    PRODUCT("default, no detector", "the same without change detection", .no_detector = true),
    {.name = "default, told", .source = "the same without change detection: it is told which arms change, and when",
     .oracle = true, .rule = &(const struct variation){.told = true}, .create = create, .destroy = destroy, .choose = choose,
     .learn = learn, .replaced = replaced},
    PRODUCT("default, caution 0", "the same sharpening without exploration.caution", .reckless = true),
    PRODUCT("default, cautious .1", "the same with exploration.caution 0.1", .caution = 0.1),
    PRODUCT("default, delta .01", "the same with a detector of fifty times the false alarms", .nervous = true),
    PRODUCT("default, half-life 30 d", "the same with bandit.half_life_days 30", .half_life = 30),
    PRODUCT("default, half-life 10 d", "the same with bandit.half_life_days 10", .half_life = 10),
    PRODUCT("default, half-life 3 d", "the same with bandit.half_life_days 3", .half_life = 3),
    PRODUCT("default, half-life 1 d", "the same with bandit.half_life_days 1", .half_life = 1),
    PRODUCT("default, gaussian", "the same with the model gaussian, which shares no strength", .gaussian = true),
    {0},
};
