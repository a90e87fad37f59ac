/* SPDX-License-Identifier: Apache-2.0 */
/* render.c - mapped bytes in, Prometheus text out. */
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct metrics_view no_view(const char *problem) { return (struct metrics_view){.problem = problem}; }

static bool families_valid(const struct metrics_family *families, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct metrics_family *f = &families[i];
        if (f->type > METRIC_HISTOGRAM || f->label_count > METRIC_LABELS || f->bound_count > METRIC_BOUNDS || f->cell > count)
            return false;
    }
    return true;
}

struct metrics_view metrics_view(const void *data, size_t size)
{
    const struct metrics_header *h = data;

    if (!data)
        return no_view("no metrics file");
    if (size < sizeof *h || memcmp(h->magic, METRICS_MAGIC, sizeof h->magic) != 0)
        return no_view("not a metrics file");
    if (h->layout != METRICS_LAYOUT || h->family_size != sizeof(struct metrics_family) ||
        h->series_size != sizeof(struct metrics_series))
        return no_view("a metrics file of another version");
    uint64_t room = size - sizeof *h, families = (uint64_t)h->family_count * sizeof(struct metrics_family);
    if (families > room || (uint64_t)h->capacity * sizeof(struct metrics_series) > room - families)
        return no_view("a metrics file that was cut short");
    struct metrics_view view = {.header = h, .families = (const struct metrics_family *)(h + 1), .problem = ""};
    if (!families_valid(view.families, h->family_count))
        return no_view("a damaged metrics file");
    view.series = (const struct metrics_series *)(view.families + h->family_count);
    view.used = atomic_load_explicit(&h->used, memory_order_acquire);
    view.used = view.used < h->capacity ? view.used : h->capacity;
    return view;
}

bool metrics_view_up(const struct metrics_view *view, int64_t now_us, const char **ret_why)
{
    *ret_why = view->problem;
    if (!view->header)
        return false;
    int64_t beat = atomic_load_explicit(&view->header->heartbeat_us, memory_order_acquire);
    const char *reason = view->header->reasons[atomic_load_explicit(&view->header->reason_slot, memory_order_acquire) & 1];
    bool fresh = beat > 0 && beat <= now_us && now_us - beat < METRICS_HEARTBEAT_US;
    bool ready = atomic_load_explicit(&view->header->ready, memory_order_relaxed) != 0;

    *ret_why = fresh && ready ? ""
               : !fresh && ready ? "no heartbeat for 5 s"
               : memchr(reason, '\0', METRICS_REASON_SIZE) ? reason : "";
    return fresh && ready;
}

/* Backslash and newline, and in label values the quote, are escaped; `room` bounds a text that does not end. */
static void put_escaped(FILE *out, const char *text, size_t room, bool quoted)
{
    for (size_t i = 0; i < room && text[i]; i++) {
        if (text[i] == '\\' || (quoted && text[i] == '"'))
            fputc('\\', out);
        if (text[i] == '\n')
            fputs("\\n", out);
        else
            fputc(text[i], out);
    }
}

/* The shortest digits that give the same double back. */
static void put_number(FILE *out, double value)
{
    char text[32];

    if (!isfinite(value)) {
        fputs(isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf", out);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
}

static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %.*s ", METRICS_NAME_SIZE, name);
    put_escaped(out, help, METRICS_HELP_SIZE, false);
    fprintf(out, "\n# TYPE %.*s %s\n", METRICS_NAME_SIZE, name, type);
}

/* name suffix {labels, le} and a blank; `le` NULL: none. */
static void put_name(FILE *out, const struct metrics_family *f, const struct metrics_series *s, const char *suffix,
                     const double *le)
{
    fprintf(out, "%.*s%s", METRICS_NAME_SIZE, f->name, suffix);
    for (uint32_t i = 0; i < f->label_count; i++) {
        fprintf(out, "%c%.*s=\"", i == 0 ? '{' : ',', METRIC_LABEL_SIZE, f->labels[i]);
        put_escaped(out, s->values[i], METRIC_LABEL_SIZE, true);
        fputc('"', out);
    }
    if (le) {
        fputs(f->label_count ? ",le=\"" : "{le=\"", out);
        put_number(out, *le);
        fputc('"', out);
    }
    fputs(f->label_count || le ? "} " : " ", out);
}

static void put_sample(FILE *out, const struct metrics_family *f, const struct metrics_series *s, const char *suffix,
                       double value)
{
    put_name(out, f, s, suffix, NULL);
    put_number(out, value);
    fputc('\n', out);
}

/* Every bucket is read once and added up: whatever the writer does meanwhile, +Inf equals _count. */
static void put_histogram(FILE *out, const struct metrics_family *f, const struct metrics_series *s)
{
    double sum = (double)atomic_load_explicit(&s->sum, memory_order_relaxed) / METRICS_PER_UNIT;
    uint64_t count = 0;

    for (uint32_t i = 0; i <= f->bound_count; i++) {
        count += atomic_load_explicit(&s->cells[i], memory_order_relaxed);
        put_name(out, f, s, "_bucket", i < f->bound_count ? &f->bounds[i] : &(const double){INFINITY});
        fprintf(out, "%llu\n", (unsigned long long)count);
    }
    put_sample(out, f, s, "_sum", sum);
    put_name(out, f, s, "_count", NULL);
    fprintf(out, "%llu\n", (unsigned long long)count);
}

/* ---- what is left out: figures of few callers ------------------------------------------------------------------------------ */

static bool same_cell(const struct metrics_family *f, const struct metrics_series *s, const struct metrics_family *counter,
                      const struct metrics_series *other)
{
    for (uint32_t i = 0; i < f->label_count; i++)
        for (uint32_t k = 0; k < counter->label_count; k++)
            if (strncmp(f->labels[i], counter->labels[k], METRIC_LABEL_SIZE) == 0 &&
                strncmp(s->values[i], other->values[k], METRIC_LABEL_SIZE) != 0)
                return false;
    return true;
}

static double calls_of(const struct metrics_family *f, const struct metrics_series *s)
{
    uint64_t count = 0;

    if (f->type == METRIC_COUNTER)
        return (double)atomic_load_explicit(&s->sum, memory_order_relaxed) / METRICS_PER_UNIT;
    for (uint32_t i = 0; i <= f->bound_count; i++)
        count += atomic_load_explicit(&s->cells[i], memory_order_relaxed);
    return (double)count;
}

/* A cell without calls tells of nobody; so its counters are there from the start, at 0, and rate() misses
 * nothing when they come back. */
static bool left_out(const struct metrics_view *view, const struct metrics_family *f, const struct metrics_series *s)
{
    uint32_t min_cell = atomic_load_explicit(&view->header->min_cell, memory_order_relaxed);
    uint64_t bits = atomic_load_explicit(&s->cells[0], memory_order_relaxed);
    double gauge, calls = 0;

    memcpy(&gauge, &bits, sizeof gauge);
    if (f->type == METRIC_GAUGE)
        return isnan(gauge);
    if (!f->cell || min_cell == 0)
        return false;
    const struct metrics_family *counter = &view->families[f->cell - 1];
    for (uint32_t i = 0; i < view->used; i++)
        if (view->series[i].family == f->cell - 1 && same_cell(f, s, counter, &view->series[i]))
            calls += calls_of(counter, &view->series[i]);
    return calls < min_cell && (calls > 0 || calls_of(f, s) > 0);
}

static void put_series(FILE *out, const struct metrics_family *f, const struct metrics_series *s)
{
    uint64_t bits = atomic_load_explicit(&s->cells[0], memory_order_relaxed);
    double gauge;

    memcpy(&gauge, &bits, sizeof gauge);
    if (f->type == METRIC_HISTOGRAM)
        put_histogram(out, f, s);
    else if (f->type == METRIC_GAUGE)
        put_sample(out, f, s, "", gauge);
    else
        put_sample(out, f, s, "", (double)atomic_load_explicit(&s->sum, memory_order_relaxed) / METRICS_PER_UNIT);
}

void render(FILE *out, const struct metrics_view *view, const char *service, int64_t now_us)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct metrics_header *h = view->header;
    const char *why;
    bool up = metrics_view_up(view, now_us, &why);

    put_head(out, "rl_service_up", "gauge", "1 when the service is ready and gave a sign of life within the last 5 s.");
    fputs("rl_service_up{service=\"", out);
    put_escaped(out, service, METRIC_LABEL_SIZE, true);
    fprintf(out, "\"} %d\n", up);
    if (!h)
        return;
    for (uint32_t i = 0; i < h->family_count; i++) {
        bool begun = false;
        for (uint32_t j = 0; j < view->used; j++) {
            if (view->series[j].family != i || left_out(view, &view->families[i], &view->series[j]))
                continue;
            if (!begun)
                put_head(out, view->families[i].name, types[view->families[i].type], view->families[i].help);
            begun = true;
            put_series(out, &view->families[i], &view->series[j]);
        }
    }
}
