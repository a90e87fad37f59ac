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
