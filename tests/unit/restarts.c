/* SPDX-License-Identifier: Apache-2.0 */
/* restarts.c - a change is found once, stays a fact, and what came before it no longer counts. */
#include "restarts.h"

#include "test.h"

enum { HOUR = 3600, START = 489000, HOURS = 60, EACH = 12 };

static const struct variant two[] = {{.id = "v1a"}, {.id = "v1b"}};
static const struct variants variants = {.items = two, .count = 2};
static const struct detect_settings settings = {.delta = 0.01, .variance = 0.2};

struct fixture {
    struct store *store;
    struct ledger *ledger;
    struct arena arena;
    int number;
};

static struct fixture fixture(const char *path)
{
    struct fixture f = {0};
    struct reason reason = {0};

    CHECK_INT(store_open(path, ledger_migrations, LEDGER_MIGRATIONS, &f.store, &reason), STATUS_OK);
    CHECK_INT(ledger_open(f.store, &f.ledger), STATUS_OK);
    return f;
}

static void done(struct fixture *f)
{
    ledger_free(f->ledger);
    store_close(f->store);
    arena_done(&f->arena);
}

static void learn(struct fixture *f, int64_t hour, const char *cell, const char *variant, double reward)
{
    struct call c = {.day = hour / 24,
                     .revision = 1,
                     .ts = hour * HOUR,
                     .version = "v1",
                     .cell = cell,
                     .variant = variant,
                     .p_nano = -1,
                     .signals = signals_pack(&SIGNALS_NONE),
                     .reward = reward_to_micro(reward)};
    enum learned outcome;

    f->number++;
    memcpy(c.key, &f->number, sizeof f->number);
    CHECK_INT(ledger_learn(f->ledger, &c, (START + HOURS) * HOUR, &outcome), STATUS_OK);
}

/* Two cells, two variants; from hour 40 on v1b loses 0.5 in the first cell, and from hour 50 on v1a gains `gain` in the other.
 * Rewards swing by 0.4 about their mean. */
static void history(struct fixture *f, double gain)
{
    CHECK_INT(store_begin(f->store), STATUS_OK);
    for (int h = 0; h < HOURS; h++)
        for (int i = 0; i < EACH; i++) {
            double swing = i % 2 ? 0.4 : -0.4;
            learn(f, START + h, "it/night", "v1a", 0.1 + swing);
            learn(f, START + h, "it/night", "v1b", (h < 40 ? 0.3 : -0.2) + swing);
            learn(f, START + h, "kfz/night", i % 3 ? "v1a" : "v1b", -0.1 + (i % 3 && h >= 50 ? gain : 0) + swing);
        }
    CHECK_INT(ledger_flush(f->ledger), STATUS_OK);
    CHECK_INT(store_commit(f->store), STATUS_OK);
}

TEST(unit_restarts, a_change_is_found_where_and_when_it_happened)
{
    struct fixture f = fixture("file:/found?vfs=memdb");
    struct restarts none = {0};
    struct restart found[DETECT_MOST], r;

    history(&f, 0);
    struct grid grid = ledger_grid(f.ledger, "v1", &variants, &f.arena);
    CHECK_INT(restarts_find(f.ledger, &grid, &none, &settings, found), 1);
    r = found[0];
    CHECK_INT(r.level, DETECT_ARM);
    CHECK_STR(r.cell, "it/night");
    CHECK_STR(r.variant, "v1b");
    CHECK_INT(r.from, START + 40);
    CHECK(r.evidence > 0);
    CHECK_NEAR(r.before, 0.3, 1e-9);
    CHECK_NEAR(r.after, -0.2, 1e-9);
    done(&f);
}

TEST(unit_restarts, after_a_restart_only_what_came_after_counts_and_nothing_more_is_found)
{
    struct fixture f = fixture("file:/after?vfs=memdb");
    struct restarts facts = {0}, again = {0}, other = {0};
    struct restart found[DETECT_MOST], next[DETECT_MOST], r;

    history(&f, 0);
    struct grid grid = ledger_grid(f.ledger, "v1", &variants, &f.arena);
    CHECK_INT(restarts_find(f.ledger, &grid, &facts, &settings, found), 1);
    r = found[0];
    CHECK_INT(store_begin(f.store), STATUS_OK);
    CHECK_INT(restarts_add(f.store, "v1", &r, START * HOUR, &facts), STATUS_OK);
    CHECK_INT(store_commit(f.store), STATUS_OK);
    CHECK_INT(restarts_find(f.ledger, &grid, &facts, &settings, next), 0);
    ledger_forget(f.ledger, &(struct forgetting){.from = restarts_from(&facts, &grid, &f.arena)}, &grid, &f.arena);
    CHECK_NEAR(grid.moments[0].n, HOURS * EACH, 0);
    CHECK_NEAR(grid.moments[1].n, 20 * EACH, 0);
    CHECK_NEAR(grid.moments[1].sum, 20 * EACH * -0.2, 1e-6);
    CHECK_INT(grid.own[1].n, HOURS * EACH); /* the sums stay */
    CHECK_INT(restarts_load(f.store, "v1", &again), STATUS_OK);
    CHECK_INT(restarts_load(f.store, "v2", &other), STATUS_OK);
    CHECK_INT(again.count, 1);
    CHECK_INT(other.count, 0);
    CHECK(again.items[0].level == r.level && again.items[0].from == r.from && again.items[0].evidence == r.evidence);
    CHECK_STR(again.items[0].cell, "it/night");
    CHECK_STR(again.items[0].variant, "v1b");
    restarts_done(&facts);
    restarts_done(&again);
    done(&f);
}

TEST(unit_restarts, two_changes_are_two_facts_of_one_look)
{
    struct fixture f = fixture("file:/both?vfs=memdb");
    struct restarts facts = {0};
    struct restart found[DETECT_MOST], next[DETECT_MOST];

    history(&f, 0.6);
    struct grid grid = ledger_grid(f.ledger, "v1", &variants, &f.arena);
    CHECK_INT(restarts_find(f.ledger, &grid, &facts, &settings, found), 2);
    CHECK_INT(store_begin(f.store), STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        bool kfz = strcmp(found[i].cell, "kfz/night") == 0;
        CHECK_STR(found[i].variant, kfz ? "v1a" : "v1b");
        CHECK_INT(found[i].from, START + (kfz ? 50 : 40));
        CHECK_INT(restarts_add(f.store, "v1", &found[i], START * HOUR, &facts), STATUS_OK);
    }
    CHECK_INT(store_commit(f.store), STATUS_OK);
    CHECK(strcmp(found[0].cell, found[1].cell) != 0);
    CHECK_INT(restarts_find(f.ledger, &grid, &facts, &settings, next), 0);
    restarts_done(&facts);
    done(&f);
}

TEST(unit_restarts, each_level_touches_what_it_names)
{
    static const char *cells[] = {"it/night", "kfz/night"};
    struct restart levels[] = {{.level = DETECT_ALL, .from = 5},
                               {.level = DETECT_VARIANT, .variant = "v1b", .from = 7},
                               {.level = DETECT_CELL, .cell = "kfz/night", .from = 9},
                               {.level = DETECT_ARM, .cell = "gone/night", .variant = "v1a", .from = 99}};
    struct restarts facts = {.items = levels, .count = 4};
    struct grid grid = {.variants = &variants, .cell_count = 2, .variant_count = 2, .cells = cells};
    struct arena arena = {0};
    const int64_t *from = restarts_from(&facts, &grid, &arena);

    CHECK(from[0] == 5 && from[1] == 7 && from[2] == 9 && from[3] == 9);
    CHECK(restarts_from(&(struct restarts){0}, &grid, &arena) == NULL);
    arena_done(&arena);
}

TEST(unit_restarts, nothing_is_found_in_an_empty_ledger)
{
    struct fixture f = fixture("file:/empty?vfs=memdb");
    struct restarts none = {0};
    struct restart found[DETECT_MOST];
    struct grid grid = ledger_grid(f.ledger, "v1", &variants, &f.arena);

    CHECK_INT(restarts_find(f.ledger, &grid, &none, &settings, found), 0);
    done(&f);
}

/* What was found before there was bandit.changed counts as ever, and is not said now: nobody stored its means. */
TEST(unit_restarts, a_restart_of_an_older_database_still_counts_and_is_marked_as_never_to_be_said)
{
    enum { BEFORE_CHANGED = 4 };
    const char *path = "file:/older?vfs=memdb";
    struct store *older = NULL;
    struct restarts r = {0};
    struct reason reason = {0};
    bool row = false;

    CHECK_INT(store_open(path, ledger_migrations, BEFORE_CHANGED, &older, &reason), STATUS_OK);
    CHECK_INT(query_run(store_query(older, "INSERT INTO restart (version, level, cell, variant, hour, evidence, found_at) VALUES ('v1', 0, 'kfz/night', 'v1a', 7, 1, 9)"),
                        NULL), STATUS_OK);
    struct fixture f = fixture(path);
    CHECK_INT(restarts_load(f.store, "v1", &r), STATUS_OK);
    CHECK_INT(r.count, 1);
    struct query *q = store_query(f.store, "SELECT count(*) FROM restart WHERE policy_version = '-'");
    CHECK_INT(query_step(q, &row), STATUS_OK);
    CHECK_INT(row ? query_int(q, 0) : -1, 1);
    query_reset(q);
    restarts_done(&r);
    done(&f);
    store_close(older);
}
