/* SPDX-License-Identifier: Apache-2.0 */
/* belief.c - the three models against numbers that were computed another way, and what must not matter. */
#include "belief.h"

#include "best.h"
#include "explore.h"
#include "rng.h"
#include "test.h"

static struct belief_settings settings(enum belief_model model)
{
    struct belief_settings s = BELIEF_DEFAULTS;

    s.model = model;
    return s;
}

/* Two cells that share a time of day, three variants of which neighbours share a slot; three pairs were never served. */
static const int context[] = {0, 5, 1, 5}, slots[] = {1, 7, 1, 8, 2, 8};
static const struct moments own[] = {{10, 3, 2.5}, {4, -1, 1}, {0, 0, 0}, {0, 0, 0}, {7, 2, 1.5}, {2, 1.5, 1.2}};
static const struct belief_data small = {
    .cells = 2, .variants = 3, .fields = 2, .slots = 2, .own = own, .context = context, .slot = slots};
static const struct belief_fit known = {.sd = {0.5, 0.08, 0.06, 0.05, 0.09, 0.04, 0.03, 0.02, 0.035, 0.025}, .calls = 23};

/* --- beta ------------------------------------------------------------------------------------------------------------------- */

TEST(unit_belief, beta_is_the_reference_posterior)
{
    struct arena arena = {0};
    struct moments one[] = {{1, 0.866667, 0.751112}, {0, 0, 0}};
    struct belief_data d = {.cells = 2, .variants = 1, .own = one};
    struct belief_settings s = settings(MODEL_BETA);
    struct belief *b = belief_compute(&s, &d, NULL, &arena);

    CHECK_NEAR(b[0].mean, (1.9333335 - 1.0666665) / 3, 1e-12);
    CHECK_NEAR(b[1].mean, (1.88889 - 1.06349) / (1.88889 + 1.06349), 5e-6);
    CHECK_NEAR(b[1].n_borrowed, 20.0 / 21, 1e-12);
    CHECK(b[2].mean == b[1].mean && b[2].sd == b[1].sd && b[2].n == 0);
    arena_done(&arena);
}

/* --- gaussian --------------------------------------------------------------------------------------------------------------- */

/* By hand: SS = 2.5 - .9, 1 - .25, 1.5 - 4/7, 1.2 - 1.125 and 19 degrees of freedom beside 5 prior calls of 0.25. */
TEST(unit_belief, gaussian_is_what_the_formula_says)
{
    struct arena arena = {0};
    struct belief_settings s = settings(MODEL_GAUSSIAN);
    s.prior_variance = 0.25;
    s.prior_mean = 0.1;
    double pooled = (1.25 + 1.6 + 0.75 + (1.5 - 4.0 / 7) + 0.075) / 24;
    struct belief *b = belief_compute(&s, &small, NULL, &arena);

    CHECK_NEAR(belief_variance(&s, &small), pooled, 1e-12);
    CHECK_NEAR(b[0].mean, (0.2 + 3) / 12, 1e-12);
    CHECK_NEAR(b[0].sd, sqrt((1.6 + 20.0 / 12 * 0.04 + 8 * pooled) / 18 / 12), 1e-12); /* 0.3 is 0.2 away from 0.1 */
    CHECK_NEAR(b[2].mean, 0.1, 1e-12);
    CHECK_NEAR(b[2].sd, sqrt(pooled / 2), 1e-12);
    CHECK(b[6].mean == b[2].mean && b[6].sd == b[2].sd && b[0].sd_apart == b[0].sd && b[0].n_borrowed == 0);
    arena_done(&arena);
}

TEST(unit_belief, a_million_equal_rewards_leave_a_small_but_positive_deviation)
{
    struct moments many[] = {{1e6, 1e6, 1e6}, {1e6, -1e6, 1e6}, {3, 3, 3}};
    struct belief_data d = {.cells = 1, .variants = 3, .own = many};

    for (enum belief_model m = MODEL_BETA; m <= MODEL_LINEAR; m++) {
        struct arena arena = {0};
        struct belief_settings s = settings(m);
        struct belief_fit fit = {0};
        belief_fit(&s, &d, &fit, &arena);
        struct belief *b = belief_compute(&s, &d, &fit, &arena);
        CHECK_NEAR(b[0].mean, 1, 1e-3);
        CHECK_NEAR(b[1].mean, -1, 1e-3);
        CHECK(b[0].sd > 0 && b[0].sd < 0.01 && b[0].sd_apart > 0 && b[2].mean > 0.2 && isfinite(b[5].mean) && b[5].sd > 0);
        arena_done(&arena);
    }
}

/* --- linear ----------------------------------------------------------------------------------------------------------------- */

/* Reference: the same model as a list of features, solved by the mixed-model equations (Henderson 1975) in another language.  Of
 * what is borrowed it knows no bound. */
TEST(unit_belief, linear_equals_the_mixed_model_equations)
{
    static const double expected[][4] = {
        {0.2500304466, 0.1104199174, 0.0676996526, 15.18269913}, {0.1297295735, 0.1248217424, 0.0892813093, 5.87635514},
        {0.2607322705, 0.1613803558, 0.1357729872, 0.00000000},  {0.3428979880, 0.1472454549, 0.1120240704, 1.17211513},
        {0.2585016592, 0.1171126363, 0.0677018311, 16.74384149}, {0.3788496339, 0.1533729163, 0.1199642439, 0.00000000},
        {0.2872676827, 0.1913235032, 0.0991857044, 5.38506747},  {0.2006739171, 0.1871688616, 0.0909137164, 9.09458430},
        {0.3069571023, 0.2067435239, 0.1263962253, 0.00000000},
    };
    struct arena arena = {0};
    struct belief_settings s = settings(MODEL_LINEAR);
    s.prior_variance = 0.25;
    s.prior_mean = 0.1;
    struct belief *b = belief_compute(&s, &small, &known, &arena);
    double total = 0;

    for (int i = 0; i < 6; i++)
        total += small.own[i].n;

    for (int i = 0; i < 9; i++) {
        CHECK_NEAR(b[i].mean, expected[i][0], 1e-8);
        CHECK_NEAR(b[i].sd, expected[i][1], 1e-8);
        CHECK_NEAR(b[i].sd_apart, expected[i][2], 1e-8);
        CHECK_NEAR(b[i].n_borrowed, fmin(expected[i][3], total - b[i].n), 1e-5);
    }
    arena_done(&arena);
}

TEST(unit_belief, nothing_learned_is_the_same_belief_of_everyone)
{
    struct moments none[6] = {{0}};
    struct belief_data d = small;
    d.own = none;
    d.slots = 0;
    for (enum belief_model m = MODEL_BETA; m <= MODEL_LINEAR; m++) {
        struct arena arena = {0};
        struct belief_settings s = settings(m);
        struct belief_fit fit = {0};
        belief_fit(&s, &d, &fit, &arena);
        struct belief *b = belief_compute(&s, &d, &fit, &arena);
        CHECK(fit.calls == 0);
        for (int i = 0; i < 9; i++)
            CHECK(b[i].mean == 0 && b[i].n == 0 && b[i].n_borrowed == 0 && fabs(b[i].sd - b[0].sd) < 1e-12 && b[i].sd > 0);
        arena_done(&arena);
    }
}

TEST(unit_belief, names_of_levels_and_values_do_not_matter)
{
    static const int other_context[] = {700, -1, 3, -1}, other_slots[] = {9, 1, 9, 0, 4, 0};
    struct arena arena = {0};
    struct belief_settings s = settings(MODEL_LINEAR);
    struct belief_data renamed = small;
    renamed.context = other_context;
    renamed.slot = other_slots;
    struct belief *a = belief_compute(&s, &small, &known, &arena), *b = belief_compute(&s, &renamed, &known, &arena);

    for (int i = 0; i < 9; i++)
        CHECK(a[i].mean == b[i].mean && a[i].sd == b[i].sd && a[i].sd_apart == b[i].sd_apart);
    arena_done(&arena);
}

/* Rewards halved: means and deviations halve, because the hyperprior is measured in deviations of single rewards. */
TEST(unit_belief, linear_does_not_know_the_unit_of_rewards)
{
    struct arena arena = {0};
    struct belief_settings s = settings(MODEL_LINEAR), half = s;
    struct moments halved[6];
    struct belief_data d = small;
    struct belief_fit fit = {0}, half_fit = {0};

    for (int i = 0; i < 6; i++)
        halved[i] = (struct moments){own[i].n, own[i].sum / 2, own[i].sum_sq / 4};
    d.own = halved;
    half.prior_variance /= 4;
    belief_fit(&s, &small, &fit, &arena);
    belief_fit(&half, &d, &half_fit, &arena);
    struct belief *a = belief_compute(&s, &small, &fit, &arena), *b = belief_compute(&half, &d, &half_fit, &arena);
    for (int i = 0; i < 9; i++) {
        CHECK_NEAR(b[i].mean, a[i].mean / 2, 1e-6);
        CHECK_NEAR(b[i].sd, a[i].sd / 2, 1e-6);
    }
    arena_done(&arena);
}

TEST(unit_belief, a_variant_nobody_heard_takes_after_those_that_share_its_manner)
{
    static const int manner[] = {1, 1, 2, 2};
    struct arena arena = {0};
    struct moments cells[4] = {{300, 150, 120}, {0, 0, 0}, {300, -90, 80}, {0, 0, 0}};
    struct belief_data d = {.cells = 1, .variants = 4, .slots = 1, .own = cells, .slot = manner};
    struct belief_settings s = settings(MODEL_LINEAR);
    struct belief *b = belief_compute(&s, &d, NULL, &arena);

    CHECK(b[1].mean > b[3].mean + 0.02);
    CHECK(b[1].sd < b[3].sd + 1e-9 && b[1].sd > b[0].sd);
    arena_done(&arena);
}

/* By the mean over both cells, each half: mean and variance are linear in what the cells say together. */
TEST(unit_belief, overall_is_the_mean_over_the_cells_and_surer_than_one_of_them)
{
    static const double half[] = {3, 3};

    for (enum belief_model m = MODEL_BETA; m <= MODEL_LINEAR; m++) {
        struct arena arena = {0};
        struct belief_settings s = settings(m);
        struct belief_data d = small;
        d.traffic = half;
        struct belief *b = belief_compute(&s, &d, &known, &arena), *overall = b + 9;
        for (int v = 0; v < 3; v++) {
            CHECK_NEAR(overall[v].mean, (b[v].mean + b[3 + v].mean) / 2, 1e-12);
            CHECK(overall[v].sd < fmax(b[v].sd, b[3 + v].sd) &&
                  overall[v].sd >= sqrt(b[v].sd * b[v].sd + b[3 + v].sd * b[3 + v].sd) / 2 - 1e-12);
            CHECK_NEAR(overall[v].n, own[v].n + own[3 + v].n, 0);
        }
        d.traffic = (const double[]){0, 1};
        b = belief_compute(&s, &d, &known, &arena);
        for (int v = 0; v < 3; v++) {
            CHECK_NEAR(b[9 + v].mean, b[3 + v].mean, 1e-12);
            CHECK_NEAR(b[9 + v].sd, b[3 + v].sd, 1e-9);
            CHECK_NEAR(b[9 + v].sd_apart, b[3 + v].sd_apart, 1e-9);
        }
        arena_done(&arena);
    }
}

/* --- group variances -------------------------------------------------------------------------------------------------------- */

enum { CELLS = 20, VARIANTS = 12, EACH = 300 };

/* A world with known deviations: context 0.08, variant 0.15, variant in its profile 0.06, nothing else. */
static struct belief_data world(struct moments *cells, int *levels)
{
    struct rng rng = rng_seed(3);
    double profile[5], variant[VARIANTS], both[5][VARIANTS];

    for (int p = 0; p < 5; p++) {
        profile[p] = 0.08 * rng_normal(&rng);
        for (int v = 0; v < VARIANTS; v++)
            both[p][v] = 0.06 * rng_normal(&rng);
    }
    for (int v = 0; v < VARIANTS; v++)
        variant[v] = 0.15 * rng_normal(&rng);
    for (int c = 0; c < CELLS; c++) {
        levels[2 * c] = c / 4;
        levels[2 * c + 1] = c % 4;
        for (int v = 0; v < VARIANTS; v++) {
            double mean = profile[c / 4] + variant[v] + both[c / 4][v] + 0.4 / sqrt(EACH) * rng_normal(&rng);
            cells[c * VARIANTS + v] = (struct moments){EACH, EACH * mean, EACH * (mean * mean + 0.16)};
        }
    }
    return (struct belief_data){.cells = CELLS, .variants = VARIANTS, .fields = 2, .own = cells, .context = levels};
}

TEST(unit_belief, group_deviations_are_found_from_the_data)
{
    struct arena arena = {0};
    struct moments *cells = arena_alloc(&arena, CELLS * VARIANTS * sizeof *cells);
    int *levels = arena_alloc(&arena, 2 * CELLS * sizeof *levels);
    struct belief_data d = world(cells, levels);
    struct belief_settings s = settings(MODEL_LINEAR);
    struct belief_fit fit = {0};

    belief_fit(&s, &d, &fit, &arena);
    CHECK(fit.calls == CELLS * VARIANTS * EACH);
    CHECK_NEAR(fit.sd[4], 0.15, 0.06);            /* variant */
    CHECK_NEAR(fit.sd[6], 0.06, 0.02);            /* variant x profile */
    CHECK(fit.sd[7] < 0.025 && fit.sd[8] < 0.02); /* variant x time of day, variant x cell: there is nothing */
    struct belief_fit again = fit;
    belief_fit(&s, &d, &again, &arena);
    for (int g = 0; g < 10; g++)
        CHECK_NEAR(again.sd[g], fit.sd[g], 0.05 * fit.sd[g]);
    arena_done(&arena);
}

TEST(unit_belief, beliefs_are_calibrated_when_the_world_is_as_modelled)
{
    struct arena arena = {0};
    struct moments *cells = arena_alloc(&arena, CELLS * VARIANTS * sizeof *cells), *few;
    int *levels = arena_alloc(&arena, 2 * CELLS * sizeof *levels), covered = 0;
    struct belief_data d = world(cells, levels), d_few = d;
    struct belief_settings s = settings(MODEL_LINEAR);
    struct belief_fit fit = {0};
    struct rng rng = rng_seed(8);

    few = arena_alloc(&arena, CELLS * VARIANTS * sizeof *few);
    for (int i = 0; i < CELLS * VARIANTS; i++) { /* eight calls of each, about the means above */
        double mean = cells[i].sum / EACH + 0.4 / sqrt(8) * rng_normal(&rng);
        few[i] = (struct moments){8, 8 * mean, 8 * (mean * mean + 0.14)};
    }
    d_few.own = few;
    belief_fit(&s, &d_few, &fit, &arena);
    struct belief *b = belief_compute(&s, &d_few, &fit, &arena);
    for (int i = 0; i < CELLS * VARIANTS; i++)
        covered += fabs(b[i].mean - cells[i].sum / EACH) < 1.96 * b[i].sd;
    CHECK(covered > 0.9 * CELLS * VARIANTS);
    CHECK(b[7].n_borrowed > 10);
    arena_done(&arena);
}

/* A variant that got nearly all calls is so much better known than the others that what is uncertain about it is nearly all
 * common to them; a fiftieth is left to it, worth more calls than there are. */
TEST(unit_belief, no_more_is_borrowed_than_others_were_told)
{
    struct arena arena = {0};
    struct moments *cells = arena_alloc(&arena, CELLS * VARIANTS * sizeof *cells);
    int *levels = arena_alloc(&arena, 2 * CELLS * sizeof *levels);
    struct belief_data d = world(cells, levels);
    struct belief_settings s = settings(MODEL_LINEAR);
    double total = 0, most = 0;

    for (int i = 0; i < CELLS * VARIANTS; i++) {
        double share = (i % VARIANTS == 3 ? 150 : 1.0) / EACH;
        cells[i] = (struct moments){EACH * share, cells[i].sum * share, cells[i].sum_sq * share};
        total += cells[i].n;
    }
    struct belief *b = belief_compute(&s, &d, NULL, &arena);
    for (int i = 0; i < (CELLS + 2) * VARIANTS; i++) {
        CHECK(b[i].n + b[i].n_borrowed <= total * (1 + 1e-9));
        most = fmax(most, b[i].n_borrowed / total);
    }
    CHECK(most > 0.5);
    arena_done(&arena);
}

TEST(unit_belief, a_fit_is_due_often_at_first_and_seldom_later)
{
    CHECK(!belief_fit_due(&(struct belief_fit){0}, 11) && belief_fit_due(&(struct belief_fit){0}, 12));
    CHECK(!belief_fit_due(&(struct belief_fit){.calls = 100}, 124) && belief_fit_due(&(struct belief_fit){.calls = 100}, 125));
    CHECK(!belief_fit_due(&(struct belief_fit){.calls = 4000}, 4249) &&
          belief_fit_due(&(struct belief_fit){.calls = 4000}, 4250));
    CHECK(!belief_fit_due(&(struct belief_fit){.calls = 1e6}, 1.04e6) &&
          belief_fit_due(&(struct belief_fit){.calls = 1e6}, 1.06e6));
}

/* statistics.md 3: marginals less the mean covariance are within 4.8e-2 of the joint posterior. */
TEST(unit_belief, marginals_less_the_mean_covariance_choose_nearly_as_the_joint_posterior_does)
{
    struct arena arena = {0};
    struct moments *cells = arena_alloc(&arena, CELLS * VARIANTS * sizeof *cells);
    int *levels = arena_alloc(&arena, 2 * CELLS * sizeof *levels);
    struct belief_data d = world(cells, levels);
    struct belief_settings s = settings(MODEL_LINEAR);

    for (int i = 0; i < CELLS * VARIANTS; i++) { /* unequal counts: 2 .. 41 */
        double n = 2 + i * 7 % 40, mean = cells[i].sum / EACH;
        cells[i] = (struct moments){n, n * mean, n * (mean * mean + 0.16)};
    }
    for (size_t c = 0; c <= CELLS; c += 5) {
        double mean[VARIANTS], apart[VARIANTS], joint[VARIANTS];
        const struct belief *b = belief_compute(&s, &d, NULL, &arena) + c * VARIANTS;
        const double *cov = belief_covariance(&s, &d, NULL, c, &arena);
        for (int v = 0; v < VARIANTS; v++) {
            mean[v] = b[v].mean;
            CHECK_NEAR(cov[v * VARIANTS + v], b[v].sd * b[v].sd, 1e-12);
        }
        best_joint(mean, cov, VARIANTS, 8192, joint);
        explore_best(MODEL_LINEAR, b, VARIANTS, apart);
        for (int v = 0; v < VARIANTS; v++)
            CHECK_NEAR(apart[v], joint[v], 0.05);
    }
    arena_done(&arena);
}

/* --- too many pairs: the hierarchy ------------------------------------------------------------------------------------------ */

/* 30 cells x 20 variants is beyond BELIEF_PAIRS; without slots and fields but one, both models mean nearly the same. */
TEST(unit_belief, the_hierarchy_says_nearly_what_the_dense_model_says)
{
    enum { MANY = 30, WIDE = 20, HALF = 25 };
    struct arena arena = {0};
    struct moments *cells = arena_alloc(&arena, MANY * WIDE * sizeof *cells);
    int *levels = arena_alloc(&arena, MANY * sizeof *levels);
    struct rng rng = rng_seed(5);
    double variant[WIDE], worst = 0;

    for (int v = 0; v < WIDE; v++)
        variant[v] = 0.1 * rng_normal(&rng);
    for (int c = 0; c < MANY; c++) {
        double level = 0.1 * rng_normal(&rng);
        levels[c] = c / 5;
        for (int v = 0; v < WIDE; v++) {
            double mean = level + variant[v] + 0.4 / sqrt(40) * rng_normal(&rng);
            cells[c * WIDE + v] = (struct moments){40, 40 * mean, 40 * (mean * mean + 0.16)};
        }
    }
    struct belief_data all = {.cells = MANY, .variants = WIDE, .fields = 1, .own = cells, .context = levels}, part = all;
    struct belief_settings s = settings(MODEL_LINEAR);
    part.cells = HALF; /* 500 pairs */
    struct belief *tree = belief_compute(&s, &all, NULL, &arena), *dense = belief_compute(&s, &part, NULL, &arena);
    for (int i = 0; i < HALF * WIDE; i++) {
        worst = fmax(worst, fabs(tree[i].mean - dense[i].mean));
        CHECK(tree[i].sd_apart > 0.5 * dense[i].sd_apart && tree[i].sd_apart < 1.5 * dense[i].sd_apart);
    }
    CHECK(worst < 0.03);
    CHECK(tree[MANY * WIDE].n == 0 && tree[MANY * WIDE].sd > tree[0].sd);
    arena_done(&arena);
}
