/* SPDX-License-Identifier: Apache-2.0 */
/* bus_sim.c - streams, consumers and what is on its way, ordered by virtual time. */
#include "bus_sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "rng.h"

struct stored {
    enum subject subject;
    const uint8_t *data;
    size_t size;
    const char *id, *traceparent;
    uint64_t sequence;
    int64_t time_us;
};

struct stored_list {
    struct stored *items;
    size_t count, capacity;
};

/* A message delivered and not yet acked. */
struct unacked {
    size_t index; /* in the stream */
    uint32_t deliveries;
    int64_t again_us;
};

struct consumer {
    size_t next; /* index in the stream of the first never delivered */
    size_t arrived;        /* in order: index behind the last that arrived */
    int64_t last_due_us;   /* in order: nothing overtakes */
    struct unacked *open;
    size_t open_count, open_capacity;
};

struct sim_bus {
    struct bus base;
    struct sim *sim;
    struct bus_setup setup;
    bool bound, drained;
    struct bus_event *queue;
    size_t count, capacity;
};

enum flight_type { FLY_PUBLISH, FLY_EVENT, FLY_ACK, FLY_REQUEST };

/* Something on its way. */
struct flight {
    enum flight_type type;
    int64_t due_us;
    uint64_t order;
    struct sim_bus *to, *from;
    struct bus_event event;
    struct bus_message message;
    int consumer;
    size_t index;
};

struct asked {
    enum subject subject;
    const uint8_t *data;
    size_t size;
    bool answered;
};

struct sim {
    struct rng rng;
    struct arena arena;
    struct sim_chaos chaos;
    bool immediate; /* what is published now is on the wire before the answer: the server has it first */
    int64_t now_us;
    uint64_t order;
    struct stored_list streams[STREAM_COUNT];
    struct consumer consumers[CONSUMER_COUNT];
    struct sim_bus *buses[16];
    size_t bus_count;
    struct flight *flights;
    size_t flight_count, flight_capacity;
    struct asked *asked;
    size_t asked_count, asked_capacity;
};

#define GROW(array, count, capacity)                                        \
    do {                                                                    \
        if ((count) == (capacity)) {                                        \
            (capacity) = (capacity) ? (capacity) * 2 : 64;                  \
            (array) = xrealloc((array), (capacity) * sizeof *(array));      \
        }                                                                   \
    } while (0)

/* bus.h promises the order of the stream to a consumer with one owner; only the state machine needs it, and only it gets it
 * here. */
static bool in_order(size_t consumer) { return consumer_table[consumer].subject == SUBJECT_CALL_EVENT; }

static bool happens(struct sim *sim, double p) { return p > 0 && rng_uniform(&sim->rng) < p; }

static int64_t delay(struct sim *sim)
{
    return sim->chaos.delay_us ? (int64_t)rng_below(&sim->rng, (uint64_t)sim->chaos.delay_us + 1) : 0;
}

static void fly(struct sim *sim, struct flight flight)
{
    if (happens(sim, sim->chaos.lose))
        return;
    for (int copies = happens(sim, sim->chaos.repeat) ? 2 : 1; copies; copies--) {
        GROW(sim->flights, sim->flight_count, sim->flight_capacity);
        flight.due_us = sim->now_us + delay(sim);
        if (flight.type == FLY_EVENT && flight.event.type == BUS_MESSAGE && in_order((size_t)flight.event.consumer)) {
            struct consumer *con = &sim->consumers[flight.event.consumer];
            flight.due_us = con->last_due_us = flight.due_us > con->last_due_us ? flight.due_us : con->last_due_us;
        }
        flight.order = sim->order++;
        sim->flights[sim->flight_count++] = flight;
    }
}

static void enqueue(struct sim_bus *bus, const struct bus_event *event)
{
    GROW(bus->queue, bus->count, bus->capacity);
    bus->queue[bus->count++] = *event;
}

static bool handles(const struct sim_bus *bus, enum subject subject)
{
    for (size_t i = 0; bus->bound && i < bus->setup.subject_count; i++)
        if (bus->setup.subjects[i] == subject)
            return true;
    return false;
}

static struct sim_bus *server_of(struct sim *sim, enum subject subject)
{
    for (size_t i = 0; i < sim->bus_count; i++)
        if (handles(sim->buses[i], subject) && !sim->buses[i]->drained)
            return sim->buses[i];
    return NULL;
}

static struct sim_bus *owner_of(struct sim *sim, size_t consumer)
{
    for (size_t i = 0; i < sim->bus_count; i++)
        if (sim->buses[i]->bound && !sim->buses[i]->drained
            && strcmp(sim->buses[i]->setup.service, consumer_table[consumer].service) == 0)
            return sim->buses[i];
    return NULL;
}

static struct bus_event event_of(const struct stored *m, enum bus_event_type type)
{
    return (struct bus_event){.type = type, .subject = m->subject, .consumer = -1, .data = m->data, .size = m->size, .reply = "",
                              .traceparent = m->traceparent, .error = "", .sequence = m->sequence, .time_us = m->time_us,
                              .stream_time_us = m->time_us, .deliveries = 1};
}

/* ---- streams --------------------------------------------------------------------------------------------------------- */

static bool duplicate(const struct sim *sim, const struct stored_list *s, const char *id)
{
    for (size_t i = s->count; id[0] && i-- > 0;) {
        if (s->items[i].time_us < sim->now_us - (int64_t)DUPLICATE_WINDOW_S * 1000000)
            return false;
        if (strcmp(s->items[i].id, id) == 0)
            return true;
    }
    return false;
}

static void store(struct sim *sim, const struct bus_message *m)
{
    struct stored_list *s = &sim->streams[subject_table[m->subject].stream];

    if (duplicate(sim, s, m->id))
        return;
    GROW(s->items, s->count, s->capacity);
    s->items[s->count] = (struct stored){.subject = m->subject, .data = arena_copy(&sim->arena, m->data, m->size),
                                         .size = m->size, .id = arena_str(&sim->arena, m->id),
                                         .traceparent = arena_str(&sim->arena, m->traceparent), .sequence = s->count + 1,
                                         .time_us = sim->now_us};
    s->count++;
    for (size_t i = 0; subject_table[m->subject].kind == KIND_SNAPSHOT && i < sim->bus_count; i++)
        if (handles(sim->buses[i], m->subject) && !sim->buses[i]->drained)
            fly(sim, (struct flight){.type = FLY_EVENT, .to = sim->buses[i],
                                     .event = event_of(&s->items[s->count - 1], BUS_SNAPSHOT)});
}

static void deliver(struct sim *sim, size_t c, struct unacked *u)
{
    const struct stored *m = &sim->streams[subject_table[consumer_table[c].subject].stream].items[u->index];
    struct bus_event event = event_of(m, BUS_MESSAGE);

    u->deliveries++;
    u->again_us = sim->now_us + (int64_t)ACK_WAIT_S * 1000000;
    event.consumer = (int)c;
    event.deliveries = u->deliveries;
    event.token = u->index;
    event.reply = arena_printf(&sim->arena, "%zu %zu", c, u->index);
    fly(sim, (struct flight){.type = FLY_EVENT, .to = owner_of(sim, c), .event = event});
}

static void serve_consumer(struct sim *sim, size_t c)
{
    struct consumer *con = &sim->consumers[c];
    const struct stored_list *s = &sim->streams[subject_table[consumer_table[c].subject].stream];

    if (!owner_of(sim, c))
        return;
    for (size_t i = 0; i < con->open_count; i++)
        if (con->open[i].again_us <= sim->now_us)
            deliver(sim, c, &con->open[i]);
    for (; con->next < s->count && con->open_count < MAX_ACK_PENDING; con->next++) {
        if (s->items[con->next].subject != consumer_table[c].subject)
            continue;
        GROW(con->open, con->open_count, con->open_capacity);
        con->open[con->open_count] = (struct unacked){.index = con->next};
        deliver(sim, c, &con->open[con->open_count++]);
    }
}

static void acked(struct consumer *con, size_t index)
{
    for (size_t i = 0; i < con->open_count; i++)
        if (con->open[i].index == index) {
            con->open[i] = con->open[--con->open_count];
            return;
        }
}

static size_t floor_of(const struct consumer *con)
{
    size_t floor = con->next;

    for (size_t i = 0; i < con->open_count; i++)
        floor = con->open[i].index < floor ? con->open[i].index : floor;
    return floor;
}

/* Made again, to begin at an index. */
static void begin_at(struct consumer *con, size_t index)
{
    con->next = con->arrived = index;
    con->open_count = 0;
}

/* One that overtook, or whose predecessor was lost, is dropped, and the consumer made again behind the last that came. */
static bool arrives(struct sim *sim, const struct bus_event *e)
{
    struct consumer *con = &sim->consumers[e->type == BUS_MESSAGE ? e->consumer : 0];
    const struct stored_list *s = &sim->streams[subject_table[e->subject == SUBJECT_COUNT ? 0 : e->subject].stream];

    if (e->type != BUS_MESSAGE || !in_order((size_t)e->consumer) || e->token < con->arrived)
        return true;
    for (size_t i = con->arrived; i < e->token; i++)
        if (s->items[i].subject == e->subject) {
            begin_at(con, i);
            return false;
        }
    con->arrived = e->token + 1;
    return true;
}

/* ---- time ------------------------------------------------------------------------------------------------------------ */

static void land(struct sim *sim, struct flight *f)
{
    switch (f->type) {
    case FLY_PUBLISH:
        store(sim, &f->message);
        fly(sim, (struct flight){.type = FLY_EVENT, .to = f->from,
                                 .event = {.type = BUS_PUBACK, .token = f->message.token, .status = STATUS_OK, .error = ""}});
        return;
    case FLY_EVENT:
        if (f->to && !(f->to->drained && f->event.type != BUS_PUBACK) && arrives(sim, &f->event))
            enqueue(f->to, &f->event);
        return;
    case FLY_ACK:
        acked(&sim->consumers[f->consumer], f->index);
        return;
    case FLY_REQUEST:
        f->to = server_of(sim, f->event.subject);
        if (f->to && f->to->setup.immediate == f->event.subject) {
            sim->immediate = true;
            f->to->setup.on_immediate(f->to->setup.ctx, &f->event);
            sim->immediate = false;
        } else if (f->to)
            enqueue(f->to, &f->event);
    }
}

static struct flight *first_flight(struct sim *sim)
{
    struct flight *first = NULL;

    for (size_t i = 0; i < sim->flight_count; i++) {
        struct flight *f = &sim->flights[i];
        if (!first || f->due_us < first->due_us || (f->due_us == first->due_us && f->order < first->order))
            first = f;
    }
    return first;
}

static bool land_one(struct sim *sim)
{
    struct flight *f = first_flight(sim), copy;

    if (!f || f->due_us > sim->now_us)
        return false;
    copy = *f;
    *f = sim->flights[--sim->flight_count];
    land(sim, &copy);
    return true;
}

void sim_advance(struct sim *sim, int64_t until_us)
{
    struct flight *f = first_flight(sim);

    if (f && f->due_us < until_us)
        until_us = f->due_us;
    if (until_us > sim->now_us)
        sim->now_us = until_us;
    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        serve_consumer(sim, c);
    while (land_one(sim))
        ;
}

int64_t sim_now_us(const struct sim *sim) { return sim->now_us; }

static wall_time sim_wall(void *ctx) { return (wall_time){((struct sim *)ctx)->now_us}; }
static mono_time sim_mono(void *ctx) { return (mono_time){((struct sim *)ctx)->now_us}; }

struct clk sim_clk(struct sim *sim) { return (struct clk){.wall = sim_wall, .mono = sim_mono, .ctx = sim}; }

/* ---- the interface --------------------------------------------------------------------------------------------------- */

/* A service's consumer of a subject, or NULL. */
static struct consumer *own_consumer(struct sim_bus *bus, enum subject subject)
{
    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        if (consumer_table[c].subject == subject && strcmp(consumer_table[c].service, bus->setup.service) == 0)
            return &bus->sim->consumers[c];
    return NULL;
}

static bool first_of_stream(const struct sim_bus *bus, size_t i)
{
    const enum subject *all = bus->setup.subjects;
    bool first = subject_table[all[i]].kind == KIND_STREAM;

    for (size_t k = 0; k < i; k++)
        first &= subject_table[all[k]].stream != subject_table[all[i]].stream;
    return first;
}

/* Up to where the consumers of its subjects begin. */
static void history_of(struct sim_bus *bus, enum stream stream)
{
    struct sim *sim = bus->sim;
    const struct stored_list *s = &sim->streams[stream];

    for (size_t i = 0; i < s->count; i++) {
        struct bus_event event = event_of(&s->items[i], BUS_HISTORY);
        const struct consumer *con = own_consumer(bus, event.subject);
        if (event.time_us >= sim->now_us - bus->setup.history_s * 1000000
            && handles(bus, event.subject) && (!con || i < con->next))
            enqueue(bus, &event);
    }
}

static void first_words(struct sim_bus *bus)
{
    struct sim *sim = bus->sim;

    for (size_t i = 0; i < bus->setup.subject_count; i++) {
        enum subject subject = bus->setup.subjects[i];
        const struct stored_list *s =
            subject_table[subject].kind == KIND_SNAPSHOT ? &sim->streams[subject_table[subject].stream] : NULL;
        struct bus_event event;
        if (s && s->count) {
            event = event_of(&s->items[s->count - 1], BUS_SNAPSHOT);
            enqueue(bus, &event);
        }
    }
    for (size_t i = 0; bus->setup.history_s && i < bus->setup.subject_count; i++)
        if (first_of_stream(bus, i))
            history_of(bus, subject_table[bus->setup.subjects[i]].stream);
    if (bus->setup.history_s)
        enqueue(bus, &(struct bus_event){.type = BUS_CAUGHT_UP, .subject = SUBJECT_COUNT, .error = ""});
}

static enum status bus_start(struct bus *base, const struct bus_setup *setup, struct reason *reason)
{
    struct sim_bus *bus = (struct sim_bus *)base;

    (void)reason;
    bus->setup = *setup;
    enum subject *subjects = arena_copy(&bus->sim->arena, setup->subjects, setup->subject_count * sizeof *subjects);
    bus->setup.subjects = subjects;
    bus->bound = true;
    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        if (in_order(c) && strcmp(consumer_table[c].service, setup->service) == 0)
            begin_at(&bus->sim->consumers[c], floor_of(&bus->sim->consumers[c]));
    first_words(bus);
    return STATUS_OK;
}

static size_t bus_take(struct bus *base, mono_time until, bool messages, struct bus_event *events, size_t capacity)
{
    struct sim_bus *bus = (struct sim_bus *)base;
    size_t taken = 0, kept = 0;

    (void)until;
    for (size_t i = 0; i < bus->count; i++)
        if (taken < capacity && (messages || bus->queue[i].type != BUS_MESSAGE))
            events[taken++] = bus->queue[i];
        else
            bus->queue[kept++] = bus->queue[i];
    bus->count = kept;
    return taken;
}

static void bus_release(struct bus *base, struct bus_event *events, size_t count) { (void)base, (void)events, (void)count; }

static enum status bus_publish(struct bus *base, const struct bus_message *message)
{
    struct sim_bus *bus = (struct sim_bus *)base;
    struct bus_message m = *message;

    m.data = arena_copy(&bus->sim->arena, m.data, m.size);
    m.id = arena_str(&bus->sim->arena, m.id);
    m.traceparent = arena_str(&bus->sim->arena, m.traceparent);
    struct flight flight = {.type = FLY_PUBLISH, .from = bus, .message = m};
    if (bus->sim->immediate)
        land(bus->sim, &flight);
    else
        fly(bus->sim, flight);
    return STATUS_OK;
}

static void bus_ack(struct bus *base, const char *reply)
{
    char *end;
    int consumer = (int)strtol(reply, &end, 10);

    fly(((struct sim_bus *)base)->sim,
        (struct flight){.type = FLY_ACK, .consumer = consumer, .index = (size_t)strtoull(end, NULL, 10)});
}

static void bus_respond(struct bus *base, const char *reply, const void *data, size_t size)
{
    struct sim *sim = ((struct sim_bus *)base)->sim;
    struct asked *a = &sim->asked[strtoull(reply, NULL, 10)];

    a->answered = true;
    a->data = arena_copy(&sim->arena, data, size);
    a->size = size;
}

static void bus_flush(struct bus *base) { (void)base; }

static void bus_figures(struct bus *base, struct bus_figures *ret)
{
    struct sim *sim = ((struct sim_bus *)base)->sim;

    *ret = (struct bus_figures){.connected = true};
    for (size_t c = 0; c < CONSUMER_COUNT; c++) {
        ret->ack_pending[c] = sim->consumers[c].open_count;
        ret->pending[c] = sim->streams[subject_table[consumer_table[c].subject].stream].count - sim->consumers[c].next;
    }
}

static bool consumed(const struct sim *sim, enum subject subject, size_t index)
{
    bool yes = true;

    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        if (consumer_table[c].subject == subject)
            yes &= index < floor_of(&sim->consumers[c]);
    return yes;
}

/* What is removed keeps its place, as a number that holds nothing. */
static enum status bus_scrub(struct bus *base, const struct bus_scrub *scrub, uint64_t *ret_removed)
{
    struct sim *sim = ((struct sim_bus *)base)->sim;
    struct stored_list *s = &sim->streams[scrub->stream];
    bool all = true;

    for (size_t i = 0; i < s->count; i++) {
        struct stored *m = &s->items[i];
        if (m->subject == SUBJECT_COUNT || !scrub->wanted(scrub->ctx, m->subject, m->data, m->size))
            continue;
        if (consumed(sim, m->subject, i)) {
            *m = (struct stored){.subject = SUBJECT_COUNT, .id = "", .traceparent = "", .sequence = m->sequence,
                                 .time_us = m->time_us};
            ++*ret_removed;
        } else {
            all = false;
        }
    }
    return all ? STATUS_OK : STATUS_UNAVAILABLE;
}

static void bus_drain(struct bus *base) { ((struct sim_bus *)base)->drained = true; }

struct bus *sim_bus_new(struct sim *sim)
{
    static const struct bus_ops ops = {bus_start, bus_take, bus_release, bus_publish, bus_ack,
                                       bus_respond, bus_flush, bus_figures, bus_scrub, bus_drain};
    struct sim_bus *bus = xcalloc(1, sizeof *bus);

    assert(sim->bus_count < sizeof sim->buses / sizeof *sim->buses);
    bus->base.ops = &ops;
    bus->sim = sim;
    sim->buses[sim->bus_count++] = bus;
    return &bus->base;
}

struct bus *sim_bus_free(struct bus *base)
{
    struct sim_bus *bus = (struct sim_bus *)base;

    if (!bus)
        return NULL;
    struct sim *sim = bus->sim;
    for (size_t i = 0; i < sim->bus_count; i++)
        if (sim->buses[i] == bus)
            sim->buses[i] = sim->buses[--sim->bus_count];
    for (size_t i = 0; i < sim->flight_count; i++) {
        if (sim->flights[i].to == bus)
            sim->flights[i].to = NULL;
        if (sim->flights[i].from == bus)
            sim->flights[i].from = NULL;
    }
    free(bus->queue);
    free(bus);
    return NULL;
}

/* ---- the world outside ----------------------------------------------------------------------------------------------- */

void sim_publish_raw(struct sim *sim, enum subject subject, const void *data, size_t size)
{
    store(sim, &(struct bus_message){.subject = subject, .data = data, .size = size, .id = "", .traceparent = ""});
}

void sim_publish(struct sim *sim, enum subject subject, const ProtobufCMessage *message, const char *id)
{
    struct bus_message m = {.subject = subject, .id = id, .traceparent = ""};
    const uint8_t *data;

    codec_encode(&sim->arena, message, false, &data, &m.size);
    m.data = data;
    store(sim, &m);
}

uint64_t sim_request(struct sim *sim, enum subject subject, const ProtobufCMessage *message)
{
    const uint8_t *data;
    size_t size, number = sim->asked_count;

    codec_encode(&sim->arena, message, false, &data, &size);
    GROW(sim->asked, sim->asked_count, sim->asked_capacity);
    sim->asked[sim->asked_count++] = (struct asked){.subject = subject};
    fly(sim, (struct flight){.type = FLY_REQUEST,
                             .event = {.type = BUS_REQUEST, .subject = subject, .consumer = -1, .data = data, .size = size,
                                       .error = "", .traceparent = "", .time_us = sim->now_us,
                                       .reply = arena_printf(&sim->arena, "%zu", number)}});
    return number;
}

static const ProtobufCMessage *decoded(struct sim *sim, const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t size)
{
    ProtobufCMessage *message = NULL;
    struct reason reason;
    bool json;

    enum status status = codec_decode(&sim->arena, type, data, size, 1 << 20, &json, &message, &reason);
    assert(status == STATUS_OK);
    return message;
}

const ProtobufCMessage *sim_reply(struct sim *sim, uint64_t request)
{
    const struct asked *a = &sim->asked[request];

    return a->answered ? decoded(sim, subject_table[a->subject].reply, a->data, a->size) : NULL;
}

const ProtobufCMessage *sim_message(struct sim *sim, enum subject subject, size_t index)
{
    const struct stored_list *s = &sim->streams[subject_table[subject].stream];

    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].subject == subject && index-- == 0)
            return decoded(sim, subject_table[subject].message, s->items[i].data, s->items[i].size);
    return NULL;
}

const ProtobufCMessage *sim_last(struct sim *sim, enum subject subject)
{
    size_t n = sim_stored(sim, subject);

    return n ? sim_message(sim, subject, n - 1) : NULL;
}

size_t sim_stored(const struct sim *sim, enum subject subject)
{
    const struct stored_list *s = &sim->streams[subject_table[subject].stream];
    size_t n = 0;

    for (size_t i = 0; i < s->count; i++)
        n += s->items[i].subject == subject;
    return n;
}

void sim_lose_streams(struct sim *sim)
{
    for (size_t i = 0; i < STREAM_COUNT; i++)
        sim->streams[i].count = 0;
    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        begin_at(&sim->consumers[c], 0);
    sim->flight_count = 0;
}

void sim_set_chaos(struct sim *sim, const struct sim_chaos *chaos) { sim->chaos = chaos ? *chaos : (struct sim_chaos){0}; }

struct sim *sim_new(uint64_t seed)
{
    struct sim *sim = xcalloc(1, sizeof *sim);

    sim->rng = rng_seed(seed);
    sim->now_us = INT64_C(1763800000000000);
    return sim;
}

struct sim *sim_free(struct sim *sim)
{
    if (!sim)
        return NULL;
    for (size_t i = 0; i < STREAM_COUNT; i++)
        free(sim->streams[i].items);
    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        free(sim->consumers[c].open);
    while (sim->bus_count)
        sim_bus_free(&sim->buses[0]->base);
    free(sim->flights);
    free(sim->asked);
    arena_done(&sim->arena);
    free(sim);
    return NULL;
}
