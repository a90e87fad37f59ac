/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c - what handlers say, encoded at once and kept until its stream has it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "running.h"

void outbox_start(struct outbox *out, struct running *run, struct arena *arena)
{
    out->run = run;
    out->arena = arena;
    out->now = run->clk.wall(run->clk.ctx);
    out->mono = run->clk.mono(run->clk.ctx);
    out->current = NULL;
    out->output_count = out->answer_count = 0;
    arena_reset(arena);
}

void outbox_done(struct outbox *out)
{
    free(out->outputs);
    free(out->answers);
    *out = (struct outbox){0};
}

void *outbox_new(struct outbox *out, enum subject subject) { return codec_new(out->arena, subject_table[subject].message); }

struct arena *outbox_arena(struct outbox *out) { return out->arena; }

wall_time outbox_now(const struct outbox *out) { return out->now; }

mono_time outbox_mono(const struct outbox *out) { return out->mono; }

const struct bus_figures *outbox_figures(const struct outbox *out) { return &out->run->figures; }

enum status outbox_scrub(struct outbox *out, const struct bus_scrub *scrub, uint64_t *ret_removed)
{
    return out->run->bus->ops->scrub(out->run->bus, scrub, ret_removed);
}

size_t outbox_room(const struct outbox *out) { return out->output_count < OUTBOX_LIMIT ? OUTBOX_LIMIT - out->output_count : 0; }

static struct output *next_output(struct outbox *out)
{
    if (out->output_count == out->output_capacity) {
        out->output_capacity = out->output_capacity ? out->output_capacity * 2 : 64;
        out->outputs = xrealloc(out->outputs, out->output_capacity * sizeof *out->outputs);
    }
    return &out->outputs[out->output_count++];
}

void outbox_say(struct outbox *out, enum subject subject, const ProtobufCMessage *message, const char *id, int64_t revision,
                const char *traceparent)
{
    struct output *o = next_output(out);
    const uint8_t *data;

    assert(message->descriptor == subject_table[subject].message);
    *o = (struct output){.revision = revision};
    o->message.subject = subject;
    codec_encode(out->arena, message, false, &data, &o->message.size);
    o->message.data = data;
    o->message.id = arena_str(out->arena, id ? id : "");
    o->message.traceparent = arena_str(out->arena, traceparent ? traceparent : "");
}

void outbox_reply(struct outbox *out, const struct in_msg *request, const ProtobufCMessage *reply)
{
    if (out->answer_count == out->answer_capacity) {
        out->answer_capacity = out->answer_capacity ? out->answer_capacity * 2 : 16;
        out->answers = xrealloc(out->answers, out->answer_capacity * sizeof *out->answers);
    }
    struct answer *a = &out->answers[out->answer_count++];
    a->to = arena_str(out->arena, request->reply);
    codec_encode(out->arena, reply, request->json, &a->data, &a->size);
}

void outbox_dead_letter(struct outbox *out, DeadLetter *letter, const char *id, int64_t revision)
{
    const char *service = out->run->service->name;

    letter->service = arena_str(out->arena, service);
    if (letter->payload.len > MAX_PAYLOAD)
        letter->payload.len = MAX_PAYLOAD;
    metrics_add(out->run->metrics, METRIC_DEAD_LETTERS, 1, letter->reason, NULL, NULL);
    outbox_say(out, subject_dlq(service), &letter->base, id, revision, letter->traceparent);
}

/* A rule quotes what a sender wrote, and so does the name of a key that nobody knows: neither may be logged, for it could be
 * anything, a telephone number too.  The dead letter has both. */
const char *field_for_log(const ProtobufCMessageDescriptor *type, const char *field)
{
    char name[64];
    const char *rest = field;

    while (type && *rest) {
        size_t n = strcspn(rest, ".[");
        snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), rest);
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(type, name);
        if (!f)
            return "?";
        type = f->type == PROTOBUF_C_TYPE_MESSAGE ? f->descriptor : NULL;
        rest += n;
        rest += *rest == '[' ? strcspn(rest, "]") : 0;
        rest += strspn(rest, "].");
    }
    return *rest ? "?" : field;
}

void outbox_refuse(struct outbox *out, const struct bus_event *event, const char *why, const struct reason *reason)
{
    const struct subject_info *from = &subject_table[event->subject];
    DeadLetter *d = outbox_new(out, subject_dlq(out->run->service->name));
    const char *stream = stream_table[from->stream].name;

    d->subject = arena_str(out->arena, from->name);
    d->stream = arena_str(out->arena, stream);
    d->sequence = event->sequence;
    d->time = (double)event->time_us / 1e6;
    d->reason = arena_str(out->arena, why);
    d->field = arena_str(out->arena, reason->field);
    d->message = arena_str(out->arena, reason->text);
    d->payload = (ProtobufCBinaryData){.len = event->size, .data = arena_copy(out->arena, event->data, event->size)};
    d->traceparent = arena_str(out->arena, event->traceparent);
    d->deliveries = event->deliveries;
    outbox_dead_letter(out, d, arena_printf(out->arena, "%s/%llu", stream, (unsigned long long)event->sequence), 0);
    metrics_add(out->run->metrics, METRIC_FAILED, 1, from->name, why, NULL);
    log_warning("message.refused", "subject=%s sequence=%llu reason=%s field=%s", from->name, (unsigned long long)event->sequence,
                why, field_for_log(from->message, reason->field));
}

void outbox_replace_refused(struct outbox *out, struct output *output, const char *server_words)
{
    enum subject dlq = subject_dlq(out->run->service->name), from = output->message.subject;
    const char *id = output->message.id;

    log_error("output.refused", "subject=%s size=%zu server=\"%s\"", subject_table[from].name, output->message.size,
              server_words);
    output->acked = from == dlq; /* a dead letter that its own stream refuses has nowhere to go */
    if (output->acked)
        return;
    DeadLetter *d = outbox_new(out, dlq);
    d->service = arena_str(out->arena, out->run->service->name);
    d->subject = arena_str(out->arena, subject_table[from].name);
    d->reason = arena_str(out->arena, status_text(STATUS_REFUSED));
    d->message = arena_printf(out->arena, "%s (%zu bytes, id \"%s\")", server_words, output->message.size, id);
    d->traceparent = arena_str(out->arena, output->message.traceparent);
    d->payload.len = output->message.size < MAX_PAYLOAD ? output->message.size : MAX_PAYLOAD;
    d->payload.data = arena_copy(out->arena, output->message.data, d->payload.len);
    const uint8_t *data;
    codec_encode(out->arena, &d->base, false, &data, &output->message.size);
    output->message.data = data;
    output->message.subject = dlq;
    output->message.id = arena_printf(out->arena, "refused/%s", id);
    output->resend_at = (mono_time){0};
    metrics_add(out->run->metrics, METRIC_DEAD_LETTERS, 1, d->reason, NULL, NULL);
}
