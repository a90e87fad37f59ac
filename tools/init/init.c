/* SPDX-License-Identifier: Apache-2.0 */
/* init.c - rl-init: secrets, the server's configuration, streams and consumers.  Each can be run again at any time. */
#include "init.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "log.h"

static const char usage[] =
    "usage: rl-init keys               pseudonym key and passwords, what is missing\n"
    "       rl-init conf [--listen A] [--store DIR]\n"
    "                                  nats.conf with one user a service and what each may do\n"
    "       rl-init streams [--watch]  streams and consumers; --watch makes again what is lost\n"
    "       rl-init wiring             prints subjects, streams and consumers as Markdown\n"
    "Settings: config/rl.yaml or RL_CONFIG; RL_DATA_DIR, RL_NATS_PORT, RL_SUBJECT_PREFIX and the rest of the environment win.\n";

static bool parse(struct init *init, int argc, char **argv)
{
    static const struct option options[] = {{"listen", 1, NULL, 'l'}, {"store", 1, NULL, 's'}, {"watch", 0, NULL, 'w'}, {0}};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?')
            return false;
        if (c == 'l')
            init->listen = optarg;
        if (c == 's')
            init->store = optarg;
        init->watch |= c == 'w';
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    struct init init = {.listen = "127.0.0.1"};
    const struct config_table table = {common_keys, common_key_count, &init.common};
    const char *verb = argc > 1 ? argv[1] : "", *config = getenv("RL_CONFIG");
    struct reason reason = {0};

    log_setup("rl-init", LOG_INFO);
    if (!config && access("config/rl.yaml", R_OK) == 0)
        config = "config/rl.yaml";
    if (argc < 2 || !parse(&init, argc - 1, argv + 1))
        return fputs(usage, stderr), EX_USAGE;
    if (strcmp(verb, "wiring") == 0)
        return init_page(), 0;
    enum status status = config_load(&init.arena, &table, 1, config, &reason);
    if (status == STATUS_OK && strcmp(verb, "keys") == 0)
        status = init_keys(&init, &reason);
    else if (status == STATUS_OK && strcmp(verb, "conf") == 0)
        status = init_conf(&init, &reason);
    else if (status == STATUS_OK && strcmp(verb, "streams") == 0)
        status = init_streams(&init, &reason);
    else if (status == STATUS_OK)
        return fputs(usage, stderr), EX_USAGE;
    if (status != STATUS_OK)
        fprintf(stderr, "rl-init: %s\n", reason.text);
    arena_done(&init.arena);
    return status == STATUS_OK ? 0 : status == STATUS_CONFIG ? EX_CONFIG : status == STATUS_UNAVAILABLE ? EX_UNAVAILABLE : 1;
}
