/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - a line is built in one buffer and leaves in one write, so that lines of several threads never mix. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 1024 };

static const char *program_name = "";
static enum log_level least_level = LOG_INFO;

void log_setup(const char *program, enum log_level least)
{
    program_name = program;
    least_level = least;
}

bool log_enabled(enum log_level level) { return level >= least_level; }

/* A line stays one line, whatever the values hold. */
static void flatten(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = ' ';
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    static const char *const names[] = {"debug ", "", "warning ", "error "};
    char line[LINE_SIZE], *values;
    struct timeval now;
    struct tm tm;
    va_list args;

    if (!log_enabled(level))
        return;
    gettimeofday(&now, NULL);
    localtime_r(&now.tv_sec, &tm);
    int n = snprintf(line, sizeof line, "%02d:%02d:%02d.%03d %-9s %s%-17s ", tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now.tv_usec / 1000),
                     program_name, names[level], event);
    values = line + n;
    va_start(args, fmt);
    vsnprintf(values, sizeof line - (size_t)n - 1, fmt, args);
    va_end(args);
    flatten(values);
    strcat(values, "\n");
    if (write(STDERR_FILENO, line, strlen(line)) < 0)
        return; /* nobody listens; there is nowhere to say so */
}
