/* SPDX-License-Identifier: Apache-2.0 */
/* service_metrics.c - what every service counts about itself, the bus and its process. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"
#include "running.h"

#define SECONDS_BOUNDS .bounds = {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3}, .bound_count = 10

const struct metric common_metrics[METRIC_COMMON_COUNT] = {
    [METRIC_RECEIVED] = {"rl_messages_received_total", METRIC_COUNTER, "Messages and requests taken.", {"subject"}},
    [METRIC_FAILED] = {"rl_messages_failed_total", METRIC_COUNTER, "Messages and requests refused.", {"subject", "reason"}},
    [METRIC_BATCH_SIZE] = {"rl_batch_messages", METRIC_HISTOGRAM, "Messages handled in one transaction.", {NULL},
                           .bounds = {1, 4, 16, 64, 256, 1024, 2048}, .bound_count = 7},
    [METRIC_HANDLING_SECONDS] = {"rl_handling_seconds", METRIC_HISTOGRAM,
                                 "Time to handle a request, or a batch of messages until its commit.",
                                 {"subject"}, SECONDS_BOUNDS},
    [METRIC_CONSUMER_LAG] = {"rl_consumer_lag", METRIC_GAUGE, "Messages in the stream that were not yet delivered.",
                             {"consumer"}},
    [METRIC_OPEN_ACKS] = {"rl_consumer_open_acks", METRIC_GAUGE, "Messages delivered and not yet acknowledged.", {"consumer"}},
    [METRIC_REDELIVERIES] = {"rl_redeliveries_total", METRIC_COUNTER, "Messages that came again.", {"subject"}},
    [METRIC_RECONNECTS] = {"rl_reconnects_total", METRIC_COUNTER, "Reconnections to the bus.", {NULL}},
    [METRIC_RECREATED] = {"rl_consumers_recreated_total", METRIC_COUNTER, "Consumers made again: gone, or beyond their stream.",
                          {"consumer"}},
    [METRIC_DEAD_LETTERS] = {"rl_dead_letters_total", METRIC_COUNTER, "Dead letters written.", {"reason"}},
    [METRIC_PUBLISHED] = {"rl_messages_published_total", METRIC_COUNTER, "Messages said.", {"subject"}},
    [METRIC_RESENT] = {"rl_messages_resent_total", METRIC_COUNTER, "Messages said again because no acknowledgement came.",
                       {NULL}},
    [METRIC_BUILD_INFO] = {"rl_build_info", METRIC_GAUGE, "1, with the version.", {"version"}},
    [METRIC_CONNECTED] = {"rl_bus_connected", METRIC_GAUGE, "1 while the bus is connected.", {NULL}},
    [METRIC_COMMIT_SECONDS] = {"rl_commit_seconds", METRIC_HISTOGRAM, "Time of a commit.", {NULL}, SECONDS_BOUNDS},
    [METRIC_PROCESS_CPU] = {"process_cpu_seconds_total", METRIC_COUNTER, "User and system time.", {NULL}},
    [METRIC_PROCESS_MEMORY] = {"process_resident_memory_bytes", METRIC_GAUGE, "Resident memory.", {NULL}},
    [METRIC_PROCESS_FDS] = {"process_open_fds", METRIC_GAUGE, "Open file descriptors.", {NULL}},
    [METRIC_PROCESS_START] = {"process_start_time_seconds", METRIC_GAUGE, "Start, unix seconds.", {NULL}},
};

static bool mine(const struct running *run, size_t consumer)
{
    return strcmp(consumer_table[consumer].service, run->service->name) == 0;
}

static void declare_subject(struct running *run, const struct subject_handler *h)
{
    const struct subject_info *info = &subject_table[h->subject];

    metrics_declare(run->metrics, METRIC_RECEIVED, info->name, NULL, NULL);
    metrics_declare(run->metrics, METRIC_FAILED, info->name, status_text(STATUS_INVALID), NULL);
    if (info->kind == KIND_STREAM)
        metrics_declare(run->metrics, METRIC_REDELIVERIES, info->name, NULL, NULL);
    metrics_declare(run->metrics, METRIC_HANDLING_SECONDS, info->kind == KIND_REQUEST ? info->name : "batch", NULL, NULL);
}

void running_declare_metrics(struct running *run)
{
    static const size_t plain[] = {METRIC_BATCH_SIZE, METRIC_RECONNECTS, METRIC_RESENT, METRIC_CONNECTED, METRIC_COMMIT_SECONDS};
    static const char *const reasons[] = {"invalid", "poison", "refused"};
    struct metrics *m = run->metrics;

    for (size_t i = 0; i < COUNT_OF(plain); i++)
        metrics_declare(m, plain[i], NULL, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        metrics_declare(m, METRIC_DEAD_LETTERS, reasons[i], NULL, NULL);
    for (size_t i = 0; i < run->service->handle_count; i++)
        declare_subject(run, &run->service->handles[i]);
    for (size_t i = 0; i < SUBJECT_COUNT; i++)
        if (subject_table[i].kind != KIND_REQUEST && subject_table[i].service &&
            strcmp(subject_table[i].service, run->service->name) == 0)
            metrics_declare(m, METRIC_PUBLISHED, subject_table[i].name, NULL, NULL);
    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        if (mine(run, c))
            metrics_declare(m, METRIC_RECREATED, consumer_table[c].durable, NULL, NULL);
    metrics_set(m, METRIC_BUILD_INFO, 1, RL_VERSION, NULL, NULL);
    metrics_set(m, METRIC_PROCESS_START, (double)run->clk.wall(run->clk.ctx).us / 1e6, NULL, NULL, NULL);
}

void running_time_request(struct running *run, enum subject subject, mono_time since)
{
    double took = (double)(run->clk.mono(run->clk.ctx).us - since.us) / 1e6;

    metrics_observe(run->metrics, METRIC_HANDLING_SECONDS, took, subject_table[subject].name, NULL, NULL);
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static void count_process(struct metrics *m)
{
    struct rusage use;
    long pages = 0;
    int fds = 0;

    if (getrusage(RUSAGE_SELF, &use) == 0) {
        double cpu = seconds(use.ru_utime) + seconds(use.ru_stime);
        metrics_add(m, METRIC_PROCESS_CPU, cpu - metrics_get(m, METRIC_PROCESS_CPU, NULL, NULL, NULL), NULL, NULL, NULL);
    }
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%*s %ld", &pages) == 1)
            metrics_set(m, METRIC_PROCESS_MEMORY, (double)pages * (double)sysconf(_SC_PAGESIZE), NULL, NULL, NULL);
        fclose(f);
    }
    DIR *d = opendir("/proc/self/fd");
    if (d) {
        while (readdir(d))
            fds++;
        closedir(d);
        metrics_set(m, METRIC_PROCESS_FDS, fds - 3, NULL, NULL, NULL); /* without ".", ".." and the folder itself */
    }
}

static void count_consumer(struct running *run, size_t c)
{
    const char *name = consumer_table[c].durable;

    metrics_set(run->metrics, METRIC_CONSUMER_LAG, (double)run->figures.pending[c], name, NULL, NULL);
    metrics_set(run->metrics, METRIC_OPEN_ACKS, (double)run->figures.ack_pending[c], name, NULL, NULL);
    if (run->figures.recreated[c] > run->counted.recreated[c])
        log_warning("consumer.recreated", "consumer=%s times=%llu", name, (unsigned long long)run->figures.recreated[c]);
    metrics_add(run->metrics, METRIC_RECREATED, (double)(run->figures.recreated[c] - run->counted.recreated[c]), name, NULL,
                NULL);
}

void running_count(struct running *run)
{
    char problem[160] = "";

    run->bus->ops->figures(run->bus, &run->figures);
    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        if (mine(run, c))
            count_consumer(run, c);
    metrics_add(run->metrics, METRIC_RECONNECTS, (double)(run->figures.reconnects - run->counted.reconnects), NULL, NULL, NULL);
    metrics_set(run->metrics, METRIC_CONNECTED, run->figures.connected, NULL, NULL, NULL);
    count_process(run->metrics);
    run->counted = run->figures;
    if (!run->figures.connected)
        snprintf(problem, sizeof problem, "no connection to the bus");
    else if (run->figures.problem[0])
        snprintf(problem, sizeof problem, "%s", run->figures.problem);
    else if (!run->caught_up)
        snprintf(problem, sizeof problem, "reading the decisions of the last hours");
    else if (run->draining)
        snprintf(problem, sizeof problem, "stopping");
    metrics_heartbeat(run->metrics, !problem[0], problem);
}
