/* SPDX-License-Identifier: Apache-2.0 */
/* laboratory.c - the worlds of rl-lab, its learners, and its figures. */
#include <stdlib.h>

#include "callers.h"
#include "explore.h"
#include "lab.h"
#include "test.h"

static struct lab_case short_case(const char *id, const char *part, long horizon, const char *algorithm)
{
    struct lab_case c = *lab_case_find(id, part);

    c.horizon = horizon;
    memset(c.entries, 0, sizeof c.entries);
    c.entries[0] = (struct entry){algorithm, NAN};
    return c;
}

TEST(unit_laboratory, every_algorithm_of_every_case_exists)
{
    for (const struct lab_case *c = lab_cases; c->id; c++)
        for (size_t i = 0; i < LAB_ENTRIES && c->entries[i].algorithm; i++)
            CHECK(algorithm_find(c->entries[i].algorithm) != NULL);
    CHECK(algorithm_find("gut feeling") == NULL);
    CHECK(lab_case_find("B7", "") == NULL);
}

TEST(unit_laboratory, every_learner_meets_the_same_world_whatever_it_chooses)
{
    for (const struct lab_case *c = lab_cases; c->id; c++) {
        struct world *a = world_new(c, 3), *b = world_new(c, 3), *other = world_new(c, 4);
        for (long step = 0; step < 1200; step++) {
            world_news(a, step), world_news(b, step);
            size_t cell = world_cell(a);
            CHECK_INT(world_cell(b), cell);
            world_outcome(a, cell, 0);
            world_outcome(b, cell, c->arms - 1);
        }
        CHECK(memcmp(a->mean, b->mean, a->cells * a->arms * sizeof *a->mean) == 0);
        CHECK(memcmp(&a->chance, &b->chance, sizeof a->chance) == 0);
        CHECK(c->world == WORLD_FIXED || c->world == WORLD_SEGMENTS || c->world == WORLD_NEWS ||
              memcmp(a->mean, other->mean, a->cells * a->arms * sizeof *a->mean) != 0);
        world_free(a);
        world_free(b);
        world_free(other);
    }
}

TEST(unit_laboratory, one_of_ten_items_retires_every_thousand_steps)
{
    struct world *w = world_new(lab_case_find("B1", "d = 100"), 1);
    size_t retired = 0;

    for (long step = 0; step < 1000000; step += 100) {
        world_news(w, step);
        retired += w->news_count;
    }
    CHECK_NEAR((double)retired, 1000, 100); /* three standard deviations */
    world_free(w);
}

TEST(unit_laboratory, tom_and_anna_swap_tastes_after_five_thousand_rounds)
{
    struct world *w = world_new(lab_case_find("B4", "10000"), 0);
    size_t politics = 0, sports = 2, tom_morning = 0, anna_morning = 2;

    world_news(w, 4999);
    CHECK_NEAR(w->mean[tom_morning * 7 + politics], 1, 0);
    CHECK_NEAR(w->mean[anna_morning * 7 + sports], 1, 0);
    world_news(w, 5000);
    CHECK_NEAR(w->mean[tom_morning * 7 + sports], 1, 0);
    CHECK_NEAR(w->mean[anna_morning * 7 + politics], 1, 0);
    world_free(w);
}

/* The truth of B6 is exact only if these two figures are. */
TEST(unit_laboratory, a_call_is_worth_what_the_truth_says)
{
    struct world *w = world_new(lab_case_find("B6", "5000"), 0);
    double sum = 0, squares = 0;
    int calls = 200000;

    for (int i = 0; i < calls; i++) {
        double x = world_outcome(w, 7, 3);
        sum += x;
        squares += x * x;
    }
    double mean = sum / calls, sd = sqrt(squares / calls - mean * mean);
    CHECK_NEAR(mean, w->mean[7 * LAB_VARIANTS + 3], 4 * sd / sqrt(calls));
    double p = w->solved[7 * LAB_VARIANTS + 3], spread = lab_x_solved - lab_x_unsolved;
    CHECK_NEAR(sd, sqrt(p * (1 - p) * spread * spread + 0.0095), 0.01); /* 0.23 at even odds, 0.46 of a reward */
    world_free(w);
}

TEST(unit_laboratory, results_do_not_depend_on_the_number_of_threads)
{
    struct lab_case c = short_case("B5", "[0, 1]", 200, "thompson");
    struct result one[LAB_ENTRIES], three[LAB_ENTRIES];

    c.entries[1] = (struct entry){"default", NAN};
    CHECK_INT(lab_run(&c, 7, 1, one), 2);
    CHECK_INT(lab_run(&c, 7, 3, three), 2);
    for (int i = 0; i < 2; i++) {
        CHECK_NEAR(one[i].mean, three[i].mean, 0);
        CHECK_NEAR(one[i].half_width, three[i].half_width, 0);
        CHECK_NEAR(one[i].p95, three[i].p95, 0);
        CHECK(memcmp(one[i].curve, three[i].curve, sizeof one[i].curve) == 0);
    }
    CHECK(one[0].mean != one[1].mean);
}

TEST(unit_laboratory, late_and_lost_outcomes_cost_regret)
{
    struct lab_case c = short_case("B2", "a:", 3000, "thompson"), late = c, lossy = c;
    struct result at_once[LAB_ENTRIES], later[LAB_ENTRIES], half[LAB_ENTRIES];

    late.batch = 500;
    lossy.lost = 0.7;
    lab_run(&c, 5, 1, at_once);
    lab_run(&late, 5, 1, later);
    lab_run(&lossy, 5, 1, half);
    CHECK(later[0].mean > 2 * at_once[0].mean);
    CHECK(half[0].mean > 1.5 * at_once[0].mean);
}

/* The ledger knows its calls, so the default must not learn twice; algorithms that know no messages do. */
TEST(unit_laboratory, an_outcome_told_twice_counts_once_for_the_default_and_twice_for_the_literature)
{
    static const char *const names[] = {"default", "thompson"};

    for (size_t i = 0; i < 2; i++) {
        struct lab_case c = short_case("B2", "a:", 2000, names[i]), twice = c;
        struct trial once, again;
        twice.duplicated = 1;
        lab_trial(&c, algorithm_find(names[i]), 3, &once);
        lab_trial(&twice, algorithm_find(names[i]), 3, &again);
        if (i == 0)
            CHECK_NEAR(again.figure, once.figure, 0);
        else
            CHECK(fabs(again.figure - once.figure) > 1);
    }
}

/* One batch of outcomes is the same batch in any order: sums have none.  A window that is longer than
 * the batch makes them late. */
TEST(unit_laboratory, outcomes_in_another_order_are_the_same_sums)
{
    struct lab_case c = short_case("B2", "a:", 2000, "default"), shuffled, late;
    struct trial in_order, another, later;

    c.batch = 50;
    shuffled = late = c;
    shuffled.reorder = 50;
    late.reorder = 700;
    lab_trial(&c, algorithm_find("default"), 3, &in_order);
    lab_trial(&shuffled, algorithm_find("default"), 3, &another);
    lab_trial(&late, algorithm_find("default"), 3, &later);
    CHECK_NEAR(another.figure, in_order.figure, 1e-9);
    CHECK(later.figure > in_order.figure + 100);
}

/* What was lost and what comes late, twice and shuffled: whatever is told is told of steps that were made, each at most twice. */
static void count_told(void *learner, const struct outcome *o) { ((int *)learner)[o->step]++; }
static size_t first_arm(void *learner, long step, size_t cell, struct rng *rng)
{
    return (void)learner, (void)step, (void)cell, (void)rng, 0;
}
static void *counters(const void *rule, const struct setting *s) { return (void)s, (void)rule, *(int *const *)rule; }
static void keep(void *learner) { (void)learner; }

TEST(unit_laboratory, outcomes_are_lost_and_repeated_as_often_as_was_asked)
{
    enum { STEPS = 20000 };
    struct lab_case c = short_case("B2", "a:", STEPS, "uniform");
    int *told = calloc(STEPS, sizeof *told), never = 0, twice = 0;
    struct algorithm a = {.name = "counts", .rule = &told, .create = counters, .destroy = keep, .choose = first_arm,
                          .learn = count_told};
    struct trial trial;

    c.lost = 0.2;
    c.duplicated = 0.1;
    c.reorder = 30;
    c.batch = 7;
    lab_trial(&c, &a, 1, &trial);
    for (int i = 0; i < STEPS - 300; i++) { /* what was on its way at the end never came */
        never += told[i] == 0;
        twice += told[i] == 2;
        CHECK(told[i] <= 2);
    }
    CHECK_NEAR((double)never / STEPS, 0.2, 0.015);
    CHECK_NEAR((double)twice / STEPS, 0.08, 0.01);
    free(told);
}

TEST(unit_laboratory, only_an_oracle_is_told_of_changes_that_others_must_find)
{
    struct world *w = world_new(lab_case_find("B3", "10 steps"), 1);

    world_news(w, 1000); /* .3 .5 .9 becomes .3 .2 .9 */
    CHECK(w->secret && w->news_count == 1 && w->news[0] == 1);
    world_news(w, 1001);
    CHECK_INT(w->news_count, 0);
    world_free(w);
    CHECK(algorithm_find("oracle kl-ucb")->oracle && algorithm_find("default, told")->oracle);
    CHECK(!algorithm_find("default")->oracle && !algorithm_find("glr-klucb")->oracle);

    struct lab_case c = *lab_case_find("B3", "10 steps");
    struct trial told, finds;
    double with = 0, without = 0;
    for (uint64_t run = 0; run < 10; run++) {
        lab_trial(&c, algorithm_find("default, told"), run, &told);
        lab_trial(&c, algorithm_find("default, no detector"), run, &finds);
        with += told.figure / 10;
        without += finds.figure / 10;
    }
    CHECK(with < 60 && without > 3 * with);
}

TEST(unit_laboratory, regret_of_chance_is_what_arithmetic_says)
{
    struct lab_case c = short_case("B2", "a:", 2000, "uniform");
    struct result r[LAB_ENTRIES];

    lab_run(&c, 4, 1, r);
    CHECK_NEAR(r[0].mean, 2000 * 0.4, 25);
    CHECK_NEAR(r[0].curve[LAB_POINTS - 1], r[0].mean, 1e-9);
    CHECK_NEAR(r[0].curve[LAB_POINTS / 2 - 1], r[0].mean / 2, 25);
}

TEST(unit_laboratory, every_learner_prefers_the_good_arm_in_the_end)
{
    static const double means[] = {0.2, 0.8};

    for (const struct algorithm *a = lab_index_algorithms; a->name; a++) {
        struct lab_case c = short_case("B2", "a:", 1000, a->name);
        struct trial trial;
        c.arms = 2;
        c.means = means;
        if (strcmp(a->name, "uniform") == 0 || strcmp(a->name, "base only") == 0)
            continue;
        lab_trial(&c, a, 2, &trial);
        if (trial.figure >= 0.25 * 600)
            test_fail(__FILE__, __LINE__, "%s loses %.1f", a->name, trial.figure);
    }
}

/* F13: decisions in the laboratory are posterior draws, in the product they are drawn from p; both must be the same distribution.
 */
TEST(unit_laboratory, draws_and_quadrature_give_the_same_shares)
{
    static const struct belief beliefs[] = {{.mean = 0.1, .sd = 0.2, .sd_apart = 0.1, .n = 3},
                                            {.mean = 0.15, .sd = 0.2, .sd_apart = 0.05, .n = 60},
                                            {.mean = 0.0, .sd = 0.3, .sd_apart = 0.2, .n = 0},
                                            {.mean = 0.17, .sd = 0.1, .sd_apart = 0.02, .n = 400}};
    struct explore_settings settings = EXPLORE_DEFAULTS;
    struct rng rng = rng_seed(4);
    double w[4], shares[4] = {0};
    int draws = 200000;

    for (enum belief_model model = MODEL_BETA; model <= MODEL_LINEAR; model++) {
        memset(shares, 0, sizeof shares);
        explore_weights(&settings, model, beliefs, 4, w);
        for (int i = 0; i < draws; i++)
            shares[explore_draw(&settings, model, beliefs, 4, &rng)] += 1.0 / draws;
        for (int i = 0; i < 4; i++)
            CHECK_NEAR(shares[i], w[i], 4 * sqrt(w[i] * (1 - w[i]) / draws) + 2e-4);
    }
}

static char *contents(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *f = fopen(path, "r");

    if (f) {
        CHECK(fread(text, 1, (1 << 20) - 1, f) > 0);
        fclose(f);
    }
    return text;
}

TEST(unit_laboratory, curves_are_written_as_csv_and_as_svg)
{
    struct lab_case c = short_case("B5", "[0, 1]", 100, "uniform");
    struct result r[LAB_ENTRIES];
    char csv[300], svg[300];
    size_t n = lab_run(&c, 2, 1, r);

    snprintf(csv, sizeof csv, "%s/a.csv", test_dir());
    snprintf(svg, sizeof svg, "%s/a.svg", test_dir());
    CHECK(lab_write_csv(csv, r, n));
    CHECK(lab_write_svg(svg, r, n));
    char *text = contents(csv), *picture = contents(svg);
    CHECK(strstr(text, "id,case,algorithm,step,regret,ci_low,ci_high\nB5,\"means in [0, 1]\",\"uniform\",2,") == text);
    CHECK(strstr(picture, "prefers-color-scheme:dark") && strstr(picture, "uniform") && strstr(picture, "</svg>\n"));
    CHECK(!lab_write_csv("/nonexistent/a.csv", r, n));
    free(text);
    free(picture);
}
