/* SPDX-License-Identifier: Apache-2.0 */
/* explore.h - from what is believed of the variants of one cell to the shares w that allocation starts from.
 *
 * w is not the probability of being best: it is that probability under a posterior made narrower (sharpness), less so after the
 * first calls of a variant (doubt) and for variants that were rarely served (widening), with a small share for the one that an
 * unlucky start may have shut out (caution).  Chapelle & Li 2011, section 3 ("posterior reshaping"); the widening has the form of
 * MOSS (Audibert & Bubeck 2009). */
#ifndef RL_EXPLORE_H
#define RL_EXPLORE_H

#include "belief.h"
#include "rng.h"

enum strategy { STRATEGY_THOMPSON, STRATEGY_TOP_TWO, STRATEGY_EPSILON_GREEDY, STRATEGY_GREEDY, STRATEGY_UNIFORM };
extern const char *const strategy_names[]; /* "thompson", "top_two", "epsilon_greedy", "greedy", "uniform", NULL */

struct explore_settings {
    enum strategy strategy;
    double sharpness; /* (0, 1]: factor of every standard deviation; 1: plain Thompson */
    double widening;  /* >= 0; 0: none */
    double caution;   /* 0 .. 1: largest share of traffic that trusts no model, see explore_caution */
    double epsilon;   /* of epsilon_greedy: share that is uniform */
    double runner_up; /* of top_two: how often the runner-up is served instead (Russo 2016, top-two Thompson sampling) */
};

#define EXPLORE_DEFAULTS                                                                                                         \
    ((struct explore_settings){                                                                                                  \
        .strategy = STRATEGY_THOMPSON, .sharpness = 0.45, .widening = 0.2, .caution = 0.025, .epsilon = 0.1, .runner_up = 0.5})

/* The standard deviations that thompson draws with: sd_apart sqrt(s^2 (1 + widening L) + (1 - s^2) n / (1 + n^2)), s the
 * sharpness, L = ln+((N + 1) / (K max(1, n))), n the variant's effective calls (n_eff), N their sum over the K variants.
 * The last term is doubt: after one call a posterior is nearly believed as it is, for it is the first few calls whose bad
 * luck shuts a good variant out; it fades as 1 / n.  Without a call (n = 0) there was no luck yet.  Plain Thompson
 * sampling: s = 1, widening 0. */
void explore_deviations(const struct explore_settings *settings, const struct belief *beliefs, size_t count, double *ret_sd);

/* The variant with the largest KL upper confidence bound gets it all (Garivier & Cappe 2011, with ln(N) / 2): how good it could
 * be at all when nothing is known but that rewards lie in [-1, +1].  Equal bounds share. */
void explore_cautious(const struct belief *beliefs, size_t count, double *ret_w);

/* The share of traffic that thompson gives to that variant: caution 4 x / (1 + x)^2 with x = N / (30 K), times the part of N that
 * are the cell's own calls: strength that other cells lend cannot be this cell's unlucky start.  Without lent strength it is
 * largest (caution) at 30 calls a variant, when sharpening may have shut out a variant for an unlucky start, and fades as 1 / N,
 * so that its calls grow with ln(N) only, as those of every learner must (Lai & Robbins 1985). */
double explore_caution(const struct explore_settings *settings, const struct belief *beliefs, size_t count);

/* w, >= 0, sums to 1.  `model` says which shape the posteriors have. */
void explore_weights(const struct explore_settings *settings, enum belief_model model, const struct belief *beliefs, size_t count,
                     double *ret_w);

/* One draw from w by drawing from the posteriors, for laboratories: shares of draws equal w.  count <= EXPLORE_DRAWN. */
enum { EXPLORE_DRAWN = 256 };
size_t explore_draw(const struct explore_settings *settings, enum belief_model model, const struct belief *beliefs, size_t count,
                    struct rng *rng);

/* P(best) as believed: no sharpening, no widening.  Returns the expectation of the largest mean: less a variant's own mean it is
 * that variant's expected loss per call (Stucchio 2015, "Bayesian A/B testing at VWO"). */
double explore_best(enum belief_model model, const struct belief *beliefs, size_t count, double *ret_best);

/* Central credible interval of the mean reward, level in (0, 1), within [-1, +1]. */
struct interval {
    double low, high;
};
struct interval belief_interval(enum belief_model model, const struct belief *belief, double level);

/* Effective sample size: own calls and what is borrowed. */
static inline double belief_n_eff(const struct belief *b) { return b->n + b->n_borrowed; }

#endif
