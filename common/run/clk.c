/* SPDX-License-Identifier: Apache-2.0 */
/* clk.c - the real clocks, and what part of the day it is. */
#include "clk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static wall_time real_wall(void *ctx) { return (void)ctx, (wall_time){read_clock(CLOCK_REALTIME)}; }
static mono_time real_mono(void *ctx) { return (void)ctx, (mono_time){read_clock(CLOCK_MONOTONIC)}; }

const struct clk clk_real = {.wall = real_wall, .mono = real_mono};

enum status clk_set_zone(const char *name, struct reason *reason)
{
    char path[256], magic[4] = "";
    FILE *f = NULL;

    if (name[0] && name[0] != '/' && !strstr(name, "..") && snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name) < (int)sizeof path)
        f = fopen(path, "re");
    bool known = f && fread(magic, 1, sizeof magic, f) == sizeof magic && memcmp(magic, "TZif", 4) == 0;
    if (f)
        fclose(f);
    if (!known)
        return reason_fail(reason, STATUS_CONFIG, "rl.timezone", "\"%s\" is no time zone of this machine (such as Europe/Berlin; package tzdata)", name);
    setenv("TZ", name, 1);
    tzset();
    return STATUS_OK;
}

const char *clk_time_of_day(int64_t ts)
{
    time_t t = (time_t)ts;
    struct tm tm;

    localtime_r(&t, &tm);
    if (tm.tm_hour < 6 || tm.tm_hour >= 22)
        return "night";
    return tm.tm_hour < 12 ? "morning" : tm.tm_hour < 18 ? "afternoon" : "evening";
}
