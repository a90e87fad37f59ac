/* SPDX-License-Identifier: Apache-2.0 */
/* context.c - what is not known by name is "other". */
#include "context.h"

#include <stdio.h>
#include <string.h>

bool config_list_has(const struct config_list *list, const char *value)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], value) == 0)
            return true;
    return false;
}

const char *context_profile(const struct config_list *profiles, const char *value)
{
    if (!value || !value[0])
        return "general";
    return config_list_has(profiles, value) ? value : "other";
}

bool context_is_time_of_day(const char *value)
{
    static const char *const names[] = {"morning", "afternoon", "evening", "night"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], value) == 0)
            return true;
    return false;
}

const char *context_time_of_day(const char *value) { return value && context_is_time_of_day(value) ? value : "other"; }

void context_cell(const char *profile, const char *time_of_day, char ret_cell[static CELL_SIZE])
{
    snprintf(ret_cell, CELL_SIZE, "%.40s/%.20s", profile, time_of_day);
}
