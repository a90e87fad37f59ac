/* SPDX-License-Identifier: Apache-2.0 */
/* conclude.c - what the system itself says when all callers have hung up. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clk.h"
#include "codec.h"
#include "sim.h"
#include "wiring.h"

enum { PATIENCE_S = 60, CAP = 1 << 20 };

struct asker {
    struct sim *sim;
    struct client *operator;
    struct arena arena;
};

static double now(void) { return (double)clk_real.mono(clk_real.ctx).us / 1e6; }

static void pause_ms(long ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

const void *sim_ask(struct client *client, struct arena *arena, enum subject subject, const ProtobufCMessage *request)
{
    const struct subject_info *info = &subject_table[subject];
    struct client_message answer;
    ProtobufCMessage *body = NULL;
    struct reason reason = {0};
    const uint8_t *data;
    size_t size;
    bool json;
    double until = now() + PATIENCE_S;
    enum status status;

    codec_encode(arena, request, false, &data, &size);
    while ((status = client_request(client, arena, info->name, data, size, 5000, &answer, &reason)) != STATUS_OK && now() < until)
        pause_ms(100);
    if (status == STATUS_OK)
        status = codec_decode(arena, info->reply, answer.data, answer.size, CAP, &json, &body, &reason);
    if (status != STATUS_OK)
        fprintf(stderr, "rl-sim: %s: %s\n", info->name, reason.text[0] ? reason.text : status_text(status));
    return body;
}

static const void *question(struct asker *a, enum subject subject, const ProtobufCMessage *request)
{
    return sim_ask(a->operator, &a->arena, subject, request);
}

static const BanditStatsReply *stats(struct asker *a)
{
    BanditStatsRequest q = TOM__RL__V1__BANDIT_STATS_REQUEST__INIT;

    return question(a, SUBJECT_BANDIT_STATS, &q.base);
}

/* Waits until all calls are learned and nothing changes any more. */
static bool wait_learned(struct asker *a)
{
    char version[64] = "";
    double until = now() + PATIENCE_S;

    for (int same = 0; same < 5;) {
        arena_reset(&a->arena);
        const BanditStatsReply *r = stats(a);
        if (!r)
            return false;
        a->sim->learned = 0;
        for (size_t i = 0; i < r->n_variants; i++)
            a->sim->learned += (uint64_t)r->variants[i]->value->pulls;
        same = strcmp(version, r->version) == 0 && a->sim->learned >= sim_reports(a->sim) ? same + 1 : 0;
        snprintf(version, sizeof version, "%s", r->version);
        if (now() > until)
            return true; /* the report says what is missing */
        pause_ms(100);
    }
    return true;
}

static bool read_lines(struct asker *a)
{
    struct sim *s = a->sim;
    const BanditStatsReply *r = stats(a);

    for (size_t i = 0; r && i < r->n_variants; i++) {
        int v = variants_find(&s->variants, r->variants[i]->key);
        const BanditArmStats *arm = r->variants[i]->value;
        if (v >= 0 && arm->n_interval == 2)
            s->lines[v] = (struct verdict_line){.mean = arm->posterior_mean,
                                                .half_width = (arm->interval[1] - arm->interval[0]) / 2};
    }
    return r != NULL;
}

static bool conclude(struct asker *a)
{
    struct sim *s = a->sim;
    FeedbackStatsRequest feedback = TOM__RL__V1__FEEDBACK_STATS_REQUEST__INIT;
    GuardStatusRequest guard = TOM__RL__V1__GUARD_STATUS_REQUEST__INIT;
    BanditRebuildRequest rebuild = TOM__RL__V1__BANDIT_REBUILD_REQUEST__INIT;

    rebuild.check = true;
    if (!wait_learned(a) || !read_lines(a))
        return false;
    const FeedbackStatsReply *f = question(a, SUBJECT_FEEDBACK_STATS, &feedback.base);
    const GuardStatusReply *g = f ? question(a, SUBJECT_GUARD_STATUS, &guard.base) : NULL;
    const BanditRebuildReply *b = g ? question(a, SUBJECT_BANDIT_REBUILD, &rebuild.base) : NULL;
    if (!b)
        return false;
    for (size_t i = 0; i < g->n_stages; i++) {
        int v = variants_find(&s->variants, g->stages[i]->key);
        if (v >= 0)
            s->lines[v].stage = g->stages[i]->value;
    }
    s->stored = f->total_events;
    s->identical = b->identical;
    return true;
}

bool sim_conclude(struct sim *sim, struct client *operator)
{
    struct asker a = {.sim = sim, .operator = operator};
    bool ok = conclude(&a);

    arena_done(&a.arena);
    return ok;
}
