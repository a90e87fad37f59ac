/* SPDX-License-Identifier: Apache-2.0 */
/* rating_words.h - inside the rating parser: an utterance as a row of known and unknown words. */
#ifndef RL_RATING_WORDS_H
#define RL_RATING_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "rating.h"

/* What a word can be; 0: unknown. */
enum word_kind {
    WORD_NUMBER = 1 << 0,      /* value 1 .. 5 */
    WORD_BEYOND = 1 << 1,      /* another number */
    WORD_HALF = 1 << 2,        /* 4.5, viereinhalb */
    WORD_ARTICLE = 1 << 3,     /* eine, a: marks the number that follows */
    WORD_GIVE = 1 << 4,        /* gebe, say, rate: the same */
    WORD_SMALL = 1 << 5,       /* harmless */
    WORD_STARS = 1 << 6,
    WORD_OF = 1 << 7,          /* von, of, / */
    WORD_OF_FIVE = 1 << 8,
    WORD_JOIN = 1 << 9,        /* bis, oder, to, or: between two numbers */
    WORD_POINT = 1 << 10,      /* komma, point: the same, else stars */
    WORD_NOT = 1 << 11,
    WORD_NO = 1 << 12,         /* takes back what was said */
    WORD_RATHER = 1 << 13,     /* the same when a number follows */
    WORD_BOUND = 1 << 14,      /* mehr, mindestens */
    WORD_GRADE = 1 << 15,      /* plus, Schulnote */
    WORD_PRAISE = 1 << 16,     /* value 1 .. 5 */
    WORD_VERY = 1 << 17,
    WORD_MILD = 1 << 18,       /* was, ganz: with it "okay" is an answer, without it a reply */
    WORD_IS = 1 << 19,         /* after a number: it is spoken about, not given */
    WORD_ECHO = 1 << 20,       /* from 1 to 5 */
    WORD_IF = 1 << 21,         /* begins an aside until the clause ends, or "then" */
    WORD_BECAUSE = 1 << 22,    /* begins an aside, after a number until the sentence ends */
    WORD_BUT = 1 << 23,        /* begins a clause */
    WORD_PHANTOM = 1 << 24,    /* zdf, subscribe */
    WORD_HESITATION = 1 << 25,
    WORD_HEDGE = 1 << 26,      /* vielleicht, maybe */
    WORD_ALIKE = 1 << 27,      /* sounds like the number `value` */
    WORD_FOR = 1 << 28,        /* directly before a number: of something else */
    WORD_TIMES = 1 << 29,      /* after a number: the same */
    WORD_POLITE = 1 << 30      /* thanks and goodbye */
};

/* The `value` of some words that are no numbers. */
enum {
    WORD_ELSEWHERE = -1, /* unknown, and no number behind it in its clause is the answer: gestern, she, soll */
    WORD_REPORT = -2,    /* unknown, and no number behind it in the sentence is: my wife thinks, 4 */
    WORD_JOKE = -3,      /* unknown, and nothing is meant */
    WORD_ORDER = -4,     /* without "ich" it is said to another: drueck mal die fuenf */
    WORD_UNREAL = -5,    /* would be: no number of its clause is the answer */
    WORD_MINE = -6,      /* gebe, sage: the caller speaks of himself */
    WORD_SHAPE = -7,     /* klare, dicke: how school grades are spoken of */
    WORD_STORY = -8,     /* unknown, but it tells how a call went: gewartet, waited */
    WORD_LIKED = -9,     /* the same, and it went well */
    WORD_HATED = -10,    /* the same, and it went badly */
    WORD_ASKING = -11,   /* unknown, and at the beginning of a clause it asks: was, what */
    WORD_COUNTS = -12,   /* harmless, but before a number that nobody gives it counts something: "you 2", "jetzt 5", "I'm 4" */
    WORD_THUS = -13,     /* begins a clause when only known words and a number follow */
    WORD_WOULD = -14,    /* with a "but" behind it, it is held back */
    WORD_NAMES = -15,    /* harmless, but an unknown word behind it is a thing: "my ticket" */
    WORD_THING = -16,    /* harmless, but beside a number it is counted: "1 call", "Anruf 2" */
    WORD_NUMBERED = -17, /* unknown, and has numbers: Gleis, bus */
    WORD_COUNTED = -18,  /* unknown, and speaks of a count: viele, need, people */
    WORD_TOPIC = -20,    /* unknown, and what people call about: Rechnung, parcel */
    WORD_OHO = -21,      /* praises or agrees too loudly: before a number and its reason it mocks */
    WORD_SPAN = -19      /* unknown, and what waiting is counted in: Minuten, questions */
};

/* A sign becomes a word of up to 6 bytes, nothing else grows. */
enum { UTTERANCE_WORDS = 96, UTTERANCE_TEXT = 600, UTTERANCE_BYTES = UTTERANCE_TEXT + 6 * UTTERANCE_WORDS };

struct word {
    const char *text; /* folded; numbers as digits */
    unsigned kind;
    int value;
    bool begins, sentence; /* a clause begins here; even a sentence */
    bool asks;             /* its clause ends in a question mark */
    bool own;              /* begins the caller's own number after another's: "my wife says 5, [I say 4]" */
};

struct utterance {
    struct word words[UTTERANCE_WORDS];
    size_t count;
    bool too_long;
    char bytes[UTTERANCE_BYTES];
    size_t used;
};

/* Folds `text`, knows its words and then its phrases. */
void utterance_read(struct utterance *u, const char *text, enum rating_language language);

/* Knows one folded word, and phrases of several. */
void word_know(struct word *word, enum rating_language language);
void utterance_know_phrases(struct utterance *u, enum rating_language language);

#endif
