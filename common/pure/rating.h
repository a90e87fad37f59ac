/* SPDX-License-Identifier: Apache-2.0 */
/* rating.h - the number from 1 to 5 in what a caller answered, or none.
 *
 * Text is what a speech recogniser heard, German or English.  Case, Unicode form (NFC, NFD, full width), umlauts written as ae or
 * lost, apostrophes and what stands in brackets do not matter; words count only whole.  A number of the caller's is believed when
 * nothing speaks against it, and "none" is the answer to any doubt:
 *
 *     answer     = { aside | rest } claim { correction claim }  all claims after the last correction agree
 *     claim      = NUMBER ["of" 5] ["stars"]                    in a clause of nothing but known words
 *     rest       = one unknown word that is no thing's name, two behind the claim | a clause that tells how the call went ("they
 *                  helped me right away") and, before the claim, speaks of nobody else | a tale: a sentence about the caller or
 *                  the call ("my", "you"; the longer before the claim, the less leads over to it: "so", "but", "I'd say") without
 *                  numbers, and before the claim without things that have numbers or are counted; a question is neither, but for
 *                  one before "ah yes, 4"
 *     contrast   = another's or an earlier rating, then the caller's own at the very end: "my wife says 5, I say 4", "last time
 *                  2, today 4", "4 to 5, so 4": the last one counts
 *     unsure     = a claim among any other unknown words that a verb of giving, an article ("eine vier") or stars mark as the
 *                  caller's, or beside a clause that is no rest: a number of confidence 0.5, below the shipped threshold, so
 *                  asked again
 *     NUMBER     = "1" .. "5" | eins zwei zwo drei vier fuenf | one two three four five
 *     aside      = "from 1 to 5" | "where 5 is best" | "because ..." | polite and hesitating words
 *     correction = "nein" "quatsch" "no" "sorry" ...            takes back what was claimed, also when nothing follows
 *                | "eher" "lieber" "sondern" "rather" ...       takes it back when a claim follows
 *     negated    = ("nicht" | "kein" | "not") {small words} NUMBER | NUMBER {words} "nicht" is no claim; "5, never" is unsure;
 *                  "not good" is no praise
 *     elsewhere  = NUMBER of another time, another person, a question, an order, a condition or what would be, a thing's
 *                  ("1 call", "you 2", "a good one"), is no claim; "I'd say 5, but ..." is held back
 *     doubt      = two claims that differ, or a claim and another thing's rating | a half, a range, "or" | beyond 1 .. 5 |
 *                  another scale | "more than" | a school grade (in Germany 1 is the best: "eine Eins" without a word of blame) |
 *                  praise and number that contradict each other | irony | what recognisers invent from silence
 *     homophone  = to too for won tree ...                      alone or with a hesitation, never in a sentence
 *     praise     = "sehr gut" "not bad" ...                     only where no number is spoken and no word is unknown; low
 *                  confidence
 *
 * docs/ratings.md has examples, and how often the parser errs on tests/data/rating_utterances.tsv and rating_fresh.tsv. */
#ifndef RL_RATING_H
#define RL_RATING_H

#include <stddef.h>

enum rating_language { RATING_GERMAN = 1, RATING_ENGLISH = 2 };

#define RATING_METHODS(X)                                          \
    X(RATING_NONE, "none")                                         \
    X(RATING_DTMF, "dtmf")             /* a key */                 \
    X(RATING_NUMBER, "number")         /* a number */              \
    X(RATING_SCALE, "scale")           /* 4 of 5, four stars */    \
    X(RATING_CORRECTION, "correction") /* the last of several */   \
    X(RATING_HOMOPHONE, "homophone")   /* a word that sounds like a number */ \
    X(RATING_PRAISE, "praise")         /* praise or blame */

#define RATING_REASONS(X)                                                                             \
    X(RATING_CLEAR, "clear")                 /* the only rating that was said */                      \
    X(RATING_EMPTY, "empty")                                                                          \
    X(RATING_PHANTOM, "phantom")             /* what recognisers invent from silence */               \
    X(RATING_NO_ANSWER, "no_answer")         /* no number, no praise */                               \
    X(RATING_OUT_OF_RANGE, "out_of_range")                                                            \
    X(RATING_BETWEEN, "between")             /* a half, a range, more or less than */                 \
    X(RATING_CONTRADICTION, "contradiction") /* several numbers, or praise that does not fit */       \
    X(RATING_NEGATED, "negated")                                                                      \
    X(RATING_WITHDRAWN, "withdrawn")         /* taken back, nothing put in its place */               \
    X(RATING_GRADE, "grade")                 /* perhaps a school grade, which runs the other way */   \
    X(RATING_UNCLEAR, "unclear")             /* a number, but of something else for all we know */    \
    X(RATING_TOO_LONG, "too_long")

#define X(name, text) name,
enum rating_method { RATING_METHODS(X) };
enum rating_reason { RATING_REASONS(X) };
#undef X

struct rating {
    int value; /* 1 .. 5; 0: none */
    enum rating_method method;
    enum rating_reason reason;
    double confidence; /* 0 .. 1; praise and a number that is unsure are 0.5, a homophone 0.6, every other number above */
};

/* `text` need not be valid UTF-8.  Words of the other language count only where they are numbers. */
struct rating rating_of_text(const char *text, enum rating_language language);

/* Keys of a telephone: 1 to 5, pressed once or bouncing, # at the end or not. */
struct rating rating_of_keys(const char *keys);

const char *rating_method_text(enum rating_method method);
const char *rating_reason_text(enum rating_reason reason);

#endif
