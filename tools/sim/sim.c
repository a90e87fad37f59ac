/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - rl-sim: callers with a secret preference, and whether the system finds it out.
 *
 * rl-sim [--in-process] [--calls N] [--seed S] [--drift] ...   ./rl demo runs it over the bus of a stack of its own.
 * Ends with 0, 1 (not every call counts once, or a cap was exceeded, or no CSV), 64 (usage), 69 (no
 * bus) or 78 (configuration). */
#include "sim.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "service.h"

extern const struct service reward_service, guard_service, bandit_service;

static const char usage[] =
    "usage: rl-sim [--in-process] [--calls N] [--rate N] [--seed N] [--drift] [--chaos] [--name NAME] [--refresh N] [--json]\n"
    "              [--environment NAME] [--lose P] [--duplicate P] [--reorder N] [--delay S] [--calls-per-hour N]\n"
    "              [--csv FILE] [--svg FILE]\n"
    "  --calls N      how many callers (20000; in process 100000)\n"
    "  --rate N       new calls a second over the bus (1000); 0: as fast as they are answered\n"
    "  --seed N       another world with other callers (2)\n"
    "  --drift        halfway the best variant turns bad\n"
    "  --chaos        kills a random service every 3 s; its supervisor starts it again\n"
    "  --name NAME    call ids are NAME-0, NAME-1, ... (demo)\n"
    "  --in-process   the cores alone, without bus and disk: millions of calls\n"
    "  --refresh N    in process: calls between two snapshots of the bandit (100)\n"
    "  --json         the report as one line\n"
    "  --environment  demo, or of experiment B6 structured, no-structure, no-context, swap (halfway two profiles swap tastes);\n"
    "                 --seed N is then the world of run N of the laboratory (docs/learning.md)\n"
    "  --lose P       this share of the calls is never reported\n"
    "  --duplicate P  this share of the others is reported twice (0.01)\n"
    "  --reorder N    reports come in windows of N calls, shuffled\n"
    "  --delay S      reports come S seconds late; in process a second has --rate calls\n"
    "  --calls-per-hour N  in process: the clock (40), at each of whose hours the detector of changes looks,"
    " as the bandit does.\n"
    "                 Over the bus the clock is the real one, and the bandit looks once an hour and at its start:"
    " a run of minutes is\n"
    "                 one hour, in which no change can be found (--in-process shows what a restart does).  With N,"
    " calls say that they\n"
    "                 came at that pace until now, and the bandit finds changes at its next look: when --chaos has killed it,"
    " or when\n"
    "                 ./rl demo stats starts the stack again\n"
    "  --csv FILE     cumulative regret, beside that of always serving base, and how often a change was found\n"
    "  --svg FILE     the same as a picture\n"
    "The bus is found as every program finds it: RL_NATS_PORT, RL_DATA_DIR, RL_SUBJECT_PREFIX.\n";

/* ---- the process ----------------------------------------------------------------------------------------------------------- */

/* What the services would read; their states begin with these settings (formula.h, rules.h, model.h). */
static enum status load(struct sim *s, struct reason *reason)
{
    const char *path = getenv("RL_CONFIG") ? getenv("RL_CONFIG") : access("config/rl.yaml", R_OK) == 0 ? "config/rl.yaml" : NULL;
    void *reward = arena_alloc(&s->arena, reward_service.state_size), *guard = arena_alloc(&s->arena, guard_service.state_size),
         *bandit = arena_alloc(&s->arena, bandit_service.state_size);
    const struct config_table tables[] = {{common_keys, common_key_count, &s->common},
                                          {reward_service.keys, reward_service.key_count, reward},
                                          {guard_service.keys, guard_service.key_count, guard},
                                          {bandit_service.keys, bandit_service.key_count, bandit}};
    enum status status = config_load(&s->arena, tables, sizeof tables / sizeof *tables, path, reason);

    if (status != STATUS_OK)
        return status;
    memcpy(&s->rules, reward, sizeof s->rules);
    memcpy(&s->guard, guard, sizeof s->guard);
    memcpy(&s->model, bandit, sizeof s->model);
    s->model.reward_version = "v1"; /* only one here, whatever its name */
    return variants_load(&s->arena, s->common.variants_path, &s->variants, reason);
}

static bool number(const char *text, long *ret)
{
    char *end;

    *ret = strtol(text, &end, 10);
    if (end != text && *end == '\0' && *ret >= 0 && *ret <= 100000000)
        return true;
    fprintf(stderr, "rl-sim: \"%s\" is not a number of 0 to 100000000\n", text);
    return false;
}

static bool share(const char *text, double *ret)
{
    char *end;

    *ret = strtod(text, &end);
    if (end != text && *end == '\0' && *ret >= 0 && *ret < 1)
        return true;
    fprintf(stderr, "rl-sim: \"%s\" is not a share from 0 to below 1\n", text);
    return false;
}

static bool environment(const char *name, const struct environment **ret)
{
    const struct environment *found = environment_find(name);

    *ret = found ? found : *ret;
    for (const struct environment *e = environments; !found && e->name; e++)
        fprintf(stderr, "%s  %-14s %s\n", e == environments ? "rl-sim: the environments are" : "                            ",
                e->name, e->what);
    return found;
}

static bool parse(struct sim_options *o, int argc, char **argv)
{
    static const struct option options[] = {{"calls", 1, NULL, 'c'}, {"rate", 1, NULL, 'r'}, {"seed", 1, NULL, 's'},
                                            {"refresh", 1, NULL, 'f'}, {"name", 1, NULL, 'n'}, {"in-process", 0, NULL, 'i'},
                                            {"chaos", 0, NULL, 'k'}, {"drift", 0, NULL, 'd'}, {"json", 0, NULL, 'j'},
                                            {"environment", 1, NULL, 'e'}, {"lose", 1, NULL, 'l'}, {"duplicate", 1, NULL, 'u'},
                                            {"reorder", 1, NULL, 'w'}, {"delay", 1, NULL, 'y'}, {"csv", 1, NULL, 'v'},
                                            {"svg", 1, NULL, 'g'}, {"calls-per-hour", 1, NULL, 'h'}, {0}};
    long *const numbers[] = {['c'] = &o->calls, ['r'] = &o->rate, ['s'] = &o->seed, ['f'] = &o->refresh, ['w'] = &o->reorder,
                             ['y'] = &o->delay,
                             ['h'] = &o->calls_per_hour};
    double *const shares[] = {['l'] = &o->lost, ['u'] = &o->duplicated};
    bool *const flags[] = {['i'] = &o->in_process, ['k'] = &o->chaos, ['d'] = &o->drift, ['j'] = &o->json};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?' || (strchr("crsfwyh", c) && !number(optarg, numbers[c])) || (strchr("lu", c) && !share(optarg, shares[c])) ||
            (c == 'e' && !environment(optarg, &o->environment)))
            return false;
        if (c == 'n')
            o->name = optarg;
        else if (c == 'v')
            o->csv = optarg;
        else if (c == 'g')
            o->svg = optarg;
        else if (strchr("ikdj", c))
            *flags[c] = true;
    }
    if (!o->calls)
        o->calls = o->in_process ? 100000 : 20000;
    if (o->in_process && o->chaos)
        return fputs("rl-sim: --chaos kills services, and --in-process has none\n", stderr), false;
    return optind == argc && o->refresh > 0 && o->name[0] && strlen(o->name) < 64;
}

typedef bool writes(const struct sim *sim, const char *path);

static bool written(const struct sim *s, writes *write, const char *path)
{
    if (!path || write(s, path))
        return true;
    fprintf(stderr, "rl-sim: %s: %s\n", path, strerror(errno));
    return false;
}

int main(int argc, char **argv)
{
    struct sim s = {.options = {.rate = 1000, .refresh = 100, .seed = 2, .name = "demo", .duplicated = 0.01,
                                .environment = environments}};
    struct reason reason;
    int code = EX_UNAVAILABLE;

    if (!parse(&s.options, argc, argv))
        return fputs(usage, stderr), EX_USAGE;
    if (load(&s, &reason) != STATUS_OK)
        return fprintf(stderr, "rl-sim: %s\n", reason.text), EX_CONFIG;
    if (sim_run(&s)) {
        sim_report(&s);
        bool csv = written(&s, sim_write_csv, s.options.csv), svg = written(&s, sim_write_svg, s.options.svg);
        code = csv && svg && sim_sound(&s) ? 0 : 1;
    }
    sim_done(&s);
    return code;
}
