/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - the rules of reward.computed, and its row for the ledger. */
#include "call.h"

#include <math.h>
#include <string.h>

#include "codec.h"
#include "context.h"
#include "message_signals.h"

enum { MAX_DAY = 100000, MAX_VERSION = 32, SECONDS_PER_DAY = 86400 };

static enum status check_numbers(const RewardComputed *m, int64_t now, struct reason *reason)
{
    if (m->day < 0 || m->day > MAX_DAY)
        return reason_set(reason, "day", "%d is outside of 0 .. %d", m->day, MAX_DAY);
    if (m->revision <= 0)
        return reason_set(reason, "revision", "%lld is not above 0", (long long)m->revision);
    if (m->ts < 0)
        return reason_set(reason, "ts", "%lld is before 1970", (long long)m->ts);
    if (m->ts > now + SECONDS_PER_DAY)
        return reason_set(reason, "ts", "ts_in_future: %lld is more than a day ahead%s", (long long)m->ts,
                          m->ts > 100000000000 ? "; milliseconds?" : "");
    if (!(m->reward >= -1 && m->reward <= 1))
        return reason_set(reason, "reward", "%g is outside of -1 .. +1", m->reward);
    if (HAS(m, has_propensity_case) && !(m->propensity >= 0 && m->propensity <= 1))
        return reason_set(reason, "propensity", "%g is outside of 0 .. 1", m->propensity);
    return STATUS_OK;
}

static enum status check_texts(const RewardComputed *m, const struct versions *versions, uint8_t ret_key[static CALL_KEY_BYTES],
                               struct reason *reason)
{
    if (!call_key_parse(m->call_key, ret_key))
        return reason_set(reason, "call_key", "is not 32 lower-case hex digits");
    if (!variant_id_valid(m->policy_variant))
        return reason_set(reason, "policy_variant", "\"%.40s\" does not match ^v[0-9]+[a-z]$", m->policy_variant);
    if (!m->reward_version[0] || strlen(m->reward_version) > MAX_VERSION)
        return reason_set(reason, "reward_version", "needs 1 .. %d characters", MAX_VERSION);
    if (!versions_known(versions, m->reward_version))
        return versions_refuse(versions, m->reward_version, reason);
    return STATUS_OK;
}

static const char *in_context(const RewardComputed *m, const char *key)
{
    for (size_t i = 0; i < m->n_context; i++)
        if (strcmp(m->context[i]->key, key) == 0)
            return m->context[i]->value;
    return "other";
}

static const char *cell_of(const struct call_rules *rules, const RewardComputed *m, struct arena *arena)
{
    char cell[CELL_SIZE];

    context_cell(context_profile(rules->profiles, in_context(m, "profile")), context_time_of_day(in_context(m, "time_of_day")),
                 cell);
    return arena_str(arena, cell);
}

static uint32_t flags_of(const RewardComputed *m)
{
    bool pinned = m->decision_source == TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_PINNED ||
                  m->decision_source == TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_FROZEN;

    return (m->holdback ? CALL_HOLDBACK : 0) | (m->retracted ? CALL_RETRACTED : 0) | (pinned ? CALL_PINNED : 0) |
           (HAS(m, has_propensity_case) ? CALL_P_KNOWN : 0) | (uint32_t)m->decision_source << CALL_SOURCE_AT;
}

enum status call_read(const struct call_rules *rules, const RewardComputed *m, struct arena *arena, struct call *ret,
                      struct reason *reason)
{
    struct call call = {.day = m->day, .revision = m->revision, .ts = m->ts, .variant = m->policy_variant};
    enum status status = check_texts(m, rules->versions, call.key, reason);

    if (status == STATUS_OK)
        status = check_numbers(m, rules->now, reason);
    if (status == STATUS_OK)
        status = signals_check(m->signals, reason);
    if (status != STATUS_OK)
        return status;
    struct signals signals = signals_of_message(m->signals);
    call.version = versions_known(rules->versions, m->reward_version);
    call.cell = cell_of(rules, m, arena);
    call.p_nano = HAS(m, has_propensity_case) ? llround(1e9 * m->propensity) : -1;
    call.flags = flags_of(m);
    call.signals = signals_pack(&signals);
    call.reward = reward_to_micro(m->reward);
    *ret = call;
    return STATUS_OK;
}
