/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one line per fact: time, program, level, event id, key=value ...
 *
 * Event ids are literals, unique in the code base and listed in HACKING.md.  A raw call id is never logged; a call is
 * <key id>:<first 8 hex digits of its pseudonym>.. */
#ifndef RL_LOG_H
#define RL_LOG_H

#include "status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Sets the program's name and the least level printed.  Lines go to standard error. */
void log_setup(const char *program, enum log_level least);
bool log_enabled(enum log_level level);

void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(event, ...) (log_enabled(LOG_DEBUG) ? log_event(LOG_DEBUG, event, __VA_ARGS__) : (void)0)
#define log_info(event, ...) (log_enabled(LOG_INFO) ? log_event(LOG_INFO, event, __VA_ARGS__) : (void)0)
#define log_warning(event, ...) log_event(LOG_WARNING, event, __VA_ARGS__)
#define log_error(event, ...) log_event(LOG_ERROR, event, __VA_ARGS__)

#endif
