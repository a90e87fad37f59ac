/* SPDX-License-Identifier: Apache-2.0 */
/* prior.c - what a warm start is worth when it is right, and what it costs when it is wrong.
 *
 * The worlds of rl-sim, in process.  The prior is the bandit_state.json of an installation that heard 250 calls of each variant,
 * blind to the context: right with the truth of this world, wrong with the best and the worst exchanged, and so on to the middle,
 * or with the variants shuffled.  RL_TEST_WORLDS=60 rl-test-learning learning.prior prints the table of docs/learning.md; for the
 * bounds six worlds are enough. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"
#include "test.h"

enum { CALLS = 2000, EARLY = 500, HEARD = 250, WORLDS = 6 };

static const struct reward_rules v1 = {.resolution_weight = 0.6, .rating_weight = 0.2, .barge_in_weight = 0.1,
                                       .repeat_weight = 0.1, .handover_weight = 0.1, .barge_in_cap = 3, .repeat_cap = 3,
                                       .duration_target_sec = 180, .duration_bound = 0.2, .duration_term = DURATION_LINEAR};
static const char *const profiles[] = {"kfz", "it", "sales", "support", "general", NULL};

enum prior_kind { RIGHT, WRONG, UNRELATED };

struct arrangement {
    const char *name;
    enum prior_kind truth;
    double strength; /* 0: no prior */
    bool capped;
};

/* The mean of the variant that is worst when this one is best, and so on. */
static double opposite(const struct callers *c, size_t variant)
{
    size_t better = 0, worse;

    for (size_t v = 0; v < c->variant_count; v++)
        better += callers_overall(c, v) > callers_overall(c, variant);
    for (size_t v = 0; v < c->variant_count; v++) {
        worse = 0;
        for (size_t o = 0; o < c->variant_count; o++)
            worse += callers_overall(c, o) < callers_overall(c, v);
        if (worse == better)
            return callers_overall(c, v);
    }
    return 0;
}

/* The state file of the other installation, which had its own luck. */
static void write_state(const char *path, const struct sim *s, const struct arrangement *a)
{
    struct callers *c = callers_new((uint64_t)s->options.seed, s->variants.count);
    struct rng rng = rng_seed((uint64_t)s->options.seed + 1000);
    FILE *f = fopen(path, "w");
    double *mean = xcalloc(s->variants.count, sizeof *mean);

    callers_value(c, &s->rules);
    size_t *shuffled = xcalloc(s->variants.count, sizeof *shuffled);
    for (size_t v = 0; v < s->variants.count; v++) {
        size_t other = (size_t)rng_below(&rng, v + 1);
        shuffled[v] = shuffled[other];
        shuffled[other] = v;
    }
    for (size_t v = 0; v < s->variants.count; v++)
        mean[v] = (a->truth == WRONG ? opposite(c, v) : callers_overall(c, a->truth == RIGHT ? v : shuffled[v])) +
                  0.46 / sqrt(HEARD) * rng_normal(&rng);
    for (int side = 0; side < 2; side++) {
        fprintf(f, side ? "}, \"beta\": {" : "{\"alpha\": {");
        for (size_t v = 0; v < s->variants.count; v++)
            fprintf(f, "%s\"%s\": %.6f", v ? ", " : "", s->variants.items[v].id, 1 + HEARD * (1 + (side ? -1 : 1) * mean[v]) / 2);
    }
    fprintf(f, "}}\n");
    fclose(f);
    free(shuffled);
    free(mean);
    callers_free(c);
}

static double regret(const struct sim *s, long to)
{
    double sum = 0;

    for (long i = 0; i < to; i++)
        sum += callers_truth(s->callers, s->served[i].cell, callers_best(s->callers, s->served[i].cell)) -
               (double)s->served[i].truth;
    return sum;
}

static void run(const struct arrangement *a, long seed, double ret[2])
{
    struct sim s = {.options = {.calls = CALLS, .refresh = 20, .seed = seed, .in_process = true, .json = true, .name = "test",
                                .environment = environments},
                    .rules = v1, .guard = {.floor = 0.002, .parole_cap = 0.01, .uncertainty_half_width = 0.15},
                    .common.profiles = {profiles, 5}, .model = {.belief.beta.shrinkage = 20, .belief.model = MODEL_LINEAR,
                                                                .explore = EXPLORE_DEFAULTS, .reward_version = "v1"}};
    struct reason reason;

    CHECK(variants_load(&s.arena, RL_SOURCE_DIR "/docs/policies/prompt_variants.yaml", &s.variants, &reason) == STATUS_OK);
    if (!a->capped)
        s.variants.cap_new = s.variants.cap_uncertain = 1;
    s.model.prior_path = arena_printf(&s.arena, "%s/state.json", test_dir());
    s.model.prior_strength = a->strength;
    write_state(s.model.prior_path, &s, a);
    CHECK(sim_run(&s));
    ret[0] = regret(&s, EARLY);
    ret[1] = regret(&s, CALLS);
    sim_done(&s);
}

/* Mean regret over the worlds, after EARLY and after CALLS; printed when somebody asked for more worlds. */
static void mean_of(const struct arrangement *a, double ret_mean[2])
{
    const char *asked = getenv("RL_TEST_WORLDS");
    long worlds = asked ? atol(asked) : WORLDS;
    double squares[2] = {0}, one[2];

    ret_mean[0] = ret_mean[1] = 0;
    for (long w = 1; w <= worlds; w++) {
        run(a, w, one);
        for (int i = 0; i < 2; i++) {
            double before = one[i] - ret_mean[i];
            ret_mean[i] += before / (double)w;
            squares[i] += before * (one[i] - ret_mean[i]);
        }
    }
    if (asked)
        printf("| %s | %.1f ± %.1f | %.1f ± %.1f |\n", a->name, ret_mean[0],
               1.96 * sqrt(squares[0] / (double)(worlds - 1) / (double)worlds), ret_mean[1],
               1.96 * sqrt(squares[1] / (double)(worlds - 1) / (double)worlds));
}

TEST(learning_prior, a_right_prior_saves_regret_and_less_of_a_wrong_one_costs_less)
{
    static const struct arrangement all[] = {{"none", RIGHT, 0, false}, {"right, 20", RIGHT, 20, false},
                                             {"wrong, 20", WRONG, 20, false}, {"wrong, 5", WRONG, 5, false}};
    double mean[4][2];

    for (size_t i = 0; i < 4; i++)
        mean_of(&all[i], mean[i]);
    CHECK(mean[1][0] < 0.7 * mean[0][0]);
    CHECK(mean[1][1] < 0.85 * mean[0][1]);
    CHECK(mean[2][1] < 3 * mean[0][1]);
    CHECK(mean[3][1] < 1.6 * mean[0][1]);
}

/* For the table alone. */
TEST(learning_prior, every_strength_of_every_prior)
{
    static const double strengths[] = {5, 10, 20, 50, HEARD};
    static const char *const names[] = {"right", "of another world", "reversed"};
    static const enum prior_kind truths[] = {RIGHT, UNRELATED, WRONG};
    double mean[2];

    if (!getenv("RL_TEST_WORLDS"))
        return;
    for (int capped = 0; capped < 2; capped++) {
        mean_of(&(struct arrangement){.name = capped ? "none, guard's caps" : "none", .capped = capped}, mean);
        for (size_t t = 0; t < 3; t++)
            for (size_t i = 0; i < 5; i++) {
                char name[64];
                snprintf(name, sizeof name, "%s, %g calls%s", names[t], strengths[i], capped ? ", guard's caps" : "");
                if (!capped || strengths[i] == 20)
                    mean_of(&(struct arrangement){name, truths[t], strengths[i], capped}, mean);
            }
    }
}
