/* SPDX-License-Identifier: Apache-2.0 */
/* variants.c - the shipped variants are those of the reference, and a slip in the file is named with its line. */
#include "variants.h"

#include <stdlib.h>

#include "test.h"

static const char *slot(const struct variant *v, const char *name)
{
    for (size_t i = 0; i < v->slot_count; i++)
        if (strcmp(v->slots[i].name, name) == 0)
            return v->slots[i].value;
    return NULL;
}

TEST(unit_variants, the_shipped_file_is_the_table_of_the_reference)
{
    static const char *const table[12][7] = {
        {"v1a", "Standard Höflich", "höflich", "kurz", "direkt", "normal", "3"},
        {"v1b", "Freundlich Persönlich", "freundlich", "mittel", "einladend", "niedrig", "4"},
        {"v2a", "Effizient Professionell", "professionell", "sehr_kurz", "direkt", "hoch", "2"},
        {"v2b", "Empathisch Unterstützend", "empathisch", "lang", "unterstützend", "niedrig", "5"},
        {"v3a", "Energisch Motivierend", "energisch", "mittel", "motivierend", "normal", "3"},
        {"v3b", "Ruhig Beruhigend", "ruhig", "lang", "beruhigend", "sehr_niedrig", "6"},
        {"v4a", "Technisch Präzise", "technisch", "kurz", "strukturiert", "hoch", "2"},
        {"v4b", "Einfach Verständlich", "einfach", "lang", "erklärend", "niedrig", "4"},
        {"v5a", "Humorvoll Leicht", "humorvoll", "mittel", "locker", "normal", "3"},
        {"v5b", "Autoritativ Führungsstark", "autoritativ", "kurz", "führend", "hoch", "2"},
        {"v6a", "Anpassungsfähig Flexibel", "flexibel", "variabel", "adaptiv", "variabel", "3"},
        {"v6b", "Konservativ Traditionell", "konservativ", "lang", "formell", "niedrig", "5"},
    };
    struct arena arena = {0};
    struct variants v = {0};
    struct reason reason = {0};

    CHECK_INT(variants_load(&arena, RL_SOURCE_DIR "/docs/policies/prompt_variants.yaml", &v, &reason), STATUS_OK);
    CHECK_STR(reason.text, "");
    CHECK_INT(v.count, 12);
    for (size_t i = 0; i < 12 && i < v.count; i++) {
        CHECK_STR(v.items[i].id, table[i][0]);
        CHECK_STR(v.items[i].name, table[i][1]);
        CHECK_STR(slot(&v.items[i], "tone"), table[i][2]);
        CHECK_STR(slot(&v.items[i], "length"), table[i][3]);
        CHECK_STR(slot(&v.items[i], "inquiry_mode"), table[i][4]);
        CHECK_STR(slot(&v.items[i], "barge_in_sensitivity"), table[i][5]);
        CHECK_STR(slot(&v.items[i], "escalation_threshold"), table[i][6]);
        CHECK(strstr(slot(&v.items[i], "greeting"), "Tom"));
        CHECK_STR(v.items[i].slots[0].name, "greeting");
        CHECK_INT(variants_find(&v, table[i][0]), (int)i);
    }
    CHECK_INT(variants_find(&v, "v7a"), -1);
    CHECK_INT(variants_find(&v, ""), -1);
    CHECK_INT(v.base, 0);
    CHECK_NEAR(v.initial_alpha, 1, 0);
    CHECK_NEAR(v.initial_beta, 1, 0);
    CHECK_NEAR(v.exploration_rate, 0.1, 0);
    CHECK_INT(v.min_pulls_for_confidence, 10);
    CHECK_NEAR(v.cap_new, 0.1, 0);
    CHECK_NEAR(v.cap_uncertain, 0.05, 0);
    CHECK_NEAR(v.blacklist_reward_mean, -0.2, 0);
    CHECK_INT(v.blacklist_min_pulls, 20);
    arena_done(&arena);
}

/* What a speech synthesiser says as it is written, to somebody it is polite to. */
static void speakable(const char *text)
{
    static const char *const bad[] = {"z. B.", "z.B.", "bzw.", "usw.", "ca.", "Nr.", "%", "&", "/", "(", "*", "_", "\"", "...",
                                      " du ", " dir ", " dein"};
    static const char *const polite[] = {"Sie", "Ihnen", "Ihr", "mir"};
    bool found = false;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strstr(text, bad[i]))
            test_fail(__FILE__, __LINE__, "\"%s\" holds \"%s\"", text, bad[i]);
    for (size_t i = 0; i < sizeof polite / sizeof *polite; i++)
        found |= strstr(text, polite[i]) != NULL;
    CHECK(found);
    CHECK(!strpbrk(text, "0123456789"));
    CHECK(strchr(".?!", text[strlen(text) - 1]) != NULL);
    CHECK(strlen(text) <= 130);
}

TEST(unit_variants, every_greeting_can_be_spoken_and_is_its_own)
{
    struct arena arena = {0};
    struct variants v = {0};
    struct reason reason = {0};

    CHECK_INT(variants_load(&arena, RL_SOURCE_DIR "/docs/policies/prompt_variants.yaml", &v, &reason), STATUS_OK);
    for (size_t i = 0; i < v.count; i++) {
        speakable(slot(&v.items[i], "greeting"));
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(slot(&v.items[i], "greeting"), slot(&v.items[k], "greeting")) != 0);
    }
    arena_done(&arena);
}

static const char good[] = "slots:\n"                                                  /* 1 */
                           "  greeting: {description: Said.}\n"                        /* 2 */
                           "  tone: {values: [warm, cool]}\n"                          /* 3 */
                           "  threshold: {values: [1, 6]}\n"                           /* 4 */
                           "variants:\n"                                               /* 5 */
                           "  - id: v2a\n"                                            /* 6 */
                           "    name: Two\n"                                           /* 7 */
                           "    description: Second.\n"                                /* 8 */
                           "    parameters: {greeting: Hi, tone: cool, threshold: 6}\n" /* 9 */
                           "  - id: v1a\n"                                             /* 10 */
                           "    name: One\n"                                           /* 11 */
                           "    description: First.\n"                                 /* 12 */
                           "    parameters:\n"                                         /* 13 */
                           "      greeting: Hello\n"                                   /* 14 */
                           "      tone: warm\n"                                        /* 15 */
                           "      threshold: 1\n"                                      /* 16 */
                           "deployment:\n"                                             /* 17 */
                           "  traffic_split:\n"                                        /* 18 */
                           "    base_variant: v1a\n";                                  /* 19 */

static const char *file_path(void)
{
    static char path[300];

    snprintf(path, sizeof path, "%s/v.yaml", test_dir());
    return path;
}

static void write_file(const char *text)
{
    FILE *out = fopen(file_path(), "w");

    fputs(text, out);
    fclose(out);
}

static enum status load(const char *from, const char *to, struct variants *v, struct arena *arena, struct reason *reason)
{
    char text[2000];
    const char *at = from ? strstr(good, from) : good;

    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, from ? to : "", from ? at + strlen(from) : good);
    write_file(text);
    return variants_load(arena, file_path(), v, reason);
}

/* The good file with `from` replaced by `to` is refused with `expected`. */
static void refused(const char *from, const char *to, const char *expected)
{
    struct arena arena = {0};
    struct variants v = {.count = 77};
    struct reason reason = {0};

    CHECK_INT(load(from, to, &v, &arena, &reason), STATUS_CONFIG);
    CHECK_STR(strstr(reason.text, "v.yaml"), expected);
    CHECK_INT(v.count, 77);
    arena_done(&arena);
}

TEST(unit_variants, they_are_sorted_and_slots_keep_the_order_of_their_definitions)
{
    struct arena arena = {0};
    struct variants v = {0};
    struct reason reason = {0};

    CHECK_INT(load(NULL, NULL, &v, &arena, &reason), STATUS_OK);
    CHECK_STR(v.items[0].id, "v1a");
    CHECK_STR(v.items[1].id, "v2a");
    CHECK_STR(v.items[1].slots[1].name, "tone");
    CHECK_STR(v.items[1].slots[1].value, "cool");
    CHECK_INT(v.base, 0);
    arena_done(&arena);
}

TEST(unit_variants, every_slip_is_named_with_file_line_and_key)
{
    refused("      tone: warm\n", "", "v.yaml:14: tone: slot missing in variant v1a");
    refused("      tone: warm\n", "      tone: warm\n      tune: x\n", "v.yaml:16: tune: unknown slot, did you mean tone?");
    refused("tone: warm", "tone: hot", "v.yaml:15: tone: \"hot\" is none of its values (warm, cool)");
    refused("tone: warm", "tone: warn", "v.yaml:15: tone: \"warn\" is none of its values, did you mean warm?");
    refused("      tone: warm\n", "      tone: warm\n      voice: x\n",
            "v.yaml:16: voice: unknown slot (greeting, tone, threshold)");
    refused("threshold: 1\n", "threshold: 7\n", "v.yaml:16: threshold: \"7\" is none of its values (1, 6)");
    refused("greeting: Hello\n", "greeting: \"\"\n", "v.yaml:14: greeting: want a text of 1 to 1000 bytes");
    refused("greeting: Hello\n", "greeting: [a]\n", "v.yaml:14: greeting: want a text of 1 to 1000 bytes");
    refused("name: One", "nome: One", "v.yaml:11: nome: unknown key of a variant, did you mean name?");
    refused("name: One", "colour: One", "v.yaml:11: colour: unknown key of a variant (id, name, description, parameters)");
    refused("  - id: v1a\n    name", "  - name", "v.yaml:10: id: missing in this variant");
    refused("  - id: v1a\n", "  - v3a\n  - id: v1a\n", "v.yaml:10: variants: want id, name, description and parameters of each");
    refused("    parameters: {greeting: Hi, tone: cool, threshold: 6}\n", "", "v.yaml:6: parameters: missing in variant v2a");
    refused("{greeting: Hi, tone: cool, threshold: 6}", "[Hi]", "v.yaml:9: parameters: want a slot: value on each line");
    refused("- id: v1a", "- id: v2a", "v.yaml:10: id: variant v2a stands there twice");
    refused("- id: v1a", "- id: one", "v.yaml:10: id: \"one\" is no id: v, digits, one lower-case letter");
    refused("description: First.", "description:", "v.yaml:12: description: want a text of 1 to 1000 bytes");
    refused("base_variant: v1a", "base_variant: v9z",
            "v.yaml:19: deployment.traffic_split.base_variant: there is no variant \"v9z\"");
    refused("base_variant: v1a", "new_variants: 2",
            "v.yaml:19: deployment.traffic_split.new_variants: out of range: \"2\" (0 .. 1)");
    refused("base_variant: v1a", "old_variants: 0",
            "v.yaml:19: deployment.traffic_split.old_variants: unknown key, did you mean deployment.traffic_split.new_variants?");
    refused("deployment:", "deploiment:", "v.yaml:17: deploiment: unknown section, did you mean deployment?");
    refused("{values: [1, 6]}", "{values: []}", "v.yaml:4: threshold: values: want a list of words");
    refused("{values: [1, 6]}", "{values: 6}", "v.yaml:4: threshold: values: want a list of words");
    refused("{values: [1, 6]}", "{value: [1, 6]}", "v.yaml:4: value: unknown key of a slot, did you mean values?");
    refused("{values: [1, 6]}", "{values: [1, 6, 1]}", "v.yaml:4: threshold: values: \"1\" stands there twice");
    refused("base_variant: v1a", "base_variant: ~", "v.yaml:19: deployment.traffic_split.base_variant: want one value");
}

TEST(unit_variants, what_cannot_be_spoken_on_one_line_is_refused)
{
    refused("greeting: Hello", "greeting: \"a\\nb\"", "v.yaml:14: greeting: holds a line break or another control character");
    refused("name: One", "name: \"\\e[31m\"", "v.yaml:11: name: holds a line break or another control character");
    refused("name: One", "name: ~", "v.yaml:11: name: want a text of 1 to 1000 bytes");
    refused("greeting: Hello", "greeting: \"  \"", "v.yaml:14: greeting: want a text of 1 to 1000 bytes");
}

TEST(unit_variants, a_folded_greeting_is_one_line)
{
    struct arena arena = {0};
    struct variants v = {0};
    struct reason reason = {0};

    CHECK_INT(load("greeting: Hello\n", "greeting: >\n        Hello\n        there\n", &v, &arena, &reason), STATUS_OK);
    CHECK_STR(v.items ? v.items[0].slots[0].value : "", "Hello there");
    arena_done(&arena);
}

TEST(unit_variants, what_is_no_yaml_is_named_with_its_line_and_the_key_there)
{
    refused("      tone: warm\n", "\ttone: warm\n", "v.yaml:15: tone: indented by a tab; YAML wants spaces");
    refused("name: One", "name: On\xff", "v.yaml:11: name: invalid leading UTF-8 octet");
    refused("name: One", "name: \"\\0\"", "v.yaml:11: name: a value holds a NUL");
    refused("name: One", "name: \"One", "v.yaml:11: name: found unexpected end of stream, while scanning a quoted scalar");
    refused("slots:\n  greeting: {description: Said.}\n  tone: {values: [warm, cool]}\n  threshold: {values: [1, 6]}\n",
            "slots: {}\n", "v.yaml:1: slots: at least one slot is needed");
}

TEST(unit_variants, more_than_fit_are_refused_where_the_first_too_many_stands)
{
    static char all[MAX_VARIANTS * 100];
    struct arena arena = {0};
    struct variants v = {0};
    struct reason reason = {0};
    int used = snprintf(all, sizeof all, "slots: {tone: {}}\nvariants:\n");

    for (int i = 0; i <= MAX_VARIANTS; i++)
        used += snprintf(all + used, sizeof all - (size_t)used,
                         "  - {id: v%da, name: N, description: D, parameters: {tone: x}}\n", i + 1);
    write_file(all);
    CHECK_INT(variants_load(&arena, file_path(), &v, &reason), STATUS_CONFIG);
    CHECK_STR(strstr(reason.text, "v.yaml"), "v.yaml:259: variants: more than 256");
    arena_done(&arena);
}

TEST(unit_variants, the_environment_overrides_the_caps)
{
    struct arena arena = {0};
    struct variants v = {0};
    struct reason reason = {0};

    setenv("RL_TRAFFIC_SPLIT_NEW", "0.2", 1);
    CHECK_INT(load(NULL, NULL, &v, &arena, &reason), STATUS_OK);
    CHECK_NEAR(v.cap_new, 0.2, 0);
    setenv("RL_TRAFFIC_SPLIT_NEW", "20 %", 1);
    CHECK_INT(load(NULL, NULL, &v, &arena, &reason), STATUS_CONFIG);
    CHECK_STR(reason.text, "RL_TRAFFIC_SPLIT_NEW: deployment.traffic_split.new_variants: want a number: \"20 %\" (0 .. 1)");
    unsetenv("RL_TRAFFIC_SPLIT_NEW");
    arena_done(&arena);
}

TEST(unit_variants, an_id_is_v_digits_and_one_letter)
{
    CHECK(variant_id_valid("v1a") && variant_id_valid("v12z"));
    CHECK(!variant_id_valid("") && !variant_id_valid("v") && !variant_id_valid("va") && !variant_id_valid("v1"));
    CHECK(!variant_id_valid("V1a") && !variant_id_valid("v1A") && !variant_id_valid("v1ab") &&
          !variant_id_valid("v123456789012345a"));
}
