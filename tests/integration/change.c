/* SPDX-License-Identifier: Apache-2.0 */
/* change.c - the world changes on real services: whoever watches the bus is told, and the stream keeps it once. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stack.h"
#include "test.h"

enum { DAYS = 40, MOVED = 20, EACH = 8, DAY_S = 86400, PATIENCE_MS = 20000 };

static void end_call(struct stack *s, int number, const char *variant, int day, bool resolved)
{
    long long ts = (time(NULL) / DAY_S - DAYS + day) * (long long)DAY_S + DAY_S * 3 / 8;
    char json[256];

    snprintf(json, sizeof json,
             "{\"call_id\":\"%s-%d\",\"policy_variant\":\"%s\",\"profile\":\"kfz\",\"ts\":%lld,\"signals\":{\"resolution\":%s}}",
             variant, number, variant, ts, resolved ? "true" : "false");
    stack_publish(s, "call.ended", json, "");
}

/* Mornings of forty days.  v1a solves seven of eight problems for twenty of them, then one of eight; v1b solves half. */
static void live(struct stack *s)
{
    for (int i = 0; i < DAYS * EACH; i++) {
        end_call(s, i, "v1a", i / EACH, (i % EACH == 0) != (i / EACH < MOVED));
        end_call(s, i, "v1b", i / EACH, i % 2 == 0);
    }
}

/* rlctl watch, its lines in *ret_path. */
static pid_t watch(struct stack *s, const char **ret_path)
{
    *ret_path = arena_printf(&s->arena, "%s/watched", s->dir);
    pid_t pid = fork();

    if (pid == 0) {
        int fd = open(*ret_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        execl(RL_BINARY_DIR "/bin/rlctl", "rlctl", "watch", "bandit.changed", "bandit.updated", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int lines_with(const char *path, const char *words)
{
    FILE *f = fopen(path, "re");
    char line[1024];
    int count = 0;

    while (f && fgets(line, sizeof line, f))
        count += strstr(line, words) != NULL;
    if (f)
        fclose(f);
    return count;
}

/* As the last of its stream, behind one reward a call. */
static bool stream_has_it_once(struct stack *s)
{
    struct client *init = stack_client(s, "init");
    struct client_message m;
    struct reason reason;
    enum { REWARDS = 2 * DAYS * EACH };
    bool once = init && client_stream_get(init, &s->arena, "REWARDS", REWARDS + 1, "", &m, &reason) == STATUS_OK
                && strcmp(m.subject, "bandit.changed") == 0
                && client_stream_get(init, &s->arena, "REWARDS", REWARDS + 2, "", &m, &reason) == STATUS_NOT_FOUND;

    client_free(init);
    return once;
}

static void restart(struct stack *s)
{
    stack_end(s, "bandit", SIGKILL);
    stack_start(s, "bandit");
    EVENTUALLY(stack_ready(s), PATIENCE_MS);
}

TEST(integration_change, rewards_that_moved_are_said_and_the_stream_keeps_that_once_whoever_is_killed)
{
    struct stack *s = stack_new("");
    const char *watched;

    if (!s)
        return;
    live(s);
    EVENTUALLY(stack_number(s, "bandit.stats", "{}", "variants.v1a.pulls") == DAYS * EACH, PATIENCE_MS);
    pid_t watcher = watch(s, &watched);
    EVENTUALLY(lines_with(watched, "bandit.updated") > 0, PATIENCE_MS);
    restart(s); /* it looks at its start, and once an hour */
    EVENTUALLY(lines_with(watched, "level=arm policy_variant=v1a profile=kfz time_of_day=morning since=") == 1, PATIENCE_MS);
    int before = lines_with(watched, "bandit.updated");
    restart(s);
    EVENTUALLY(lines_with(watched, "bandit.updated") > before, PATIENCE_MS);
    CHECK(stream_has_it_once(s)); /* who listens past the stream may have heard it again */
    kill(watcher, SIGTERM);
    waitpid(watcher, NULL, 0);
    stack_free(s);
}
