/* SPDX-License-Identifier: Apache-2.0 */
/* best_joint.c - probability of being best when what is wrong about one arm is wrong about others, too. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "best.h"
#include "dense.h"
#include "posterior.h"

/* The fractional parts of the roots of the first `count` primes. */
static void steps_make(double *steps, size_t count)
{
    size_t found = 0;

    for (int n = 2; found < count; n++) {
        int divisor = 2;
        while (divisor * divisor <= n && n % divisor)
            divisor++;
        if (divisor * divisor > n)
            steps[found++] = sqrt(n) - floor(sqrt(n));
    }
}

double best_joint(const double *mean, const double *covariance, size_t count, size_t points, double *ret_w)
{
    double *factor = xcalloc(count * count, sizeof *factor), steps[BEST_JOINT], at[BEST_JOINT], z[BEST_JOINT], sum = 0;

    assert(count >= 1 && count <= BEST_JOINT && points >= 1);
    memcpy(factor, covariance, count * count * sizeof *factor);
    dense_factor(factor, count);
    steps_make(steps, count);
    for (size_t i = 0; i < count; i++) {
        at[i] = 0.5;
        ret_w[i] = 0;
    }
    for (size_t p = 0; p < points; p++) {
        size_t best = 0;
        double largest = -INFINITY;
        for (size_t i = 0; i < count; i++) {
            at[i] += steps[i];
            at[i] -= floor(at[i]);
            z[i] = normal_quantile(fmin(1 - 1e-15, fmax(1e-15, at[i])));
            double x = mean[i] + dense_dot(factor + i * count, z, i + 1);
            if (x > largest) {
                largest = x;
                best = i;
            }
        }
        ret_w[best] += 1 / (double)points;
        sum += largest;
    }
    free(factor);
    return sum / (double)points;
}
