/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_internal.h - what ledger.c (learning), ledger_read.c (reading), ledger_erase.c and ledger_give_up.c share. */
#ifndef RL_LEDGER_INTERNAL_H
#define RL_LEDGER_INTERNAL_H

#include "ledger.h"

enum { LEDGER_HOURS_PER_DAY = 24 };

/* A row as it stands; version, cell and variant are ids of names. */
struct row {
    uint8_t key[CALL_KEY_BYTES];
    int64_t id, day, revision, hour, p_nano, reward, learned_at; /* id 0: not in the database; revision 0: nothing known yet */
    uint32_t version, cell, variant, flags;
    uint64_t signals;
    bool sister_reset; /* the call was reset under another version */
    bool dirty;
};

struct name {
    char *text;
    uint32_t id; /* 1 .. */
};

struct ledger {
    struct store *store;
    struct tombstones *tombstones;
    struct sums sums;
    struct sums given_up; /* the part of the sums whose rows were given up; the same borders */
    int64_t *cuts;        /* hours of all restarts, of whatever version; the borders point to them */
    struct name *names;   /* sorted by text */
    const char **by_id;   /* name_count + 1 */
    size_t name_count;
    struct row *rows;     /* of the batch */
    size_t row_count, row_capacity;
    uint32_t *slots;      /* 1 + index into rows, hashed by call key; 0: free */
    size_t slot_capacity;
    int64_t row_total, changes, newest_ts;
    int64_t rows_from; /* first hour of the unix day before which calls first seen were given up; 0: none were */
    bool facts_dirty;
};

/* 0 when the name is unknown. */
uint32_t ledger_name(const struct ledger *ledger, const char *text);

/* The row of row->day and row->key as the database has it; id 0: it has none. */
enum status ledger_read_any(struct ledger *ledger, struct row *row) MUST_CHECK;

/* Writes what the batch changed, and forgets its rows. */
enum status ledger_write_rows(struct ledger *ledger) MUST_CHECK;

/* The row's part in the sums; false when it has none. */
bool row_contribution(const struct row *row, struct bucket_key *ret_key, struct stats *ret_stats);

#endif
