/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.c - rl-supervisor: starts the bus, rl-init, five services and their sidecars, and starts again what dies.
 *
 * Children write to data/log/<program>.log and are told to stop when this process is gone, however it went.  SIGTERM stops
 * services first, then everything else, the bus last.  Two loops may share a bus: whichever supervisor holds the lock in
 * the bus's folder runs it, and when it goes the other one takes over.  Prometheus runs while there is a
 * run/prometheus.sh, which ./rl writes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "clk.h"
#include "config.h"
#include "log.h"

enum { MAX_ARGS = 10, CHILDREN = 13, SECOND = 1000000, FIRST_DELAY = 100000, LONGEST_DELAY = 2 * SECOND, STEADY = 5 * SECOND,
       PROBE = 5 * SECOND, SILENT_LIMIT = 30 * SECOND, LOCK_TRIES = 50 };
enum stage { STAGE_SERVICE, STAGE_HELPER, STAGE_BUS }; /* in the order of stopping */

struct child {
    const char *name;
    enum stage stage;
    const char *argv[MAX_ARGS];
    const char *needs; /* a file without which it does not run; NULL: none */
    const char *lock;  /* taken before it starts and held as long as it lives, by whoever is its parent; NULL: none */
    pid_t pid; /* 0: dead */
    int64_t started, again, delay;
};

struct supervisor {
    struct arena arena;
    struct common_config common;
    char bin[4096]; /* folder of our programs */
    struct child children[CHILDREN];
    size_t count;
    int64_t bus_seen, bus_asked;
    sigset_t signals;
};

static int64_t now(void) { return clk_real.mono(clk_real.ctx).us; }

static char *path(struct supervisor *s, const char *rest) { return arena_printf(&s->arena, "%s/%s", s->common.data_dir, rest); }

static struct child *add(struct supervisor *s, const char *name, enum stage stage, const char *program)
{
    struct child *c = &s->children[s->count++];

    *c = (struct child){.name = name, .stage = stage,
                        .argv = {arena_printf(&s->arena, "%s%s%s", s->bin, s->bin[0] ? "/" : "", program)}};
    return c;
}

static void list_children(struct supervisor *s, const char *bus_folder)
{
    static const char *const services[] = {"feedback", "reward", "bandit", "guard", "router"};
    struct child *bus = add(s, "nats", STAGE_BUS, "nats-server"), *init = add(s, "init", STAGE_HELPER, "rl-init");
    struct child *prometheus = add(s, "prometheus", STAGE_HELPER, "prometheus");

    bus->argv[0] = "nats-server";
    bus->argv[1] = "-c";
    bus->argv[2] = arena_printf(&s->arena, "%s/nats.conf", bus_folder);
    bus->lock = arena_printf(&s->arena, "%s/nats.pid", bus_folder);
    prometheus->argv[0] = "/bin/sh";
    prometheus->argv[1] = prometheus->needs = path(s, "run/prometheus.sh");
    init->argv[1] = "streams";
    init->argv[2] = "--watch";
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        add(s, services[i], STAGE_SERVICE, arena_printf(&s->arena, "rl-%s", services[i]));
        struct child *side = add(s, arena_printf(&s->arena, "sidecar-%s", services[i]), STAGE_HELPER, "rl-sidecar");
        const char *const args[] = {"--service", arena_str(&s->arena, services[i]), "--file",
                                    path(s, arena_printf(&s->arena, "run/metrics/%s", services[i])),
                              "--port", arena_printf(&s->arena, "%lld", (long long)(s->common.metrics_port_base + (int64_t)i))};
        memcpy(side->argv + 1, args, sizeof args);
    }
}

/* ---- one child ------------------------------------------------------------------------------------------------------------- */

static void become(struct supervisor *s, struct child *c)
{
    int log = open(path(s, arena_printf(&s->arena, "log/%s.log", c->name)), O_WRONLY | O_CREAT | O_APPEND, 0640);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &s->signals, NULL);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    execvp(c->argv[0], (char *const *)c->argv);
    fprintf(stderr, "%s: %s\n", c->argv[0], strerror(errno));
    _exit(127);
}

/* Services write their own pid files, which are their locks. */
static void note_pid(struct supervisor *s, const struct child *c)
{
    FILE *f = c->stage == STAGE_SERVICE ? NULL : fopen(path(s, arena_printf(&s->arena, "run/rl-%s.pid", c->name)), "we");

    if (!f)
        return;
    fprintf(f, "%d\n", (int)c->pid);
    fclose(f);
}

/* The lock is inherited: it lives as long as the child.  -1: another one has it. */
static int take_lock(const char *file)
{
    int fd = open(file, O_RDWR | O_CREAT, 0640);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void sign_lock(int fd, pid_t pid)
{
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)pid) < 0)
        log_warning("child.lock", "pid=%d error=\"%s\"", (int)pid, strerror(errno));
    close(fd);
}

static void start(struct supervisor *s, struct child *c)
{
    int lock_fd = c->lock ? take_lock(c->lock) : -1;

    if ((c->lock && lock_fd < 0) || (c->needs && access(c->needs, F_OK) != 0))
        return;
    c->started = now();
    c->pid = fork();
    if (c->pid == 0)
        become(s, c);
    if (c->pid < 0) {
        log_error("child.fork", "program=%s error=\"%s\"", c->name, strerror(errno));
        c->pid = 0;
        c->again = now() + LONGEST_DELAY;
    } else {
        note_pid(s, c);
    }
    if (lock_fd >= 0)
        sign_lock(lock_fd, c->pid);
}

static void describe(int status, char ret[static 64])
{
    if (WIFSIGNALED(status))
        snprintf(ret, 64, "signal %d", WTERMSIG(status));
    else
        snprintf(ret, 64, "exit code %d", WEXITSTATUS(status));
}

static void buried(struct child *c, int status, bool stopping)
{
    char how[64];

    describe(status, how);
    bool steady = now() - c->started > STEADY;
    c->delay = steady || c->delay == 0 ? FIRST_DELAY : c->delay * 2 > LONGEST_DELAY ? LONGEST_DELAY : c->delay * 2;
    c->again = now() + c->delay;
    c->pid = 0;
    if (!stopping)
        log_warning("child.died", "program=%s how=\"%s\" again_ms=%lld log=log/%s.log", c->name, how, (long long)c->delay / 1000,
                    c->name);
}

static void reap(struct supervisor *s, bool stopping)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (size_t i = 0; i < s->count; i++)
            if (s->children[i].pid == pid)
                buried(&s->children[i], status, stopping);
}

/* ---- the bus --------------------------------------------------------------------------------------------------------------- */

/* Does a server greet us? */
static bool bus_greets(int64_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 1};
    char greeting[5] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    bool ok = connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && recv(fd, greeting, 4, 0) == 4 &&
              memcmp(greeting, "INFO", 4) == 0;
    close(fd);
    return ok;
}

/* A server on a full disk hangs so that not even SIGTERM reaches it. */
static void watch_bus(struct supervisor *s)
{
    struct child *bus = &s->children[0];

    if (!bus->pid || now() < s->bus_asked + PROBE)
        return;
    s->bus_asked = now();
    if (bus_greets(s->common.nats_port) || s->bus_seen < bus->started)
        s->bus_seen = now();
    if (now() - s->bus_seen < SILENT_LIMIT)
        return;
    log_error("bus.silent", "pid=%d seconds=%d what=\"killed; is the disk full?\"", (int)bus->pid, SILENT_LIMIT / SECOND);
    kill(bus->pid, SIGKILL);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

static bool any_alive(const struct supervisor *s, enum stage stage)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].stage == stage && s->children[i].pid)
            return true;
    return false;
}

static void stop_stage(struct supervisor *s, enum stage stage, int64_t patience)
{
    struct timespec moment = {.tv_nsec = 20000000};
    int64_t until = now() + patience;

    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].stage == stage && s->children[i].pid)
            kill(s->children[i].pid, SIGTERM);
    while (any_alive(s, stage) && now() < until) {
        nanosleep(&moment, NULL);
        reap(s, true);
    }
    for (size_t i = 0; i < s->count; i++)
        if (s->children[i].stage == stage && s->children[i].pid) {
            log_warning("child.killed", "program=%s what=\"did not stop in time\"", s->children[i].name);
            kill(s->children[i].pid, SIGKILL);
            waitpid(s->children[i].pid, NULL, 0);
            s->children[i].pid = 0;
        }
}

static void supervise(struct supervisor *s)
{
    struct timespec moment = {.tv_nsec = 200000000};
    int got = 0;

    while (got != SIGTERM && got != SIGINT) {
        for (size_t i = 0; i < s->count; i++)
            if (!s->children[i].pid && now() >= s->children[i].again)
                start(s, &s->children[i]);
        watch_bus(s);
        got = sigtimedwait(&s->signals, NULL, &moment);
        reap(s, false);
    }
    log_info("supervisor.stop", "signal=%d", got);
    stop_stage(s, STAGE_SERVICE, 9 * SECOND);
    stop_stage(s, STAGE_HELPER, 5 * SECOND); /* Prometheus writes what it has */
    stop_stage(s, STAGE_BUS, 3 * SECOND);
}

/* ./rl asks whether a supervisor lives by taking this lock for a moment: one that is held for longer has an owner. */
static bool lock(int fd)
{
    for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
        if (tries == LOCK_TRIES)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return true;
}

static enum status own(struct supervisor *s, int *ret_fd, struct reason *reason)
{
    static const char *const folders[] = {"run", "log"};
    ssize_t n = readlink("/proc/self/exe", s->bin, sizeof s->bin - 1);

    s->bin[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(s->bin, '/');
    *(slash ? slash : s->bin) = '\0';
    for (size_t i = 0; i < 2; i++)
        if (mkdir(path(s, folders[i]), 0750) != 0 && errno != EEXIST)
            return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", path(s, folders[i]), strerror(errno));
    *ret_fd = open(path(s, "run/rl-supervisor.pid"), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (*ret_fd < 0)
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", path(s, "run/rl-supervisor.pid"), strerror(errno));
    if (!lock(*ret_fd))
        return reason_fail(reason, STATUS_LOCKED, "", "a supervisor already runs on %s", s->common.data_dir);
    if (ftruncate(*ret_fd, 0) != 0 || dprintf(*ret_fd, "%d\n", (int)getpid()) < 0)
        return reason_fail(reason, STATUS_STORE, "", "%s: %s", path(s, "run/rl-supervisor.pid"), strerror(errno));
    return STATUS_OK;
}

/* usage: rl-supervisor [FOLDER], where nats.conf of the bus is; its own when there is none. */
int main(int argc, char **argv)
{
    struct supervisor *s = xcalloc(1, sizeof *s);
    const struct config_table table = {common_keys, common_key_count, &s->common};
    const char *config = getenv("RL_CONFIG");
    struct reason reason = {0};
    int fd = -1;

    log_setup("supervisor", LOG_INFO);
    enum status status = config_load(&s->arena, &table, 1,
                                     config ? config : access("config/rl.yaml", R_OK) == 0 ? "config/rl.yaml" : NULL, &reason);
    if (status == STATUS_OK)
        status = own(s, &fd, &reason);
    if (status == STATUS_OK) {
        sigemptyset(&s->signals);
        sigaddset(&s->signals, SIGTERM);
        sigaddset(&s->signals, SIGINT);
        sigaddset(&s->signals, SIGCHLD);
        sigprocmask(SIG_BLOCK, &s->signals, NULL);
        list_children(s, argc > 1 ? argv[1] : path(s, "nats"));
        supervise(s);
    } else {
        log_error("supervisor.failed", "%s", reason.text);
    }
    if (fd >= 0)
        close(fd);
    arena_done(&s->arena);
    free(s);
    return status == STATUS_OK ? 0 : status == STATUS_LOCKED ? EX_TEMPFAIL : EX_CONFIG;
}
