/* SPDX-License-Identifier: Apache-2.0 */
/* allocate.c - what may be drawn, with which probability. */
#include "allocate.h"

#include <assert.h>
#include <math.h>

/* Base is nobody's member: it takes what is left. */
static unsigned group_of(const struct limits *l, size_t i) { return i == l->base ? GROUP_NONE : l->group[i]; }

static bool may(const struct limits *l, size_t i) { return i == l->base || l->eligible[i]; }

/* Mask and floor: q_i = f + (1 - m f) w_i / sum of w over the m eligible. */
static void floor_mix(const struct limits *l, const double *w, double *q)
{
    double total = 0, m = 0;

    for (size_t i = 0; i < l->count; i++)
        if (may(l, i)) {
            assert(w[i] >= 0 && isfinite(w[i]));
            total += w[i];
            m++;
        }
    double f = fmin(l->floor, 1 / m);
    for (size_t i = 0; i < l->count; i++)
        q[i] = may(l, i) ? f + (1 - m * f) * (total > 0 ? w[i] / total : 1 / m) : 0;
}

/* What the capped groups hold of q, each by itself, and together. */
struct held {
    double sum[MAX_GROUPS];
    bool capped[MAX_GROUPS];
    double caps, inside;
};

/* The factor that the variants outside capped groups are scaled by; 0 when there is nothing outside. */
static double outside_factor(const struct held *h) { return 1 - h->inside > 1e-12 ? (1 - h->caps) / (1 - h->inside) : 0; }

/* Marks every group that breaks its cap as things stand; false when none did. */
static bool cap_violated(const struct limits *l, struct held *h)
{
    double factor = outside_factor(h);
    bool found = false;

    for (size_t g = 0; g < l->group_count; g++) {
        if (h->capped[g] || h->sum[g] * factor <= l->caps[g] + 1e-12)
            continue;
        h->capped[g] = found = true;
        h->caps += l->caps[g];
        h->inside += h->sum[g];
    }
    return found;
}

/* The KL projection of q onto the caps (statistics.md 4): capped groups shrink to their caps, all others grow in proportion. */
static void cap_project(const struct limits *l, double *q)
{
    struct held h = {.caps = 0};
    double total = 0;

    for (size_t i = 0; i < l->count; i++)
        if (group_of(l, i) < l->group_count)
            h.sum[group_of(l, i)] += q[i];
    while (cap_violated(l, &h))
        ;
    for (size_t i = 0; i < l->count; i++) {
        unsigned g = group_of(l, i);
        q[i] *= g < l->group_count && h.capped[g] ? l->caps[g] / h.sum[g] : outside_factor(&h);
        total += q[i];
    }
    q[l->base] += fmax(0, 1 - total); /* nothing was left outside: base takes the rest; else a rounding error */
}

void allocate(const struct limits *l, const double *w, double *ret_p)
{
    assert(l->base < l->count && l->group_count <= MAX_GROUPS && l->base_share >= 0 && l->base_share <= 1);
    floor_mix(l, w, ret_p);
    cap_project(l, ret_p);
    for (size_t i = 0; i < l->count; i++)
        ret_p[i] *= 1 - l->base_share;
    ret_p[l->base] += l->base_share;
}

size_t allocate_draw(const double *p, size_t count, double u)
{
    size_t last = 0;
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (!(p[i] > 0))
            continue;
        last = i;
        sum += p[i];
        if (u < sum)
            break;
    }
    return last;
}
