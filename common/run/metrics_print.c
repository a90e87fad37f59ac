/* SPDX-License-Identifier: Apache-2.0 */
/* metrics_print.c - the tables of metrics as a page. */
#include <stdio.h>

#include "markdown.h"
#include "metrics.h"

static void print_metric(const struct metric *m)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    printf("| `%s` | %s", m->name, types[m->type]);
    for (size_t i = 0; i < m->bound_count; i++)
        printf("%s%g", i ? " " : ": ", m->bounds[i]);
    fputs(" |", stdout);
    for (size_t i = 0; i < METRIC_LABELS && m->labels[i]; i++)
        printf("%s %s", i ? "," : "", m->labels[i]);
    fputs(" | ", stdout);
    markdown_print(m->help);
    fputs(m->cell ? " *Cell.*" : "", stdout);
    puts(" |");
}

void metrics_print_markdown(const struct metric_table *tables, size_t count)
{
    puts("| metric | type | labels | meaning |\n| --- | --- | --- | --- |");
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++)
            print_metric(&tables[t].metrics[i]);
}
