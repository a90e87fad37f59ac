/* SPDX-License-Identifier: Apache-2.0 */
/* dense.c - matrices whose factors, inverses and determinants are known in closed form. */
#include "dense.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { N = 37 };

/* min(i, j) + 1: the covariance of a random walk; its determinant is 1 and its inverse is tridiagonal. */
static void walk(double *a)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i * N + j] = 1 + (i < j ? i : j);
}

TEST(unit_dense, a_dot_product_of_any_length_is_exact_on_integers)
{
    double x[N], y[N];

    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = i + 1;
    }
    for (size_t n = 0; n <= N; n++)
        CHECK_NEAR(dense_dot(x, y, n), n ? (double)((n - 1) * n * (n + 1)) / 3 : 0, 0);
}

TEST(unit_dense, a_random_walk_factors_into_ones)
{
    static double a[N * N];

    walk(a);
    CHECK_NEAR(dense_factor(a, N), 0, 1e-12);
    for (int i = 0; i < N; i++)
        for (int j = 0; j <= i; j++)
            CHECK_NEAR(a[i * N + j], 1, 1e-12);
}

TEST(unit_dense, the_inverse_of_a_random_walk_is_tridiagonal)
{
    static double a[N * N], work[N * N], inverse[N * N];

    walk(a);
    dense_factor(a, N);
    dense_inverse(a, N, work, inverse);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double expected = i == j ? (i == N - 1 ? 1 : 2) : abs(i - j) == 1 ? -1 : 0;
            CHECK_NEAR(inverse[i * N + j], expected, 1e-10);
        }
}

TEST(unit_dense, forward_and_backward_solve)
{
    static double a[N * N];
    double x[N];

    walk(a);
    dense_factor(a, N);
    for (int i = 0; i < N; i++)
        x[i] = i == 3;
    dense_forward(a, N, 3, x);
    dense_backward(a, N, x);
    for (int i = 0; i < N; i++)
        CHECK_NEAR(x[i], i == 3 ? 2 : i == 2 || i == 4 ? -1 : 0, 1e-10);
}

TEST(unit_dense, a_singular_matrix_is_survived)
{
    double a[4] = {1, 1, 1, 1}, x[2] = {1, 1};

    CHECK(isfinite(dense_factor(a, 2)));
    dense_forward(a, 2, 0, x);
    dense_backward(a, 2, x);
    CHECK(isfinite(x[0]) && isfinite(x[1]));
}
