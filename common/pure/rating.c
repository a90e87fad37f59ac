/* SPDX-License-Identifier: Apache-2.0 */
/* rating.c - which claims an utterance makes, and whether they leave one number. */
#include "rating.h"

#include <stdlib.h>
#include <string.h>

#include "rating_clause.h"

#define X(name, text) [name] = text,
static const char *const method_texts[] = {RATING_METHODS(X)};
static const char *const reason_texts[] = {RATING_REASONS(X)};
#undef X

const char *rating_method_text(enum rating_method method) { return method_texts[method]; }
const char *rating_reason_text(enum rating_reason reason) { return reason_texts[reason]; }

static struct rating none(enum rating_reason reason) { return (struct rating){.reason = reason}; }

static struct rating some(int value, enum rating_method method, double confidence)
{
    return (struct rating){value, method, RATING_CLEAR, confidence};
}

struct rating rating_of_keys(const char *keys)
{
    char key = '\0';

    for (; *keys; keys++) {
        if (*keys == ' ' || (*keys == '#' && !keys[1]))
            continue;
        if (key && *keys != key)
            return none(RATING_CONTRADICTION);
        key = *keys;
    }
    if (!key)
        return none(RATING_EMPTY);
    return key >= '1' && key <= '5' ? some(key - '0', RATING_DTMF, 1) : none(RATING_OUT_OF_RANGE);
}

/* ---- claims ---------------------------------------------------------------------------------------------------------------- */

enum { BEYOND = 0, BETWEEN = -1 };

struct claims {
    int count, value, said; /* since the last correction; said: all of them */
    unsigned rivals;        /* a bit for each value that was not claimed, but is a doubt beside another */
    bool differ, between, other_scale;  /* "of ten", "to ten" */
    bool pending, withdrawn, corrected; /* a correction waits for its number; what was said is taken back; a number followed */
    bool questioned, answered;          /* a number is asked about; one is not */
    bool last_asks;                     /* the last number is asked: "4? Or rather 5?" */
    bool negated, unclear, starred, hedged, all_clean;
};

static void claim(struct claims *c, const struct utterance *u, size_t i)
{
    int none = word_is(u, i, WORD_BEYOND) ? BEYOND : BETWEEN;
    int value = word_is(u, i, WORD_NUMBER) && !number_bounded(u, i) ? u->words[i].value : none;
    bool in_range = c->count && number_joined(u, i);
    bool unheard = c->count == 0 || c->between || c->value == BEYOND;

    if (!in_range && value > 0 && unheard && !c->other_scale && number_sums_up(u, i)) {
        c->count = 0;
        c->rivals = number_contrasts(u, i) ? 0 : c->rivals;
        c->between = c->differ = c->withdrawn = c->starred = false;
    }
    if (c->pending && c->said) {
        c->corrected = true;
        c->count = 0;
        c->differ = c->between = c->starred = false;
    }
    c->pending = c->withdrawn = false;
    c->differ |= c->count && value != c->value;
    c->between |= value == BETWEEN || in_range;
    c->value = value;
    c->answered |= !u->words[i].asks;
    c->last_asks = u->words[i].asks;
    c->starred |= number_starred(u, i);
    c->all_clean &= number_clean(u, i);
    c->count++;
    c->said++;
}

/* "Two, sorry." */
static bool apology_at_end(const struct utterance *u, size_t i)
{
    static const char *const sorry[] = {"sorry", "entschuldigung", "verzeihung", "pardon"};

    for (size_t n = 0; n < sizeof sorry / sizeof *sorry; n++)
        if (i + 1 == u->count && !u->words[i].asks && strcmp(u->words[i].text, sorry[n]) == 0)
            return true;
    return false;
}

static void hear(struct claims *c, const struct utterance *u, size_t i)
{
    const struct word *w = &u->words[i];

    if (w->kind & (WORD_NO | WORD_RATHER)) {
        c->pending = true;
        c->withdrawn |= (w->kind & WORD_NO) && !(w->kind & WORD_ARTICLE) && c->count && !apology_at_end(u, i);
    }
    c->hedged |= (w->kind & WORD_HEDGE) != 0;
    if (!(w->kind & CLAIMED))
        return;
    c->other_scale |= word_is(u, i, WORD_BEYOND) && word_is(u, i - 1, WORD_OF | WORD_JOIN);
    c->questioned |= number_asked_about(u, i);
    if (number_of_else(u, i)) {
        c->unclear = true;
        bool or_so = word_is(u, i - 1, WORD_JOIN) && !word_is(u, i - 1, WORD_SMALL); /* "4, I guess, or 5" */
        bool of_part =
            word_is(u, i - 1, WORD_MILD) && word_is(u, i - 1, WORD_SMALL) && u->words[i].value != 0; /* "5, but the help was 2" */
        if (or_so || of_part || (c->count && number_asked_about(u, i)))
            c->rivals |= 1u << w->value;
    } else if (!number_known(u, i)) {
        c->unclear = true;
        if (number_rivals(u, i))
            c->rivals |= 1u << w->value;
    } else if (number_negated(u, i))
        c->negated = true;
    else
        claim(c, u, i);
}

/* "5, it did not work", "1, lovely": told of well or badly; "hardly worked", "nothing worked" is turned round. */
static bool apart_told(const struct utterance *u, size_t i, int value)
{
    bool well = word_valued(&u->words[i], WORD_LIKED), badly = word_valued(&u->words[i], WORD_HATED), turned = false;

    for (size_t k = i; !u->words[k].begins; k--)
        turned |= word_is(u, k - 1, WORD_NOT | WORD_HALF) || word_valued(&u->words[k - 1], WORD_HATED) ||
                  (word_is(u, k - 1, WORD_PRAISE) && u->words[k - 1].value < 3);
    return turned ? well && value == 5 : (well && value <= 2) || (badly && value >= 4);
}

/* Praise that stands beside a number must not contradict it: neither far away nor beyond the middle; "2, good" is a grade. */
static bool praise_fits(const struct utterance *u, int value)
{
    for (size_t i = 0; i < u->count; i++) {
        int level = u->words[i].value;
        bool of_scale = word_is(u, i - 1, WORD_IS) && word_is(u, i - 2, CLAIMED); /* "1 is bad" */
        bool apart = abs(level - value) > 2 || (level - 3) * (value - 3) < 0;
        bool negated = i > 0 && word_is(u, i - 1, WORD_NOT);
        if (word_is(u, i, WORD_PRAISE) && !word_is(u, i, WORD_SMALL) && !negated && apart && !of_scale)
            return false;
        if (apart_told(u, i, value))
            return false;
    }
    return true;
}

/* "4. My husband shakes his head, but I stick with 4." */
static bool repeated(const struct claims *c, const struct utterance *u)
{
    for (size_t i = 0; i < u->count; i++)
        if (word_valued(&u->words[i], WORD_NUMBERED) || word_valued(&u->words[i], WORD_COUNTED) ||
            word_valued(&u->words[i], WORD_REPORT))
            return false;
    return c->count > 1 && c->answered;
}

static struct rating conclude(const struct claims *c, const struct utterance *u)
{
    enum { SO_OFTEN = 4 }; /* a recogniser that loops */

    if (c->between || c->other_scale)
        return none(RATING_BETWEEN);
    if (c->withdrawn || utterance_held_back(u) || word_is(u, u->count - 1, WORD_BUT))
        return none(RATING_WITHDRAWN);
    if (c->differ || c->count > SO_OFTEN || (c->value > 0 && c->rivals & ~(1u << c->value) && !c->corrected))
        return none(RATING_CONTRADICTION);
    if (u->words[u->count - 1].kind == WORD_JOIN)
        return none(RATING_BETWEEN);
    if ((c->questioned && !c->answered) || (c->corrected && c->last_asks))
        return none(RATING_UNCLEAR);
    if (c->value == BEYOND)
        return none(RATING_OUT_OF_RANGE);
    if (!praise_fits(u, c->value))
        return none(RATING_CONTRADICTION);
    double confidence = (u->count == 1 ? 0.98 : 0.95) - (c->hedged ? 0.1 : 0) - (c->corrected ? 0.05 : 0);
    if (!c->all_clean || (!repeated(c, u) && utterance_unexplained(u)))
        confidence = 0.5; /* less than a homophone, as praise: not taken as shipped */
    return some(c->value, c->corrected ? RATING_CORRECTION : c->starred ? RATING_SCALE : RATING_NUMBER, confidence);
}

/* ---- without a number ------------------------------------------------------------------------------------------------------ */

/* "to", "uh for": the only word, or beside a hesitation. */
static struct rating homophone(const struct utterance *u)
{
    int value = 0;

    for (size_t i = 0; i < u->count && u->count <= 2; i++) {
        if (word_is(u, i, WORD_ALIKE) && !value)
            value = u->words[i].value;
        else if (!word_is(u, i, WORD_HESITATION))
            return none(RATING_NO_ANSWER);
    }
    return value ? some(value, RATING_HOMOPHONE, 0.6) : none(RATING_NO_ANSWER);
}

/* The level of one word of praise under what stands before it; 0: doubt. */
static int praised(const struct utterance *u, size_t i)
{
    static const int turned[] = {0, 0, 4, 2, 2, 0};
    int level = u->words[i].value;
    bool very = false;

    for (size_t k = i; !u->words[k].begins && word_is(u, k - 1, WORD_VERY | WORD_SMALL | WORD_NOT | WORD_ARTICLE); k--) {
        if (word_is(u, k - 1, WORD_NOT))
            return turned[level];
        if (word_is(u, k - 1, WORD_PRAISE))
            break;
        very |= word_is(u, k - 1, WORD_VERY);
    }
    return very && level == 4 ? 5 : very && level == 2 ? 1 : level;
}

/* "Good.", "Super, thanks" may be a mere reply: praise must stand alone, or be more than one word. */
static bool full(const struct utterance *u)
{
    bool alone = true;

    for (size_t i = 0; i < u->count; i++) {
        if (word_is(u, i, WORD_VERY | WORD_MILD | WORD_NOT))
            return true;
        alone &= word_is(u, i, WORD_PRAISE | WORD_HESITATION | WORD_ARTICLE);
    }
    return alone;
}

static struct rating praise(const struct utterance *u)
{
    enum { DOUBT = WORD_NO | WORD_RATHER | WORD_BOUND | WORD_GRADE | WORD_BUT | WORD_STARS | WORD_JOIN | WORD_OF };
    bool mild = false, soft = true;
    int level = 0;

    for (size_t i = 0; i < u->count; i++) {
        const struct word *w = &u->words[i];
        if (w->kind == 0 || w->asks || (w->kind & DOUBT & ~(w->kind & WORD_HESITATION ? WORD_NO : 0u)))
            return none(RATING_NO_ANSWER);
        mild |= (w->kind & (WORD_MILD | WORD_HEDGE | WORD_IS)) != 0;
        if (!(w->kind & WORD_PRAISE))
            continue;
        int here = praised(u, i);
        if (here == 0 || (level && abs(level - here) > 1))
            return none(RATING_CONTRADICTION);
        level = (w->kind & WORD_SMALL) && level ? level : here;
        soft &= (w->kind & WORD_SMALL) != 0;
    }
    if (level >= 4 && !full(u))
        return none(RATING_NO_ANSWER);
    return level && (mild || !soft) ? some(level, RATING_PRAISE, 0.5) : none(RATING_NO_ANSWER);
}

/* Nothing but thanks: silence, as some recognisers hear it. */
static bool thanks_only(const struct utterance *u)
{
    for (size_t i = 0; i < u->count; i++)
        if (!word_is(u, i, WORD_POLITE) && strcmp(u->words[i].text, "you") != 0)
            return false;
    return u->count > 0;
}

/* "Eine Eins." is the worst of five and the best of grades; a word of blame or a reason would tell. */
static bool perhaps_grade(const struct utterance *u)
{
    bool found = false;

    for (size_t i = 0; i < u->count; i++) {
        const struct word *w = &u->words[i];
        bool blame = ((w->kind & WORD_PRAISE) && w->value < 3) || strcmp(w->text, "leider") == 0;
        if (blame || (w->kind & (WORD_BECAUSE | WORD_BUT)))
            return false;
        bool shaped = i > 0 && !w->begins && (word_is(u, i - 1, WORD_ARTICLE | WORD_VERY) || u->words[i - 1].value == WORD_SHAPE);
        found |= shaped && (w->kind & WORD_NUMBER) && w->value == 1 && strcmp(u->words[i - 1].text, "a") != 0;
    }
    return found;
}

/* ---- all ------------------------------------------------------------------------------------------------------------------- */

static bool any(const struct utterance *u, unsigned kind)
{
    for (size_t i = 0; i < u->count; i++)
        if (u->words[i].kind & kind)
            return true;
    return false;
}

static bool jokes(const struct utterance *u)
{
    for (size_t i = 0; i < u->count; i++)
        if (word_valued(&u->words[i], WORD_JOKE))
            return true;
    return false;
}

struct rating rating_of_text(const char *text, enum rating_language language)
{
    struct utterance u;
    struct claims c = {.all_clean = true};

    utterance_read(&u, text, language);
    if (u.too_long)
        return none(RATING_TOO_LONG);
    if (u.count == 0)
        return none(RATING_EMPTY);
    if (any(&u, WORD_PHANTOM) || thanks_only(&u))
        return none(RATING_PHANTOM);
    if (any(&u, WORD_GRADE))
        return none(RATING_GRADE);
    if (jokes(&u))
        return none(RATING_UNCLEAR);
    bool grade = perhaps_grade(&u);
    if (utterance_cut_asides(&u))
        return none(RATING_UNCLEAR);
    for (size_t i = 0; i < u.count; i++)
        hear(&c, &u, i);
    if (c.count) {
        struct rating r = conclude(&c, &u);
        return r.value == 1 && grade ? none(RATING_GRADE) : r;
    }
    if (c.negated || c.unclear)
        return none(c.negated ? RATING_NEGATED : RATING_UNCLEAR);
    struct rating r = homophone(&u);
    return r.value ? r : praise(&u);
}
