/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c - mask, floor, caps and holdback through allocate(); exceptions first. */
#include "decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE(name) TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_##name
#define STAGE(name) TOM__RL__V1__STAGE__STAGE_##name

static void read_cell(const struct variants *variants, const CellEstimate *cell, double *w)
{
    for (size_t i = 0; i < variants->count; i++)
        w[i] = 1.0 / (double)variants->count;
    for (size_t i = 0; i < cell->n_variants; i++) {
        int index = variants_find(variants, cell->variants[i]->policy_variant);
        if (index >= 0)
            w[index] = cell->variants[i]->w >= 0 ? cell->variants[i]->w : 0;
    }
}

struct policy *policy_new(const struct variants *variants, const BanditUpdated *message)
{
    struct policy *p = xcalloc(1, sizeof *p);
    double *w = arena_alloc(&p->arena, message->n_cells * variants->count * sizeof *w);

    snprintf(p->version, sizeof p->version, "%s", message->policy_version);
    p->cell_count = message->n_cells;
    p->cells = arena_alloc(&p->arena, message->n_cells * sizeof *p->cells);
    for (size_t c = 0; c < message->n_cells; c++) {
        p->cells[c] = arena_str(&p->arena, message->cells[c]->cell);
        read_cell(variants, message->cells[c], w + c * variants->count);
    }
    p->w = w;
    return p;
}

struct policy *policy_free(struct policy *policy)
{
    if (policy)
        arena_done(&policy->arena);
    free(policy);
    return NULL;
}

static bool may_speak(Stage stage) { return stage != STAGE(BLACKLISTED) && stage != STAGE(INACTIVE) && stage != STAGE(UNSPECIFIED); }

void limit_set_read(const struct variants *variants, const GuardUpdated *message, struct limit_set *ret)
{
    *ret = (struct limit_set){.floor = message->floor, .base_share = message->base_share, .frozen = message->frozen};
    snprintf(ret->version, sizeof ret->version, "%s", message->guard_version);
    memset(ret->group, GROUP_NONE, sizeof ret->group);
    for (size_t i = 0; i < message->n_stages; i++) {
        int index = variants_find(variants, message->stages[i]->key);
        if (index >= 0)
            ret->eligible[index] = may_speak(message->stages[i]->value);
    }
    ret->eligible[variants->base] = true;
    for (size_t g = 0; g < message->n_groups && g < MAX_GROUPS; g++) {
        ret->caps[ret->group_count] = message->groups[g]->cap;
        for (size_t i = 0; i < message->groups[g]->n_members; i++) {
            int index = variants_find(variants, message->groups[g]->members[i]);
            if (index >= 0)
                ret->group[index] = (uint8_t)ret->group_count;
        }
        ret->group_count++;
    }
    for (size_t i = 0; i < message->n_pins && ret->pin_count < sizeof ret->pins / sizeof *ret->pins; i++) {
        int index = variants_find(variants, message->pins[i]->value);
        if (index < 0)
            continue;
        snprintf(ret->pins[ret->pin_count].cell, sizeof ret->pins->cell, "%s", message->pins[i]->key);
        ret->pins[ret->pin_count++].variant = (size_t)index;
    }
}

static const double *cell_weights(const struct policy *policy, size_t variants, const char *cell)
{
    const double *any = NULL;

    for (size_t c = 0; c < policy->cell_count; c++) {
        if (strcmp(policy->cells[c], cell) == 0)
            return policy->w + c * variants;
        if (strcmp(policy->cells[c], "*") == 0)
            any = policy->w + c * variants;
    }
    return any;
}

static const size_t *pin_of(const struct limit_set *limits, const char *cell)
{
    const size_t *any = NULL;

    for (size_t i = 0; i < limits->pin_count; i++) {
        if (strcmp(limits->pins[i].cell, cell) == 0)
            return &limits->pins[i].variant;
        if (strcmp(limits->pins[i].cell, "*") == 0)
            any = &limits->pins[i].variant;
    }
    return any;
}

static void certain(struct decide_output *ret, size_t count, size_t variant, DecisionSource source)
{
    memset(ret->p, 0, count * sizeof *ret->p);
    ret->p[variant] = 1;
    ret->variant = variant;
    ret->source = source;
    ret->holdback = false;
}

static void draw(const struct decide_input *in, const double *w, struct decide_output *ret)
{
    const struct variants *v = in->variants;
    bool eligible[MAX_VARIANTS];

    for (size_t i = 0; i < v->count; i++)
        eligible[i] = i == v->base || (in->limits->eligible[i] && in->mask[i]);
    struct limits limits = {.count = v->count, .base = v->base, .eligible = eligible, .group = in->limits->group,
                            .group_count = in->limits->group_count, .floor = in->limits->floor, .base_share = in->limits->base_share};
    memcpy(limits.caps, in->limits->caps, sizeof limits.caps);
    allocate(&limits, w, ret->p);
    ret->holdback = in->holdback < limits.base_share;
    ret->source = SOURCE(LEARNED);
    ret->variant = v->base;
    if (ret->holdback)
        return;
    /* Outside of the holdback the draw is from q: p without the share h that base got for nothing. */
    double q[MAX_VARIANTS];
    for (size_t i = 0; i < v->count; i++)
        q[i] = (ret->p[i] - (i == v->base ? limits.base_share : 0)) / (1 - limits.base_share);
    ret->variant = allocate_draw(q, v->count, in->draw);
}

void decide(const struct decide_input *in, struct decide_output *ret)
{
    const struct variants *v = in->variants;
    const double *w = in->policy ? cell_weights(in->policy, v->count, in->cell) : NULL;
    const size_t *pin = in->limits ? pin_of(in->limits, in->cell) : NULL;

    if (in->limits && in->limits->frozen)
        certain(ret, v->count, v->base, SOURCE(FROZEN));
    else if (pin && (*pin == v->base || in->mask[*pin]))
        certain(ret, v->count, *pin, SOURCE(PINNED));
    else if (!w || !in->limits)
        certain(ret, v->count, v->base, SOURCE(FALLBACK));
    else
        draw(in, w, ret);
    if (!in->enabled) {
        ret->variant = v->base;
        ret->source = SOURCE(DISABLED);
        ret->holdback = false;
    }
}
