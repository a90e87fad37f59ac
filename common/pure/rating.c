/* SPDX-License-Identifier: Apache-2.0 */
/* rating.c - which claims an utterance makes, and whether they leave one number. */
#include "rating.h"

#include <stdlib.h>
#include <string.h>

#include "rating_words.h"

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

/* ---- clauses ------------------------------------------------------------------------------------------------------------------------------ */

enum { CLAIMED = WORD_NUMBER | WORD_BEYOND | WORD_HALF, AROUND = WORD_ARTICLE | WORD_SMALL | WORD_HEDGE | WORD_HESITATION | WORD_OF };

static bool is(const struct utterance *u, size_t i, unsigned kind) { return i < u->count && (u->words[i].kind & kind); }

static bool same_clause(const struct utterance *u, size_t next) { return next < u->count && !u->words[next].begins; }

static size_t clause_begin(const struct utterance *u, size_t i)
{
    while (i > 0 && !u->words[i].begins)
        i--;
    return i;
}

static size_t clause_end(const struct utterance *u, size_t i)
{
    do
        i++;
    while (same_clause(u, i));
    return i;
}

static void cut(struct utterance *u, size_t from, size_t to)
{
    if (to < u->count) {
        u->words[to].begins = true;
        memmove(&u->words[from], &u->words[to], (u->count - to) * sizeof *u->words);
    }
    u->count -= to - from;
}

static size_t sentence_end(const struct utterance *u, size_t i)
{
    do
        i++;
    while (i < u->count && !u->words[i].sentence && !is(u, i, WORD_NO));
    return i;
}

/* "where 5 is best" ends with its clause, before "then", and before "I'd say". */
static size_t condition_end(const struct utterance *u, size_t i)
{
    bool is_seen = false;

    do {
        i++;
        is_seen |= is(u, i, WORD_IS);
    } while (same_clause(u, i) && !(is_seen && is(u, i, WORD_GIVE)) && strcmp(u->words[i].text, "then") != 0 &&
             strcmp(u->words[i].text, "dann") != 0);
    return i;
}

static size_t aside_end(const struct utterance *u, size_t i, bool claimed)
{
    if (is(u, i, WORD_IF))
        return condition_end(u, i);
    return claimed ? sentence_end(u, i) : clause_end(u, i);
}

/* "If you call me back" is no aside but a condition; "where 5 is best", "if you ask me" is one. */
static bool bargains(const struct utterance *u, size_t i, size_t end)
{
    bool unknown = false;

    for (; i < end; i++) {
        unknown |= u->words[i].kind == 0;
        if (is(u, i, CLAIMED | WORD_IS | WORD_PRAISE))
            return false;
    }
    return unknown;
}

/* Asides go, "because ..." up to the end of the sentence when the number is out already; "but" and "no" begin a clause.
 * True: a condition was among them. */
static bool cut_asides(struct utterance *u)
{
    bool claimed = false, bargained = false;

    for (size_t i = 0; i < u->count;) {
        const struct word *w = &u->words[i];
        if (w->kind & (WORD_IF | WORD_BECAUSE)) {
            size_t end = aside_end(u, i, claimed);
            bargained |= (w->kind & WORD_IF) && bargains(u, i, end);
            cut(u, i, end);
            continue;
        }
        claimed |= (w->kind & (CLAIMED | WORD_PRAISE)) != 0;
        if ((w->kind & WORD_BUT) || ((w->kind & WORD_NO) && !(w->kind & WORD_ARTICLE)))
            u->words[i].begins = true;
        i++;
    }
    return bargained;
}

static bool clean(const struct utterance *u, size_t i)
{
    for (size_t k = clause_begin(u, i), end = clause_end(u, i); k < end; k++)
        if (u->words[k].kind == 0)
            return false;
    return true;
}

static size_t after_stars(const struct utterance *u, size_t i)
{
    do
        i++;
    while (same_clause(u, i) && is(u, i, WORD_STARS | WORD_OF_FIVE));
    return i;
}

static bool starred(const struct utterance *u, size_t i) { return after_stars(u, i) > i + 1; }

/* "my number is 2", "it is 4 already" - but "my answer is 2", "it is a 2". */
static bool told_of(const struct utterance *u, size_t i)
{
    bool given = is(u, i - 1, WORD_ARTICLE) || starred(u, i);

    for (size_t k = i; !u->words[k].begins; k--) {
        given |= is(u, k - 1, WORD_GIVE);
        if (is(u, k - 1, WORD_IS) && !(k >= 2 && is(u, k - 2, WORD_GIVE)) && !given)
            return true;
    }
    return false;
}

/* "Is 5 good?", "What do you think, 4?" - a scale that is asked about, another who is asked; "3, maybe?" is an answer. */
static bool asked_about(const struct utterance *u, size_t i)
{
    size_t k = clause_begin(u, i), end = clause_end(u, i);

    for (size_t n = k; u->words[i].asks && n < end; n++)
        if (u->words[n].kind == 0 || is(u, n, WORD_IS | WORD_PRAISE))
            return true;
    for (; u->words[i].asks && k > 0 && !u->words[k].sentence; k--)
        if (u->words[k - 1].kind == 0)
            return true;
    return false;
}

/* "Drueck mal die 5", "just say 5" - somebody in the room; not "I'd say 5", "sag ich mal 5". */
static bool ordered(const struct utterance *u, size_t i)
{
    static const char *const self[] = {"ich", "ichs", "i", "id", "ill", "wir", "we", "would", "wuerde", "wuerd", ""};
    bool order = false;

    for (size_t k = clause_begin(u, i); k < i; k++) {
        order |= is(u, k, WORD_GIVE) && u->words[k].value == WORD_ORDER;
        for (size_t n = 0; n < sizeof self / sizeof *self; n++)
            if (strcmp(u->words[k].text, self[n]) == 0)
                return false;
    }
    return order;
}

/* Something else than the rating is counted: "for 2", "bis 5", "3 of 4", "one of the", "vier mal", "1 ist schlecht". */
static bool counts_else(const struct utterance *u, size_t i)
{
    size_t after = after_stars(u, i);
    bool goes_on = !u->words[i].begins;

    if (told_of(u, i) || asked_about(u, i) || ordered(u, i) || (same_clause(u, after) && is(u, after, WORD_TIMES)))
        return true;
    if (same_clause(u, i + 1) && is(u, i + 1, WORD_IS | WORD_OF))
        return true;
    if (goes_on && is(u, i - 1, WORD_TIMES) && i >= 2 && is(u, i - 2, CLAIMED))
        return true;
    return goes_on && is(u, i - 1, WORD_OF | WORD_FOR | WORD_JOIN) && !(is(u, i - 1, WORD_JOIN) && i >= 2 && is(u, i - 2, CLAIMED | WORD_STARS));
}

static bool valued(const struct word *w, int value) { return w->kind == 0 && w->value == value; }

/* "Last time I gave a 5". */
static bool elsewhere(const struct utterance *u, size_t i)
{
    for (size_t k = clause_begin(u, i); k < i; k++)
        if (valued(&u->words[k], WORD_ELSEWHERE))
            return true;
    return false;
}

/* "She says, 4." */
static bool reported(const struct utterance *u, size_t i)
{
    for (; i > 0 && !u->words[i].sentence; i--)
        if (valued(&u->words[i - 1], WORD_REPORT))
            return true;
    return false;
}

/* "Had it worked it would be a 5." */
static bool unreal(const struct utterance *u, size_t i)
{
    for (size_t k = clause_begin(u, i), end = clause_end(u, i); k < end; k++)
        if (is(u, k, WORD_IS) && u->words[k].value == WORD_UNREAL)
            return true;
    return false;
}

/* "Ich", "I'd", "gebe" - nobody else's rating; nor where nobody stands before it. */
static bool mine(const struct utterance *u, size_t i)
{
    static const char *const self[] = {"ich", "ichs", "mir", "i", "id", "ill", "im", "me", "wir", "we"};
    bool others = false;

    for (size_t k = clause_begin(u, i), end = clause_end(u, i); k < end; k++) {
        others |= k < i && u->words[k].kind == 0;
        if (is(u, k, WORD_GIVE) && u->words[k].value == WORD_MINE)
            return true;
        for (size_t n = 0; n < sizeof self / sizeof *self; n++)
            if (strcmp(u->words[k].text, self[n]) == 0)
                return true;
    }
    return !others;
}

/* "... geb ich mal ne vier", "four stars" - and nothing unknown follows that may be what is counted. */
static bool marked(const struct utterance *u, size_t i)
{
    size_t after = after_stars(u, i), k = i;

    if (elsewhere(u, i) || (same_clause(u, after) && u->words[after].kind == 0))
        return false;
    if (!mine(u, i))
        return false;
    if (starred(u, i))
        return true;
    while (!u->words[k].begins && is(u, k - 1, AROUND | WORD_GIVE | WORD_RATHER)) {
        k--;
        if (is(u, k, WORD_GIVE) || (is(u, k, WORD_ARTICLE) && k + 1 == i))
            return true;
    }
    return false;
}

/* "You don't deserve a 5"; what comes after "also", "so" is a conclusion. */
static bool denied_before(const struct utterance *u, size_t i)
{
    for (; !u->words[i].begins && strcmp(u->words[i].text, "also") != 0 && strcmp(u->words[i].text, "so") != 0; i--)
        if (is(u, i - 1, WORD_NOT))
            return true;
    return false;
}

/* "not a 5"; "5 nicht, aber 4". */
static bool negated(const struct utterance *u, size_t i)
{
    for (size_t k = i + 1; same_clause(u, k); k++)
        if (is(u, k, WORD_NOT) && !(same_clause(u, k + 1) && is(u, k + 1, WORD_PRAISE)))
            return true;
    while (!u->words[i].begins && is(u, i - 1, AROUND | WORD_GIVE | WORD_VERY))
        i--;
    return !u->words[i].begins && is(u, i - 1, WORD_NOT);
}

static bool bounded(const struct utterance *u, size_t i)
{
    for (size_t k = clause_begin(u, i); k < i; k++)
        if (is(u, k, WORD_BOUND))
            return true;
    return false;
}

/* A range, "or", "four point five": only small words between it and the number before. */
static bool joined(const struct utterance *u, size_t i)
{
    while (i > 0 && !is(u, i - 1, CLAIMED)) {
        i--;
        if (is(u, i, WORD_JOIN | WORD_POINT))
            return i > 0;
        if (!is(u, i, AROUND | WORD_STARS))
            return false;
    }
    return false;
}

/* ---- claims ------------------------------------------------------------------------------------------------------------------------------- */

enum { BEYOND = 0, BETWEEN = -1 };

struct claims {
    int count, value, said; /* since the last correction; said: all of them */
    unsigned rivals;        /* a bit for each value: "eine 5 hierfuer", "fuers warten 5" is no claim, but a doubt beside another */
    bool differ, between;
    bool pending, withdrawn, corrected; /* a correction waits for its number; what was said is taken back; a number followed */
    bool questioned, answered; /* a number is asked about; one is not */
    bool negated, unclear, starred, hedged, all_clean;
};

static void claim(struct claims *c, const struct utterance *u, size_t i)
{
    int value = is(u, i, WORD_NUMBER) && !bounded(u, i) ? u->words[i].value : is(u, i, WORD_BEYOND) ? BEYOND : BETWEEN;
    bool in_range = c->count && joined(u, i);

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
    c->starred |= starred(u, i);
    c->all_clean &= clean(u, i);
    c->count++;
    c->said++;
}

/* A number among unknown words that looks like a rating of something: "eine 5 hierfuer", "1 for the advice", "fuers Warten 2", "or 1". */
static bool rivals(const struct utterance *u, size_t i)
{
    bool looks = is(u, i - 1, WORD_ARTICLE) || is(u, i, WORD_ARTICLE) || starred(u, i) || !same_clause(u, i + 1) || is(u, i + 1, WORD_FOR) ||
                 joined(u, i);

    for (size_t k = clause_begin(u, i), end = clause_end(u, i); k < end; k++)
        looks &= !is(u, k, WORD_NOT);
    return looks;
}

static void hear(struct claims *c, const struct utterance *u, size_t i)
{
    const struct word *w = &u->words[i];

    if (w->kind & (WORD_NO | WORD_RATHER)) {
        c->pending = true;
        c->withdrawn |= (w->kind & WORD_NO) && !(w->kind & WORD_ARTICLE) && c->count;
    }
    c->hedged |= (w->kind & WORD_HEDGE) != 0;
    if (!(w->kind & CLAIMED))
        return;
    c->questioned |= asked_about(u, i);
    if (counts_else(u, i) || reported(u, i) || unreal(u, i))
        c->unclear = true;
    else if (!clean(u, i) && (!marked(u, i) || denied_before(u, i))) {
        c->unclear = true;
        if (rivals(u, i))
            c->rivals |= 1u << w->value;
    } else if (negated(u, i))
        c->negated = true;
    else
        claim(c, u, i);
}

/* Praise that stands beside a number must not contradict it: neither far away nor beyond the middle; "2, good" is a grade. */
static bool praise_fits(const struct utterance *u, int value)
{
    for (size_t i = 0; i < u->count; i++) {
        int level = u->words[i].value;
        bool apart = abs(level - value) > 2 || (level - 3) * (value - 3) < 0;
        if (is(u, i, WORD_PRAISE) && !is(u, i, WORD_SMALL) && !(i > 0 && is(u, i - 1, WORD_NOT)) && apart)
            return false;
    }
    return true;
}

static struct rating conclude(const struct claims *c, const struct utterance *u)
{
    enum { SO_OFTEN = 4 }; /* a recogniser that loops */

    if (c->between)
        return none(RATING_BETWEEN);
    if (c->withdrawn || is(u, u->count - 1, WORD_BUT))
        return none(RATING_WITHDRAWN);
    if (c->differ || c->count > SO_OFTEN || (c->value > 0 && c->rivals & ~(1u << c->value) && !c->corrected))
        return none(RATING_CONTRADICTION);
    if (c->questioned && !c->answered)
        return none(RATING_UNCLEAR);
    if (c->value == BEYOND)
        return none(RATING_OUT_OF_RANGE);
    if (!praise_fits(u, c->value))
        return none(RATING_CONTRADICTION);
    double confidence = u->count == 1 ? 0.98 : 0.95;
    confidence -= (c->all_clean ? 0 : 0.1) + (c->hedged ? 0.1 : 0) + (c->corrected ? 0.05 : 0);
    return some(c->value, c->corrected ? RATING_CORRECTION : c->starred ? RATING_SCALE : RATING_NUMBER, confidence);
}

/* ---- without a number --------------------------------------------------------------------------------------------------------------------- */

/* "to", "uh for": the only word, or beside a hesitation. */
static struct rating homophone(const struct utterance *u)
{
    int value = 0;

    for (size_t i = 0; i < u->count && u->count <= 2; i++) {
        if (is(u, i, WORD_ALIKE) && !value)
            value = u->words[i].value;
        else if (!is(u, i, WORD_HESITATION))
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

    for (size_t k = i; !u->words[k].begins && is(u, k - 1, WORD_VERY | WORD_SMALL | WORD_NOT | WORD_ARTICLE); k--) {
        if (is(u, k - 1, WORD_NOT))
            return turned[level];
        if (is(u, k - 1, WORD_PRAISE))
            break;
        very |= is(u, k - 1, WORD_VERY);
    }
    return very && level == 4 ? 5 : very && level == 2 ? 1 : level;
}

/* "Good.", "Super, thanks" may be a mere reply: praise must stand alone, or be more than one word. */
static bool full(const struct utterance *u)
{
    bool alone = true;

    for (size_t i = 0; i < u->count; i++) {
        if (is(u, i, WORD_VERY | WORD_MILD | WORD_NOT))
            return true;
        alone &= is(u, i, WORD_PRAISE | WORD_HESITATION | WORD_ARTICLE);
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
        if (!is(u, i, WORD_POLITE) && strcmp(u->words[i].text, "you") != 0)
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
        if (blame || w->kind == 0 || (w->kind & (WORD_BECAUSE | WORD_BUT)))
            return false;
        bool shaped = i > 0 && (is(u, i - 1, WORD_ARTICLE | WORD_VERY) || strcmp(u->words[i - 1].text, "klare") == 0);
        found |= shaped && (w->kind & WORD_NUMBER) && w->value == 1 && strcmp(u->words[i - 1].text, "a") != 0;
    }
    return found;
}

/* ---- all ---------------------------------------------------------------------------------------------------------------------------------- */

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
        if (valued(&u->words[i], WORD_JOKE))
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
    if (cut_asides(&u))
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
