/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - the table as models see it: levels of cells and values of slots, forgetting, and a version that names all settings.
 */
#include "model.h"

#include "fit_store.h"
#include "open_ledger.h"
#include "test.h"

static const struct variant_slot calm[] = {{"tone", "calm"}, {"length", "short"}},
                                 brisk[] = {{"tone", "brisk"}, {"length", "short"}},
                                 warm[] = {{"tone", "calm"}, {"length", "long"}};
static const struct variant three[] = {{.id = "v1a", .slots = calm, .slot_count = 2},
                                       {.id = "v1b", .slots = brisk, .slot_count = 2},
                                       {.id = "v2a", .slots = warm, .slot_count = 2}};
static const struct variants variants = {
    .items = three, .count = 3, .initial_alpha = 1, .initial_beta = 1, .min_pulls_for_confidence = 10, .exploration_rate = 0.1};

static struct model model_new(void)
{
    struct model m = {.belief = BELIEF_DEFAULTS, .explore = EXPLORE_DEFAULTS, .reward_version = "v1"};

    model_complete(&m, &variants);
    return m;
}

static struct stats calls(int64_t n, double mean)
{
    return (struct stats){.n = n, .reward = n * reward_to_micro(mean), .reward_sq = n * reward_to_micro(mean * mean + 0.2)};
}

TEST(unit_model, strength_crosses_cells_that_share_a_profile_more_than_those_that_do_not)
{
    static const char *cells[] = {"it/morning", "it/night", "kfz/evening", "kfz/noon", "sales/dawn"};
    struct stats own[15] = {{0}}, all[3];
    struct arena arena = {0};
    struct model m = model_new();
    struct belief_fit fit = {.sd = {0.2, 0.05, 0.05, 0.05, 0.02, 0.02, 0.15, 0.02, 0.02, 0.02}, .calls = 1};
    struct grid grid = {.cell_count = 5, .variant_count = 3, .cells = cells, .own = own, .all = all};

    own[0] = calls(200, 0.1);
    own[1] = calls(200, 0.5);
    own[2] = calls(200, 0.1);
    memcpy(all, own, sizeof all);
    struct estimates e = estimate(&m, &grid, &fit, &arena);
    const struct belief *same = e.cells[1].beliefs, *other = e.cells[2].beliefs, *unseen = e.cells[5].beliefs;
    CHECK(same[1].mean - same[0].mean > 3 * (other[1].mean - other[0].mean));
    CHECK(same[1].n_borrowed > other[1].n_borrowed && same[1].n == 0);
    CHECK(e.cells[1].w[1] > e.cells[2].w[1] && e.cells[2].w[1] >= e.cells[5].w[1] - 1e-9);
    CHECK(unseen[1].mean > unseen[0].mean);
    CHECK_STR(e.cells[5].cell, "*");
    arena_done(&arena);
}

TEST(unit_model, the_policy_version_names_every_setting_and_the_fit)
{
    struct arena arena = {0};
    struct model m = model_new();
    struct belief_fit fit = {.sd = {0.1}, .calls = 5};
    const char *base = policy_version(&m, 0, 7, 7200, &arena);
    double *const numbers[] = {&m.belief.beta.shrinkage, &m.explore.sharpness, &m.explore.widening, &m.explore.caution,
                               &m.explore.runner_up,     &m.half_life_days,    &m.change_delta};

    CHECK(strncmp(base, "v1-7-2-", 7) == 0 && strlen(base) == 15);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double before = *numbers[i];
        *numbers[i] = before > 0 ? before / 2 : 0.1;
        model_complete(&m, &variants);
        CHECK(strcmp(policy_version(&m, 0, 7, 7200, &arena), base) != 0);
        *numbers[i] = before;
    }
    m.explore.strategy = STRATEGY_TOP_TWO;
    model_complete(&m, &variants);
    CHECK(strcmp(policy_version(&m, 0, 7, 7200, &arena), base) != 0);
    m.explore.strategy = STRATEGY_THOMPSON;
    model_complete(&m, &variants);
    CHECK_STR(policy_version(&m, 0, 7, 7200, &arena), base);
    CHECK(strcmp(policy_version(&m, facts_hash(&fit, &(struct restarts){0}), 7, 7200, &arena), base) != 0);
    arena_done(&arena);
}

static void learn(struct ledger *ledger, int number, int64_t ts, double reward)
{
    struct call c = {.day = ts / 86400,
                     .revision = 1,
                     .ts = ts,
                     .version = "v1",
                     .cell = "it/night",
                     .variant = "v1b",
                     .p_nano = -1,
                     .signals = signals_pack(&SIGNALS_NONE),
                     .reward = reward_to_micro(reward)};

    memcpy(c.key, &number, sizeof number);
    learn_call(ledger, &c, ts);
}

TEST(unit_model, a_call_of_one_half_life_counts_half)
{
    enum { HOUR = 3600, NOW = 489943 };
    struct arena arena = {0};
    struct store *store;
    struct ledger *ledger;

    open_ledger("file:/forget?vfs=memdb", &store, &ledger);
    CHECK_INT(store_begin(store), STATUS_OK);
    learn(ledger, 1, (int64_t)NOW * HOUR, 0.5);
    learn(ledger, 2, (int64_t)(NOW - 48) * HOUR, -1);
    CHECK_INT(ledger_flush(ledger), STATUS_OK);
    CHECK_INT(store_commit(store), STATUS_OK);
    struct grid grid = ledger_grid(ledger, "v1", &variants, &arena);
    CHECK(grid.moments == NULL);
    ledger_forget(ledger, &(struct forgetting){.half_life = 48, .now = NOW}, &grid, &arena);
    CHECK_NEAR(grid.moments[1].n, 1.5, 1e-12);
    CHECK_NEAR(grid.moments[1].sum, 0.5 - 0.5, 1e-9);
    CHECK_NEAR(grid.moments[1].sum_sq, 0.25 + 0.5, 1e-9);
    CHECK(grid.moments[0].n == 0);
    CHECK_INT(grid.own[1].n, 2);
    ledger_forget(ledger, &(struct forgetting){.half_life = 48, .now = NOW + 48}, &grid, &arena);
    CHECK_NEAR(grid.moments[1].n, 0.75, 1e-12);
    ledger_forget(ledger, &(struct forgetting){.now = NOW, .from = (const int64_t[]){0, NOW - 47, 0}}, &grid, &arena);
    CHECK_NEAR(grid.moments[1].n, 1, 0);
    ledger_free(ledger);
    store_close(store);
    arena_done(&arena);
}

TEST(unit_model, a_stored_fit_holds_for_the_settings_it_was_made_under)
{
    struct reason reason = {0};
    struct belief_fit fit = {.sd = {0.1, 0.2, 0.3}, .calls = 250.5}, read;
    struct store *store;

    CHECK_INT(store_open("file:/fit?vfs=memdb", ledger_migrations, LEDGER_MIGRATIONS, &store, &reason), STATUS_OK);
    CHECK_INT(fit_load(store, 9, &read), STATUS_OK);
    CHECK(read.calls == 0);
    for (int i = 0; i < 2; i++) {
        fit.calls += i;
        CHECK_INT(store_begin(store), STATUS_OK);
        CHECK_INT(fit_save(store, 0xfffffff9U, &fit), STATUS_OK);
        CHECK_INT(store_commit(store), STATUS_OK);
        CHECK_INT(fit_load(store, 0xfffffff9U, &read), STATUS_OK);
        CHECK(read.calls == fit.calls && memcmp(read.sd, fit.sd, sizeof fit.sd) == 0);
    }
    CHECK_INT(fit_load(store, 9, &read), STATUS_OK);
    CHECK(read.calls == 0);
    store_close(store);
}

TEST(unit_model, a_fit_is_made_only_when_due_and_only_by_linear)
{
    static const char *cells[] = {"it/night"};
    struct stats own[] = {calls(3, 0.1), calls(5, 0.5), calls(5, -0.2)};
    struct arena arena = {0};
    struct model m = model_new();
    struct belief_fit fit = {.calls = 0};
    struct grid grid = {.cell_count = 1, .variant_count = 3, .cells = cells, .own = own, .all = own};

    m.belief.model = MODEL_GAUSSIAN;
    CHECK(!model_fit(&m, &grid, &fit, &arena) && fit.calls == 0);
    m.belief.model = MODEL_LINEAR;
    CHECK(model_fit(&m, &grid, &fit, &arena) && fit.calls == 13);
    CHECK(!model_fit(&m, &grid, &fit, &arena));
    arena_done(&arena);
}
