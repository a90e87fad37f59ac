/* SPDX-License-Identifier: Apache-2.0 */
/* init.h - the parts of rl-init. */
#ifndef RL_INIT_H
#define RL_INIT_H

#include "arena.h"
#include "config.h"
#include "status.h"

struct init {
    struct arena arena;
    struct common_config common;
    const char *listen, *store;   /* conf: address; JetStream folder, empty: <data>/nats */
    bool watch;
};

/* Everybody with a password of their own. */
extern const char *const init_users[]; /* ends with NULL */

/* Where the password of one of them lies, in the loop with this data and prefix. */
const char *init_password_path(struct init *init, const char *data, const char *prefix, const char *user);

/* Makes what is missing in <data>/secrets; overwrites nothing. */
enum status init_keys(struct init *init, struct reason *reason) MUST_CHECK;

/* Writes <data>/nats/nats.conf; with a second account when the sandbox has its keys. */
enum status init_conf(struct init *init, struct reason *reason) MUST_CHECK;

/* Makes or updates streams and consumers; with watch makes again what is lost, for ever. */
enum status init_streams(struct init *init, struct reason *reason) MUST_CHECK;

/* Prints the tables of the wiring as Markdown. */
void init_page(void);

#endif
