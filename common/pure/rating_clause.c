/* SPDX-License-Identifier: Apache-2.0 */
/* rating_clause.c - what stands around a number: whose it is, what it counts, and whether it is said at all. */
#include "rating_clause.h"

#include <string.h>

enum { AROUND = WORD_ARTICLE | WORD_SMALL | WORD_HEDGE | WORD_HESITATION | WORD_OF };

bool word_is(const struct utterance *u, size_t i, unsigned kind) { return i < u->count && (u->words[i].kind & kind); }

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
    while (i < u->count && !u->words[i].sentence && !word_is(u, i, WORD_NO));
    return i;
}

/* "where 5 is best" ends with its clause, before "then", and before "I'd say". */
static size_t condition_end(const struct utterance *u, size_t i)
{
    bool is_seen = false;

    do {
        i++;
        is_seen |= word_is(u, i, WORD_IS);
    } while (same_clause(u, i) && !(is_seen && word_is(u, i, WORD_GIVE)) && strcmp(u->words[i].text, "then") != 0 &&
             strcmp(u->words[i].text, "dann") != 0);
    return i;
}

static size_t aside_end(const struct utterance *u, size_t i, bool claimed)
{
    if (word_is(u, i, WORD_IF))
        return condition_end(u, i);
    return claimed ? sentence_end(u, i) : clause_end(u, i);
}

/* "If you call me back", "if it is good", "if not 4" is no aside but a condition; "where 5 is best", "if you please" is one. */
static bool bargains(const struct utterance *u, size_t i, size_t end)
{
    bool number = false, said = false, told = false;

    for (; i < end; i++) {
        number |= word_is(u, i, CLAIMED);
        said |= word_is(u, i, WORD_IS | WORD_PRAISE);
        told |= u->words[i].kind == 0;
    }
    return number ? !said : said || told;
}

/* "They never came so 2." */
static bool concludes(const struct utterance *u, size_t i)
{
    bool number = false;

    if (u->words[i].value != WORD_THUS)
        return false;
    for (size_t k = i, end = clause_end(u, i); k < end; k++) {
        number |= word_is(u, k, WORD_NUMBER);
        if (u->words[k].kind == 0)
            return false;
    }
    return number;
}

bool utterance_cut_asides(struct utterance *u)
{
    bool claimed = false, bargained = false;

    for (size_t i = 0; i < u->count;) {
        const struct word *w = &u->words[i];
        bool particle = !w->begins && word_is(u, i - 1, WORD_IS); /* "was heisst denn 5?" */
        if ((w->kind & (WORD_IF | WORD_BECAUSE)) && !particle) {
            size_t end = aside_end(u, i, claimed);
            bargained |= (w->kind & WORD_IF) && bargains(u, i, end);
            cut(u, i, end);
            continue;
        }
        claimed |= (w->kind & (CLAIMED | WORD_PRAISE)) != 0;
        if (concludes(u, i) || (w->kind & WORD_BUT) || ((w->kind & WORD_NO) && !(w->kind & WORD_ARTICLE)))
            u->words[i].begins = true;
        i++;
    }
    return bargained;
}

bool number_clean(const struct utterance *u, size_t i)
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
    while (same_clause(u, i) && word_is(u, i, WORD_STARS | WORD_OF_FIVE));
    return i;
}

bool number_starred(const struct utterance *u, size_t i) { return after_stars(u, i) > i + 1; }

/* "my number is 2", "it is 4 already" - but "my answer is 2", "it is a 2". */
static bool told_of(const struct utterance *u, size_t i)
{
    bool given = word_is(u, i - 1, WORD_ARTICLE) || number_starred(u, i);

    for (size_t k = i; !u->words[k].begins; k--) {
        given |= word_is(u, k - 1, WORD_GIVE);
        if (word_is(u, k - 1, WORD_IS) && !(k >= 2 && word_is(u, k - 2, WORD_GIVE)) && !given)
            return true;
    }
    return false;
}

bool number_asked_about(const struct utterance *u, size_t i)
{
    size_t k = clause_begin(u, i), end = clause_end(u, i);

    for (size_t n = k; u->words[i].asks && n < end; n++)
        if (u->words[n].kind == 0 || word_is(u, n, WORD_IS | WORD_PRAISE | WORD_GIVE))
            return true;
    for (; u->words[i].asks && k > 0; k--)
        if (u->words[k - 1].kind == 0 || word_is(u, k - 1, WORD_NO)) /* "wait, 5?" */
            return true;
    return false;
}

/* "Drueck mal die 5", "just say 5" - somebody in the room; not "I'd say 5", "sag ich mal 5". */
static bool ordered(const struct utterance *u, size_t i)
{
    static const char *const self[] = {"ich", "ichs", "i", "id", "ill", "wir", "we", "would", "wuerde", "wuerd", ""};
    bool order = false;

    for (size_t k = clause_begin(u, i); k < i; k++) {
        order |= word_is(u, k, WORD_GIVE) && u->words[k].value == WORD_ORDER;
        for (size_t n = 0; n < sizeof self / sizeof *self; n++)
            if (strcmp(u->words[k].text, self[n]) == 0)
                return false;
    }
    return order;
}

/* "You 2", "jetzt 5" where nobody gives; "1 call", "Anruf 2"; "a good one". */
static bool counts_named(const struct utterance *u, size_t i)
{
    bool given = false;

    for (size_t k = clause_begin(u, i), end = clause_end(u, i); k < end; k++)
        given |= word_is(u, k, WORD_GIVE) || (word_is(u, k, WORD_FOR) && !word_is(u, k, WORD_SMALL));
    int before = !u->words[i].begins && word_is(u, i - 1, WORD_SMALL) ? u->words[i - 1].value : 0;
    int after = same_clause(u, i + 1) && word_is(u, i + 1, WORD_SMALL) ? u->words[i + 1].value : 0;
    bool praised = !u->words[i].begins && word_is(u, i - 1, WORD_PRAISE) && !word_is(u, i - 1, WORD_SMALL);
    bool pronoun = praised && u->words[i].value == 1 && (word_is(u, i - 2, WORD_ARTICLE) || u->words[i - 1].value > 3);
    return pronoun || after == WORD_THING || (!given && (before == WORD_THING || before == WORD_COUNTS));
}

/* Something else than the rating is counted: "for 2", "bis 5", "3 of 4", "one of the", "Punkt 4", "vier mal", "1 ist schlecht". */
static bool counts_else(const struct utterance *u, size_t i)
{
    size_t after = after_stars(u, i);
    bool goes_on = !u->words[i].begins;

    if (told_of(u, i) || number_asked_about(u, i) || ordered(u, i) || counts_named(u, i))
        return true;
    if (same_clause(u, after) && word_is(u, after, WORD_TIMES))
        return true;
    if (same_clause(u, i + 1) && word_is(u, i + 1, WORD_IS | WORD_OF))
        return true;
    if (goes_on && word_is(u, i - 1, WORD_POINT) && !(i >= 2 && word_is(u, i - 2, CLAIMED)))
        return true;
    if (goes_on && word_is(u, i - 1, WORD_TIMES) && i >= 2 && word_is(u, i - 2, CLAIMED))
        return true;
    bool range = word_is(u, i - 1, WORD_JOIN) && i >= 2 && word_is(u, i - 2, CLAIMED | WORD_STARS);
    return goes_on && word_is(u, i - 1, WORD_OF | WORD_FOR | WORD_JOIN) && !range;
}

bool word_valued(const struct word *w, int value) { return w->kind == 0 && w->value == value; }

/* "Last time I gave a 5". */
static bool elsewhere(const struct utterance *u, size_t i)
{
    for (size_t k = clause_begin(u, i); k < i; k++)
        if (word_valued(&u->words[k], WORD_ELSEWHERE))
            return true;
    return false;
}

/* "She says, 4." */
static bool reported(const struct utterance *u, size_t i)
{
    for (; i > 0 && !u->words[i].sentence; i--)
        if (word_valued(&u->words[i - 1], WORD_REPORT))
            return true;
    return false;
}

/* "Had it worked it would be a 5." */
static bool unreal(const struct utterance *u, size_t i)
{
    for (size_t k = clause_begin(u, i), end = clause_end(u, i); k < end; k++)
        if (word_is(u, k, WORD_IS) && u->words[k].value == WORD_UNREAL)
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
        if (word_is(u, k, WORD_GIVE) && u->words[k].value == WORD_MINE)
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

    if (elsewhere(u, i) || !mine(u, i) || (same_clause(u, after) && u->words[after].kind == 0))
        return false;
    if (number_starred(u, i))
        return true;
    while (!u->words[k].begins && word_is(u, k - 1, AROUND | WORD_GIVE | WORD_RATHER)) {
        k--;
        if (word_is(u, k, WORD_GIVE) || (word_is(u, k, WORD_ARTICLE) && k + 1 == i))
            return true;
    }
    return false;
}

/* "You don't deserve a 5"; a conclusion ("also", "so"), praise and a number that are denied themselves end a denial. */
static bool denied_before(const struct utterance *u, size_t i)
{
    for (; !u->words[i].begins && strcmp(u->words[i].text, "also") != 0 && strcmp(u->words[i].text, "so") != 0; i--) {
        if (word_is(u, i - 1, WORD_NOT))
            return true;
        if (word_is(u, i - 1, WORD_PRAISE | WORD_RATHER | CLAIMED))
            return false;
    }
    return false;
}

/* "No 5", where "no" takes nothing back. */
static bool no_such(const struct utterance *u, size_t i)
{
    if (u->words[i].begins || strcmp(u->words[i - 1].text, "no") != 0)
        return false;
    for (i--; i > 0; i--)
        if (word_is(u, i - 1, CLAIMED))
            return false;
    return true;
}

bool number_negated(const struct utterance *u, size_t i)
{
    for (size_t k = i + 1; same_clause(u, k); k++)
        if (word_is(u, k, WORD_NOT) && !(same_clause(u, k + 1) && word_is(u, k + 1, WORD_PRAISE)))
            return true;
    return denied_before(u, i) || no_such(u, i);
}

bool number_bounded(const struct utterance *u, size_t i)
{
    for (size_t k = clause_begin(u, i), end = clause_end(u, i); k < end; k++)
        if (word_is(u, k, WORD_BOUND))
            return true;
    return false;
}

bool number_joined(const struct utterance *u, size_t i)
{
    while (i > 0 && !word_is(u, i - 1, CLAIMED)) {
        i--;
        if (word_is(u, i, WORD_JOIN | WORD_POINT))
            return i > 0;
        if (!word_is(u, i, AROUND | WORD_STARS))
            return false;
    }
    return false;
}

bool number_rivals(const struct utterance *u, size_t i)
{
    bool shaped = word_is(u, i - 1, WORD_ARTICLE) || word_is(u, i, WORD_ARTICLE) || number_starred(u, i);
    bool looks = shaped || !same_clause(u, i + 1) || word_is(u, i + 1, WORD_FOR) || number_joined(u, i);

    for (size_t k = clause_begin(u, i), end = clause_end(u, i); k < end; k++)
        looks &= !word_is(u, k, WORD_NOT);
    return looks;
}

/* ---- the rest of the utterance ------------------------------------------------------------------------------------------------------------ */

static bool tells(const struct word *w) { return word_valued(w, WORD_STORY) || word_valued(w, WORD_LIKED) || word_valued(w, WORD_HATED); }

/* Tells how the call went, in words that may be unknown: no question, no report.  What stands before a number may be what it belongs to: it
 * must not speak of others or of what could be said, either. */
static bool story(const struct utterance *u, size_t i, size_t end, bool before)
{
    bool told = false;

    if (u->words[i].asks || word_valued(&u->words[i], WORD_ASKING))
        return false;
    for (; i < end; i++) {
        const struct word *w = &u->words[i];
        if (word_valued(w, WORD_REPORT) || ((w->kind & WORD_IS) && w->value == WORD_UNREAL))
            return false;
        if (before && (word_valued(w, WORD_ELSEWHERE) || (w->kind & WORD_GIVE)))
            return false;
        told |= tells(w) || (w->kind & WORD_MILD) || ((w->kind & WORD_PRAISE) && !(w->kind & WORD_SMALL));
    }
    return told;
}

/* "5, never": nothing but the number can be meant. */
static bool denies(const struct utterance *u, size_t i, size_t end)
{
    bool not = false;

    for (; i < end; i++) {
        if (u->words[i].kind == 0 || word_is(u, i, CLAIMED | WORD_BOUND))
            return false;
        not |= word_is(u, i, WORD_NOT);
    }
    return not;
}

/* Words of a clause that are not understood; those of other times and people, and things ("my ticket"), weigh two. */
static size_t unknown_words(const struct utterance *u, size_t i, size_t end)
{
    size_t unknown = 0;

    for (; i < end; i++) {
        const struct word *w = &u->words[i];
        bool plain = w->value >= 0 || tells(w);
        bool thing = !w->begins && (word_is(u, i - 1, WORD_ARTICLE | WORD_FOR | WORD_OF) || u->words[i - 1].value == WORD_NAMES);
        unknown += w->kind != 0 ? 0 : plain && !thing ? 1 : 2;
    }
    return unknown;
}

/* "5, is that good?" */
static bool asks_of(const struct utterance *u, size_t i, size_t end)
{
    bool of = false;

    for (; i < end; i++) {
        if (!u->words[i].asks || word_is(u, i, CLAIMED))
            return false;
        of |= word_is(u, i, WORD_IS | WORD_GIVE) || (word_is(u, i, WORD_PRAISE) && !word_is(u, i, WORD_SMALL));
    }
    return of;
}

bool utterance_unexplained(const struct utterance *u)
{
    size_t unexplained = 0;
    bool claimed = false;

    for (size_t i = 0, end; i < u->count; i = end) {
        end = clause_end(u, i);
        if (asks_of(u, i, end))
            unexplained += 2;
        else if (!story(u, i, end, !claimed))
            unexplained += claimed && denies(u, i, end) ? 2 : unknown_words(u, i, end);
        for (size_t k = i; k < end; k++)
            claimed |= word_is(u, k, CLAIMED);
    }
    return unexplained > 1;
}

bool utterance_held_back(const struct utterance *u)
{
    bool would = false, held = false;

    for (size_t i = 0; i < u->count; i++) {
        would |= u->words[i].value == WORD_WOULD;
        held |= would && word_is(u, i, WORD_BUT);
        if (held && word_is(u, i, CLAIMED))
            would = held = false;
    }
    return held;
}

/* ---- all ---------------------------------------------------------------------------------------------------------------------------------- */

bool number_of_else(const struct utterance *u, size_t i) { return counts_else(u, i) || reported(u, i) || unreal(u, i); }

bool number_known(const struct utterance *u, size_t i) { return number_clean(u, i) || marked(u, i); }
