/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - RFC 3629, held against a decoder that is slow and obvious. */
#include "utf8.h"

#include <stdint.h>

#include "test.h"

/* The bytes of a code point, and how many. */
static size_t encode(uint32_t c, char s[static 4])
{
    if (c < 0x80)
        return s[0] = (char)c, 1;
    if (c < 0x800)
        return s[0] = (char)(0xc0 | c >> 6), s[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return s[0] = (char)(0xe0 | c >> 12), s[1] = (char)(0x80 | (c >> 6 & 63)), s[2] = (char)(0x80 | (c & 63)), 3;
    s[0] = (char)(0xf0 | c >> 18);
    s[1] = (char)(0x80 | (c >> 12 & 63));
    s[2] = (char)(0x80 | (c >> 6 & 63));
    s[3] = (char)(0x80 | (c & 63));
    return 4;
}

TEST(unit_utf8, every_character_is_well_formed_and_no_surrogate_is)
{
    char s[4];

    for (uint32_t c = 0; c <= 0x10ffff && !test_failed(); c++) {
        size_t n = encode(c, s);
        bool surrogate = c >= 0xd800 && c <= 0xdfff;
        if (utf8_next(s, n) != (surrogate ? 0 : n))
            test_fail(__FILE__, __LINE__, "U+%04X", c);
        if (n > 1 && utf8_next(s, n - 1) != 0)
            test_fail(__FILE__, __LINE__, "U+%04X cut short", c);
    }
}

/* All pairs and triples of bytes: exactly as many are characters as there are characters of that length. */
TEST(unit_utf8, no_other_bytes_are_a_character)
{
    int counts[5] = {0};
    char s[3];

    for (int a = 0; a < 256; a++)
        for (int b = 0; b < 256; b++) {
            s[0] = (char)a;
            s[1] = (char)b;
            size_t two = utf8_next(s, 2);
            counts[two] += two == 2;
            for (int c = 0; c < 256; c++) {
                s[2] = (char)c;
                counts[3] += utf8_next(s, 3) == 3;
            }
        }
    CHECK_INT(counts[2], 0x800 - 0x80);
    CHECK_INT(counts[3], 0x10000 - 0x800 - 0x800);
}

TEST(unit_utf8, four_bytes_end_at_10ffff_and_are_not_overlong)
{
    static const char *const bad[] = {"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff\x80\x80\x80",
                                      "\xf1\x80\x80\x7f", "\xf1\x80\xc0\x80", "\xf1\x7f\x80\x80"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_INT(utf8_next(bad[i], 4), 0);
    CHECK_INT(utf8_next("\xf0\x90\x80\x80", 4), 4);
    CHECK_INT(utf8_next("\xf4\x8f\xbf\xbf", 4), 4);
    CHECK_INT(utf8_next("", 0), 0);
}

TEST(unit_utf8, a_text_is_valid_when_each_of_its_characters_is)
{
    static const char text[] = "aü€𝄞\0b";

    CHECK(utf8_valid(text, sizeof text - 1));
    CHECK(utf8_valid("", 0));
    for (size_t n = 1; n <= 10; n++) /* 1 + 2 + 3 + 4 bytes */
        CHECK(utf8_valid(text, n) == (n == 1 || n == 3 || n == 6 || n == 10));
    CHECK(!utf8_valid("a\x80", 2));
}

TEST(unit_utf8, characters_are_counted_not_bytes)
{
    CHECK_INT(utf8_count(""), 0);
    CHECK_INT(utf8_count("abc"), 3);
    CHECK_INT(utf8_count("aü€𝄞"), 4);
}

static void check_clean(const char *before, const char *after)
{
    char text[64];

    snprintf(text, sizeof text, "%s", before);
    utf8_clean(text);
    CHECK_STR(text, after);
}

TEST(unit_utf8, clean_leaves_characters_and_replaces_the_rest)
{
    check_clean("", "");
    check_clean("plain aü€𝄞 text", "plain aü€𝄞 text");
    check_clean("a\nb\tc\x7f" "d\x1b[31m", "a?b?c?d?[31m");
    check_clean("\xff" "a\xc3", "?a?");
    check_clean("a\xe2\x82", "a??"); /* cut inside of a character */
    check_clean("\xed\xa0\x80", "???");
    check_clean("\xc3(", "?(");
}

/* U+0080 .. U+009F: a terminal takes U+009B for the start of an escape sequence. */
TEST(unit_utf8, clean_replaces_the_control_characters_above_ascii_too)
{
    check_clean("a\xc2\x9b" "31mb", "a??31mb");
    check_clean("\xc2\x80\xc2\x85\xc2\x9f", "??????");
    check_clean("\xc2\xa0\xc3\x80", "\xc2\xa0\xc3\x80"); /* a space that does not break, an A with an accent */
}

TEST(unit_utf8, columns_are_those_of_a_terminal_and_no_character_is_cut)
{
    size_t bytes = 0;

    CHECK_INT(utf8_columns("Standard Höflich", 40, &bytes), 16);
    CHECK_INT(bytes, 17);
    CHECK_INT(utf8_columns("Ho\xcc\x88" "flich", 40, &bytes), 7); /* o and a combining diaeresis */
    CHECK_INT(utf8_columns("Höflich", 2, &bytes), 2);
    CHECK_INT(bytes, 3);
    CHECK_INT(utf8_columns("日本語", 5, &bytes), 4);
    CHECK_INT(bytes, 6);
    CHECK_INT(utf8_columns("\xf0\x9f\x98\x80!", 9, &bytes), 3);
    CHECK_INT(utf8_columns("", 5, &bytes), 0);
    CHECK_INT(bytes, 0);
}
