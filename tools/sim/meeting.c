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

    if (s->options.drift && number == s->options.calls / 2) {
        callers_spoil(s->callers, s->spoiled, 0.5);
        callers_value(s->callers, &s->rules);
    }
    s->served[number].cell = (uint8_t)cell;
    s->base_truth += callers_truth(s->callers, cell, s->variants.base);
    s->best_truth += callers_truth(s->callers, cell, callers_best(s->callers, cell));
    return cell;
}

void sim_serve(struct sim *s, long number, size_t variant)
{
    struct served *d = &s->served[number];

    d->variant = (uint16_t)variant;
    d->truth = (float)callers_truth(s->callers, d->cell, variant);
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

static size_t best_overall(const struct callers *c)
{
    size_t best = 0;

    for (size_t v = 1; v < c->variant_count; v++)
        if (callers_overall(c, v) > callers_overall(c, best))
            best = v;
    return best;
}

bool sim_sound(const struct sim *s)
{
    uint64_t calls = (uint64_t)s->options.calls;

    return !s->exceeded && (s->options.in_process || (s->ended == calls && s->stored == calls && s->learned == calls && s->identical));
}

bool sim_run(struct sim *s)
{
    size_t count = s->variants.count;

    s->callers = callers_new((uint64_t)s->options.seed, count);
    callers_value(s->callers, &s->rules);
    s->spoiled = best_overall(s->callers);
    s->served = xcalloc((size_t)s->options.calls, sizeof *s->served);
    s->lines = arena_alloc(&s->arena, count * sizeof *s->lines);
    if (!s->options.json)
        printf("%ld simulated callers, %d profiles, %d times of day.  They have a secret preference.\n", s->options.calls, CALLER_PROFILES, CALLER_TIMES);
    mono_time start = clk_real.mono(clk_real.ctx);
    bool ok = s->options.in_process ? sim_in_process(s) : sim_over_bus(s);
    s->seconds = s->seconds > 0 ? s->seconds : (double)(clk_real.mono(clk_real.ctx).us - start.us) / 1e6;
    return ok;
}

void sim_done(struct sim *s)
{
    callers_free(s->callers);
    free(s->served);
    arena_done(&s->arena);
}
