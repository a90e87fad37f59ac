/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - settings: one table of keys per program loads them, checks their ranges, prints them, and fills the reference page.
 *
 * Order of precedence: environment, file (config/rl.yaml), default.  Keys are dotted; their first part is the section of the
 * file.  A program checks the sections that its tables name and passes over the sections of the other programs; a section nobody
 * knows is an error, an unknown key is an error that names the nearest known one. */
#ifndef RL_CONFIG_H
#define RL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "status.h"

enum config_type { CONFIG_TYPE_BOOL, CONFIG_TYPE_INT, CONFIG_TYPE_DOUBLE, CONFIG_TYPE_TEXT, CONFIG_TYPE_ENUM, CONFIG_TYPE_LIST,
                   CONFIG_TYPE_PREFIX /* a text: nothing, or lower-case words that each end in a dot */ };

struct config_list {
    const char *const *items; /* ends with NULL */
    size_t count;
};

struct config_key {
    const char *name; /* "reward.resolution_weight" */
    enum config_type type;
    size_t offset;       /* of a bool, int64_t, double, const char *, int (index into choices) or struct config_list */
    const char *initial; /* the default, as it would stand in the file; list items joined by ", " */
    double min, max;     /* numbers: value; text: length; list: how many items, each 1 to 40 bytes without space , / * */
    const char *const *choices; /* enum: ends with NULL */
    const char *env;     /* environment variable that overrides, or NULL */
    const char *help;    /* one sentence */
    bool borrowed;       /* another program's, read as well: whose it is checks its section and prints it */
};

#define CONFIG_BOOL(type, member, key, def, var, text) \
    {key, CONFIG_TYPE_BOOL, offsetof(type, member), def, 0, 1, NULL, var, text, false}
#define CONFIG_INT(type, member, key, def, lo, hi, var, text) \
    {key, CONFIG_TYPE_INT, offsetof(type, member), def, lo, hi, NULL, var, text, false}
#define CONFIG_DOUBLE(type, member, key, def, lo, hi, var, text) \
    {key, CONFIG_TYPE_DOUBLE, offsetof(type, member), def, lo, hi, NULL, var, text, false}
#define CONFIG_TEXT(type, member, key, def, var, text) \
    {key, CONFIG_TYPE_TEXT, offsetof(type, member), def, 0, 4096, NULL, var, text, false}
#define CONFIG_ENUM(type, member, key, names, def, text) \
    {key, CONFIG_TYPE_ENUM, offsetof(type, member), def, 0, 0, names, NULL, text, false}
#define CONFIG_LIST(type, member, key, def, var, text) \
    {key, CONFIG_TYPE_LIST, offsetof(type, member), def, 1, 64, NULL, var, text, false}

/* A key of one program that others borrow, so that it stands once. */
#define CONFIG_AMENDMENT_WINDOW(type, member, is_borrowed) \
    {"feedback.amendment_window_days", CONFIG_TYPE_INT, offsetof(type, member), "30", 1, 365, NULL, NULL, \
     "How long after its end arrived a call may be amended, days.", is_borrowed}

/* Keys and the struct that they fill. */
struct config_table {
    const struct config_key *keys;
    size_t count;
    void *target;
};

/* Fills every target: defaults, then the file (NULL: none), then the environment.  Texts and lists live in `arena`.
 * An empty variable counts as not set.  STATUS_CONFIG: field is the key, text is all that a person needs: "file:line: key:
 * reason" or "VARIABLE: key: reason". */
enum status config_load(struct arena *arena, const struct config_table *tables, size_t count, const char *path,
                        struct reason *reason) MUST_CHECK;

/* The same for a file that is not rl.yaml: `others` (ends with NULL) are the sections to pass over. */
enum status config_load_beside(struct arena *arena, const struct config_table *tables, size_t count, const char *path,
                               const char *const *others, struct reason *reason) MUST_CHECK;

/* The same for some keys of sections that are another program's: what `table` does not name is passed over. */
enum status config_load_some(struct arena *arena, const struct config_table *table, const char *path,
                             struct reason *reason) MUST_CHECK;

/* What every program shares: sections `rl`, `nats`, `metrics`, `context`. */
struct common_config {
    bool enabled;            /* rl.enabled, RL_ENABLED */
    const char *data_dir;    /* rl.data_dir, RL_DATA_DIR (data) */
    const char *variants_path; /* rl.variants_path, RL_VARIANTS_PATH (docs/policies/prompt_variants.yaml) */
    const char *pseudonym_key_file; /* rl.pseudonym_key_file, RL_PSEUDONYM_KEY_FILE; empty: <data_dir>/secrets/pseudonym.keys */
    const char *timezone;    /* rl.timezone, RL_TIMEZONE (Europe/Berlin) */
    int log_level;           /* rl.log_level: debug info warning error */
    const char *nats_url;    /* nats.url, RL_NATS_URL; empty: nats://127.0.0.1:<port> */
    int64_t nats_port;       /* nats.port, RL_NATS_PORT (4222) */
    const char *nats_user;   /* nats.user, RL_NATS_USER; empty: the program's own */
    const char *nats_password_file; /* nats.password_file, RL_NATS_PASSWORD_FILE; empty: <data_dir>/secrets/<user>.password */
    const char *subject_prefix; /* nats.subject_prefix, RL_SUBJECT_PREFIX (empty; else lower-case words each ending in a dot) */
    int64_t metrics_port_base; /* metrics.port_base, RL_METRICS_PORT_BASE (9101) */
    int64_t min_cell_size;   /* rl.min_cell_size (5) */
    bool legacy_names;       /* metrics.legacy_names */
    struct config_list agents;   /* context.agents: TOM, TOM_v1, TOM_v2 */
    struct config_list profiles; /* context.profiles: kfz, it, sales, support, general */
};

extern const struct config_key common_keys[];
extern const size_t common_key_count;

/* Prints "# section" groups of "key  default  range  VARIABLE  help" for people, and as the Markdown
 * table of the reference page. */
void config_print(const struct config_table *tables, size_t count);
void config_print_markdown(const struct config_table *tables, size_t count);

#endif
