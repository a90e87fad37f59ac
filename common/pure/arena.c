/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - blocks in a list, a bump pointer in the last one. */
#include "arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK = 64 * 1024, LARGEST_BLOCK = 4 * 1024 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas(max_align_t) char data[];
};

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        abort();
    return p;
}

void *xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (!p)
        abort();
    return p;
}

char *xstrdup(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(xcalloc(1, size), text, size);
}

void arena_init(struct arena *arena) { *arena = (struct arena){0}; }

void arena_done(struct arena *arena)
{
    for (struct arena_block *b = arena->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    arena_init(arena);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *first = arena->first;

    if (!first)
        return;
    for (struct arena_block *b = first->next, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    first->next = NULL;
    first->used = 0;
    arena->current = first;
}

static struct arena_block *arena_grow(struct arena *arena, size_t need)
{
    size_t size = arena->current ? arena->current->size * 2 : FIRST_BLOCK;
    struct arena_block *b;

    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < need)
        size = need;
    b = malloc(sizeof *b + size);
    if (!b)
        abort();
    *b = (struct arena_block){.size = size};
    if (arena->current)
        arena->current->next = b;
    else
        arena->first = b;
    return arena->current = b;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct arena_block *b = arena->current;

    assert(need >= size);
    if (!b || b->size - b->used < need)
        b = arena_grow(arena, need);
    void *p = b->data + b->used;
    b->used += need;
    return memset(p, 0, need);
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
    void *p = arena_alloc(arena, size);

    return size ? memcpy(p, data, size) : p;
}

char *arena_str(struct arena *arena, const char *text) { return arena_copy(arena, text, strlen(text) + 1); }

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args, again;

    va_start(args, fmt);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, fmt, again);
    va_end(again);
    return text;
}
