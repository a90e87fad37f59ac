/* SPDX-License-Identifier: Apache-2.0 */
/* past.c - calls over the bus that were in the past, and what the bandit finds to have changed in it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "sim.h"

enum { HOUR_S = 3600, CAP = 1 << 16 };

void past_begin(struct sim *s, wall_time now)
{
    const struct sim_options *o = &s->options;

    if (o->calls_per_hour)
        s->past_from = fmax(0, (double)now.us / 1e6 - HOUR_S * (double)o->calls / (double)o->calls_per_hour);
}

double past_end(const struct sim *s, long call)
{
    return s->past_from + HOUR_S * (double)call / (double)s->options.calls_per_hour;
}

/* The first call that ended in the hour or after it. */
static long call_at(const struct sim *s, int64_t ts)
{
    double call = ceil(((double)ts - s->past_from) / HOUR_S * (double)s->options.calls_per_hour);

    return call > 0 ? (long)call : 0;
}

static const char *context_of(const BanditChanged *m, const char *name)
{
    for (size_t i = 0; i < m->n_context; i++)
        if (strcmp(m->context[i]->key, name) == 0)
            return m->context[i]->value;
    return "";
}

static struct restart restart_heard(const BanditChanged *m)
{
    struct restart r = {.from = m->since / HOUR_S, .evidence = m->evidence, .before = m->mean_before, .after = m->mean_after};
    const char *profile = context_of(m, "profile");

    while (r.level + 1 < DETECT_LEVELS && strcmp(detect_level_names[r.level], m->level) != 0)
        r.level++;
    if (profile[0])
        snprintf(r.cell, sizeof r.cell, "%.30s/%.30s", profile, context_of(m, "time_of_day"));
    snprintf(r.variant, sizeof r.variant, "%s", m->policy_variant);
    return r;
}

static bool noted(const struct sim *s, const struct restart *r)
{
    for (size_t i = 0; i < s->restart_count; i++) {
        const struct restart *other = &s->restarts[i].what;
        if (other->from == r->from && strcmp(other->cell, r->cell) == 0 && strcmp(other->variant, r->variant) == 0)
            return true;
    }
    return false;
}

void past_heard(struct sim *s, struct arena *arena, const struct client_message *message, long ended)
{
    ProtobufCMessage *body;
    struct reason reason;
    bool json;

    if (codec_decode(arena, &tom__rl__v1__bandit_changed__descriptor, message->data, message->size, CAP, &json, &body,
                     &reason) != STATUS_OK)
        return;
    const BanditChanged *m = (const BanditChanged *)body;
    struct sim_restart r = {.call = ended, .since = s->options.calls_per_hour ? call_at(s, m->since) : -1,
                            .what = restart_heard(m)};
    if (!noted(s, &r.what))
        sim_note_restart(s, &r);
}
