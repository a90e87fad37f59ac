/* SPDX-License-Identifier: Apache-2.0 */
/* context.c - what nobody configured counts as other. */
#include "context.h"

#include "test.h"

TEST(unit_context, a_value_never_configured_maps_to_other)
{
    static const char *const items[] = {"kfz", "it", NULL};
    const struct config_list profiles = {items, 2};
    char cell[CELL_SIZE];

    CHECK_STR(context_profile(&profiles, "kfz"), "kfz");
    CHECK_STR(context_profile(&profiles, "KFZ"), "other");
    CHECK_STR(context_profile(&profiles, ""), "other");
    CHECK_STR(context_time_of_day("morning"), "morning");
    CHECK_STR(context_time_of_day("night"), "night");
    CHECK_STR(context_time_of_day("noon"), "other");
    context_cell("kfz", "morning", cell);
    CHECK_STR(cell, "kfz/morning");
}
