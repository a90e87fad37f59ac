/* SPDX-License-Identifier: Apache-2.0 */
/* stack.c - processes of a test's own. */
#include "stack.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "test.h"
#include "wiring.h"

enum { NAP_MS = 20, READY_MS = 30000 };

static const char *const names[STACK_SERVICES] = {"feedback", "reward", "bandit", "guard", "router"};

int test_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000}, NULL);
    return NAP_MS;
}

int test_patience(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 4;
#else
    return 1;
#endif
}

/* ---- processes ------------------------------------------------------------------------------------------------------------- */

static bool port_free(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = bind(fd, (struct sockaddr *)&at, sizeof at) == 0;

    close(fd);
    return yes;
}

/* A run of free ports below the ephemeral range, from a place that differs between test programs. */
static int free_ports(int count)
{
    static int next;

    if (!next)
        next = 20000 + (int)getpid() % 1000 * 12;
    for (;; next++) {
        int n = 0;
        while (n < count && port_free(next + n))
            n++;
        if (n == count) {
            next += count;
            return next - count;
        }
    }
}

static void environment(struct stack *s)
{
    setenv("RL_DATA_DIR", s->dir, 1);
    setenv("RL_NATS_PORT", arena_printf(&s->arena, "%d", s->port), 1);
    setenv("RL_METRICS_PORT_BASE", arena_printf(&s->arena, "%d", s->metrics_port), 1);
    setenv("RL_CONFIG", arena_printf(&s->arena, "%s/rl.yaml", s->dir), 1);
    setenv("RL_VARIANTS_PATH", RL_SOURCE_DIR "/docs/policies/prompt_variants.yaml", 1);
    setenv("RL_SUBJECT_PREFIX", s->prefix, 1);
}

static void become(struct stack *s, const char *log, const char *const *argv)
{
    char path[600];
    int fd;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    environment(s);
    snprintf(path, sizeof path, "%s/%s.log", s->dir, log);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0640);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static pid_t spawn(struct stack *s, const char *log, const char *const *argv)
{
    pid_t pid = fork();

    if (pid == 0)
        become(s, log, argv);
    return pid;
}

static int end(pid_t pid, int signal)
{
    int status;

    kill(pid, signal);
    if (waitpid(pid, &status, 0) != pid)
        return -1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const char *program(struct stack *s, const char *name)
{
    return arena_printf(&s->arena, "%s/bin/%s", RL_BINARY_DIR, name);
}

static void run(struct stack *s, const char *name, const char *verb)
{
    const char *argv[] = {program(s, name), verb, NULL};
    int status = 0;
    pid_t pid = spawn(s, "init", argv);

    if (waitpid(pid, &status, 0) != pid || status != 0)
        test_fail(__FILE__, __LINE__, "%s %s ended with %d; see %s/init.log", name, verb, status, s->dir);
}

static int index_of(const char *service)
{
    for (int i = 0; i < STACK_SERVICES; i++)
        if (strcmp(names[i], service) == 0)
            return i;
    abort();
}

void stack_start(struct stack *s, const char *service)
{
    const char *argv[] = {program(s, arena_printf(&s->arena, "rl-%s", service)), "-c",
                          arena_printf(&s->arena, "%s/rl.yaml", s->dir), NULL};

    s->services[index_of(service)] = spawn(s, service, argv);
}

int stack_end(struct stack *s, const char *service, int signal)
{
    pid_t *pid = &s->services[index_of(service)];
    int code = *pid ? end(*pid, signal) : -1000;

    *pid = 0;
    return code;
}

void stack_start_nats(struct stack *s)
{
    const char *argv[] = {"nats-server", "-c", arena_printf(&s->arena, "%s/nats/nats.conf", s->dir), NULL};

    s->nats = spawn(s, "nats", argv);
}

void stack_end_nats(struct stack *s, int signal)
{
    if (s->nats)
        end(s->nats, signal);
    s->nats = 0;
}

pid_t stack_pid(struct stack *s, const char *service)
{
    FILE *f = fopen(arena_printf(&s->arena, "%s/run/rl-%s.pid", s->dir, service), "re");
    int pid = 0;

    if (f) {
        if (fscanf(f, "%d", &pid) != 1)
            pid = 0;
        fclose(f);
    }
    return pid;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

void stack_config(struct stack *s, const char *config)
{
    FILE *f = fopen(arena_printf(&s->arena, "%s/rl.yaml", s->dir), "we");

    fputs(config, f);
    fclose(f);
}

static struct stack *prepare(void)
{
    struct stack *s = xcalloc(1, sizeof *s);

    snprintf(s->dir, sizeof s->dir, "%s", test_dir());
    s->prefix = "";
    s->port = free_ports(1);
    s->metrics_port = free_ports(5);
    log_setup("test", LOG_ERROR);
    stack_config(s, "");
    environment(s); /* for programs that a test starts by itself */
    run(s, "rl-init", "keys");
    run(s, "rl-init", "conf");
    return s;
}

struct client *stack_client_saying(struct stack *s, const char *user, const char *prefix)
{
    char wire[64];
    struct client_options options = {.url = arena_printf(&s->arena, "nats://127.0.0.1:%d", s->port), .user = wire,
                                     .prefix = prefix, .name = "test"};
    struct client *client = NULL;
    struct reason reason;

    wire_user(s->prefix, user, wire);
    options.password_file = arena_printf(&s->arena, "%s/secrets/%s.password", s->dir, wire);
    for (int i = 0; i < 200 && !client; i++)
        if (client_connect(&options, &client, &reason) != STATUS_OK)
            test_nap();
    if (!client)
        test_fail(__FILE__, __LINE__, "no connection as %s: %s", user, reason.text);
    return client;
}

struct client *stack_client(struct stack *s, const char *user) { return stack_client_saying(s, user, s->prefix); }

static bool answers(struct stack *s, const char *subject)
{
    json_t *reply = stack_ask(s, subject, "{}");
    bool ok = reply && !json_object_get(reply, "error");

    json_decref(reply);
    return ok;
}

bool stack_ready(struct stack *s)
{
    return answers(s, "feedback.stats") && answers(s, "bandit.stats") && answers(s, "guard.status")
           && answers(s, "router.session") && answers(s, "reward.compute");
}

/* The router decides by what was learned once it has both snapshots. */
static bool learned(struct stack *s)
{
    json_t *reply = stack_ask(s, "policy.select", "{\"call_id\":\"ready\",\"dry_run\":true}");
    const char *source = json_string_value(json_object_get(reply, "source"));
    bool yes = source && strcmp(source, "LEARNED") == 0;

    json_decref(reply);
    return yes;
}

static void wait_ready(struct stack *s)
{
    s->operator = stack_client(s, "operator");
    s->voice = stack_client(s, "voice");
    if (!test_failed())
        EVENTUALLY(stack_ready(s) && learned(s), READY_MS);
}

struct stack *stack_new_bare(void)
{
    struct stack *s = prepare();

    stack_start_nats(s);
    run(s, "rl-init", "streams");
    return s;
}

struct stack *stack_new_sandbox_bare(struct stack *beside)
{
    struct stack *s = xcalloc(1, sizeof *s);

    snprintf(s->dir, sizeof s->dir, "%.200s/" SANDBOX_FOLDER, beside->dir);
    s->prefix = SANDBOX_PREFIX;
    s->port = beside->port;
    s->metrics_port = free_ports(5);
    mkdir(s->dir, 0750);
    stack_config(s, "");
    run(s, "rl-init", "keys");
    run(beside, "rl-init", "conf");
    kill(beside->nats, SIGHUP);
    client_free(stack_client(s, "init")); /* waits until the server has read it */
    run(s, "rl-init", "streams");
    return s;
}

static struct stack *populate(struct stack *s, const char *config)
{
    stack_config(s, config);
    for (int i = 0; i < STACK_SERVICES; i++)
        stack_start(s, names[i]);
    wait_ready(s);
    return test_failed() ? stack_free(s) : s;
}

struct stack *stack_new(const char *config) { return populate(stack_new_bare(), config); }

struct stack *stack_new_sandbox(struct stack *beside, const char *config)
{
    return populate(stack_new_sandbox_bare(beside), config);
}

struct stack *stack_new_supervised(void)
{
    struct stack *s = prepare();
    const char *argv[] = {program(s, "rl-supervisor"), NULL};

    mkdir(arena_printf(&s->arena, "%s/run", s->dir), 0750);
    mkdir(arena_printf(&s->arena, "%s/run/metrics", s->dir), 0750);
    s->supervisor = spawn(s, "supervisor", argv);
    wait_ready(s);
    return test_failed() ? stack_free(s) : s;
}

static void show_logs(struct stack *s)
{
    const char *keep = getenv("RL_TEST_KEEP");
    char command[1200];

    snprintf(command, sizeof command, "for f in %s/*.log %s/log/*.log; do [ -s \"$f\" ] && echo \"  -- $f\" && tail -n 4 \"$f\" |"
                                      " cut -c1-300; done", s->dir, s->dir);
    if (test_failed() && system(command) != 0)
        puts("  no logs");
    snprintf(command, sizeof command, "cp -r %s %s", s->dir, keep ? keep : "");
    if (keep && system(command) != 0)
        puts("  not kept");
}

/* Where messages wait, when something did not arrive. */
static void show_consumers(struct stack *s)
{
    static const char *const consumers[] = {"CALLS.feedback_ended", "DECISIONS.feedback", "FEEDBACK.reward", "REWARDS.bandit"};

    for (size_t i = 0; i < sizeof consumers / sizeof *consumers; i++) {
        json_t *info = stack_ask(s, arena_printf(&s->arena, "$JS.API.CONSUMER.INFO.%s", consumers[i]), "");
        json_object_del(info, "config");
        char *text = json_dumps(info, JSON_COMPACT);
        printf("  -- %s %s\n", consumers[i], text ? text : "no answer");
        free(text);
        json_decref(info);
    }
}

struct stack *stack_free(struct stack *s)
{
    if (!s)
        return NULL;
    if (test_failed() && s->operator)
        show_consumers(s);
    client_free(s->operator);
    client_free(s->voice);
    if (s->supervisor)
        end(s->supervisor, SIGTERM);
    for (int i = 0; i < STACK_SERVICES; i++)
        stack_end(s, names[i], SIGKILL);
    stack_end_nats(s, SIGKILL);
    show_logs(s);
    arena_done(&s->arena);
    free(s);
    return NULL;
}

/* ---- asking ---------------------------------------------------------------------------------------------------------------- */

json_t *stack_ask(struct stack *s, const char *subject, const char *json)
{
    struct client_message reply;
    struct reason reason;
    struct arena arena = {0};
    json_t *answer = NULL;

    if (client_request(s->operator, &arena, subject, json, strlen(json), 2000 * test_patience(), &reply, &reason) == STATUS_OK)
        answer = json_loadb((const char *)reply.data, reply.size, 0, NULL);
    arena_done(&arena);
    return answer;
}

double stack_number(struct stack *s, const char *subject, const char *json, const char *path)
{
    json_t *reply = stack_ask(s, subject, json);
    const json_t *at = reply;
    char copy[128], *rest = NULL;

    snprintf(copy, sizeof copy, "%s", path);
    for (char *key = strtok_r(copy, ".", &rest); key && at; key = strtok_r(NULL, ".", &rest))
        at = json_object_get(at, key);
    double value = json_is_boolean(at) ? json_is_true(at) : json_is_number(at) ? json_number_value(at) : NAN;
    json_decref(reply);
    return value;
}

enum status stack_publish(struct stack *s, const char *subject, const char *json, const char *id)
{
    const struct client_publish message = {.subject = subject, .data = json, .size = strlen(json), .id = id};
    struct reason reason;
    enum status status = client_publish(s->voice, &message, NULL, NULL, &reason);

    if (status != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", subject, reason.text);
    return status;
}

int stack_rlctl(struct stack *s, const char *arguments, const char **ret_out)
{
    enum { MAX_TEXT = 8191 };
    FILE *out = popen(arena_printf(&s->arena, "%s/bin/rlctl %s 2>&1", RL_BINARY_DIR, arguments), "r");
    char *text = arena_alloc(&s->arena, MAX_TEXT + 1);
    size_t n = fread(text, 1, MAX_TEXT, out);
    int status = pclose(out);

    text[n] = '\0';
    *ret_out = text;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void rlctl_says(struct stack *s, const char *arguments, int code, const char *words)
{
    const char *out;
    int ended = stack_rlctl(s, arguments, &out);

    if (ended != code || !strstr(out, words))
        test_fail(__FILE__, __LINE__, "rlctl %s ended with %d, not %d, or did not say \"%s\": %s", arguments, ended, code, words,
                  out);
}
