/* SPDX-License-Identifier: Apache-2.0 */
/* simulation.c - rl-sim as a person starts it, without a bus. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "arena.h"
#include "test.h"

static int simulate(const char *options)
{
    struct arena arena = {0};
    int status = system(arena_printf(&arena, "cd %s && env -u RL_CONFIG RL_VARIANTS_PATH=%s/docs/policies/prompt_variants.yaml %s/bin/rl-sim --in-process --json %s"
                                             " >out.json 2>err.txt", test_dir(), RL_SOURCE_DIR, RL_BINARY_DIR, options));

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
