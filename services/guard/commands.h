/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - what an operator decides: checked, done, and recorded with who, when and why. */
#ifndef RL_COMMANDS_H
#define RL_COMMANDS_H

#include "arena.h"
#include "clk.h"
#include "config.h"
#include "guard_store.h"

/* What a command is given and what it tells. */
struct guard_command {
    struct guard_store *store;
    const Stage *stages;
    const struct own_total *totals;
    bool has_totals; /* the bandit has told them */
    const struct config_list *profiles;
    struct arena *arena;
    wall_time now;

    const GuardCommandRequest *request;
    size_t variant;     /* of the request, where the command needs one */
    const char *cell;   /* likewise */
    const char *status; /* one sentence on what is now so; lives in the arena */
    bool changed;       /* false: it was so before, and nothing was recorded */
};

/* add        removed -> as before; on parole -> free.      remove    -> INACTIVE, its pins end.
 * blacklist  -> BLACKLISTED, its pins end.                 release   blacklisted -> PAROLE, judged by its calls from now on.
 * pin        this variant alone in the cell ("*", also "": where no other pin is).   unpin   ends that.
 * freeze     all traffic to base.                          unfreeze  ends that.
 *
 * Saying what is so already is no error.  Base can be neither removed nor blacklisted; a blacklisted variant only be released. */
enum status guard_command_run(struct guard_command *c, struct reason *reason) MUST_CHECK;

#endif
