/* SPDX-License-Identifier: Apache-2.0 */
/* simulation.c - rl-sim as a person starts it, without a bus and over one. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "stack.h"
#include "test.h"

static int simulate(const char *options)
{
    struct arena arena = {0};
    int status = system(arena_printf(&arena, "cd %s && env -u RL_CONFIG RL_VARIANTS_PATH=%s/docs/policies/prompt_variants.yaml"
                                             " %s/bin/rl-sim --in-process --json %s >out.json 2>err.txt", test_dir(),
                                     RL_SOURCE_DIR, RL_BINARY_DIR, options));

    arena_done(&arena);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(integration_simulation, rl_sim_runs_in_process_with_the_settings_of_the_services)
{
    struct arena arena = {0};
    const char *prior = arena_printf(&arena, "%s/prior.yaml", test_dir());
    FILE *f = fopen(prior, "w");

    fputs("variants:\n  v2b: {mean: 0.5, calls: 10}\n", f);
    fclose(f);
    unsetenv("RL_BANDIT_PRIOR_PATH");
    CHECK_INT(simulate("--calls 200"), 0);
    setenv("RL_BANDIT_PRIOR_PATH", prior, 1);
    CHECK_INT(simulate("--calls 200"), 0);
    setenv("RL_BANDIT_PRIOR_PATH", "/nowhere.yaml", 1);
    CHECK(simulate("--calls 200") > 0);
    unsetenv("RL_BANDIT_PRIOR_PATH");
    arena_done(&arena);
}

static int same(const char *file, const char *other)
{
    struct arena arena = {0};
    int status = system(arena_printf(&arena, "cd %s && test -s %s && cmp -s %s %s", test_dir(), file, file, other));

    arena_done(&arena);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(integration_simulation, the_same_seed_writes_the_same_files_whatever_happens_to_reports)
{
    const char *way = "--calls 1500 --environment swap --seed 5 --lose 0.1 --duplicate 0.2 --reorder 20 --delay 1 --rate 100"
                      " --calls-per-hour 20";
    struct arena arena = {0};

    unsetenv("RL_BANDIT_PRIOR_PATH");
    CHECK_INT(simulate(arena_printf(&arena, "%s --csv a.csv --svg a.svg", way)), 0);
    CHECK_INT(simulate(arena_printf(&arena, "%s --csv b.csv --svg b.svg", way)), 0);
    CHECK(same("a.csv", "b.csv") && same("a.svg", "b.svg"));
    CHECK_INT(simulate(arena_printf(&arena, "%s --svg /nonexistent/a.svg", way)), 1);
    arena_done(&arena);
}

/* What the bandit then finds in such hours, and says, is in change.c. */
TEST(integration_simulation, calls_over_the_bus_that_say_when_they_ended_are_filed_under_the_hours_of_days)
{
    enum { AN_HOUR = 12 * 20 }; /* variants and kinds of callers */
    struct stack *s = stack_new("");

    if (!s)
        return;
    int status = system(arena_printf(&s->arena, "%s/bin/rl-sim --calls 1500 --rate 0 --calls-per-hour 20 --json >%s/sim.json",
                                     RL_BINARY_DIR, s->dir));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(stack_number(s, "bandit.rebuild", "{\"check\":true}", "buckets") > 2 * AN_HOUR);
    stack_free(s);
}
