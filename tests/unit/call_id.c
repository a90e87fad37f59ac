/* SPDX-License-Identifier: Apache-2.0 */
/* call_id.c - ids are trimmed, then counted in characters. */
#include "call_id.h"

#include "arena.h"
#include "test.h"

/* The id after the check; NULL: refused. */
static const char *checked(struct arena *arena, const char *text)
{
    char *id = arena_str(arena, text);
    struct reason reason = {0};

    if (call_id_check(&id, "caller_key", &reason) == STATUS_OK)
        return id;
    CHECK_STR(reason.field, "caller_key");
    return NULL;
}

static char *many(struct arena *arena, const char *character, int n)
{
    char *text = arena_str(arena, "");

    for (int i = 0; i < n; i++)
        text = arena_printf(arena, "%s%s", text, character);
    return text;
}

TEST(unit_call_id, white_space_around_an_id_is_no_part_of_it)
{
    struct arena arena = {0};

    CHECK_STR(checked(&arena, "call-1"), "call-1");
    CHECK_STR(checked(&arena, " \t\r\n\v\fcall 1\n \t"), "call 1");
    CHECK_STR(checked(&arena, "x"), "x");
    arena_done(&arena);
}

TEST(unit_call_id, nothing_but_white_space_is_no_id)
{
    struct arena arena = {0};

    CHECK(!checked(&arena, ""));
    CHECK(!checked(&arena, " "));
    CHECK(!checked(&arena, " \t\n "));
    arena_done(&arena);
}

TEST(unit_call_id, a_hundred_characters_are_the_most)
{
    struct arena arena = {0};

    CHECK(checked(&arena, many(&arena, "a", 100)));
    CHECK(!checked(&arena, many(&arena, "a", 101)));
    CHECK(checked(&arena, arena_printf(&arena, "  %s  ", many(&arena, "a", 100))));
    arena_done(&arena);
}

TEST(unit_call_id, characters_count_not_bytes)
{
    struct arena arena = {0};

    CHECK(checked(&arena, many(&arena, "ü", 100)));
    CHECK(checked(&arena, many(&arena, "𝄞", 100)));
    CHECK(!checked(&arena, many(&arena, "ü", 101)));
    arena_done(&arena);
}

TEST(unit_call_id, a_refusal_does_not_repeat_the_id)
{
    struct arena arena = {0};
    char *id = arena_printf(&arena, "secret%s", many(&arena, "7", 100));
    struct reason reason = {0};

    CHECK_INT(call_id_check(&id, "call_id", &reason), STATUS_INVALID);
    CHECK(!strstr(reason.text, "secret") && !strstr(reason.text, "777"));
    CHECK_STR(reason.text, "106 characters; expected 1 .. 100");
    arena_done(&arena);
}
