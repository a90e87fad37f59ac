/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - a snapshot says everything, so an older one must never come after a younger one. */
#include <stdio.h>
#include <stdlib.h>

#include "talk.h"
#include "test.h"

enum { CALLS = 40, TURN_US = 100000, TURNS = 13 };

static void end_call(struct world *w, int number)
{
    char id[24];

    snprintf(id, sizeof id, "snapshot-%d", number);
    tell_end(w, &(struct told_end){.id = id, .variant = "v1a", .resolved = true});
}

/* Calls that the stream's last snapshot knows of. */
static int64_t known(struct world *w)
{
    const BanditUpdated *m = (const BanditUpdated *)sim_last(w->sim, SUBJECT_BANDIT_UPDATED);
    int64_t n = 0;

    for (size_t i = 0; m && i < m->n_totals; i++)
        n += m->totals[i]->n;
    return n;
}

TEST(sim_snapshot, what_was_lost_is_not_said_again_over_what_is_newer)
{
    for (uint64_t seed = 1; seed <= 10 && !test_failed(); seed++) {
        struct world *w = world_new(300 + seed);
        const struct sim_chaos chaos = {.lose = 0.4};
        int64_t most = 0;

        sim_set_chaos(w->sim, &chaos);
        for (int i = 0; i < CALLS && !test_failed(); i++) {
            end_call(w, i);
            for (int turn = 0; turn < TURNS; turn++) {
                world_run(w, TURN_US);
                CHECK(known(w) >= most);
                most = known(w);
            }
        }
        sim_set_chaos(w->sim, NULL);
        world_run(w, 30000000);
        CHECK_INT(known(w), CALLS);
        world_free(w);
    }
}
