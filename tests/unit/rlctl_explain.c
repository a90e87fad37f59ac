/* SPDX-License-Identifier: Apache-2.0 */
/* rlctl_explain.c - tests of the screen that explains a decision. */
#include "../../tools/rlctl/explain_text.c" /* rlctl is a program, not a library */

#include <stdlib.h>

#include "codec.h"
#include "test.h"

#define RECORD                                                                                                              \
    "\"call_key\":\"0123456789abcdef0123456789abcdef\",\"key_id\":\"k1\",\"decision_id\":\"d1\",\"policy_version\":\"p7\"," \
    "\"guard_version\":\"g3\",\"context\":{\"profile\":\"kfz\",\"time_of_day\":\"morning\"},\"ts\":1795521180.3,"
#define GROUNDS "\"cell\":\"kfz/morning\",\"w\":[0.2,0.3,0.5],\"stages\":[\"BASE\",\"NEW\",\"UNCERTAIN\"],\"groups\":[0,1,2]," \
    "\"caps\":[{\"name\":\"new\",\"cap\":0.1},{\"name\":\"uncertain\",\"cap\":0.05}],\"floor\":0.002,"

/* The screen of a reply whose `decision` is RECORD and `more`. */
static char *screen(struct arena *arena, const char *more)
{
    const char *json = arena_printf(arena, "{\"state\":\"decided\","
                                           "\"decision\":{" RECORD "%s},\"variant_names\":{\"v1a\":\"Höflich\",\"v2b\":\"Ruhig\","
                                    "\"v3a\":\"Ein Name, der viel länger ist als seine Spalte\"}}", more);
    ProtobufCMessage *m = NULL;
    struct reason reason = {0};
    char *text = NULL;
    size_t size;
    bool is_json;

    if (codec_decode(arena, &tom__rl__v1__router_session_reply__descriptor, json, strlen(json), 65536, &is_json, &m,
                     &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", reason.field, reason.text);
    FILE *out = open_memstream(&text, &size);
    explain_text(out, arena, (const RouterSessionReply *)m, false);
    fclose(out);
    char *kept = arena_str(arena, text);
    free(text);
    return kept;
}

static void says(const char *text, const char *expected)
{
    if (!strstr(text, expected))
        test_fail(__FILE__, __LINE__, "there is no \"%s\" in\n%s", expected, text);
}

TEST(unit_explain, the_draw_is_shown_in_the_part_of_p_that_it_fell_into)
{
    struct arena arena = {0};
    char *text = screen(&arena, "\"policy_variant\":\"v2b\",\"source\":\"LEARNED\",\"probabilities\":{\"v1a\":0.85,\"v2b\":0.1,"
                                "\"v3a\":0.05},\"grounds\":{" GROUNDS "\"draw\":0.9}");

    says(text, "v2b  Ruhig\n  source     LEARNED: drawn from what was learned, within the guard's limits\n"
               "  context    profile=kfz time_of_day=morning\n"
               "  versions   policy p7, guard g3\n  decided    2026-11-24 11:53:00 UTC, call k1:01234567..\n");
    says(text, "  v1a   Höflich                       20.00 %  85.00 %  0.0000 .. 0.8500  base\n"
               "> v2b   Ruhig                         30.00 %  10.00 %  0.8500 .. 0.9500  new         new 10 %\n"
               "  v3a   Ein Name, der viel länger is  50.00 %   5.00 %  0.9500 .. 1.0000  uncertain   uncertain 5 %\n");
    says(text,
         "draw       0.900000, which fell to v2b: 0.850000 .. 0.950000 of the cumulated p\n  holdback   off\n  floor      0.2 %");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        CHECK(utf8_count(line) <= 100);
    arena_done(&arena);
}

TEST(unit_explain, with_a_holdback_the_draw_is_from_the_rest)
{
    static const char p[] = "\"source\":\"LEARNED\",\"probabilities\":{\"v1a\":0.88,\"v2b\":0.08,\"v3a\":0.04},";
    struct arena arena = {0};

    const char *text = screen(&arena, arena_printf(&arena, "%s\"policy_variant\":\"v2b\","
                                                           "\"grounds\":{" GROUNDS "\"base_share\":0.2,\"draw\":0.9}", p));
    says(text, "0.900000, which fell to v2b: 0.850000 .. 0.950000");
    says(text, "holdback   20 % of calls always get base; this one is not among them");
    text = screen(&arena, arena_printf(&arena, "%s\"policy_variant\":\"v1a\",\"holdback\":true,"
                                               "\"grounds\":{" GROUNDS "\"base_share\":0.2,\"draw\":0.9}", p));
    says(text, "0.900000, which was not used\n  holdback   20 % of calls always get base; this one is among them");
    arena_done(&arena);
}

TEST(unit_explain, a_pin_and_a_request_that_ruled_out_variants_are_named)
{
    struct arena arena = {0};

    const char *text = screen(&arena, "\"policy_variant\":\"v2b\",\"source\":\"PINNED\",\"probabilities\":{\"v1a\":0,\"v2b\":1,"
                                      "\"v3a\":0},\"grounds\":{" GROUNDS "\"draw\":0.9,\"masked\":[2]}");
    says(text, "source     PINNED: an operator gave all calls of this cell to this variant");
    says(text, "uncertain   ruled out\n");
    says(text, "request    ruled out 1 of 3\n");
    says(text, "draw       0.900000, which was not used\n");
    arena_done(&arena);
}

TEST(unit_explain, what_was_not_recorded_is_not_made_up)
{
    struct arena arena = {0};

    const char *text = screen(&arena, "\"policy_variant\":\"v1a\",\"source\":\"FALLBACK\",\"probabilities\":{\"v1a\":1,\"v2b\":0,"
                                      "\"v3a\":0}");
    says(text, "> v1a   Höflich                             - 100.00 %                    -\n");
    says(text, "What it was drawn from is not known");
    CHECK(!strstr(text, "draw  "));
    arena_done(&arena);
}
