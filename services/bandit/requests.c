/* SPDX-License-Identifier: Apache-2.0 */
/* requests.c - what can be asked of the bandit: statistics, single rewards, versions; and its two commands, reset and switch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bandit.h"
#include "codec.h"

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

/* Few calls of few callers would tell how each of them went.  What is known over all callers is never left
 * out: the loop lives on it. */
static void suppress(const struct bandit *b, struct arena *arena, BanditStatsReply *m)
{
    for (size_t i = 0; i < m->n_variants; i++) {
        if (m->variants[i]->value->pulls == 0 || m->variants[i]->value->pulls >= b->min_cell_size)
            continue;
        m->variants[i]->value = codec_new(arena, &tom__rl__v1__bandit_arm_stats__descriptor);
        m->variants[i]->value->suppressed = true;
    }
}

enum status bandit_on_stats(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    const BanditStatsRequest *q = (const BanditStatsRequest *)in->body;
    struct arena *arena = outbox_arena(out);
    BanditStatsReply *m = codec_new(arena, &tom__rl__v1__bandit_stats_reply__descriptor);
    const char *version = "";
    enum status status = check_filters(b, q->profile, q->time_of_day, reason);

    if (status == STATUS_OK)
        status = check_variant(b, q->policy_variant, reason);
    if (status == STATUS_OK)
        status = versions_find(&b->versions, q->reward_version, &version, reason);
    if (status != STATUS_OK)
        return status;
    struct view view;
    if ((status = bandit_view(b, version, &view)) != STATUS_OK)
        return status;
    struct grid grid = bandit_grid(b, &view, outbox_now(out).us / US, arena);
    (void)model_fit(&view.model, &grid, &view.fit, arena); /* as the next snapshot will say it */
    struct estimates e = bandit_estimate(&view, &grid, outbox_now(out).us / US, arena);
    snapshot_stats(&e, q, arena, m);
    if (q->report && (q->profile[0] || q->time_of_day[0]))
        suppress(b, arena, m);
    m->version = (char *)policy_version(&view.model, facts_hash(&view.fit, &view.restarts), ledger_changes(b->ledger),
                                        outbox_now(out).us / US, arena);
    restarts_done(&view.restarts);
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

enum status bandit_on_rewards(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    const BanditRewardsRequest *q = (const BanditRewardsRequest *)in->body;
    BanditRewardsReply *m = codec_new(outbox_arena(out), &tom__rl__v1__bandit_rewards_reply__descriptor);
    struct reward_filter filter = {.variant = q->policy_variant, .profile = q->profile};
    int64_t *rewards = NULL;
    size_t count = 0;
    enum status status = check_variant(b, q->policy_variant, reason);

    if (status == STATUS_OK)
        status = check_filters(b, q->profile, "", reason);
    if (status == STATUS_OK)
        status = versions_find(&b->versions, q->reward_version, &filter.version, reason);
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
enum status bandit_on_reset(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    const BanditResetRequest *q = (const BanditResetRequest *)in->body;
    BanditResetReply *m = codec_new(outbox_arena(out), &tom__rl__v1__bandit_reset_reply__descriptor);
    enum status status = STATUS_OK;
    int64_t rows = 0;

    if (!variant_id_valid(q->policy_variant))
        return reason_set(reason, "policy_variant", "\"%.40s\" does not match ^v[0-9]+[a-z]$", q->policy_variant);
    if (!ledger_knows(b->ledger, q->policy_variant))
        status = check_variant(b, q->policy_variant, reason);
    m->removed = ledger_calls(b->ledger, b->versions.active, q->policy_variant);
    if (status == STATUS_OK)
        status = ledger_reset(b->ledger, q->policy_variant, &rows);
    if (status != STATUS_OK)
        return status;
    log_info("variant.reset", "variant=%s removed=%lld", bandit_label(b, q->policy_variant), (long long)m->removed);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

enum status bandit_on_rebuild(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
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
    m->given_up = check.given_up;
    m->buckets = check.buckets;
    m->differences = check.differences;
    m->first_difference = arena_str(outbox_arena(out), check.first);
    if (check.differences)
        log_error("sums.differ", "differences=%lld first=\"%s\"", (long long)check.differences, check.first);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

enum status bandit_on_versions(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    BanditVersionsReply *m = codec_new(outbox_arena(out), &tom__rl__v1__bandit_versions_reply__descriptor);
    struct comparison c = {.versions = &b->versions, .variants = b->model.variants};
    enum status status = versions_other(&b->versions, ((const BanditVersionsRequest *)in->body)->reward_version, &c.other,
                                        reason);

    if (status == STATUS_OK)
        status = versions_compare(&c, b->store, b->ledger, outbox_arena(out), m);
    if (status == STATUS_OK)
        outbox_reply(out, in, &m->base);
    return status;
}

/* The snapshot of this batch is made from the other sums, and leaves before the answer. */
enum status bandit_on_switch(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct bandit *b = state;
    const BanditSwitchRequest *q = (const BanditSwitchRequest *)in->body;
    BanditSwitchReply *m = codec_new(outbox_arena(out), &tom__rl__v1__bandit_switch_reply__descriptor);
    bool changed = false;

    m->previous = (char *)b->versions.active;
    enum status status = versions_switch(&b->versions, b->store, q, outbox_now(out).us / US, &changed, reason);
    if (status == STATUS_OK && changed)
        status = bandit_activate(b, b->versions.active);
    if (status != STATUS_OK)
        return status;
    if (changed) {
        b->started = false;
        b->exported = -1;
        log_info("version.switched", "from=%s to=%s calls=%lld", m->previous, b->versions.active,
                 (long long)ledger_calls(b->ledger, b->versions.active, ""));
    }
    m->reward_version = (char *)b->versions.active;
    m->changed = changed;
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}
