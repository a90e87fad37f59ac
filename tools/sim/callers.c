/* SPDX-License-Identifier: Apache-2.0 */
/* callers.c - the simulated callers.  Sizes of the effects follow the world of experiment B6, somewhat enlarged. */
#include "callers.h"

#include <math.h>
#include <stdlib.h>

#include "arena.h"

enum { SAMPLES = 40000 };

const char *const caller_profiles[CALLER_PROFILES] = {"kfz", "it", "sales", "support", "general"};
const char *const caller_times[CALLER_TIMES] = {"morning", "afternoon", "evening", "night"};

const double caller_profile_traffic[CALLER_PROFILES] = {0.3, 0.25, 0.2, 0.15, 0.1},
             caller_time_traffic[CALLER_TIMES] = {0.35, 0.4, 0.2, 0.05};

static double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/* --- the world -------------------------------------------------------------------------------------------------------------- */

/* `count` independent effects of standard deviation `sd`. */
static void effects(struct rng *rng, double sd, double *ret, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = sd * rng_normal(rng);
}

struct callers *callers_empty(size_t variant_count)
{
    struct callers *c = xcalloc(1, sizeof *c);

    c->variant_count = variant_count;
    c->solved = xcalloc(CALLER_CELLS * variant_count, sizeof *c->solved);
    c->truth = xcalloc(CALLER_CELLS * variant_count, sizeof *c->truth);
    c->manners = xcalloc(variant_count, sizeof *c->manners);
    for (size_t i = 0; i < variant_count; i++)
        c->manners[i] = (struct manner){.pace = 1, .interruption = 0.4};
    for (size_t cell = 0; cell < CALLER_CELLS; cell++)
        c->traffic[cell] = caller_profile_traffic[cell / CALLER_TIMES] * caller_time_traffic[cell % CALLER_TIMES];
    return c;
}

struct callers *callers_new(uint64_t seed, size_t variant_count)
{
    struct callers *c = callers_empty(variant_count);
    struct rng rng = rng_seed(seed);
    size_t v = variant_count;
    double profile[CALLER_PROFILES], time[CALLER_TIMES];
    double *variant = xcalloc(v + v * CALLER_PROFILES + v * CALLER_TIMES, sizeof *variant);
    double *with_profile = variant + v, *with_time = with_profile + v * CALLER_PROFILES;

    effects(&rng, 0.06, profile, CALLER_PROFILES);
    effects(&rng, 0.03, time, CALLER_TIMES);
    effects(&rng, 0.1, variant, v);
    effects(&rng, 0.06, with_profile, v * CALLER_PROFILES);
    effects(&rng, 0.02, with_time, v * CALLER_TIMES);
    for (size_t i = 0; i < v; i++)
        c->manners[i] = (struct manner){.pace = exp(0.1 * rng_normal(&rng)), .interruption = 0.4 * exp(0.3 * rng_normal(&rng))};
    for (size_t cell = 0; cell < CALLER_CELLS; cell++) {
        size_t p = cell / CALLER_TIMES, t = cell % CALLER_TIMES;
        for (size_t i = 0; i < v; i++)
            c->solved[cell * v + i] =
                clamp(0.6 + profile[p] + time[t] + variant[i] + with_profile[p * v + i] + with_time[t * v + i], 0.03, 0.97);
    }
    free(variant);
    return c;
}

struct callers *callers_free(struct callers *c)
{
    if (c) {
        free(c->solved);
        free(c->truth);
        free(c->manners);
    }
    free(c);
    return NULL;
}

void callers_spoil(struct callers *c, size_t variant, double less)
{
    for (size_t cell = 0; cell < CALLER_CELLS; cell++) {
        double *p = &c->solved[cell * c->variant_count + variant];
        *p = clamp(*p - less, 0.03, 0.97);
    }
}

void callers_swap(struct callers *c, size_t profile, size_t other)
{
    size_t row = CALLER_TIMES * c->variant_count;

    for (size_t i = 0; i < row; i++) {
        double p = c->solved[profile * row + i];
        c->solved[profile * row + i] = c->solved[other * row + i];
        c->solved[other * row + i] = p;
    }
}

/* --- a call ----------------------------------------------------------------------------------------------------------------- */

/* Knuth's product of uniforms; means here are below 2. */
static int poisson(struct rng *rng, double mean, int most)
{
    double limit = exp(-mean), product = rng_uniform(rng);
    int n = 0;

    for (; product > limit && n < most; n++)
        product *= rng_uniform(rng);
    return n;
}

static struct signals call_of(const struct manner *manner, bool solved, struct rng *rng)
{
    struct signals s = SIGNALS_NONE;
    double feeling = (solved ? 4.2 : 2.1) + 0.9 * rng_normal(rng);
    bool rates = rng_uniform(rng) < 0.4, hangs_up = !solved && rng_uniform(rng) < 0.1;

    s.resolution = tri_of(solved);
    s.user_rating = rates ? (int)clamp(floor(feeling + 0.5), 1, 5) : 0;
    s.barge_in_count = poisson(rng, manner->interruption * (solved ? 1 : 2), 10);
    s.repeats = poisson(rng, solved ? 0.3 : 0.9, 5);
    s.handover = tri_of(!solved && !hangs_up && rng_uniform(rng) < 0.4);
    s.duration_sec = hangs_up ? 4 + 12 * rng_uniform(rng)
                              : clamp((solved ? 150 : 210) * manner->pace * exp(0.45 * rng_normal(rng)), 10, 3600);
    s.duration_sec = floor(10 * s.duration_sec) / 10;
    return s;
}

struct signals callers_call(const struct callers *c, size_t cell, size_t variant, struct rng *rng)
{
    bool solved = rng_uniform(rng) < c->solved[cell * c->variant_count + variant];

    return call_of(&c->manners[variant], solved, rng);
}

size_t callers_arrive(const struct callers *c, struct rng *rng)
{
    double u = rng_uniform(rng);
    size_t cell = 0;

    while (cell + 1 < CALLER_CELLS && (u -= c->traffic[cell]) >= 0)
        cell++;
    return cell;
}

/* --- the truth -------------------------------------------------------------------------------------------------------------- */

static double mean_reward(const struct manner *manner, bool solved, const struct reward_rules *rules)
{
    struct rng rng = rng_seed(7); /* the same callers for each variant: differences are sharper than the values */
    struct reward_parts parts;
    double sum = 0;

    for (int i = 0; i < SAMPLES; i++) {
        struct signals s = call_of(manner, solved, &rng);
        reward_compute(rules, &s, &parts);
        sum += parts.total;
    }
    return sum / SAMPLES;
}

void callers_value(struct callers *c, const struct reward_rules *rules)
{
    for (size_t v = 0; v < c->variant_count; v++) {
        double failed = mean_reward(&c->manners[v], false, rules), solved = mean_reward(&c->manners[v], true, rules);
        for (size_t at = v; at < CALLER_CELLS * c->variant_count; at += c->variant_count)
            c->truth[at] = failed + c->solved[at] * (solved - failed);
    }
}

double callers_truth(const struct callers *c, size_t cell, size_t variant) { return c->truth[cell * c->variant_count + variant]; }

double callers_overall(const struct callers *c, size_t variant)
{
    double sum = 0;

    for (size_t cell = 0; cell < CALLER_CELLS; cell++)
        sum += c->traffic[cell] * callers_truth(c, cell, variant);
    return sum;
}

size_t callers_best(const struct callers *c, size_t cell)
{
    size_t best = 0;

    for (size_t v = 1; v < c->variant_count; v++)
        if (callers_truth(c, cell, v) > callers_truth(c, cell, best))
            best = v;
    return best;
}
