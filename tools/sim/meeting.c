/* SPDX-License-Identifier: Apache-2.0 */
/* meeting.c - callers meet the system: what both ways of running have in common. */
#include <stdio.h>
#include <stdlib.h>

#include "clk.h"
#include "decide.h"
#include "sim.h"

size_t sim_arrive(struct sim *s, long number, struct rng *rng)
{
    size_t cell = callers_arrive(s->callers, rng);

    if (number == s->options.calls / 2 && (s->options.drift || s->options.environment->swaps)) {
        if (s->options.drift)
            callers_spoil(s->callers, s->spoiled, 0.5);
        if (s->options.environment->swaps)
            callers_swap(s->callers, 0, 1);
        callers_value(s->callers, &s->rules);
    }
    s->served[number].cell = (uint8_t)cell;
    return cell;
}

void sim_serve(struct sim *s, long number, size_t variant)
{
    struct served *d = &s->served[number];

    d->variant = (uint16_t)variant;
    double truth = callers_truth(s->callers, d->cell, variant), base = callers_truth(s->callers, d->cell, s->variants.base),
           best = callers_truth(s->callers, d->cell, callers_best(s->callers, d->cell));
    d->truth = (float)truth;
    d->base = (float)base;
    d->best = (float)best;
    s->base_truth += base;
    s->best_truth += best;
}

void sim_note_limits(struct sim *s, long number, const struct limit_set *limits, const double *p)
{
    struct served *d = &s->served[number];
    double share[MAX_GROUPS] = {0};

    for (size_t i = 0; i < s->variants.count; i++)
        if (limits->group[i] < LIMIT_COUNT) {
            share[limits->group[i]] += p[i];
            d->capped |= (uint8_t)(1 << limits->group[i]);
        }
    for (size_t g = 0; g < LIMIT_COUNT; g++) {
        d->share[g] = (float)share[g];
        s->exceeded = s->exceeded || ((d->capped >> g & 1) && share[g] > limits->caps[g] + 1e-9);
    }
}

void sim_note_restart(struct sim *s, const struct sim_restart *restart)
{
    s->restarts = xrealloc(s->restarts, (s->restart_count + 1) * sizeof *s->restarts);
    s->restarts[s->restart_count++] = *restart;
}

static size_t best_overall(const struct callers *c)
{
    size_t best = 0;

    for (size_t v = 1; v < c->variant_count; v++)
        if (callers_overall(c, v) > callers_overall(c, best))
            best = v;
    return best;
}

uint64_t sim_reports(const struct sim *s) { return (uint64_t)s->options.calls - s->lost; }

struct way sim_way(const struct sim *s)
{
    return (struct way){.lost = s->options.lost, .duplicated = s->options.duplicated, .reorder = s->options.reorder,
                        .rng = rng_seed((uint64_t)s->options.seed + 3)};
}

bool sim_sound(const struct sim *s)
{
    uint64_t calls = sim_reports(s);

    return !s->exceeded && s->learned == calls &&
           (s->options.in_process || (s->ended == calls && s->stored == calls && s->identical));
}

bool sim_run(struct sim *s)
{
    size_t count = s->variants.count;

    s->callers = environment_callers(s->options.environment, (uint64_t)s->options.seed, count);
    if (!s->callers) {
        fprintf(stderr, "rl-sim: environment %s is made for %d variants, and there are %zu\n", s->options.environment->name,
                ENVIRONMENT_VARIANTS, count);
        return false;
    }
    if (s->options.in_process && !s->options.calls_per_hour)
        s->options.calls_per_hour = HOUR_CALLS;
    callers_value(s->callers, &s->rules);
    s->spoiled = best_overall(s->callers);
    s->served = xcalloc((size_t)s->options.calls, sizeof *s->served);
    s->lines = arena_alloc(&s->arena, count * sizeof *s->lines);
    if (!s->options.json)
        printf("%ld simulated callers, %d profiles, %d times of day.  They have a secret preference.\n", s->options.calls,
               CALLER_PROFILES, CALLER_TIMES);
    mono_time start = clk_real.mono(clk_real.ctx);
    bool ok = s->options.in_process ? sim_in_process(s) : sim_over_bus(s);
    s->seconds = s->seconds > 0 ? s->seconds : (double)(clk_real.mono(clk_real.ctx).us - start.us) / 1e6;
    return ok;
}

void sim_done(struct sim *s)
{
    callers_free(s->callers);
    free(s->served);
    free(s->restarts);
    arena_done(&s->arena);
}
