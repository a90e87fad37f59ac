/* SPDX-License-Identifier: Apache-2.0 */
/* call_id.h - the rule for ids that others give: 1 .. 100 characters after trimming. */
#ifndef RL_CALL_ID_H
#define RL_CALL_ID_H

#include "status.h"

enum { CALL_ID_LIMIT = 100 };

/* Trims white space in place and checks the length; the reason names `field`. */
enum status call_id_check(char **id, const char *field, struct reason *reason) MUST_CHECK;

#endif
