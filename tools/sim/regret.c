/* SPDX-License-Identifier: Apache-2.0 */
/* regret.c - what the callers lost by not getting the best of their context, call by call: as a table and as a picture. */
#include <stdio.h>

#include "sim.h"
#include "svg.h"

enum { POINTS = 500, MARKS = 100 };

/* Cumulated, with base for all beside it. */
struct regret {
    double own, base;
    size_t restarts;
};

static void count_call(const struct sim *s, long n, struct regret *r)
{
    const struct served *d = &s->served[n];

    r->own += (double)d->best - (double)d->truth;
    r->base += (double)d->best - (double)d->base;
    while (r->restarts < s->restart_count && s->restarts[r->restarts].call <= n + 1)
        r->restarts++;
}

bool sim_write_csv(const struct sim *s, const char *path)
{
    FILE *f = fopen(path, "w");
    long every = s->options.calls > POINTS ? s->options.calls / POINTS : 1;
    struct regret r = {0};

    if (!f)
        return false;
    fprintf(f, "environment,seed,calls,regret,regret_always_base,restarts\n");
    for (long n = 0; n < s->options.calls; n++) {
        count_call(s, n, &r);
        if ((n + 1) % every == 0)
            fprintf(f, "%s,%ld,%ld,%.6g,%.6g,%zu\n", s->options.environment->name, s->options.seed, n + 1, r.own, r.base,
                    r.restarts);
    }
    bool failed = ferror(f);
    return fclose(f) == 0 && !failed;
}

/* The calls at which something was found, each once and not too many. */
static size_t marks_of(const struct sim *s, double ret[MARKS])
{
    size_t count = 0;

    for (size_t i = 0; i < s->restart_count && count < MARKS; i++)
        if (i == 0 || s->restarts[i].call != s->restarts[i - 1].call)
            ret[count++] = (double)s->restarts[i].call;
    return count;
}

bool sim_write_svg(const struct sim *s, const char *path)
{
    char always[40], name[80];
    double marks[MARKS];
    struct svg_curve curves[] = {{.name = always}, {.name = "rl"}};
    struct svg_panel panel = {.id = s->options.environment->name, .name = name, .steps = (double)s->options.calls,
                              .curves = curves, .count = 2, .marks = marks, .mark_count = marks_of(s, marks),
                              .below = "calls; cumulative regret in reward; broken: a change was found"};
    struct regret r = {0};
    size_t point = 0;

    snprintf(always, sizeof always, "always %s", s->variants.items[s->variants.base].id);
    snprintf(name, sizeof name, "seed %ld", s->options.seed);
    for (long n = 0; n < s->options.calls; n++) {
        count_call(s, n, &r);
        for (; point < SVG_POINTS && (n + 1) * SVG_POINTS >= (long)(point + 1) * s->options.calls; point++) {
            curves[0].at[point] = r.base;
            curves[1].at[point] = r.own;
        }
    }
    return svg_write(path, &panel, 1);
}
