/* SPDX-License-Identifier: Apache-2.0 */
/* tables.c - results as text, as JSON, as CSV and as a picture. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "arena.h"
#include "lab.h"

/* Shares with four digits, small regrets with one, large ones with none. */
static int digits(double x) { return fabs(x) < 2 ? 4 : fabs(x) < 1000 ? 1 : 0; }

static const char *number(char text[24], double x)
{
    snprintf(text, 24, isnan(x) ? "-" : "%.*f", digits(x), x);
    return text;
}

void lab_print_case(const struct result *results, size_t count)
{
    const struct lab_case *c = results->c;
    char mean[24], half[24], p95[24], p99[24], published[24];

    printf("%s  %s   (%ld steps%s; wanted: %s)\n", c->id, c->name, c->horizon,
           c->counts_reward ? ", mean reward, more is better" : ", regret", c->wanted);
    printf("  %-26s %6s %10s %9s %9s %9s %10s\n", "algorithm", "runs", "mean", "+-", "p95", "p99", "published");
    for (size_t i = 0; i < count; i++) {
        const struct result *r = &results[i];
        snprintf(half, sizeof half, "%.*f", digits(r->mean), r->half_width);
        printf("  %-26s %6ld %10s %9s %9s %9s %10s\n", r->entry->algorithm, r->runs, number(mean, r->mean),
               r->runs > 1 ? half : "-", number(p95, r->p95), number(p99, r->p99), number(published, r->entry->published));
    }
    printf("\n");
    fflush(stdout);
}

static json_t *real_or_null(double x) { return isnan(x) ? json_null() : json_real(x); }

void lab_print_json(const struct result *results, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct result *r = &results[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "id", r->c->id, "case",
                                              r->c->name, "algorithm", r->entry->algorithm, "runs", (json_int_t)r->runs, "mean",
                                              r->mean, "ci_low", r->mean - r->half_width, "ci_high", r->mean + r->half_width,
                                              "p95", r->p95, "p99", r->p99, "published", real_or_null(r->entry->published)));
    }
    char *text = json_dumps(list, JSON_INDENT(1));
    puts(text);
    free(text);
    json_decref(list);
}

/* How many results belong to the case of the first. */
static size_t case_size(const struct result *results, size_t count)
{
    size_t n = 1;

    while (n < count && results[n].c == results->c)
        n++;
    return n;
}

bool lab_write_svg(const char *path, const struct result *results, size_t count)
{
    struct svg_curve *curves = xcalloc(count, sizeof *curves);
    struct svg_panel *panels = xcalloc(count, sizeof *panels);
    size_t panel_count = 0;

    for (size_t i = 0; i < count; i++) {
        curves[i].name = results[i].entry->algorithm;
        memcpy(curves[i].at, results[i].curve, sizeof curves[i].at);
        memcpy(curves[i].half, results[i].curve_half, sizeof curves[i].half);
    }
    for (size_t i = 0, n; i < count; i += n) {
        const struct lab_case *c = results[i].c;
        n = case_size(results + i, count - i);
        panels[panel_count++] = (struct svg_panel){.id = c->id, .name = c->name, .steps = (double)c->horizon,
                                                   .curves = curves + i, .count = n,
                                                   .below = "steps; cumulative regret, mean and 95 % interval"};
    }
    bool ok = svg_write(path, panels, panel_count);
    free(curves);
    free(panels);
    return ok;
}

bool lab_write_csv(const char *path, const struct result *results, size_t count)
{
    FILE *f = fopen(path, "w");

    if (!f)
        return false;
    fprintf(f, "id,case,algorithm,step,regret,ci_low,ci_high\n");
    for (size_t i = 0; i < count; i++)
        for (long k = 0; k < LAB_POINTS; k++) {
            const struct result *r = &results[i];
            fprintf(f, "%s,\"%s\",\"%s\",%ld,%.6g,%.6g,%.6g\n", r->c->id, r->c->name, r->entry->algorithm,
                    (k + 1) * r->c->horizon / LAB_POINTS, r->curve[k], r->curve[k] - r->curve_half[k],
                    r->curve[k] + r->curve_half[k]);
        }
    bool failed = ferror(f);
    return fclose(f) == 0 && !failed;
}
