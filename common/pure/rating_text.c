/* SPDX-License-Identifier: Apache-2.0 */
/* rating_text.c - what a recogniser wrote, as folded words and the breaks between them. */
#include <assert.h>
#include <string.h>

#include "rating_words.h"
#include "utf8.h"

struct reader {
    struct utterance *u;
    const char *at;
    size_t left;
    size_t length; /* of the word that is being read; its bytes end at u->used */
    bool begins, sentence, digits;
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static char peek(const struct reader *r, size_t ahead) { return ahead < r->left ? r->at[ahead] : '\0'; }

/* ---- words ----------------------------------------------------------------------------------------------------------------- */

static void put(struct reader *r, char c)
{
    r->digits = r->length ? r->digits && (is_digit(c) || c == '.') : is_digit(c);
    assert(r->u->used + 1 < UTTERANCE_BYTES);
    r->u->bytes[r->u->used++] = c;
    r->length++;
}

static void put_text(struct reader *r, const char *text)
{
    for (; *text; text++)
        put(r, *text);
}

static void end_word(struct reader *r)
{
    struct utterance *u = r->u;

    if (r->length == 0)
        return;
    u->bytes[u->used++] = '\0';
    if (u->count == UTTERANCE_WORDS) {
        u->too_long = true;
        u->used -= r->length + 1;
    } else
        u->words[u->count++] = (struct word){
            .text = u->bytes + u->used - r->length - 1, .begins = r->begins, .sentence = r->sentence};
    r->length = 0;
    r->begins = r->sentence = r->digits = false;
}

static void whole_word(struct reader *r, const char *text)
{
    end_word(r);
    put_text(r, text);
    end_word(r);
}

static void end_clause(struct reader *r, bool sentence)
{
    end_word(r);
    r->begins = true;
    r->sentence |= sentence;
}

static void ask(struct reader *r)
{
    struct utterance *u = r->u;

    end_clause(r, true);
    for (size_t i = u->count; i > 0; i--) {
        u->words[i - 1].asks = true;
        if (u->words[i - 1].begins)
            break;
    }
}

/* ---- characters ------------------------------------------------------------------------------------------------------------ */

/* ae oe ue ss of the letters that have them, else the letter without its accent; NULL: none of U+00C0 .. U+00FF. */
static const char *latin(unsigned c)
{
    static const char *const plain[32] = {"a", "a", "a", "a", "ae", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
                                          "d", "n", "o", "o", "o", "o", "oe", " ", "o", "u", "u", "u", "ue", "y", "?", "?"};

    if (c == 0xdf || c == 0x1e9e)
        return "ss";
    if (c == 0xff)
        return "y";
    return c >= 0xc0 && c < 0x100 ? plain[c % 32] : NULL;
}

static bool invisible(unsigned c)
{
    return c == '\'' || c == '`' || c == 0xb4 || c == 0x2018 || c == 0x2019 || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
           c == 0xfeff || (c >= 0x300 && c <= 0x36f) || (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe00 && c <= 0xfe0f);
}

/* Quotes, spaces and pictures part words and nothing more. */
static bool parts(unsigned c)
{
    return c == ' ' || c == '\t' || c == '"' || c == '_' || c == 0xa0 || c == 0xab || c == 0xbb || (c >= 0x2000 && c <= 0x200a) ||
           (c >= 0x201a && c <= 0x201f) || c == 0x202f || c == 0x3000 || (c >= 0x2600 && c < 0x2c00) || c >= 0x1f000;
}

static void beyond_ascii(struct reader *r, unsigned c)
{
    bool umlaut = c == 0x308 && r->length && (r->u->bytes[r->u->used - 1] == 'a' || r->u->bytes[r->u->used - 1] == 'o' ||
                                              r->u->bytes[r->u->used - 1] == 'u');

    if (umlaut)
        put(r, 'e');
    else if (invisible(c))
        return;
    else if (latin(c))
        put_text(r, latin(c));
    else if (c == 0xbd)
        whole_word(r, "half");
    else if (parts(c))
        end_word(r);
    else if (c == 0x2013 || c == 0x2014 || c == 0x2026 || c == 0x3001 || c == 0x3002)
        end_clause(r, false);
    else if (c >= 0xff10 && c <= 0xff19)
        put(r, (char)('0' + (c - 0xff10)));
    else if ((c | 32) >= 0xff41 && (c | 32) <= 0xff5a)
        put(r, (char)('a' + ((c | 32) - 0xff41)));
    else
        put(r, '?');
}

/* A dash: between two digits a range, before a digit a minus, within a word nothing, else it parts clauses. */
static void dash(struct reader *r)
{
    size_t next = 0;
    bool joins = r->length > 0;

    while (peek(r, next) == ' ')
        next++;
    end_word(r);
    bool after_digit = r->u->count && !r->begins && is_digit(r->u->words[r->u->count - 1].text[0]);
    if (is_digit(peek(r, next)) && after_digit)
        whole_word(r, "-");
    else if (is_digit(peek(r, 0)) && !joins)
        whole_word(r, "minus");
    else if (!joins || next > 0)
        end_clause(r, false);
}

/* What recognisers put in brackets was not said. */
static void skip_brackets(struct reader *r, char open)
{
    char close = open == '(' ? ')' : open == '[' ? ']' : open == '{' ? '}' : '>';

    end_word(r);
    while (r->left && *r->at != close) {
        r->at++;
        r->left--;
    }
}

static void ascii(struct reader *r, char c)
{
    if (c >= 'A' && c <= 'Z')
        put(r, (char)(c + 32));
    else if ((c >= 'a' && c <= 'z') || is_digit(c))
        put(r, c);
    else if ((c == '.' || c == ',' || c == ':') && r->length && r->digits && is_digit(peek(r, 0)))
        put(r, '.');
    else if (invisible((unsigned)c))
        return;
    else if (parts((unsigned)c) || c == ':') /* "gate: 4" is one clause */
        end_word(r);
    else if (c == '?')
        ask(r);
    else if (c == '-')
        dash(r);
    else if (c == '/')
        whole_word(r, "of");
    else if (c == '+')
        whole_word(r, "plus");
    else if (c == '=')
        whole_word(r, "is");
    else if (c == '(' || c == '[' || c == '{' || c == '<')
        skip_brackets(r, c);
    else if (c == '%' || c == '$' || c == '@' || c == '&')
        whole_word(r, "?");
    else
        end_clause(r, c == '.' || c == '!' || c == '\n');
}

/* ---- all ------------------------------------------------------------------------------------------------------------------- */

static unsigned take(struct reader *r)
{
    static const unsigned char lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t n = utf8_next(r->at, r->left);
    unsigned c = n ? (unsigned char)r->at[0] & lead[n] : 0xfffd;

    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)r->at[i] & 0x3f);
    n = n ? n : 1;
    r->at += n;
    r->left -= n;
    return c;
}

/* "vie vier": a word that was cut and said again. */
static bool begun(const char *cut, const char *whole)
{
    size_t n = strlen(cut);

    return strlen(whole) > n && memcmp(cut, whole, n) == 0;
}

void utterance_read(struct utterance *u, const char *text, enum rating_language language)
{
    struct reader r = {.u = u, .at = text, .left = strlen(text), .begins = true, .sentence = true};

    u->count = u->used = 0;
    u->too_long = r.left > UTTERANCE_TEXT;
    while (r.left && !u->too_long) {
        unsigned c = take(&r);
        if (c < 0x80)
            ascii(&r, (char)c);
        else
            beyond_ascii(&r, c);
    }
    if (u->too_long)
        return;
    end_word(&r);
    for (size_t i = 0; i < u->count; i++) {
        word_know(&u->words[i], language);
        if (u->words[i].kind == 0 && i + 1 < u->count && begun(u->words[i].text, u->words[i + 1].text))
            u->words[i].kind = WORD_HESITATION;
    }
    utterance_know_phrases(u, language);
}
