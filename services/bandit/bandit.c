/* SPDX-License-Identifier: Apache-2.0 */
/* bandit.c - learns which variant works for which callers.
 *
 * reward.computed -> ledger and sums -> bandit.updated, bandit.changed.  What is believed is a pure function of the sums; what is said of it
 * needs no revision, because the next snapshot says everything again.  That the world changed is said once, and has one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bandit.h"
#include "call.h"
#include "changes.h"
#include "state_file.h"

#define K(type, member, ...) CONFIG_##type(struct bandit, member, __VA_ARGS__)

static const struct config_key keys[] = {
    K(DOUBLE, model.change_delta, "bandit.change_delta", "0.0002", 0, 0.5, NULL,
      "Detector of changes: probability of a false alarm per series; 0: it does not look."),
    K(DOUBLE, model.half_life_days, "bandit.half_life_days", "0", 0, 3650, NULL, "A call of this age counts half; 0: nothing is forgotten."),
    K(ENUM, model.belief.model, "bandit.model", model_names, "linear", "What is believed of variants: reference, each cell by itself, or all together."),
    K(TEXT, model.prior_path, "bandit.prior_path", "", "RL_BANDIT_PRIOR_PATH",
      "What was believed of variants before the first call; empty: <data_dir>/rl/bandit_prior.yaml, if there is one."),
    K(DOUBLE, model.prior_strength, "bandit.prior_strength", "20", 0, 1e6, NULL,
      "At most so many calls is the prior of a variant worth, over all contexts; 0: none."),
    K(INT, publish_interval_ms, "bandit.publish_interval_ms", "100", 1, 10000, NULL, "Least time between two snapshots, milliseconds."),
    K(INT, retention.days, "bandit.retention_days", "90", 0, 3650, NULL,
      "How long the row of a call is kept after its first message, days; what it counted stays in the sums; 0: for good."),
    K(TEXT, versions.candidate, "bandit.reward_candidate", "", NULL,
      "A second reward version that is learned beside it, for rlctl versions and switch; empty: none."),
    K(TEXT, versions.first, "bandit.reward_version", "v1", NULL,
      "The reward version that decides at the first start; from then on rlctl switch decides which."),
    K(DOUBLE, model.belief.beta.shrinkage, "bandit.shrinkage", "20", 0, 1e6, NULL,
      "Model beta: at most so many calls' worth of strength comes from a variant's other cells."),
    K(TEXT, state_path, "bandit.state_path", "", "RL_BANDIT_STATE_PATH", "Readable export; empty: <data_dir>/rl/bandit_state.json."),
    K(DOUBLE, model.explore.caution, "exploration.caution", "0.025", 0, 1, NULL,
      "Thompson sampling: share, at 30 calls a variant, for the one that could be best at all by a bound that trusts no model; it fades."),
    K(DOUBLE, model.explore.runner_up, "exploration.runner_up", "0.5", 0, 1, NULL, "Strategy top_two: how often the runner-up is served instead."),
    K(DOUBLE, model.explore.sharpness, "exploration.sharpness", "0.45", 0.01, 1, NULL,
      "Thompson sampling: factor of every posterior deviation; 1, without widening and caution, is plain."),
    K(ENUM, model.explore.strategy, "exploration.strategy", strategy_names, "thompson", "How beliefs become shares of traffic."),
    K(DOUBLE, model.explore.widening, "exploration.widening", "0.2", 0, 10, NULL, "How much of that is given back to variants of which less is known."),
    CONFIG_AMENDMENT_WINDOW(struct bandit, retention.amendment_window_days, true),
};

static const struct metric metrics[] = {
    [EXPLORATION] = {"rl_bandit_exploration_rate", METRIC_GAUGE, "Traffic-weighted mean over cells of 1 - w of the leading variant.", {0}},
    [LEARNED] = {"rl_learned_total", METRIC_COUNTER, "Calls learned for the first time.", {"policy_variant"}, .cell = "rl_learned_total"},
    [LEARNED_CALLS] = {"rl_calls_learned_total", METRIC_COUNTER, "Calls learned for the first time, whatever variant.", {0}},
    [AMENDED] = {"rl_rewards_amended_total", METRIC_COUNTER, "Rewards that replaced an older one of the same call.", {0}},
    [STALE] = {"rl_rewards_stale_total", METRIC_COUNTER, "Rewards not newer than what was known; they changed nothing.", {0}},
    [CLOSED] = {"rl_rewards_closed_total", METRIC_COUNTER, "Rewards of calls without a row that were first seen before the rows that are kept; they changed nothing.", {0}},
    [ERASED] = {"rl_rewards_erased_total", METRIC_COUNTER, "Rewards of calls that were erased; they changed nothing.", {0}},
    [INACTIVE] = {"rl_rewards_inactive_total", METRIC_COUNTER, "Rewards learned under the version that is not active; no other counter has them.", {0}},
    [ROWS] = {"rl_ledger_rows", METRIC_GAUGE, "Rows in the ledger: calls, once under each reward version.", {0}},
    [BUCKETS] = {"rl_sums_buckets", METRIC_GAUGE, "Sums by version, cell, variant and hour or day.", {0}},
    [SNAPSHOTS] = {"rl_snapshots_published_total", METRIC_COUNTER, "Publications of bandit.updated.", {0}},
    [SNAPSHOT_SECONDS] = {"rl_snapshot_compute_seconds", METRIC_HISTOGRAM, "Time to compute a snapshot.", {0},
                          .bounds = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3}, .bound_count = 8},
    [POSTERIOR_DELAY] = {"rl_posterior_delay_seconds", METRIC_HISTOGRAM, "From feedback's saying of a call until the posterior holds it.", {0},
                         .bounds = {0.01, 0.03, 0.1, 0.3, 1, 10, 60, 3600, 86400}, .bound_count = 9},
    [RESTARTS] = {"rl_bandit_restarts_total", METRIC_COUNTER, "Changes of the world that were found; what came before no longer counts.", {"level"}},
    [GIVEN_UP] = {"rl_ledger_given_up_total", METRIC_COUNTER, "Rows that left at the end of bandit.retention_days; what they counted stays in the sums.", {0}},
};

const char *bandit_label(const struct bandit *b, const char *variant) { return variants_label(b->model.variants, variant); }

static struct grid grid_of(const struct bandit *b, struct arena *arena)
{
    return ledger_grid(b->ledger, b->model.reward_version, b->model.variants, arena);
}

enum status bandit_view(const struct bandit *b, const char *version, struct view *ret)
{
    *ret = (struct view){.model = b->model};
    ret->model.reward_version = version;
    model_complete(&ret->model, b->model.variants); /* the hash names the version, too */
    enum status status = fit_load(b->store, ret->model.hash, &ret->fit);
    return status == STATUS_OK ? restarts_load(b->store, version, &ret->restarts) : status;
}

struct grid bandit_grid(const struct bandit *b, const struct view *v, int64_t now, struct arena *arena)
{
    struct grid grid = ledger_grid(b->ledger, v->model.reward_version, v->model.variants, arena);
    struct forgetting forgetting = {.half_life = v->model.half_life_days * HOURS_PER_DAY, .now = now / SECONDS_PER_HOUR,
                                    .from = restarts_from(&v->restarts, &grid, arena)};

    if (forgetting.half_life > 0 || forgetting.from)
        ledger_forget(b->ledger, &forgetting, &grid, arena);
    return grid;
}

struct estimates bandit_estimate(const struct view *v, const struct grid *grid, int64_t now, struct arena *arena)
{
    struct prior_age age = {.half_life = v->model.half_life_days * HOURS_PER_DAY, .now = now / SECONDS_PER_HOUR, .restarts = &v->restarts};
    struct grid joined = prior_join(v->model.prior, grid, &age, arena);

    return estimate(&v->model, &joined, &v->fit, arena);
}

enum status bandit_activate(struct bandit *b, const char *version)
{
    struct view view;
    enum status status = bandit_view(b, version, &view);

    if (status != STATUS_OK)
        return status;
    restarts_done(&b->restarts);
    b->model = view.model;
    b->restarts = view.restarts;
    b->fit = view.fit;
    return STATUS_OK;
}

static char *version_text(const struct bandit *b, int64_t now, struct arena *arena)
{
    return (char *)policy_version(&b->model, facts_hash(&b->fit, &b->restarts), ledger_changes(b->ledger), now, arena);
}

/* --- learning -------------------------------------------------------------------------------------------------------------------------- */

/* A revision of feedback is the time at which it was said, in microseconds; one that anybody else gave may be any number. */
static void observe_delay(struct bandit *b, int64_t revision, int64_t now_us)
{
    if (revision <= now_us && now_us - revision < 365 * (int64_t)SECONDS_PER_DAY * US)
        metrics_observe(b->metrics, METRIC_OWN(POSTERIOR_DELAY), (double)(now_us - revision) / US, NULL, NULL, NULL);
}

static void count_outcome(struct bandit *b, const struct call *call, enum learned outcome, int64_t now_us)
{
    static const int metric_of[LEARNED_OUTCOMES] = {
        [LEARNED_NEW] = LEARNED, [LEARNED_AMENDED] = AMENDED, [LEARNED_STALE] = STALE, [LEARNED_CLOSED] = CLOSED,
        [LEARNED_ERASED] = ERASED};

    b->closed += outcome == LEARNED_CLOSED;
    if (strcmp(call->version, b->versions.active) != 0 && outcome != LEARNED_CLOSED) {
        metrics_add(b->metrics, METRIC_OWN(INACTIVE), outcome == LEARNED_NEW || outcome == LEARNED_AMENDED, NULL, NULL, NULL);
        return;
    }
    metrics_add(b->metrics, METRIC_OWN(metric_of[outcome]), 1, outcome == LEARNED_NEW ? bandit_label(b, call->variant) : NULL, NULL, NULL);
    if (outcome != LEARNED_NEW && outcome != LEARNED_AMENDED)
        return;
    metrics_add(b->metrics, METRIC_OWN(LEARNED_CALLS), outcome == LEARNED_NEW, NULL, NULL, NULL);
    observe_delay(b, call->revision, now_us);
    if (b->touched_count < TOUCHED)
        b->touched[b->touched_count] = *call;
    b->touched_count++;
}

static enum status erase(struct bandit *b, const RewardComputed *m, int64_t now, struct reason *reason)
{
    uint8_t key[CALL_KEY_BYTES];
    int64_t rows = 0;

    if (!call_key_parse(m->call_key, key))
        return reason_set(reason, "call_key", "is not 32 lower-case hex digits");
    enum status status = ledger_erase(b->ledger, key, now, &rows);
    if (status == STATUS_OK && rows)
        log_info("ledger.erased", "rows=%lld", (long long)rows);
    else if (status == STATUS_OK && ledger_kept_from(b->ledger))
        log_info("ledger.erased", "rows=0 what=\"never learned, or its row was given up for its age: then the sums keep what it counted\"");
    return status;
}

static enum status on_reward(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    struct call_rules rules = {.versions = &b->versions, .profiles = b->profiles, .now = outbox_now(out).us / US};
    enum learned outcome;
    struct call call;

    if (((const RewardComputed *)in->body)->erased)
        return erase(b, (const RewardComputed *)in->body, rules.now, reason);
    enum status status = call_read(&rules, (const RewardComputed *)in->body, outbox_arena(out), &call, reason);

    if (status == STATUS_OK)
        status = ledger_learn(b->ledger, &call, rules.now, &outcome);
    if (status == STATUS_OK)
        count_outcome(b, &call, outcome, outbox_now(out).us);
    return status;
}

/* One line per call when few came, for people who watch; a busy system says it at level debug, and not of every call. */
static void log_touched(const struct bandit *b, struct arena *arena)
{
    enum log_level level = b->touched_count <= TOUCHED ? LOG_INFO : LOG_DEBUG;
    size_t count = b->touched_count <= TOUCHED ? b->touched_count : TOUCHED;

    if (!count || !log_enabled(level))
        return;
    struct grid grid = grid_of(b, arena);
    for (size_t i = 0; i < count; i++) {
        const struct call *call = &b->touched[i];
        struct stats own = grid_own(&grid, b->model.variants, call->cell, call->variant);
        struct beta_posterior p = posterior_beta(&b->model.belief.beta, &own, &own);
        log_event(level, "arm.updated", "cell=%s variant=%s pulls=%lld alpha=%.4f beta=%.4f", call->cell, bandit_label(b, call->variant), (long long)own.n,
                  p.alpha, p.beta);
    }
}

/* --- saying it --------------------------------------------------------------------------------------------------------------------------- */

static mono_time snapshot_at(const struct bandit *b, mono_time now)
{
    if (!b->started)
        return now;
    return mono_after(b->said_at, ledger_changes(b->ledger) != b->said ? b->publish_interval_ms * MS : SNAPSHOT_EVERY_US);
}

static mono_time export_at(const struct bandit *b, mono_time now)
{
    return mono_after(ledger_changes(b->ledger) != b->exported ? b->exported_at : now, STATE_EVERY_US);
}

static void publish(struct bandit *b, struct outbox *out)
{
    struct arena *arena = outbox_arena(out);
    BanditUpdated *m = outbox_new(out, SUBJECT_BANDIT_UPDATED);
    int64_t before = b->clk.mono(b->clk.ctx).us;
    struct view view = {b->model, b->restarts, b->fit};
    struct grid grid = bandit_grid(b, &view, outbox_now(out).us / US, arena);
    struct estimates e = bandit_estimate(&view, &grid, outbox_now(out).us / US, arena);

    snapshot_message(&e, outbox_now(out), arena, m);
    m->policy_version = version_text(b, outbox_now(out).us / US, arena);
    outbox_say(out, SUBJECT_BANDIT_UPDATED, &m->base, "", 0, "");
    metrics_observe(b->metrics, METRIC_OWN(SNAPSHOT_SECONDS), (double)(b->clk.mono(b->clk.ctx).us - before) / US, NULL, NULL, NULL);
    metrics_add(b->metrics, METRIC_OWN(SNAPSHOTS), 1, NULL, NULL, NULL);
    metrics_set(b->metrics, METRIC_OWN(EXPLORATION), e.exploration_rate, NULL, NULL, NULL);
    b->started = true;
    b->said = ledger_changes(b->ledger);
    b->said_at = outbox_mono(out);
}

/* An export that fails is no reason to stop learning; it is said once and tried again. */
static void export(struct bandit *b, int64_t now)
{
    struct arena arena;
    arena_init(&arena);
    struct grid grid = grid_of(b, &arena);
    struct reason reason = {0};
    bool failed = state_file_write(b->state_path, &b->model, grid.all, now, &reason) != STATUS_OK;

    if (failed && !b->export_failed)
        log_error("state_file.failed", "rule=\"%s\"", reason.text);
    b->export_failed = failed;
    if (!failed)
        b->exported = ledger_changes(b->ledger);
    arena_done(&arena);
}

/* The group deviations of model linear follow the data, before a snapshot says what follows from them. */
static enum status refit(struct bandit *b, int64_t now, struct arena *arena)
{
    struct view view = {b->model, b->restarts, b->fit};
    struct grid grid = bandit_grid(b, &view, now, arena);

    return model_fit(&b->model, &grid, &b->fit, arena) ? fit_save(b->store, b->model.hash, &b->fit) : STATUS_OK;
}

static enum status restart(struct bandit *b, const struct restart *r, int64_t now)
{
    log_warning("change.found", "level=%s cell=\"%s\" variant=\"%s\" since_hour=%lld before=%.3f after=%.3f evidence=%.2f",
                detect_level_names[r->level], r->cell, r->variant, (long long)r->from, r->before, r->after, r->evidence);
    metrics_add(b->metrics, METRIC_OWN(RESTARTS), 1, detect_level_names[r->level], NULL, NULL);
    ledger_split(b->ledger, r->from);
    return restarts_add(b->store, b->model.reward_version, r, now, &b->restarts);
}

/* Once an hour, because what it looks at are hours.  Each change is a fact of its own. */
static enum status look(struct bandit *b, int64_t now, struct arena *arena)
{
    struct restart found[DETECT_MOST];
    enum status status = STATUS_OK;

    if (b->looked == now / SECONDS_PER_HOUR || !(b->model.change_delta > 0))
        return STATUS_OK;
    b->looked = now / SECONDS_PER_HOUR;
    struct view view = {b->model, b->restarts, b->fit};
    struct grid grid = bandit_grid(b, &view, now, arena);
    struct detect_settings settings = {.delta = b->model.change_delta, .variance = model_variance(&b->model, &grid, arena)};
    size_t count = restarts_find(b->ledger, &grid, &b->restarts, &settings, found);
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = restart(b, &found[i], now);
    return status;
}

static enum status flush(void *state, struct outbox *out)
{
    struct bandit *b = state;
    bool due = snapshot_at(b, outbox_mono(out)).us <= outbox_mono(out).us;
    enum status status = ledger_flush(b->ledger);

    if (status == STATUS_OK && due)
        status = look(b, outbox_now(out).us / US, outbox_arena(out));
    if (status == STATUS_OK && due)
        status = refit(b, outbox_now(out).us / US, outbox_arena(out));
    if (status == STATUS_OK && due)
        status = changes_settle(b->store, version_text(b, outbox_now(out).us / US, outbox_arena(out)), out, &b->change_said);
    if (status != STATUS_OK)
        return status;
    log_touched(b, outbox_arena(out));
    if (b->closed)
        log_info("rewards.closed", "rewards=%lld first_seen_before_day=%lld", (long long)b->closed, (long long)ledger_kept_from(b->ledger));
    b->touched_count = 0;
    b->closed = 0;
    metrics_set(b->metrics, METRIC_OWN(ROWS), (double)ledger_rows(b->ledger), NULL, NULL, NULL);
    metrics_set(b->metrics, METRIC_OWN(BUCKETS), (double)ledger_sums(b->ledger)->hours.count, NULL, NULL, NULL);
    if (due)
        publish(b, out);
    return STATUS_OK;
}

static enum status resume(void *state, struct outbox *out)
{
    struct bandit *b = state;

    return changes_say(b->store, out, &b->change_said);
}

static enum status tick(void *state, struct outbox *out)
{
    struct bandit *b = state;
    mono_time now = outbox_mono(out);
    int64_t rows = 0;
    enum status status = ledger_sweep(b->ledger, outbox_now(out).us / US, &rows);

    if (status != STATUS_OK)
        return status;
    if (rows)
        log_info("ledger.erased", "rows=%lld what=\"they came back with a backup\"", (long long)rows);
    ledger_fold(b->ledger, outbox_now(out).us / US);
    if ((status = retention_some(b, out)) != STATUS_OK)
        return status;
    if (export_at(b, now).us <= now.us) {
        export(b, outbox_now(out).us / US);
        b->exported_at = now;
    }
    return STATUS_OK;
}

static mono_time next_tick(void *state, mono_time now)
{
    const struct bandit *b = state;
    mono_time snapshot = snapshot_at(b, now), state_file = export_at(b, now);

    if (b->retention.border)
        return now;
    return snapshot.us < state_file.us ? snapshot : state_file;
}

/* --- life ------------------------------------------------------------------------------------------------------------------------------- */

static enum status check_config(const struct bandit *b, struct reason *reason)
{
    size_t bound = snapshot_bound(&b->model, b->profiles->count + 1, TIMES_OF_DAY);

    if (bound <= SNAPSHOT_MAX_SIZE)
        return STATUS_OK;
    return reason_fail(reason, STATUS_CONFIG, "context.profiles",
                       "%zu variants in %zu x %d cells make snapshots of up to %zu bytes; the limit is %d", b->model.variants->count,
                       b->profiles->count + 1, TIMES_OF_DAY, bound, SNAPSHOT_MAX_SIZE);
}

static void declare_series(struct bandit *b)
{
    for (size_t v = 0; v < b->model.variants->count; v++)
        metrics_declare(b->metrics, METRIC_OWN(LEARNED), b->model.variants->items[v].id, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(metrics); i++)
        if (i != LEARNED && i != RESTARTS)
            metrics_declare(b->metrics, METRIC_OWN(i), NULL, NULL, NULL);
    for (size_t i = 0; i < DETECT_LEVELS; i++)
        metrics_declare(b->metrics, METRIC_OWN(RESTARTS), detect_level_names[i], NULL, NULL);
}

/* A prior that is named must be there; the one that an import placed is there or not. */
static enum status load_prior(struct bandit *b, const struct service_env *env, struct reason *reason)
{
    const char *named = b->model.prior_path, *path = named[0] ? named : prior_file_place(env->common->data_dir, &b->arena);
    struct prior_settings settings = {.variants = env->variants, .profiles = b->profiles, .strength = b->model.prior_strength};

    if (!(settings.strength > 0) || (!named[0] && access(path, F_OK) != 0))
        return STATUS_OK;
    enum status status = prior_load(path, &settings, &b->arena, &b->prior, reason);
    if (status != STATUS_OK)
        return status;
    b->model.prior = &b->prior;
    log_info("prior.loaded", "path=\"%s\" strength=%g version=\"%s\"", path, settings.strength, b->prior.reward_version);
    return STATUS_OK;
}

static enum status open_bandit(void *state, const struct service_env *env, struct reason *reason)
{
    struct bandit *b = state;

    b->model.reward_version = b->versions.first;
    b->profiles = &env->common->profiles;
    b->min_cell_size = env->common->min_cell_size;
    b->metrics = env->metrics;
    b->clk = env->clk;
    b->exported = -1;
    b->store = env->store;
    b->change_said = env->published;
    enum status status = versions_check(&b->versions, reason);
    if (status == STATUS_OK)
        status = load_prior(b, env, reason);
    model_complete(&b->model, env->variants);
    if (status == STATUS_OK)
        status = check_config(b, reason);
    if (status == STATUS_OK)
        status = retention_check(b, reason);
    if (status == STATUS_OK && (ledger_open(b->store, &b->ledger) != STATUS_OK
                                || versions_open(&b->versions, b->store, b->clk.wall(b->clk.ctx).us / US) != STATUS_OK
                                || bandit_activate(b, b->versions.active) != STATUS_OK))
        status = reason_fail(reason, STATUS_STORE, "", "the ledger cannot be read");
    if (status != STATUS_OK) {
        arena_done(&b->arena);
        return status;
    }
    if (!b->state_path[0])
        b->state_path = arena_printf(&b->arena, "%s/rl/bandit_state.json", env->common->data_dir);
    declare_series(b);
    log_info("ledger.opened", "version=%s rows=%lld buckets=%zu changes=%lld", b->versions.active, (long long)ledger_rows(b->ledger),
             ledger_sums(b->ledger)->hours.count, (long long)ledger_changes(b->ledger));
    return STATUS_OK;
}

static void close_bandit(void *state)
{
    struct bandit *b = state;

    if (b->ledger && ledger_changes(b->ledger) != b->exported)
        export(b, b->clk.wall(b->clk.ctx).us / US);
    b->ledger = ledger_free(b->ledger);
    restarts_done(&b->restarts);
    arena_done(&b->arena);
}

static const struct subject_handler handles[] = {
    {SUBJECT_REWARD_COMPUTED, on_reward, HANDLE_BATCH},
    {SUBJECT_BANDIT_STATS, bandit_on_stats, HANDLE_READ},
    {SUBJECT_BANDIT_REWARDS, bandit_on_rewards, HANDLE_READ},
    {SUBJECT_BANDIT_RESET, bandit_on_reset, HANDLE_BATCH},
    {SUBJECT_BANDIT_REBUILD, bandit_on_rebuild, HANDLE_READ},
    {SUBJECT_BANDIT_VERSIONS, bandit_on_versions, HANDLE_READ},
    {SUBJECT_BANDIT_SWITCH, bandit_on_switch, HANDLE_BATCH},
};

extern const struct service bandit_service;
const struct service bandit_service = {
    .name = "bandit", .what = "learns which variant works for which callers", .state_size = sizeof(struct bandit),
    .keys = keys, .key_count = COUNT_OF(keys), .metrics = metrics, .metric_count = COUNT_OF(metrics),
    .handles = handles, .handle_count = COUNT_OF(handles), .migrations = ledger_migrations, .migration_count = LEDGER_MIGRATIONS,
    .open = open_bandit, .close = close_bandit, .resume = resume, .tick = tick, .next_tick = next_tick, .flush = flush,
};
