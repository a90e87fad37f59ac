/* SPDX-License-Identifier: Apache-2.0 */
/* rlctl_payload.c - tests of what rlctl makes of a command line. */
#include "../../tools/rlctl/payload.c" /* rlctl is a program, not a library */

#include "msg.h"
#include "test.h"

static const struct option options[] = {
    {"--resolved", NULL, "", "signals.resolution", "true"}, {"--unresolved", NULL, "", "signals.resolution", "false"},
    {"--rating", "N", "", "signals.user_rating", NULL},     {"--satisfaction", "X", "", "signals.satisfaction", NULL},
    {"--source", "S", "", "source", NULL},                  {"--retract", NULL, "", "retracted", "true"},
    {"-n", "N", "", NULL, NULL},                            {NULL, NULL, NULL, NULL, NULL},
};

/* Parses, fills a CallAmended and gives its JSON, or "field: text" when something is refused. */
static const char *amended(struct arena *arena, int argc, const char *const *argv)
{
    struct args args;
    struct reason reason = {0};
    const uint8_t *data;
    size_t size;
    void *message = NULL;

    if (args_parse(argc, argv, options, &args, &reason) != STATUS_OK ||
        payload_fill(arena, &tom__rl__v1__call_amended__descriptor, &args, &message, &reason) != STATUS_OK)
        return arena_printf(arena, "%s: %s", reason.field, reason.text);
    codec_encode(arena, message, true, &data, &size);
    return arena_printf(arena, "%.*s", (int)size, (const char *)data);
}

#define AMENDED(arena, ...) \
    amended(arena, (int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)), (const char *const[]){__VA_ARGS__})

TEST(unit_rlctl, options_fill_the_fields_that_they_name_and_no_other)
{
    struct arena arena;

    arena_init(&arena);
    CHECK_STR(AMENDED(&arena, "c-1", "--unresolved", "--rating=4", "--satisfaction", "-0.5", "--source", "human"),
              "{\"call_id\":\"\",\"source\":\"HUMAN\",\"signals\":{\"resolution\":false,\"user_rating\":4,"
              "\"satisfaction\":-0.5}}");
    CHECK_STR(AMENDED(&arena, "c-1", "--unres", "--rati=2"),
              "{\"call_id\":\"\",\"source\":\"UNSPECIFIED\",\"signals\":{\"resolution\":false,\"user_rating\":2}}");
    CHECK_STR(AMENDED(&arena, "c-1", "--retract"), "{\"call_id\":\"\",\"source\":\"UNSPECIFIED\",\"retracted\":true}");
    arena_done(&arena);
}

TEST(unit_rlctl, what_cannot_be_meant_is_refused_by_name)
{
    struct arena arena;

    arena_init(&arena);
    CHECK_STR(AMENDED(&arena, "--rating", "good"), "user_rating: \"good\" is not a whole number");
    CHECK_STR(AMENDED(&arena, "--rating", "99999999999"), "user_rating: \"99999999999\" is not a whole number");
    CHECK_STR(AMENDED(&arena, "--satisfaction", "nan"), "satisfaction: \"nan\" is not a number");
    CHECK_STR(AMENDED(&arena, "--source", "cat"), "source: \"cat\" is not one of its names");
    CHECK_STR(AMENDED(&arena, "--rating"), "--rating: needs a value: N");
    CHECK_STR(AMENDED(&arena, "--resolved=no"), "--resolved=no: takes no value");
    CHECK_STR(AMENDED(&arena, "--colour"), "--colour: is no option of this verb");
    CHECK_STR(AMENDED(&arena, "--re"), "--re: is no option of this verb"); /* --resolved or --retract? */
    CHECK_STR(AMENDED(&arena, "--resolved", "--unresolved"), "--unresolved: contradicts --resolved");
    CHECK_STR(AMENDED(&arena, "--retract", "--retract"), "--retract: is given twice");
    arena_done(&arena);
}

TEST(unit_rlctl, words_and_common_options_may_come_in_any_order)
{
    struct args args;

    CHECK_INT(args_parse(7, (const char *const[]){"--json", "a", "-n", "5", "-", "--as", "init"}, options, &args, NULL),
              STATUS_OK);
    CHECK(args.json && !args.help);
    CHECK_STR(args.as, "init");
    CHECK_INT(args.word_count, 2);
    CHECK_STR(args.words[1], "-");
    CHECK_STR(args_get(&args, "-n"), "5");
    CHECK(args_get(&args, "--retract") == NULL);
}
