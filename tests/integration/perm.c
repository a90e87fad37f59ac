/* SPDX-License-Identifier: Apache-2.0 */
/* perm.c - who may do what, written by hand: a wrong generator is caught here. */
#include <stdlib.h>
#include <string.h>

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
    {"call.amended", VOICE | OPERATOR | INIT | FEEDBACK},
    {"policy.selected", ROUTER | INIT},
    {"feedback.stored", FEEDBACK | INIT},
    {"reward.computed", REWARD | INIT},
    {"bandit.updated", BANDIT},
    {"bandit.changed", BANDIT | INIT},
    {"guard.updated", GUARD},
    {"rl.dlq.feedback", FEEDBACK},
    {"rl.dlq.reward", REWARD},
    {"rl.dlq.bandit", BANDIT},
    {"rl.dlq.guard", GUARD},
    {"rl.dlq.router", ROUTER},
    {"policy.select", VOICE | OPERATOR},
    {"router.session", VOICE | OPERATOR},
    {"router.forget", OPERATOR},
    {"feedback.question", VOICE | OPERATOR},
    {"feedback.answer", VOICE | OPERATOR},
    {"feedback.stats", OPERATOR},
    {"feedback.by_policy", OPERATOR},
    {"feedback.query", OPERATOR},
    {"feedback.cleanup", OPERATOR},
    {"feedback.replay", OPERATOR},
    {"feedback.erase", OPERATOR},
    {"feedback.export", OPERATOR},
    {"reward.compute", OPERATOR},
    {"bandit.stats", OPERATOR},
    {"bandit.rewards", OPERATOR},
    {"bandit.reset", OPERATOR},
    {"bandit.rebuild", OPERATOR},
    {"bandit.versions", OPERATOR},
    {"bandit.switch", OPERATOR},
    {"guard.status", OPERATOR},
    {"guard.health", OPERATOR},
    {"guard.command", OPERATOR},
    {"$JS.API.STREAM.CREATE.X", INIT},
    {"$JS.API.STREAM.DELETE.CALLS", 0},
    {"$JS.API.STREAM.PURGE.CALLS", 0},
    {"$JS.API.STREAM.MSG.DELETE.CALLS", FEEDBACK},
    {"$JS.API.STREAM.MSG.DELETE.DECISIONS", FEEDBACK},
    {"$JS.API.STREAM.MSG.DELETE.FEEDBACK", FEEDBACK},
    {"$JS.API.STREAM.MSG.DELETE.REWARDS", FEEDBACK},
    {"$JS.API.STREAM.MSG.DELETE.DLQ", FEEDBACK},
    {"$JS.API.STREAM.MSG.DELETE.BANDIT", 0},
    {"$JS.API.STREAM.MSG.DELETE.GUARD", 0},
    {"$JS.API.STREAM.MSG.GET.DLQ", OPERATOR | FEEDBACK | INIT},
    {"$JS.API.STREAM.MSG.GET.REWARDS", FEEDBACK | BANDIT | INIT},
    {"$JS.API.CONSUMER.INFO.REWARDS.bandit", OPERATOR | FEEDBACK | BANDIT | INIT},
    {"$JS.API.CONSUMER.INFO.CALLS.router", OPERATOR | FEEDBACK | ROUTER | INIT},
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
    {"bandit.changed", OPERATOR},
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

/* Streams and inboxes by the names that they have in this loop; the client itself puts the prefix before subjects. */
static const char *own_name(struct stack *s, const char *subject)
{
    char wire[64], *copy = arena_str(&s->arena, subject), *rest = NULL;
    const char *name = "";

    if (strncmp(subject, "_INBOX_", 7) == 0) {
        wire_user(s->prefix, subject + 7, wire);
        return arena_printf(&s->arena, "_INBOX_%s", wire);
    }
    if (subject[0] != '$')
        return subject;
    for (char *token = strtok_r(copy, ".", &rest); token; token = strtok_r(NULL, ".", &rest)) {
        for (enum stream i = 0; i < STREAM_COUNT; i++)
            if (strcmp(token, stream_table[i].name) == 0) {
                wire_stream(s->prefix, i, wire);
                token = wire;
                break;
            }
        name = arena_printf(&s->arena, "%s%s%s", name, name[0] ? "." : "", token);
    }
    return name;
}

static void check(struct stack *s, const struct right *rights, size_t count, bool (*can)(struct client *, const char *),
                  const char *what)
{
    for (size_t u = 0; u < USERS; u++)
        for (size_t i = 0; i < count; i++) {
            struct client *client = stack_client(s, users[u]);
            bool may = (rights[i].who >> u & 1) != 0, does = client && can(client, own_name(s, rights[i].subject));
            if (may != does)
                test_fail(__FILE__, __LINE__, "%s %s %s: %s", users[u], what, rights[i].subject,
                          may ? "must be possible" : "must be refused");
            client_free(client);
        }
}

static void check_matrix(struct stack *s)
{
    check(s, may_publish, sizeof may_publish / sizeof *may_publish, publishes, "publishing to");
    check(s, may_listen, sizeof may_listen / sizeof *may_listen, listens, "listening to");
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
    check_matrix(s);
    stack_free(s);
}

TEST(integration_perm, the_sandbox_has_the_same_matrix_under_its_own_names)
{
    struct stack *s = stack_new_bare(), *sandbox = stack_new_sandbox_bare(s);

    if (!test_failed())
        check_matrix(sandbox);
    stack_free(sandbox);
    stack_free(s);
}

/* No user of a loop may touch a subject as the loop with `prefix` calls it. */
static void check_strangers(struct stack *s, const char *prefix)
{
    char name[128];

    for (size_t u = 0; u < USERS; u++)
        for (enum subject i = 0; i < SUBJECT_COUNT; i++) {
            struct client *client = stack_client_saying(s, users[u], "");
            wire_subject(prefix, i, name);
            if (!client || publishes(client, name) || listens(client, name))
                test_fail(__FILE__, __LINE__, "%s%s touches %s", s->prefix, users[u], name);
            client_free(client);
        }
}

TEST(integration_perm, neither_loop_touches_a_subject_of_the_other)
{
    struct stack *s = stack_new_bare(), *sandbox = stack_new_sandbox_bare(s);

    if (!test_failed()) {
        check_strangers(s, SANDBOX_PREFIX);
        check_strangers(sandbox, "");
    }
    stack_free(sandbox);
    stack_free(s);
}

