/* SPDX-License-Identifier: Apache-2.0 */
/* stack.h - a whole private system for a test: real server, rl-init, the real programs, real files below test_dir().
 *
 * Everything listens on free ports of 127.0.0.1 and dies with the test program, however that ends. */
#ifndef RL_TEST_STACK_H
#define RL_TEST_STACK_H

#include <jansson.h>
#include <sys/types.h>

#include "client.h"

enum { STACK_SERVICES = 5 };

struct stack {
    char dir[256];
    int port, metrics_port;
    const char *prefix; /* of its subjects and users; "" none */
    pid_t nats, supervisor;
    pid_t services[STACK_SERVICES]; /* 0: not running */
    struct client *operator, *voice;
    struct arena arena;
};

/* Everything up and answering, or the test has failed and NULL.  `config` is the text of an rl.yaml, "" for the defaults. */
struct stack *stack_new(const char *config);
/* The same under rl-supervisor, which starts again what dies. */
struct stack *stack_new_supervised(void);
/* Keys, configuration, server and streams, but no service. */
struct stack *stack_new_bare(void);
/* A second loop on the bus of the first, which must be freed after it: data in <dir>/sandbox, the server's
 * configuration read again. */
struct stack *stack_new_sandbox(struct stack *beside, const char *config);
struct stack *stack_new_sandbox_bare(struct stack *beside);
struct stack *stack_free(struct stack *s);

void stack_config(struct stack *s, const char *config); /* for services started from now on */
void stack_start(struct stack *s, const char *service);
bool stack_ready(struct stack *s); /* all five answer */
int stack_end(struct stack *s, const char *service, int signal); /* its exit code, or -signal */
void stack_start_nats(struct stack *s);
void stack_end_nats(struct stack *s, int signal);
pid_t stack_pid(struct stack *s, const char *service); /* by its pid file */

struct client *stack_client(struct stack *s, const char *user);
/* With another prefix before subjects than its loop's. */
struct client *stack_client_saying(struct stack *s, const char *user, const char *prefix);

/* Asks as operator; the answer as JSON (a new reference), with its error if it is one.  NULL: none came. */
json_t *stack_ask(struct stack *s, const char *subject, const char *json);
/* A number in the answer by a dotted path, such as "variants.v1a.pulls"; NAN when it is not there. */
double stack_number(struct stack *s, const char *subject, const char *json, const char *path);

/* Publishes as voice and waits for the PubAck. */
enum status stack_publish(struct stack *s, const char *subject, const char *json, const char *id);

/* Runs rlctl against the stack.  The exit code; what it printed, on both outputs, is in the arena. */
int stack_rlctl(struct stack *s, const char *arguments, const char **ret_out);
/* The test fails unless it ends with `code` and says `words` among others. */
void rlctl_says(struct stack *s, const char *arguments, int code, const char *words);

/* Polls until `condition` is true, at most `ms`. */
#define EVENTUALLY(condition, ms)                                                              \
    do {                                                                                       \
        int test_left = (ms) * test_patience();                                                \
        while (!(condition) && test_left > 0)                                                  \
            test_left -= test_nap();                                                           \
        if (!(condition))                                                                      \
            test_fail(__FILE__, __LINE__, "not within %d ms: %s", (ms) * test_patience(), #condition); \
    } while (0)
int test_nap(void);      /* sleeps; returns the milliseconds */
int test_patience(void); /* sanitizers are slow: they wait longer */

#endif
