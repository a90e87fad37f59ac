/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c - a snapshot says everything, so an older one must never come after a younger one. */
#include <stdio.h>
#include <stdlib.h>

#include "test.h"
#include "world.h"

enum { CALLS = 40, TURN_US = 100000, TURNS = 13 };

static void end_call(struct world *w, int number)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;
    char id[24];

    snprintf(id, sizeof id, "snapshot-%d", number);
    m.call_id = id;
    m.has_policy_variant_case = TOM__RL__V1__CALL_ENDED__HAS_POLICY_VARIANT_POLICY_VARIANT;
    m.policy_variant = (char *)"v1a";
    s.has_resolution_case = TOM__RL__V1__SIGNALS__HAS_RESOLUTION_RESOLUTION;
    s.resolution = true;
    m.signals = &s;
    sim_publish(w->sim, SUBJECT_CALL_ENDED, &m.base, "");
}

/* Calls that the stream's last snapshot knows of. */
static int64_t known(struct world *w)
{
    size_t stored = sim_stored(w->sim, SUBJECT_BANDIT_UPDATED);
    const BanditUpdated *m = stored ? (const BanditUpdated *)sim_message(w->sim, SUBJECT_BANDIT_UPDATED, stored - 1) : NULL;
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
