/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - counters, gauges and histograms in a memory-mapped file that the sidecar reads.
 *
 * No lock, no socket, no bus: readable while NATS is down and after the service died.  Several threads may write. */
#ifndef RL_METRICS_H
#define RL_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum { METRIC_LABELS = 3, METRIC_BOUNDS = 16, METRIC_LABEL_SIZE = 48 };

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
    const char *name;
    enum metric_type type;
    const char *help;
    const char *labels[METRIC_LABELS]; /* names; the first NULL ends them */
    double bounds[METRIC_BOUNDS];      /* histogram: ascending, without +Inf */
    size_t bound_count;
    const char *cell; /* tells of callers: the metric of the same tables, perhaps itself, that counts the calls of its cells;
                       * NULL: it does not */
};

struct metrics;

/* Creates <dir>/<service> anew (temporary, fill, rename; dir NULL: anonymous memory, for tests).  The tables are numbered
 * through: metric index = position in `tables[0]`, then on through `tables[1]`. */
struct metric_table {
    const struct metric *metrics;
    size_t count;
};
enum status metrics_open(const char *dir, const char *service, const char *version, const struct metric_table *tables,
                         size_t count, struct metrics **ret, struct reason *reason) MUST_CHECK;

/* A cell's series are left out of what is served while it counts at least one call and fewer than so many (0: none is).  A gauge
 * holds no count: whoever sets it sets NAN instead, which leaves any gauge out. */
void metrics_min_cell(struct metrics *m, int64_t calls);

struct metrics *metrics_close(struct metrics *m); /* leaves the file: the sidecar then shows rl_service_up 0 */

/* Makes a series exist at 0.  Label values beyond those a metric names are ignored; more series than fit go into one whose labels
 * are all "other".  A NULL label value is "". */
void metrics_declare(struct metrics *m, size_t metric, const char *l1, const char *l2, const char *l3);

/* counter += value (never negative); gauge = value; histogram takes one observation. */
void metrics_add(struct metrics *m, size_t metric, double value, const char *l1, const char *l2, const char *l3);
void metrics_set(struct metrics *m, size_t metric, double value, const char *l1, const char *l2, const char *l3);
void metrics_observe(struct metrics *m, size_t metric, double value, const char *l1, const char *l2, const char *l3);

/* Once per turn of the loop; the sidecar calls a service down whose heartbeat is older than 5 s.  `reason` is shown by /readyz
 * ("" when ready). */
void metrics_heartbeat(struct metrics *m, bool ready, const char *reason);

/* Reads a value back: counters and gauges (histogram: its count); 0 for a series that does not exist. */
double metrics_get(const struct metrics *m, size_t metric, const char *l1, const char *l2, const char *l3);

/* Prints the tables as Markdown: the reference page, docs/reference/metrics.md. */
void metrics_print_markdown(const struct metric_table *tables, size_t count);

#endif
