/* SPDX-License-Identifier: Apache-2.0 */
/* running_new.c - a running service comes and goes. */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "running.h"

/* Where the loop stands, in the service's own database: `published` and one row per consumer. */
static enum status load_progress(struct running *run)
{
    struct query *q;
    bool row = false;
    enum status status = query_run(store_query(run->store, "CREATE TABLE IF NOT EXISTS rl_loop("
                                                           "name TEXT PRIMARY KEY, value INTEGER NOT NULL,"
                                                           " time_us INTEGER NOT NULL)"), NULL);
    if (status != STATUS_OK)
        return status;
    q = store_query(run->store, "SELECT name, value, time_us FROM rl_loop");
    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        if (strcmp(query_text(q, 0), "published") == 0)
            run->floor = run->stored_floor = query_int(q, 1);
        for (size_t c = 0; c < CONSUMER_COUNT; c++)
            if (strcmp(query_text(q, 0), consumer_table[c].durable) == 0)
                run->positions[c] = (struct bus_position){.sequence = (uint64_t)query_int(q, 1), .time_us = query_int(q, 2)};
    }
    return status;
}

/* One committed row before the bus is bound: a full disk ends the process before it costs a delivery. */
static enum status prove_writable(struct running *run)
{
    enum status status = store_begin(run->store);

    if (status != STATUS_OK)
        return status;
    struct query *q = store_query(run->store, "INSERT OR REPLACE INTO rl_loop(name, value, time_us) VALUES('started', ?, ?)");
    int64_t now = run->clk.wall(run->clk.ctx).us;
    query_bind_int(q, 1, now);
    query_bind_int(q, 2, now);
    status = query_run(q, NULL);
    return status == STATUS_OK ? store_commit(run->store) : status;
}

static enum status open_database(struct running *run, struct reason *reason)
{
    const struct service *s = run->service;

    if (!s->migrations)
        return STATUS_OK;
    enum status status = store_open(run->setup.database, s->migrations, s->migration_count, &run->store, reason);
    if (status == STATUS_OK && (status = load_progress(run)) == STATUS_OK)
        status = prove_writable(run);
    if (status == STATUS_STORE)
        reason_fail(reason, status, run->setup.database, "cannot be written");
    return status;
}

static enum status open_service(struct running *run, struct reason *reason)
{
    const struct running_setup *u = &run->setup;
    const struct metric_table tables[] = {{common_metrics, METRIC_COMMON_COUNT},
                                          {run->service->metrics, run->service->metric_count}};
    enum status status = metrics_open(u->metrics_dir, run->service->name, RL_VERSION, tables, 2, &run->metrics, reason);

    if (status != STATUS_OK)
        return status;
    metrics_min_cell(run->metrics, u->common->min_cell_size);
    running_declare_metrics(run);
    struct service_env env = {.common = u->common, .variants = u->variants, .store = run->store, .metrics = run->metrics,
                              .clk = run->clk, .key_file = u->key_file, .published = run->floor};
    return run->service->open ? run->service->open(run->state, &env, reason) : STATUS_OK;
}

static enum status start_bus(struct running *run, void (*on_immediate)(void *, const struct bus_event *), struct reason *reason)
{
    enum subject subjects[SUBJECT_COUNT];
    struct bus_setup setup = {.service = run->service->name, .subjects = subjects, .subject_count = run->service->handle_count,
                              .immediate = SUBJECT_COUNT, .on_immediate = on_immediate, .ctx = run,
                              .has_database = run->store != NULL, .history_s = run->service->history_s};

    for (size_t i = 0; i < run->service->handle_count; i++) {
        subjects[i] = run->service->handles[i].subject;
        if (run->service->handles[i].mode == HANDLE_IMMEDIATE)
            setup.immediate = subjects[i];
    }
    memcpy(setup.positions, run->positions, sizeof setup.positions);
    return run->bus->ops->start(run->bus, &setup, reason);
}

static struct running *prepare(const struct running_setup *setup)
{
    struct running *run = xcalloc(1, sizeof *run);

    run->setup = *setup;
    run->service = setup->service;
    run->bus = setup->bus;
    run->clk = setup->clk;
    run->state = setup->state;
    run->batches = xcalloc(OPEN_BATCHES, sizeof *run->batches);
    run->held = xcalloc(HELD_LIMIT, sizeof *run->held);
    run->caught_up = setup->service->history_s == 0;
    run->last_tick = run->clk.mono(run->clk.ctx);
    pthread_mutex_init(&run->lock, NULL);
    return run;
}

enum status running_new(const struct running_setup *setup, struct running **ret, struct reason *reason)
{
    struct running *run = prepare(setup);
    enum status status = open_database(run, reason);

    if (status == STATUS_OK)
        status = open_service(run, reason);
    if (status == STATUS_OK) {
        run->opened = true;
        status = start_bus(run, running_immediate, reason);
    }
    if (status == STATUS_OK)
        *ret = run;
    else
        running_free(run);
    return status;
}

static void free_batches(struct running *run)
{
    for (size_t i = 0; i < OPEN_BATCHES; i++) {
        struct batch *b = &run->batches[i];
        run->bus->ops->release(run->bus, b->inputs, b->input_count);
        outbox_done(&b->out);
        arena_done(&b->arena);
    }
    free(run->batches);
}

struct running *running_free(struct running *run)
{
    if (!run)
        return NULL;
    run->bus->ops->drain(run->bus);
    if (run->opened && run->service->close)
        run->service->close(run->state);
    free_batches(run);
    run->bus->ops->release(run->bus, run->waiting + run->waiting_from, run->waiting_count - run->waiting_from);
    for (size_t i = 0; i < HELD_LIMIT; i++)
        free(run->held[i]);
    free(run->held);
    outbox_done(&run->immediate);
    outbox_done(&run->read);
    arena_done(&run->immediate_arena);
    arena_done(&run->read_arena);
    run->metrics = metrics_close(run->metrics);
    run->store = store_close(run->store);
    pthread_mutex_destroy(&run->lock);
    free(run);
    return NULL;
}
