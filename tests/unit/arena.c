/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - memory of zeros that stays put until all of it goes. */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "rng.h"
#include "test.h"

static bool all_zero(const unsigned char *p, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (p[i])
            return false;
    return true;
}

TEST(unit_arena, memory_is_zeroed_aligned_and_nobody_elses)
{
    enum { N = 2000 };
    struct arena arena = {0};
    struct rng rng = rng_seed(1);
    unsigned char *pieces[N];
    size_t sizes[N];

    for (size_t i = 0; i < N; i++) {
        sizes[i] = i % 100 == 99 ? rng_below(&rng, 200000) : rng_below(&rng, 300);
        pieces[i] = arena_alloc(&arena, sizes[i]);
        CHECK((uintptr_t)pieces[i] % alignof(max_align_t) == 0);
        CHECK(all_zero(pieces[i], sizes[i]));
        memset(pieces[i], (int)(i % 255 + 1), sizes[i]);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < sizes[i]; j += 7)
            CHECK(pieces[i][j] == i % 255 + 1);
    arena_done(&arena);
}

TEST(unit_arena, nothing_has_a_place_too)
{
    struct arena arena = {0};

    CHECK(arena_alloc(&arena, 0) != NULL);
    CHECK(arena_copy(&arena, NULL, 0) != NULL);
    arena_done(&arena);
}

TEST(unit_arena, after_a_reset_memory_is_zeroed_again_and_the_first_block_is_used_again)
{
    struct arena arena = {0};
    unsigned char *first = arena_alloc(&arena, 100);

    memset(first, 0xff, 100);
    memset(arena_alloc(&arena, 300000), 0xff, 300000);
    arena_reset(&arena);
    unsigned char *again = arena_alloc(&arena, 100);
    CHECK(again == first);
    CHECK(all_zero(again, 100));
    CHECK(all_zero(arena_alloc(&arena, 300000), 300000));
    arena_done(&arena);
}

TEST(unit_arena, an_arena_may_be_used_again_after_its_end_and_reset_before_its_beginning)
{
    struct arena arena;

    arena_init(&arena);
    arena_reset(&arena);
    arena_done(&arena);
    CHECK_STR(arena_str(&arena, "a"), "a");
    arena_done(&arena);
    arena_done(&arena);
    CHECK_STR(arena_str(&arena, "b"), "b");
    arena_done(&arena);
}

TEST(unit_arena, a_copy_is_its_own)
{
    struct arena arena = {0};
    char text[] = "call";
    char *copy = arena_str(&arena, text), *bytes = arena_copy(&arena, text, 2);

    text[0] = 'b';
    CHECK_STR(copy, "call");
    CHECK(memcmp(bytes, "ca", 2) == 0);
    arena_done(&arena);
}

TEST(unit_arena, printf_is_never_cut)
{
    struct arena arena = {0};
    char *text = arena_printf(&arena, "%0100000d|%s|%d", 7, "ü", -3);

    CHECK_INT(strlen(text), 100000 + strlen("|ü|-3"));
    CHECK_STR(text + 99999, "7|ü|-3");
    CHECK_STR(arena_printf(&arena, "%s", ""), "");
    arena_done(&arena);
}

TEST(unit_arena, heap_memory_is_never_null_also_of_size_nothing)
{
    void *none = xcalloc(0, 0), *grown = xrealloc(NULL, 0);
    char *copy = xstrdup("text");

    CHECK(none && grown);
    CHECK_STR(copy, "text");
    free(none);
    free(grown);
    free(copy);
}
