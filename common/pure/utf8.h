/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - characters in bytes, by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. */
#ifndef RL_UTF8_H
#define RL_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at `s` (1 .. 4); 0: there is none within `size` bytes. */
size_t utf8_next(const char *s, size_t size);

bool utf8_valid(const char *s, size_t size);

/* Characters of a valid text. */
size_t utf8_count(const char *s);

/* Columns that the longest beginning of a valid text takes on a terminal which fits into `limit`, and its bytes: combining marks
 * take none, East Asian wide characters and emoji two. */
size_t utf8_columns(const char *s, size_t limit, size_t *ret_bytes);

/* Makes any text safe to log and to send: what is no character, and every control character, becomes '?',
 * one for each byte. */
void utf8_clean(char *s);

#endif
