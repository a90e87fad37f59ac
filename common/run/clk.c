/* SPDX-License-Identifier: Apache-2.0 */
/* clk.c - the real clock, the process's time zone, and the time of day in it. */
#include "clk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static wall_time real_wall(void *ctx) { return (void)ctx, (wall_time){clock_us(CLOCK_REALTIME)}; }
static mono_time real_mono(void *ctx) { return (void)ctx, (mono_time){clock_us(CLOCK_MONOTONIC)}; }

const struct clk clk_real = {.wall = real_wall, .mono = real_mono};

/* The C library takes any name and silently means UTC by those it does not know. */
static bool zone_exists(const char *name)
{
    char path[256], magic[4] = "";

    if (!*name || *name == '/' || strstr(name, "..") || strlen(name) > 100)
        return false;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *in = fopen(path, "re");
    if (!in)
        return false;
    size_t n = fread(magic, 1, sizeof magic, in);
    fclose(in);
    return n == sizeof magic && memcmp(magic, "TZif", 4) == 0;
}

enum status clk_set_zone(const char *name, struct reason *reason)
{
    if (!zone_exists(name))
        return reason_fail(reason, STATUS_CONFIG, "rl.timezone", "rl.timezone (RL_TIMEZONE): unknown time zone \"%.60s\", "
                           "want an IANA name such as Europe/Berlin (is tzdata installed?)", name);
    setenv("TZ", name, 1);
    tzset();
    return STATUS_OK;
}

const char *clk_time_of_day(int64_t ts)
{
    time_t t = (time_t)ts;
    struct tm local;

    if (!localtime_r(&t, &local))
        return "night";
    if (local.tm_hour < 6 || local.tm_hour >= 22)
        return "night";
    return local.tm_hour < 12 ? "morning" : local.tm_hour < 18 ? "afternoon" : "evening";
}
