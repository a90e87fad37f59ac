/* SPDX-License-Identifier: Apache-2.0 */
/* common_keys.c - the settings that every program shares. */
#include "config.h"

#define TEXT(member, key, def, var, text) CONFIG_TEXT(struct common_config, member, key, def, var, text)
#define INT(member, key, def, lo, hi, var, text) CONFIG_INT(struct common_config, member, key, def, lo, hi, var, text)
#define BOOL(member, key, def, var, text) CONFIG_BOOL(struct common_config, member, key, def, var, text)
#define LIST(member, key, def, text) CONFIG_LIST(struct common_config, member, key, def, NULL, text)

static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

const struct config_key common_keys[] = {
    LIST(agents, "context.agents", "TOM, TOM_v1, TOM_v2", "Agents that may end a call; the first is assumed when none is named."),
    LIST(profiles, "context.profiles", "kfz, it, sales, support, general",
         "Profiles of callers; a value not listed counts as other."),
    BOOL(legacy_names, "metrics.legacy_names", "true", NULL, "Also serve the two gauges whose names end in _total."),
    INT(metrics_port_base, "metrics.port_base", "9101", 1024, 65500, "RL_METRICS_PORT_BASE",
        "Port of the first sidecar (feedback); reward, bandit, guard and router follow."),
    TEXT(nats_password_file, "nats.password_file", "", "RL_NATS_PASSWORD_FILE",
         "File with the bus password; empty: <data_dir>/secrets/<user>.password."),
    INT(nats_port, "nats.port", "4222", 1, 65535, "RL_NATS_PORT", "Port of the bus on this machine."),
    {"nats.subject_prefix", CONFIG_TYPE_PREFIX, offsetof(struct common_config, subject_prefix), "", 0, 32, NULL,
     "RL_SUBJECT_PREFIX",
     "Put before each subject, in capitals before each stream, and before each user (sandbox.).", false},
    TEXT(nats_url, "nats.url", "", "RL_NATS_URL", "Where the bus is; empty: nats://127.0.0.1:<nats.port>."),
    TEXT(nats_user, "nats.user", "", "RL_NATS_USER", "User on the bus; empty: the program's own."),
    TEXT(data_dir, "rl.data_dir", "data", "RL_DATA_DIR", "Where databases, secrets, logs and pid files lie."),
    BOOL(enabled, "rl.enabled", "true", "RL_ENABLED",
         "When false each caller hears the base variant, and what would have been drawn is logged."),
    CONFIG_ENUM(struct common_config, log_level, "rl.log_level", log_levels, "info", "The least level that is logged."),
    CONFIG_INT(struct common_config, min_cell_size, "rl.min_cell_size", "5", 0, 1000, NULL,
               "Reports leave out what fewer calls of one profile or time of day tell, metrics what fewer of one cell tell; 0:"
               " nothing is left out."),
    TEXT(pseudonym_key_file, "rl.pseudonym_key_file", "", "RL_PSEUDONYM_KEY_FILE",
         "Keys that turn call ids into pseudonyms; empty: <data_dir>/secrets/pseudonym.keys."),
    TEXT(timezone, "rl.timezone", "Europe/Berlin", "RL_TIMEZONE", "Time zone in which morning is morning (an IANA name)."),
    TEXT(variants_path, "rl.variants_path", "docs/policies/prompt_variants.yaml", "RL_VARIANTS_PATH",
         "The file of policy variants."),
};

const size_t common_key_count = sizeof common_keys / sizeof *common_keys;
