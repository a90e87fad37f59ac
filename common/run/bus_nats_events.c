/* SPDX-License-Identifier: Apache-2.0 */
/* bus_nats_events.c - what arrives becomes events in two rings: control events first, messages of streams behind them.
 *
 * The callbacks run in nats.c's delivery threads; they parse, put, and wake the service's thread only when it sleeps. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "bus_nats_inside.h"

enum { LONGEST_TRACEPARENT = 64 };

/* JetStream's error numbers that time or an operator heals; every other refusal is for good. */
static const int passing_errors[] = {10002, 10008, 10009, 10023, 10028, 10039, 10047, 10059, 10076, 10077};

/* ---- two rings ------------------------------------------------------------------------------------------------------------- */

static void ring_put(struct event_ring *r, const struct bus_event *event)
{
    if (r->count == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 1024;
        struct bus_event *slots = xcalloc(capacity, sizeof *slots);
        for (size_t i = 0; i < r->count; i++)
            slots[i] = r->slots[(r->head + i) & (r->capacity - 1)];
        free(r->slots);
        *r = (struct event_ring){.slots = slots, .count = r->count, .capacity = capacity};
    }
    r->slots[(r->head + r->count++) & (r->capacity - 1)] = *event;
}

static size_t ring_take(struct event_ring *r, struct bus_event *events, size_t capacity)
{
    size_t n = r->count < capacity ? r->count : capacity;

    for (size_t i = 0; i < n; i++)
        events[i] = r->slots[(r->head + i) & (r->capacity - 1)];
    r->head = r->capacity ? (r->head + n) & (r->capacity - 1) : 0;
    r->count -= n;
    return n;
}

void bus_push(struct bus_nats *b, const struct bus_event *event)
{
    bool message = event->type == BUS_MESSAGE, wake = false;

    pthread_mutex_lock(&b->mutex);
    bool late = b->closed;
    if (!late) {
        ring_put(message ? &b->messages : &b->control, event);
        wake = b->sleeping > (message ? 1 : 0);
        if (wake)
            b->sleeping = 0;
    }
    pthread_mutex_unlock(&b->mutex);
    if (wake)
        pthread_cond_signal(&b->wake);
    if (late)
        natsMsg_Destroy(event->owner);
}

size_t bus_backlog(struct bus_nats *b)
{
    pthread_mutex_lock(&b->mutex);
    size_t count = b->control.count;
    pthread_mutex_unlock(&b->mutex);
    return count;
}

size_t bus_take(struct bus *bus, mono_time until, bool messages, struct bus_event *events, size_t capacity)
{
    struct bus_nats *b = (struct bus_nats *)bus;
    struct timespec deadline = {.tv_sec = until.us / SECOND_US, .tv_nsec = until.us % SECOND_US * 1000};
    int waited = 0;

    pthread_mutex_lock(&b->mutex);
    while (b->control.count == 0 && !(messages && b->messages.count) && waited != ETIMEDOUT) {
        b->sleeping = messages ? 2 : 1;
        waited = pthread_cond_timedwait(&b->wake, &b->mutex, &deadline);
    }
    b->sleeping = 0;
    size_t n = ring_take(&b->control, events, capacity);
    if (messages)
        n += ring_take(&b->messages, events + n, capacity - n);
    pthread_mutex_unlock(&b->mutex);
    return n;
}

void bus_release(struct bus *bus, struct bus_event *events, size_t count)
{
    (void)bus;
    for (size_t i = 0; i < count; i++)
        natsMsg_Destroy(events[i].owner);
}

static void ring_done(struct event_ring *r)
{
    for (size_t i = 0; i < r->count; i++)
        natsMsg_Destroy(r->slots[(r->head + i) & (r->capacity - 1)].owner);
    free(r->slots);
}

void bus_forget_events(struct bus_nats *b)
{
    ring_done(&b->control);
    ring_done(&b->messages);
}

/* ---- what arrives becomes events ------------------------------------------------------------------------------------------- */

/* $JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer sequence>.<ns>.<pending>; newer servers have domain and account
 * before the stream, and a random token at the end. */
bool bus_delivery(const char *reply, struct delivery *ret)
{
    const char *tokens[13];
    size_t n = 0;

    if (!reply || strncmp(reply, "$JS.ACK.", 8) != 0)
        return false;
    for (const char *at = reply; at && n < 13; n++) {
        tokens[n] = at;
        at = strchr(at, '.');
        at = at ? at + 1 : NULL;
    }
    if (n != 9 && n < 11)
        return false;
    const char **t = tokens + (n == 9 ? 4 : 6);
    *ret = (struct delivery){.deliveries = strtoull(t[0], NULL, 10), .sequence = strtoull(t[1], NULL, 10),
                             .consumer_sequence = strtoull(t[2], NULL, 10), .time_ns = strtoull(t[3], NULL, 10),
                             .pending = strtoull(t[4], NULL, 10)};
    return true;
}

static const char *header(natsMsg *msg, const char *name)
{
    const char *value = NULL;

    return natsMsgHeader_Get(msg, name, &value) == NATS_OK && value ? value : "";
}

void bus_fill(struct bus_event *event, natsMsg *msg)
{
    const char *first_time = header(msg, "Rl-Time"), *reply = natsMsg_GetReply(msg);

    event->owner = msg;
    event->data = (const uint8_t *)natsMsg_GetData(msg);
    event->size = (size_t)natsMsg_GetDataLength(msg);
    event->reply = reply ? reply : "";
    event->error = "";
    event->traceparent = header(msg, "traceparent");
    if (!*event->traceparent)
        event->traceparent = header(msg, "Traceparent");
    if (strlen(event->traceparent) > LONGEST_TRACEPARENT ||
        strspn(event->traceparent, "0123456789abcdef-") != strlen(event->traceparent))
        event->traceparent = "";
    if (*first_time && strtoll(first_time, NULL, 10) > 0)
        event->time_us = strtoll(first_time, NULL, 10);
}

/* Flow control wants an answer to its reply, a heartbeat of a stalled consumer to the subject that it names. */
void bus_answer_control(natsConnection *nc, natsMsg *msg)
{
    const char *to = natsMsg_GetReply(msg);

    if (strcmp(header(msg, "Status"), "100") != 0)
        return;
    if (!to || !*to)
        to = header(msg, "Nats-Consumer-Stalled");
    if (*to)
        natsConnection_Publish(nc, to, NULL, 0);
}

/* nats-server 2.10.27 forgets for good what it delivered while nobody listened, once its AckWait is over (its maxdc is -1 as
 * uint64, and the count of a failed delivery underflows to it): so a number that is missing is not waited for. */
static bool in_order(struct bus_link *l, const struct delivery *d)
{
    if (consumer_table[l->consumer].group)
        return true;
    bool next = d->consumer_sequence == atomic_load(&l->last) + 1;
    if (d->consumer_sequence != 1 && !(atomic_load(&l->order) == ORDER_SOUND && next)) {
        int sound = ORDER_SOUND;
        atomic_store(&l->dropped, true);
        if (atomic_compare_exchange_strong(&l->order, &sound, ORDER_BROKEN))
            bus_kick(l->bus);
        return false;
    }
    atomic_store(&l->order, ORDER_SOUND);
    atomic_store(&l->last, d->consumer_sequence);
    if (d->sequence > atomic_load(&l->highest))
        atomic_store(&l->highest, d->sequence);
    return true;
}

void bus_on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *link)
{
    struct bus_link *l = link;
    struct bus_event e = {.type = BUS_MESSAGE, .subject = l->subject, .consumer = l->consumer};
    struct delivery d;

    (void)sub;
    bool delivered = bus_delivery(natsMsg_GetReply(msg), &d);
    if (!delivered)
        bus_answer_control(nc, msg);
    if (!delivered || !in_order(l, &d)) {
        natsMsg_Destroy(msg);
        return;
    }
    e.sequence = d.sequence;
    e.deliveries = (uint32_t)d.deliveries;
    e.time_us = e.stream_time_us = (int64_t)(d.time_ns / 1000);
    bus_fill(&e, msg);
    bus_push(l->bus, &e);
}

void bus_on_request(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *link)
{
    const struct bus_link *l = link;
    struct bus_nats *b = l->bus;
    struct bus_event e = {.type = BUS_REQUEST, .subject = l->subject, .consumer = -1, .deliveries = 1};

    (void)nc, (void)sub;
    bus_fill(&e, msg);
    if (l->subject != b->setup.immediate) {
        bus_push(b, &e);
        return;
    }
    b->setup.on_immediate(b->setup.ctx, &e);
    natsMsg_Destroy(msg);
}

void bus_on_snapshot(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *link)
{
    const struct bus_link *l = link;
    struct bus_event e = {.type = BUS_SNAPSHOT, .subject = l->subject, .consumer = -1, .deliveries = 1};

    (void)nc, (void)sub;
    bus_fill(&e, msg);
    bus_push(l->bus, &e);
}

/* The text lives in the message, as a header of its own. */
static void puback_error(struct bus_event *e, natsMsg *msg)
{
    json_t *root = json_loadb((const char *)e->data, e->size, 0, NULL), *error = json_object_get(root, "error");
    const char *text = json_string_value(json_object_get(error, "description"));
    int number = (int)json_integer_value(json_object_get(error, "err_code"));

    e->status = error && number ? STATUS_REFUSED : STATUS_BUSY;
    for (size_t i = 0; i < sizeof passing_errors / sizeof *passing_errors; i++)
        if (number == passing_errors[i] || (text && strstr(text, "insufficient resources")))
            e->status = STATUS_BUSY;
    natsMsgHeader_Set(msg, "Rl-Error", text ? text : "refused");
    e->error = header(msg, "Rl-Error");
    json_decref(root);
}

void bus_on_puback(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *link)
{
    struct bus_nats *b = ((const struct bus_link *)link)->bus;
    struct bus_event e = {.type = BUS_PUBACK, .subject = SUBJECT_COUNT, .consumer = -1, .status = STATUS_OK, .owner = msg,
                          .data = (const uint8_t *)natsMsg_GetData(msg), .size = (size_t)natsMsg_GetDataLength(msg),
                          .reply = "", .traceparent = "", .error = ""};

    (void)nc, (void)sub;
    e.token = strtoull(natsMsg_GetSubject(msg) + b->acks_size, NULL, 10);
    if (e.size == 0) {
        e.status = STATUS_BUSY;
        e.error = natsMsg_IsNoResponders(msg) ? "no stream takes the subject" : "an answer without words";
    } else if (memmem(e.data, e.size, "\"error\"", 7)) {
        puback_error(&e, msg);
    } else {
        natsMsg_Destroy(msg);
        e.owner = NULL;
        e.data = NULL;
        e.size = 0;
    }
    bus_push(b, &e);
}
