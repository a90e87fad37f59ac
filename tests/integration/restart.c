/* SPDX-License-Identifier: Apache-2.0 */
/* restart.c - the bus ends and comes back under running services. */
#include <signal.h>
#include <stdlib.h>

#include "stack.h"
#include "test.h"

#define ENDED(id) "{\"call_id\":\"" id "\",\"policy_variant\":\"v1a\",\"signals\":{\"resolution\":true}}"

static double pulls(struct stack *s) { return stack_number(s, "bandit.stats", "{}", "variants.v1a.pulls"); }

TEST(integration_restart, services_outlive_the_bus_and_go_on)
{
    static const char *const services[] = {"feedback", "reward", "bandit", "guard", "router"};
    struct stack *s = stack_new("");

    if (!s)
        return;
    stack_publish(s, "call.ended", ENDED("c-1"), "");
    EVENTUALLY(pulls(s) == 1, 5000);
    for (int again = 0; again < 2; again++) {
        stack_end_nats(s, SIGTERM);
        stack_start_nats(s);
        EVENTUALLY(stack_ready(s), 20000);
    }
    stack_publish(s, "call.ended", ENDED("c-2"), "");
    EVENTUALLY(pulls(s) == 2, 20000);
    for (int i = 0; i < STACK_SERVICES; i++)
        CHECK_INT(stack_end(s, services[i], SIGTERM), 0); /* the processes of the start, and in good health */
    stack_free(s);
}
