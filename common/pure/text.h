/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - small questions about words. */
#ifndef RL_TEXT_H
#define RL_TEXT_H

#include <stddef.h>

/* Levenshtein distance in bytes: insertions, deletions and replacements that turn a into b (only the
 * first 127 bytes of b count). */
size_t text_distance(const char *a, const char *b);

#endif
