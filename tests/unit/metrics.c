/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - tests of the metrics that a service writes. */
#include "metrics.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics_file.h"
#include "test.h"

enum { CALLS, LAG, REWARD, PLAIN };

static const struct metric first_table[] = {
    {.name = "t_calls_total", .type = METRIC_COUNTER, .help = "Calls.", .labels = {"variant", "profile"}},
    {.name = "t_lag", .type = METRIC_GAUGE, .help = "Lag.", .labels = {"consumer"}},
};
static const struct metric second_table[] = {
    {.name = "t_reward", .type = METRIC_HISTOGRAM, .help = "Reward.", .labels = {"variant"}, .bounds = {-1, 0, 0.5, 1},
     .bound_count = 4},
    {.name = "t_plain_total", .type = METRIC_COUNTER, .help = "No labels."},
};
static const struct metric_table tables[] = {{first_table, 2}, {second_table, 2}};

static struct metrics *metrics_in(const char *dir)
{
    struct metrics *m = NULL;
    struct reason reason = {0};

    if (metrics_open(dir, "unit", "1.0", tables, 2, &m, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s", reason.text);
    return m;
}

static const struct metrics_header *map_file(const char *dir, size_t *ret_size)
{
    char path[512];
    struct stat st = {0};

    snprintf(path, sizeof path, "%s/unit", dir);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &st) == 0);
    *ret_size = (size_t)st.st_size;
    void *map = mmap(NULL, *ret_size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    return map;
}

TEST(unit_metrics, each_type_counts_in_its_own_way)
{
    struct metrics *m = metrics_in(NULL);

    metrics_add(m, CALLS, 1, "v1a", "kfz", "ignored");
    metrics_add(m, CALLS, 2.5, "v1a", "kfz", NULL);
    metrics_set(m, LAG, 7, "bandit", NULL, NULL);
    metrics_set(m, LAG, -0.25, "bandit", NULL, NULL);
    metrics_observe(m, REWARD, -3, "v1a", NULL, NULL);
    metrics_observe(m, REWARD, 9, "v1a", NULL, NULL);
    metrics_add(m, PLAIN, 1, NULL, NULL, NULL);
    CHECK(metrics_get(m, CALLS, "v1a", "kfz", NULL) == 3.5);
    CHECK(metrics_get(m, LAG, "bandit", NULL, NULL) == -0.25);
    CHECK(metrics_get(m, REWARD, "v1a", NULL, NULL) == 2);
    CHECK(metrics_get(m, PLAIN, NULL, NULL, NULL) == 1);
    CHECK(metrics_get(m, CALLS, "v1a", "it", NULL) == 0);
    metrics_close(m);
}

TEST(unit_metrics, labels_that_only_look_alike_are_different_series)
{
    struct metrics *m = metrics_in(NULL);

    metrics_add(m, CALLS, 1, "ab", "c", NULL);
    metrics_add(m, CALLS, 2, "a", "bc", NULL);
    metrics_add(m, CALLS, 4, "", "abc", NULL);
    CHECK(metrics_get(m, CALLS, "ab", "c", NULL) == 1);
    CHECK(metrics_get(m, CALLS, "a", "bc", NULL) == 2);
    CHECK(metrics_get(m, CALLS, NULL, "abc", NULL) == 4);
    metrics_close(m);
}

TEST(unit_metrics, a_long_label_is_cut_between_characters)
{
    char label[64];
    size_t size;
    struct metrics *m = metrics_in(test_dir());
    const struct metrics_header *h = map_file(test_dir(), &size);

    memset(label, 'x', sizeof label);
    memcpy(label + 46, "\u00e4\u00e4", sizeof "\u00e4\u00e4"); /* the first would be cut in half at 47 */
    metrics_set(m, LAG, 3, label, NULL, NULL);
    CHECK(metrics_get(m, LAG, label, NULL, NULL) == 3);
    const struct metrics_series *s = (const void *)((const struct metrics_family *)(h + 1) + h->family_count);
    CHECK_INT(strlen(s[h->used - 1].values[0]), 46);
    munmap((void *)h, size);
    metrics_close(m);
}

TEST(unit_metrics, series_beyond_the_limit_go_into_other_and_nothing_is_lost)
{
    struct metrics *m = metrics_in(NULL);
    char label[32];

    for (int i = 0; i < 10000; i++) {
        snprintf(label, sizeof label, "v%d", i);
        metrics_add(m, CALLS, 1, label, "kfz", NULL);
    }
    double other = metrics_get(m, CALLS, "other", "other", NULL), sum = other;
    for (int i = 0; i < 10000; i++) {
        snprintf(label, sizeof label, "v%d", i);
        sum += metrics_get(m, CALLS, label, "kfz", NULL);
    }
    CHECK(other > 0 && other < 10000);
    CHECK(sum == 10000);
    metrics_observe(m, REWARD, 1, "late", NULL, NULL); /* every family has room for its own `other` */
    metrics_set(m, LAG, 5, "late", NULL, NULL);
    CHECK(metrics_get(m, REWARD, "other", NULL, NULL) == 1);
    CHECK(metrics_get(m, LAG, "other", NULL, NULL) == 5);
    metrics_close(m);
}

static void *add_many(void *arg)
{
    struct metrics *m = arg;
    char label[8];

    for (int i = 0; i < 100000; i++) {
        snprintf(label, sizeof label, "v%d", i % 50);
        metrics_add(m, CALLS, 1, label, "kfz", NULL);
        metrics_observe(m, REWARD, 0.25, label, NULL, NULL);
    }
    return NULL;
}

TEST(unit_metrics, two_threads_adding_lose_nothing)
{
    struct metrics *m = metrics_in(NULL);
    pthread_t other;
    double calls = 0, rewards = 0;
    char label[8];

    pthread_create(&other, NULL, add_many, m);
    add_many(m);
    pthread_join(other, NULL);
    for (int i = 0; i < 50; i++) {
        snprintf(label, sizeof label, "v%d", i);
        calls += metrics_get(m, CALLS, label, "kfz", NULL);
        rewards += metrics_get(m, REWARD, label, NULL, NULL);
    }
    CHECK(calls == 200000);
    CHECK(rewards == 200000);
    metrics_close(m);
}

TEST(unit_metrics, a_mapped_reader_survives_a_new_start)
{
    size_t size, new_size;
    struct metrics *m = metrics_in(test_dir());

    metrics_add(m, PLAIN, 3, NULL, NULL, NULL);
    const struct metrics_header *old = map_file(test_dir(), &size);
    metrics_close(m);
    m = metrics_in(test_dir());
    const struct metrics_header *new = map_file(test_dir(), &new_size);
    const struct metrics_series *before = (const void *)((const struct metrics_family *)(old + 1) + old->family_count);
    const struct metrics_series *after = (const void *)((const struct metrics_family *)(new + 1) + new->family_count);
    CHECK_INT(before[0].sum, 3000000);
    CHECK_INT(after[0].sum, 0);
    CHECK_INT(((const volatile char *)old)[size - 1], 0); /* all of it is still there */
    munmap((void *)old, size);
    munmap((void *)new, new_size);
    metrics_close(m);
}

TEST(unit_metrics, a_folder_that_cannot_be_written_is_named)
{
    struct metrics *m = NULL;
    struct reason reason;

    CHECK_INT(metrics_open("/proc/none/here", "unit", "1.0", tables, 2, &m, &reason), STATUS_STORE);
    CHECK(strstr(reason.text, "/proc/none/here/unit"));
}

/* What an earlier call leaves behind on the stack: an id, say. */
static __attribute__((noinline)) void leave_on_the_stack(void)
{
    volatile char secret[4096];

    for (size_t i = 0; i < sizeof secret; i++)
        secret[i] = 'Z';
}

TEST(unit_metrics, nothing_but_labels_and_numbers_lies_in_the_file)
{
    struct metrics *m = metrics_in(test_dir());
    size_t size = 0;

    for (int i = 0; i < 20; i++) {
        char label[8];
        snprintf(label, sizeof label, "v%da", i);
        leave_on_the_stack();
        metrics_add(m, CALLS, 1, label, "kfz", NULL);
    }
    const struct metrics_header *header = map_file(test_dir(), &size);
    CHECK(!memmem(header, size, "ZZZZ", 4));
    munmap((void *)header, size);
    metrics_close(m);
}
