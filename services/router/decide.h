/* SPDX-License-Identifier: Apache-2.0 */
/* decide.h - which variant speaks: a pure function of two snapshots, the request and two numbers. */
#ifndef RL_DECIDE_H
#define RL_DECIDE_H

#include "allocate.h"
#include "msg.h"
#include "variants.h"

/* What the bandit said, by index of our variants.  A variant that it does not know has the share of an equal split. */
struct policy {
    char version[64];
    size_t cell_count;
    const char **cells; /* names; "*" is any cell not named */
    const double *w;    /* [cell][variant] */
    struct arena arena;
};

/* What the guard said. */
struct limit_set {
    char version[32];
    bool eligible[MAX_VARIANTS];
    uint8_t group[MAX_VARIANTS], stage[MAX_VARIANTS];
    size_t group_count;
    double caps[MAX_GROUPS];
    char group_names[MAX_GROUPS][16];
    double floor, base_share;
    bool frozen;
    size_t pin_count;
    struct {
        char cell[64];
        size_t variant;
    } pins[64];
};

struct policy *policy_new(const struct variants *variants, const BanditUpdated *message);
struct policy *policy_free(struct policy *policy);
void limit_set_read(const struct variants *variants, const GuardUpdated *message, struct limit_set *ret);

struct decide_input {
    const struct variants *variants;
    const struct policy *policy;    /* NULL: none was ever received */
    const struct limit_set *limits; /* NULL: none was ever received */
    bool enabled;
    const char *cell;
    const bool *mask; /* per variant: may be chosen for this request, by a pin too; base may always */
    double draw;      /* [0, 1): picks from p */
    double holdback;  /* [0, 1): below base_share the call belongs to the share that always gets base */
};

/* p[i] is the probability with which variant i was drawn (under DISABLED: would have been), and sums to 1. */
struct decide_output {
    size_t variant;
    DecisionSource source;
    bool holdback;
    const double *w;  /* of the cell, in the policy; NULL: there was none */
    const char *cell; /* whose w that is: in->cell or "*"; NULL: there was none */
    double p[MAX_VARIANTS];
};

void decide(const struct decide_input *in, struct decide_output *ret);

/* What it was decided from, as it goes into the record; lives in the arena, texts stay where they are. */
DecisionGrounds *decide_grounds(struct arena *arena, const struct decide_input *in, const struct decide_output *out);

#endif
