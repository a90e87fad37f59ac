/* SPDX-License-Identifier: Apache-2.0 */
/* running.c - the loop: turns messages into transactions, and transactions into messages.
 *
 * An input is acked only when the database holds what it brought and every stream holds what it caused; so a crash at any step
 * only makes things come again, and what comes again changes nothing. */
#include "running.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static mono_time now_mono(const struct running *run) { return run->clk.mono(run->clk.ctx); }
static bool due(mono_time at, mono_time now) { return at.us <= now.us; }
static mono_time earlier(mono_time a, mono_time b) { return a.us < b.us ? a : b; }

static bool fault(struct running *run, enum loop_step step)
{
    return run->setup.fault && run->setup.fault(run->setup.fault_ctx, step);
}

const struct subject_handler *running_handler(const struct running *run, enum subject subject)
{
    for (size_t i = 0; i < run->service->handle_count; i++)
        if (run->service->handles[i].subject == subject)
            return &run->service->handles[i];
    return NULL;
}

/* ---- one message ----------------------------------------------------------------------------------------------------------- */

static enum status decode(struct running *run, struct arena *arena, const struct bus_event *event, struct in_msg *ret_in,
                          struct reason *reason)
{
    const struct subject_info *info = &subject_table[event->subject];
    size_t cap = info->stream == STREAM_NONE ? MAX_PAYLOAD : (size_t)stream_table[info->stream].max_msg_size;
    ProtobufCMessage *body = NULL;

    *ret_in = (struct in_msg){.subject = event->subject, .traceparent = event->traceparent, .sequence = event->sequence,
                              .time_us = event->time_us, .stream_time_us = event->stream_time_us, .deliveries = event->deliveries,
                              .history = event->type == BUS_HISTORY, .reply = event->reply};
    metrics_add(run->metrics, METRIC_RECEIVED, 1, info->name, NULL, NULL);
    enum status status = codec_decode(arena, info->message, event->data, event->size, cap, &ret_in->json, &body, reason);
    ret_in->body = body;
    return status;
}

/* An error answer in the request's encoding. */
static void refuse_request(struct outbox *out, const struct in_msg *in, enum status status, const struct reason *reason)
{
    ProtobufCMessage *reply = codec_new(out->arena, subject_table[in->subject].reply);

    metrics_add(out->run->metrics, METRIC_FAILED, 1, subject_table[in->subject].name, status_text(status), NULL);
    codec_set_error(out->arena, reply, status, reason);
    outbox_reply(out, in, reply);
}

/* STATUS_OK also when the message was refused: then it is a dead letter or an error answer. */
enum status running_handle(struct outbox *out, const struct bus_event *event)
{
    struct running *run = out->run;
    const struct subject_handler *h = running_handler(run, event->subject);
    struct reason reason = {0};
    struct in_msg in;

    assert(h);
    enum status status = decode(run, out->arena, event, &in, &reason);
    if (status == STATUS_OK) {
        out->current = &in;
        status = h->handle(run->state, &in, out, &reason);
        out->current = NULL;
    }
    if (status == STATUS_OK || status == STATUS_STORE || status == STATUS_CORRUPT)
        return status == STATUS_OK ? STATUS_OK : STATUS_STORE;
    if (event->type == BUS_REQUEST)
        refuse_request(out, &in, status, &reason);
    else if (event->type == BUS_MESSAGE)
        outbox_refuse(out, event, status_text(status), &reason);
    else
        log_warning("message.ignored", "subject=%s field=%s", subject_table[event->subject].name,
                    field_for_log(subject_table[event->subject].message, reason.field));
    return STATUS_OK;
}

void running_answer(struct running *run, struct outbox *out)
{
    for (size_t i = 0; i < out->answer_count; i++)
        run->bus->ops->respond(run->bus, out->answers[i].to, out->answers[i].data, out->answers[i].size);
    out->answer_count = 0;
}

/* A request that only reads: outside of any transaction, answered at once. */
static enum status read_request(struct running *run, const struct bus_event *event)
{
    outbox_start(&run->read, run, &run->read_arena);
    enum status status = running_handle(&run->read, event);
    assert(run->read.output_count == 0);
    running_answer(run, &run->read);
    running_time_request(run, event->subject, run->read.mono);
    return status;
}

/* ---- what was said --------------------------------------------------------------------------------------------------------- */

void running_resend(struct running *run, struct output *o, mono_time now)
{
    if (o->acked || !due(o->resend_at, now))
        return;
    o->resend_at = mono_after(now, RESEND_US);
    metrics_add(run->metrics, METRIC_RESENT, 1, NULL, NULL, NULL);
    if (run->bus->ops->publish(run->bus, &o->message) != STATUS_OK)
        o->resend_at = mono_after(now, BUSY_RETRY_US);
}

static void later_position(struct bus_position *into, const struct bus_position *other, bool *ret_moved)
{
    if (other->sequence == 0 || (other->sequence <= into->sequence && other->time_us <= into->time_us))
        return;
    *into = *other;
    if (ret_moved)
        *ret_moved = true;
}

/* Floor and positions rise only over batches without a gap: what a younger one brought waits for the older. */
static void raise_floor(struct running *run, const struct batch *done)
{
    struct batch *older = NULL;

    for (size_t i = 0; i < OPEN_BATCHES; i++)
        if (run->batches[i].open && run->batches[i].number < done->number)
            older = &run->batches[i];
    int64_t *floor = older ? &older->last_revision : &run->floor;
    if (*floor < done->last_revision)
        *floor = done->last_revision;
    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        later_position(older ? &older->positions[c] : &run->positions[c], &done->positions[c], older ? NULL : &run->moved[c]);
}

/* All that the batch said is in its streams: ack what caused it. */
static enum status close_batch(struct running *run, struct batch *b)
{
    if (fault(run, STEP_SETTLED))
        return STATUS_CRASHED;
    for (size_t i = 0; i < b->input_count; i++) {
        if (b->inputs[i].type != BUS_MESSAGE)
            continue;
        run->bus->ops->ack(run->bus, b->inputs[i].reply);
        if (fault(run, STEP_ACKED_ONE))
            return STATUS_CRASHED;
    }
    running_answer(run, &b->out);
    run->bus->ops->release(run->bus, b->inputs, b->input_count);
    b->input_count = 0;
    b->open = false;
    raise_floor(run, b);
    return STATUS_OK;
}

static struct batch *batch_of(struct running *run, uint64_t token)
{
    for (size_t i = 0; i < OPEN_BATCHES; i++) {
        struct batch *b = &run->batches[i];
        if (b->open && token >= b->first_token && token - b->first_token < b->out.output_count)
            return b;
    }
    return NULL;
}

static enum status settle(struct running *run, const struct bus_event *ack)
{
    struct batch *b;

    if (ack->token & IMMEDIATE_TOKEN) {
        held_settle(run, ack->token & ~IMMEDIATE_TOKEN, ack->status);
        return STATUS_OK;
    }
    b = batch_of(run, ack->token);
    struct output *o = b ? &b->out.outputs[ack->token - b->first_token] : NULL;
    if (!o || o->acked)
        return STATUS_OK;
    if (ack->status == STATUS_BUSY) {
        o->resend_at = mono_after(now_mono(run), BUSY_RETRY_US);
        return STATUS_OK;
    }
    if (ack->status == STATUS_REFUSED) {
        outbox_replace_refused(&b->out, o, ack->error);
        run->next_resend = now_mono(run);
    } else {
        o->acked = true;
    }
    return o->acked && --b->missing == 0 ? close_batch(run, b) : STATUS_OK;
}

/* A snapshot says everything: one that was lost is not said again after a younger one. */
static bool superseded(const struct running *run, const struct output *o)
{
    return subject_table[o->message.subject].kind == KIND_SNAPSHOT && o->message.token < run->newest[o->message.subject];
}

static enum status resend_batch(struct running *run, struct batch *b, mono_time now)
{
    for (size_t i = 0; i < b->out.output_count; i++) {
        struct output *o = &b->out.outputs[i];
        if (!superseded(run, o)) {
            running_resend(run, o, now);
        } else if (!o->acked) {
            o->acked = true;
            b->missing--;
        }
    }
    return b->missing == 0 ? close_batch(run, b) : STATUS_OK;
}

static enum status resend_due(struct running *run)
{
    mono_time now = now_mono(run);
    enum status status = STATUS_OK;

    if (!due(run->next_resend, now))
        return STATUS_OK;
    run->next_resend = mono_after(now, BUSY_RETRY_US / 4);
    for (size_t i = 0; i < OPEN_BATCHES && status == STATUS_OK; i++)
        if (run->batches[i].open)
            status = resend_batch(run, &run->batches[i], now);
    held_resend(run, now);
    return status;
}

static enum status publish_batch(struct running *run, struct batch *b)
{
    mono_time now = now_mono(run);

    b->first_token = run->next_token;
    run->next_token += b->out.output_count;
    b->missing = b->out.output_count;
    for (size_t i = 0; i < b->out.output_count; i++) {
        struct output *o = &b->out.outputs[i];
        o->message.token = b->first_token + i;
        if (subject_table[o->message.subject].kind == KIND_SNAPSHOT)
            run->newest[o->message.subject] = o->message.token;
        bool sent = run->bus->ops->publish(run->bus, &o->message) == STATUS_OK;
        o->resend_at = mono_after(now, sent ? RESEND_US : BUSY_RETRY_US);
        if (o->revision > b->last_revision)
            b->last_revision = o->revision;
        metrics_add(run->metrics, METRIC_PUBLISHED, 1, subject_table[o->message.subject].name, NULL, NULL);
        if (fault(run, STEP_PUBLISHED_ONE))
            return STATUS_CRASHED;
    }
    if (fault(run, STEP_PUBLISHED))
        return STATUS_CRASHED;
    if (b->missing == 0)
        return close_batch(run, b);
    run->bus->ops->flush(run->bus);
    return STATUS_OK;
}

/* ---- one transaction ------------------------------------------------------------------------------------------------------- */

static struct batch *free_batch(struct running *run)
{
    for (size_t i = 0; i < OPEN_BATCHES; i++)
        if (!run->batches[i].open)
            return &run->batches[i];
    return NULL;
}

static void note_position(struct batch *b, const struct bus_event *event)
{
    const struct bus_position position = {.sequence = event->sequence, .time_us = event->stream_time_us};

    if (event->type == BUS_MESSAGE)
        later_position(&b->positions[event->consumer], &position, NULL);
}

static bool suspect(const struct bus_event *event)
{
    return event->type == BUS_MESSAGE && event->deliveries >= SUSPECT_DELIVERIES;
}

/* Moves what waits into the batch; a suspect message goes alone. */
static void fill_batch(struct running *run, struct batch *b)
{
    while (run->waiting_from < run->waiting_count && b->input_count < BATCH_LIMIT) {
        const struct bus_event *next = &run->waiting[run->waiting_from];
        if (b->input_count && (suspect(next) || suspect(&b->inputs[0])))
            return;
        b->inputs[b->input_count++] = *next;
        run->waiting_from++;
    }
}

static enum status handle_inputs(struct running *run, struct batch *b)
{
    static const struct reason poison = {.text = "delivered ten times without success"};
    size_t messages = 0;

    for (size_t i = 0; i < b->input_count; i++) {
        const struct bus_event *event = &b->inputs[i];
        enum status status = STATUS_OK;
        messages += event->type == BUS_MESSAGE;
        note_position(b, event);
        if (event->type == BUS_MESSAGE && event->deliveries > 1)
            metrics_add(run->metrics, METRIC_REDELIVERIES, 1, subject_table[event->subject].name, NULL, NULL);
        if (event->type == BUS_MESSAGE && event->deliveries >= POISON_DELIVERIES)
            outbox_refuse(&b->out, event, "poison", &poison);
        else if (event->type == BUS_CAUGHT_UP)
            run->caught_up = true;
        else
            status = running_handle(&b->out, event);
        if (status != STATUS_OK)
            return status;
        if (event->type == BUS_CAUGHT_UP && run->service->caught_up)
            run->service->caught_up(run->state);
    }
    if (messages)
        metrics_observe(run->metrics, METRIC_BATCH_SIZE, (double)messages, NULL, NULL, NULL);
    return fault(run, STEP_HANDLED) ? STATUS_CRASHED : STATUS_OK;
}

static enum status timers(struct running *run, struct batch *b, bool tick)
{
    const struct service *s = run->service;
    enum status status = STATUS_OK;

    if (!run->resumed && s->resume)
        status = s->resume(run->state, &b->out);
    run->resumed = true;
    if (status == STATUS_OK && tick) {
        run->last_tick = b->out.mono;
        if (s->tick && !run->draining)
            status = s->tick(run->state, &b->out);
    }
    if (status == STATUS_OK && s->flush)
        status = s->flush(run->state, &b->out);
    return status == STATUS_OK && fault(run, STEP_FLUSHED) ? STATUS_CRASHED : status;
}

static enum status store_value(struct running *run, const char *name, int64_t value, int64_t time_us)
{
    struct query *q = store_query(run->store, "INSERT OR REPLACE INTO rl_loop(name, value, time_us) VALUES(?, ?, ?)");

    query_bind_text(q, 1, name);
    query_bind_int(q, 2, value);
    query_bind_int(q, 3, time_us);
    return query_run(q, NULL);
}

static enum status store_progress(struct running *run, wall_time now)
{
    enum status status = STATUS_OK;

    for (size_t c = 0; c < CONSUMER_COUNT && status == STATUS_OK; c++) {
        if (run->moved[c])
            status = store_value(run, consumer_table[c].durable, (int64_t)run->positions[c].sequence, run->positions[c].time_us);
        run->moved[c] = false;
    }
    if (status == STATUS_OK && run->stored_floor < run->floor) {
        status = store_value(run, "published", run->floor, now.us);
        run->stored_floor = run->floor;
    }
    return status;
}

static enum status transact(struct running *run, struct batch *b, bool tick)
{
    enum status status = run->store ? store_begin(run->store) : STATUS_OK;

    if (status == STATUS_OK && fault(run, STEP_BEGUN))
        status = STATUS_CRASHED;
    if (status == STATUS_OK)
        status = handle_inputs(run, b);
    if (status == STATUS_OK)
        status = timers(run, b, tick);
    if (status != STATUS_OK || !run->store)
        return status;
    status = store_progress(run, b->out.now);
    if (status == STATUS_OK) {
        mono_time before = now_mono(run);
        status = store_commit(run->store);
        metrics_observe(run->metrics, METRIC_COMMIT_SECONDS, (double)(now_mono(run).us - before.us) / 1e6, NULL, NULL, NULL);
    }
    return status;
}

static bool progress_unstored(const struct running *run)
{
    bool moved = false;

    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        moved |= run->moved[c];
    return run->store && (moved || run->stored_floor < run->floor);
}

static mono_time tick_at(const struct running *run, mono_time now)
{
    mono_time regular = mono_after(run->last_tick, 1000000);

    if (run->draining) /* only the progress is still to be stored */
        return progress_unstored(run) ? now : mono_after(now, 1000000);
    return run->service->next_tick ? earlier(regular, run->service->next_tick(run->state, now)) : regular;
}

static enum status run_batch(struct running *run)
{
    struct batch *b = free_batch(run);
    bool tick = due(tick_at(run, now_mono(run)), now_mono(run));

    if (!b || (run->waiting_from == run->waiting_count && !tick && run->resumed))
        return STATUS_OK;
    b->number = run->next_batch++;
    b->last_revision = 0;
    memset(b->positions, 0, sizeof b->positions);
    b->open = true;
    outbox_start(&b->out, run, &b->arena);
    fill_batch(run, b);
    enum status status = transact(run, b, tick);
    if (status != STATUS_OK)
        return status;
    if (fault(run, STEP_COMMITTED))
        return STATUS_CRASHED;
    if (b->input_count)
        metrics_observe(run->metrics, METRIC_HANDLING_SECONDS, (double)(now_mono(run).us - b->out.mono.us) / 1e6, "batch", NULL,
                        NULL);
    return publish_batch(run, b);
}

/* ---- one turn -------------------------------------------------------------------------------------------------------------- */

static enum status sort_event(struct running *run, struct bus_event *event, bool *ret_answered)
{
    const struct subject_handler *h;
    enum status status;

    if (event->type == BUS_PUBACK)
        status = settle(run, event);
    else if (event->type == BUS_REQUEST && (h = running_handler(run, event->subject)) && h->mode == HANDLE_READ) {
        status = read_request(run, event);
        *ret_answered = true;
    } else {
        run->waiting[run->waiting_count++] = *event;
        return STATUS_OK;
    }
    run->bus->ops->release(run->bus, event, 1);
    return status;
}

static enum status take(struct running *run, mono_time until)
{
    bool free_slot = free_batch(run) != NULL, waiting = run->waiting_from < run->waiting_count;
    mono_time now = now_mono(run), wake = earlier(until, earlier(run->next_count, run->next_resend));
    enum status status = STATUS_OK;

    if (free_slot)
        wake = waiting || !run->resumed ? now : earlier(wake, tick_at(run, now));
    memmove(run->waiting, run->waiting + run->waiting_from, (run->waiting_count - run->waiting_from) * sizeof *run->waiting);
    run->waiting_count -= run->waiting_from;
    run->waiting_from = 0;
    size_t room = BATCH_LIMIT - run->waiting_count;
    size_t n = room ? run->bus->ops->take(run->bus, wake, free_slot && !waiting && !run->draining, run->taken, room) : 0;
    bool answered = false;
    for (size_t i = 0; i < n; i++) {
        enum status one = status == STATUS_OK ? sort_event(run, &run->taken[i], &answered) : status;
        if (status == STATUS_OK)
            status = one;
        else
            run->bus->ops->release(run->bus, &run->taken[i], 1);
    }
    if (answered) /* once for all of them: left to itself the library sends on the next whole millisecond */
        run->bus->ops->flush(run->bus);
    return status;
}

enum status running_turn(struct running *run, mono_time until)
{
    if (due(run->next_count, now_mono(run))) {
        running_count(run);
        run->next_count = mono_after(now_mono(run), 1000000);
    }
    enum status status = take(run, until);
    if (status == STATUS_OK && fault(run, STEP_TAKEN))
        status = STATUS_CRASHED;
    if (status != STATUS_OK)
        return status;
    status = resend_due(run);
    return status == STATUS_OK ? run_batch(run) : status;
}

bool running_drained(struct running *run)
{
    if (!run->draining) {
        run->draining = true;
        run->bus->ops->drain(run->bus);
        running_count(run);
    }
    for (size_t i = 0; i < OPEN_BATCHES; i++)
        if (run->batches[i].open)
            return false;
    return !held_any(run) && !progress_unstored(run);
}
