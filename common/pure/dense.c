/* SPDX-License-Identifier: Apache-2.0 */
/* dense.c - everything is inner products of rows, which lie in memory one after the other. */
#include "dense.h"

#include <math.h>
#include <string.h>

enum { LANES = 4 };

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));

double dense_dot(const double *x, const double *y, size_t n)
{
    lanes sum = {0}, more = {0}, a, b;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        memcpy(&a, x + i, sizeof a);
        memcpy(&b, y + i, sizeof b);
        sum += a * b;
        memcpy(&a, x + i + LANES, sizeof a);
        memcpy(&b, y + i + LANES, sizeof b);
        more += a * b;
    }
    sum += more;
    double total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (; i < n; i++)
        total += x[i] * y[i];
    return total;
}

double dense_factor(double *a, size_t n)
{
    double log_det = 0;

    for (size_t i = 0; i < n; i++) {
        double *row = a + i * n;
        for (size_t j = 0; j < i; j++)
            row[j] = (row[j] - dense_dot(row, a + j * n, j)) / a[j * n + j];
        double pivot = fmax(row[i] - dense_dot(row, row, i), 1e-14 * row[i]);
        row[i] = sqrt(pivot);
        log_det += log(pivot);
    }
    return log_det;
}

void dense_forward(const double *l, size_t n, size_t from, double *x)
{
    for (size_t i = from; i < n; i++)
        x[i] = (x[i] - dense_dot(l + i * n + from, x + from, i - from)) / l[i * n + i];
}

void dense_backward(const double *l, size_t n, double *x)
{
    for (size_t i = n; i-- > 0;) {
        x[i] /= l[i * n + i];
        for (size_t j = 0; j < i; j++)
            x[j] -= l[i * n + j] * x[i];
    }
}

/* Row j of `work` becomes column j of L^-1, whose first j elements are zeros. */
void dense_inverse(const double *l, size_t n, double *work, double *ret)
{
    memset(work, 0, n * n * sizeof *work);
    for (size_t j = 0; j < n; j++) {
        work[j * n + j] = 1;
        dense_forward(l, n, j, work + j * n);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            ret[i * n + j] = ret[j * n + i] = dense_dot(work + i * n + i, work + j * n + i, n - i);
}
