/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - reward.computed, checked: anyone may publish it. */
#ifndef RL_CALL_H
#define RL_CALL_H

#include "config.h"
#include "ledger.h"
#include "msg.h"
#include "versions.h"

/* Only `versions` are learned; `now` in unix seconds.  Texts of *ret live in the arena or as long as the message. */
struct call_rules {
    const struct versions *versions;
    const struct config_list *profiles;
    int64_t now;
};
enum status call_read(const struct call_rules *rules, const RewardComputed *message, struct arena *arena, struct call *ret,
                      struct reason *reason) MUST_CHECK;

#endif
