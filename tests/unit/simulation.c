/* SPDX-License-Identifier: Apache-2.0 */
/* simulation.c - the callers of rl-sim, and whether the cores find out what they prefer. */
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

static void run(struct sim *s, long seed, bool drift)
{
    struct reason reason;

    *s = (struct sim){.options = {.calls = 20000, .refresh = 100, .seed = seed, .in_process = true, .json = true, .drift = drift, .name = "test"}, .rules = v1,
                      .guard = {.floor = 0.002, .parole_cap = 0.01, .uncertainty_half_width = 0.15}, .model = {.belief.beta.shrinkage = 20, .belief.model = MODEL_LINEAR, .explore = EXPLORE_DEFAULTS, .reward_version = "v1"}};
    CHECK(variants_load(&s->arena, RL_SOURCE_DIR "/docs/policies/prompt_variants.yaml", &s->variants, &reason) == STATUS_OK);
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
