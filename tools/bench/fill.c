/* SPDX-License-Identifier: Apache-2.0 */
/* fill.c - a database of feedback with many calls, made by the service's own functions, and beside it one made by bare SQLite.
 *
 * Both take the same rows in the same transactions, by turns: ours keeps its records, counts and revisions as the
 * service does; the floor is the bare statement with everything prepared beforehand.  Then what a page and a chunk of
 * a cleanup cost the floor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench.h"
#include "codec.h"
#include "feedback_store.h"
#include "rng.h"
#include "service.h"

enum { BATCH = 2048, DAYS = 60, VARIANTS = 12, CHUNK = 200, CHUNKS = 40, PAGE = 100, PAGES = 200, DAY_S = 86400, TENTHS = 10 };
enum { RARE = 5000 }; /* one call in so many */

struct fill {
    struct bench *b;
    struct arena arena;
    struct feedback_store ours;
    struct store *store, *bare;
    struct rng rng;
    int64_t start_s; /* of the first call */
    long made;
    double ours_s, bare_s;
};

static void must(enum status status, const char *what)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "rl-bench: %s: %s\n", what, status_text(status));
    exit(1);
}

static struct store *open_file(struct fill *f, const char *name)
{
    const char *folder = arena_printf(&f->b->arena, "%s/rl", f->b->common.data_dir);
    struct store *store = NULL;
    struct reason reason;

    mkdir(f->b->common.data_dir, 0750);
    mkdir(folder, 0750);
    must(store_open(arena_printf(&f->b->arena, "%s/%s", folder, name), feedback_migrations, FEEDBACK_MIGRATIONS, &store, &reason),
         name);
    return store;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------------- */

typedef Tom__Rl__V1__PolicySelected__ProbabilitiesEntry ProbabilitiesEntry;
#define Probabilities_descriptor tom__rl__v1__policy_selected__probabilities_entry__descriptor
typedef Tom__Rl__V1__PolicySelected__ContextEntry ContextEntry;
#define Context_descriptor tom__rl__v1__policy_selected__context_entry__descriptor

static char *variant_id(struct arena *arena, unsigned number)
{
    return arena_printf(arena, "v%u%c", 1 + number / 2, 'a' + (int)(number % 2));
}

static char *profile(struct fill *f)
{
    static const char *const profiles[] = {"kfz", "it", "sales", "support"};

    return (char *)(f->made % RARE == RARE / 2 ? "rare" : profiles[rng_below(&f->rng, COUNT_OF(profiles))]);
}

static const PolicySelected *decision(struct fill *f, int64_t ts, unsigned variant)
{
    PolicySelected *m = codec_new(&f->arena, &tom__rl__v1__policy_selected__descriptor);

    m->decision_id = arena_printf(&f->arena, "%016llx%016llx", (unsigned long long)rng_next(&f->rng),
                                  (unsigned long long)rng_next(&f->rng));
    m->policy_variant = variant_id(&f->arena, variant);
    m->propensity = 1.0 / VARIANTS;
    m->policy_version = arena_str(&f->arena, "v1-0-498755-3f212098");
    m->guard_version = arena_str(&f->arena, "g1");
    m->source = TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_LEARNED;
    m->ts = (double)ts;
    m->context = arena_alloc(&f->arena, 2 * sizeof *m->context);
    MAP_ADD(&f->arena, m, context, Context, "profile", profile(f));
    MAP_ADD(&f->arena, m, context, Context, "time_of_day", (char *)"morning");
    m->probabilities = arena_alloc(&f->arena, VARIANTS * sizeof *m->probabilities);
    m->eligible = arena_alloc(&f->arena, VARIANTS * sizeof *m->eligible);
    for (unsigned i = 0; i < VARIANTS; i++) {
        m->eligible[m->n_eligible++] = variant_id(&f->arena, i);
        MAP_ADD(&f->arena, m, probabilities, Probabilities, m->eligible[i], 1.0 / VARIANTS);
    }
    return m;
}

static void end(struct fill *f, struct call *c, int64_t ts)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;
    End *e = codec_new(&f->arena, &tom__rl__v1__end__descriptor);

    s.has_resolution_case = TOM__RL__V1__SIGNALS__HAS_RESOLUTION_RESOLUTION;
    s.resolution = rng_below(&f->rng, 3) > 0;
    s.has_duration_sec_case = TOM__RL__V1__SIGNALS__HAS_DURATION_SEC_DURATION_SEC;
    s.duration_sec = (double)rng_below(&f->rng, 400);
    s.has_user_rating_case = rng_below(&f->rng, 5) < 2 ? TOM__RL__V1__SIGNALS__HAS_USER_RATING_USER_RATING : 0;
    s.user_rating = 1 + (int32_t)rng_below(&f->rng, 5);
    m.signals = &s;
    e->ts = ts - ts % 3600;
    e->agent = arena_str(&f->arena, "TOM");
    e->time_of_day = arena_str(&f->arena, "morning");
    e->arrived_us = ts * 1000000;
    e->sequence = (uint64_t)f->made;
    join_end(&f->arena, c->record, e, &m);
}

static struct call *next_call(struct fill *f)
{
    int64_t ts = f->start_s + (int64_t)((double)f->made / (double)f->b->calls * DAYS * DAY_S);
    struct call *c = arena_alloc(&f->arena, sizeof *c);

    for (size_t i = 0; i < sizeof c->key; i++)
        c->key[i] = (uint8_t)rng_next(&f->rng);
    c->day = (int32_t)(ts / DAY_S);
    c->record = codec_new(&f->arena, &tom__rl__v1__call_record__descriptor);
    c->record->key_id = arena_str(&f->arena, "k1");
    join_decision(&f->arena, c->record, decision(f, ts, (unsigned)rng_below(&f->rng, VARIANTS)), ts * 1000000);
    end(f, c, ts);
    f->made++;
    return c;
}

/* ---- both sides ------------------------------------------------------------------------------------------------------------ */

static void put_ours(struct fill *f, struct call **calls, size_t count)
{
    double start = bench_now();

    must(store_begin(f->store), "begin");
    for (size_t i = 0; i < count; i++) {
        struct call *c = calls[i];
        c->state = join_state(c->record, c->state);
        c->revision = feedback_store_next_revision(&f->ours, (wall_time){c->record->end->arrived_us});
        must(feedback_store_put(&f->ours, &f->arena, c), "insert");
        feedback_store_count(&f->ours, c->record, +1);
    }
    must(feedback_store_flush(&f->ours), "counts");
    must(store_commit(f->store), "commit");
    f->ours_s += bench_now() - start;
}

struct blob {
    const uint8_t *data;
    size_t size;
};

static void put_bare(struct fill *f, struct call **calls, const struct blob *records, size_t count)
{
    double start = bench_now();
    struct query *q = store_query(f->bare, "INSERT INTO call(revision, ts, variant, state, waiting_us, record, day, call_key,"
                                         " profile) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");

    must(store_begin(f->bare), "begin");
    for (size_t i = 0; i < count; i++) {
        const struct call *c = calls[i];
        query_bind_int(q, 1, c->revision);
        query_bind_int(q, 2, c->record->end->ts);
        query_bind_text(q, 3, c->record->decision->policy_variant);
        query_bind_int(q, 4, CALL_STORED);
        query_bind_int(q, 5, 0);
        query_bind_blob(q, 6, records[i].data, records[i].size);
        query_bind_int(q, 7, c->day);
        query_bind_blob(q, 8, c->key, sizeof c->key);
        query_bind_text(q, 9, join_profile(c->record));
        must(query_run(q, NULL), "insert");
    }
    must(store_commit(f->bare), "commit");
    f->bare_s += bench_now() - start;
}

/* The two go first by turns: neither always finds what the other left to the disk. */
static void put_both(struct fill *f, bool bare_first)
{
    struct call *calls[BATCH];
    struct blob records[BATCH];
    size_t count = 0;

    arena_reset(&f->arena);
    for (; count < BATCH && f->made < f->b->calls; count++) {
        calls[count] = next_call(f);
        codec_encode(&f->arena, &calls[count]->record->base, false, &records[count].data, &records[count].size);
    }
    if (bare_first)
        put_bare(f, calls, records, count);
    put_ours(f, calls, count);
    if (!bare_first)
        put_bare(f, calls, records, count);
}

/* The service would say again all that it does not know to be said. */
static void mark_published(struct fill *f)
{
    struct query *q;

    must(query_run(store_query(f->store, "CREATE TABLE IF NOT EXISTS rl_loop(name TEXT PRIMARY KEY, value INTEGER NOT NULL,"
                                         " time_us INTEGER NOT NULL)"), NULL),
         "rl_loop");
    q = store_query(f->store, "INSERT OR REPLACE INTO rl_loop(name, value, time_us) VALUES('published', ?, 0)");
    query_bind_int(q, 1, f->ours.last_revision);
    must(query_run(q, NULL), "published");
}

/* ---- the floor's page and chunk -------------------------------------------------------------------------------------------- */

static double bare_page(struct fill *f)
{
    struct query *q = store_query(f->bare, "SELECT " FEEDBACK_COLUMNS " FROM call WHERE state = 6 AND variant = ? AND profile ="
                                                                      " 'it' ORDER BY ts DESC, id DESC LIMIT ?");
    double start = bench_now();
    bool row;

    for (int i = 0; i < PAGES; i++) {
        query_bind_text(q, 1, i % 2 ? "v1a" : "v4b");
        query_bind_int(q, 2, PAGE);
        do
            must(query_step(q, &row), "page");
        while (row);
    }
    return (bench_now() - start) / PAGES;
}

static double bare_chunk(struct fill *f)
{
    struct query *q = store_query(f->bare,
                                  "DELETE FROM call WHERE id IN (SELECT id FROM call WHERE day < ? ORDER BY id LIMIT ?)");
    double start = bench_now();

    for (int i = 0; i < CHUNKS; i++) {
        must(store_begin(f->bare), "begin");
        query_bind_int(q, 1, INT32_MAX);
        query_bind_int(q, 2, CHUNK);
        must(query_run(q, NULL), "chunk");
        must(store_commit(f->bare), "commit");
    }
    return (bench_now() - start) / CHUNKS;
}

/* From empty to full: each tenth of the rows, per second. */
static void print_tenths(const char *name, const double *rate)
{
    printf("tenths %s last/first %.2f", name, rate[TENTHS - 1] / rate[0]);
    for (int i = 0; i < TENTHS; i++)
        printf(" %.0f", rate[i]);
    putchar('\n');
}

int bench_fill(struct bench *b)
{
    struct fill f = {.b = b, .rng = rng_seed(1), .start_s = clk_real.wall(NULL).us / 1000000 - DAYS * DAY_S};

    f.store = open_file(&f, "feedback.db");
    f.bare = open_file(&f, "bare.db");
    must(feedback_store_open(&f.ours, f.store), "feedback.db");
    double part_ours[TENTHS], part_bare[TENTHS];
    for (long batch = 0, part = 0; part < TENTHS; part++) {
        double ours = f.ours_s, bare = f.bare_s;
        for (long until = b->calls / TENTHS * (part + 1); f.made < until; batch++)
            put_both(&f, batch % 2);
        part_ours[part] = (double)(b->calls / TENTHS) / (f.ours_s - ours);
        part_bare[part] = (double)(b->calls / TENTHS) / (f.bare_s - bare);
    }
    mark_published(&f);
    double page = bare_page(&f), chunk = bare_chunk(&f);
    printf("fill rows %ld ours %.0f bare %.0f page %.1f chunk %.2f\n", f.made, (double)f.made / f.ours_s,
           (double)f.made / f.bare_s, page * 1e6, chunk * 1e3);
    print_tenths("ours", part_ours);
    print_tenths("bare", part_bare);
    feedback_store_close(&f.ours);
    store_close(f.store);
    store_close(f.bare);
    arena_done(&f.arena);
    return 0;
}
