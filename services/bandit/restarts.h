/* SPDX-License-Identifier: Apache-2.0 */
/* restarts.h - when the world changed: facts beside the sums, each found once and never revised.
 *
 * A restart makes the models forget what came before an hour, of one variant in one cell, of a variant, of a cell, or of all. The
 * sums stay; so beliefs are a pure function of sums, settings and these facts, and the policy version names them. */
#ifndef RL_RESTARTS_H
#define RL_RESTARTS_H

#include "detect.h"
#include "ledger.h"

struct restart {
    enum detect_level level;
    char cell[64], variant[20]; /* "" where the level has none */
    int64_t from;               /* unix hour: what came before does not count */
    double evidence, before, after;
};

struct restarts {
    struct restart *items;
    size_t count;
};

/* Of one reward version, in the order in which they were found. */
enum status restarts_load(struct store *store, const char *version, struct restarts *ret) MUST_CHECK;
void restarts_done(struct restarts *restarts);

/* In memory only. */
void restarts_append(struct restarts *restarts, const struct restart *restart);

/* In a transaction; `now` in unix seconds. */
enum status restarts_add(struct store *store, const char *version, const struct restart *restart, int64_t now,
                         struct restarts *restarts) MUST_CHECK;

/* [cell][variant] of the grid: the hour from which sums count; NULL when there are no restarts. */
const int64_t *restarts_from(const struct restarts *restarts, const struct grid *grid, struct arena *arena);

/* What was found in a table of this grid, by name; `from`: unix hour. */
struct restart restart_of(const struct found *found, const struct grid *grid, int64_t from);

/* The changes after the restarts so far (detect.h), in the order in which they are to be added; returns how many. */
size_t restarts_find(const struct ledger *ledger, const struct grid *grid, const struct restarts *restarts,
                     const struct detect_settings *settings, struct restart ret[DETECT_MOST]) MUST_CHECK;

#endif
