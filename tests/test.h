/* SPDX-License-Identifier: Apache-2.0 */
/* test.h - tests are sentences about behaviour.
 *
 *     TEST(unit_codec, an_unknown_key_is_refused_by_name) { CHECK(...); }      runs as
 *     unit.codec.an_unknown_key_is_refused_by_name
 *
 * A program built from these takes [--list] [PART ...]: it runs the tests whose name contains one of the parts, all without. It
 * prints only failures, and last "N passed, N failed, N skipped"; exit 1 when one failed. */
#ifndef RL_TEST_H
#define RL_TEST_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct test_case {
    const char *area, *sentence; /* the first _ of area becomes a dot */
    void (*run)(void);
    struct test_case *next;
};

void test_register(struct test_case *test);
void test_fail(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool test_failed(void); /* has the running test failed yet? */
void test_skip(const char *why);
const char *test_dir(void); /* a fresh temporary folder of the running test, removed afterwards */

#define TEST(area, sentence)                                                                           \
    static void test_##area##_##sentence(void);                                                        \
    __attribute__((constructor)) static void test_add_##area##_##sentence(void)                        \
    {                                                                                                  \
        static struct test_case self = {#area, #sentence, test_##area##_##sentence, NULL};             \
        test_register(&self);                                                                          \
    }                                                                                                  \
    static void test_##area##_##sentence(void)

#define CHECK(cond) ((cond) ? (void)0 : test_fail(__FILE__, __LINE__, "%s", #cond))
#define CHECK_INT(actual, expected)                                                                    \
    do {                                                                                               \
        long long test_a = (long long)(actual), test_e = (long long)(expected);                        \
        if (test_a != test_e)                                                                          \
            test_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #actual, test_a, test_e);            \
    } while (0)
#define CHECK_NEAR(actual, expected, tolerance)                                                        \
    do {                                                                                               \
        double test_a = (actual), test_e = (expected);                                                 \
        if (!(fabs(test_a - test_e) <= (tolerance)))                                                   \
            test_fail(__FILE__, __LINE__, "%s is %.12g, not %.12g", #actual, test_a, test_e);          \
    } while (0)
#define CHECK_STR(actual, expected)                                                                    \
    do {                                                                                               \
        const char *test_a = (actual), *test_e = (expected);                                           \
        if (!test_a || strcmp(test_a, test_e) != 0)                                                    \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #actual, test_a ? test_a : "(null)", test_e); \
    } while (0)

#endif
