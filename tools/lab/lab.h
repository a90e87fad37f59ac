/* SPDX-License-Identifier: Apache-2.0 */
/* lab.h - the laboratory: worlds with a known truth, learners from the literature and our own, and trials in which they meet.
 *
 * A world is a table of means, one for each cell and arm, which may change from step to step.  A learner sees the cell, chooses
 * an arm, and hears of the outcomes x in [0, 1] in batches.  What is counted is pseudo-regret: best mean minus the chosen arm's
 * mean, in the cell and at the step of the choice.  All chance of a run comes from (experiment, run): every learner meets the
 * same worlds, cells and luck. */
#ifndef RL_LAB_H
#define RL_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "environments.h"
#include "rng.h"
#include "svg.h"

enum { LAB_POINTS = SVG_POINTS, LAB_VARIANTS = ENVIRONMENT_VARIANTS, LAB_ENTRIES = 16 };

/* ---- worlds ---------------------------------------------------------------------------------------------------------------- */

enum world_kind { WORLD_FIXED, WORLD_UNIFORM, WORLD_RESTLESS, WORLD_SEGMENTS, WORLD_NEWS, WORLD_CALLS };

/* An algorithm in a case, and the figure that its source printed for it there; NAN: none. */
struct entry {
    const char *algorithm;
    double published;
};

struct lab_case {
    const char *id, *name;        /* "B3", "10 steps an hour" */
    enum world_kind world;
    long horizon;                 /* steps */
    long batch;                   /* outcomes are told, and items of WORLD_RESTLESS retire, at multiples of it */
    double lost;                  /* share of the outcomes that are never told */
    double duplicated;            /* share of those told that are told twice */
    long reorder;                 /* outcomes are shuffled within windows of so many steps; 0: in order */
    long steps_per_hour;          /* the simulated clock */
    long runs;                    /* by default: minutes for the whole */
    size_t arms;                  /* WORLD_FIXED: the means; WORLD_SEGMENTS: five rows of them */
    const double *means;
    double low, high;             /* WORLD_UNIFORM: the range of the means */
    enum truth truth;             /* WORLD_CALLS */
    bool counts_reward;           /* the figure is the mean reward of a step, and more is better */
    bool capped;                  /* `default` is under the guard's limits, with all but arm 0 new */
    const char *wanted;           /* what we set out to reach, for people */
    struct entry entries[LAB_ENTRIES];
};

struct world {
    const struct lab_case *c;
    size_t arms, cells;
    double *mean;                 /* [cell][arm] of x */
    double *best;                 /* [cell]: the largest of them */
    double unit;                  /* reward per x: 2 when rewards are -1 .. +1 */
    double *solved;               /* WORLD_CALLS: [cell][arm] */
    size_t news_count, *news;     /* arms that are others, or changed, since the last world_news */
    bool secret;                  /* changes are told to oracles only; replacements to all */
    struct rng drift, chance;
};

struct world *world_new(const struct lab_case *c, uint64_t run);
struct world *world_free(struct world *w);

/* What happens to the world just before `step`; fills news. */
void world_news(struct world *w, long step);
size_t world_cell(struct world *w);                              /* the context of the next step */
double world_outcome(struct world *w, size_t cell, size_t arm);  /* x in [0, 1]; one draw per step, whatever the arm */

/* Expected x of a call whose problem stays unsolved, and is solved, under the default reward formula. */
extern const double lab_x_unsolved, lab_x_solved;

/* ---- learners -------------------------------------------------------------------------------------------------------------- */

/* What a learner knows before the first step. */
struct setting {
    size_t arms, cells;
    long horizon, steps_per_hour;
    bool callers;  /* cells are profile x time, arms are the shipped variants */
    bool capped;
    size_t profiles; /* cells = profiles x times */
};

struct outcome {
    long step;
    size_t cell, arm;
    double x;
};

struct algorithm {
    const char *name;
    const char *source;                                       /* author, year */
    const void *rule;                                         /* what `create` makes it from */
    void *(*create)(const void *rule, const struct setting *setting);
    void (*destroy)(void *learner);
    size_t (*choose)(void *learner, long step, size_t cell, struct rng *rng);
    void (*learn)(void *learner, const struct outcome *outcome);
    void (*replaced)(void *learner, size_t arm);              /* the arm is another one from now on */
    bool oracle;                                              /* is told of changes that others must find */
};

const struct algorithm *algorithm_find(const char *name);     /* NULL: there is none */
extern const struct algorithm lab_index_algorithms[];         /* ends with a NULL name; learners.c */
extern const struct algorithm lab_glr_klucb;                  /* glr_klucb.c */
extern const struct algorithm lab_product_algorithms[];       /* ends with a NULL name; product.c: what the product does */

/* ---- trials ---------------------------------------------------------------------------------------------------------------- */

struct trial {
    double figure;             /* regret, or mean reward per step */
    double curve[LAB_POINTS];  /* regret after (k + 1) / LAB_POINTS of the steps */
};

void lab_trial(const struct lab_case *c, const struct algorithm *a, uint64_t run, struct trial *ret);

/* One line of the result. */
struct result {
    const struct lab_case *c;
    const struct entry *entry;
    long runs;
    double mean, half_width;                          /* 95 % interval of the mean */
    double p95, p99;                                  /* of the runs, towards the bad end */
    double curve[LAB_POINTS], curve_half[LAB_POINTS];
};

/* All algorithms of a case, `runs` times each, on `threads` threads; the same result for any number of threads.  ret:
 * LAB_ENTRIES. */
size_t lab_run(const struct lab_case *c, long runs, long threads, struct result *ret);

extern const struct lab_case lab_cases[]; /* ends with a NULL id */
const struct lab_case *lab_case_find(const char *id,
                                     const char *part); /* the first of this id whose name contains `part`; NULL: none */

/* ---- reports --------------------------------------------------------------------------------------------------------------- */

void lab_print_case(const struct result *results, size_t count);
void lab_print_json(const struct result *results, size_t count);
bool lab_write_csv(const char *path, const struct result *results, size_t count); /* regret curves; false: errno says why */
bool lab_write_svg(const char *path, const struct result *results, size_t count);

#endif
