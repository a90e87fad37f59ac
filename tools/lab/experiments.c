/* SPDX-License-Identifier: Apache-2.0 */
/* experiments.c - the table of experiments: settings, algorithms, and what their sources printed. */
#include <math.h>
#include <string.h>

#include "lab.h"

static const double column_a[] = {.1, .2, .3, .4, .5, .6, .7, .8, .9}, column_b[] = {.01, .02, .3, .4, .5, .6, .795, .8, .805},
                    column_c[] = {.01, .01, .01, .02, .02, .02, .05, .05, .1};
static const double segments[] = {.3, .5, .9, .3, .2, .9, .3, .2, .1, .7, .2, .1, .7, .5, .1};

/* An algorithm of which the source printed nothing here. */
#define UNPRINTED(name) {name, NAN}

/* Chapelle & Li 2011, table 1. */
#define B1(steps, thompson_, ucb_)                                                                                        \
    {.id = "B1", .name = "d = " #steps, .world = WORLD_RESTLESS, .horizon = 1000000, .batch = steps, .runs = 3,           \
     .steps_per_hour = 1000, .arms = 10, .wanted = "thompson within 10 % of print, default below thompson",               \
     .entries = {{"thompson", thompson_}, {"ucb, chernoff", ucb_}, UNPRINTED("gaussian"), UNPRINTED("default, gaussian"), \
                 UNPRINTED("default")}}

/* SMPyBandits, simulations on Bernoulli problems, 10 repetitions. */
#define B2(title, column, want, thompson_)                                                                                \
    {.id = "B2", .name = title, .world = WORLD_FIXED, .horizon = 10000, .batch = 1, .runs = 100, .steps_per_hour = 10,    \
     .arms = 9, .means = column, .wanted = want,                                                                          \
     .entries = {{"thompson", thompson_}, UNPRINTED("gaussian"), UNPRINTED("ucb1"), UNPRINTED("ucb .5"),                  \
                 UNPRINTED("kl-ucb"), UNPRINTED("kl-ucb .5"), UNPRINTED("default, gaussian"),                             \
                 UNPRINTED("default, plain"), UNPRINTED("default, caution 0"), UNPRINTED("default, cautious .1"),         \
                 UNPRINTED("default, floor .002"), UNPRINTED("default, no detector"), UNPRINTED("default")}}

#define B3(title, hour, want, ...)                                                                                        \
    {.id = "B3", .name = title, .world = WORLD_SEGMENTS, .horizon = 5000, .batch = 1, .runs = 300,                        \
     .steps_per_hour = hour, .arms = 3, .means = segments, .wanted = want, .entries = {__VA_ARGS__}}

/* Vowpal Wabbit's tutorial; its own epsilon-greedy was run by us. */
#define B4(title, steps, want, epsilon_)                                                                                  \
    {.id = "B4", .name = title, .world = WORLD_NEWS, .horizon = steps, .batch = 1, .runs = 20, .steps_per_hour = 10,      \
     .arms = 7, .counts_reward = true, .wanted = want,                                                                    \
     .entries = {UNPRINTED("thompson"), UNPRINTED("gaussian"), {"epsilon .05", epsilon_}, UNPRINTED("uniform"),           \
                 UNPRINTED("default, gaussian"), UNPRINTED("default")}}

/* banditbench, README. */
#define B5(title, low_, high_, thompson_, ts_ucb_, gittins_)                                                              \
    {.id = "B5", .name = title, .world = WORLD_UNIFORM, .horizon = 500, .batch = 1, .runs = 400, .steps_per_hour = 10,    \
     .arms = 10, .low = low_, .high = high_, .wanted = "default at most 0.72 x thompson",                                 \
     .entries = {{"thompson", thompson_}, UNPRINTED("gaussian"), UNPRINTED("kl-ucb .5"), UNPRINTED("greedy"),             \
                 {"ts-ucb 100", ts_ucb_}, {"gittins-whittle .99", gittins_}, UNPRINTED("uniform"),                        \
                 UNPRINTED("default, gaussian"), UNPRINTED("default, plain"), UNPRINTED("default, caution 0"),            \
                 UNPRINTED("default, cautious .1"), UNPRINTED("default")}}

#define B6(title, steps, runs_, ...)                                                                                      \
    {.id = "B6", .name = title, .world = WORLD_CALLS, .horizon = steps, .batch = 1, .runs = runs_, .steps_per_hour = 40,  \
     .arms = LAB_VARIANTS, __VA_ARGS__}
#define B6_ALL                                                                                                            \
    {UNPRINTED("thompson, one cell"), UNPRINTED("thompson"), UNPRINTED("gaussian, one cell"), UNPRINTED("gaussian"),      \
     UNPRINTED("uniform"), UNPRINTED("base only"), UNPRINTED("default, gaussian"), UNPRINTED("default, plain"),           \
     UNPRINTED("default, caution 0"), UNPRINTED("default, cautious .1"), UNPRINTED("default")}

/* Of the printed UCB figures only the first and the last could be checked; an unchecked one is none. */
const struct lab_case lab_cases[] = {
    B1(1, 9105, 24145),
    B1(3, 9199, NAN),
    B1(10, 9049, NAN),
    B1(32, 9451, NAN),
    B1(100, 11550, NAN),
    B1(316, 21594, NAN),
    B1(1000, 59256, 226220),
    B2("a: .1 .2 .. .9", column_a, "default below thompson", 33.2),
    B2("b: .01 .02 .3 .4 .5 .6 .795 .8 .805", column_b, "default below thompson and 65.0", 83.2),
    B2("c: .01x3 .02x3 .05x2 .1", column_c, "default below thompson and 69.2", 69.2),
    B3("10 steps an hour", 10, "default below 40", {"thompson", 444}, {"discounted thompson .95", 221},
       {"discounted thompson .99", NAN}, {"glr-klucb", 66}, {"oracle kl-ucb", 33}, {"default, gaussian", NAN},
       {"default, delta .01", NAN}, {"default, no detector", NAN}, {"default, floor .002", NAN}, {"default, told", NAN},
       {"default", NAN}),
    B3("100 steps an hour", 100, "default below 66", {"default", NAN}),
    B3("200 steps an hour", 200, "default below 66", {"default", NAN}),
    B4("first 5000 rounds", 5000, "default above .98", .844),
    B4("10000 rounds, swap at 5000", 10000, "default above .97", .781),
    B5("means in [0, 1]", 0, 1, 28.9, 16.9, 16.15),
    B5("means in [.25, .75]", .25, .75, 40.5, 26.9, NAN),
    B6("structured, 5000 calls", 5000, 40, .wanted = "default 35 % below thompson, one cell; 10 % below gaussian, one cell",
       .entries = B6_ALL),
    B6("structured, 20000 calls", 20000, 12, .wanted = "default 25 % below gaussian, one cell", .entries = B6_ALL),
    B6("structured, 5000 calls, guard's caps", 5000, 20, .capped = true, .wanted = "what the caps cost",
       .entries = {{"default", NAN}}),
    B6("structured, 20000 calls, guard's caps", 20000, 8, .capped = true, .wanted = "what the caps cost",
       .entries = {{"default", NAN}}),
    B6("structured, 20000 calls, forgetting", 20000, 12, .wanted = "what a half-life costs where nothing changes",
       .entries = {UNPRINTED("default, half-life 30 d"), UNPRINTED("default, half-life 10 d"),
                   UNPRINTED("default, half-life 3 d"), UNPRINTED("default, half-life 1 d"), UNPRINTED("default")}),
    B6("no structure, 5000 calls", 5000, 20, .truth = TRUTH_NO_STRUCTURE, .wanted = "beside it", .entries = B6_ALL),
    B6("no context, 5000 calls", 5000, 20, .truth = TRUTH_NO_CONTEXT, .wanted = "beside it", .entries = B6_ALL),
    {0},
};

static const struct algorithm *find_in(const struct algorithm *list, const char *name)
{
    while (list->name && strcmp(list->name, name) != 0)
        list++;
    return list->name ? list : NULL;
}

const struct algorithm *algorithm_find(const char *name)
{
    const struct algorithm *found = find_in(lab_index_algorithms, name);

    if (!found)
        found = find_in(lab_product_algorithms, name);
    return !found && strcmp(lab_glr_klucb.name, name) == 0 ? &lab_glr_klucb : found;
}

const struct lab_case *lab_case_find(const char *id, const char *part)
{
    for (const struct lab_case *c = lab_cases; c->id; c++)
        if (strcmp(c->id, id) == 0 && strstr(c->name, part))
            return c;
    return NULL;
}
