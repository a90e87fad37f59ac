/* SPDX-License-Identifier: Apache-2.0 */
/* clk.h - time, in two types that do not mix, from a clock that tests replace by a virtual one. */
#ifndef RL_CLK_H
#define RL_CLK_H

#include <stdint.h>

#include "status.h"

typedef struct { int64_t us; } wall_time; /* microseconds since 1970, UTC */
typedef struct { int64_t us; } mono_time; /* microseconds since some moment; never jumps */

struct clk {
    wall_time (*wall)(void *ctx);
    mono_time (*mono)(void *ctx);
    void *ctx;
};

extern const struct clk clk_real;

static inline mono_time mono_after(mono_time t, int64_t us) { return (mono_time){t.us + us}; }

/* Sets the process's time zone (an IANA name); an unknown one is an error that names the key. */
enum status clk_set_zone(const char *name, struct reason *reason) MUST_CHECK;

/* morning (6-12), afternoon (12-18), evening (18-22) or night (22-6), local time of unix seconds `ts`. */
const char *clk_time_of_day(int64_t ts);

#endif
