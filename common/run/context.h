/* SPDX-License-Identifier: Apache-2.0 */
/* context.h - the context of a call: profile and time of day; one combination is a cell. */
#ifndef RL_CONTEXT_H
#define RL_CONTEXT_H

#include "config.h"

enum { CELL_SIZE = 64 };

/* The value itself when it is one of the configured profiles, else "other"; "" is "general". */
const char *context_profile(const struct config_list *profiles, const char *value);

/* morning, afternoon, evening, night? */
bool context_is_time_of_day(const char *value);
/* The value itself, else "other". */
const char *context_time_of_day(const char *value);

/* "kfz/morning".  Values that are too long are cut. */
void context_cell(const char *profile, const char *time_of_day, char ret_cell[static CELL_SIZE]);

bool config_list_has(const struct config_list *list, const char *value);

#endif
