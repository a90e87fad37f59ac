/* SPDX-License-Identifier: Apache-2.0 */
/* detect.c - changes that are there are found soon and dated well, and those that are not there are seldom found. */
#include "detect.h"

#include "rng.h"
#include "test.h"

enum { HOUR = 5, HOURS = 400 };

static const struct detect_settings settings = {.delta = 2e-4, .variance = 0.21};

static struct moments hour(struct rng *rng, double mean)
{
    struct moments m = {0, 0, 0};

    for (int i = 0; i < HOUR; i++) {
        double x = fmin(1, fmax(-1, mean + 0.46 * rng_normal(rng)));
        m = (struct moments){m.n + 1, m.sum + x, m.sum_sq + x * x};
    }
    return m;
}

/* By hand: 4 rewards of -1, then 4 of +1: SS0 = 8, SS1 = 0, b = 4 v. */
TEST(unit_detect, the_ratio_is_what_the_formula_says)
{
    struct moments series[] = {{4, -4, 4}, {0, 0, 0}, {4, 4, 4}};
    struct detect_settings s = {.delta = 0.01, .variance = 0.25};
    struct change c = detect_change(&s, series, 3);

    CHECK_NEAR(c.evidence, 8 * log((1 + 4.0) / 1) - log(3 * pow(8, 1.5) / 0.01), 1e-12);
    CHECK(c.found && c.since == 2);
    CHECK_NEAR(c.before, -1, 0);
    CHECK_NEAR(c.after, 1, 0);
}

/* statistics.md F5: 58 own calls for a shift of -0.4 after 200 or more calls, 276 for -0.2. */
TEST(unit_detect, a_large_shift_is_found_after_about_sixty_calls_and_dated_well)
{
    enum { RUNS = 60 };
    struct moments series[HOURS];
    double delay = 0, off = 0;

    for (int run = 0; run < RUNS; run++) {
        struct rng rng = rng_seed((uint64_t)run + 1);
        struct change c = {.found = false};
        size_t n = 0;
        while (!c.found && n < HOURS) {
            series[n] = hour(&rng, n < 80 ? 0.2 : -0.2);
            c = detect_change(&settings, series, ++n);
            CHECK(!c.found || n > 80);
        }
        delay += (double)(n - 80) * HOUR / RUNS;
        off += fabs((double)c.since - 80) * HOUR / RUNS;
    }
    CHECK(delay > 30 && delay < 85);
    CHECK(off < 15);
}

TEST(unit_detect, where_nothing_moves_alarms_are_rare)
{
    struct moments series[HOURS];
    int alarms = 0;

    for (int run = 0; run < 40; run++) {
        struct rng rng = rng_seed((uint64_t)run + 1000);
        bool found = false;
        for (size_t n = 0; n < HOURS; n++) {
            series[n] = hour(&rng, 0.1);
            found |= detect_change(&settings, series, n + 1).found;
        }
        alarms += found;
    }
    CHECK(alarms == 0);
}

TEST(unit_detect, nothing_is_found_in_nothing)
{
    struct moments empty[3] = {{0, 0, 0}}, same[] = {{1e6, 1e6, 1e6}, {1e6, 1e6, 1e6}};

    CHECK(!detect_change(&settings, empty, 0).found && !detect_change(&settings, empty, 3).found);
    CHECK(!detect_change(&settings, same, 1).found && !detect_change(&settings, same, 2).found);
}

/* Traffic moves from a good cell to a bad one; no (cell, variant) changes. */
TEST(unit_detect, other_callers_are_no_change_but_a_worse_variant_is_at_its_levels)
{
    enum { CELLS = 2, VARIANTS = 2 };
    struct arena arena = {0};
    struct moments *own = arena_alloc(&arena, HOURS * CELLS * VARIANTS * sizeof *own);
    struct detect_table t = {.hours = HOURS, .cells = CELLS, .variants = VARIANTS, .own = own};
    struct rng rng = rng_seed(7);

    for (size_t h = 0; h < HOURS; h++)
        for (size_t v = 0; v < VARIANTS; v++) {
            size_t c = h < HOURS / 2 ? 0 : 1;
            own[(h * CELLS + c) * VARIANTS + v] = hour(&rng, c ? -0.3 : 0.4);
        }
    for (enum detect_level level = DETECT_ARM; level < DETECT_LEVELS; level++)
        CHECK(!detect_change(&settings, detect_series(&t, level, 1, 1, &arena), HOURS).found);
    for (size_t h = 300; h < HOURS; h++) /* in the second cell, variant 1 turns bad for good */
        own[(h * CELLS + 1) * VARIANTS + 1] = hour(&rng, -0.7);
    struct change c = detect_change(&settings, detect_series(&t, DETECT_ARM, 1, 1, &arena), HOURS);
    CHECK(c.found && c.since >= 298 && c.since <= 302 && c.after < c.before - 0.2);
    CHECK(detect_change(&settings, detect_series(&t, DETECT_VARIANT, 0, 1, &arena), HOURS).found);
    CHECK(!detect_change(&settings, detect_series(&t, DETECT_ARM, 1, 0, &arena), HOURS).found);
    CHECK(!detect_change(&settings, detect_series(&t, DETECT_VARIANT, 0, 0, &arena), HOURS).found);
    arena_done(&arena);
}
