/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - a line is put together on the stack and leaves with one write, so that lines of threads and processes never mix. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 2048 };

/* Set once, before there is a second thread. */
static char program_name[32] = "rl";
static enum log_level least_level = LOG_INFO;

void log_setup(const char *program, enum log_level least)
{
    snprintf(program_name, sizeof program_name, "%s", program);
    least_level = least;
}

bool log_enabled(enum log_level level) { return level >= least_level; }

static size_t log_head(char *line, enum log_level level, const char *event)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    struct timespec now;
    struct tm utc;
    char second[32];

    clock_gettime(CLOCK_REALTIME, &now);
    strftime(second, sizeof second, "%FT%T", gmtime_r(&now.tv_sec, &utc)); /* one time for all programs, whatever their zone */
    return (size_t)snprintf(line, LINE_SIZE / 2, "%s.%03ldZ %-8s  %-7s  %s  ", second, now.tv_nsec / 1000000, program_name,
                            names[level], event);
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    char line[LINE_SIZE];
    size_t used;
    va_list args;

    if (!log_enabled(level))
        return;
    used = log_head(line, level, event);
    va_start(args, fmt);
    int more = vsnprintf(line + used, sizeof line - used - 1, fmt, args);
    va_end(args);
    if (more > 0)
        used += (size_t)more < sizeof line - used - 1 ? (size_t)more : sizeof line - used - 2;
    for (size_t i = 0; i < used; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    line[used++] = '\n';
    (void)!write(STDERR_FILENO, line, used);
}
