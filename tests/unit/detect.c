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

/* An arm that is paid once in a hundred calls: two payments in a row are luck, whatever a Gaussian thinks of them. */
TEST(unit_detect, rare_payments_close_together_are_no_change)
{
    enum { RUNS = 100, CALLS = 300 };
    struct moments series[CALLS], three[] = {{300, -294, 300}, {3, 1, 3}}, ten[] = {{300, -294, 300}, {20, 0, 20}};
    struct detect_settings s = {.delta = 2e-4, .variance = 0.3};
    int alarms = 0;

    for (int run = 0; run < RUNS; run++) {
        struct rng rng = rng_seed((uint64_t)run + 50);
        bool found = false;
        for (size_t n = 0; n < CALLS; n++) {
            double r = rng_uniform(&rng) < 0.02 ? 1 : -1;
            series[n] = (struct moments){1, r, 1};
            found |= detect_change(&s, series, n + 1).found;
        }
        alarms += found;
    }
    CHECK_INT(alarms, 0);
    CHECK(!detect_change(&s, three, 2).found); /* two of three paid */
    CHECK(detect_change(&s, ten, 2).found);    /* ten of twenty */
}

enum { TABLE_HOURS = 40, TABLE_CELLS = 3, TABLE_VARIANTS = 3 };

/* From hour 30 on, rewards of a (cell, variant) are `less` lower where `touches` says so. */
static struct detect_table table(struct arena *arena, const struct found *touched, double less)
{
    struct detect_table t = {.hours = TABLE_HOURS, .cells = TABLE_CELLS, .variants = TABLE_VARIANTS};
    struct rng rng = rng_seed(11);

    t.own = arena_alloc(arena, t.hours * t.cells * t.variants * sizeof *t.own);
    for (size_t i = 0; i < t.hours * t.cells * t.variants; i++) {
        size_t cell = i / t.variants % t.cells, variant = i % t.variants;
        bool changed = i / t.variants / t.cells >= 30 && detect_touches(touched, cell, variant);
        t.own[i] = hour(&rng, 0.1 * (double)cell - 0.1 * (double)variant + (changed ? -less : 0));
    }
    return t;
}

TEST(unit_detect, the_level_is_that_of_what_changed)
{
    for (enum detect_level level = DETECT_ARM; level < DETECT_LEVELS; level++) {
        struct arena arena = {0};
        struct found changed = {.level = level, .cell = level == DETECT_VARIANT || level == DETECT_ALL ? 0 : 1,
                                .variant = level == DETECT_CELL || level == DETECT_ALL ? 0 : 2}, found[DETECT_MOST];
        struct detect_table t = table(&arena, &changed, 0.6);
        CHECK_INT(detect_restarts(&settings, &t, found), 1);
        CHECK_INT(found[0].level, level);
        CHECK_INT(found[0].cell, changed.cell);
        CHECK_INT(found[0].variant, changed.variant);
        CHECK(found[0].change.since >= 29 && found[0].change.since <= 31);
        arena_done(&arena);
    }
}

/* Nearly all calls are of one arm, so that the series of all looks like its own: it is the arm that changed. */
TEST(unit_detect, an_arm_that_all_callers_get_does_not_stand_for_all)
{
    struct moments own[] = {{100, 0, 100}, {600, -240, 600}, {0, 0, 0}, {200, 80, 200}}; /* [hour][variant] */
    struct detect_table t = {.hours = 2, .cells = 1, .variants = 2, .own = own};
    struct found found[DETECT_MOST];

    CHECK_INT(detect_restarts(&settings, &t, found), 1);
    CHECK_INT(found[0].level, DETECT_ARM);
    CHECK_INT(found[0].variant, 1);
}

TEST(unit_detect, changes_of_the_same_hour_are_all_found_and_forgotten)
{
    struct arena arena = {0};
    struct found found[DETECT_MOST], first = {.level = DETECT_ARM, .cell = 0, .variant = 1};
    struct detect_table t = table(&arena, &first, 0.8);
    struct moments *own = &t.own[2 * TABLE_VARIANTS]; /* cell 2, variant 0 */

    for (size_t h = 30; h < TABLE_HOURS; h++) {
        struct moments *m = &own[h * TABLE_CELLS * TABLE_VARIANTS];
        *m = (struct moments){m->n, m->sum + 0.7 * m->n, m->sum_sq + 1.4 * m->sum + 0.49 * m->n};
    }
    CHECK_INT(detect_restarts(&settings, &t, found), 2);
    for (size_t i = 0; i < 2; i++) {
        size_t variant = found[i].variant, cell = found[i].cell, since = found[i].change.since;
        CHECK(found[i].level == DETECT_ARM && ((cell == 0 && variant == 1) || (cell == 2 && variant == 0)));
        CHECK(t.own[((since - 1) * TABLE_CELLS + cell) * TABLE_VARIANTS + variant].n <= 0);
        CHECK(t.own[(since * TABLE_CELLS + cell) * TABLE_VARIANTS + variant].n > 0);
        CHECK(t.own[TABLE_CELLS * TABLE_VARIANTS - 1].n > 0);
    }
    CHECK(found[0].cell != found[1].cell);
    CHECK_INT(detect_restarts(&settings, &t, found), 0);
    arena_done(&arena);
}
