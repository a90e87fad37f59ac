/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - the writer of the metrics file; see metrics_file.h for what lies where.
 *
 * A series is found through a hash table in private memory, without a lock; only its creation takes one. */
#include "metrics.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "metrics_file.h"

enum { SERIES_LIMIT = 4096, SLOTS = 4 * SERIES_LIMIT };

struct metrics {
    struct metrics_header *header;
    struct metrics_family *families;
    struct metrics_series *series;
    size_t size; /* of the mapping */
    pthread_mutex_t creating;
    _Atomic uint32_t slots[SLOTS]; /* series index + 1; 0 free */
};

/* What identifies a series. */
struct key {
    uint32_t family;
    uint64_t hash;
    char values[METRIC_LABELS][METRIC_LABEL_SIZE];
};

/* --- finding a series ------------------------------------------------------------------------------------------------------- */

/* Copies a label value, cut at a character's border when it is too long, and mixes it into the hash (FNV-1a). */
static uint64_t take_value(char to[static METRIC_LABEL_SIZE], const char *value, uint64_t hash)
{
    size_t n = value ? strnlen(value, METRIC_LABEL_SIZE) : 0;

    if (n == METRIC_LABEL_SIZE)
        for (n--; n > 0 && ((unsigned char)value[n] & 0xc0) == 0x80;)
            n--;
    for (size_t i = 0; i < n; i++) {
        to[i] = value[i];
        hash = (hash ^ (unsigned char)value[i]) * UINT64_C(0x100000001b3);
    }
    to[n] = '\0';
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

static void key_init(struct key *key, const struct metrics *m, size_t metric, const char *const values[METRIC_LABELS])
{
    assert(metric < m->header->family_count);
    key->family = (uint32_t)metric;
    key->hash = (UINT64_C(0xcbf29ce484222325) ^ metric) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < METRIC_LABELS; i++)
        key->hash = take_value(key->values[i], i < m->families[metric].label_count ? values[i] : NULL, key->hash);
}

static bool key_is(const struct key *key, const struct metrics_series *s)
{
    return s->family == key->family && strcmp(s->values[0], key->values[0]) == 0 && strcmp(s->values[1], key->values[1]) == 0 &&
           strcmp(s->values[2], key->values[2]) == 0;
}

/* The series, or NULL and in *ret_slot where it would stand.  The table is at most a quarter full. */
static struct metrics_series *look_up(const struct metrics *m, const struct key *key, size_t *ret_slot)
{
    size_t slot = (key->hash ^ key->hash >> 32) % SLOTS;

    for (uint32_t at; (at = atomic_load_explicit(&m->slots[slot], memory_order_acquire)); slot = (slot + 1) % SLOTS)
        if (key_is(key, &m->series[at - 1]))
            return &m->series[at - 1];
    *ret_slot = slot;
    return NULL;
}

static struct metrics_series *append(struct metrics *m, const struct key *key, size_t slot)
{
    uint32_t used = atomic_load_explicit(&m->header->used, memory_order_relaxed);
    struct metrics_series *s = &m->series[used];

    assert(used < m->header->capacity);
    s->family = key->family;
    /* The texts and no more: what lies behind them on the stack is nobody's business. */
    for (size_t i = 0; i < METRIC_LABELS; i++)
        memcpy(s->values[i], key->values[i], strlen(key->values[i]));
    atomic_store_explicit(&m->header->used, used + 1, memory_order_release);
    atomic_store_explicit(&m->slots[slot], used + 1, memory_order_release);
    return s;
}

/* Finds or makes it.  Beyond the limit a family's new series share one; there is room for one such per family. */
static struct metrics_series *series_of(struct metrics *m, size_t metric, const char *l1, const char *l2, const char *l3)
{
    struct key key;
    size_t slot;

    key_init(&key, m, metric, (const char *const[METRIC_LABELS]){l1, l2, l3});
    struct metrics_series *s = look_up(m, &key, &slot);
    if (s)
        return s;
    pthread_mutex_lock(&m->creating);
    s = look_up(m, &key, &slot);
    if (!s && atomic_load_explicit(&m->header->used, memory_order_relaxed) >= SERIES_LIMIT) {
        key_init(&key, m, metric, (const char *const[METRIC_LABELS]){"other", "other", "other"});
        s = look_up(m, &key, &slot);
    }
    if (!s)
        s = append(m, &key, slot);
    pthread_mutex_unlock(&m->creating);
    return s;
}

/* --- the file --------------------------------------------------------------------------------------------------------------- */

static void write_text(char *to, size_t room, const char *text)
{
    int n = snprintf(to, room, "%s", text);

    assert(n >= 0 && (size_t)n < room);
}

static void write_family(struct metrics_family *f, const struct metric *metric)
{
    write_text(f->name, sizeof f->name, metric->name);
    write_text(f->help, sizeof f->help, metric->help);
    f->type = metric->type;
    for (; f->label_count < METRIC_LABELS && metric->labels[f->label_count]; f->label_count++)
        write_text(f->labels[f->label_count], METRIC_LABEL_SIZE, metric->labels[f->label_count]);
    assert(metric->bound_count <= METRIC_BOUNDS);
    f->bound_count = (uint32_t)metric->bound_count;
    memcpy(f->bounds, metric->bounds, sizeof f->bounds);
    for (size_t i = 1; i < metric->bound_count; i++)
        assert(f->bounds[i] > f->bounds[i - 1]);
}

static void write_cell(struct metrics *m, size_t at, const char *counts)
{
    for (uint32_t i = 0; i < m->header->family_count && counts; i++)
        if (strcmp(m->families[i].name, counts) == 0)
            m->families[at].cell = i + 1;
    assert(!counts || m->families[at].cell);
}

/* Names are looked up when all of them are there. */
static void write_families(struct metrics *m, const struct metric_table *tables, size_t count)
{
    size_t at = 0;

    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++)
            write_family(&m->families[at++], &tables[t].metrics[i]);
    for (size_t i = 0; i < at; i++)
        for (size_t j = 0; j < i; j++)
            assert(strcmp(m->families[i].name, m->families[j].name) != 0);
    at = 0;
    for (size_t t = 0; t < count; t++)
        for (size_t i = 0; i < tables[t].count; i++)
            write_cell(m, at++, tables[t].metrics[i].cell);
}

/* `size` zeros.  A file's blocks are allocated now: a full tmpfs would kill the writer later. */
static void *map_zeros(const char *path, size_t size)
{
    if (!path)
        return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return MAP_FAILED;
    int error = posix_fallocate(fd, 0, (off_t)size);
    void *map = error == 0 ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    error = error ? error : errno;
    close(fd);
    errno = error;
    return map;
}

static struct metrics *metrics_map(const char *path, uint32_t families)
{
    uint32_t capacity = SERIES_LIMIT + families;
    size_t size = sizeof(struct metrics_header) + families * sizeof(struct metrics_family) +
                  capacity * sizeof(struct metrics_series);
    struct metrics_header *h = map_zeros(path, size);

    if (h == MAP_FAILED)
        return NULL;
    *h = (struct metrics_header){.magic = METRICS_MAGIC, .layout = METRICS_LAYOUT, .family_size = sizeof(struct metrics_family),
                                 .series_size = sizeof(struct metrics_series), .family_count = families, .capacity = capacity,
                                 .reasons = {"starting"}};
    struct metrics *m = xcalloc(1, sizeof *m);
    m->header = h;
    m->size = size;
    pthread_mutex_init(&m->creating, NULL);
    m->families = (struct metrics_family *)(h + 1);
    m->series = (struct metrics_series *)(m->families + families);
    return m;
}

enum status metrics_open(const char *dir, const char *service, const char *version, const struct metric_table *tables,
                         size_t count, struct metrics **ret, struct reason *reason)
{
    char path[512] = "", temporary[520] = "";
    size_t families = 0;

    for (size_t i = 0; i < count; i++)
        families += tables[i].count;
    if (dir && snprintf(path, sizeof path, "%s/%s", dir, service) >= (int)sizeof path)
        return reason_fail(reason, STATUS_STORE, "", "%.100s...: the path is too long", dir);
    if (dir)
        mkdir(dir, 0755); /* a failure shows in the next step */
    snprintf(temporary, sizeof temporary, "%s.new", path);
    struct metrics *m = metrics_map(dir ? temporary : NULL, (uint32_t)families);
    if (!m)
        return reason_fail(reason, STATUS_STORE, "", "%s: %s", temporary, strerror(errno));
    write_text(m->header->service, sizeof m->header->service, service);
    write_text(m->header->version, sizeof m->header->version, version);
    write_families(m, tables, count);
    if (dir && rename(temporary, path) != 0) {
        reason_fail(reason, STATUS_STORE, "", "%s: %s", path, strerror(errno));
        metrics_close(m);
        return STATUS_STORE;
    }
    *ret = m;
    return STATUS_OK;
}

void metrics_min_cell(struct metrics *m, int64_t calls)
{
    assert(calls >= 0 && calls <= UINT32_MAX);
    atomic_store_explicit(&m->header->min_cell, (uint32_t)calls, memory_order_relaxed);
}

struct metrics *metrics_close(struct metrics *m)
{
    if (!m)
        return NULL;
    metrics_heartbeat(m, false, "stopped");
    munmap(m->header, m->size);
    pthread_mutex_destroy(&m->creating);
    free(m);
    return NULL;
}

/* --- numbers ---------------------------------------------------------------------------------------------------------------- */

void metrics_declare(struct metrics *m, size_t metric, const char *l1, const char *l2, const char *l3)
{
    (void)series_of(m, metric, l1, l2, l3);
}

static void add_sum(struct metrics_series *s, double value)
{
    assert(isfinite(value));
    atomic_fetch_add_explicit(&s->sum, llround(value * METRICS_PER_UNIT), memory_order_relaxed);
}

void metrics_add(struct metrics *m, size_t metric, double value, const char *l1, const char *l2, const char *l3)
{
    assert(m->families[metric].type == METRIC_COUNTER && value >= 0);
    add_sum(series_of(m, metric, l1, l2, l3), value);
}

void metrics_set(struct metrics *m, size_t metric, double value, const char *l1, const char *l2, const char *l3)
{
    uint64_t bits;

    assert(m->families[metric].type == METRIC_GAUGE);
    memcpy(&bits, &value, sizeof bits);
    atomic_store_explicit(&series_of(m, metric, l1, l2, l3)->cells[0], bits, memory_order_relaxed);
}

void metrics_observe(struct metrics *m, size_t metric, double value, const char *l1, const char *l2, const char *l3)
{
    const struct metrics_family *f = &m->families[metric];
    struct metrics_series *s = series_of(m, metric, l1, l2, l3);
    size_t cell = 0;

    assert(f->type == METRIC_HISTOGRAM);
    while (cell < f->bound_count && value > f->bounds[cell])
        cell++;
    atomic_fetch_add_explicit(&s->cells[cell], 1, memory_order_relaxed);
    add_sum(s, value);
}

void metrics_heartbeat(struct metrics *m, bool ready, const char *reason)
{
    struct metrics_header *h = m->header;
    uint32_t shown = atomic_load_explicit(&h->reason_slot, memory_order_relaxed);
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (strncmp(h->reasons[shown], reason, METRICS_REASON_SIZE - 1) != 0) {
        snprintf(h->reasons[!shown], METRICS_REASON_SIZE, "%s", reason);
        atomic_store_explicit(&h->reason_slot, !shown, memory_order_release);
    }
    atomic_store_explicit(&h->ready, ready, memory_order_relaxed);
    atomic_store_explicit(&h->heartbeat_us, now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000, memory_order_release);
}

double metrics_get(const struct metrics *m, size_t metric, const char *l1, const char *l2, const char *l3)
{
    struct key key;
    size_t slot;
    double gauge;
    uint64_t count = 0;

    key_init(&key, m, metric, (const char *const[METRIC_LABELS]){l1, l2, l3});
    const struct metrics_series *s = look_up(m, &key, &slot);
    if (!s)
        return 0;
    if (m->families[metric].type == METRIC_COUNTER)
        return (double)atomic_load(&s->sum) / METRICS_PER_UNIT;
    for (size_t i = 0; i <= METRIC_BOUNDS; i++)
        count += atomic_load(&s->cells[i]);
    memcpy(&gauge, &count, sizeof gauge); /* a gauge has only its first cell */
    return m->families[metric].type == METRIC_GAUGE ? gauge : (double)count;
}
