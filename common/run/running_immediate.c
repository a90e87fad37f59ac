/* SPDX-License-Identifier: Apache-2.0 */
/* running_immediate.c - requests that are answered in the bus's own thread: the router's decision.
 *
 * What such a handler says leaves before the answer, on the same connection, and is held until its stream has it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "running.h"

static struct output *held_copy(const struct output *o)
{
    const struct bus_message *m = &o->message;
    size_t id = strlen(m->id) + 1, trace = strlen(m->traceparent) + 1;
    struct output *copy = xcalloc(1, sizeof *copy + m->size + id + trace);
    char *data = (char *)(copy + 1);

    *copy = *o;
    copy->message.data = memcpy(data, m->data, m->size);
    copy->message.id = memcpy(data + m->size, m->id, id);
    copy->message.traceparent = memcpy(data + m->size + id, m->traceparent, trace);
    return copy;
}

/* Keeps what an immediate handler said until its stream has it.  The oldest goes when there are too many. */
static void hold_and_publish(struct running *run, const struct output *output)
{
    struct output *o = held_copy(output), **slot = &run->held[run->held_to % HELD_LIMIT];

    if (*slot) {
        log_error("output.lost", "subject=%s held=%d", subject_table[(*slot)->message.subject].name, HELD_LIMIT);
        free(*slot);
    }
    *slot = o;
    o->message.token = IMMEDIATE_TOKEN | run->held_to++;
    if (run->held_to - run->held_from > HELD_LIMIT)
        run->held_from = run->held_to - HELD_LIMIT;
    o->resend_at = mono_after(run->clk.mono(run->clk.ctx), RESEND_US);
    if (run->bus->ops->publish(run->bus, &o->message) != STATUS_OK)
        o->resend_at = mono_after(run->clk.mono(run->clk.ctx), BUSY_RETRY_US);
    metrics_add(run->metrics, METRIC_PUBLISHED, 1, subject_table[o->message.subject].name, NULL, NULL);
}

void running_immediate(void *ctx, const struct bus_event *request)
{
    struct running *run = ctx;

    pthread_mutex_lock(&run->lock);
    outbox_start(&run->immediate, run, &run->immediate_arena);
    enum status status = running_handle(&run->immediate, request);
    assert(status == STATUS_OK);
    for (size_t i = 0; i < run->immediate.output_count; i++)
        hold_and_publish(run, &run->immediate.outputs[i]);
    running_answer(run, &run->immediate);
    running_time_request(run, request->subject, run->immediate.mono);
    pthread_mutex_unlock(&run->lock);
}

void held_settle(struct running *run, uint64_t number, enum status status)
{
    pthread_mutex_lock(&run->lock);
    struct output **slot = &run->held[number % HELD_LIMIT];
    bool known = *slot && (*slot)->message.token == (IMMEDIATE_TOKEN | number);
    if (known && status == STATUS_BUSY) {
        (*slot)->resend_at = mono_after(run->clk.mono(run->clk.ctx), BUSY_RETRY_US);
    } else if (known) {
        if (status != STATUS_OK)
            log_error("output.refused", "subject=%s size=%zu", subject_table[(*slot)->message.subject].name,
                      (*slot)->message.size);
        free(*slot);
        *slot = NULL;
    }
    while (run->held_from < run->held_to && !run->held[run->held_from % HELD_LIMIT])
        run->held_from++;
    pthread_mutex_unlock(&run->lock);
}

void held_resend(struct running *run, mono_time now)
{
    pthread_mutex_lock(&run->lock);
    for (uint64_t n = run->held_from; n < run->held_to; n++)
        if (run->held[n % HELD_LIMIT])
            running_resend(run, run->held[n % HELD_LIMIT], now);
    pthread_mutex_unlock(&run->lock);
}

bool held_any(struct running *run)
{
    pthread_mutex_lock(&run->lock);
    bool any = run->held_from < run->held_to;
    pthread_mutex_unlock(&run->lock);
    return any;
}
