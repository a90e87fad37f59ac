/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - the five real services in one process, over bus_sim and databases in memory, in virtual time. */
#ifndef RL_WORLD_H
#define RL_WORLD_H

#include "bus_sim.h"
#include "pseudonym.h"
#include "rng.h"
#include "service.h"

enum { WORLD_SERVICES = 5, SECOND_US = 1000000, HOUR_S = 3600, DAY_S = 86400 };
enum world_service { WORLD_FEEDBACK, WORLD_REWARD, WORLD_BANDIT, WORLD_GUARD, WORLD_ROUTER };

struct world_life {
    struct running *running; /* NULL while it is dead */
    struct bus *bus;
    void *state;
    int64_t again_us;     /* when the supervisor starts it again */
    enum loop_step step;  /* armed: dies the `countdown`th time it comes to this step, 0: never */
    int countdown;
    int deaths;
    struct world *world;
};

struct world {
    struct sim *sim;
    struct arena arena;
    struct common_config common;
    struct variants variants;
    const char *key_file, *config; /* path of an rl.yaml, NULL: defaults */
    struct store *keepers[WORLD_SERVICES]; /* a database in memory lives as long as somebody has it open */
    struct world_life lives[WORLD_SERVICES];
    struct rng rng;
    double death_rate; /* probability of dying at any step */
    uint64_t number;   /* of this world, part of its databases' names */
};

struct world *world_new(uint64_t seed);
struct world *world_free(struct world *w);

/* Lets `us` of virtual time pass. */
void world_run(struct world *w, int64_t us);

/* The clock alone moves; the services find out at once. */
void world_sleep(struct world *w, int64_t seconds);

/* From now on nobody dies and nothing is lost; what was on its way arrives. */
void world_calm(struct world *w);

void world_kill(struct world *w, enum world_service service);

/* The operator writes another rl.yaml and restarts everything. */
void world_configure(struct world *w, const char *text);
void world_arm(struct world *w, enum world_service service, enum loop_step step, int countdown);

/* The first number that a statement gives in the service's database; -1: no row. */
int64_t world_number(struct world *w, enum world_service service, const char *sql);

/* The first key of the file is k1.  The operator makes k2 to write with, and keeps k1 for looking up or destroys it. */
void world_rotate(struct world *w, bool keep);

/* The pseudonym of a call under key number `i` of the file, 0 the current one. */
void world_pseudonym(struct world *w, size_t i, const char *id, uint8_t ret_key[static CALL_KEY_BYTES]);
char *world_call_key(struct world *w, size_t i, const char *id); /* as messages say it */

/* Asks again each second until there is an answer, as a patient client does; NULL after a minute. */
const ProtobufCMessage *world_ask(struct world *w, enum subject subject, const ProtobufCMessage *request);

#endif
