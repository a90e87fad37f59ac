/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h - the parts of rl-bench. */
#ifndef RL_BENCH_H
#define RL_BENCH_H

#include "client.h"
#include "config.h"

struct bench {
    struct arena arena;
    struct common_config common;
    const char *url;
    long calls, window;         /* how many; how many at once */
    long record, reply, stored, computed; /* relay: sizes of what is moved, bytes */
    bool no_record;             /* echo: do not publish the record */
};

struct client *bench_connect(struct bench *b, const char *user); /* or ends the program */
double bench_now(void);                                          /* seconds, monotonic */
void bench_nap(long us);

int bench_load(struct bench *b);   /* complete calls through the loop, and how many a second */
int bench_select(struct bench *b); /* latency of policy.select, one at a time */
int bench_fill(struct bench *b);   /* a feedback.db of so many calls, beside bare SQLite */
int bench_feedback(struct bench *b); /* what a running rl-feedback takes to answer and to clean up */
int bench_relay(struct bench *b, const char *service); /* a service that only moves messages, until SIGTERM */

#endif
