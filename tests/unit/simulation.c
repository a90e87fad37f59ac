/* SPDX-License-Identifier: Apache-2.0 */
/* simulation.c - the callers of rl-sim, and whether the cores find out what they prefer. */
#include <stdlib.h>

#include "lab.h"
#include "sim.h"
#include "test.h"

static const struct reward_rules v1 = {.resolution_weight = 0.6, .rating_weight = 0.2, .barge_in_weight = 0.1, .repeat_weight = 0.1,
                                       .handover_weight = 0.1, .barge_in_cap = 3, .repeat_cap = 3, .duration_target_sec = 180,
                                       .duration_bound = 0.2, .duration_term = DURATION_LINEAR};

TEST(unit_callers, the_same_seed_gives_the_same_world)
{
    struct callers *a = callers_new(5, 12), *b = callers_new(5, 12), *other = callers_new(6, 12);

    CHECK(memcmp(a->solved, b->solved, CALLER_CELLS * 12 * sizeof *a->solved) == 0);
    CHECK(memcmp(a->solved, other->solved, CALLER_CELLS * 12 * sizeof *a->solved) != 0);
    callers_free(a);
    callers_free(b);
    callers_free(other);
}

TEST(unit_callers, the_truth_is_the_mean_reward_of_many_calls)
{
    struct callers *c = callers_new(1, 4);
    struct rng rng = rng_seed(11);
    struct reward_parts parts;
    double sum = 0;
    int calls = 200000;

    callers_value(c, &v1);
    for (int i = 0; i < calls; i++) {
        struct signals s = callers_call(c, 7, 2, &rng);
        reward_compute(&v1, &s, &parts);
        sum += parts.total;
    }
    CHECK_NEAR(sum / calls, callers_truth(c, 7, 2), 4 * 0.46 / sqrt(calls) + 0.002);
    callers_free(c);
}

TEST(unit_callers, contexts_come_by_their_traffic_and_four_in_ten_rate)
{
    struct callers *c = callers_new(1, 2);
    struct rng rng = rng_seed(12);
    int calls = 100000, first = 0, rated = 0;
    double traffic = 0;

    for (size_t cell = 0; cell < CALLER_CELLS; cell++)
        traffic += c->traffic[cell];
    for (int i = 0; i < calls; i++) {
        size_t cell = callers_arrive(c, &rng);
        struct signals s = callers_call(c, cell, 0, &rng);
        first += cell == 0;
        rated += s.user_rating > 0;
        CHECK(s.user_rating <= 5 && s.barge_in_count <= 10 && s.repeats <= 5 && s.duration_sec >= 0 && s.duration_sec <= 3600);
    }
    CHECK_NEAR(traffic, 1, 1e-12);
    CHECK_NEAR((double)first / calls, 0.3 * 0.35, 0.005);
    CHECK_NEAR((double)rated / calls, 0.4, 0.01);
    callers_free(c);
}

TEST(unit_callers, a_spoiled_variant_is_worse_in_every_context_and_no_other_is)
{
    struct callers *c = callers_new(1, 3);
    double before[CALLER_CELLS][3];

    callers_value(c, &v1);
    memcpy(before, c->truth, sizeof before);
    callers_spoil(c, 1, 0.3);
    callers_value(c, &v1);
    for (size_t cell = 0; cell < CALLER_CELLS; cell++) {
        CHECK(callers_truth(c, cell, 1) < before[cell][1]);
        CHECK_NEAR(callers_truth(c, cell, 0), before[cell][0], 0);
        CHECK_NEAR(callers_truth(c, cell, 2), before[cell][2], 0);
    }
    callers_free(c);
}

static double mean_of(const struct sim *s, long from, long to)
{
    double sum = 0;

    for (long i = from; i < to; i++)
        sum += (double)s->served[i].truth;
    return sum / (double)(to - from);
}

static void prepare(struct sim *s, long seed)
{
    struct reason reason;

    *s = (struct sim){.options = {.calls = 20000, .refresh = 100, .seed = seed, .in_process = true, .json = true, .name = "test",
                                  .environment = environments},
                      .rules = v1, .guard = {.floor = 0.002, .parole_cap = 0.01, .uncertainty_half_width = 0.15},
                      .model = {.belief.beta.shrinkage = 20, .belief.model = MODEL_LINEAR, .explore = EXPLORE_DEFAULTS, .reward_version = "v1"}};
    CHECK(variants_load(&s->arena, RL_SOURCE_DIR "/docs/policies/prompt_variants.yaml", &s->variants, &reason) == STATUS_OK);
}

static void run(struct sim *s, long seed, bool drift)
{
    prepare(s, seed);
    s->options.drift = drift;
    CHECK(sim_run(s));
}

TEST(unit_simulation, the_cores_find_what_callers_prefer_and_no_decision_exceeds_a_cap)
{
    static const long seeds[] = {2, 5, 7, 8}; /* worlds in which base is far from the best */

    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        struct sim s;
        run(&s, seeds[i], false);
        double best = s.best_truth / 20000, base = s.base_truth / 20000, last = mean_of(&s, 15000, 20000);
        CHECK(sim_sound(&s) && !s.exceeded);
        CHECK(last > base - 0.02);
        CHECK((last - base) > 0.4 * (best - base));
        CHECK(s.served[0].capped & 1 << LIMIT_NEW);
        CHECK(s.served[0].share[LIMIT_NEW] <= 0.1F);
        sim_done(&s);
    }
}

TEST(unit_simulation, what_is_learned_of_a_variant_covers_its_truth)
{
    struct sim s;
    int covered = 0;

    run(&s, 2, false);
    for (size_t v = 0; v < s.variants.count; v++)
        covered += fabs(s.lines[v].mean - callers_overall(s.callers, v)) <= s.lines[v].half_width + 0.02;
    CHECK(covered >= (int)s.variants.count - 1);
    sim_done(&s);
}

TEST(unit_simulation, after_a_drift_traffic_leaves_the_variant_that_turned_bad)
{
    struct sim s;
    long before = 0, after = 0;

    run(&s, 2, true);
    for (long i = 9000; i < 10000; i++)
        before += s.served[i].variant == s.spoiled;
    for (long i = 19000; i < 20000; i++)
        after += s.served[i].variant == s.spoiled;
    CHECK(before > 300);
    CHECK(after < before / 2);
    sim_done(&s);
}

/* ---- environments and the way of reports ---- */

TEST(unit_environments, a_seed_is_the_world_of_that_run_in_the_laboratory)
{
    static const char *const names[] = {"structured", "no-structure", "no-context"};
    static const char *const cases[] = {"structured, 5000", "no structure", "no context"};

    for (size_t i = 0; i < 3; i++) {
        struct callers *c = environment_callers(environment_find(names[i]), 5, ENVIRONMENT_VARIANTS);
        struct world *w = world_new(lab_case_find("B6", cases[i]), 5);
        CHECK(memcmp(c->solved, w->solved, CALLER_CELLS * ENVIRONMENT_VARIANTS * sizeof *c->solved) == 0);
        callers_value(c, &v1);
        CHECK_NEAR(callers_truth(c, 7, 3), 2 * w->mean[7 * ENVIRONMENT_VARIANTS + 3] - 1, 0.01);
        callers_free(c);
        world_free(w);
    }
    CHECK(environment_find("paradise") == NULL);
    CHECK(environment_callers(environment_find("structured"), 5, 3) == NULL);
}

TEST(unit_environments, profiles_that_swap_have_the_tastes_of_each_other)
{
    struct callers *c = environment_callers(environment_find("swap"), 1, ENVIRONMENT_VARIANTS);
    double first = c->solved[2], second = c->solved[CALLER_TIMES * ENVIRONMENT_VARIANTS + 2];
    double last = c->solved[(CALLER_CELLS - 1) * ENVIRONMENT_VARIANTS];

    callers_swap(c, 0, 1);
    CHECK_NEAR(c->solved[2], second, 0);
    CHECK_NEAR(c->solved[CALLER_TIMES * ENVIRONMENT_VARIANTS + 2], first, 0);
    CHECK_NEAR(c->solved[(CALLER_CELLS - 1) * ENVIRONMENT_VARIANTS], last, 0);
    callers_free(c);
}

TEST(unit_way, reports_are_lost_repeated_and_shuffled_within_their_window)
{
    enum { CALLS = 20000, WINDOW = 40 };
    struct way w = {.lost = 0.2, .duplicated = 0.1, .reorder = WINDOW, .rng = rng_seed(3)};
    int came[CALLS] = {0}, lost = 0, twice = 0, early = 0;
    const long *left = NULL;

    for (long call = 0; call < CALLS; call++) {
        lost += !way_send(&w, call);
        size_t count = way_take(&w, call == CALLS - 1, &left);
        CHECK(count == 0 || call % WINDOW == WINDOW - 1);
        for (size_t i = 0; i < count; i++) {
            came[left[i]]++;
            early += i > 0 && left[i] < left[i - 1];
            CHECK(left[i] > call - WINDOW && left[i] <= call);
        }
    }
    int never = 0;
    for (int i = 0; i < CALLS; i++) {
        never += came[i] == 0;
        twice += came[i] == 2;
    }
    CHECK_INT(never, lost);
    CHECK_NEAR((double)lost / CALLS, 0.2, 0.015);
    CHECK_NEAR((double)twice / CALLS, 0.08, 0.01);
    CHECK(early > CALLS / 4);
    way_done(&w);
}

TEST(unit_simulation, whatever_happens_to_reports_each_is_learned_once)
{
    struct sim s;

    prepare(&s, 3);
    s.options = (struct sim_options){.calls = 8000, .refresh = 100, .seed = 3, .rate = 100, .in_process = true, .json = true, .name = "test",
                                     .environment = environment_find("swap"), .lost = 0.1, .duplicated = 0.3, .reorder = 25, .delay = 2};
    CHECK(sim_run(&s));
    CHECK(sim_sound(&s));
    CHECK_NEAR((double)s.lost, 800, 120);
    CHECK_NEAR((double)s.repeated, 0.3 * 7200, 250);
    CHECK_INT(s.learned + s.lost, 8000);
    sim_done(&s);
}

TEST(unit_simulation, cumulative_regret_is_written_as_csv)
{
    struct sim s;
    char path[300], line[200] = "";
    double regret = 0, base = 0, sum = 0;
    long calls = 0;
    size_t restarts = 1;

    prepare(&s, 3);
    s.options.calls = 1500;
    s.options.environment = environment_find("structured");
    CHECK(sim_run(&s));
    snprintf(path, sizeof path, "%s/regret.csv", test_dir());
    CHECK(sim_write_csv(&s, path));
    CHECK(!sim_write_csv(&s, "/nonexistent/regret.csv"));
    FILE *f = fopen(path, "r");
    CHECK(f && fgets(line, sizeof line, f));
    CHECK_STR(line, "environment,seed,calls,regret,regret_always_base,restarts\n");
    while (fgets(line, sizeof line, f))
        CHECK_INT(sscanf(line, "structured,3,%ld,%lf,%lf,%zu", &calls, &regret, &base, &restarts), 4);
    fclose(f);
    for (long i = 0; i < 1500; i++)
        sum += (double)s.served[i].best - (double)s.served[i].truth;
    CHECK_INT(calls, 1500);
    CHECK_INT(restarts, 0);
    CHECK_NEAR(regret, sum, 1e-3);
    CHECK_NEAR(base, s.best_truth - s.base_truth, 1e-2);
    CHECK(regret < base);
    sim_done(&s);
}

/* ---- changes of the world ---- */

/* As the product ships, but without the guard's caps. */
static void watch(struct sim *s, const char *environment, long seed, long calls)
{
    prepare(s, seed);
    s->model.change_delta = 2e-4;
    s->options.environment = environment_find(environment);
    s->options.calls = calls;
}

static double regret_of(const struct sim *s, long from, long to)
{
    double sum = 0;

    for (long i = from; i < to; i++)
        sum += (double)s->served[i].best - (double)s->served[i].truth;
    return sum / (double)(to - from);
}

TEST(unit_simulation, a_variant_that_turns_bad_is_found_within_ten_hours_and_regret_falls_to_what_it_was)
{
    for (long seed = 1; seed <= 2; seed++) {
        struct sim s;
        watch(&s, "demo", seed, 10000);
        s.options.drift = true;
        CHECK(sim_run(&s));
        CHECK(s.restart_count >= 1);
        const struct sim_restart *r = &s.restarts[0];
        CHECK(r->call > 5000 && r->call <= 5000 + 10 * HOUR_CALLS);
        if (r->what.level != DETECT_ALL) /* nearly all callers got it */
            CHECK_STR(r->what.variant, s.variants.items[s.spoiled].id);
        CHECK_STR(r->what.cell, "");
        CHECK(r->since >= 5000 - HOUR_CALLS && r->since <= r->call);
        CHECK(r->what.before - r->what.after > 0.2);
        CHECK(regret_of(&s, 9000, 10000) < regret_of(&s, 4000, 5000) + 0.03);
        sim_done(&s);
    }
}

TEST(unit_simulation, without_the_detector_what_was_learned_before_a_change_costs_for_long)
{
    struct sim with, without;

    watch(&with, "demo", 2, 10000);
    with.options.drift = true;
    CHECK(sim_run(&with));
    watch(&without, "demo", 2, 10000);
    without.options.drift = true;
    without.model.change_delta = 0;
    CHECK(sim_run(&without));
    CHECK_INT(without.restart_count, 0);
    CHECK(regret_of(&with, 5000, 10000) < 0.5 * regret_of(&without, 5000, 10000));
    CHECK_NEAR(regret_of(&with, 0, 5000), regret_of(&without, 0, 5000), 1e-12); /* until then nothing differs */
    sim_done(&with);
    sim_done(&without);
}

TEST(unit_simulation, profiles_that_swap_are_found_out_no_other_is_named_and_regret_falls_to_what_it_was)
{
    struct sim s;

    watch(&s, "swap", 3, 20000);
    CHECK(sim_run(&s));
    CHECK(s.restart_count >= 1);
    CHECK(s.restarts[0].call > 10000 && s.restarts[0].call < 13000);
    for (size_t i = 0; i < s.restart_count; i++) {
        const char *cell = s.restarts[i].what.cell;
        CHECK(!cell[0] || strncmp(cell, "kfz/", 4) == 0 || strncmp(cell, "it/", 3) == 0);
    }
    CHECK(regret_of(&s, 18000, 20000) < regret_of(&s, 8000, 10000) + 0.01);
    sim_done(&s);
}

TEST(unit_simulation, where_nothing_changes_nothing_is_found)
{
    static const char *const quiet[] = {"demo", "structured", "no-structure", "no-context"};

    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++) {
        struct sim s;
        watch(&s, quiet[i], 4, 4000);
        s.options.calls_per_hour = 20;
        CHECK(sim_run(&s));
        CHECK_INT(s.restart_count, 0);
        sim_done(&s);
    }
}

static long read_all(const char *path, char *ret, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(ret, 1, size - 1, f) : 0;

    ret[n] = '\0';
    if (f)
        fclose(f);
    return (long)n;
}

TEST(unit_simulation, the_same_seed_writes_the_same_table_and_picture_and_a_change_is_in_both)
{
    static char tables[2][60000], pictures[2][30000];

    for (int i = 0; i < 2; i++) {
        struct sim s;
        char csv[300], svg[300];
        watch(&s, "demo", 6, 4000);
        s.options.drift = true;
        CHECK(sim_run(&s));
        snprintf(csv, sizeof csv, "%s/%d.csv", test_dir(), i);
        snprintf(svg, sizeof svg, "%s/%d.svg", test_dir(), i);
        CHECK(sim_write_csv(&s, csv) && sim_write_svg(&s, svg));
        CHECK(!sim_write_svg(&s, "/nonexistent/regret.svg"));
        CHECK(read_all(csv, tables[i], sizeof tables[i]) > 1000);
        CHECK(read_all(svg, pictures[i], sizeof pictures[i]) > 1000);
        CHECK(s.restart_count >= 1);
        sim_done(&s);
    }
    CHECK_STR(tables[0], tables[1]);
    CHECK_STR(pictures[0], pictures[1]);
    CHECK(strncmp(pictures[0], "<svg ", 5) == 0 && strstr(pictures[0], "</svg>\n"));
    CHECK(strstr(pictures[0], "always v1a: ") && strstr(pictures[0], "stroke-dasharray"));
    const char *last = strrchr(tables[0], ',');
    CHECK(last && atoi(last + 1) >= 1);
}

/* ---- calls over the bus that say they were in the past ---- */

TEST(unit_past, calls_end_at_their_pace_until_now_and_what_is_said_twice_is_noted_once)
{
    struct sim s = {.options = {.calls = 1000, .calls_per_hour = 50}};
    struct arena arena = {0};
    char text[300];

    past_begin(&s, (wall_time){(int64_t)7200000 * 1000000});
    CHECK_NEAR(past_end(&s, 0), 7200000 - 20 * 3600, 1e-6);
    CHECK_NEAR(past_end(&s, 1000), 7200000, 1e-6);
    snprintf(text, sizeof text, "{\"level\":\"cell\",\"context\":{\"profile\":\"kfz\",\"time_of_day\":\"night\"},\"since\":%d,\"evidence\":2.5,"
                                "\"mean_before\":0.5,\"mean_after\":0.25}", 7200000 - 10 * 3600);
    struct client_message m = {.data = (const uint8_t *)text, .size = strlen(text)};
    past_heard(&s, &arena, &m, 700);
    past_heard(&s, &arena, &m, 800);
    CHECK_INT(s.restart_count, 1);
    CHECK_INT(s.restarts[0].call, 700);
    CHECK_INT(s.restarts[0].since, 500);
    CHECK_INT(s.restarts[0].what.level, DETECT_CELL);
    CHECK_STR(s.restarts[0].what.cell, "kfz/night");
    CHECK_NEAR(s.restarts[0].what.after, 0.25, 0);
    free(s.restarts);
    arena_done(&arena);
}
