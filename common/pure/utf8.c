/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.c - characters in bytes. */
#include "utf8.h"

#include <string.h>

static bool continues(unsigned char c) { return (c & 0xc0) == 0x80; }

size_t utf8_next(const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;

    if (size >= 1 && s[0] < 0x80)
        return 1;
    if (size >= 2 && s[0] >= 0xc2 && s[0] <= 0xdf && continues(s[1]))
        return 2;
    if (size >= 3 && (s[0] & 0xf0) == 0xe0 && continues(s[1]) && continues(s[2])) {
        bool overlong = s[0] == 0xe0 && s[1] < 0xa0, surrogate = s[0] == 0xed && s[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    if (size >= 4 && s[0] >= 0xf0 && s[0] <= 0xf4 && continues(s[1]) && continues(s[2]) && continues(s[3])) {
        bool overlong = s[0] == 0xf0 && s[1] < 0x90, beyond = s[0] == 0xf4 && s[1] > 0x8f;
        return overlong || beyond ? 0 : 4;
    }
    return 0;
}

bool utf8_valid(const char *s, size_t size)
{
    for (size_t i = 0, n; i < size; i += n)
        if ((n = utf8_next(s + i, size - i)) == 0)
            return false;
    return true;
}

size_t utf8_count(const char *s)
{
    size_t count = 0;

    for (; *s; s++)
        count += !continues((unsigned char)*s);
    return count;
}

static unsigned code_point(const char *text, size_t n)
{
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned c = (unsigned char)text[0] & lead[n];

    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)text[i] & 0x3f);
    return c;
}

/* The blocks of Unicode's East Asian Width that are wide as a whole, and marks that sit on the character before. */
static unsigned columns_of(unsigned c)
{
    static const struct {
        unsigned from, to, columns;
    } blocks[] = {
        {0x0300, 0x036f, 0}, {0x1100, 0x115f, 2}, {0x1ab0, 0x1aff, 0}, {0x1dc0, 0x1dff, 0}, {0x200b, 0x200f, 0},
        {0x20d0, 0x20ff, 0}, {0x2e80, 0x303e, 2}, {0x3041, 0xa4cf, 2}, {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2},
        {0xfe00, 0xfe0f, 0}, {0xfe20, 0xfe2f, 0}, {0xfe30, 0xfe6f, 2}, {0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2},
        {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
    };

    for (size_t i = 0; i < sizeof blocks / sizeof *blocks && c >= blocks[i].from; i++)
        if (c <= blocks[i].to)
            return blocks[i].columns;
    return 1;
}

size_t utf8_columns(const char *s, size_t limit, size_t *ret_bytes)
{
    size_t left = strlen(s), bytes = 0, columns = 0, n;

    while ((n = utf8_next(s + bytes, left - bytes)) > 0 && columns + columns_of(code_point(s + bytes, n)) <= limit) {
        columns += columns_of(code_point(s + bytes, n));
        bytes += n;
    }
    *ret_bytes = bytes;
    return columns;
}

/* U+0000 .. U+001F, U+007F .. U+009F: a terminal takes U+009B for the start of an escape sequence. */
static bool controls(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;

    return n == 1 ? s[0] < 0x20 || s[0] == 0x7f : n == 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

void utf8_clean(char *s)
{
    for (size_t left = strlen(s), n; left > 0; s += n, left -= n) {
        n = utf8_next(s, left);
        if (n == 0 || controls(s, n)) {
            *s = '?';
            n = 1;
        }
    }
}
