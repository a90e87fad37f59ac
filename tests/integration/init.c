/* SPDX-License-Identifier: Apache-2.0 */
/* init.c - rl-init can be run again at any time: it makes what is missing and leaves what is there. */
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stack.h"
#include "test.h"

static int shell(struct stack *s, const char *command)
{
    int status = system(arena_printf(&s->arena, "cd %s && { %s; } >>init.log 2>&1", s->dir, command));

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(integration_init, a_second_run_changes_nothing)
{
    struct stack *s = stack_new_bare();
    struct stat st;

    CHECK_INT(shell(s, "cat secrets/* | cksum >before && cp nats/nats.conf conf.before"), 0);
    CHECK_INT(shell(s, RL_BINARY_DIR "/bin/rl-init keys && " RL_BINARY_DIR "/bin/rl-init conf"), 0);
    CHECK_INT(shell(s, "cat secrets/* | cksum | cmp - before && cmp nats/nats.conf conf.before"), 0);
    CHECK_INT(shell(s, RL_BINARY_DIR "/bin/rl-init streams | grep -q ' 0 made or changed'"), 0);
    CHECK_INT(shell(s, "nats-server -t -c nats/nats.conf"), 0);
    CHECK_INT(stat(arena_printf(&s->arena, "%s/secrets/pseudonym.keys", s->dir), &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_INT(stat(arena_printf(&s->arena, "%s/secrets/voice.password", s->dir), &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    stack_free(s);
}

/* The server with all of its data is replaced; the watcher makes the streams again without being asked. */
TEST(integration_init, a_lost_stream_is_back_under_watch)
{
    struct stack *s = stack_new_bare();
    struct client_message m;
    struct reason reason;
    pid_t watcher = fork();

    if (watcher == 0) {
        execl(RL_BINARY_DIR "/bin/rl-init", "rl-init", "streams", "--watch", (char *)NULL);
        _exit(127);
    }
    test_nap();
    stack_end_nats(s, SIGKILL);
    CHECK_INT(shell(s, "rm -rf nats/jetstream"), 0);
    stack_start_nats(s);
    struct client *operator = stack_client(s, "operator");
    EVENTUALLY(operator && client_request(operator, &s->arena, "$JS.API.STREAM.INFO.CALLS", "", 0, 1000, &m, &reason) == STATUS_OK
               && strstr((const char *)m.data, "\"config\""), 8000);
    kill(watcher, SIGTERM);
    waitpid(watcher, NULL, 0);
    client_free(operator);
    stack_free(s);
}
