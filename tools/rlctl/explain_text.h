/* SPDX-License-Identifier: Apache-2.0 */
/* explain_text.h - a decision's record as a screen of at most 100 columns. */
#ifndef RL_EXPLAIN_TEXT_H
#define RL_EXPLAIN_TEXT_H

#include <stdio.h>

#include "arena.h"
#include "msg.h"

/* `reply` is router.session's with its decision; `bold` marks the chosen variant for a terminal. */
void explain_text(FILE *out, struct arena *arena, const RouterSessionReply *reply, bool bold);

#endif
