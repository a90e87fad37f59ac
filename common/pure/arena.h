/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory that goes away all at once: one arena lives as long as one batch.
 *
 * Never returns NULL: a process that cannot get memory ends (see status.h). */
#ifndef RL_ARENA_H
#define RL_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "status.h"

struct arena_block;

struct arena {
    struct arena_block *first, *current;
};

void arena_init(struct arena *arena);
void arena_done(struct arena *arena);  /* frees all; the arena may be used again */
void arena_reset(struct arena *arena); /* forgets all, keeps the first block for the next batch */

/* `size` bytes of zeros, aligned for any type; size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull, malloc));
void *arena_copy(struct arena *arena, const void *data, size_t size) __attribute__((returns_nonnull));
char *arena_str(struct arena *arena, const char *text) __attribute__((returns_nonnull));
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Heap memory that is never NULL; `xrealloc` keeps realloc's meaning. */
void *xcalloc(size_t count, size_t size) __attribute__((returns_nonnull, malloc));
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((returns_nonnull));

#endif
