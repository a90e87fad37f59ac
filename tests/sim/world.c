/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - builds, runs, kills and revives the services. */
#include "world.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "test.h"

extern const struct service feedback_service, reward_service, bandit_service, guard_service, router_service;

static const struct service *const services[WORLD_SERVICES] = {&feedback_service, &reward_service, &bandit_service,
                                                                &guard_service, &router_service};

static bool fault(void *ctx, enum loop_step step)
{
    struct world_life *life = ctx;

    if (life->countdown && step == life->step && --life->countdown == 0)
        return true;
    return life->world->death_rate > 0 && rng_uniform(&life->world->rng) < life->world->death_rate;
}

static const char *database(const struct world *w, int i)
{
    return arena_printf(&((struct world *)w)->arena, "file:/rl-sim-%llu-%s?vfs=memdb", (unsigned long long)w->number,
                        services[i]->name);
}

static void load_config(struct world *w, int i)
{
    const struct config_table tables[] = {{common_keys, common_key_count, &w->common},
                                          {services[i]->keys, services[i]->key_count, w->lives[i].state}};
    struct reason reason;

    if (config_load(&w->arena, tables, 2, w->config, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", reason.field, reason.text);
}

static void start(struct world *w, int i)
{
    struct world_life *life = &w->lives[i];
    struct reason reason = {0};

    life->state = xcalloc(1, services[i]->state_size);
    load_config(w, i);
    life->bus = sim_bus_new(w->sim);
    struct running_setup setup = {.service = services[i], .state = life->state, .common = &w->common, .variants = &w->variants,
                                  .database = services[i]->migrations ? database(w, i) : NULL, .key_file = w->key_file,
                                  .bus = life->bus, .clk = sim_clk(w->sim), .fault = fault, .fault_ctx = life};
    w->common.data_dir = test_dir();
    if (running_new(&setup, &life->running, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s does not start: %s: %s", services[i]->name, reason.field, reason.text);
}

void world_kill(struct world *w, enum world_service service)
{
    struct world_life *life = &w->lives[service];

    life->running = running_free(life->running);
    life->bus = sim_bus_free(life->bus);
    free(life->state);
    life->state = NULL;
    life->again_us = sim_now_us(w->sim) + 500000;
    life->deaths++;
}

void world_configure(struct world *w, const char *text)
{
    const char *path = arena_printf(&w->arena, "%s/rl.yaml", test_dir());
    FILE *f = fopen(path, "we");

    assert(f);
    fputs(text, f);
    fclose(f);
    w->config = path;
    for (int i = 0; i < WORLD_SERVICES; i++)
        if (w->lives[i].running)
            world_kill(w, (enum world_service)i);
}

void world_arm(struct world *w, enum world_service service, enum loop_step step, int countdown)
{
    w->lives[service].step = step;
    w->lives[service].countdown = countdown;
}

/* Turns until nobody has anything left to do at this moment. */
static void turn_all(struct world *w)
{
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < WORLD_SERVICES; i++) {
            struct world_life *life = &w->lives[i];
            if (!life->running && sim_now_us(w->sim) >= life->again_us)
                start(w, i);
            if (!life->running)
                continue;
            enum status status = running_turn(life->running, (mono_time){sim_now_us(w->sim)});
            if (status != STATUS_OK && status != STATUS_CRASHED)
                test_fail(__FILE__, __LINE__, "%s: %s", services[i]->name, status_text(status));
            if (status != STATUS_OK)
                world_kill(w, (enum world_service)i);
        }
}

void world_run(struct world *w, int64_t us)
{
    int64_t end = sim_now_us(w->sim) + us;

    while (sim_now_us(w->sim) < end && !test_failed()) {
        int64_t step = sim_now_us(w->sim) + 20000;
        sim_advance(w->sim, step < end ? step : end);
        turn_all(w);
    }
}

void world_sleep(struct world *w, int64_t seconds)
{
    int64_t end = sim_now_us(w->sim) + seconds * SECOND_US;

    while (sim_now_us(w->sim) < end)
        sim_advance(w->sim, end);
}

void world_calm(struct world *w)
{
    w->death_rate = 0;
    for (int i = 0; i < WORLD_SERVICES; i++)
        world_arm(w, (enum world_service)i, STEP_TAKEN, 0);
    sim_set_chaos(w->sim, NULL);
    world_run(w, 25 * SECOND_US);
}

int64_t world_number(struct world *w, enum world_service service, const char *sql)
{
    struct query *q = store_query(w->keepers[service], sql);
    bool row = false;

    CHECK_INT(query_step(q, &row), STATUS_OK);
    int64_t n = row ? query_int(q, 0) : -1;
    query_reset(q);
    return n;
}

const ProtobufCMessage *world_ask(struct world *w, enum subject subject, const ProtobufCMessage *request)
{
    for (int attempt = 0; attempt < 60 && !test_failed(); attempt++) {
        uint64_t number = sim_request(w->sim, subject, request);
        for (int i = 0; i < 100; i++) {
            const ProtobufCMessage *reply = sim_reply(w->sim, number);
            if (reply)
                return reply;
            world_run(w, 10000);
        }
    }
    test_fail(__FILE__, __LINE__, "%s was never answered", subject_table[subject].name);
    return NULL;
}

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

#define KEY_1 "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define KEY_2 "k2 f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static const char *write_keys(struct world *w)
{
    const char *path = arena_printf(&w->arena, "%s/pseudonym.keys", test_dir());
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert(fd >= 0);
    dprintf(fd, KEY_1);
    close(fd);
    return path;
}

void world_rotate(struct world *w, bool keep)
{
    FILE *f = fopen(w->key_file, "we");

    assert(f);
    fprintf(f, KEY_2 " %lld\n%s", (long long)(sim_now_us(w->sim) / SECOND_US), keep ? KEY_1 : "");
    fclose(f);
}

void world_pseudonym(struct world *w, size_t i, const char *id, uint8_t ret_key[static CALL_KEY_BYTES])
{
    struct keyring *ring = NULL;
    struct reason reason;

    CHECK_INT(keyring_load(w->key_file, &ring, &reason), STATUS_OK);
    pseudonym(ring, i, DOMAIN_CALL, id, ret_key);
    keyring_free(ring);
}

char *world_call_key(struct world *w, size_t i, const char *id)
{
    uint8_t key[CALL_KEY_BYTES];
    char *text = arena_alloc(&w->arena, CALL_KEY_TEXT);

    world_pseudonym(w, i, id, key);
    call_key_text(key, text);
    return text;
}

/* ---- its beginning and its end --------------------------------------------------------------------------------------- */

struct world *world_new(uint64_t seed)
{
    static uint64_t worlds;
    struct world *w = xcalloc(1, sizeof *w);
    struct reason reason;

    log_setup("sim", getenv("RL_SIM_LOG") ? LOG_DEBUG : (enum log_level)(LOG_ERROR + 1));
    w->number = ++worlds;
    w->sim = sim_new(seed);
    w->rng = rng_seed(seed ^ 0x5eed);
    w->key_file = write_keys(w);
    mkdir(arena_printf(&w->arena, "%s/rl", test_dir()), 0750);
    if (clk_set_zone("Europe/Berlin", &reason) != STATUS_OK
        || variants_load(&w->arena, RL_SOURCE_DIR "/docs/policies/prompt_variants.yaml", &w->variants, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", reason.field, reason.text);
    for (int i = 0; i < WORLD_SERVICES; i++) {
        const struct service *s = services[i];
        w->lives[i].world = w;
        if (s->migrations
            && store_open(database(w, i), s->migrations, s->migration_count, &w->keepers[i], &reason) != STATUS_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", reason.field, reason.text);
        start(w, i);
    }
    return w;
}

struct world *world_free(struct world *w)
{
    for (int i = 0; i < WORLD_SERVICES; i++) {
        if (w->lives[i].bus)
            world_kill(w, (enum world_service)i);
        store_close(w->keepers[i]);
    }
    sim_free(w->sim);
    arena_done(&w->arena);
    free(w);
    return NULL;
}
