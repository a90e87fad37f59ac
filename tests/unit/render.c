/* SPDX-License-Identifier: Apache-2.0 */
/* render.c - tests of the sidecar's text. */
#include "../../sidecar/render.c" /* the sidecar is a program, not a library */

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

enum { CALLS, SECONDS, LEVEL, HEARD, BARGE_IN, RATING, SHARE, SIZE_LIMIT = 4 << 20 };

static const struct metric table[] = {
    {.name = "t_calls_total", .type = METRIC_COUNTER, .help = "Calls \\ per\nline.", .labels = {"variant", "agent"}},
    {.name = "t_seconds", .type = METRIC_HISTOGRAM, .help = "Time.", .labels = {"step"}, .bounds = {0.1, 1, 2.5},
     .bound_count = 3},
    {.name = "t_level", .type = METRIC_GAUGE, .help = "Level."},
    {.name = "t_heard_total", .type = METRIC_COUNTER, .help = "Calls.", .labels = {"agent", "variant"}, .cell = "t_heard_total"},
    {.name = "t_barge_in_total", .type = METRIC_COUNTER, .help = "Barge-ins.", .labels = {"variant"}, .cell = "t_heard_total"},
    {.name = "t_rating", .type = METRIC_HISTOGRAM, .help = "Ratings.", .labels = {"variant"}, .bounds = {1, 2}, .bound_count = 2,
     .cell = "t_rating"},
    {.name = "t_share", .type = METRIC_GAUGE, .help = "Share.", .labels = {"variant"}, .cell = "t_heard_total"},
};

/* A service's file, read whole into `bytes` as the sidecar would map it. */
struct fixture {
    struct metrics *m;
    _Alignas(64) char bytes[SIZE_LIMIT];
    size_t size;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct reason reason = {0};

    if (metrics_open(test_dir(), "unit", "1.0", &(struct metric_table){table, sizeof table / sizeof *table}, 1, &f->m,
                     &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s", reason.text);
    metrics_set(f->m, LEVEL, 0, NULL, NULL, NULL);
    return f;
}

static void fixture_free(struct fixture *f)
{
    metrics_close(f->m);
    free(f);
}

static struct metrics_view read_file(struct fixture *f)
{
    char path[512];

    snprintf(path, sizeof path, "%s/unit", test_dir());
    FILE *in = fopen(path, "rb");
    f->size = in ? fread(f->bytes, 1, sizeof f->bytes, in) : 0;
    if (in)
        fclose(in);
    return metrics_view(f->bytes, f->size);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* The caller frees. */
static char *text_of(const struct metrics_view *view, int64_t now)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    render(out, view, "unit", now);
    fclose(out);
    return text;
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

#define CHECK_HAS(text, part) (strstr(text, part) ? (void)0 : test_fail(__FILE__, __LINE__, "no \"%s\" in:\n%s", part, text))

TEST(unit_render, series_come_out_under_one_head)
{
    struct fixture *f = fixture_new();

    metrics_add(f->m, CALLS, 3, "v1a", "TOM", NULL);
    metrics_declare(f->m, CALLS, "v1b", "TOM", NULL);
    metrics_set(f->m, LEVEL, 0.1, NULL, NULL, NULL);
    metrics_heartbeat(f->m, true, "");
    struct metrics_view view = read_file(f);
    char *text = text_of(&view, now_us());
    CHECK_HAS(text, "rl_service_up{service=\"unit\"} 1\n");
    CHECK_HAS(text, "# HELP t_calls_total Calls \\\\ per\\nline.\n# TYPE t_calls_total counter\n"
                    "t_calls_total{variant=\"v1a\",agent=\"TOM\"} 3\n"
                    "t_calls_total{variant=\"v1b\",agent=\"TOM\"} 0\n");
    CHECK_HAS(text, "# TYPE t_level gauge\nt_level 0.1\n");
    CHECK_INT(times(text, "# TYPE t_calls_total"), 1);
    CHECK(text[strlen(text) - 1] == '\n');
    free(text);
    fixture_free(f);
}

TEST(unit_render, a_metric_without_series_is_not_served)
{
    struct fixture *f = fixture_new();
    struct metrics_view view = read_file(f);
    char *text = text_of(&view, now_us());

    CHECK_INT(times(text, "t_level"), 3); /* HELP, TYPE, sample */
    CHECK_INT(times(text, "t_calls_total"), 0);
    free(text);
    fixture_free(f);
}

TEST(unit_render, a_histogram_is_cumulative_and_ends_with_its_count)
{
    struct fixture *f = fixture_new();

    metrics_observe(f->m, SECONDS, 0.1, "a", NULL, NULL);
    metrics_observe(f->m, SECONDS, 0.2, "a", NULL, NULL);
    metrics_observe(f->m, SECONDS, 7, "a", NULL, NULL);
    struct metrics_view view = read_file(f);
    char *text = text_of(&view, now_us());
    CHECK_HAS(text, "# TYPE t_seconds histogram\n"
                    "t_seconds_bucket{step=\"a\",le=\"0.1\"} 1\nt_seconds_bucket{step=\"a\",le=\"1\"} 2\n"
                    "t_seconds_bucket{step=\"a\",le=\"2.5\"} 2\nt_seconds_bucket{step=\"a\",le=\"+Inf\"} 3\n"
                    "t_seconds_sum{step=\"a\"} 7.3\nt_seconds_count{step=\"a\"} 3\n");
    free(text);
    fixture_free(f);
}

static char *text_now(struct fixture *f)
{
    struct metrics_view view = read_file(f);

    return text_of(&view, now_us());
}

TEST(unit_render, figures_of_few_calls_are_left_out_until_there_are_enough)
{
    struct fixture *f = fixture_new();
    char *text;

    metrics_min_cell(f->m, 5);
    metrics_declare(f->m, HEARD, "TOM", "v1a", NULL);
    metrics_declare(f->m, BARGE_IN, "v1a", NULL, NULL);
    metrics_declare(f->m, RATING, "v1a", NULL, NULL);
    text = text_now(f);
    CHECK_HAS(text, "t_heard_total{agent=\"TOM\",variant=\"v1a\"} 0\n"); /* nobody's: rate() has a point to start from */
    CHECK_HAS(text, "t_barge_in_total{variant=\"v1a\"} 0\n");
    CHECK_HAS(text, "t_rating_count{variant=\"v1a\"} 0\n");
    free(text);
    metrics_add(f->m, HEARD, 4, "TOM", "v1a", NULL);
    metrics_observe(f->m, RATING, 1, "v1a", NULL, NULL);
    metrics_add(f->m, CALLS, 1, "v1a", "TOM", NULL);
    text = text_now(f);
    CHECK_INT(times(text, "t_heard"), 0); /* no head either */
    CHECK_INT(times(text, "t_barge_in"), 0); /* that four callers never interrupted is nobody's business, too */
    CHECK_INT(times(text, "t_rating"), 0);
    CHECK_HAS(text, "t_calls_total{variant=\"v1a\",agent=\"TOM\"} 1\n"); /* does not tell of callers */
    free(text);
    metrics_add(f->m, HEARD, 1, "TOM", "v1a", NULL);
    text = text_now(f);
    CHECK_HAS(text, "t_heard_total{agent=\"TOM\",variant=\"v1a\"} 5\n");
    CHECK_HAS(text, "t_barge_in_total{variant=\"v1a\"} 0\n");
    CHECK_INT(times(text, "t_rating"), 0);
    free(text);
    fixture_free(f);
}

TEST(unit_render, a_figure_is_shown_when_its_cell_has_enough_calls_however_small_itself)
{
    struct fixture *f = fixture_new();

    metrics_min_cell(f->m, 5);
    metrics_add(f->m, HEARD, 3, "TOM", "v1a", NULL);
    metrics_add(f->m, HEARD, 2, "TOM_v1", "v1a", NULL); /* the variant has five, neither agent has */
    metrics_add(f->m, HEARD, 9, "TOM", "v2b", NULL);
    metrics_add(f->m, BARGE_IN, 1, "v1a", NULL, NULL);
    metrics_add(f->m, BARGE_IN, 7, "v3a", NULL, NULL); /* of no call that was counted */
    char *text = text_now(f);
    CHECK_HAS(text, "t_barge_in_total{variant=\"v1a\"} 1\n");
    CHECK_INT(times(text, "t_heard_total{"), 1);
    CHECK_INT(times(text, "v3a"), 0);
    free(text);
    metrics_min_cell(f->m, 0);
    text = text_now(f);
    CHECK_INT(times(text, "t_heard_total{"), 3);
    CHECK_HAS(text, "t_barge_in_total{variant=\"v3a\"} 7\n");
    free(text);
    fixture_free(f);
}

TEST(unit_render, a_gauge_that_is_no_number_is_left_out)
{
    struct fixture *f = fixture_new();

    metrics_set(f->m, SHARE, NAN, "v1a", NULL, NULL);
    metrics_set(f->m, SHARE, 0.5, "v1b", NULL, NULL);
    char *text = text_now(f);
    CHECK_INT(times(text, "t_share{"), 1);
    CHECK_HAS(text, "t_share{variant=\"v1b\"} 0.5\n");
    free(text);
    fixture_free(f);
}

TEST(unit_render, label_values_are_escaped)
{
    struct fixture *f = fixture_new();

    metrics_add(f->m, CALLS, 1, "a\"b\\c\nd", "", NULL);
    struct metrics_view view = read_file(f);
    char *text = text_of(&view, now_us());
    CHECK_HAS(text, "t_calls_total{variant=\"a\\\"b\\\\c\\nd\",agent=\"\"} 1\n");
    free(text);
    fixture_free(f);
}

TEST(unit_render, a_service_is_up_only_with_a_fresh_heartbeat)
{
    struct fixture *f = fixture_new();
    const char *why;

    struct metrics_view view = read_file(f);
    CHECK(!metrics_view_up(&view, now_us(), &why));
    CHECK_STR(why, "starting");
    metrics_heartbeat(f->m, false, "stream CALLS is missing");
    view = read_file(f);
    CHECK(!metrics_view_up(&view, now_us(), &why));
    CHECK_STR(why, "stream CALLS is missing");
    metrics_heartbeat(f->m, true, "");
    view = read_file(f);
    CHECK(metrics_view_up(&view, view.header->heartbeat_us + 4999999, &why));
    CHECK(!metrics_view_up(&view, view.header->heartbeat_us + 5000000, &why));
    CHECK_STR(why, "no heartbeat for 5 s");
    CHECK(!metrics_view_up(&view, view.header->heartbeat_us - 1, &why)); /* of another boot */
    fixture_free(f);
}

TEST(unit_render, without_a_file_the_service_is_down)
{
    struct metrics_view view = metrics_view(NULL, 0);
    char *text = text_of(&view, 1);

    CHECK_HAS(text, "rl_service_up{service=\"unit\"} 0\n");
    CHECK_INT(times(text, "# TYPE"), 1);
    free(text);
}

TEST(unit_render, a_file_that_lies_about_itself_is_not_read_beyond_its_end)
{
    struct fixture *f = fixture_new();
    struct metrics_view view = read_file(f);
    struct metrics_header *h = (struct metrics_header *)f->bytes, good = *h;

    CHECK(view.header && view.used == 1);
    h->magic[0] ^= 1;
    CHECK(!metrics_view(f->bytes, f->size).header);
    *h = good, h->layout++;
    CHECK(!metrics_view(f->bytes, f->size).header);
    *h = good, h->family_count = UINT32_MAX;
    CHECK(!metrics_view(f->bytes, f->size).header);
    *h = good, h->capacity++;
    CHECK(!metrics_view(f->bytes, f->size).header);
    *h = good, h->used = UINT32_MAX;
    CHECK_INT(metrics_view(f->bytes, f->size).used, good.capacity);
    *h = good;
    CHECK(!metrics_view(f->bytes, f->size - 1).header);
    CHECK(!metrics_view(f->bytes, 10).header);
    struct metrics_family *families = (struct metrics_family *)(h + 1);
    memset(families[0].name, 'x', sizeof families[0].name); /* does not end */
    memset(families[0].help, 'x', sizeof families[0].help);
    h->reason_slot = 77;
    view = metrics_view(f->bytes, f->size);
    free(text_of(&view, now_us()));
    families[0].cell = h->family_count + 1;
    CHECK(!metrics_view(f->bytes, f->size).header);
    families[0].cell = 0;
    families[0].label_count = 4;
    CHECK(!metrics_view(f->bytes, f->size).header);
    fixture_free(f);
}

static _Atomic bool stop;

static void *observe_until_stopped(void *arg)
{
    for (int i = 0; !atomic_load(&stop); i++)
        metrics_observe(arg, SECONDS, i % 4, "a", NULL, NULL);
    return NULL;
}

TEST(unit_render, a_reader_during_writes_never_sees_a_torn_histogram)
{
    struct fixture *f = fixture_new();
    char path[512];
    pthread_t writer;
    unsigned long long inf, count, last = 0;

    metrics_declare(f->m, SECONDS, "a", NULL, NULL);
    struct metrics_view view = read_file(f);
    snprintf(path, sizeof path, "%s/unit", test_dir());
    int fd = open(path, O_RDONLY);
    void *map = mmap(NULL, f->size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    atomic_store(&stop, false);
    pthread_create(&writer, NULL, observe_until_stopped, f->m);
    for (int i = 0; i < 200 && !test_failed(); i++) {
        view = metrics_view(map, f->size);
        char *text = text_of(&view, now_us());
        CHECK_INT(sscanf(strstr(text, "t_seconds_bucket{step=\"a\",le=\"+Inf\"}"), "%*s %llu", &inf), 1);
        CHECK_INT(sscanf(strstr(text, "t_seconds_count{"), "%*s %llu", &count), 1);
        CHECK(inf == count && count >= last);
        last = count;
        free(text);
    }
    atomic_store(&stop, true);
    pthread_join(writer, NULL);
    munmap(map, f->size);
    fixture_free(f);
}
