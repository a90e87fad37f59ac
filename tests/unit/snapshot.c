/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - tests of what is said of the sums: the published numbers, and that probabilities are probabilities. */
#include "snapshot.h"

#include "codec.h"
#include "open_ledger.h"
#include "test.h"

enum { NOW = 1763800000 };

static const struct variant three[] = {{.id = "v1a"}, {.id = "v1b"}, {.id = "v2a"}};
static const struct variants variants = {.items = three, .count = 3, .initial_alpha = 1, .initial_beta = 1,
                                         .min_pulls_for_confidence = 10};

struct fixture {
    struct arena arena;
    struct store *store;
    struct ledger *ledger;
    struct model model;
    struct belief_fit fit;
};

static struct fixture fixture(const char *path)
{
    struct fixture f = {.model = {.belief.beta.shrinkage = 20, .explore = EXPLORE_DEFAULTS, .reward_version = "v1"}};

    model_complete(&f.model, &variants);
    open_ledger(path, &f.store, &f.ledger);
    return f;
}

static void done(struct fixture *f)
{
    ledger_free(f->ledger);
    store_close(f->store);
    arena_done(&f->arena);
}

static void learn(struct fixture *f, int number, const char *cell, const char *variant, double reward)
{
    struct call c = {.day = NOW / 86400, .revision = 1, .ts = NOW, .version = "v1", .cell = cell, .variant = variant,
                     .p_nano = -1, .signals = signals_pack(&SIGNALS_NONE), .reward = reward_to_micro(reward)};

    memcpy(c.key, &number, sizeof number);
    CHECK_INT(store_begin(f->store), STATUS_OK);
    learn_call(f->ledger, &c, NOW);
    CHECK_INT(ledger_flush(f->ledger), STATUS_OK);
    CHECK_INT(store_commit(f->store), STATUS_OK);
}

static struct estimates estimates(struct fixture *f)
{
    struct grid grid = ledger_grid(f->ledger, "v1", &variants, &f->arena);

    return estimate(&f->model, &grid, &f->fit, &f->arena);
}

static BanditUpdated *message(struct fixture *f)
{
    struct estimates e = estimates(f);
    BanditUpdated *m = codec_new(&f->arena, &tom__rl__v1__bandit_updated__descriptor);

    snapshot_message(&e, (wall_time){NOW * INT64_C(1000000)}, &f->arena, m);
    m->policy_version = (char *)policy_version(&f->model, 0, ledger_changes(f->ledger), NOW, &f->arena);
    return m;
}

static BanditStatsReply *ask(struct fixture *f, const char *profile, const char *time_of_day, bool report)
{
    struct estimates e = estimates(f);
    BanditStatsRequest *q = codec_new(&f->arena, &tom__rl__v1__bandit_stats_request__descriptor);
    BanditStatsReply *m = codec_new(&f->arena, &tom__rl__v1__bandit_stats_reply__descriptor);

    q->profile = (char *)profile;
    q->time_of_day = (char *)time_of_day;
    q->report = report;
    snapshot_stats(&e, q, &f->arena, m);
    return m;
}

static BanditStatsReply *stats(struct fixture *f, const char *profile, const char *time_of_day)
{
    return ask(f, profile, time_of_day, false);
}

TEST(unit_snapshot, one_call_moves_its_cell_and_lends_to_the_others)
{
    struct fixture f = fixture("file:/one?vfs=memdb");

    learn(&f, 1, "kfz/morning", "v1a", 0.866667);
    BanditStatsReply *own = stats(&f, "kfz", "morning"), *other = stats(&f, "it", "night");
    CHECK_STR(own->cell, "kfz/morning");
    CHECK_STR(own->variants[0]->key, "v1a");
    CHECK_INT(own->variants[0]->value->pulls, 1);
    CHECK_NEAR(own->variants[0]->value->alpha, 1.93333, 5e-6);
    CHECK_NEAR(own->variants[0]->value->beta, 1.06667, 5e-6);
    CHECK_NEAR(own->variants[0]->value->mean_reward, 0.866667, 1e-12);
    CHECK_INT(other->variants[0]->value->pulls, 0);
    CHECK_NEAR(other->variants[0]->value->alpha, 1, 0);
    CHECK_NEAR(other->variants[0]->value->alpha_shared, 1.8889, 5e-5);
    CHECK_NEAR(other->variants[0]->value->beta_shared, 1.0635, 5e-5);
    CHECK(own->variants[0]->value->interval[0] < own->variants[0]->value->interval[1]);
    done(&f);
}

TEST(unit_snapshot, nothing_learned_is_one_cell_with_equal_chances)
{
    struct fixture f = fixture("file:/none?vfs=memdb");
    BanditUpdated *m = message(&f);

    CHECK_INT(m->n_cells, 1);
    CHECK_STR(m->cells[0]->cell, "*");
    for (size_t v = 0; v < 3; v++)
        CHECK_NEAR(m->cells[0]->variants[v]->w, 1.0 / 3, 1e-9);
    CHECK_NEAR(m->exploration_rate, 2.0 / 3, 1e-9);
    CHECK_INT(m->as_of % 3600, 0);
    done(&f);
}

TEST(unit_snapshot, w_sums_to_one_in_every_cell_and_follows_the_rewards)
{
    struct fixture f = fixture("file:/sum?vfs=memdb");

    for (int i = 0; i < 60; i++)
        learn(&f, i, i % 2 ? "kfz/morning" : "it/night", three[i % 3].id, i % 3 == 1 ? 0.9 : -0.3);
    BanditUpdated *m = message(&f);
    CHECK_INT(m->n_cells, 3);
    CHECK_STR(m->cells[0]->cell, "it/night");
    CHECK_STR(m->cells[1]->cell, "kfz/morning");
    for (size_t c = 0; c < m->n_cells; c++) {
        double sum = 0;
        for (size_t v = 0; v < 3; v++)
            sum += m->cells[c]->variants[v]->w;
        CHECK_NEAR(sum, 1, 1e-9);
        CHECK(m->cells[c]->variants[1]->w > 0.95);
    }
    CHECK_INT(m->totals[1]->n, 20);
    CHECK_NEAR(m->totals[1]->mean, 0.9, 1e-9);
    CHECK_NEAR(m->totals[1]->variance, 0, 1e-6);
    CHECK(m->exploration_rate < 0.05);
    done(&f);
}

TEST(unit_snapshot, one_filter_adds_up_the_cells_that_match)
{
    struct fixture f = fixture("file:/filter?vfs=memdb");

    learn(&f, 1, "kfz/morning", "v1a", 1);
    learn(&f, 2, "kfz/night", "v1a", 0);
    learn(&f, 3, "it/night", "v1a", -1);
    BanditStatsReply *kfz = stats(&f, "kfz", ""), *night = stats(&f, "", "night"), *all = stats(&f, "", "");
    CHECK_STR(kfz->cell, "");
    CHECK_INT(kfz->variants[0]->value->pulls, 2);
    CHECK_NEAR(kfz->variants[0]->value->total_reward, 1, 1e-12);
    CHECK_INT(night->variants[0]->value->pulls, 2);
    CHECK_NEAR(night->variants[0]->value->total_reward, -1, 1e-12);
    CHECK_INT(all->variants[0]->value->pulls, 3);
    CHECK_NEAR(all->variants[0]->value->alpha, all->variants[0]->value->alpha_shared, 0);
    double sum = 0;
    for (size_t v = 0; v < 3; v++)
        sum += all->variants[v]->value->probability_best;
    CHECK_NEAR(sum, 1, 1e-9);
    done(&f);
}

TEST(unit_snapshot, believed_figures_mean_the_same_under_every_model)
{
    for (enum belief_model model = MODEL_BETA; model <= MODEL_LINEAR; model++) {
        char path[64];
        snprintf(path, sizeof path, "file:/model%d?vfs=memdb", (int)model);
        struct fixture f = fixture(path);
        f.model.belief.model = model;
        for (int i = 0; i < 90; i++)
            learn(&f, i, i % 2 ? "kfz/morning" : "it/night", three[i % 3].id, (i % 3 == 1 ? 0.6 : 0.1) + (i % 7 - 3) / 10.0);
        BanditStatsReply *cell = stats(&f, "kfz", "morning"), *all = stats(&f, "", "");
        CHECK_STR(cell->model, model_names[model]);
        for (size_t v = 0; v < 3; v++) {
            const BanditArmStats *a = cell->variants[v]->value, *b = all->variants[v]->value;
            CHECK(a->interval[0] < a->posterior_mean && a->posterior_mean < a->interval[1] && a->expected_loss >= 0);
            CHECK(b->interval[0] < b->posterior_mean && b->posterior_mean < b->interval[1] && b->n_eff >= b->pulls);
            CHECK_NEAR(a->n_eff, 15 + a->n_borrowed, 1e-9);
            CHECK_NEAR(a->alpha, 1 + (15 + a->total_reward) / 2, 1e-9); /* the reference, whatever is believed */
        }
        CHECK(all->variants[1]->value->probability_best > 0.9 && all->variants[1]->value->expected_loss < 0.03);
        CHECK(all->variants[1]->value->w >= all->variants[1]->value->probability_best - 1e-6);
        CHECK(all->variants[0]->value->expected_loss > 0.2);
        done(&f);
    }
}

TEST(unit_snapshot, a_database_reopened_says_the_same_to_the_byte)
{
    char path[512];
    const uint8_t *before, *after;
    size_t before_size, after_size;

    snprintf(path, sizeof path, "%s/bandit.db", test_dir());
    struct fixture f = fixture(path);
    for (int i = 0; i < 40; i++)
        learn(&f, i, i % 3 ? "kfz/morning" : "sales/evening", three[i % 3].id, (i % 21 - 10) / 10.0);
    codec_encode(&f.arena, &message(&f)->base, false, &before, &before_size);
    ledger_free(f.ledger);
    store_close(f.store);
    struct fixture again = fixture(path);
    codec_encode(&again.arena, &message(&again)->base, false, &after, &after_size);
    CHECK_INT(before_size, after_size);
    CHECK(before_size == after_size && memcmp(before, after, before_size) == 0);
    arena_done(&f.arena);
    done(&again);
}

TEST(unit_snapshot, the_bound_holds_when_every_cell_has_data)
{
    struct fixture f = fixture("file:/bound?vfs=memdb");
    const uint8_t *data;
    size_t size;
    int number = 0;

    for (const char *const *p = (const char *const[]){"kfz", "it", "support", NULL}; *p; p++)
        for (size_t v = 0; v < 3; v++)
            learn(&f, ++number, arena_printf(&f.arena, "%s/afternoon", *p), three[v].id, 0.123456);
    codec_encode(&f.arena, &message(&f)->base, false, &data, &size);
    CHECK(size <= snapshot_bound(&f.model, 3, 1));
    done(&f);
}

TEST(unit_snapshot, a_report_of_one_cell_tells_who_is_best_with_all_that_is_wrong_at_once)
{
    struct fixture f = fixture(":memory:");

    f.model.belief = BELIEF_DEFAULTS;
    model_complete(&f.model, &variants);
    for (int i = 0; i < 60; i++)
        learn(&f, i, i % 2 ? "kfz/morning" : "it/morning", three[i % 3].id, (i % 3) * 0.2 + (i % 5) * 0.1 - 0.3);
    for (enum belief_model model = MODEL_BETA; model <= MODEL_LINEAR; model++) {
        f.model.belief.model = model;
        const BanditStatsReply *one = ask(&f, "kfz", "morning", true), *other = ask(&f, "kfz", "morning", false),
                               *all = ask(&f, "kfz", "", true);
        double sum = 0;
        for (size_t i = 0; i < one->n_variants; i++) {
            sum += one->variants[i]->value->probability_best_joint;
            CHECK_NEAR(one->variants[i]->value->probability_best_joint, one->variants[i]->value->probability_best, 0.05);
            CHECK(other->variants[i]->value->probability_best_joint == 0 && all->variants[i]->value->probability_best_joint == 0);
        }
        CHECK_NEAR(sum, 1, 1e-9);
    }
    done(&f);
}
