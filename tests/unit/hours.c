/* SPDX-License-Identifier: Apache-2.0 */
/* hours.c - the buckets of a simulated clock lose no reward, stay few, and forget what came before a change. */
#include "hours.h"

#include "test.h"

enum { PACE = 4 };

static const struct moments one = {1, 0.5, 0.25};

static double in_buckets(const struct hours *h, size_t pair)
{
    double n = 0;

    for (size_t i = 0; i < h->count; i++)
        n += h->buckets[i * h->cells * h->variants + pair].n;
    return n;
}

static void live(struct hours *h, long from, long to)
{
    for (long call = from; call < to; call++) {
        if (call / PACE != h->now)
            hours_turn(h, call / PACE);
        CHECK(hours_add(h, call, 0, &one));
    }
}

TEST(unit_hours, ten_years_are_kept_in_days_and_hours_and_one_opening_bucket)
{
    struct hours h;
    long calls = 10L * 365 * 24 * PACE;

    hours_init(&h, 1, 2, PACE);
    live(&h, 0, calls);
    CHECK(h.count <= 72 + 1 + 181 + 1 + 1);
    CHECK_NEAR(in_buckets(&h, 0), (double)calls, 0);
    CHECK_NEAR(h.own[0].n, (double)calls, 0);
    CHECK_NEAR(h.own[1].n, 0, 0);
    for (size_t i = 1; i < h.count; i++)
        CHECK(h.starts[i] > h.starts[i - 1]);
    CHECK_INT(h.starts[h.count - 1] - h.starts[h.count - 73], 72);
    hours_done(&h);
}

TEST(unit_hours, what_came_before_is_forgotten_and_comes_back_no_more_however_late)
{
    struct hours h;

    hours_init(&h, 1, 2, PACE);
    live(&h, 0, 50 * PACE);
    hours_forget(&h, 0, 30 * PACE);
    CHECK_NEAR(h.own[0].n, 20 * PACE, 0);
    CHECK_NEAR(h.counted, 20 * PACE, 0);
    CHECK(!hours_add(&h, 30 * PACE - 1, 0, &one));
    CHECK(hours_add(&h, 30 * PACE - 1, 1, &one)); /* of another variant nothing was forgotten */
    CHECK(hours_add(&h, 30 * PACE, 0, &one));
    CHECK_NEAR(h.own[0].n, 20 * PACE + 1, 0);
    CHECK_NEAR(in_buckets(&h, 0), 20 * PACE + 1, 0);
    hours_forget(&h, 0, 10 * PACE); /* an earlier border changes nothing */
    CHECK(!hours_add(&h, 20 * PACE, 0, &one));
    hours_done(&h);
}

TEST(unit_hours, a_late_reward_is_put_into_the_hour_of_its_call)
{
    struct hours h;

    hours_init(&h, 1, 1, PACE);
    live(&h, 0, 10 * PACE);
    CHECK(hours_add(&h, 3 * PACE + 1, 0, &one));
    CHECK_NEAR(h.buckets[3].n, PACE + 1, 0);
    CHECK_NEAR(h.buckets[9].n, PACE, 0);
    hours_done(&h);
}

TEST(unit_hours, a_change_is_forgotten_from_its_hour_on_and_reported_as_the_first_call_that_counts)
{
    struct detect_settings settings = {.delta = 2e-4, .variance = 0.2};
    struct found found[DETECT_MOST];
    struct hours h;

    hours_init(&h, 1, 1, PACE);
    for (long call = 0; call < 160; call++) {
        double x = (call < 80 ? 0.5 : -0.5) + (call % 2 ? 0.3 : -0.3);
        if (call / PACE != h.now)
            hours_turn(&h, call / PACE);
        CHECK(hours_add(&h, call, 0, &(struct moments){1, x, x * x}));
    }
    CHECK_INT(hours_restart(&h, &settings, found), 1);
    CHECK_INT(found[0].change.since, 80);
    CHECK_NEAR(h.own[0].n, 80, 0);
    CHECK_NEAR(h.own[0].sum / h.own[0].n, -0.5, 1e-12);
    CHECK_INT(hours_restart(&h, &settings, found), 0);
    hours_done(&h);
}

TEST(unit_hours, a_call_that_is_a_half_life_old_counts_half)
{
    struct hours h;

    hours_init(&h, 1, 1, PACE);
    CHECK(hours_add(&h, 0, 0, &one));
    hours_turn(&h, 48);
    hours_age(&h, 2);
    CHECK_NEAR(h.own[0].n, 0.5, 1e-12);
    CHECK_NEAR(h.own[0].sum, 0.25, 1e-12);
    CHECK_NEAR(h.counted, 0.5, 1e-12);
    hours_done(&h);
}

TEST(unit_hours, what_counts_of_the_day_of_a_change_is_kept_when_its_hours_fold)
{
    struct hours h;

    hours_init(&h, 1, 2, PACE);
    live(&h, 0, 50 * PACE);
    hours_forget(&h, 0, 40 * PACE); /* 16 h into a day */
    for (long hour = 50; hour < 24 * 400; hour++)
        hours_turn(&h, hour);
    CHECK_NEAR(in_buckets(&h, 0), 10 * PACE, 0);
    CHECK(hours_add(&h, 40 * PACE, 0, &one));
    CHECK_NEAR(in_buckets(&h, 0), 10 * PACE + 1, 0);
    hours_age(&h, 1e9);
    CHECK_NEAR(h.own[0].n, 10 * PACE + 1, 1e-3);
    hours_done(&h);
}
