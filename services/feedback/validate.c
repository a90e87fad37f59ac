/* SPDX-License-Identifier: Apache-2.0 */
/* validate.c - one check after the other; the first that fails names the field. */
#include "validate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "call_id.h"
#include "codec.h"
#include "message_signals.h"
#include "variants.h"

enum { DAY_S = 86400 };

static enum status check_time(double ts, const char *field, wall_time now, struct reason *reason)
{
    double limit = (double)now.us / 1e6 + DAY_S;

    if (!isfinite(ts) || ts < 0)
        return reason_set(reason, field, "%g is no time; expected unix seconds, 0 or more", ts);
    if (ts > limit)
        return reason_set(reason, field, "%.0f is more than a day ahead%s", ts,
                          ts >= 1e12 ? "; milliseconds? expected unix seconds" : "");
    return STATUS_OK;
}

static enum status check_list(const struct config_list *list, const char *value, const char *field, struct reason *reason)
{
    char names[160] = "";

    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], value) == 0)
            return STATUS_OK;
    for (size_t i = 0; i < list->count; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", list->items[i]);
    return reason_set(reason, field, "\"%.40s\" is none of %s", value, names);
}

static unsigned clamp_int(bool there, int32_t *value, int low, int high)
{
    if (!there || (*value >= low && *value <= high))
        return 0;
    *value = *value < low ? low : high;
    return 1;
}

/* A number that is none stays: it is refused. */
static unsigned clamp_real(bool there, double *value, double low, double high)
{
    if (!there || !isfinite(*value) || (*value >= low && *value <= high))
        return 0;
    *value = *value < low ? low : high;
    return 1;
}

static unsigned clamp_signals(Signals *s)
{
    if (!s)
        return 0;
    return clamp_int(HAS(s, has_user_rating_case), &s->user_rating, 1, 5)
           + clamp_int(HAS(s, has_barge_in_count_case), &s->barge_in_count, 0, 10)
           + clamp_int(HAS(s, has_repeats_case), &s->repeats, 0, 5)
           + clamp_real(HAS(s, has_duration_sec_case), &s->duration_sec, 0, 3600)
           + clamp_real(HAS(s, has_satisfaction_case), &s->satisfaction, -1, 1);
}

static enum status check_signals(const struct validate_rules *rules, Signals *signals, unsigned *ret_clamped,
                                 struct reason *reason)
{
    *ret_clamped = rules->out_of_range == OUT_OF_RANGE_CLAMP ? clamp_signals(signals) : 0;
    return signals_check(signals, reason);
}

enum status validate_call_ended(const struct validate_rules *rules, CallEnded *m, wall_time now, unsigned *ret_clamped,
                                struct reason *reason)
{
    enum status status = call_id_check(&m->call_id, "call_id", reason);

    if (status == STATUS_OK && HAS(m, has_ts_case))
        status = check_time(m->ts, "ts", now, reason);
    if (status == STATUS_OK && HAS(m, has_agent_case))
        status = check_list(rules->agents, m->agent, "agent", reason);
    if (status == STATUS_OK && HAS(m, has_profile_case))
        status = check_list(rules->profiles, m->profile, "profile", reason);
    if (status == STATUS_OK && HAS(m, has_policy_variant_case) && !variant_id_valid(m->policy_variant))
        status = reason_set(reason, "policy_variant", "\"%.40s\" does not look like v1a", m->policy_variant);
    if (status == STATUS_OK && HAS(m, has_caller_key_case))
        status = call_id_check(&m->caller_key, "caller_key", reason);
    if (status == STATUS_OK)
        status = check_signals(rules, m->signals, ret_clamped, reason);
    bool may_be_open = rules->allow_unknown_resolution || m->source == TOM__RL__V1__SOURCE__SOURCE_FSM;
    if (status == STATUS_OK && !may_be_open && (!m->signals || !HAS(m->signals, has_resolution_case)))
        status = reason_set(reason, "signals.resolution", "missing; true or false is required");
    return status;
}

enum status validate_call_amended(const struct validate_rules *rules, CallAmended *m, wall_time now, unsigned *ret_clamped,
                                  struct reason *reason)
{
    enum status status = call_id_check(&m->call_id, "call_id", reason);

    if (status == STATUS_OK && HAS(m, has_at_case))
        status = check_time(m->at, "at", now, reason);
    if (status == STATUS_OK && !m->signals && !HAS(m, has_retracted_case))
        status = reason_set(reason, "signals", "missing; an amendment says signals or retracted");
    return status == STATUS_OK ? check_signals(rules, m->signals, ret_clamped, reason) : status;
}
