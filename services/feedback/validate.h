/* SPDX-License-Identifier: Apache-2.0 */
/* validate.h - the rules of what a voice stack says, the same for JSON and protobuf. */
#ifndef RL_VALIDATE_H
#define RL_VALIDATE_H

#include "clk.h"
#include "config.h"
#include "msg.h"

enum out_of_range { OUT_OF_RANGE_REJECT, OUT_OF_RANGE_CLAMP };

struct validate_rules {
    const struct config_list *agents, *profiles;
    bool allow_unknown_resolution;
    int out_of_range; /* enum out_of_range: what happens to signals beyond their range */
};

/* Trims ids in place; with CLAMP moves signals into their range and says how many.  The reason names field, value and rule. */
enum status validate_call_ended(const struct validate_rules *rules, CallEnded *m, wall_time now, unsigned *ret_clamped,
                                struct reason *reason) MUST_CHECK;
enum status validate_call_amended(const struct validate_rules *rules, CallAmended *m, wall_time now, unsigned *ret_clamped,
                                  struct reason *reason) MUST_CHECK;

#endif
