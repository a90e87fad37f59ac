/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - the parts of rl-sim: simulated callers meet the system, or its cores without a bus, and a
 * report says what came of it. */
#ifndef RL_SIM_H
#define RL_SIM_H

#include "environments.h"
#include "client.h"
#include "clk.h"
#include "config.h"
#include "model.h"
#include "msg.h"
#include "restarts.h"
#include "rules.h"
#include "variants.h"
#include "way.h"
#include "wiring.h"

enum { HOUR_CALLS = 40 };
enum { LIMIT_NEW, LIMIT_UNCERTAIN, LIMIT_PAROLE, LIMIT_COUNT }; /* as guard_group */

struct sim_options {
    long calls, rate; /* rate: calls a second over the bus; 0: as fast as they are answered */
    long refresh;     /* in process: calls between two snapshots */
    long calls_per_hour; /* of the simulated clock; 0: in process HOUR_CALLS, over the bus calls end when they do */
    long seed;
    double lost, duplicated; /* of the reports of calls */
    long reorder, delay;     /* window in calls; seconds, in process of `rate` calls each */
    bool in_process, chaos, drift, json;
    const struct environment *environment;
    const char *csv, *svg;   /* NULL: none */
    const char *name; /* call ids are <name>-<number> */
};

/* What one caller got, as long as the report needs it. */
struct served {
    uint8_t cell;
    uint8_t capped;      /* bit LIMIT_*: that limit had members when this call was decided; */
    float share[LIMIT_COUNT]; /* with which probability it got one of them */
    bool rated;
    uint16_t variant;
    float truth;         /* expected reward of what it got, */
    float best, base;    /* and of the best of its context, and of base */
    float took_ms;       /* until the decision was there; over the bus only */
};

/* What the system, or the cores, say of a variant at the end. */
struct verdict_line {
    double mean, half_width; /* over all contexts by their traffic; 95 % */
    Stage stage;
};

/* The world changed, as the system saw it. */
struct sim_restart {
    long call;   /* as many calls there had been when it was found */
    long since;  /* the first call that still counts; -1: not known */
    struct restart what;
};

struct sim {
    struct sim_options options;
    struct arena arena;
    struct common_config common;
    struct variants variants;
    struct reward_rules rules;
    struct guard_settings guard;
    struct model model; /* its settings; in process */
    struct callers *callers;
    struct served *served; /* [options.calls] */
    double base_truth, best_truth; /* summed over the calls: always base, always the best of the context */
    size_t spoiled;                /* under --drift */
    struct verdict_line *lines;    /* [variants.count] */
    bool exceeded;                 /* the probabilities of a decision were above a cap */
    double seconds;
    struct sim_restart *restarts; /* in the order in which they were found */
    size_t restart_count;
    uint64_t lost, repeated;       /* reports that never came; that came again, and changed nothing (in process) */

    /* Over the bus only. */
    double past_from; /* unix seconds of the first call, under --calls-per-hour */
    uint64_t ended, stored, learned, dead_letters, kills, asked_again;
    bool identical;
};

/* Options, configuration and variants are there; makes the world and lets its callers call.  False: it has said why. */
bool sim_run(struct sim *sim);
void sim_done(struct sim *sim);

/* The next caller arrives, and halfway the world may change. */
size_t sim_arrive(struct sim *sim, long number, struct rng *rng);
/* Counts also what always base and always the best would have got. */
void sim_serve(struct sim *sim, long number, size_t variant);

void sim_note_restart(struct sim *sim, const struct sim_restart *restart);

/* Notes which limits the decision was under, and whether it kept them; p and group by variant. */
struct limit_set;
void sim_note_limits(struct sim *sim, long number, const struct limit_set *limits, const double *p);

/* Each fills served and lines; over the bus the figures below them too.  False: it has said why. */
bool sim_in_process(struct sim *sim);
bool sim_over_bus(struct sim *sim);
/* Under --calls-per-hour calls over the bus say that they ended at this pace until `now`: when, in unix seconds. */
void past_begin(struct sim *sim, wall_time now);
double past_end(const struct sim *sim, long call);
/* bandit.changed, heard when `ended` calls had ended; one that is said again is noted once. */
void past_heard(struct sim *sim, struct arena *arena, const struct client_message *message, long ended);

/* Asks until there is an answer: a service may just be starting again.  NULL after a minute: it has said why. */
const void *sim_ask(struct client *client, struct arena *arena, enum subject subject, const ProtobufCMessage *request);
/* The part of it that asks the services, when all calls have ended. */
bool sim_conclude(struct sim *sim, struct client *operator);

void sim_report(struct sim *sim);       /* for people, or as one line of JSON */
bool sim_write_csv(const struct sim *sim, const char *path); /* cumulative regret; false: errno says why */
bool sim_write_svg(const struct sim *sim, const char *path); /* the same as a picture */
uint64_t sim_reports(const struct sim *sim); /* calls whose report was not lost */
struct way sim_way(const struct sim *sim);
bool sim_sound(const struct sim *sim);  /* no cap was exceeded, each call counts once */

#endif
