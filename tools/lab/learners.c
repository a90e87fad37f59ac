/* SPDX-License-Identifier: Apache-2.0 */
/* learners.c - algorithms of the literature that choose the arm with the largest index, from discounted or plain sums.
 *
 * An index is a function of the sums of one (cell, arm) and of chance; Thompson sampling is the index that is drawn from the
 * posterior.  Those that are not contextual see one cell.  Rewards are x in [0, 1]; fractional ones enter Beta posteriors as
 * fractions.  An outcome that is told twice counts twice: their papers know no messages. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "lab.h"

/* Sums of one (cell, arm). */
struct tally {
    double n, sum, squares;
};

/* steps: 1 and the outcomes known of all arms of the cell; those of an arm that was replaced are no longer known. */
struct learner;
typedef double index_of(const struct learner *l, const struct tally *t, double steps, struct rng *rng);

struct rule {
    index_of *index;
    double parameter;    /* exploration constant, epsilon, discount of the index */
    double discount;     /* of the sums, each step; 0: none */
    bool one_cell;       /* the context is not looked at */
};

struct learner {
    const struct rule *rule;
    size_t arms, cells;
    struct tally *tally;    /* [cell][arm] */
    double within, outcomes; /* sum of squares about the arms' own means, and how many, over all */
    double highest;         /* what the index of this choice compares with: ts-ucb */
};

/* ---- indices
 * -------------------------------------------------------------------------------------------------------------------------------
 */

static double mean(const struct tally *t) { return t->n > 0 ? t->sum / t->n : 0.5; }

/* Thompson 1933; fractional rewards as in Agrawal & Goyal 2012 without their coin. */
static double thompson(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    (void)l, (void)steps;
    return rng_beta(rng, 1 + fmax(0, t->sum), 1 + fmax(0, t->n - t->sum));
}

/* Normal posterior with two prior outcomes at 0.5, each arm's variance shrunk by eight outcomes to the pooled one (Murphy 2007,
 * section 3). */
static double gaussian(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    double pooled = (l->within + 5 * 0.25) / (l->outcomes + 5), within = t->squares - t->n * mean(t) * mean(t);
    double variance = (fmax(0, within) + 8 * pooled) / (t->n + 8);

    (void)steps;
    return (1 + t->sum) / (2 + t->n) + sqrt(variance / (2 + t->n)) * rng_normal(rng);
}

/* Auer, Cesa-Bianchi & Fischer 2002; the square root of parameter ln t over n. */
static double ucb(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    (void)rng;
    return t->n > 0 ? mean(t) + sqrt(l->rule->parameter * log(fmax(1, steps)) / t->n) : INFINITY;
}

/* Chapelle & Li 2011, equation (1): a Chernoff bound, delta = sqrt(1 / t). */
static double ucb_chernoff(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    double confidence = 0.5 * log(fmax(1, steps)), m = t->n;

    (void)l, (void)rng;
    return m > 0 ? mean(t) + sqrt(2 * mean(t) * confidence / m) + 2 * confidence / m : INFINITY;
}

static double kl(double p, double q)
{
    const double tiny = 1e-15;

    p = fmin(1 - tiny, fmax(tiny, p));
    q = fmin(1 - tiny, fmax(tiny, q));
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q));
}

/* Garivier & Cappe 2011: the largest q whose divergence from the mean is at most (parameter ln t) / n; by bisection. */
static double kl_ucb(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    double low = mean(t), high = 1, bound = l->rule->parameter * log(fmax(1, steps)) / t->n;

    (void)rng;
    if (t->n <= 0)
        return INFINITY;
    high = fmin(1, low + sqrt(bound / 2)); /* Pinsker */
    for (int i = 0; i < 20; i++) {
        double middle = (low + high) / 2;
        if (kl(mean(t), middle) > bound)
            high = middle;
        else
            low = middle;
    }
    return low;
}

/* Baek & Farias 2020, "TS-UCB": the arm whose distance to the sampled maximum, in radii, is least. */
static double ts_ucb(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    (void)steps, (void)rng;
    return t->n > 0 ? -(l->highest - mean(t)) * sqrt(t->n) : INFINITY;
}

/* Whittle's approximation of the Gittins index of a Bernoulli arm (Gittins, Glazebrook & Weber 2011, section 8.6), discount
 * `parameter`. */
static double gittins_whittle(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    double n = 2 + t->n, mu = (1 + t->sum) / n, c = -log(l->rule->parameter);

    (void)steps, (void)rng;
    return mu + mu * (1 - mu) / (n * sqrt((2 * c + 1 / n) * mu * (1 - mu)) + mu - 0.5);
}

static double greedy(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    (void)l, (void)steps, (void)rng;
    return (1 + t->sum) / (2 + t->n);
}

static double uniform(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    (void)l, (void)t, (void)steps;
    return rng_uniform(rng);
}

static double base_only(const struct learner *l, const struct tally *t, double steps, struct rng *rng)
{
    (void)steps, (void)rng;
    return t == l->tally;
}

/* ---- a learner
 * -----------------------------------------------------------------------------------------------------------------------------
 */

static void *create(const void *rule, const struct setting *s)
{
    struct learner *l = xcalloc(1, sizeof *l);

    l->rule = rule;
    l->arms = s->arms;
    l->cells = l->rule->one_cell ? 1 : s->cells;
    l->tally = xcalloc(l->cells * l->arms, sizeof *l->tally);
    return l;
}

static void destroy(void *learner)
{
    struct learner *l = learner;

    free(l->tally);
    free(l);
}

/* Mean of the largest of 100 joint posterior draws. */
static double sampled_maximum(const struct learner *l, const struct tally *row, struct rng *rng)
{
    double sum = 0;

    for (int i = 0; i < 100; i++) {
        double highest = 0;
        for (size_t k = 0; k < l->arms; k++)
            highest = fmax(highest, thompson(l, &row[k], 0, rng));
        sum += highest;
    }
    return sum / 100;
}

/* The largest index; one of several by lot. */
static size_t choose(void *learner, long step, size_t cell, struct rng *rng)
{
    struct learner *l = learner;
    size_t row = l->rule->one_cell ? 0 : cell, best = 0, ties = 0;
    const struct tally *t = l->tally + row * l->arms;
    double steps = 1, highest = -INFINITY;

    (void)step;
    for (size_t i = 0; i < l->arms; i++)
        steps += t[i].n;
    if (l->rule->index == ts_ucb)
        l->highest = sampled_maximum(l, t, rng);
    if (l->rule->index == greedy && l->rule->parameter > 0 && rng_uniform(rng) < l->rule->parameter)
        return rng_below(rng, l->arms);
    for (size_t i = 0; i < l->arms; i++) {
        double index = l->rule->index(l, &t[i], steps, rng);
        if (index > highest) {
            highest = index;
            best = i;
            ties = 1;
        } else if (!(index < highest) && rng_below(rng, ++ties) == 0) {
            best = i;
        }
    }
    return best;
}

static double about_mean(const struct tally *t) { return t->n > 0 ? t->squares - t->sum * t->sum / t->n : 0; }

static void learn(void *learner, const struct outcome *o)
{
    struct learner *l = learner;
    struct tally *t = &l->tally[(l->rule->one_cell ? 0 : o->cell) * l->arms + o->arm];

    if (l->rule->discount > 0)
        for (size_t i = 0; i < l->cells * l->arms; i++) {
            l->tally[i].n *= l->rule->discount;
            l->tally[i].sum *= l->rule->discount;
        }
    l->within -= about_mean(t);
    t->n += 1;
    t->sum += o->x;
    t->squares += o->x * o->x;
    l->within += about_mean(t);
    l->outcomes += 1;
}

/* What was known of the arm before is of another one. */
static void replaced(void *learner, size_t arm)
{
    struct learner *l = learner;

    for (size_t cell = 0; cell < l->cells; cell++) {
        struct tally *t = &l->tally[cell * l->arms + arm];
        l->within -= about_mean(t);
        l->outcomes -= t->n;
        *t = (struct tally){0};
    }
}

#define RULE(...) (&(const struct rule){__VA_ARGS__})
#define LEARNER(title, where, ...)                                                                                               \
    {                                                                                                                            \
        .name = title, .source = where, .rule = RULE(__VA_ARGS__), .create = create, .destroy = destroy, .choose = choose,       \
        .learn = learn, .replaced = replaced                                                                                     \
    }

const struct algorithm lab_index_algorithms[] = {
    LEARNER("thompson", "Thompson 1933; Chapelle & Li 2011", .index = thompson),
    LEARNER("thompson, one cell", "the same, blind to the context", .index = thompson, .one_cell = true),
    LEARNER("gaussian", "Murphy 2007, section 3; Honda & Takemura 2014", .index = gaussian),
    LEARNER("gaussian, one cell", "the same, blind to the context", .index = gaussian, .one_cell = true),
    LEARNER("discounted thompson .95", "Raj & Kalyani 2017", .index = thompson, .discount = 0.95),
    LEARNER("discounted thompson .99", "Raj & Kalyani 2017", .index = thompson, .discount = 0.99),
    LEARNER("ucb1", "Auer, Cesa-Bianchi & Fischer 2002", .index = ucb, .parameter = 2),
    LEARNER("ucb .5", "the same, alpha 0.5 in the notation of SMPyBandits: sqrt(alpha ln t / 2n)", .index = ucb,
            .parameter = 0.25),
    LEARNER("ucb, chernoff", "Chapelle & Li 2011, equation 1", .index = ucb_chernoff),
    LEARNER("kl-ucb", "Garivier & Cappe 2011", .index = kl_ucb, .parameter = 1),
    LEARNER("kl-ucb .5", "the same, bound 0.5 ln t", .index = kl_ucb, .parameter = 0.5),
    {.name = "oracle kl-ucb", .source = "kl-ucb that is told which arms change, and when, and forgets them", .oracle = true,
     .rule = RULE(.index = kl_ucb, .parameter = 1), .create = create, .destroy = destroy, .choose = choose, .learn = learn,
     .replaced = replaced},
    LEARNER("ts-ucb 100", "Baek & Farias 2020, 100 samples", .index = ts_ucb),
    LEARNER("gittins-whittle .99", "Whittle's approximation; Gittins, Glazebrook & Weber 2011", .index = gittins_whittle,
            .parameter = 0.99),
    LEARNER("greedy", "largest mean, prior (1, 1)", .index = greedy),
    LEARNER("epsilon .05", "Sutton & Barto 2018, section 2.4", .index = greedy, .parameter = 0.05),
    LEARNER("uniform", "each arm alike", .index = uniform),
    LEARNER("base only", "always arm 0", .index = base_only, .one_cell = true),
    {0},
};
