/* SPDX-License-Identifier: Apache-2.0 */
/* rating_clause.h - inside the rating parser: what the words around a number make of it.  `i` is the number's place. */
#ifndef RL_RATING_CLAUSE_H
#define RL_RATING_CLAUSE_H

#include "rating_words.h"

enum { CLAIMED = WORD_NUMBER | WORD_BEYOND | WORD_HALF };

/* False beyond either end. */
bool word_is(const struct utterance *u, size_t i, unsigned kind);

/* An unknown word of that `value`. */
bool word_valued(const struct word *w, int value);

/* Asides go, "because ..." up to the end of the sentence when the number is out already; "but" and "no" begin a clause.
 * True: a condition ("if you call me back") was among them, and no number is the answer. */
bool utterance_cut_asides(struct utterance *u);

/* No unknown word in its clause. */
bool number_clean(const struct utterance *u, size_t i);

/* Clean, or marked as the caller's rating in spite of unknown words: "... geb ich mal ne vier", "four stars". */
bool number_known(const struct utterance *u, size_t i);

/* The rest of the utterance is not understood: unknown words beyond a single one, in clauses that do not tell how the call
 * went. */
bool utterance_unexplained(const struct utterance *u);

/* "I would say 5, but it was slow." */
bool utterance_held_back(const struct utterance *u);

/* Counts something else, is somebody else's, or is not meant: "for 2", "vier mal", "she says 4", "it would be a 5",
 * "Drueck die 5". */
bool number_of_else(const struct utterance *u, size_t i);

/* "Is 5 good?", "What do you think, 4?" - a scale that is asked about, another who is asked; "3, maybe?" is an answer. */
bool number_asked_about(const struct utterance *u, size_t i);

/* The last number, clean, and led in by "so", "but", "ach so", "I'd say": it takes the place of what could not count
 * before it. */
bool number_sums_up(const struct utterance *u, size_t i);

/* The same after "but", or the caller's own after another's. */
bool number_contrasts(const struct utterance *u, size_t i);

/* Followed by stars, or of five. */
bool number_starred(const struct utterance *u, size_t i);

/* "not a 5"; "5 nicht, aber 4". */
bool number_negated(const struct utterance *u, size_t i);

/* "more than 3", "4 at least" */
bool number_bounded(const struct utterance *u, size_t i);

/* A range, "or", "four point five": only small words between it and the number before. */
bool number_joined(const struct utterance *u, size_t i);

/* Not known, but looks like a rating of something: "eine 5 hierfuer", "1 for the advice", "fuers Warten 2", "or 1". */
bool number_rivals(const struct utterance *u, size_t i);

#endif
