/* SPDX-License-Identifier: Apache-2.0 */
/* test.c - runs the sentences that a test program registered. */
#include "test.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

static struct test_case *tests;
static bool failed, skipped;
static const char *why_skipped;
static char name[256], dir[256];

void test_register(struct test_case *test)
{
    struct test_case **at = &tests;

    while (*at)
        at = &(*at)->next;
    *at = test;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list args;

    if (!failed)
        printf("FAILED %s\n", name);
    failed = true;
    printf("  %s:%d: ", file, line);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

bool test_failed(void) { return failed; }

void test_skip(const char *why)
{
    skipped = true;
    why_skipped = why;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

const char *test_dir(void)
{
    if (!dir[0]) {
        snprintf(dir, sizeof dir, "%s/rl-test-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        if (!mkdtemp(dir))
            abort();
    }
    return dir;
}

static void name_of(const struct test_case *t)
{
    snprintf(name, sizeof name, "%s.%s", t->area, t->sentence);
    char *first = strchr(name, '_');
    if (first && first < name + strlen(t->area))
        *first = '.';
}

static bool wanted(int argc, char **argv)
{
    if (argc <= 1)
        return true;
    for (int i = 1; i < argc; i++)
        if (strstr(name, argv[i]))
            return true;
    return false;
}

static void run(const struct test_case *t)
{
    failed = skipped = false;
    dir[0] = '\0';
    t->run();
    if (dir[0])
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (skipped)
        printf("skipped %s: %s\n", name, why_skipped);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int counts[3] = {0};
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;

    for (const struct test_case *t = tests; t; t = t->next) {
        name_of(t);
        if (list)
            puts(name);
        if (list || !wanted(argc, argv))
            continue;
        run(t);
        counts[failed ? 1 : skipped ? 2 : 0]++;
    }
    if (!list)
        printf("%d passed, %d failed, %d skipped\n", counts[0], counts[1], counts[2]);
    return counts[1] ? 1 : 0;
}
