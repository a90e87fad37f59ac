/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - protects callers while the system learns: how far each variant has come, and what caps follow from it.
 *
 * bandit.updated, policy.selected -> guard.updated.  The limits follow from the newest totals and from what operators decided;
 * guard.db keeps the latter, and counts decisions. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "commands.h"
#include "guard_store.h"
#include "log.h"
#include "service.h"

#define STAGE(name) TOM__RL__V1__STAGE__STAGE_##name

enum { PUBLISH_US = 100000, REPEAT_US = 10000000, EXPORT_US = 1000000 };

struct guard {
    struct guard_settings settings;

    const struct variants *variants;
    const struct config_list *profiles;
    struct metrics *metrics;
    const char *data_dir;
    bool legacy_names;
    struct guard_store store;
    struct own_total totals[MAX_VARIANTS];
    Stage stages[MAX_VARIANTS];
    bool has_snapshot, changed, export_due;
    wall_time snapshot_at, changed_at;
    mono_time said_at, exported_at;
    bool said;
};

#define K(type, member, ...) CONFIG_##type(struct guard, member, __VA_ARGS__)

static const struct config_key keys[] = {
    K(DOUBLE, settings.base_share, "guard.base_share", "0", 0, 0.5, NULL,
      "Holdback: share of calls that always get base, to measure lift against; 0: off."),
    K(DOUBLE, settings.floor, "guard.floor", "0.002", 0, 0.003, NULL, "Least share of an eligible variant before caps."),
    K(INT, settings.max_active, "guard.max_active_variants", "0", 0, MAX_VARIANTS, NULL,
      "Variants that may speak at once, base included; 0: all."),
    K(DOUBLE, settings.parole_cap, "guard.parole_cap", "0.01", 0, 1, NULL, "Most traffic of all variants on parole together."),
    K(DOUBLE, settings.uncertainty_half_width, "guard.uncertainty_half_width", "0.15", 0.01, 2, NULL,
      "A variant whose own 95 % half-width is above this is uncertain."),
};

enum { ACTIVE, BLACKLISTED, ACTIVE_LEGACY, BLACKLISTED_LEGACY, SNAPSHOT_AGE, VARIANT_STAGE };

static const struct metric metrics[] = {
    [ACTIVE] = {"rl_active_variants", METRIC_GAUGE, "Variants that may get traffic, base included.", {NULL}},
    [BLACKLISTED] = {"rl_blacklisted_variants", METRIC_GAUGE, "Variants that get none until released.", {NULL}},
    [ACTIVE_LEGACY] = {"rl_active_variants_total", METRIC_GAUGE, "Old name of rl_active_variants.", {NULL}},
    [BLACKLISTED_LEGACY] = {"rl_blacklisted_variants_total", METRIC_GAUGE, "Old name of rl_blacklisted_variants.", {NULL}},
    [SNAPSHOT_AGE] = {"rl_bandit_snapshot_age_seconds", METRIC_GAUGE, "Age of the bandit's snapshot; -1: none yet.", {NULL}},
    [VARIANT_STAGE] = {"rl_variant_stage", METRIC_GAUGE,
                       "Stage: 1 base, 2 new, 3 uncertain, 4 established, 5 parole, 6 blacklisted, 7 inactive.",
                       {"policy_variant"}},
};

static bool eligible(Stage stage) { return stage != STAGE(BLACKLISTED) && stage != STAGE(INACTIVE); }

/* ---- stages ---------------------------------------------------------------------------------------------------------------- */

static void show(struct guard *g)
{
    double active = 0, blacklisted = 0;

    for (size_t i = 0; i < g->variants->count; i++) {
        active += eligible(g->stages[i]);
        blacklisted += g->stages[i] == STAGE(BLACKLISTED);
        metrics_set(g->metrics, METRIC_OWN(VARIANT_STAGE), g->stages[i], g->variants->items[i].id, NULL, NULL);
    }
    metrics_set(g->metrics, METRIC_OWN(ACTIVE), active, NULL, NULL, NULL);
    metrics_set(g->metrics, METRIC_OWN(BLACKLISTED), blacklisted, NULL, NULL, NULL);
    if (g->legacy_names) { /* a series that was never declared is not served */
        metrics_set(g->metrics, METRIC_OWN(ACTIVE_LEGACY), active, NULL, NULL, NULL);
        metrics_set(g->metrics, METRIC_OWN(BLACKLISTED_LEGACY), blacklisted, NULL, NULL, NULL);
    }
}

static struct guard_rules rules_of(const struct guard *g)
{
    return (struct guard_rules){.min_pulls = g->variants->blacklist_min_pulls,
                                .uncertainty_half_width = g->settings.uncertainty_half_width,
                                .blacklist_mean = g->variants->blacklist_reward_mean,
                                .max_active = (size_t)g->settings.max_active};
}

static enum status move_by_rule(struct guard *g, size_t v, enum verdict verdict, const struct own_total *since,
                                struct outbox *out)
{
    const struct variants *all = g->variants;
    bool bad = verdict == VERDICT_BLACKLISTED;
    const char *why = arena_printf(outbox_arena(out), "mean reward %+.4f over %lld calls%s is %s %g", since->mean,
                                   (long long)since->n, g->store.was_released[v] ? " since the release" : "",
                                   bad ? "below" : "not below", all->blacklist_reward_mean);
    const struct guard_move move = {.command = bad ? "blacklist" : "add", .variant = all->items[v].id, .cell = "",
                                    .verdict = verdict, .who = "rule", .why = why, .at = outbox_now(out)};
    enum status status = guard_store_set_verdict(&g->store, v, verdict);

    log_info("variant.ruled", "variant=%s verdict=%d pulls=%lld mean=%+.4f", move.variant, verdict, (long long)since->n,
             since->mean);
    return status == STATUS_OK ? guard_store_record(&g->store, &move) : status;
}

/* What the newest totals say of each verdict.  When calls from before a release were retracted, or all forgotten, what is left is
 * what was known at the release. */
static enum status apply_rules(struct guard *g, struct outbox *out)
{
    const struct guard_rules rules = rules_of(g);
    enum status status = STATUS_OK;

    for (size_t i = 0; i < g->variants->count && status == STATUS_OK; i++) {
        if (g->totals[i].n < g->store.released[i].n)
            status = guard_store_set_released(&g->store, i, &g->totals[i]);
        struct own_total since = total_since(&g->totals[i], &g->store.released[i]);
        enum verdict verdict = guard_verdict(&rules, i == g->variants->base, g->store.verdicts[i], &since);
        if (status == STATUS_OK && verdict != g->store.verdicts[i])
            status = move_by_rule(g, i, verdict, &since, out);
    }
    return status;
}

static void judge(struct guard *g, wall_time now)
{
    const struct guard_rules rules = rules_of(g);
    Stage stages[MAX_VARIANTS];

    for (size_t i = 0; i < g->variants->count; i++)
        stages[i] = guard_stage(&rules, i == g->variants->base, g->store.verdicts[i], &g->totals[i]);
    guard_limit_active(&rules, g->variants->count, g->totals, stages);
    for (size_t i = 0; i < g->variants->count; i++) {
        if (stages[i] == g->stages[i])
            continue;
        if (g->stages[i])
            log_info("variant.stage", "variant=%s from=%d to=%d pulls=%lld mean=%+.4f", g->variants->items[i].id, g->stages[i],
                     stages[i], (long long)g->totals[i].n, g->totals[i].mean);
        g->stages[i] = stages[i];
        g->changed = g->export_due = true;
        g->changed_at = now;
    }
    show(g);
}

static enum status on_policy(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct guard *g = state;
    const BanditUpdated *m = (const BanditUpdated *)in->body;

    (void)reason;
    memset(g->totals, 0, sizeof g->totals);
    for (size_t i = 0; i < m->n_totals; i++) {
        int v = variants_find(g->variants, m->totals[i]->policy_variant);
        if (v >= 0)
            g->totals[v] = (struct own_total){.n = m->totals[i]->n, .mean = m->totals[i]->mean,
                                              .variance = m->totals[i]->variance};
    }
    g->has_snapshot = true;
    g->snapshot_at = outbox_now(out);
    enum status status = guard_store_follow(&g->store, m->reward_version, g->totals);
    if (status == STATUS_OK)
        status = apply_rules(g, out);
    if (status == STATUS_OK)
        judge(g, outbox_now(out));
    return status;
}

static enum status on_selected(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct guard *g = state;
    const PolicySelected *m = (const PolicySelected *)in->body;

    (void)out;
    if (!m->policy_variant[0])
        return reason_set(reason, "policy_variant", "missing");
    for (size_t i = 0; i < m->n_probabilities; i++)
        if (!(m->probabilities[i]->value >= 0 && m->probabilities[i]->value <= 1))
            return reason_set(reason, "probabilities", "%g is outside of 0 .. 1", m->probabilities[i]->value);
    guard_store_count(&g->store, m, in->sequence, in->stream_time_us);
    return STATUS_OK;
}

/* ---- guard.updated --------------------------------------------------------------------------------------------------------- */

typedef Tom__Rl__V1__GuardUpdated__StagesEntry UpdatedStagesEntry;
#define UpdatedStages_descriptor tom__rl__v1__guard_updated__stages_entry__descriptor

typedef Tom__Rl__V1__GuardUpdated__PinsEntry UpdatedPinsEntry;
#define UpdatedPins_descriptor tom__rl__v1__guard_updated__pins_entry__descriptor

static LimitGroup *group_message(struct arena *arena, const struct guard *g, int group)
{
    static const char *const names[] = {"new", "uncertain", "parole"};
    const double caps[] = {g->variants->cap_new, g->variants->cap_uncertain, g->settings.parole_cap};
    LimitGroup *m = codec_new(arena, &tom__rl__v1__limit_group__descriptor);

    m->name = arena_str(arena, names[group]);
    m->cap = caps[group];
    m->members = arena_alloc(arena, g->variants->count * sizeof *m->members);
    for (size_t i = 0; i < g->variants->count; i++)
        if (guard_group(g->stages[i]) == group)
            m->members[m->n_members++] = (char *)g->variants->items[i].id;
    return m;
}

static uint64_t digest_of(const GuardUpdated *m, struct arena *arena)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    const uint8_t *data;
    size_t size;

    codec_encode(arena, &m->base, false, &data, &size);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void say(struct guard *g, struct outbox *out)
{
    struct arena *arena = outbox_arena(out);
    GuardUpdated *m = outbox_new(out, SUBJECT_GUARD_UPDATED);

    m->base_variant = (char *)g->variants->items[g->variants->base].id;
    m->stages = arena_alloc(arena, g->variants->count * sizeof *m->stages);
    for (size_t i = 0; i < g->variants->count; i++)
        MAP_ADD(arena, m, stages, UpdatedStages, g->variants->items[i].id, g->stages[i]);
    m->groups = arena_alloc(arena, 3 * sizeof *m->groups);
    for (int group = 0; group < 3; group++)
        m->groups[m->n_groups++] = group_message(arena, g, group);
    m->floor = g->settings.floor;
    m->base_share = g->settings.base_share;
    m->frozen = g->store.frozen;
    m->pins = arena_alloc(arena, g->store.pin_count * sizeof *m->pins);
    for (size_t i = 0; i < g->store.pin_count; i++) /* the pin of one beyond max_active_variants rests */
        if (eligible(g->stages[g->store.pins[i].variant]))
            MAP_ADD(arena, m, pins, UpdatedPins, arena_str(arena, g->store.pins[i].cell),
                    (char *)g->variants->items[g->store.pins[i].variant].id);
    m->guard_version = arena_printf(arena, "g%lld", (long long)guard_store_version(&g->store, digest_of(m, arena)));
    m->ts = (double)outbox_now(out).us / 1e6;
    outbox_say(out, SUBJECT_GUARD_UPDATED, &m->base, "", 0, "");
    g->said_at = outbox_mono(out);
    g->changed = false;
    g->said = true;
}

static mono_time next_tick(void *state, mono_time now)
{
    struct guard *g = state;

    if (!g->said)
        return now;
    if (g->export_due && !g->changed)
        return mono_after(g->exported_at, EXPORT_US);
    return mono_after(g->said_at, g->changed ? PUBLISH_US : REPEAT_US);
}

/* ---- requests -------------------------------------------------------------------------------------------------------------- */

typedef Tom__Rl__V1__GuardStatusReply__StagesEntry StatusStagesEntry;
typedef Tom__Rl__V1__GuardStatusReply__ConfigEntry StatusConfigEntry;
typedef Tom__Rl__V1__GuardStatusReply__PinsEntry StatusPinsEntry;
#define StatusStages_descriptor tom__rl__v1__guard_status_reply__stages_entry__descriptor
#define StatusPins_descriptor tom__rl__v1__guard_status_reply__pins_entry__descriptor
#define StatusConfig_descriptor tom__rl__v1__guard_status_reply__config_entry__descriptor

static void add_config(struct arena *arena, GuardStatusReply *m, const char *key, double value)
{
    MAP_ADD(arena, m, config, StatusConfig, key, arena_printf(arena, "%g", value));
}

static void add_settings(const struct guard *g, struct arena *arena, GuardStatusReply *m)
{
    const struct variants *v = g->variants;

    m->config = arena_alloc(arena, 9 * sizeof *m->config);
    add_config(arena, m, "blacklist_threshold", v->blacklist_reward_mean);
    add_config(arena, m, "floor", g->settings.floor);
    add_config(arena, m, "base_share", g->settings.base_share);
    add_config(arena, m, "max_active_variants", (double)g->settings.max_active);
    add_config(arena, m, "min_pulls", (double)v->blacklist_min_pulls);
    add_config(arena, m, "parole_cap", g->settings.parole_cap);
    add_config(arena, m, "traffic_split_new", v->cap_new);
    add_config(arena, m, "traffic_split_uncertain", v->cap_uncertain);
    add_config(arena, m, "uncertainty_half_width", g->settings.uncertainty_half_width);
    m->frozen = g->store.frozen;
    m->pins = arena_alloc(arena, g->store.pin_count * sizeof *m->pins);
    for (size_t i = 0; i < g->store.pin_count; i++)
        MAP_ADD(arena, m, pins, StatusPins, arena_str(arena, g->store.pins[i].cell),
                (char *)v->items[g->store.pins[i].variant].id);
}

static enum status on_status(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct guard *g = state;
    const struct variants *v = g->variants;
    struct arena *arena = outbox_arena(out);
    GuardStatusReply *m = codec_new(arena, &tom__rl__v1__guard_status_reply__descriptor);

    (void)reason;
    m->base_variant = (char *)v->items[v->base].id;
    m->active_variants = arena_alloc(arena, v->count * sizeof *m->active_variants);
    m->blacklisted_variants = arena_alloc(arena, v->count * sizeof *m->blacklisted_variants);
    m->eligible = arena_alloc(arena, v->count * sizeof *m->eligible);
    m->stages = arena_alloc(arena, v->count * sizeof *m->stages);
    for (size_t i = 0; i < v->count; i++) {
        char *id = (char *)v->items[i].id;
        if (g->stages[i] != STAGE(INACTIVE) && g->stages[i] != STAGE(BLACKLISTED))
            m->active_variants[m->n_active_variants++] = id;
        if (g->stages[i] == STAGE(BLACKLISTED))
            m->blacklisted_variants[m->n_blacklisted_variants++] = id;
        if (eligible(g->stages[i]))
            m->eligible[m->n_eligible++] = id;
        MAP_ADD(arena, m, stages, StatusStages, id, g->stages[i]);
    }
    m->last_update = (double)g->changed_at.us / 1e6;
    add_settings(g, arena, m);
    m->guard_version = arena_printf(arena, "g%lld", (long long)g->store.version);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

static enum status on_health(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct guard *g = state;
    const char *id = ((const GuardHealthRequest *)in->body)->policy_variant;
    GuardHealthReply *m = codec_new(outbox_arena(out), &tom__rl__v1__guard_health_reply__descriptor);
    int v = variants_find(g->variants, id);

    if (v < 0)
        return reason_fail(reason, STATUS_NOT_FOUND, "policy_variant", "there is no variant \"%.32s\"", id);
    m->id = arena_str(outbox_arena(out), id);
    m->stage = g->stages[v];
    m->is_active = eligible(m->stage);
    m->is_blacklisted = m->stage == STAGE(BLACKLISTED);
    m->is_new = m->stage != STAGE(BASE) && g->totals[v].n < g->variants->blacklist_min_pulls;
    m->is_uncertain = m->stage == STAGE(UNCERTAIN);
    m->stats = codec_new(outbox_arena(out), &tom__rl__v1__guard_health_reply__stats__descriptor);
    m->stats->pulls = g->totals[v].n;
    m->stats->mean_reward = g->totals[v].mean;
    m->stats->half_width = g->totals[v].n < 2 ? 2 : total_half_width(&g->totals[v]); /* 2: nothing is known on [-1, 1] */
    m->stats->decided = (uint64_t)g->store.decided[v].drawn;
    m->stats->expected = (double)g->store.decided[v].expected / 1e9;
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

/* Is said in the same batch: the answer leaves when the stream has the new limits. */
static enum status on_command(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct guard *g = state;
    struct guard_command command = {.store = &g->store, .stages = g->stages, .totals = g->totals, .has_totals = g->has_snapshot,
                                    .profiles = g->profiles, .arena = outbox_arena(out), .now = outbox_now(out),
                                    .request = (const GuardCommandRequest *)in->body};
    enum status status = guard_command_run(&command, reason);

    if (status != STATUS_OK)
        return status;
    if (command.changed) {
        log_info("guard.command", "command=%s variant=%s", command.request->command, command.request->policy_variant);
        g->changed_at = outbox_now(out);
        g->export_due = true;
        judge(g, outbox_now(out));
        say(g, out);
    }
    GuardCommandReply *m = codec_new(outbox_arena(out), &tom__rl__v1__guard_command_reply__descriptor);
    m->ok = true;
    m->status = (char *)command.status;
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

/* ---- deploy_state.json ----------------------------------------------------------------------------------------------------- */

static void export_state(struct guard *g)
{
    json_t *active = json_array(), *blacklisted = json_array();
    char path[4200];
    struct reason reason;

    for (size_t i = 0; i < g->variants->count; i++)
        if (eligible(g->stages[i]) || g->stages[i] == STAGE(BLACKLISTED))
            json_array_append_new(eligible(g->stages[i]) ? active : blacklisted, json_string(g->variants->items[i].id));
    json_t *root = json_pack("{s:s, s:o, s:o, s:f}", "base_variant", g->variants->items[g->variants->base].id,
                             "active_variants", active, "blacklisted_variants", blacklisted,
                             "last_update", (double)g->changed_at.us / 1e6);
    char *text = json_dumps(root, JSON_INDENT(2));
    snprintf(path, sizeof path, "%s/rl/deploy_state.json", g->data_dir);
    if (atomic_file_write(path, text, strlen(text), 0640, &reason) != STATUS_OK)
        log_warning("export.failed", "%s", reason.text);
    free(text);
    json_decref(root);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

static enum status tick(void *state, struct outbox *out)
{
    struct guard *g = state;
    mono_time now = outbox_mono(out);

    metrics_set(g->metrics, METRIC_OWN(SNAPSHOT_AGE),
                g->has_snapshot ? (double)(outbox_now(out).us - g->snapshot_at.us) / 1e6 : -1, NULL, NULL, NULL);
    if (!g->said || now.us >= g->said_at.us + (g->changed ? PUBLISH_US : REPEAT_US))
        say(g, out);
    if (g->export_due && now.us >= g->exported_at.us + EXPORT_US) {
        export_state(g);
        g->export_due = false;
        g->exported_at = now;
    }
    return STATUS_OK;
}

static enum status flush(void *state, struct outbox *out)
{
    return (void)out, guard_store_flush(&((struct guard *)state)->store);
}

static enum status open_guard(void *state, const struct service_env *env, struct reason *reason)
{
    struct guard *g = state;

    g->variants = env->variants;
    g->metrics = env->metrics;
    g->profiles = &env->common->profiles;
    g->data_dir = env->common->data_dir;
    g->legacy_names = env->common->legacy_names;
    if (g->settings.floor * (double)env->variants->count > 1)
        return reason_fail(reason, STATUS_CONFIG, "guard.floor", "%g times %zu variants is more than all traffic",
                           g->settings.floor, env->variants->count);
    enum status status = guard_store_open(&g->store, env->store, env->variants, reason);
    if (status != STATUS_OK)
        return status;
    metrics_set(env->metrics, METRIC_OWN(SNAPSHOT_AGE), -1, NULL, NULL, NULL);
    judge(g, env->clk.wall(env->clk.ctx));
    return STATUS_OK;
}

static void close_guard(void *state)
{
    struct guard *g = state;

    if (g->export_due)
        export_state(g);
    guard_store_close(&g->store);
}

static const struct subject_handler handles[] = {
    {SUBJECT_BANDIT_UPDATED, on_policy, HANDLE_BATCH},
    {SUBJECT_POLICY_SELECTED, on_selected, HANDLE_BATCH},
    {SUBJECT_GUARD_STATUS, on_status, HANDLE_READ},
    {SUBJECT_GUARD_HEALTH, on_health, HANDLE_READ},
    {SUBJECT_GUARD_COMMAND, on_command, HANDLE_BATCH},
};

extern const struct service guard_service;
const struct service guard_service = {
    .name = "guard", .what = "keeps the stages of the variants and the caps that follow", .state_size = sizeof(struct guard),
    .keys = keys, .key_count = COUNT_OF(keys), .metrics = metrics, .metric_count = COUNT_OF(metrics),
    .handles = handles, .handle_count = COUNT_OF(handles), .migrations = guard_migrations, .migration_count = GUARD_MIGRATIONS,
    .open = open_guard, .close = close_guard, .tick = tick, .next_tick = next_tick, .flush = flush,
};
