/* SPDX-License-Identifier: Apache-2.0 */
/* restarts.c - a change is found once, stays a fact, and what came before it no longer counts. */
#include "restarts.h"

#include "open_ledger.h"
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

    open_ledger(path, &f.store, &f.ledger);
    return f;
}

static void done(struct fixture *f)
{
    ledger_free(f->ledger);
    store_close(f->store);
    arena_done(&f->arena);
}

static struct call call_of(int number, int64_t hour, const char *cell, const char *variant, double reward)
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

    memcpy(c.key, &number, sizeof number);
    return c;
}

static void learn(struct fixture *f, int64_t hour, const char *cell, const char *variant, double reward)
{
    struct call c = call_of(++f->number, hour, cell, variant, reward);

    learn_call(f->ledger, &c, (START + HOURS) * HOUR);
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
    CHECK_INT(query_run(store_query(older, "INSERT INTO restart (version, level, cell, variant, hour, evidence,"
                                           " found_at) VALUES ('v1', 0, 'kfz/night', 'v1a', 7, 1, 9)"),
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

/* ---- restarts and folding -------------------------------------------------------------------------------------------------- */

enum { CHANGED = START + 40, LOST = 20 * EACH }; /* 16 h into a day; calls of the changed arm since then */

static void commit(struct fixture *f)
{
    CHECK_INT(ledger_flush(f->ledger), STATUS_OK);
    CHECK_INT(store_commit(f->store), STATUS_OK);
}

/* The process ends, and another begins. */
static void again(struct fixture *f, const char *path)
{
    ledger_free(f->ledger);
    store_close(f->store);
    struct fixture next = fixture(path);
    f->store = next.store;
    f->ledger = next.ledger;
}

/* Time goes on to this hour, with calls of the other cell, that nothing happened to. */
static void live_to(struct fixture *f, int64_t hour)
{
    CHECK_INT(store_begin(f->store), STATUS_OK);
    learn(f, hour, "kfz/night", "v1a", 0);
    ledger_fold(f->ledger, hour * HOUR);
    commit(f);
}

static struct moments counted(struct fixture *f, double half_life, int64_t now)
{
    struct restarts facts = {0};
    struct grid grid = ledger_grid(f->ledger, "v1", &variants, &f->arena);

    CHECK_INT(restarts_load(f->store, "v1", &facts), STATUS_OK);
    struct forgetting forgetting = {.half_life = half_life, .now = now, .from = restarts_from(&facts, &grid, &f->arena)};
    ledger_forget(f->ledger, &forgetting, &grid, &f->arena);
    restarts_done(&facts);
    return grid.moments[1]; /* it/night, v1b */
}

static void check_counted(struct fixture *f, double n, double sum)
{
    struct moments m = counted(f, 0, 0);
    struct ledger_check check = {0};

    CHECK_NEAR(m.n, n, 0);
    CHECK_NEAR(m.sum, sum, 1e-6);
    CHECK_INT(ledger_check(f->ledger, &check), STATUS_OK);
    CHECK_STR(check.first, "");
    CHECK_INT(check.differences, 0);
}

static struct fixture changed_at(const char *path)
{
    struct fixture f = fixture(path);
    struct restarts facts = {0};
    struct restart found[DETECT_MOST];

    history(&f, 0);
    struct grid grid = ledger_grid(f.ledger, "v1", &variants, &f.arena);
    CHECK_INT(restarts_find(f.ledger, &grid, &facts, &settings, found), 1);
    CHECK_INT(found[0].from, CHANGED);
    CHECK_INT(store_begin(f.store), STATUS_OK);
    CHECK_INT(restarts_add(f.store, "v1", &found[0], START * HOUR, &facts), STATUS_OK);
    ledger_split(f.ledger, found[0].from);
    CHECK_INT(store_commit(f.store), STATUS_OK);
    restarts_done(&facts);
    return f;
}

static const char *file(void)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/bandit.db", test_dir());
    return path;
}

TEST(unit_restarts, what_came_after_a_change_counts_to_the_call_when_hours_are_days_and_days_the_opening_balance)
{
    static const int64_t days_later[] = {0, 1, 3, 4, 5, 30, 180, 181, 182, 183, 400};
    struct fixture f = changed_at(file());

    for (size_t i = 0; i < sizeof days_later / sizeof *days_later && !test_failed(); i++) {
        live_to(&f, START + HOURS + 24 * days_later[i]);
        check_counted(&f, LOST, LOST * -0.2);
        again(&f, file());
        check_counted(&f, LOST, LOST * -0.2);
        if (test_failed())
            printf("  %lld days later\n", (long long)days_later[i]);
    }
    CHECK(ledger_sums(f.ledger)->borders.opening > START + HOURS);
    done(&f);
}

static enum learned tell(struct fixture *f, struct call c)
{
    CHECK_INT(store_begin(f->store), STATUS_OK);
    enum learned outcome = learn_call(f->ledger, &c, (START + HOURS) * HOUR);
    commit(f);
    return outcome;
}

/* Its number in history(). */
static struct call lost_call(int hour) { return call_of((hour * EACH + 1) * 3 + 2, START + hour, "it/night", "v1b", 0); }

TEST(unit_restarts, what_is_said_of_a_call_after_its_day_was_split_finds_its_side_of_the_change)
{
    static const int64_t days_later[] = {5, 300};
    int64_t rows = 0;

    for (size_t i = 0; i < sizeof days_later / sizeof *days_later && !test_failed(); i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%zu.db", test_dir(), i);
        struct fixture f = changed_at(path);
        live_to(&f, START + HOURS + 24 * days_later[i]);
        struct call before = lost_call(39), after = lost_call(40), erased = lost_call(41), moved = lost_call(42);
        before.revision = after.revision = moved.revision = 2;
        before.reward = after.reward = reward_to_micro(1);
        CHECK_INT(tell(&f, before), LEARNED_AMENDED);
        check_counted(&f, LOST, LOST * -0.2);
        CHECK_INT(tell(&f, after), LEARNED_AMENDED); /* was -0.2 + 0.4 */
        check_counted(&f, LOST, LOST * -0.2 + 0.8);
        after.revision = 3;
        after.flags |= CALL_RETRACTED;
        CHECK_INT(tell(&f, after), LEARNED_AMENDED);
        check_counted(&f, LOST - 1, LOST * -0.2 - 0.2);
        CHECK_INT(store_begin(f.store), STATUS_OK);
        CHECK_INT(ledger_erase(f.ledger, erased.key, START * HOUR, &rows), STATUS_OK);
        commit(&f);
        check_counted(&f, LOST - 2, LOST * -0.2 - 0.4);
        moved.ts = (START + 39) * HOUR; /* it turns out to have been before */
        CHECK_INT(tell(&f, moved), LEARNED_AMENDED);
        check_counted(&f, LOST - 3, LOST * -0.2 - 0.6);
        CHECK_INT(tell(&f, call_of(1000000, START + 39, "it/night", "v1b", 1)), LEARNED_NEW);
        CHECK_INT(tell(&f, call_of(1000001, START + 47, "it/night", "v1b", 1)), LEARNED_NEW);
        check_counted(&f, LOST - 2, LOST * -0.2 + 0.4);
        again(&f, path);
        check_counted(&f, LOST - 2, LOST * -0.2 + 0.4);
        done(&f);
    }
    CHECK_INT(rows, 2);
}

TEST(unit_restarts, a_rebuild_agrees_when_rows_of_a_split_day_were_given_up)
{
    struct fixture f = changed_at(file());
    int64_t rows = 0, all = 0;

    live_to(&f, START + HOURS + 24 * 100);
    do {
        CHECK_INT(store_begin(f.store), STATUS_OK);
        CHECK_INT(ledger_give_up(f.ledger, START / 24 + 2, 500, &rows), STATUS_OK);
        commit(&f);
        check_counted(&f, LOST, LOST * -0.2);
        all += rows;
    } while (rows == 500);
    CHECK_INT(all, 48 * 3 * EACH);
    live_to(&f, START + HOURS + 24 * 300);
    again(&f, file());
    check_counted(&f, LOST, LOST * -0.2);
    done(&f);
}

TEST(unit_restarts, with_a_half_life_what_came_after_a_change_is_as_old_as_the_change_or_its_day)
{
    struct fixture f = changed_at(file());
    int64_t now = START + HOURS + 24 * 5;

    live_to(&f, now);
    double rest_of_day = 8 * exp2(-(double)(now - CHANGED) / 48), next_day = 12 * exp2(-(double)(now - START - 48) / 48);
    CHECK_NEAR(counted(&f, 48, now).n, EACH * (rest_of_day + next_day), 1e-9);
    now += 24 * 300;
    live_to(&f, now);
    int64_t opening = ledger_sums(f.ledger)->borders.opening;
    CHECK_NEAR(counted(&f, 4800, now).n, LOST * exp2(-(double)(now - opening) / 4800), 1e-9);
    done(&f);
}

TEST(unit_restarts, a_change_that_was_followed_is_not_found_again_when_its_hours_are_folded)
{
    static const int64_t days_later[] = {5, 30, 182, 300};
    struct fixture f = changed_at(file());

    for (size_t i = 0; i < sizeof days_later / sizeof *days_later; i++) {
        struct restarts facts = {0};
        struct restart next[DETECT_MOST];
        live_to(&f, START + HOURS + 24 * days_later[i]);
        CHECK_INT(restarts_load(f.store, "v1", &facts), STATUS_OK);
        struct grid grid = ledger_grid(f.ledger, "v1", &variants, &f.arena);
        CHECK_INT(restarts_find(f.ledger, &grid, &facts, &settings, next), 0);
        restarts_done(&facts);
    }
    done(&f);
}

/* What it folded across a restart cannot be told apart any more; what counts is what did, and less of the opening balance. */
TEST(unit_restarts, in_an_older_database_what_was_folded_across_a_restart_counts_from_the_next_day_on_or_not_at_all)
{
    enum { BEFORE_CUTS = 6, DAY_BORDER = 480, OPENING_BORDER = 240 };
    static const int64_t hours[][2] = {{100, 240}, {240, 240}, {264, 264}, {265, 288},
                                       {287, 288}, {479, 480}, {480, 480}, {481, 481}};
    const char *path = "file:/folded?vfs=memdb";
    struct store *older = NULL;
    struct restarts r = {0};
    struct reason reason = {0};

    CHECK_INT(store_open(path, ledger_migrations, BEFORE_CUTS, &older, &reason), STATUS_OK);
    struct query *borders = store_query(older, "UPDATE facts SET day_border = ?, opening_border = ?");
    query_bind_int(borders, 1, DAY_BORDER);
    query_bind_int(borders, 2, OPENING_BORDER);
    CHECK_INT(query_run(borders, NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof hours / sizeof *hours; i++) {
        struct query *q = store_query(older, "INSERT INTO restart (version, level, cell, variant, hour, evidence, found_at)"
                                             " VALUES ('v1', 3, '', '', ?, 1, 9)");
        query_bind_int(q, 1, hours[i][0]);
        CHECK_INT(query_run(q, NULL), STATUS_OK);
    }
    struct fixture f = fixture(path);
    CHECK_INT(restarts_load(f.store, "v1", &r), STATUS_OK);
    CHECK_INT(r.count, sizeof hours / sizeof *hours);
    for (size_t i = 0; i < r.count; i++)
        CHECK_INT(r.items[i].from, hours[i][1]);
    CHECK_INT(ledger_sums(f.ledger)->borders.cut_count, 5);
    restarts_done(&r);
    done(&f);
    store_close(older);
}
