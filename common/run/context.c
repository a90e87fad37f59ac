/* SPDX-License-Identifier: Apache-2.0 */
/* context.c - a value never configured maps to "other", so that cells stay few. */
#include "context.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const times_of_day[] = {"morning", "afternoon", "evening", "night"};

const char *context_profile(const struct config_list *profiles, const char *value)
{
    for (size_t i = 0; i < profiles->count; i++)
        if (strcmp(profiles->items[i], value) == 0)
            return profiles->items[i];
    return "other";
}

const char *context_time_of_day(const char *value)
{
    const struct config_list all = {times_of_day, sizeof times_of_day / sizeof *times_of_day};

    return context_profile(&all, value);
}

void context_cell(const char *profile, const char *time_of_day, char ret_cell[static CELL_SIZE])
{
    int n = snprintf(ret_cell, CELL_SIZE, "%s/%s", profile, time_of_day);

    assert(n > 0 && n < CELL_SIZE);
}
