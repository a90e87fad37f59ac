/* SPDX-License-Identifier: Apache-2.0 */
/* lab.c - rl-lab: the experiments behind docs/learning.md.  ./rl bench learning runs it.
 *
 * Ends with 0, 1 (a file could not be written) or 64 (usage). */
#include "lab.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "arena.h"

static const char usage[] =
    "usage: ./rl bench learning [--only B3] [--case TEXT] [--algorithm NAME] [--runs N] [--threads N] [--json]\n"
    "                           [--csv FILE] [--svg FILE] [--delay N] [--lose P] [--duplicate P] [--reorder N] [--list]\n"
    "  --only ID      one experiment: B1 .. B6\n"
    "  --case TEXT    only cases whose name contains this\n"
    "  --algorithm A  only this one\n"
    "  --runs N       so many runs of each algorithm, instead of what takes a few minutes in all\n"
    "  --threads N    on so many threads (all cores); the results are the same for any number\n"
    "  --json         one list of results on the standard output\n"
    "  --csv FILE     regret curves as a table\n"
    "  --svg FILE     regret curves as a picture, one panel for each case\n"
    "  --delay N      outcomes are told every N steps only\n"
    "  --lose P       this share of the outcomes is never told\n"
    "  --duplicate P  this share of the others is told twice: default counts each step once, as the ledger each call; the\n"
    "                 algorithms of the literature know no messages and count it twice\n"
    "  --reorder N    outcomes are told in windows of N steps, shuffled\n"
    "  --list         the experiments and the algorithms with their sources\n";

struct options {
    const char *only, *name, *algorithm, *csv, *svg;
    long runs, threads, delay, reorder;
    double lost, duplicated;
    bool json, list;
};

static bool number(const char *text, long *ret)
{
    char *end;

    *ret = strtol(text, &end, 10);
    return !*end && *ret > 0;
}

static bool share(const char *text, double *ret)
{
    char *end;

    *ret = strtod(text, &end);
    return !*end && *ret >= 0 && *ret < 1;
}

static bool parse(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {{"only", 1, NULL, 'o'},  {"case", 1, NULL, 'n'},    {"algorithm", 1, NULL, 'a'},
                                            {"runs", 1, NULL, 'r'},  {"threads", 1, NULL, 't'}, {"json", 0, NULL, 'j'},
                                            {"csv", 1, NULL, 'c'},   {"svg", 1, NULL, 's'},     {"list", 0, NULL, 'l'},
                                            {"delay", 1, NULL, 'd'}, {"lose", 1, NULL, 'p'},    {"duplicate", 1, NULL, 'u'},
                                            {"reorder", 1, NULL, 'w'}, {0}};
    long *const numbers[] = {['r'] = &o->runs, ['t'] = &o->threads, ['d'] = &o->delay, ['w'] = &o->reorder};
    double *const shares[] = {['p'] = &o->lost, ['u'] = &o->duplicated};
    const char **const texts[] = {['o'] = &o->only, ['n'] = &o->name, ['a'] = &o->algorithm, ['c'] = &o->csv, ['s'] = &o->svg};
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == '?' || (strchr("rtdw", c) && !number(optarg, numbers[c])) || (strchr("pu", c) && !share(optarg, shares[c])))
            return false;
        if (strchr("onacs", c))
            *texts[c] = optarg;
        o->json |= c == 'j';
        o->list |= c == 'l';
    }
    return optind == argc;
}

static bool wanted(const struct options *o, const struct lab_case *c)
{
    return c->entries[0].algorithm && (!o->only || strcasecmp(o->only, c->id) == 0) && (!o->name || strstr(c->name, o->name));
}

static int list(void)
{
    for (const struct lab_case *c = lab_cases; c->id; c++)
        printf("%s  %-40s %8ld steps %6ld runs\n", c->id, c->name, c->horizon, c->runs);
    printf("\n");
    for (const struct algorithm *a = lab_index_algorithms; a->name; a++)
        printf("%-26s %s\n", a->name, a->source);
    printf("%-26s %s\n", lab_glr_klucb.name, lab_glr_klucb.source);
    for (const struct algorithm *a = lab_product_algorithms; a->name; a++)
        printf("%-26s %s\n", a->name, a->source);
    return 0;
}

static bool written(bool ok, const char *path)
{
    if (!ok)
        fprintf(stderr, "rl-lab: %s: %s\n", path, strerror(errno));
    return ok;
}

static int report(const struct options *o, const struct result *results, size_t count)
{
    if (o->json)
        lab_print_json(results, count);
    if (o->csv && !written(lab_write_csv(o->csv, results, count), o->csv))
        return 1;
    return !o->svg || written(lab_write_svg(o->svg, results, count), o->svg) ? 0 : 1;
}

/* Leaves the one algorithm, or none. */
static void keep_algorithm(struct lab_case *c, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < LAB_ENTRIES && c->entries[i].algorithm; i++)
        if (strcmp(c->entries[i].algorithm, name) == 0)
            c->entries[kept++] = c->entries[i];
    c->entries[kept].algorithm = NULL;
}

/* The experiments with what the options change in them. */
static struct lab_case *as_told(const struct options *o)
{
    size_t count = 0;

    while (lab_cases[count].id)
        count++;
    struct lab_case *cases = xcalloc(count + 1, sizeof *cases);
    memcpy(cases, lab_cases, count * sizeof *cases);
    for (size_t i = 0; i < count; i++) {
        cases[i].runs = o->runs ? o->runs : cases[i].runs;
        cases[i].batch = o->delay ? o->delay : cases[i].batch;
        cases[i].lost = o->lost;
        cases[i].duplicated = o->duplicated;
        cases[i].reorder = o->reorder;
        if (o->algorithm)
            keep_algorithm(&cases[i], o->algorithm);
    }
    return cases;
}

int main(int argc, char **argv)
{
    struct options o = {.threads = sysconf(_SC_NPROCESSORS_ONLN)};
    struct result *results = NULL;
    size_t count = 0;

    if (!parse(&o, argc, argv))
        return fputs(usage, stderr), EX_USAGE;
    if (o.list)
        return list();
    struct lab_case *cases = as_told(&o);
    for (const struct lab_case *c = cases; c->id; c++)
        if (wanted(&o, c)) {
            results = xrealloc(results, (count + LAB_ENTRIES) * sizeof *results);
            size_t more = lab_run(c, c->runs, o.threads, results + count);
            if (!o.json)
                lab_print_case(results + count, more);
            count += more;
        }
    if (!count)
        return fputs("rl-lab: no experiment of that name: --list\n", stderr), EX_USAGE;
    int code = report(&o, results, count);
    free(results);
    free(cases);
    return code;
}
