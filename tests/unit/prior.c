/* SPDX-License-Identifier: Apache-2.0 */
/* prior.c - imaginary calls: how many they are worth, what they do to beliefs, what they never do, and when they go. */
#include "prior.h"

#include "model.h"
#include "test.h"

enum { HOUR = 3600 };

static const struct variant_slot calm[] = {{"tone", "calm"}}, brisk[] = {{"tone", "brisk"}};
static const struct variant two[] = {{.id = "v1a", .slots = calm, .slot_count = 1},
                                     {.id = "v1b", .slots = brisk, .slot_count = 1}};
static const struct variants variants = {.items = two, .count = 2, .initial_alpha = 1, .initial_beta = 1,
                                         .min_pulls_for_confidence = 10};
static const char *const words[] = {"it", "kfz", NULL};
static const struct config_list profiles = {words, 2};
static const struct prior_settings twenty = {.variants = &variants, .profiles = &profiles, .strength = 20};

static struct grid no_calls(void) { return (struct grid){.version = "v1", .variants = &variants, .variant_count = 2}; }

static struct prior prior_of(struct arena *arena, const struct prior_settings *s, const struct prior_row *rows, size_t count)
{
    return prior_new(&(struct prior_file){.rows = rows, .count = count, .reward_version = ""}, s, arena);
}

static size_t cell_of(const struct grid *g, const char *name)
{
    size_t c = 0;

    while (c < g->cell_count && strcmp(g->cells[c], name) != 0)
        c++;
    CHECK(c < g->cell_count);
    return c;
}

TEST(unit_prior, no_variant_is_worth_more_than_the_effective_sample_size)
{
    static const struct prior_row rows[] = {{.variant = "v1a", .cell = "", .mean = 0.5, .spread = 0.5, .calls = 3000},
                                            {.variant = "v1b", .cell = "", .mean = 0.1, .spread = 0.5, .calls = 12},
                                            {.variant = "v1a", .cell = "it/night", .mean = -0.5, .spread = 0.5, .calls = 1000},
                                            {.variant = "v9z", .cell = "", .mean = 0, .spread = 0.5, .calls = 5}};
    struct arena arena = {0};
    struct prior p = prior_of(&arena, &twenty, rows, 4);

    CHECK_INT(p.cell_count, 8); /* two profiles at four times */
    CHECK_NEAR(prior_calls(&p, &variants, 0), 20, 1e-9);
    CHECK_NEAR(prior_calls(&p, &variants, 1), 12, 1e-9);
    struct grid g = no_calls(), joined = prior_join(&p, &g, &(struct prior_age){0}, &arena);
    size_t night = cell_of(&joined, "it/night") * 2, other = cell_of(&joined, "kfz/night") * 2;
    CHECK_NEAR(joined.prior[other], 15.0 / 8, 1e-6); /* three in four of its calls, over eight contexts */
    CHECK_NEAR(joined.prior[night], 15.0 / 8 + 5, 1e-6);
    CHECK_NEAR(joined.moments[night].sum, 0.5 * 15 / 8 - 0.5 * 5, 1e-6);
    arena_done(&arena);
}

TEST(unit_prior, a_beta_posterior_is_the_reference_prior_and_the_imaginary_calls)
{
    static const struct prior_row row = {.variant = "v1b", .cell = "it/night", .mean = 0.4, .spread = 0.5, .calls = 10};
    static const char *cells[] = {"it/night"};
    struct stats own[] = {{0}, {.n = 4, .reward = -2 * REWARD_SCALE, .reward_sq = 2 * REWARD_SCALE}};
    struct arena arena = {0};
    struct prior p = prior_of(&arena, &twenty, &row, 1);
    struct grid g = {.version = "v1", .variants = &variants, .variant_count = 2, .cell_count = 1, .cells = cells, .own = own,
                     .all = own};
    struct grid joined = prior_join(&p, &g, &(struct prior_age){0}, &arena);
    struct beta_prior reference = {1, 1, 20};
    struct beta_posterior b = posterior_beta_moments(&reference, &joined.moments[1], &joined.moments[1]);

    CHECK_NEAR(b.alpha, 1 + 10 * 0.7 + (4 - 2) / 2.0, 1e-6);
    CHECK_NEAR(b.beta, 1 + 10 * 0.3 + (4 + 2) / 2.0, 1e-6);
    CHECK_INT(joined.own[1].n, 4); /* real calls are what they were */
    CHECK_INT(joined.all[1].n, 4);
    CHECK_STR(joined.cells[0], "it/night");
    CHECK_INT(joined.cell_count, 8);
    arena_done(&arena);
}

TEST(unit_prior, a_fraction_of_a_call_in_each_context_says_nothing_of_the_variance)
{
    static const struct prior_row rows[] = {{.variant = "v1a", .cell = "", .mean = 0.3, .spread = 0.9, .calls = 6},
                                            {.variant = "v1b", .cell = "kfz/night", .mean = 0.3, .spread = 0.4, .calls = 11}};
    struct arena arena = {0};
    struct prior p = prior_of(&arena, &twenty, rows, 2);
    struct grid g = no_calls(), joined = prior_join(&p, &g, &(struct prior_age){0}, &arena);
    const struct moments *m = &joined.moments[cell_of(&joined, "kfz/night") * 2];

    CHECK_NEAR(m[0].sum_sq - m[0].sum * m[0].sum / m[0].n, 0, 1e-5);
    CHECK_NEAR(m[1].sum_sq - m[1].sum * m[1].sum / m[1].n, 10 * 0.16, 1e-5);
    arena_done(&arena);
}

TEST(unit_prior, before_the_first_call_every_model_prefers_what_the_prior_prefers)
{
    static const struct prior_row rows[] = {{.variant = "v1a", .cell = "", .mean = -0.3, .spread = 0.5, .calls = 100},
                                            {.variant = "v1b", .cell = "", .mean = 0.5, .spread = 0.5, .calls = 100}};

    for (int i = MODEL_BETA; i <= MODEL_LINEAR; i++) {
        struct arena arena = {0};
        struct prior p = prior_of(&arena, &twenty, rows, 2);
        struct model m = {.belief = BELIEF_DEFAULTS, .explore = EXPLORE_DEFAULTS, .reward_version = "v1", .prior = &p};
        struct belief_fit fit = {.calls = 0};
        m.belief.model = (enum belief_model)i;
        model_complete(&m, &variants);
        struct grid g = no_calls(), joined = prior_join(m.prior, &g, &(struct prior_age){0}, &arena);
        struct estimates e = estimate(&m, &joined, &fit, &arena);
        CHECK_INT(e.count, 9);
        for (size_t c = 0; c + 1 < e.count; c++) {
            CHECK(e.cells[c].w[1] > 0.7);
            CHECK_INT(e.cells[c].n, 0);
        }
        CHECK(e.exploration_rate < 0.3);
        arena_done(&arena);
    }
}

TEST(unit_prior, a_restart_drops_the_prior_of_what_it_touches_unless_it_is_younger)
{
    static const struct prior_row rows[] = {{.variant = "v1a", .cell = "", .mean = 0.1, .spread = 0.5, .calls = 8},
                                            {.variant = "v1b", .cell = "", .mean = 0.2, .spread = 0.5, .calls = 8}};
    struct restart of_variant = {.level = DETECT_VARIANT, .variant = "v1b", .from = 500000};
    struct restarts restarts = {.items = &of_variant, .count = 1};
    struct prior_age age = {.restarts = &restarts};
    struct arena arena = {0};
    struct prior p = prior_of(&arena, &twenty, rows, 2);
    struct grid g = no_calls(), joined = prior_join(&p, &g, &age, &arena);

    for (size_t c = 0; c < joined.cell_count; c++) {
        CHECK_NEAR(joined.prior[c * 2], 1, 0);
        CHECK_NEAR(joined.prior[c * 2 + 1], 0, 0);
        CHECK_NEAR(joined.moments[c * 2 + 1].n, 0, 0);
    }
    of_variant = (struct restart){.level = DETECT_ARM, .cell = "kfz/night", .variant = "v1a", .from = 500000};
    joined = prior_join(&p, &g, &age, &arena);
    CHECK_NEAR(joined.prior[cell_of(&joined, "kfz/night") * 2], 0, 0);
    CHECK_NEAR(joined.prior[cell_of(&joined, "it/night") * 2], 1, 0);
    p.as_of = (int64_t)500001 * HOUR;
    joined = prior_join(&p, &g, &age, &arena);
    CHECK_NEAR(joined.prior[cell_of(&joined, "kfz/night") * 2], 1, 0);
    arena_done(&arena);
}

TEST(unit_prior, a_prior_ages_as_calls_do_when_it_is_known_from_when_it_is)
{
    static const struct prior_row row = {.variant = "v1a", .cell = "it/night", .mean = 0.1, .spread = 0.5, .calls = 8};
    struct prior_age age = {.half_life = 24, .now = 500048};
    struct arena arena = {0};
    struct prior p = prior_of(&arena, &twenty, &row, 1);
    struct grid g = no_calls(), joined = prior_join(&p, &g, &age, &arena);

    CHECK_NEAR(joined.prior[cell_of(&joined, "it/night") * 2], 8, 0);
    p.as_of = (int64_t)500000 * HOUR;
    joined = prior_join(&p, &g, &age, &arena);
    CHECK_NEAR(joined.prior[cell_of(&joined, "it/night") * 2], 2, 1e-9);
    CHECK_NEAR(joined.moments[cell_of(&joined, "it/night") * 2].sum, 0.2, 1e-9);
    arena_done(&arena);
}

TEST(unit_prior, a_prior_of_one_reward_version_is_none_of_another)
{
    static const struct prior_row row = {.variant = "v1a", .cell = "", .mean = 0.1, .spread = 0.5, .calls = 8};
    struct arena arena = {0};
    struct prior p = prior_of(&arena, &twenty, &row, 1);
    struct grid g = no_calls();

    p.reward_version = "v2";
    CHECK_INT(prior_join(&p, &g, &(struct prior_age){0}, &arena).cell_count, 0);
    p.reward_version = "v1";
    CHECK_INT(prior_join(&p, &g, &(struct prior_age){0}, &arena).cell_count, 8);
    CHECK_INT(prior_join(NULL, &g, &(struct prior_age){0}, &arena).cell_count, 0);
    arena_done(&arena);
}

TEST(unit_prior, the_policy_version_names_the_prior)
{
    static const struct prior_row row = {.variant = "v1a", .cell = "", .mean = 0.1, .spread = 0.5, .calls = 8},
                                  other = {.variant = "v1a", .cell = "", .mean = 0.11, .spread = 0.5, .calls = 8};
    struct arena arena = {0};
    struct prior p = prior_of(&arena, &twenty, &row, 1), same = prior_of(&arena, &twenty, &row, 1),
                 changed = prior_of(&arena, &twenty, &other, 1);
    const struct prior *priors[] = {NULL, &p, &same, &changed};
    uint32_t hashes[4];

    for (size_t i = 0; i < 4; i++) {
        struct model m = {.belief = BELIEF_DEFAULTS, .explore = EXPLORE_DEFAULTS, .reward_version = "v1", .prior = priors[i]};
        model_complete(&m, &variants);
        hashes[i] = m.hash;
    }
    CHECK(hashes[0] != hashes[1] && hashes[1] == hashes[2] && hashes[1] != hashes[3]);
    same.as_of = 7;
    struct model m = {.belief = BELIEF_DEFAULTS, .explore = EXPLORE_DEFAULTS, .reward_version = "v1", .prior = &same};
    model_complete(&m, &variants);
    CHECK(m.hash != hashes[1]);
    arena_done(&arena);
}
