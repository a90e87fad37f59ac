/* SPDX-License-Identifier: Apache-2.0 */
/* bandit.c - learns which variant works for which callers.
 *
 * reward.computed -> ledger and sums -> bandit.updated.  What is believed is a pure function of the sums; what is said of it needs no
 * revision, because the next snapshot says everything again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "context.h"
#include "ledger.h"
#include "log.h"
#include "service.h"
#include "snapshot.h"
#include "state_file.h"

enum { US = 1000000, MS = 1000, SNAPSHOT_EVERY_US = 10 * US, STATE_EVERY_US = US, TIMES_OF_DAY = 5, SECONDS_PER_DAY = 86400, TOUCHED = 4 };

struct bandit {
    /* configuration */
    double shrinkage; /* first: rl-sim reads it from here */
    int64_t publish_interval_ms;
    const char *reward_version, *state_path;

    struct model model;
    const struct config_list *profiles;
    int64_t min_cell_size;
    struct metrics *metrics;
    struct clk clk;
    struct ledger *ledger;
    struct arena arena; /* of the path */

    bool started;             /* a first snapshot was said */
    int64_t said, exported;   /* ledger_changes of the last snapshot and state file; exported -1: none yet */
    mono_time said_at, exported_at;
    bool export_failed;
    struct call touched[TOUCHED]; /* first calls of this batch; texts as in call_read */
    size_t touched_count;
};

#define K(type, member, ...) CONFIG_##type(struct bandit, member, __VA_ARGS__)

static const struct config_key keys[] = {
    K(INT, publish_interval_ms, "bandit.publish_interval_ms", "100", 1, 10000, NULL, "Least time between two snapshots, milliseconds."),
    K(TEXT, reward_version, "bandit.reward_version", "v1", NULL, "The reward version that is learned; others are refused."),
    K(DOUBLE, shrinkage, "bandit.shrinkage", "20", 0, 1e6, NULL, "At most so many calls' worth of strength comes from a variant's other cells."),
    K(TEXT, state_path, "bandit.state_path", "", "RL_BANDIT_STATE_PATH", "Readable export; empty: <data_dir>/rl/bandit_state.json."),
};

enum { EXPLORATION, LEARNED, AMENDED, STALE, CLOSED, ERASED, ROWS, BUCKETS, SNAPSHOTS, SNAPSHOT_SECONDS };

static const struct metric metrics[] = {
    [EXPLORATION] = {"rl_bandit_exploration_rate", METRIC_GAUGE, "Traffic-weighted mean over cells of 1 - P(best) of the leading variant.", {0}},
    [LEARNED] = {"rl_learned_total", METRIC_COUNTER, "Calls learned for the first time.", {"policy_variant"}},
    [AMENDED] = {"rl_rewards_amended_total", METRIC_COUNTER, "Rewards that replaced an older one of the same call.", {0}},
    [STALE] = {"rl_rewards_stale_total", METRIC_COUNTER, "Rewards not newer than what was known; they changed nothing.", {0}},
    [CLOSED] = {"rl_rewards_closed_total", METRIC_COUNTER, "Rewards of unknown calls from before the rows that are kept; they changed nothing.", {0}},
    [ERASED] = {"rl_rewards_erased_total", METRIC_COUNTER, "Rewards of calls that were erased; they changed nothing.", {0}},
    [ROWS] = {"rl_ledger_rows", METRIC_GAUGE, "Calls in the ledger.", {0}},
    [BUCKETS] = {"rl_sums_buckets", METRIC_GAUGE, "Sums by version, cell, variant and hour or day.", {0}},
    [SNAPSHOTS] = {"rl_snapshots_published_total", METRIC_COUNTER, "Publications of bandit.updated.", {0}},
    [SNAPSHOT_SECONDS] = {"rl_snapshot_compute_seconds", METRIC_HISTOGRAM, "Time to compute a snapshot.", {0},
                          .bounds = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3}, .bound_count = 8},
};

static const char *label(const struct bandit *b, const char *variant) { return variants_label(b->model.variants, variant); }

static struct grid grid_of(const struct bandit *b, struct arena *arena)
{
    return ledger_grid(b->ledger, b->reward_version, b->model.variants, arena);
}

/* --- learning -------------------------------------------------------------------------------------------------------------------------- */

static void count_outcome(struct bandit *b, const struct call *call, enum learned outcome)
{
    static const int metric_of[LEARNED_OUTCOMES] = {
        [LEARNED_NEW] = LEARNED, [LEARNED_AMENDED] = AMENDED, [LEARNED_STALE] = STALE, [LEARNED_CLOSED] = CLOSED,
        [LEARNED_ERASED] = ERASED};

    metrics_add(b->metrics, METRIC_OWN(metric_of[outcome]), 1, outcome == LEARNED_NEW ? label(b, call->variant) : NULL, NULL, NULL);
    if (outcome != LEARNED_NEW && outcome != LEARNED_AMENDED)
        return;
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
    return status;
}

static enum status on_reward(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    struct call_rules rules = {.version = b->reward_version, .profiles = b->profiles, .now = outbox_now(out).us / US};
    enum learned outcome;
    struct call call;

    if (((const RewardComputed *)in->body)->erased)
        return erase(b, (const RewardComputed *)in->body, rules.now, reason);
    enum status status = call_read(&rules, (const RewardComputed *)in->body, outbox_arena(out), &call, reason);

    if (status == STATUS_OK)
        status = ledger_learn(b->ledger, &call, rules.now, &outcome);
    if (status == STATUS_OK)
        count_outcome(b, &call, outcome);
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
        struct beta_posterior p = posterior_beta(&b->model.prior, &own, &own);
        log_event(level, "arm.updated", "cell=%s variant=%s pulls=%lld alpha=%.4f beta=%.4f", call->cell, label(b, call->variant), (long long)own.n,
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
    struct grid grid = grid_of(b, arena);
    struct estimates e = estimate(&b->model, &grid, arena);

    snapshot_message(&e, outbox_now(out), arena, m);
    m->policy_version = (char *)policy_version(&b->model, ledger_changes(b->ledger), outbox_now(out).us / US, arena);
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

static enum status flush(void *state, struct outbox *out)
{
    struct bandit *b = state;
    enum status status = ledger_flush(b->ledger);

    if (status != STATUS_OK)
        return status;
    log_touched(b, outbox_arena(out));
    b->touched_count = 0;
    metrics_set(b->metrics, METRIC_OWN(ROWS), (double)ledger_rows(b->ledger), NULL, NULL, NULL);
    metrics_set(b->metrics, METRIC_OWN(BUCKETS), (double)ledger_sums(b->ledger)->hours.count, NULL, NULL, NULL);
    if (snapshot_at(b, outbox_mono(out)).us <= outbox_mono(out).us)
        publish(b, out);
    return STATUS_OK;
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

    return snapshot.us < state_file.us ? snapshot : state_file;
}

/* --- requests ---------------------------------------------------------------------------------------------------------------------------- */

static enum status check_variant(const struct bandit *b, const char *variant, struct reason *reason)
{
    if (!variant[0] || variants_find(b->model.variants, variant) >= 0)
        return STATUS_OK;
    return reason_set(reason, "policy_variant", "\"%.40s\" is no configured variant", variant);
}

/* What context.h maps onto itself is known. */
static enum status check_filters(const struct bandit *b, const char *profile, const char *time_of_day, struct reason *reason)
{
    if (profile[0] && strcmp(context_profile(b->profiles, profile), profile) != 0)
        return reason_set(reason, "profile", "\"%.40s\" is no configured profile", profile);
    if (time_of_day[0] && strcmp(context_time_of_day(time_of_day), time_of_day) != 0)
        return reason_set(reason, "time_of_day", "\"%.40s\" is none of morning, afternoon, evening, night, other", time_of_day);
    return STATUS_OK;
}

/* Few calls of few callers would tell how each of them went.  What is known over all callers is never left out: the loop lives on it. */
static void suppress(const struct bandit *b, struct arena *arena, BanditStatsReply *m)
{
    for (size_t i = 0; i < m->n_variants; i++) {
        if (m->variants[i]->value->pulls == 0 || m->variants[i]->value->pulls >= b->min_cell_size)
            continue;
        m->variants[i]->value = codec_new(arena, &tom__rl__v1__bandit_arm_stats__descriptor);
        m->variants[i]->value->suppressed = true;
    }
}

static enum status on_stats(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    const BanditStatsRequest *q = (const BanditStatsRequest *)in->body;
    struct arena *arena = outbox_arena(out);
    BanditStatsReply *m = codec_new(arena, &tom__rl__v1__bandit_stats_reply__descriptor);
    enum status status = check_filters(b, q->profile, q->time_of_day, reason);

    if (status == STATUS_OK)
        status = check_variant(b, q->policy_variant, reason);
    if (status != STATUS_OK)
        return status;
    struct grid grid = grid_of(b, arena);
    struct estimates e = estimate(&b->model, &grid, arena);
    snapshot_stats(&e, q, arena, m);
    if (q->report && (q->profile[0] || q->time_of_day[0]))
        suppress(b, arena, m);
    m->version = (char *)policy_version(&b->model, ledger_changes(b->ledger), outbox_now(out).us / US, arena);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

/* Quantiles are elements floor(q n) of the sorted list. */
static void summarise(const int64_t *rewards, size_t n, BanditRewardsReply *m)
{
    double sum = 0, squares = 0;

    m->count = (int64_t)n;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        sum += (double)rewards[i] / REWARD_SCALE;
    m->mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += pow((double)rewards[i] / REWARD_SCALE - m->mean, 2);
    m->std = sqrt(squares / (double)n);
    m->min = (double)rewards[0] / REWARD_SCALE;
    m->max = (double)rewards[n - 1] / REWARD_SCALE;
    m->p25 = (double)rewards[n / 4] / REWARD_SCALE;
    m->p50 = (double)rewards[n / 2] / REWARD_SCALE;
    m->p75 = (double)rewards[3 * n / 4] / REWARD_SCALE;
}

static enum status on_rewards(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    const BanditRewardsRequest *q = (const BanditRewardsRequest *)in->body;
    BanditRewardsReply *m = codec_new(outbox_arena(out), &tom__rl__v1__bandit_rewards_reply__descriptor);
    struct reward_filter filter = {.version = b->reward_version, .variant = q->policy_variant, .profile = q->profile};
    int64_t *rewards = NULL;
    size_t count = 0;
    enum status status = check_variant(b, q->policy_variant, reason);

    if (status == STATUS_OK)
        status = check_filters(b, q->profile, "", reason);
    if (q->days)
        filter.from = outbox_now(out).us / US - (int64_t)q->days * SECONDS_PER_DAY;
    if (status == STATUS_OK)
        status = ledger_rewards(b->ledger, &filter, &rewards, &count);
    if (status != STATUS_OK)
        return status;
    if (q->report && (q->profile[0] || q->days) && (int64_t)count < b->min_cell_size)
        m->count = (int64_t)count;
    else
        summarise(rewards, count, m);
    free(rewards);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

/* A variant that is no longer configured can still be forgotten. */
static enum status on_reset(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    const BanditResetRequest *q = (const BanditResetRequest *)in->body;
    BanditResetReply *m = codec_new(outbox_arena(out), &tom__rl__v1__bandit_reset_reply__descriptor);
    enum status status = STATUS_OK;

    if (!variant_id_valid(q->policy_variant))
        return reason_set(reason, "policy_variant", "\"%.40s\" does not match ^v[0-9]+[a-z]$", q->policy_variant);
    if (!ledger_knows(b->ledger, q->policy_variant))
        status = check_variant(b, q->policy_variant, reason);
    if (status == STATUS_OK)
        status = ledger_reset(b->ledger, q->policy_variant, &m->removed);
    if (status != STATUS_OK)
        return status;
    log_info("variant.reset", "variant=%s removed=%lld", label(b, q->policy_variant), (long long)m->removed);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

static enum status on_rebuild(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    const BanditRebuildRequest *q = (const BanditRebuildRequest *)in->body;
    BanditRebuildReply *m = codec_new(outbox_arena(out), &tom__rl__v1__bandit_rebuild_reply__descriptor);
    struct ledger_check check;

    if (!q->check)
        return reason_set(reason, "check", "must be true: live sums are never replaced while the service runs");
    enum status status = ledger_check(b->ledger, &check);
    if (status != STATUS_OK)
        return status;
    m->identical = check.differences == 0;
    m->rows = check.rows;
    m->buckets = check.buckets;
    m->differences = check.differences;
    m->first_difference = arena_str(outbox_arena(out), check.first);
    if (check.differences)
        log_error("sums.differ", "differences=%lld first=\"%s\"", (long long)check.differences, check.first);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

/* --- life ------------------------------------------------------------------------------------------------------------------------------- */

static enum status check_config(const struct bandit *b, struct reason *reason)
{
    size_t bound = snapshot_bound(&b->model, b->profiles->count + 1, TIMES_OF_DAY);

    if (!b->reward_version[0] || strlen(b->reward_version) > 32)
        return reason_fail(reason, STATUS_CONFIG, "bandit.reward_version", "needs 1 .. 32 characters");
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
        if (i != LEARNED)
            metrics_declare(b->metrics, METRIC_OWN(i), NULL, NULL, NULL);
}

static enum status open_bandit(void *state, const struct service_env *env, struct reason *reason)
{
    struct bandit *b = state;
    const struct variants *variants = env->variants;

    b->model = (struct model){.prior = {variants->initial_alpha, variants->initial_beta, b->shrinkage},
                              .min_pulls = variants->min_pulls_for_confidence, .reward_version = b->reward_version, .variants = variants};
    b->model.hash = model_hash(&b->model);
    b->profiles = &env->common->profiles;
    b->min_cell_size = env->common->min_cell_size;
    b->metrics = env->metrics;
    b->clk = env->clk;
    b->exported = -1;
    enum status status = check_config(b, reason);
    if (status == STATUS_OK && ledger_open(env->store, &b->ledger) != STATUS_OK)
        status = reason_fail(reason, STATUS_STORE, "", "the ledger cannot be read");
    if (status != STATUS_OK)
        return status;
    if (!b->state_path[0])
        b->state_path = arena_printf(&b->arena, "%s/rl/bandit_state.json", env->common->data_dir);
    declare_series(b);
    log_info("ledger.opened", "rows=%lld buckets=%zu changes=%lld", (long long)ledger_rows(b->ledger),
             ledger_sums(b->ledger)->hours.count, (long long)ledger_changes(b->ledger));
    return STATUS_OK;
}

static void close_bandit(void *state)
{
    struct bandit *b = state;

    if (b->ledger && ledger_changes(b->ledger) != b->exported)
        export(b, b->clk.wall(b->clk.ctx).us / US);
    b->ledger = ledger_free(b->ledger);
    arena_done(&b->arena);
}

static const struct subject_handler handles[] = {
    {SUBJECT_REWARD_COMPUTED, on_reward, HANDLE_BATCH},
    {SUBJECT_BANDIT_STATS, on_stats, HANDLE_READ},
    {SUBJECT_BANDIT_REWARDS, on_rewards, HANDLE_READ},
    {SUBJECT_BANDIT_RESET, on_reset, HANDLE_BATCH},
    {SUBJECT_BANDIT_REBUILD, on_rebuild, HANDLE_READ},
};

extern const struct service bandit_service;
const struct service bandit_service = {
    .name = "bandit", .what = "learns which variant works for which callers", .state_size = sizeof(struct bandit),
    .keys = keys, .key_count = COUNT_OF(keys), .metrics = metrics, .metric_count = COUNT_OF(metrics),
    .handles = handles, .handle_count = COUNT_OF(handles), .migrations = ledger_migrations, .migration_count = LEDGER_MIGRATIONS,
    .open = open_bandit, .close = close_bandit, .tick = tick, .next_tick = next_tick, .flush = flush,
};
