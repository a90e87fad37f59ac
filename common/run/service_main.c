/* SPDX-License-Identifier: Apache-2.0 */
/* service_main.c - a service as a process: arguments, configuration, one owner per data directory, signals, loop. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "bus_nats.h"
#include "log.h"
#include "running.h"

enum { DRAIN_SECONDS = 8, BUS_PATIENCE_S = 30, TURN_US = 250000 };

static volatile sig_atomic_t stop_signal;

static void on_signal(int number) { stop_signal = number; }

struct process {
    const struct service *service;
    struct arena arena;
    struct common_config common;
    struct variants variants;
    void *state;
    const char *config_path; /* NULL: defaults and environment only */
    const char *database, *key_file, *metrics_dir;
    int lock_fd;
    bool check_only, print, markdown, metrics; /* what to print or check instead of running */
};

static void usage(const struct service *s)
{
    printf("rl-%s %s - %s\n\n"
           "usage: rl-%s [-c FILE] [-n | -p | -m | -M | -h | -v]\n"
           "  -c FILE  settings (default config/rl.yaml when it is there, or RL_CONFIG)\n"
           "  -n       check settings and variants, start nothing\n"
           "  -p       print the settings, -m as Markdown\n"
           "  -M       print the metrics as Markdown\n"
           "  -v       print the version\n", s->name, RL_VERSION, s->what, s->name);
}

/* -1: go on; else the exit code. */
static int parse(struct process *p, int argc, char **argv)
{
    int c;

    p->config_path = getenv("RL_CONFIG");
    if (!p->config_path && access("config/rl.yaml", R_OK) == 0)
        p->config_path = "config/rl.yaml";
    while ((c = getopt(argc, argv, "c:npmMhv")) != -1) {
        if (c == 'c')
            p->config_path = optarg;
        p->check_only |= c == 'n';
        p->print |= c == 'p';
        p->markdown |= c == 'm';
        p->metrics |= c == 'M';
        if (c == 'v')
            printf("%s\n", RL_VERSION);
        if (c == 'h' || c == '?')
            usage(p->service);
        if (c == 'h' || c == 'v' || c == '?')
            return c == '?' ? EX_USAGE : 0;
    }
    return -1;
}

static enum status load(struct process *p, struct reason *reason)
{
    const struct service *s = p->service;
    const struct config_table tables[] = {{common_keys, common_key_count, &p->common}, {s->keys, s->key_count, p->state}};
    enum status status = config_load(&p->arena, tables, 2, p->config_path, reason);

    if (status != STATUS_OK)
        return status;
    if (p->print || p->markdown) {
        (p->markdown ? config_print_markdown : config_print)(tables, 2);
        return STATUS_OK;
    }
    log_setup(s->name, (enum log_level)p->common.log_level);
    if ((status = clk_set_zone(p->common.timezone, reason)) == STATUS_OK)
        status = variants_load(&p->arena, p->common.variants_path, &p->variants, reason);
    return status;
}

static enum status make_dir(struct process *p, const char *name, struct reason *reason)
{
    const char *path = arena_printf(&p->arena, "%s%s%s", p->common.data_dir, name[0] ? "/" : "", name);

    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return STATUS_OK;
    return reason_fail(reason, STATUS_CONFIG, "rl.data_dir", "%s: %s", path, strerror(errno));
}

/* Paths below the data directory, and the pid file, which is also the lock of whoever owns a database. */
static enum status own_data(struct process *p, struct reason *reason)
{
    const char *data = p->common.data_dir, *name = p->service->name;
    static const char *const dirs[] = {"", "rl", "run"};
    char holder[32] = "";

    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        if (make_dir(p, dirs[i], reason) != STATUS_OK)
            return STATUS_CONFIG;
    p->metrics_dir = arena_printf(&p->arena, "%s/run/metrics", data);
    if (mkdir(p->metrics_dir, 0750) != 0 && errno != EEXIST)
        return reason_fail(reason, STATUS_CONFIG, "rl.data_dir", "%s: %s", p->metrics_dir, strerror(errno));
    p->database = arena_printf(&p->arena, "%s/rl/%s.db", data, name);
    const char *own = p->service->database_path ? *(const char *const *)((const char *)p->state + p->service->database_path)
                                                : NULL;
    if (own && own[0])
        p->database = own;
    p->key_file = p->common.pseudonym_key_file;
    if (!p->key_file[0])
        p->key_file = arena_printf(&p->arena, "%s/secrets/pseudonym.keys", data);
    const char *pid_file = arena_printf(&p->arena, "%s/run/rl-%s.pid", data, name);
    p->lock_fd = open(pid_file, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (p->lock_fd < 0)
        return reason_fail(reason, STATUS_CONFIG, "rl.data_dir", "%s: %s", pid_file, strerror(errno));
    bool free_to_take = flock(p->lock_fd, LOCK_EX | LOCK_NB) == 0;
    if (!free_to_take && p->service->migrations) {
        ssize_t n = pread(p->lock_fd, holder, sizeof holder - 1, 0);
        holder[n > 0 ? strcspn(holder, "\n") : 0] = '\0';
        return reason_fail(reason, STATUS_LOCKED, "rl.data_dir", "%s is held by process %s: one rl-%s per data directory",
                           pid_file, holder, name);
    }
    if (free_to_take && (ftruncate(p->lock_fd, 0) != 0 || dprintf(p->lock_fd, "%d\n", (int)getpid()) < 0))
        return reason_fail(reason, STATUS_STORE, "rl.data_dir", "%s: %s", pid_file, strerror(errno));
    return STATUS_OK;
}

static struct bus *make_bus(struct process *p)
{
    const struct common_config *c = &p->common;
    bool immediate = false;

    for (size_t i = 0; i < p->service->handle_count; i++)
        immediate |= p->service->handles[i].mode == HANDLE_IMMEDIATE;
    char own[64];

    wire_user(c->subject_prefix, p->service->name, own);
    const char *user = c->nats_user[0] ? c->nats_user : own;
    struct bus_nats_options options = {
        .url = c->nats_url[0] ? c->nats_url : arena_printf(&p->arena, "nats://127.0.0.1:%lld", (long long)c->nats_port),
        .user = user,
        .password_file = c->nats_password_file[0] ? c->nats_password_file
                                                  : arena_printf(&p->arena, "%s/secrets/%s.password", c->data_dir, user),
        .prefix = c->subject_prefix,
        .name = arena_printf(&p->arena, "rl-%s", p->service->name),
        .send_asap = immediate,
        .connect_timeout_s = BUS_PATIENCE_S};
    return bus_nats_new(&options);
}

static int exit_code(enum status status)
{
    switch (status) {
    case STATUS_OK: return 0;
    case STATUS_CONFIG: case STATUS_INVALID: case STATUS_CORRUPT: return EX_CONFIG;
    case STATUS_LOCKED: return EX_TEMPFAIL;
    case STATUS_UNAVAILABLE: case STATUS_DENIED: return EX_UNAVAILABLE;
    default: return EXIT_FAILURE;
    }
}

static enum status turns(struct running *run)
{
    mono_time give_up = {0};

    for (;;) {
        mono_time now = clk_real.mono(clk_real.ctx);
        enum status status = running_turn(run, mono_after(now, TURN_US));
        if (status != STATUS_OK)
            return status;
        if (!stop_signal)
            continue;
        if (give_up.us == 0) {
            log_info("service.stopping", "signal=%d", (int)stop_signal);
            give_up = mono_after(now, DRAIN_SECONDS * 1000000);
        }
        if (running_drained(run))
            return STATUS_OK;
        if (now.us >= give_up.us) {
            log_warning("service.undrained", "seconds=%d what=\"some messages were not acknowledged; they will come again\"",
                        DRAIN_SECONDS);
            return STATUS_OK;
        }
    }
}

static enum status run_service(struct process *p, struct reason *reason)
{
    struct bus *bus = make_bus(p);
    struct running_setup setup = {.service = p->service, .state = p->state, .common = &p->common, .variants = &p->variants,
                                  .database = p->database, .key_file = p->key_file, .metrics_dir = p->metrics_dir, .bus = bus,
                                  .clk = clk_real};
    struct running *run = NULL;
    enum status status = running_new(&setup, &run, reason);

    if (status == STATUS_OK) {
        log_info("service.started", "version=%s pid=%d variants=%zu", RL_VERSION, (int)getpid(), p->variants.count);
        status = turns(run);
        if (status != STATUS_OK)
            reason_fail(reason, status, p->database,
                        "the database failed; started again, the bus delivers once more what was not finished");
    }
    running_free(run);
    bus_nats_free(bus);
    return status;
}

static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static void print_metrics(const struct service *s)
{
    const struct metric_table tables[] = {{common_metrics, METRIC_COMMON_COUNT}, {s->metrics, s->metric_count}};

    metrics_print_markdown(tables, COUNT_OF(tables));
}

int service_main(int argc, char **argv, const struct service *service)
{
    struct process p = {.service = service, .state = xcalloc(1, service->state_size), .lock_fd = -1};
    struct reason reason = {0};
    enum status status = STATUS_OK;
    int code = parse(&p, argc, argv);

    umask(027); /* what is stored is nobody's business */
    log_setup(service->name, LOG_INFO);
    if (code < 0 && p.metrics) {
        print_metrics(service);
        code = 0;
    } else if (code < 0) {
        catch_signals();
        status = load(&p, &reason);
        if (status == STATUS_OK && !p.print && !p.markdown && !p.check_only && (status = own_data(&p, &reason)) == STATUS_OK)
            status = run_service(&p, &reason);
        bool named = !reason.field[0] || strstr(reason.text, reason.field); /* file:line: key: rule */
        if (status != STATUS_OK)
            log_error("service.failed", "status=%s %s%s%s", status_text(status), named ? "" : reason.field, named ? "" : ": ",
                      reason.text);
        else if (p.check_only)
            printf("%s: settings and variants are valid\n", service->name);
        code = exit_code(status);
    }
    if (p.lock_fd >= 0)
        close(p.lock_fd);
    arena_done(&p.arena);
    free(p.state);
    return code;
}
