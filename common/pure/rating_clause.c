/* SPDX-License-Identifier: Apache-2.0 */
/* rating_clause.c - what stands around a number: whose it is, what it counts, and whether it is said at all. */
#include "rating_clause.h"

#include <string.h>

enum { AROUND = WORD_ARTICLE | WORD_SMALL | WORD_HEDGE | WORD_HESITATION | WORD_OF };

bool word_is(const struct utterance *u, size_t i, unsigned kind) { return i < u->count && (u->words[i].kind & kind); }

bool word_valued(const struct word *w, int value) { return w->kind == 0 && w->value == value; }

static bool tells(const struct word *w)
{
    return word_valued(w, WORD_STORY) || word_valued(w, WORD_LIKED) || word_valued(w, WORD_HATED);
}

static bool one_of(const char *text, const char *const *list, size_t count)
{
    for (size_t n = 0; n < count; n++)
        if (strcmp(text, list[n]) == 0)
            return true;
    return false;
}
#define ONE_OF(text, list) one_of(text, list, sizeof(list) / sizeof *(list))

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

static bool end_of_scale(const struct word *w)
{
    static const char *const ends[] = {"beste",    "best",    "schlechteste", "worst",      "top",
                                       "hoechste", "highest", "lowest",       "niedrigste", "bottom"};

    return ONE_OF(w->text, ends);
}

/* "If you call me back", "if it is good", "if not 4", "if he is here by 2" is no aside but a condition; "where 5 is best", "if
 * you please" is one. */
static bool bargains(const struct utterance *u, size_t i, size_t end)
{
    bool number = false, said = false, told = false;

    for (; i < end; i++) {
        number |= word_is(u, i, CLAIMED);
        said |= word_is(u, i, WORD_IS | WORD_PRAISE);
        told |= u->words[i].kind == 0 && !end_of_scale(&u->words[i]);
    }
    return number ? !said || told : said || told;
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

/* "Ich", "my", "you": the tale is about this caller and this call. */
static bool of_us(const struct word *w)
{
    static const char *const us[] = {"ich",    "ichs",   "i",    "ick", "mir",   "mich",   "mein",  "meine", "meiner",
                                     "meinen", "meinem", "wir",  "uns", "unser", "unsere", "ive",   "id",    "ill",
                                     "me",     "my",     "we",   "us",  "our",   "sie",    "ihnen", "ihr",   "du",
                                     "dich",   "dir",    "euch", "you", "your",  "youre",  "youve", "ihre",  "ihren"};

    return ONE_OF(w->text, us) || (w->kind != 0 && strcmp(w->text, "im") == 0); /* unknown in German */
}

/* "1 eine Frechheit", "it was useless 1": the number begins or ends the clause, and the word tells how the call went. */
static bool beside_outcome(const struct utterance *u, size_t i, size_t k)
{
    const struct word *w = &u->words[k];
    size_t begin = clause_begin(u, i), end = clause_end(u, i);

    while (begin < i && word_is(u, begin, WORD_SMALL | WORD_HESITATION) && !word_is(u, begin, WORD_MILD))
        begin++;
    bool first = begin == i, last = i + 1 == end;
    if (!word_is(u, i, WORD_NUMBER))
        return false;
    for (size_t n = clause_begin(u, i); n < end; n++)
        if (n != i && word_is(u, n, CLAIMED))
            return false;
    bool was = false;
    for (size_t n = clause_begin(u, i); n < i; n++)
        was |= word_is(u, n, WORD_MILD | WORD_IS);
    last &= was;
    for (size_t n = clause_begin(u, i); n < i; n++)
        last &= !word_is(u, n, WORD_ARTICLE | WORD_GIVE) && !(word_is(u, n, WORD_SMALL) && u->words[n].value == WORD_NAMES);
    return (word_valued(w, WORD_LIKED) || word_valued(w, WORD_HATED)) && (first || last);
}

bool number_clean(const struct utterance *u, size_t i)
{
    for (size_t k = clause_begin(u, i), end = clause_end(u, i); k < end; k++)
        if (u->words[k].kind == 0 && !beside_outcome(u, i, k))
            return false;
    return true;
}

struct last_word {
    size_t begin; /* of its clause; u->count when there is none */
    bool leads;   /* "also", "aber", "dann", "ach so", "so", "but": it draws the sum of what was told before */
    bool answers; /* the same, or "ja", "ach so", "dann", which answer a question */
    bool but;
    bool given; /* "ich sag", "I'd give" */
};

/* The last number, in a clean clause, and nothing but known words behind it. */
static struct last_word last_word(const struct utterance *u)
{
    static const char *const leading[] = {"also", "so", "trotzdem", "daher", "deshalb"};
    static const char *const answering[] = {"dann", "then", "ja", "yes", "yeah", "right", "naja", "okay", "ok", "oh", "ach"};
    struct last_word ret = {.begin = u->count};
    size_t i = u->count;
    bool self = false, gives = false;

    while (i > 0 && !word_is(u, i - 1, CLAIMED) && u->words[i - 1].kind != 0)
        i--;
    if (i == 0 || !word_is(u, i - 1, WORD_NUMBER) || !number_clean(u, i - 1))
        return ret;
    ret.begin = clause_begin(u, i - 1);
    for (size_t k = ret.begin, end = clause_end(u, i - 1); k < end; k++) {
        if (k + 1 != i && word_is(u, k, CLAIMED))
            return (struct last_word){.begin = u->count};
        gives |= word_is(u, k, WORD_GIVE);
        self |= of_us(&u->words[k]) || (word_is(u, k, WORD_GIVE) && u->words[k].value == WORD_MINE);
    }
    ret.given = self && gives;
    for (size_t k = clause_end(u, i - 1);
         k > 0 && u->words[k - 1].kind != 0 && (k - 1 >= ret.begin || !word_is(u, k - 1, CLAIMED)); k--) {
        ret.but |= word_is(u, k - 1, WORD_BUT);
        const struct word *w = &u->words[k - 1];
        ret.leads |= (w->kind & WORD_BUT) || w->value == WORD_THUS || ONE_OF(w->text, leading);
        ret.answers |= (w->kind & WORD_HESITATION) || ONE_OF(w->text, answering);
    }
    ret.answers |= ret.leads;
    return ret;
}

bool number_sums_up(const struct utterance *u, size_t i)
{
    struct last_word last = last_word(u);

    return last.begin < u->count && i >= last.begin && (last.answers || last.given || u->words[last.begin].own);
}

bool number_contrasts(const struct utterance *u, size_t i)
{
    struct last_word last = last_word(u);

    return last.begin < u->count && i >= last.begin && (last.but || u->words[last.begin].own);
}

/* "Says 5", "a 5", "last time 5": the number before `i` was a rating, and nothing is counted by it. */
static bool rated_before(const struct utterance *u, size_t i)
{
    while (i > 0 && !word_is(u, i - 1, CLAIMED))
        i--;
    if (i < 2 || !word_is(u, i - 1, WORD_NUMBER) || u->words[i - 1].begins)
        return false;
    const struct word *before = &u->words[i - 2], *after = &u->words[i];
    bool said_after = i < u->count && word_valued(after, WORD_REPORT);
    bool counted = same_clause(u, i) && after->kind == 0 && !said_after;
    bool rated = (before->kind & (WORD_ARTICLE | WORD_GIVE | WORD_TIMES)) || word_valued(before, WORD_REPORT) ||
                 strcmp(before->text, "time") == 0;
    return !counted && (rated || said_after);
}

/* "My wife says 5 [I say 4]", "last time 3 [today 4]": up to the end nothing but the caller's own number. */
static bool own_at_last(const struct utterance *u, size_t i)
{
    static const char *const now[] = {"heute", "today", "diesmal", "jetzt", "so", "also"};
    bool self = of_us(&u->words[i]) || (word_is(u, i, WORD_GIVE) && u->words[i].value == WORD_WOULD);
    bool opens = ONE_OF(u->words[i].text, now), gives = false;
    size_t numbers = 0;

    if ((!opens && !self) || !rated_before(u, i))
        return false;
    for (size_t k = i; k < u->count; k++) {
        if (u->words[k].kind == 0 || word_is(u, k, WORD_NOT | WORD_IF | WORD_BEYOND | WORD_HALF))
            return false;
        gives |= word_is(u, k, WORD_GIVE);
        numbers += word_is(u, k, WORD_NUMBER);
    }
    return numbers == 1 && (opens || gives);
}

/* "... das hat mir gefallen | ich gebe eine 4": up to the end nothing but known words, and nobody else before it. */
static bool gives_at_last(const struct utterance *u, size_t i)
{
    enum { A_SENTENCE = 3 };
    static const char *const inverted[] = {"da", "also", "dann", "so", "then"};
    bool self = of_us(&u->words[i]) && word_is(u, i + 1, WORD_GIVE | WORD_SMALL) &&
                (word_is(u, i + 1, WORD_GIVE) || u->words[i + 1].value == WORD_WOULD);
    bool would = word_is(u, i, WORD_GIVE) && u->words[i].value == WORD_WOULD && strcmp(u->words[i].text, "id") == 0;
    size_t numbers = 0;

    self |= ONE_OF(u->words[i].text, inverted) && word_is(u, i + 1, WORD_GIVE) && i + 2 < u->count && of_us(&u->words[i + 2]);
    if (!(self || would) || i < clause_begin(u, i) + A_SENTENCE || u->words[i].asks ||
        word_valued(&u->words[clause_begin(u, i)], WORD_ASKING))
        return false;
    for (size_t k = clause_begin(u, i); k < i; k++)
        if (word_is(u, k, CLAIMED | WORD_GIVE | WORD_HEDGE) || word_valued(&u->words[k], WORD_ELSEWHERE) ||
            word_valued(&u->words[k], WORD_REPORT) || word_valued(&u->words[k], WORD_ASKING))
            return false;
    for (size_t k = i; k < u->count; k++) {
        if (u->words[k].kind == 0)
            return false;
        numbers += word_is(u, k, CLAIMED);
    }
    return numbers == 1;
}

/* "They helped me quickly | 5": the word before it tells how the call went, and no such verb ("fixed 5") may count by it. */
static bool ends_tale(const struct utterance *u, size_t i)
{
    enum { A_SENTENCE = 3 };
    static const char *const counting[] = {"worked",   "works",   "work",      "helped",      "helps",       "fixed",
                                           "solved",   "sorted",  "resolved",  "understood",  "understands", "enjoyed",
                                           "liked",    "loved",   "recommend", "recommended", "wasted",      "nothing",
                                           "nix",      "nichts",  "booked",    "appreciate",  "appreciated", "maximum",
                                           "hoechste", "highest", "lowest",    "bottom"};
    size_t begin = clause_begin(u, i);

    if (!word_is(u, i, WORD_NUMBER) || i < begin + 1)
        return false;
    const struct word *w = &u->words[i - 1];
    bool phrase = tells(w) && w->text[0] == '\0'; /* "can't complain 4" */
    bool praise = (w->kind & WORD_PRAISE) && !(w->kind & WORD_SMALL) && u->words[i].value != 1;
    if (!phrase && (i < begin + A_SENTENCE || !(praise || word_valued(w, WORD_LIKED) || word_valued(w, WORD_HATED))))
        return false;
    if (ONE_OF(u->words[i - 1].text, counting))
        return false;
    for (size_t k = begin; k < i; k++)
        if (word_is(u, k, CLAIMED) || (word_is(u, k, WORD_ARTICLE) && u->words[i].value == 1))
            return false;
    for (size_t k = i + 1; k < u->count && !u->words[k].begins; k++)
        if (!word_is(u, k, WORD_POLITE | WORD_SMALL))
            return false;
    return true;
}

/* "What was it again | oh yes 3": up to the end nothing but known words. */
static bool answers_at_last(const struct utterance *u, size_t i)
{
    enum { WORDS = 4 };
    static const char *const opening[] = {"ja", "yeah", "yes", "okay", "ok", "oh", "achso", "dann", "ach"};
    bool opens = ONE_OF(u->words[i].text, opening) || (word_is(u, i, WORD_HESITATION) && u->words[i].text[0] == '\0');
    size_t numbers = 0;

    if (!opens || i < clause_begin(u, i) + 2 || i + WORDS < u->count || word_is(u, i - 1, CLAIMED))
        return false;
    for (size_t k = i; k < u->count; k++) {
        if (u->words[k].kind == 0 || (k > i && u->words[k].begins) || word_is(u, k, WORD_FOR | WORD_NOT))
            return false;
        numbers += word_is(u, k, CLAIMED);
    }
    return numbers == 1;
}

/* "4 | it did what I wanted", "5 | alles geklappt": not "one". */
static bool goes_on_after(const struct utterance *u, size_t i)
{
    static const char *const begins[] = {"es", "alles", "it", "everything", "they"};
    bool tells_of = false;

    if (u->words[i].begins || !word_is(u, i - 1, WORD_NUMBER) || u->words[i - 1].value == 1 || !same_clause(u, i + 1))
        return false;
    for (size_t k = i - 1; !u->words[k].begins; k--)
        if (u->words[k - 1].kind == 0 || word_is(u, k - 1, WORD_FOR | WORD_JOIN | WORD_OF))
            return false;
    for (size_t k = i + 1, end = clause_end(u, i); k < end; k++) {
        if (word_is(u, k, CLAIMED | WORD_NOT))
            return false;
        tells_of |= tells(&u->words[k]) || word_is(u, k, WORD_MILD) || (word_is(u, k, WORD_PRAISE) && !word_is(u, k, WORD_SMALL));
    }
    if (ONE_OF(u->words[i].text, begins))
        return tells_of;
    return strcmp(u->words[i].text, "ich") == 0 && word_is(u, i + 1, WORD_MILD);
}

/* "4 and | now put me through": what is left of "and" is a clean number, what is right of it a sentence. */
static bool and_goes_on(const struct utterance *u, size_t i)
{
    static const char *const begins[] = {"jetzt",  "danke", "bitte",  "im",   "now",      "have",   "put",
                                         "thanks", "thank", "please", "tell", "schoenen", "schoene"};

    if (i + 1 >= u->count || !word_is(u, i, WORD_JOIN) || !word_is(u, i, WORD_SMALL) || u->words[i].begins)
        return false;
    bool number = false;
    for (size_t k = i; k > 0; k--) {
        number |= word_is(u, k - 1, WORD_NUMBER);
        if (u->words[k - 1].kind == 0 || (word_is(u, k - 1, WORD_ARTICLE) && !word_is(u, k, WORD_NUMBER)))
            return false;
        if (u->words[k - 1].begins)
            break;
    }
    return number && (ONE_OF(u->words[i + 1].text, begins) || (word_is(u, i + 1, WORD_GIVE) && u->words[i + 1].text[0] == '\0'));
}

/* "4. Although, ..." stops to think again; "4, although it was slow" gives a reason. */
static bool reconsiders(const struct utterance *u, size_t i)
{
    static const char *const although[] = {"obwohl", "although"};

    return i > 0 && u->words[i].begins && i + 1 < u->count && u->words[i + 1].begins && ONE_OF(u->words[i].text, although);
}

/* "Oh great, 5, because ...": the reason is what was not great. */
static bool mocks(const struct utterance *u)
{
    bool oho = false, high = false;

    for (size_t i = 0; i < u->count; i++) {
        oho |= i == 0 && u->words[i].value == WORD_OHO;
        high |= oho && word_is(u, i, WORD_NUMBER) && u->words[i].value >= 4;
        if (high && word_is(u, i, WORD_BECAUSE))
            return true;
    }
    return false;
}

bool utterance_cut_asides(struct utterance *u)
{
    bool claimed = false, numbered = false, bargained = mocks(u);

    for (size_t i = 0; i < u->count;) {
        const struct word *w = &u->words[i];
        if (reconsiders(u, i))
            u->words[i].kind = WORD_NO;
        bool particle = !w->begins && word_is(u, i - 1, WORD_IS); /* "was heisst denn 5?" */
        if ((w->kind & (WORD_IF | WORD_BECAUSE)) && !particle) {
            size_t end = aside_end(u, i, claimed);
            bargained |= (w->kind & WORD_IF) && bargains(u, i, end);
            cut(u, i, end);
            continue;
        }
        numbered |= (w->kind & CLAIMED) != 0;
        if (numbered && own_at_last(u, i))
            u->words[i].own = u->words[i].begins = u->words[i].sentence = true;
        claimed |= (w->kind & (CLAIMED | WORD_PRAISE)) != 0;
        bool thanks = word_is(u, i, WORD_POLITE) && i > 0 && word_is(u, i - 1, WORD_NUMBER) && !u->words[i].begins;
        bool parts = thanks || answers_at_last(u, i) || gives_at_last(u, i) || ends_tale(u, i) || goes_on_after(u, i);
        if (parts || concludes(u, i) || and_goes_on(u, i) ||
            ((w->kind & WORD_BUT) && !u->words[clause_begin(u, i)].own) || ((w->kind & WORD_NO) && !(w->kind & WORD_ARTICLE)))
            u->words[i].begins = true;
        i++;
    }
    return bargained;
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
        if (word_is(u, k - 1, WORD_IS) && !(k >= 2 && !u->words[k - 1].begins && word_is(u, k - 2, WORD_GIVE)) && !given)
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
        if (u->words[k - 1].kind == 0 || u->words[k - 1].text[0] == '\0' || word_is(u, k - 1, WORD_NO | WORD_IS)) /* "wait, 5?" */
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
    given |= u->words[clause_begin(u, i)].own;
    return pronoun || after == WORD_THING || (!given && (before == WORD_THING || before == WORD_COUNTS));
}

/* Something else than the rating is counted: "for 2", "bis 5", "3 of 4", "one of the", "Punkt 4", "vier mal",
 * "1 ist schlecht". */
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

/* ---- the rest of the utterance --------------------------------------------------------------------------------------------- */

/* "That is my house", "so alt ist er": may speak of the number before it. */
static bool points_at_number(const struct utterance *u, size_t i)
{
    static const char *const pointing[] = {"das", "dies", "that", "this", "there", "it", "da", "es"};
    static const char *const alone[] = {"so", "such", "thats", "theres", "its"};
    static const char *const being[] = {"sind", "are", "were", "waren"};

    if (u->words[i].text[0] == '\0') /* a phrase: "das ist" */
        return true;
    bool is = same_clause(u, i + 1) && (word_is(u, i + 1, WORD_IS | WORD_MILD) || ONE_OF(u->words[i + 1].text, being));
    return ONE_OF(u->words[i].text, alone) || (is && ONE_OF(u->words[i].text, pointing));
}

/* Tells how the call went, in words that may be unknown: no question, no report.  What stands before a number may be what it
 * belongs to: it must not speak of others or of what could be said, either. */
static bool story(const struct utterance *u, size_t i, size_t end, bool before)
{
    bool told = false, pointing = points_at_number(u, i);

    if (u->words[i].asks || word_valued(&u->words[i], WORD_ASKING))
        return false;
    for (; i < end; i++) {
        const struct word *w = &u->words[i];
        if (word_valued(w, WORD_REPORT) || ((w->kind & WORD_IS) && w->value == WORD_UNREAL))
            return false;
        if ((before || pointing) && (word_valued(w, WORD_NUMBERED) || word_valued(w, WORD_COUNTED)))
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

/* Words of a clause that are not understood; those of other times and people, and things ("my ticket"), weigh three. */
static size_t unknown_words(const struct utterance *u, size_t i, size_t end, bool summed)
{
    size_t unknown = 0;

    for (; i < end; i++) {
        const struct word *w = &u->words[i];
        bool plain = w->value >= 0 || w->value == WORD_TOPIC || tells(w);
        bool thing = !w->begins && (word_is(u, i - 1, (summed ? CLAIMED : 0u) | WORD_ARTICLE | WORD_FOR | WORD_OF) ||
                                    u->words[i - 1].value == WORD_NAMES);
        unknown += w->kind != 0 ? 0 : plain && !thing ? 1 : 3;
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

/* A clause of unknown words that still tells of this call: of the caller or of us, in a sentence, without numbers (but "3 times",
 * "40 minutes"), without other times and people, or what could be said.  Before the number no thing that has numbers or is
 * counted ("my train"), either; behind it nothing that counts ("that many"). */
static bool tale(const struct utterance *u, size_t i, size_t end, bool claimed, const struct last_word *last)
{
    enum { AFTER = 3, LED = 5, BEFORE = 7 };
    size_t enough = claimed || last->given || last->but ? AFTER : last->leads ? LED : BEFORE;
    bool us = false, is = false, topic = false, long_remark = end - i >= LED && !word_is(u, i, WORD_JOIN);

    for (size_t k = i; k < end; k++)
        topic |= word_valued(&u->words[k], WORD_TOPIC);
    enough = topic && !last->leads && enough > AFTER ? enough - 2 : enough;

    if (u->words[i].asks || word_valued(&u->words[i], WORD_ASKING) || end - i < enough || points_at_number(u, i))
        return false;
    for (; i < end; i++) {
        const struct word *w = &u->words[i];
        bool span =
            word_is(u, i, CLAIMED) && i + 1 < end && (word_valued(&u->words[i + 1], WORD_SPAN) || word_is(u, i + 1, WORD_TIMES));
        if (span) {
            i++;
            continue;
        }
        if (word_valued(w, WORD_REPORT) || (word_valued(w, WORD_ELSEWHERE) && !last->but) ||
            word_is(u, i, (claimed ? CLAIMED & ~WORD_HALF : CLAIMED) | WORD_IF) || word_valued(w, WORD_COUNTED) ||
            (!claimed && !last->given && word_valued(w, WORD_NUMBERED)) ||
            ((w->kind & WORD_IS) && w->value == WORD_UNREAL && !last->but))
            return false;
        long_remark &= !word_valued(w, WORD_NUMBERED);
        us |= of_us(w);
        is |= (w->kind & (WORD_IS | WORD_MILD | WORD_NOT)) || strcmp(w->text, "still") == 0 || strcmp(w->text, "hat") == 0;
    }
    if (claimed && long_remark && !is && !us)
        return true;
    return us || (topic && (claimed || last->leads || last->given)) || (is && (claimed || last->leads || last->given));
}

/* "What was it you wanted? Oh right, 4": a question before the answer, but none of how many or when. */
static bool side_question(const struct utterance *u, size_t i, size_t end)
{
    static const char *const of_numbers[] = {
        "viel",   "spaet",  "oft",   "wann", "wo",    "alt",   "lang",     "lange",  "much",   "when",  "where", "time",
        "old",    "long",   "often", "late", "far",   "weit",  "druecken", "taste",  "button", "press", "size",  "groesse",
        "kostet", "kosten", "macht", "cost", "costs", "price", "preis",    "number", "nummer", "who",   "whos",  "wer"};
    bool of_scale = false;

    for (size_t k = i; k < end; k++)
        of_scale |= end_of_scale(&u->words[k]);
    bool asked = u->words[i].asks || word_valued(&u->words[i], WORD_ASKING) || (of_scale && word_is(u, i, WORD_IS));
    if (!asked)
        return false;
    for (; i < end; i++) {
        const struct word *w = &u->words[i];
        if ((word_is(u, i, CLAIMED) && !of_scale) || word_valued(w, WORD_NUMBERED) || word_valued(w, WORD_COUNTED) ||
            word_valued(w, WORD_SPAN) || word_valued(w, WORD_REPORT) || ONE_OF(w->text, of_numbers))
            return false;
    }
    return true;
}

/* A number that the last one takes the place of: "5 would be too much, 4", "my wife says 5, I say 4". */
static bool replaced(const struct utterance *u, size_t i, size_t end, const struct last_word *last)
{
    bool unreal_one = false, number = false;

    for (; i < end; i++) {
        unreal_one |= word_is(u, i, WORD_IS) && u->words[i].value == WORD_UNREAL;
        number |= word_is(u, i, CLAIMED);
    }
    return number && (unreal_one || u->words[last->begin].own);
}

static bool explained(const struct utterance *u, size_t i, size_t end, bool claimed, const struct last_word *last)
{
    bool before = last->begin < u->count && end <= last->begin;

    if (before && (last->answers || last->given) && side_question(u, i, end))
        return true;
    if (before && replaced(u, i, end, last))
        return true;
    return (claimed || before) && !denies(u, i, end) && tale(u, i, end, claimed, last);
}

/* No question, no number, and not of the number. */
static bool plain_remark(const struct utterance *u, size_t i, size_t end)
{
    enum { A_SENTENCE = 3 };

    if (u->words[i].asks || points_at_number(u, i) || word_is(u, i, WORD_JOIN) || end - i < A_SENTENCE)
        return false;
    for (; i < end; i++)
        if (word_is(u, i, CLAIMED))
            return false;
    return true;
}

bool utterance_unexplained(const struct utterance *u)
{
    struct last_word last = last_word(u);
    size_t unexplained = 0, after = 0;
    bool claimed = false;

    for (size_t i = 0, end; i < u->count; i = end) {
        end = clause_end(u, i);
        if (explained(u, i, end, claimed, &last))
            continue;
        if (asks_of(u, i, end))
            unexplained += 2;
        else if (!story(u, i, end, !claimed))
            *(claimed && plain_remark(u, i, end) ? &after : &unexplained) +=
                claimed && denies(u, i, end) ? 3 : unknown_words(u, i, end, last.leads);
        for (size_t k = i; k < end; k++)
            claimed |= word_is(u, k, CLAIMED);
    }
    return unexplained > 1 || unexplained + after > 2;
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

/* ---- all ------------------------------------------------------------------------------------------------------------------- */

bool number_of_else(const struct utterance *u, size_t i) { return counts_else(u, i) || reported(u, i) || unreal(u, i); }

bool number_known(const struct utterance *u, size_t i) { return number_clean(u, i) || marked(u, i); }
