/* SPDX-License-Identifier: Apache-2.0 */
/* clk.c - morning is morning where the callers are, in summer and in winter. */
#include "clk.h"

#include <stdlib.h>
#include <time.h>

#include "test.h"

static void in_berlin(void)
{
    struct reason reason = {0};

    CHECK_INT(clk_set_zone("Europe/Berlin", &reason), STATUS_OK);
}

/* Borders of a day that begins at 00:00 UTC `day`, with Berlin `offset` hours ahead. */
static void borders(int64_t day, int offset)
{
    static const struct { int hour; const char *before, *from; } table[] = {
        {6, "night", "morning"}, {12, "morning", "afternoon"}, {18, "afternoon", "evening"}, {22, "evening", "night"}};

    for (size_t i = 0; i < 4; i++) {
        int64_t at = day + (table[i].hour - offset) * 3600;
        CHECK_STR(clk_time_of_day(at - 1), table[i].before);
        CHECK_STR(clk_time_of_day(at), table[i].from);
    }
}

TEST(unit_clk, the_day_has_four_parts_in_winter_and_in_summer)
{
    in_berlin();
    borders(1768435200, 1); /* 2026-01-15 */
    borders(1784073600, 2); /* 2026-07-15 */
}

TEST(unit_clk, the_day_the_clock_changes_is_judged_by_the_new_time)
{
    in_berlin();
    borders(1774742400, 2); /* 2026-03-29: 02:00 became 03:00 */
    borders(1792886400, 1); /* 2026-10-25: 03:00 became 02:00 */
}

TEST(unit_clk, an_unknown_zone_is_an_error_that_names_the_key)
{
    static const char *const bad[] = {"Europe/Berlni", "", "../../etc/passwd", "/etc/localtime", "tzdata.zi", "Europe"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reason reason = {0};
        CHECK_INT(clk_set_zone(bad[i], &reason), STATUS_CONFIG);
        CHECK_STR(reason.field, "rl.timezone");
        CHECK(strstr(reason.text, "RL_TIMEZONE"));
    }
}

TEST(unit_clk, the_real_clocks_run)
{
    wall_time wall = clk_real.wall(clk_real.ctx);
    mono_time mono = clk_real.mono(clk_real.ctx);

    CHECK(llabs(wall.us / 1000000 - (int64_t)time(NULL)) <= 1);
    CHECK(clk_real.mono(clk_real.ctx).us >= mono.us);
}
