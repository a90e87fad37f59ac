/* SPDX-License-Identifier: Apache-2.0 */
/* bench.c - rl-bench: load for a running stack, and the relay that it is compared with.  tools/bench/bench.sh runs both. */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

static const char usage[] =
    "usage: rl-bench load   [--calls N] [--window N]     complete calls: select, end, until they are learned\n"
    "       rl-bench select [--calls N]                  latency of policy.select, one at a time\n"
    "       rl-bench fill [--calls N]                    a feedback.db of N calls, beside bare SQLite doing the same\n"
    "       rl-bench feedback                            statistics, pages and a cleanup of a running rl-feedback\n"
    "       rl-bench relay SERVICE [--record N] [--reply N] [--stored N] [--computed N] [--no-record]\n"
    "                                                    moves messages of these sizes in place of a service\n"
    "The bus is found as every program finds it: RL_NATS_PORT, RL_DATA_DIR, RL_SUBJECT_PREFIX.\n";

double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void bench_nap(long us) { nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL); }

struct client *bench_connect(struct bench *b, const char *user)
{
    struct client_options options = {.url = b->url, .user = user, .prefix = b->common.subject_prefix, .name = "rl-bench",
                                     .password_file = arena_printf(&b->arena, "%s/secrets/%s.password", b->common.data_dir,
                                                                   user)};
    struct client *client = NULL;
    struct reason reason;

    if (client_connect(&options, &client, &reason) != STATUS_OK) {
        fprintf(stderr, "rl-bench: %s\n", reason.text);
        exit(EX_UNAVAILABLE);
    }
    return client;
}

static bool parse(struct bench *b, int argc, char **argv, const char **ret_service)
{
    static const struct option options[] = {{"calls", 1, NULL, 'c'}, {"window", 1, NULL, 'w'}, {"record", 1, NULL, 'r'},
                                            {"reply", 1, NULL, 'p'}, {"stored", 1, NULL, 's'}, {"computed", 1, NULL, 'm'},
                                            {"no-record", 0, NULL, 'n'}, {0}};
    long *const fields[] = {['c'] = &b->calls, ['w'] = &b->window, ['r'] = &b->record, ['p'] = &b->reply, ['s'] = &b->stored,
                            ['m'] = &b->computed};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?')
            return false;
        if (c == 'n')
            b->no_record = true;
        else if ((*fields[c] = atol(optarg)) <= 0)
            return false;
    }
    *ret_service = optind < argc ? argv[optind] : "";
    return true;
}

int main(int argc, char **argv)
{
    struct bench b = {.calls = 20000, .window = 512, .record = 800, .reply = 1200, .stored = 200, .computed = 300};
    const struct config_table table = {common_keys, common_key_count, &b.common};
    const char *verb = argc > 1 ? argv[1] : "", *service = "";
    struct reason reason;

    if (argc < 2 || !parse(&b, argc - 1, argv + 1, &service))
        return fputs(usage, stderr), EX_USAGE;
    if (config_load(&b.arena, &table, 1, NULL, &reason) != STATUS_OK)
        return fprintf(stderr, "rl-bench: %s: %s\n", reason.field, reason.text), EX_CONFIG;
    b.url = b.common.nats_url[0] ? b.common.nats_url
                                 : arena_printf(&b.arena, "nats://127.0.0.1:%lld", (long long)b.common.nats_port);
    int code = EX_USAGE;
    if (strcmp(verb, "load") == 0)
        code = bench_load(&b);
    else if (strcmp(verb, "select") == 0)
        code = bench_select(&b);
    else if (strcmp(verb, "fill") == 0)
        code = bench_fill(&b);
    else if (strcmp(verb, "feedback") == 0)
        code = bench_feedback(&b);
    else if (strcmp(verb, "relay") == 0)
        code = bench_relay(&b, service);
    else
        fputs(usage, stderr);
    arena_done(&b.arena);
    return code;
}
