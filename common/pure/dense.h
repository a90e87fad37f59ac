/* SPDX-License-Identifier: Apache-2.0 */
/* dense.h - symmetric positive definite matrices of a few hundred rows: factor, solve, invert.  Golub & Van Loan 2013,
 * section 4.2. */
#ifndef RL_DENSE_H
#define RL_DENSE_H

#include <stddef.h>

/* Sum of x_i y_i, in four lanes: the order of additions is fixed. */
double dense_dot(const double *x, const double *y, size_t n);

/* A = L L' in place; a is n x n by rows, only its lower triangle is read and written.  A pivot that rounding made too small is
 * replaced by a tiny one.  Returns ln det A. */
double dense_factor(double *a, size_t n);

/* x := L^-1 x, where the first `from` elements of x are zeros. */
void dense_forward(const double *l, size_t n, size_t from, double *x);

/* x := L'^-1 x, so that both after each other solve A x = b. */
void dense_backward(const double *l, size_t n, double *x);

/* The inverse of A = L L', all of it; `work` is n x n. */
void dense_inverse(const double *l, size_t n, double *work, double *ret);

#endif
