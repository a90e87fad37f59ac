/* SPDX-License-Identifier: Apache-2.0 */
/* versions.c - which version is active is the newest row of version_switch. */
#include "versions.h"

#include <math.h>
#include <string.h>

#include "codec.h"

enum { SWITCHES_SHOWN = 20 };

enum status versions_check(const struct versions *v, struct reason *reason)
{
    if (!v->first[0] || strlen(v->first) > VERSION_MAX)
        return reason_fail(reason, STATUS_CONFIG, "bandit.reward_version", "needs 1 .. %d characters", VERSION_MAX);
    if (strlen(v->candidate) > VERSION_MAX)
        return reason_fail(reason, STATUS_CONFIG, "bandit.reward_candidate", "needs at most %d characters", VERSION_MAX);
    if (strcmp(v->first, v->candidate) == 0)
        return reason_fail(reason, STATUS_CONFIG, "bandit.reward_candidate", "must differ from bandit.reward_version, \"%s\"",
                           v->first);
    return STATUS_OK;
}

const char *versions_known(const struct versions *v, const char *version)
{
    if (!version[0])
        return NULL;
    return strcmp(version, v->first) == 0 ? v->first : strcmp(version, v->candidate) == 0 ? v->candidate : NULL;
}

enum status versions_refuse(const struct versions *v, const char *version, struct reason *reason)
{
    return reason_set(reason, "reward_version", "\"%.40s\" is not learned, only \"%s\"%s%s%s", version, v->first,
                      v->candidate[0] ? " and \"" : " is", v->candidate, v->candidate[0] ? "\" are" : "");
}

enum status versions_find(const struct versions *v, const char *asked, const char **ret, struct reason *reason)
{
    const char *known = asked[0] ? versions_known(v, asked) : v->active;

    if (!known)
        return versions_refuse(v, asked, reason);
    *ret = known;
    return STATUS_OK;
}

enum status versions_other(const struct versions *v, const char *asked, const char **ret, struct reason *reason)
{
    const char *other = v->active == v->first ? v->candidate : v->first;

    if (asked[0] && strcmp(asked, v->active) == 0)
        return reason_set(reason, "reward_version", "\"%s\" is the active one", asked);
    if (asked[0] && strcmp(asked, other) != 0)
        return versions_refuse(v, asked, reason);
    *ret = other;
    return STATUS_OK;
}

/* --- the record ------------------------------------------------------------------------------------------------------------- */

static enum status record(struct versions *v, struct store *store, const char *version, int64_t now, const char *who,
                          const char *why)
{
    struct query *q = store_query(store, "INSERT INTO version_switch (at, version, who, why) VALUES (?, ?, ?, ?)");

    query_bind_int(q, 1, now);
    query_bind_text(q, 2, version);
    query_bind_text(q, 3, who);
    query_bind_text(q, 4, why);
    enum status status = query_run(q, NULL);
    if (status == STATUS_OK) {
        v->active = version;
        v->since = now;
    }
    return status;
}

enum status versions_open(struct versions *v, struct store *store, int64_t now)
{
    struct query *q = store_query(store, "SELECT version, at FROM version_switch ORDER BY id DESC LIMIT 1");
    bool row = false;
    enum status status = query_step(q, &row);

    v->active = row ? versions_known(v, query_text(q, 0)) : NULL;
    v->since = row ? query_int(q, 1) : 0;
    query_reset(q);
    if (status != STATUS_OK || v->active)
        return status;
    return record(v, store, v->first, now, "configuration", row ? "the active version is configured no more" : "first start");
}

enum status versions_switch(struct versions *v, struct store *store, const BanditSwitchRequest *m, int64_t now, bool *ret_changed,
                            struct reason *reason)
{
    const char *to = versions_known(v, m->reward_version);

    if (!to)
        return versions_refuse(v, m->reward_version, reason);
    if (strlen(m->who) > VERSION_WHO_MAX)
        return reason_set(reason, "who", "longer than %d bytes", VERSION_WHO_MAX);
    if (strlen(m->reason) > VERSION_WHY_MAX)
        return reason_set(reason, "reason", "longer than %d bytes", VERSION_WHY_MAX);
    *ret_changed = to != v->active;
    return *ret_changed ? record(v, store, to, now, m->who[0] ? m->who : "operator", m->reason) : STATUS_OK;
}

/* --- bandit.versions -------------------------------------------------------------------------------------------------------- */

static void add_version(const struct comparison *c, const struct ledger *ledger, const char *name, struct arena *arena,
                        BanditVersionsReply *m)
{
    BanditVersion *version = m->versions[m->n_versions++] = codec_new(arena, &tom__rl__v1__bandit_version__descriptor);

    version->reward_version = (char *)name;
    version->active = strcmp(name, c->versions->active) == 0;
    version->calls = ledger_calls(ledger, name, "");
}

static BanditVersionArm *compare_arm(const struct stats *active, const struct stats *other, const struct paired *paired,
                                     struct arena *arena)
{
    BanditVersionArm *m = codec_new(arena, &tom__rl__v1__bandit_version_arm__descriptor);
    double half = paired->n < 2 ? 0 : 1.96 * sqrt(paired->squares / (double)(paired->n - 1) / (double)paired->n);

    m->active_calls = active->n;
    m->active_mean = stats_mean(active);
    m->other_calls = other->n;
    m->other_mean = stats_mean(other);
    m->response_rate = stats_response(active);
    m->pairs = paired->n;
    m->difference = paired->mean;
    m->interval = arena_alloc(arena, 2 * sizeof *m->interval);
    for (int side = -1; paired->n >= 2 && side <= 1; side += 2)
        m->interval[m->n_interval++] = paired->mean + side * half;
    return m;
}

static enum status add_switches(struct store *store, struct arena *arena, BanditVersionsReply *m)
{
    struct query *q = store_query(store, "SELECT version, at, who, why FROM version_switch ORDER BY id DESC LIMIT ?");
    bool row = false;
    enum status status;

    m->switches = arena_alloc(arena, SWITCHES_SHOWN * sizeof *m->switches);
    query_bind_int(q, 1, SWITCHES_SHOWN);
    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        BanditVersionSwitch *s = m->switches[m->n_switches++] = codec_new(arena, &tom__rl__v1__bandit_version_switch__descriptor);
        s->reward_version = arena_str(arena, query_text(q, 0));
        s->at = query_int(q, 1);
        s->who = arena_str(arena, query_text(q, 2));
        s->why = arena_str(arena, query_text(q, 3));
    }
    return status;
}

enum status versions_compare(const struct comparison *c, struct store *store, struct ledger *ledger, struct arena *arena,
                             BanditVersionsReply *m)
{
    struct grid active = ledger_grid(ledger, c->versions->active, c->variants, arena),
                other = ledger_grid(ledger, c->other, c->variants, arena);
    struct paired *paired = arena_alloc(arena, c->variants->count * sizeof *paired);
    enum status status = ledger_pairs(ledger, c->versions->active, c->other, c->variants, paired);

    if (status != STATUS_OK)
        return status;
    m->versions = arena_alloc(arena, 2 * sizeof *m->versions);
    add_version(c, ledger, c->versions->active, arena, m);
    if (c->other[0])
        add_version(c, ledger, c->other, arena, m);
    m->variants = arena_alloc(arena, c->variants->count * sizeof *m->variants);
    for (size_t v = 0; v < c->variants->count; v++) {
        m->variants[m->n_variants++] = compare_arm(&active.all[v], &other.all[v], &paired[v], arena);
        m->variants[v]->policy_variant = (char *)c->variants->items[v].id;
    }
    return add_switches(store, arena, m);
}
