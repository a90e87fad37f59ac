/* SPDX-License-Identifier: Apache-2.0 */
/* perm.c - who may do what, written by hand: a wrong generator is caught here. */
#include <stdlib.h>

#include "stack.h"
#include "test.h"
#include "wiring.h"

static const char *const users[] = {"init", "voice", "operator", "feedback", "reward", "bandit", "guard", "router"};
enum { INIT = 1, VOICE = 2, OPERATOR = 4, FEEDBACK = 8, REWARD = 16, BANDIT = 32, GUARD = 64, ROUTER = 128, USERS = 8 };

struct right {
    const char *subject;
    unsigned who;
};

static const struct right may_publish[] = {
    {"call.event", VOICE | OPERATOR | INIT},
    {"call.ended", VOICE | OPERATOR | INIT | ROUTER},
    {"call.amended", VOICE | OPERATOR | INIT},
    {"policy.selected", ROUTER | INIT},
    {"feedback.stored", FEEDBACK | INIT},
    {"reward.computed", REWARD | INIT},
    {"bandit.updated", BANDIT},
    {"guard.updated", GUARD},
    {"rl.dlq.feedback", FEEDBACK},
    {"rl.dlq.reward", REWARD},
    {"rl.dlq.bandit", BANDIT},
    {"rl.dlq.guard", GUARD},
    {"rl.dlq.router", ROUTER},
    {"policy.select", VOICE | OPERATOR},
    {"router.session", VOICE | OPERATOR},
    {"feedback.question", VOICE | OPERATOR},
    {"feedback.answer", VOICE | OPERATOR},
    {"feedback.stats", OPERATOR},
    {"feedback.by_policy", OPERATOR},
    {"feedback.cleanup", OPERATOR},
    {"feedback.replay", OPERATOR},
    {"feedback.erase", OPERATOR},
    {"reward.compute", OPERATOR},
    {"bandit.stats", OPERATOR},
    {"bandit.rewards", OPERATOR},
    {"bandit.reset", OPERATOR},
    {"bandit.rebuild", OPERATOR},
    {"guard.status", OPERATOR},
    {"guard.health", OPERATOR},
    {"guard.command", OPERATOR},
    {"$JS.API.STREAM.CREATE.X", INIT},
    {"$JS.API.STREAM.DELETE.CALLS", 0},
    {"$JS.API.STREAM.PURGE.CALLS", 0},
    {"$JS.API.STREAM.MSG.DELETE.CALLS", 0},
    {"$JS.API.STREAM.MSG.GET.DLQ", OPERATOR | INIT},
    {"$JS.API.STREAM.MSG.GET.CALLS", FEEDBACK | ROUTER | INIT},
    {"$JS.API.STREAM.INFO.CALLS", OPERATOR | FEEDBACK | ROUTER | INIT},
    {"$JS.API.STREAM.INFO.DECISIONS", OPERATOR | FEEDBACK | GUARD | INIT},
    {"$JS.API.CONSUMER.CREATE.CALLS", ROUTER},
    {"$JS.API.CONSUMER.CREATE.DECISIONS", ROUTER},
    {"$JS.API.CONSUMER.CREATE.FEEDBACK", 0},
    {"$JS.API.CONSUMER.CREATE.REWARDS", 0},
    {"$JS.API.CONSUMER.DELETE.CALLS.router", ROUTER | INIT},
    {"$JS.API.CONSUMER.DURABLE.CREATE.CALLS.router", ROUTER | INIT},
    {"$JS.API.CONSUMER.DURABLE.CREATE.CALLS.feedback_ended", FEEDBACK | INIT},
    {"$JS.API.CONSUMER.DURABLE.CREATE.CALLS.mine", INIT},
    {"$JS.API.CONSUMER.DURABLE.CREATE.REWARDS.bandit", BANDIT | INIT},
    {"$JS.API.CONSUMER.DELETE.REWARDS.bandit", BANDIT | INIT},
    {"$JS.ACK.CALLS.feedback_ended.1.1.1.1.0", FEEDBACK},
    {"$JS.ACK.CALLS.router.1.1.1.1.0", ROUTER},
    {"$JS.ACK.REWARDS.bandit.1.1.1.1.0", BANDIT},
    {"$JS.FC.CALLS.x.1", ROUTER},
    {"_INBOX_voice.x", FEEDBACK | ROUTER},
    {"_INBOX_operator.x", FEEDBACK | REWARD | BANDIT | GUARD | ROUTER},
    {"_INBOX_router.x", 0},
    {"anything.else", 0},
};

static const struct right may_listen[] = {
    {">", 0},
    {"_INBOX_voice.>", VOICE},
    {"_INBOX_operator.>", OPERATOR},
    {"_INBOX_feedback.>", FEEDBACK},
    {"_INBOX_router.>", ROUTER},
    {"$JS.ACK.>", 0},
    {"call.ended", OPERATOR},
    {"call.*", OPERATOR},
    {"policy.selected", OPERATOR},
    {"feedback.stored", OPERATOR},
    {"reward.computed", OPERATOR},
    {"bandit.updated", OPERATOR | GUARD | ROUTER},
    {"guard.updated", OPERATOR | ROUTER},
    {"rl.dlq.>", OPERATOR},
    {"policy.select", 0}, /* in its queue only, see below: nobody listens in */
    {"$SYS.>", 0},
};

/* A refused subject is named by the server at once; an allowed one may find nobody. */
static bool publishes(struct client *client, const char *subject)
{
    struct client_message reply;
    struct reason reason;
    struct arena arena = {0};
    enum status status = client_request(client, &arena, subject, "x", 1, 150, &reply, &reason);

    arena_done(&arena);
    return status != STATUS_DENIED;
}

static bool listens(struct client *client, const char *subject)
{
    struct reason reason;

    return client_listen(client, subject, &reason) != STATUS_DENIED;
}

static void check(struct stack *s, const struct right *rights, size_t count, bool (*can)(struct client *, const char *), const char *what)
{
    for (size_t u = 0; u < USERS; u++)
        for (size_t i = 0; i < count; i++) {
            struct client *client = stack_client(s, users[u]);
            bool may = (rights[i].who >> u & 1) != 0, does = client && can(client, rights[i].subject);
            if (may != does)
                test_fail(__FILE__, __LINE__, "%s %s %s: %s", users[u], what, rights[i].subject, may ? "must be possible" : "must be refused");
            client_free(client);
        }
}

TEST(integration_perm, matrix)
{
    struct stack *s = stack_new_bare();

    if (test_failed()) {
        stack_free(s);
        return;
    }
    for (enum subject i = 0; i < SUBJECT_COUNT; i++) { /* no subject is missing above */
        bool named = false;
        for (size_t k = 0; k < sizeof may_publish / sizeof *may_publish; k++)
            named |= strcmp(may_publish[k].subject, subject_table[i].name) == 0;
        if (!named)
            test_fail(__FILE__, __LINE__, "%s is not in the matrix", subject_table[i].name);
    }
    check(s, may_publish, sizeof may_publish / sizeof *may_publish, publishes, "publishing to");
    check(s, may_listen, sizeof may_listen / sizeof *may_listen, listens, "listening to");
    stack_free(s);
}
