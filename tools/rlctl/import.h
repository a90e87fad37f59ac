/* SPDX-License-Identifier: Apache-2.0 */
/* import.h - calls from elsewhere, one after the other, as call.ended. */
#ifndef RL_IMPORT_H
#define RL_IMPORT_H

#include "rlctl.h"

enum { IMPORT_REASONS = 5 };

struct importer {
    struct ctl *ctl;
    bool dry_run;
    struct arena arena; /* of one row */
    uint64_t sent, refused;
    char reasons[IMPORT_REASONS][400]; /* of the first that were refused */
    int code;
};

/* Takes one call: what is wrong with it is counted and told, the rest is published under its own time, so that the same call
 * imported again is the same call.  False: the bus is away, see code. */
bool import_json(struct importer *importer, const char *where, const char *event);
bool import_message(struct importer *importer, const char *where, CallEnded *message);
void import_refuse(struct importer *importer, const char *where, const struct reason *reason);

/* Each reads a whole source; false: it cannot be read, which was said. */
bool import_tom3(struct importer *importer, const char *path);
bool import_csv(struct importer *importer, const char *path);
bool import_jsonl(struct importer *importer, const char *path);

/* The other bandit's state as a prior; with its history (`path` may be NULL) no prior is placed, and one
 * of an earlier import goes. */
int import_state(struct importer *importer, const char *path, bool history);

/* One line of CSV (RFC 4180) of `file` into fields of the arena; -1: the end, -2: a quote that does not end. */
int csv_read(FILE *file, struct arena *arena, const char **ret_fields, int most);

/* The columns of a CSV file, in order: the name of the column and the field of CallEnded. */
struct csv_column {
    const char *name, *field;
};
extern const struct csv_column csv_columns[];
enum { CSV_COLUMNS = 13 };

#endif
