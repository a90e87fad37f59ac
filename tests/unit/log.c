/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - one fact, one line, whatever stands in it. */
#include "log.h"

#include <fcntl.h>
#include <unistd.h>

#include "test.h"

/* What one event prints to standard error. */
static const char *printed(enum log_level least, enum log_level level, const char *value, char *ret, size_t size)
{
    char path[300];
    int keep = dup(STDERR_FILENO);

    snprintf(path, sizeof path, "%s/err", test_dir());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDERR_FILENO);
    log_setup("feedback", least);
    log_event(level, "test.event", "value=%s", value);
    dup2(keep, STDERR_FILENO);
    close(keep);
    ssize_t n = pread(fd, ret, size - 1, 0);
    ret[n > 0 ? n : 0] = '\0';
    close(fd);
    log_setup("test", LOG_WARNING);
    return ret;
}

TEST(unit_log, a_line_has_time_program_level_event_and_values)
{
    char line[4096];

    printed(LOG_INFO, LOG_INFO, "3", line, sizeof line);
    CHECK(line[4] == '-' && line[7] == '-' && line[10] == 'T' && line[13] == ':' && line[19] == '.' && line[23] == 'Z' &&
          line[24] == ' ');
    CHECK_STR(line + 25, "feedback  info     test.event  value=3\n");
}

TEST(unit_log, what_is_below_the_level_is_silent)
{
    char line[4096];

    CHECK_STR(printed(LOG_WARNING, LOG_INFO, "3", line, sizeof line), "");
    CHECK(*printed(LOG_WARNING, LOG_ERROR, "3", line, sizeof line));
}

TEST(unit_log, no_value_can_forge_a_second_line)
{
    char line[4096];

    printed(LOG_INFO, LOG_INFO, "x\n14:02:31.123 forged\033[2J", line, sizeof line);
    CHECK(strchr(line, '\n') == line + strlen(line) - 1);
    CHECK(!strchr(line, '\033'));
}

TEST(unit_log, a_long_value_is_cut_and_the_line_still_ends)
{
    char value[5000], line[8192];

    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    printed(LOG_INFO, LOG_INFO, value, line, sizeof line);
    CHECK(strlen(line) <= 2048);
    CHECK(line[strlen(line) - 1] == '\n');
}
