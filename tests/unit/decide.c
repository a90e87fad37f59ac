/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c - who speaks, and that the reported probabilities are those of the draw. */
#include "decide.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "codec.h"
#include "pseudonym.h"
#include "test.h"

/* The shipped variants with a bandit's and a guard's snapshot, given as JSON. */
struct scene {
    struct arena arena;
    struct variants variants;
    struct policy *policy;
    struct limit_set limits;
    bool mask[MAX_VARIANTS];
    struct decide_input in;
};

static const void *message(struct scene *s, const ProtobufCMessageDescriptor *type, const char *text)
{
    ProtobufCMessage *m = NULL;
    struct reason reason = {0};
    bool json;

    if (codec_decode(&s->arena, type, text, strlen(text), 65536, &json, &m, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", reason.field, reason.text);
    return m;
}

static void limit(struct scene *s, const char *text)
{
    limit_set_read(&s->variants, message(s, &tom__rl__v1__guard_updated__descriptor, text), &s->limits);
    s->in.limits = &s->limits;
}

static void learn(struct scene *s, const char *text)
{
    policy_free(s->policy);
    s->policy = policy_new(&s->variants, message(s, &tom__rl__v1__bandit_updated__descriptor, text));
    s->in.policy = s->policy;
}

#define STAGES                                                                                                      \
    "\"stages\":{\"v1a\":\"BASE\",\"v1b\":\"NEW\",\"v2a\":\"NEW\",\"v2b\":\"NEW\",\"v3a\":\"NEW\",\"v3b\":\"NEW\"," \
    "\"v4a\":\"NEW\",\"v4b\":\"NEW\",\"v5a\":\"NEW\",\"v5b\":\"NEW\",\"v6a\":\"NEW\",\"v6b\":\"NEW\"}"
#define GROUPS                                                                                                                \
    "\"groups\":[{\"name\":\"new\",\"cap\":0.1,\"members\":[\"v1b\",\"v2a\",\"v2b\",\"v3a\",\"v3b\",\"v4a\",\"v4b\",\"v5a\"," \
    "\"v5b\",\"v6a\",\"v6b\"]}]"

/* Nothing learned and eleven new variants. */
static void scene_open(struct scene *s)
{
    struct reason reason = {0};

    *s = (struct scene){0};
    if (variants_load(&s->arena, RL_SOURCE_DIR "/docs/policies/prompt_variants.yaml", &s->variants, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s", reason.text);
    memset(s->mask, true, sizeof s->mask);
    s->in = (struct decide_input){.variants = &s->variants, .enabled = true, .cell = "kfz/morning", .mask = s->mask,
                                  .holdback = 0.999};
    learn(s, "{\"policy_version\":\"p1\",\"cells\":[{\"cell\":\"*\"}]}");
    limit(s, "{\"guard_version\":\"g1\",\"floor\":0.002," STAGES "," GROUPS "}");
}

static void scene_close(struct scene *s)
{
    policy_free(s->policy);
    arena_done(&s->arena);
}

static size_t at(const struct scene *s, const char *id) { return (size_t)variants_find(&s->variants, id); }

static struct decide_output decided(struct scene *s, double draw)
{
    struct decide_output out = {0};
    double sum = 0;

    s->in.draw = draw;
    decide(&s->in, &out);
    for (size_t i = 0; i < s->variants.count; i++)
        sum += out.p[i];
    CHECK_NEAR(sum, 1, 1e-12);
    CHECK(out.source == TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_DISABLED || out.p[out.variant] > 0);
    return out;
}

#define CHECK_SOURCE(out, name) CHECK_INT((out).source, TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_##name)

TEST(unit_decide, with_nothing_learned_base_gets_nine_tenths_and_the_new_ones_share_the_rest)
{
    struct scene s;

    scene_open(&s);
    struct decide_output out = decided(&s, 0.5);
    CHECK_SOURCE(out, LEARNED);
    CHECK_NEAR(out.p[0], 0.9, 1e-12);
    for (size_t i = 1; i < 12; i++)
        CHECK_NEAR(out.p[i], 0.1 / 11, 1e-12);
    CHECK_INT(out.variant, 0);
    CHECK_INT(decided(&s, 0.9999).variant, 11);
    scene_close(&s);
}

TEST(unit_decide, without_either_snapshot_base_is_the_fallback)
{
    struct scene s;

    scene_open(&s);
    s.in.policy = NULL;
    struct decide_output out = decided(&s, 0.9999);
    CHECK_SOURCE(out, FALLBACK);
    CHECK_INT(out.variant, 0);
    CHECK_NEAR(out.p[0], 1, 0);
    s.in.policy = s.policy;
    s.in.limits = NULL;
    out = decided(&s, 0.9999);
    CHECK_SOURCE(out, FALLBACK);
    CHECK_NEAR(out.p[0], 1, 0);
    scene_close(&s);
}

TEST(unit_decide, the_callers_cell_counts_and_any_other_gets_the_star)
{
    struct scene s;

    scene_open(&s);
    limit(&s, "{" STAGES "}");
    learn(&s, "{\"cells\":[{\"cell\":\"*\",\"variants\":[{\"policy_variant\":\"v1a\",\"w\":1}]},"
              "{\"cell\":\"kfz/morning\",\"variants\":[{\"policy_variant\":\"v1a\",\"w\":0.25},{\"policy_variant\":\"v2b\","
              "\"w\":0.75}]}]}");
    /* The other ten are unknown to this snapshot: each weighs like one share of twelve. */
    CHECK_NEAR(decided(&s, 0.5).p[at(&s, "v2b")], 0.75 / (1 + 10 / 12.0), 1e-12);
    s.in.cell = "it/night";
    CHECK_NEAR(decided(&s, 0.5).p[0], 1 / (1 + 11 / 12.0), 1e-12);
    scene_close(&s);
}

TEST(unit_decide, masked_blacklisted_and_unknown_variants_are_never_drawn)
{
    struct scene s;

    scene_open(&s);
    s.mask[at(&s, "v2a")] = false;
    limit(&s, "{\"stages\":{\"v1a\":\"BASE\",\"v2a\":\"ESTABLISHED\",\"v2b\":\"BLACKLISTED\",\"v3a\":\"INACTIVE\","
              "\"v3b\":\"ESTABLISHED\",\"v9z\":\"NEW\"}}");
    struct decide_output out = decided(&s, 0.9999);
    CHECK_INT(out.variant, (int)at(&s, "v3b"));
    CHECK_NEAR(out.p[0], 0.5, 1e-12);
    CHECK_NEAR(out.p[at(&s, "v3b")], 0.5, 1e-12);
    memset(s.mask, false, sizeof s.mask);
    out = decided(&s, 0.9999);
    CHECK_INT(out.variant, 0);
    CHECK_NEAR(out.p[0], 1, 1e-12);
    scene_close(&s);
}

TEST(unit_decide, a_pin_wins_in_its_cell_before_the_star_but_not_over_the_request)
{
    struct scene s;

    scene_open(&s);
    limit(&s, "{" STAGES "," GROUPS ",\"pins\":{\"*\":\"v3a\",\"kfz/morning\":\"v2b\"}}");
    struct decide_output out = decided(&s, 0.1);
    CHECK_SOURCE(out, PINNED);
    CHECK_INT(out.variant, (int)at(&s, "v2b"));
    CHECK_NEAR(out.p[out.variant], 1, 0);
    s.in.cell = "it/night";
    CHECK_INT(decided(&s, 0.1).variant, (int)at(&s, "v3a"));
    s.mask[at(&s, "v3a")] = false;
    out = decided(&s, 0.1);
    CHECK_SOURCE(out, LEARNED);
    CHECK_NEAR(out.p[at(&s, "v3a")], 0, 0);
    scene_close(&s);
}

TEST(unit_decide, frozen_means_base_whatever_is_pinned)
{
    struct scene s;

    scene_open(&s);
    limit(&s, "{" STAGES ",\"pins\":{\"*\":\"v3a\"},\"frozen\":true}");
    struct decide_output out = decided(&s, 0.9999);
    CHECK_SOURCE(out, FROZEN);
    CHECK_INT(out.variant, 0);
    CHECK_NEAR(out.p[0], 1, 0);
    scene_close(&s);
}

TEST(unit_decide, disabled_serves_base_and_tells_what_would_have_been_drawn_from)
{
    struct scene s;

    scene_open(&s);
    s.in.enabled = false;
    struct decide_output out = decided(&s, 0.9999);
    CHECK_SOURCE(out, DISABLED);
    CHECK_INT(out.variant, 0);
    CHECK_NEAR(out.p[0], 0.9, 1e-12);
    CHECK_NEAR(out.p[11], 0.1 / 11, 1e-12);
    scene_close(&s);
}

TEST(unit_decide, a_new_snapshot_names_its_versions)
{
    struct scene s;

    scene_open(&s);
    CHECK_STR(s.policy->version, "p1");
    CHECK_STR(s.limits.version, "g1");
    scene_close(&s);
}

/* Uniform numbers of 20,000 call ids under a fixed key, as the router takes them. */
static struct keyring *fixed_ring(void)
{
    char path[300];
    struct keyring *ring = NULL;
    struct reason reason = {0};

    snprintf(path, sizeof path, "%s/keys", test_dir());
    FILE *out = fopen(path, "w");
    for (int i = 0; i < 33; i++)
        fprintf(out, i ? "%02x" : "k1 ", i);
    fclose(out);
    chmod(path, 0600);
    CHECK_INT(keyring_load(path, &ring, &reason), STATUS_OK);
    return ring;
}

static double uniform(struct keyring *ring, const char *domain, int call)
{
    uint8_t key[CALL_KEY_BYTES];
    char id[32];

    snprintf(id, sizeof id, "call-%d", call);
    pseudonym(ring, 0, domain, id, key);
    return pseudonym_uniform(key);
}

/* Pearson's chi-square of the draws against the reported p; 11 degrees of freedom, 31.26 has probability 0.001. */
static double chi_square(struct scene *s, int *ret_held)
{
    enum { CALLS = 20000 };
    struct keyring *ring = fixed_ring();
    double count[12] = {0}, sum = 0;
    struct decide_output out = {0};

    *ret_held = 0;
    for (int call = 0; call < CALLS; call++) {
        s->in.draw = uniform(ring, DOMAIN_DRAW, call);
        s->in.holdback = uniform(ring, DOMAIN_HOLDBACK, call);
        decide(&s->in, &out);
        CHECK(!out.holdback || out.variant == s->variants.base);
        *ret_held += out.holdback;
        count[out.variant]++;
    }
    for (int i = 0; i < 12; i++)
        sum += (count[i] - CALLS * out.p[i]) * (count[i] - CALLS * out.p[i]) / (CALLS * out.p[i]);
    keyring_free(ring);
    return sum;
}

TEST(unit_decide, twenty_thousand_calls_follow_the_reported_probabilities)
{
    struct scene s;
    int held;

    scene_open(&s);
    CHECK(chi_square(&s, &held) < 31.26);
    CHECK_INT(held, 0);
    scene_close(&s);
}

TEST(unit_decide, with_a_holdback_they_still_do_and_base_gets_its_share_on_top)
{
    struct scene s;
    int held;

    scene_open(&s);
    limit(&s, "{\"floor\":0.002,\"base_share\":0.2," STAGES "," GROUPS "}");
    CHECK(chi_square(&s, &held) < 31.26);
    CHECK(abs(held - 4000) < 200);
    struct decide_output out = decided(&s, 0.9999);
    CHECK_NEAR(out.p[0], 0.2 + 0.8 * 0.9, 1e-12);
    CHECK_NEAR(out.p[1], 0.8 * 0.1 / 11, 1e-12);
    s.in.holdback = 0.1999;
    out = decided(&s, 0.9999);
    CHECK(out.holdback);
    CHECK_INT(out.variant, 0);
    scene_close(&s);
}

TEST(unit_decide, the_grounds_are_what_was_decided_from)
{
    struct scene s;

    scene_open(&s);
    learn(&s, "{\"cells\":[{\"cell\":\"*\"},{\"cell\":\"kfz/morning\",\"variants\":[{\"policy_variant\":\"v2b\",\"w\":0.75}]}]}");
    limit(&s, "{\"floor\":0.002,\"base_share\":0.01," STAGES "," GROUPS "}");
    s.mask[1] = false;
    struct decide_output out = decided(&s, 0.25);
    const DecisionGrounds *g = decide_grounds(&s.arena, &s.in, &out);
    CHECK_STR(g->cell, "kfz/morning");
    CHECK_NEAR(g->w[at(&s, "v2b")], 0.75, 0);
    CHECK_INT(g->n_stages, 12);
    CHECK_INT(g->stages[0], TOM__RL__V1__STAGE__STAGE_BASE);
    CHECK_INT(g->stages[4], TOM__RL__V1__STAGE__STAGE_NEW);
    CHECK_INT(g->groups[0], 0);
    CHECK_INT(g->groups[11], 1);
    CHECK_INT(g->n_caps, 1);
    CHECK_STR(g->caps[0]->name, "new");
    CHECK_NEAR(g->caps[0]->cap, 0.1, 0);
    CHECK_NEAR(g->base_share, 0.01, 0);
    CHECK_NEAR(g->draw, 0.25, 0);
    CHECK(g->n_masked == 1 && g->masked[0] == 1);
    s.in.policy = NULL;
    s.in.limits = NULL;
    out = decided(&s, 0.25);
    g = decide_grounds(&s.arena, &s.in, &out);
    CHECK(g->n_w == 0 && g->n_stages == 0 && !g->cell[0]);
    scene_close(&s);
}
