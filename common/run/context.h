/* SPDX-License-Identifier: Apache-2.0 */
/* context.h - what is known of a caller before the call: a configured profile and the time of day.  One combination is a cell. */
#ifndef RL_CONTEXT_H
#define RL_CONTEXT_H

#include "config.h"

enum { CELL_SIZE = 64 };

/* The value itself when it is configured, else "other". */
const char *context_profile(const struct config_list *profiles, const char *value);

/* morning, afternoon, evening, night; anything else is "other". */
const char *context_time_of_day(const char *value);

/* "kfz/morning" of two values as above. */
void context_cell(const char *profile, const char *time_of_day, char ret_cell[static CELL_SIZE]);

#endif
