/* SPDX-License-Identifier: Apache-2.0 */
/* belief_kin.c - the covariance of two (cell, variant) pairs is a sum of sd^2 over the effects that they share. */
#include "belief_kin.h"

#include <math.h>
#include <string.h>

#include "dense.h"

enum { NOBODY = -1 };

static void use_group(struct layout *at, size_t group, double centre, bool active)
{
    at->centre[group] = centre;
    at->active[group] = active;
    at->fitted[group] = active && group > 0;
}

bool kin_alike(const struct kin *k)
{
    size_t count = k->data->variants;

    for (size_t i = 0; i < count * count; i++)
        if (i / count != i % count && k->alike[i] > 0)
            return true;
    return false;
}

/* With one field, a cell is that field's level by another name, unless several cells share one. */
static bool cell_is_field(const struct belief_data *d)
{
    for (size_t i = 0; i < d->cells; i++)
        for (size_t j = 0; j < i; j++)
            if (d->fields != 1 || d->context[i] == d->context[j])
                return false;
    return d->fields == 1;
}

static struct layout layout_of(const struct kin *k, double scale)
{
    size_t fields = k->data->fields;
    bool many = k->data->cells > 1, slots = kin_alike(k), cell = many && !cell_is_field(k->data);
    struct layout at = {.fields = fields,
                        .cell = fields + 1,
                        .variant = fields + 2,
                        .slots = fields + 3,
                        .by_field = fields + 4,
                        .by_cell = 2 * fields + 4,
                        .slots_by_field = 2 * fields + 5,
                        .count = 2 * fields + 6};

    use_group(&at, 0, 0.5 * scale, true);
    for (size_t f = 0; f < fields; f++) {
        use_group(&at, 1 + f, 0.22 * scale, many);
        use_group(&at, at.by_field + f, 0.11 * scale, many && k->data->variants > 1);
    }
    use_group(&at, at.cell, 0.22 * scale, cell);
    use_group(&at, at.variant, 0.4 * scale, true);
    use_group(&at, at.slots, 0.065 * scale, slots);
    use_group(&at, at.by_cell, 0.11 * scale, cell);
    use_group(&at, at.slots_by_field, 0.065 * scale, slots && many && fields > 0);
    return at;
}

/* Adds what slot s says; a slot in which no two variants agree says nothing that the variant does not say. */
static void add_slot(struct kin *k, size_t s)
{
    const struct belief_data *d = k->data;
    bool shared = false;

    for (size_t i = 0; i < d->variants; i++)
        for (size_t j = 0; j < i; j++)
            shared |= d->slot[i * d->slots + s] == d->slot[j * d->slots + s];
    for (size_t i = 0; shared && i < d->variants; i++)
        for (size_t j = 0; j < d->variants; j++)
            k->alike[i * d->variants + j] += d->slot[i * d->slots + s] == d->slot[j * d->slots + s];
}

struct kin kin_of(const struct belief_settings *s, const struct belief_data *d, struct arena *arena)
{
    struct kin k = {.data = d, .alike = arena_alloc(arena, d->variants * d->variants * sizeof *k.alike)};

    for (size_t slot = 0; slot < d->slots; slot++)
        add_slot(&k, slot);
    k.at = layout_of(&k, sqrt(belief_variance(s, d)));
    return k;
}

static bool same_level(const struct kin *k, struct pair x, struct pair y, size_t field)
{
    const struct belief_data *d = k->data;

    if (x.cell == y.cell)
        return true;
    return x.cell < d->cells && y.cell < d->cells &&
           d->context[x.cell * d->fields + field] == d->context[y.cell * d->fields + field];
}

void kinship(const struct kin *k, struct pair x, struct pair y, double *ret)
{
    const struct layout *at = &k->at;
    double same_variant = x.variant == y.variant, same_cell = x.cell == y.cell,
           alike = k->alike[x.variant * k->data->variants + y.variant];

    ret[0] = 1;
    for (size_t f = 0; f < at->fields; f++) {
        ret[1 + f] = same_level(k, x, y, f);
        ret[at->by_field + f] = same_variant * ret[1 + f];
    }
    ret[at->cell] = same_cell;
    ret[at->variant] = same_variant;
    ret[at->slots] = alike;
    ret[at->by_cell] = same_variant * same_cell;
    ret[at->slots_by_field] = at->fields ? alike * ret[1] : 0;
    for (size_t g = 0; g < at->count; g++)
        ret[g] *= at->active[g];
}

struct covariances covariances_alloc(const struct kin *k, struct arena *arena)
{
    size_t cells = k->data->cells + 1;
    struct covariances cov = {.cells = cells, .variants = k->data->variants, .alike = k->alike};

    cov.any = arena_alloc(arena, 3 * cells * cells * sizeof *cov.any);
    cov.same = cov.any + cells * cells;
    cov.slot = cov.same + cells * cells;
    return cov;
}

void covariances_set(struct covariances *cov, const struct kin *k, const double *sd)
{
    const struct layout *at = &k->at;
    double variance[BELIEF_GROUPS];

    for (size_t g = 0; g < at->count; g++)
        variance[g] = at->active[g] ? sd[g] * sd[g] : 0;
    for (size_t i = 0; i < cov->cells * cov->cells; i++) {
        struct pair x = {i / cov->cells, 0}, y = {i % cov->cells, 0};
        double same_cell = x.cell == y.cell;
        cov->any[i] = variance[0] + same_cell * variance[at->cell];
        cov->same[i] = variance[at->variant] + same_cell * variance[at->by_cell];
        cov->slot[i] = variance[at->slots];
        for (size_t f = 0; f < at->fields; f++) {
            double shared = same_level(k, x, y, f);
            cov->any[i] += shared * variance[1 + f];
            cov->same[i] += shared * variance[at->by_field + f];
            cov->slot[i] += f == 0 ? shared * variance[at->slots_by_field] : 0;
        }
    }
}

double covariance(const struct covariances *cov, struct pair x, struct pair y)
{
    size_t cells = x.cell * cov->cells + y.cell;

    return cov->any[cells] + (x.variant == y.variant ? cov->same[cells] : 0) +
           cov->alike[x.variant * cov->variants + y.variant] * cov->slot[cells];
}

void kin_deviations(const struct kin *k, const struct belief_fit *fit, double ret_sd[BELIEF_GROUPS])
{
    memcpy(ret_sd, fit && fit->calls > 0 ? fit->sd : k->at.centre, BELIEF_GROUPS * sizeof *ret_sd);
}

/* --- what was observed
 * -------------------------------------------------------------------------------------------------------------------- */

static void observe(struct observed *o, const struct belief_settings *s, const struct belief_data *d, struct pair pair,
                    double pooled)
{
    const struct moments *own = &d->own[pair.cell * d->variants + pair.variant];

    if (!(own->n > 0))
        return;
    o->pairs[o->count] = pair;
    o->mean[o->count] = own->sum / own->n - s->prior_mean;
    o->noise[o->count++] = belief_variance_of(own, pooled) / own->n + 1e-10;
}

/* The cell with most calls among those not yet taken; NOBODY: none is left that has any. */
static long busiest(const struct belief_data *d, const bool *taken)
{
    double most = 0;
    long found = NOBODY;

    for (size_t c = 0; c < d->cells; c++) {
        double calls = 0;
        for (size_t v = 0; v < d->variants && !taken[c]; v++)
            calls += d->own[c * d->variants + v].n;
        if (calls > most) {
            most = calls;
            found = (long)c;
        }
    }
    return found;
}

struct observed observed_of(const struct belief_settings *s, const struct belief_data *d, size_t room, struct arena *arena)
{
    size_t most = d->cells * d->variants;
    struct observed o = {.pairs = arena_alloc(arena, most * sizeof *o.pairs),
                         .mean = arena_alloc(arena, 2 * most * sizeof *o.mean)};
    bool *taken = arena_alloc(arena, d->cells * sizeof *taken);
    double pooled = belief_variance(s, d);

    o.noise = o.mean + most;
    for (long c = busiest(d, taken); c != NOBODY && (o.count == 0 || o.count + d->variants <= room); c = busiest(d, taken)) {
        taken[c] = true;
        for (size_t v = 0; v < d->variants; v++)
            observe(&o, s, d, (struct pair){(size_t)c, v}, pooled);
    }
    return o;
}

double observed_factor(const struct covariances *cov, const struct observed *o, double *ret)
{
    for (size_t i = 0; i < o->count; i++) {
        for (size_t j = 0; j <= i; j++)
            ret[i * o->count + j] = covariance(cov, o->pairs[i], o->pairs[j]);
        ret[i * o->count + i] += o->noise[i];
    }
    return dense_factor(ret, o->count);
}
