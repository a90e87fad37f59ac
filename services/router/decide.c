/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c - mask, floor, caps and holdback through allocate(); exceptions first. */
#include "decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

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

static bool may_speak(Stage stage)
{
    return stage != STAGE(BLACKLISTED) && stage != STAGE(INACTIVE) && stage != STAGE(UNSPECIFIED);
}

void limit_set_read(const struct variants *variants, const GuardUpdated *message, struct limit_set *ret)
{
    *ret = (struct limit_set){.floor = message->floor, .base_share = message->base_share, .frozen = message->frozen};
    snprintf(ret->version, sizeof ret->version, "%s", message->guard_version);
    memset(ret->group, GROUP_NONE, sizeof ret->group);
    for (size_t i = 0; i < message->n_stages; i++) {
        int index = variants_find(variants, message->stages[i]->key);
        if (index < 0)
            continue;
        ret->eligible[index] = may_speak(message->stages[i]->value);
        ret->stage[index] = (uint8_t)message->stages[i]->value;
    }
    ret->eligible[variants->base] = true;
    ret->stage[variants->base] = STAGE(BASE);
    for (size_t g = 0; g < message->n_groups && g < MAX_GROUPS; g++) {
        ret->caps[ret->group_count] = message->groups[g]->cap;
        snprintf(ret->group_names[ret->group_count], sizeof ret->group_names[0], "%s", message->groups[g]->name);
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

static void cell_weights(const struct policy *policy, size_t variants, const char *cell, struct decide_output *ret)
{
    bool found = false;

    for (size_t c = 0; policy && c < policy->cell_count && !found; c++) {
        found = strcmp(policy->cells[c], cell) == 0;
        if (!found && strcmp(policy->cells[c], "*") != 0)
            continue;
        ret->cell = policy->cells[c];
        ret->w = policy->w + c * variants;
    }
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

static void draw(const struct decide_input *in, struct decide_output *ret)
{
    const struct variants *v = in->variants;
    bool eligible[MAX_VARIANTS];

    for (size_t i = 0; i < v->count; i++)
        eligible[i] = i == v->base || (in->limits->eligible[i] && in->mask[i]);
    struct limits limits = {.count = v->count, .base = v->base, .eligible = eligible, .group = in->limits->group,
                            .group_count = in->limits->group_count, .floor = in->limits->floor,
                            .base_share = in->limits->base_share};
    memcpy(limits.caps, in->limits->caps, sizeof limits.caps);
    allocate(&limits, ret->w, ret->p);
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
    const size_t *pin = in->limits ? pin_of(in->limits, in->cell) : NULL;

    ret->w = NULL;
    ret->cell = NULL;
    cell_weights(in->policy, v->count, in->cell, ret);
    if (in->limits && in->limits->frozen)
        certain(ret, v->count, v->base, SOURCE(FROZEN));
    else if (pin && (*pin == v->base || in->mask[*pin]))
        certain(ret, v->count, *pin, SOURCE(PINNED));
    else if (!ret->w || !in->limits)
        certain(ret, v->count, v->base, SOURCE(FALLBACK));
    else
        draw(in, ret);
    if (!in->enabled) {
        ret->variant = v->base;
        ret->source = SOURCE(DISABLED);
        ret->holdback = false;
    }
}

/* ---- the record ------------------------------------------------------------------------------------------------------------ */

typedef Tom__Rl__V1__DecisionGrounds__Cap Cap;

/* The number of a cap in the message, from 1; a group without members is not told. */
static uint32_t cap_number(struct arena *arena, const struct limit_set *limits, size_t group, uint32_t *numbers,
                           DecisionGrounds *m)
{
    if (numbers[group])
        return numbers[group];
    Cap *cap = codec_new(arena, &tom__rl__v1__decision_grounds__cap__descriptor);
    cap->name = (char *)limits->group_names[group];
    cap->cap = limits->caps[group];
    m->caps[m->n_caps++] = cap;
    return numbers[group] = (uint32_t)m->n_caps;
}

static void add_limits(struct arena *arena, const struct variants *v, const struct limit_set *limits, DecisionGrounds *m)
{
    uint32_t numbers[MAX_GROUPS] = {0};

    m->stages = arena_alloc(arena, v->count * sizeof *m->stages);
    m->groups = arena_alloc(arena, v->count * sizeof *m->groups);
    m->caps = arena_alloc(arena, limits->group_count * sizeof *m->caps);
    m->n_stages = m->n_groups = v->count;
    for (size_t i = 0; i < v->count; i++) {
        m->stages[i] = limits->stage[i];
        if (i != v->base && limits->group[i] != GROUP_NONE)
            m->groups[i] = cap_number(arena, limits, limits->group[i], numbers, m);
    }
    m->floor = limits->floor;
    m->base_share = limits->base_share;
}

DecisionGrounds *decide_grounds(struct arena *arena, const struct decide_input *in, const struct decide_output *out)
{
    DecisionGrounds *m = codec_new(arena, &tom__rl__v1__decision_grounds__descriptor);
    const struct variants *v = in->variants;

    if (out->w) {
        m->cell = (char *)out->cell;
        m->w = (double *)out->w;
        m->n_w = v->count;
    }
    if (in->limits)
        add_limits(arena, v, in->limits, m);
    m->draw = in->draw;
    m->masked = arena_alloc(arena, v->count * sizeof *m->masked);
    for (size_t i = 0; i < v->count; i++)
        if (!in->mask[i] && i != v->base)
            m->masked[m->n_masked++] = (uint32_t)i;
    return m;
}
