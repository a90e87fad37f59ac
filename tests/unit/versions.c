/* SPDX-License-Identifier: Apache-2.0 */
/* versions.c - tests of two reward versions in one ledger: each stays exact by itself, and a switch moves no number. */
#include "versions.h"

#include <math.h>
#include <stdlib.h>

#include "open_ledger.h"
#include "rng.h"
#include "test.h"

enum { NOW = 1763800000, HOUR = 3600, DAY = 24 * HOUR };

static const struct variant three[] = {{.id = "v1a"}, {.id = "v2b"}, {.id = "v3a"}};
static const struct variants variants = {.items = three, .count = 3};

struct fixture {
    struct store *store;
    struct ledger *ledger;
    struct arena arena;
};

static struct fixture open_file(void)
{
    struct fixture f = {0};

    open_ledger(bandit_file(), &f.store, &f.ledger);
    CHECK_INT(store_begin(f.store), STATUS_OK);
    return f;
}

static void commit(struct fixture *f) { commit_ledger(f->store, f->ledger); }

static void done(struct fixture *f)
{
    commit(f);
    f->ledger = ledger_free(f->ledger);
    f->store = store_close(f->store);
    arena_done(&f->arena);
}

static struct call call_number(int number, const char *version, int64_t reward)
{
    const struct signals signals = {.resolution = TRI_TRUE, .user_rating = number % 2 ? 4 : 0, .barge_in_count = 1,
                                    .duration_sec = 12, .satisfaction = -2};
    struct call c = {.day = NOW / DAY, .revision = 1, .ts = NOW, .version = version, .cell = "kfz/morning", .variant = "v1a",
                     .p_nano = -1, .signals = signals_pack(&signals), .reward = reward};

    memcpy(c.key, &number, sizeof number);
    return c;
}

static enum learned learn(struct fixture *f, struct call call) { return learn_call(f->ledger, &call, NOW); }

static void check_exact(struct fixture *f, int64_t rows)
{
    struct ledger_check check = {0};

    commit(f);
    CHECK_INT(ledger_check(f->ledger, &check), STATUS_OK);
    CHECK_STR(check.first, "");
    CHECK_INT(check.rows, rows);
}

/* Of all variants and cells. */
static struct stats sum_of(struct fixture *f, const char *version)
{
    struct grid grid = ledger_grid(f->ledger, version, &variants, &f->arena);
    struct stats sum = {0};

    for (size_t v = 0; v < variants.count; v++)
        stats_add(&sum, &grid.all[v]);
    return sum;
}

/* --- the ledger ------------------------------------------------------------------------------------------------------------- */

TEST(unit_versions, a_call_counts_once_under_each_version_also_after_a_restart)
{
    struct fixture f = open_file();

    for (int again = 0; again < 3; again++) {
        CHECK_INT(learn(&f, call_number(1, "v1", 866667)), again ? LEARNED_STALE : LEARNED_NEW);
        CHECK_INT(learn(&f, call_number(1, "v2", -500000)), again ? LEARNED_STALE : LEARNED_NEW);
        if (again == 1) {
            done(&f);
            f = open_file();
        }
    }
    CHECK_INT(sum_of(&f, "v1").n, 1);
    CHECK_INT(sum_of(&f, "v1").reward, 866667);
    CHECK_INT(sum_of(&f, "v2").n, 1);
    CHECK_INT(sum_of(&f, "v2").reward, -500000);
    CHECK_INT(ledger_calls(f.ledger, "v1", ""), 1);
    CHECK_INT(ledger_calls(f.ledger, "v2", "v1a"), 1);
    CHECK_INT(ledger_calls(f.ledger, "v2", "v2b"), 0);
    CHECK_INT(ledger_calls(f.ledger, "v3", ""), 0);
    check_exact(&f, 2);
    done(&f);
}

TEST(unit_versions, an_amendment_or_retraction_under_one_version_leaves_the_other_as_it_was)
{
    struct fixture f = open_file();
    struct call amended = call_number(1, "v2", 100000);

    learn(&f, call_number(1, "v1", 866667));
    learn(&f, call_number(1, "v2", -500000));
    struct stats before = sum_of(&f, "v1");
    amended.revision = 2;
    CHECK_INT(learn(&f, amended), LEARNED_AMENDED);
    CHECK_INT(sum_of(&f, "v2").reward, 100000);
    commit(&f);
    amended.revision = 3;
    amended.flags |= CALL_RETRACTED;
    CHECK_INT(learn(&f, amended), LEARNED_AMENDED);
    CHECK_INT(sum_of(&f, "v2").n, 0);
    struct stats after = sum_of(&f, "v1");
    CHECK(stats_equal(&before, &after));
    check_exact(&f, 2);
    done(&f);
}

TEST(unit_versions, what_was_reset_stays_forgotten_when_it_is_scored_under_another_version)
{
    struct fixture f = open_file();
    int64_t removed = 0;
    struct call amended = call_number(1, "v2", 700000);

    learn(&f, call_number(1, "v1", 866667));
    CHECK_INT(ledger_reset(f.ledger, "v1a", &removed), STATUS_OK);
    CHECK_INT(removed, 1);
    CHECK_INT(learn(&f, call_number(1, "v2", 500000)), LEARNED_NEW);
    CHECK_INT(learn(&f, call_number(2, "v2", 300000)), LEARNED_NEW);
    CHECK_INT(sum_of(&f, "v2").reward, 300000);
    commit(&f);
    amended.revision = 2;
    CHECK_INT(learn(&f, amended), LEARNED_AMENDED);
    CHECK_INT(sum_of(&f, "v2").reward, 300000);
    check_exact(&f, 3);
    done(&f);
}

/* The sister was reset while this row knew an older revision, of another variant. */
TEST(unit_versions, a_row_that_a_reset_did_not_reach_is_subtracted_exactly_when_it_follows)
{
    struct fixture f = open_file();
    int64_t removed = 0;
    struct call first = call_number(1, "v2", 500000), moved = call_number(1, "v1", 400000);

    first.variant = "v2b";
    learn(&f, first);
    moved.revision = 2;
    learn(&f, moved);
    CHECK_INT(ledger_reset(f.ledger, "v1a", &removed), STATUS_OK);
    commit(&f);
    CHECK_INT(sum_of(&f, "v2").n, 1);
    moved.version = "v2";
    CHECK_INT(learn(&f, moved), LEARNED_AMENDED);
    CHECK_INT(sum_of(&f, "v2").n, 0);
    check_exact(&f, 2);
    done(&f);
}

static struct call random_call(struct rng *rng)
{
    static const char *const versions[] = {"v1", "v2", "v3"};
    struct call c = call_number((int)rng_below(rng, 40), versions[rng_below(rng, 3)], (int64_t)rng_below(rng, 2000001) - 1000000);

    c.revision = 1 + (int64_t)rng_below(rng, 12);
    c.ts = NOW - (int64_t)rng_below(rng, 200 * DAY);
    c.variant = three[rng_below(rng, 3)].id;
    c.flags |= rng_below(rng, 5) == 0 ? CALL_RETRACTED : 0;
    return c;
}

TEST(unit_versions, any_sequence_with_resets_and_folds_stays_the_fold_of_its_rows)
{
    struct rng rng = rng_seed(21);
    struct fixture f = open_file();
    int64_t rows = 0, removed;

    for (int i = 0; i < 900 && !test_failed(); i++) {
        rows += learn(&f, random_call(&rng)) == LEARNED_NEW;
        if (rng_below(&rng, 60) == 0)
            CHECK_INT(ledger_reset(f.ledger, three[rng_below(&rng, 3)].id, &removed), STATUS_OK);
        if (rng_below(&rng, 40) == 0)
            ledger_fold(f.ledger, NOW + i * HOUR);
        if (rng_below(&rng, 20) == 0)
            check_exact(&f, rows);
        if (i % 200 == 199) {
            done(&f);
            f = open_file();
        }
    }
    CHECK_INT(rows, 120);
    done(&f);
}

/* --- a database of before --------------------------------------------------------------------------------------------------- */

TEST(unit_versions, a_database_of_before_keeps_its_rows_and_takes_a_second_version)
{
    struct fixture f = {0};
    struct reason reason = {0};

    CHECK_INT(store_open(bandit_file(), ledger_migrations, 1, &f.store, &reason), STATUS_OK);
    CHECK_INT(query_run(store_query(f.store, "INSERT INTO name (id, text) VALUES (1, 'v1'), (2, 'kfz/morning'), (3, 'v1a')"),
                        NULL), STATUS_OK);
    for (int i = 0; i < 3; i++) { /* as the program of before wrote them */
        struct call c = call_number(i, "v1", 100000 * i);
        struct query *q = store_query(f.store, "INSERT INTO ledger (day, call_key, revision, version, cell, variant, hour, p,"
                                               " flags, signals, reward, learned_at) VALUES (?1, ?2, 5, 1, 2, 3, ?3, -1, ?4,"
                                               " ?5, ?6, ?7)");
        query_bind_int(q, 1, c.day);
        query_bind_blob(q, 2, c.key, CALL_KEY_BYTES);
        query_bind_int(q, 3, c.ts / HOUR);
        query_bind_int(q, 4, i == 2 ? CALL_RESET : 0);
        query_bind_int(q, 5, (int64_t)c.signals);
        query_bind_int(q, 6, c.reward);
        query_bind_int(q, 7, NOW);
        CHECK_INT(query_run(q, NULL), STATUS_OK);
    }
    struct query *q = store_query(f.store, "INSERT INTO sums (version, cell, variant, hour, n, reward, reward_sq, rated, rating,"
                                           " rating_sq, outcome_known, resolved, handover, escalation, short_calls, barge_in,"
                                           " barge_in_sq) VALUES (1, 2, 3, ?, 2, 100000, 10000, 1, 4, 16, 2, 2, 0, 0, 0, 2, 2)");
    query_bind_int(q, 1, NOW / HOUR);
    CHECK_INT(query_run(q, NULL), STATUS_OK);
    CHECK_INT(query_run(store_query(f.store, "UPDATE facts SET row_total = 3, changes = 3, newest_ts = 1763800000"), NULL),
              STATUS_OK);
    f.store = store_close(f.store);

    f = open_file();
    check_exact(&f, 3);
    CHECK_INT(ledger_rows(f.ledger), 3);
    CHECK_INT(sum_of(&f, "v1").reward, 100000);
    CHECK_INT(learn(&f, call_number(1, "v1", 1)), LEARNED_STALE);
    for (int i = 0; i < 3; i++)
        CHECK_INT(learn(&f, call_number(i, "v2", 200000)), LEARNED_NEW);
    CHECK_INT(sum_of(&f, "v2").n, 2); /* one was reset */
    check_exact(&f, 6);
    done(&f);
}

/* --- the active one --------------------------------------------------------------------------------------------------------- */

static struct versions opened(struct fixture *f, const char *first, const char *candidate)
{
    struct versions v = {.first = first, .candidate = candidate};

    CHECK_INT(versions_open(&v, f->store, NOW), STATUS_OK);
    return v;
}

static enum status ask_switch(struct fixture *f, struct versions *v, const char *to, bool *ret_changed, struct reason *reason)
{
    BanditSwitchRequest m = TOM__RL__V1__BANDIT_SWITCH_REQUEST__INIT;

    m.reward_version = (char *)to;
    m.reason = (char *)"ratings are worth more";
    m.who = (char *)"anna";
    return versions_switch(v, f->store, &m, NOW + 60, ret_changed, reason);
}

static int64_t facts(struct fixture *f)
{
    struct query *q = store_query(f->store, "SELECT count(*) FROM version_switch");
    bool row = false;

    CHECK_INT(query_step(q, &row), STATUS_OK);
    int64_t n = query_int(q, 0);
    query_reset(q);
    return n;
}

TEST(unit_versions, a_switch_is_one_fact_that_survives_a_restart_and_asking_again_adds_none)
{
    struct fixture f = open_file();
    struct versions v = opened(&f, "v1", "v2");
    struct reason reason = {0};
    bool changed = false;

    CHECK_STR(v.active, "v1");
    CHECK_INT(facts(&f), 1);
    CHECK_INT(ask_switch(&f, &v, "v2", &changed, &reason), STATUS_OK);
    CHECK(changed);
    CHECK_INT(ask_switch(&f, &v, "v2", &changed, &reason), STATUS_OK);
    CHECK(!changed);
    CHECK_INT(facts(&f), 2);
    done(&f);
    f = open_file();
    v = opened(&f, "v1", "v2");
    CHECK_STR(v.active, "v2");
    CHECK_INT(v.since, NOW + 60);
    v = opened(&f, "v2", "v1"); /* the order of the configuration moves nothing */
    CHECK_STR(v.active, "v2");
    CHECK_INT(facts(&f), 2);
    done(&f);
}

TEST(unit_versions, one_that_is_not_learned_is_refused_and_nothing_changes)
{
    struct fixture f = open_file();
    struct versions v = opened(&f, "v1", "");
    struct reason reason = {0};
    bool changed = false;

    CHECK_INT(ask_switch(&f, &v, "v2", &changed, &reason), STATUS_INVALID);
    CHECK_STR(reason.field, "reward_version");
    CHECK_STR(reason.text, "\"v2\" is not learned, only \"v1\" is");
    CHECK_INT(ask_switch(&f, &v, "", &changed, &reason), STATUS_INVALID);
    v.candidate = "v3";
    CHECK_INT(ask_switch(&f, &v, "v2", &changed, &reason), STATUS_INVALID);
    CHECK_STR(reason.text, "\"v2\" is not learned, only \"v1\" and \"v3\" are");
    CHECK_STR(v.active, "v1");
    CHECK_INT(facts(&f), 1);
    done(&f);
}

TEST(unit_versions, when_the_active_one_is_configured_no_more_the_configured_one_decides_and_that_is_recorded)
{
    struct fixture f = open_file();
    struct versions v = opened(&f, "v1", "v2");
    struct reason reason = {0};
    bool changed = false;

    CHECK_INT(ask_switch(&f, &v, "v2", &changed, &reason), STATUS_OK);
    v = opened(&f, "v3", "v1");
    CHECK_STR(v.active, "v3");
    CHECK_INT(facts(&f), 3);
    done(&f);
}

TEST(unit_versions, the_configured_names_must_differ)
{
    struct versions same = {.first = "v1", .candidate = "v1"}, none = {.first = "", .candidate = ""},
                    fine = {.first = "v1", .candidate = ""};
    struct reason reason = {0};

    CHECK_INT(versions_check(&same, &reason), STATUS_CONFIG);
    CHECK_STR(reason.field, "bandit.reward_candidate");
    CHECK_INT(versions_check(&none, &reason), STATUS_CONFIG);
    CHECK_INT(versions_check(&fine, &reason), STATUS_OK);
}

/* --- side by side ----------------------------------------------------------------------------------------------------------- */

TEST(unit_versions, the_difference_is_paired_call_by_call)
{
    static const int64_t v1[] = {100000, 500000, -300000, 900000}, v2[] = {300000, 600000, 0, 0};
    struct fixture f = open_file();
    struct versions v = opened(&f, "v1", "v2");
    BanditVersionsReply m = TOM__RL__V1__BANDIT_VERSIONS_REPLY__INIT;
    struct comparison c = {.versions = &v, .variants = &variants, .other = "v2"};

    for (int i = 0; i < 4; i++)
        learn(&f, call_number(i, "v1", v1[i]));
    for (int i = 0; i < 3; i++)
        learn(&f, call_number(i, "v2", v2[i]));
    struct call later = call_number(3, "v2", 0); /* known in another revision than under v1: no pair */
    later.revision = 2;
    learn(&f, later);
    commit(&f);
    CHECK_INT(versions_compare(&c, f.store, f.ledger, &f.arena, &m), STATUS_OK);
    CHECK_INT(m.n_versions, 2);
    CHECK(m.versions[0]->active && !m.versions[1]->active);
    CHECK_INT(m.versions[1]->calls, 4);
    CHECK_INT(m.n_variants, 3);
    CHECK_INT(m.variants[0]->pairs, 3);
    CHECK_NEAR(m.variants[0]->active_mean, .3, 1e-12);
    CHECK_NEAR(m.variants[0]->other_mean, .225, 1e-12);
    CHECK_NEAR(m.variants[0]->response_rate, .5, 1e-12);
    CHECK_NEAR(m.variants[0]->difference, .2, 1e-12); /* .2, .1, .3 */
    CHECK_INT(m.variants[0]->n_interval, 2);
    CHECK_NEAR(m.variants[0]->interval[0], .2 - 1.96 * .1 / sqrt(3), 1e-9);
    CHECK_NEAR(m.variants[0]->interval[1], .2 + 1.96 * .1 / sqrt(3), 1e-9);
    CHECK_INT(m.variants[1]->pairs, 0);
    CHECK_INT(m.variants[1]->n_interval, 0);
    CHECK_INT(m.n_switches, 1);
    CHECK_STR(m.switches[0]->who, "configuration");
    done(&f);
}
