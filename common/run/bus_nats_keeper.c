/* SPDX-License-Identifier: Apache-2.0 */
/* bus_nats_keeper.c - keeps the durable consumers right and reads snapshots, by plain JSON requests to the JetStream API.
 *
 * At bind, after each reconnect and every 5 s it asks for each consumer.  One that is gone, stands elsewhere than the
 * database, or may stand beyond the end of its stream (another server answers than before) is made again, from where nothing
 * can be missed: what comes twice changes nothing. */
#include <assert.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "bus_nats_inside.h"
#include "consumer.h"
#include "log.h"

enum { NO_CONSUMER = 10014, NO_MESSAGE = 10037, NO_STREAM = 10059, ROUND_S = 5, TROUBLED_ROUND_S = 1, API_TIMEOUT_MS = 2000 };

/* ---- the JetStream API ----------------------------------------------------------------------------------------------------- */

void keeper_problem(struct bus_nats *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (!b->problem[0])
        vsnprintf(b->problem, sizeof b->problem, fmt, args);
    va_end(args);
}

json_t *keeper_ask(struct bus_nats *b, const char *body, int *ret_error, const char *subject, ...)
{
    char name[256] = "$JS.API.";
    natsMsg *msg = NULL;
    va_list args;

    va_start(args, subject);
    vsnprintf(name + 8, sizeof name - 8, subject, args);
    va_end(args);
    natsStatus s = natsConnection_RequestString(&msg, b->nc, name, body, API_TIMEOUT_MS);
    json_t *root = s == NATS_OK ? json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL) : NULL;
    natsMsg_Destroy(msg);
    if (!root) {
        keeper_problem(b, "no answer to %s%s", name,
                       s == NATS_NO_RESPONDERS ? ": no JetStream" : s == NATS_TIMEOUT ? ": not permitted?" : "");
        return NULL;
    }
    *ret_error = (int)json_integer_value(json_object_get(json_object_get(root, "error"), "err_code"));
    if (*ret_error && *ret_error != NO_CONSUMER && *ret_error != NO_MESSAGE)
        keeper_problem(b, "%s: %s", name, json_string_value(json_object_get(json_object_get(root, "error"), "description")));
    return root;
}

void keeper_time_text(int64_t us, char ret_text[static 40])
{
    time_t seconds = us / SECOND_US;
    struct tm tm;

    gmtime_r(&seconds, &tm);
    size_t n = strftime(ret_text, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret_text + n, 40 - n, ".%06lldZ", (long long)(us % SECOND_US));
}

/* RFC 3339 in UTC with any number of decimals -> microseconds; 0 when it is none. */
static int64_t time_of(const char *text)
{
    struct tm tm = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    int64_t us = 0, unit = 100000;

    if (!rest)
        return 0;
    if (*rest == '.')
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
            us += (*rest - '0') * unit;
    return timegm(&tm) * SECOND_US + us;
}

static uint64_t number_at(const json_t *root, const char *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object ? json_object_get(root, object) : root, name));
}

/* A stored message by a query such as {"seq":7}.  STATUS_NOT_FOUND; STATUS_UNAVAILABLE is the problem. */
static enum status stored(struct bus_nats *b, const char *stream, json_t *query, json_t **ret)
{
    char *body = json_dumps(query, JSON_COMPACT);
    int error = 0;

    json_decref(query);
    *ret = keeper_ask(b, body, &error, "STREAM.MSG.GET.%s", stream);
    free(body);
    return !*ret ? STATUS_UNAVAILABLE : error == NO_MESSAGE ? STATUS_NOT_FOUND : error ? STATUS_UNAVAILABLE : STATUS_OK;
}

static enum status stored_time(struct bus_nats *b, const char *stream, json_t *query, int64_t *ret_us)
{
    json_t *root;
    enum status status = stored(b, stream, query, &root);

    if (status == STATUS_OK)
        *ret_us = time_of(json_string_value(json_object_get(json_object_get(root, "message"), "time")));
    json_decref(root);
    return status;
}

/* ---- one consumer ---------------------------------------------------------------------------------------------------------- */

/* Made again because its owner has just started: nothing to report. */
static const char ROUTINE[] = "its owner starts";

/* What the server says of it. */
struct look {
    bool missing, bound, drifted;
    uint64_t floor, delivered;
};

struct stream_state {
    uint64_t first, last;
    char created[48];
};

static const struct consumer_info *info_of(const struct kept_consumer *c) { return &consumer_table[c->index]; }

static void take_info(struct bus_nats *b, struct kept_consumer *c, const json_t *info, struct look *ret)
{
    *ret = (struct look){.bound = json_is_true(json_object_get(info, "push_bound")),
                         .drifted = consumer_differs(json_object_get(info, "config"), b->prefix, b->user, (size_t)c->index),
                         .floor = number_at(info, "ack_floor", "stream_seq"),
                         .delivered = number_at(info, "delivered", "stream_seq")};
    pthread_mutex_lock(&b->mutex);
    b->shown.pending[c->index] = number_at(info, NULL, "num_pending");
    b->shown.ack_pending[c->index] = number_at(info, NULL, "num_ack_pending");
    b->shown.redelivered[c->index] = number_at(info, NULL, "num_redelivered");
    pthread_mutex_unlock(&b->mutex);
}

static enum status look_at(struct bus_nats *b, struct kept_consumer *c, struct look *ret)
{
    int error = 0;
    json_t *info = keeper_ask(b, "", &error, "CONSUMER.INFO.%s.%s", c->stream, c->durable);

    *ret = (struct look){.missing = error == NO_CONSUMER};
    if (info && !error)
        take_info(b, c, info, ret);
    json_decref(info);
    return info && (!error || ret->missing) ? STATUS_OK : STATUS_UNAVAILABLE;
}

static enum status stream_state(struct bus_nats *b, const struct kept_consumer *c, struct stream_state *ret)
{
    int error = 0;
    json_t *info = keeper_ask(b, "", &error, "STREAM.INFO.%s", c->stream);
    const char *created = json_string_value(json_object_get(info, "created"));
    bool ok = info && !error && created;

    if (ok) {
        ret->first = number_at(info, "state", "first_seq");
        ret->last = number_at(info, "state", "last_seq");
        snprintf(ret->created, sizeof ret->created, "%s", created);
    }
    json_decref(info);
    return ok ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* The server may have lost the end of the stream and filled it again up to the floor or beyond.  A message at or after the
 * floor that is older than `since` shows that the floor is sound; else everything since then comes again. */
static enum status origin_after_restart(struct bus_nats *b, const struct kept_consumer *c, uint64_t floor, struct origin *ret)
{
    int64_t time_us = 0;
    enum status status = stored_time(b, c->stream, json_pack("{s:I, s:s}", "seq", (json_int_t)(floor ? floor : 1), "next_by_subj",
                                                             b->wire[info_of(c)->subject]), &time_us);

    if (status == STATUS_OK && time_us < c->since_us)
        *ret = (struct origin){.sequence = floor + 1};
    else if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        *ret = (struct origin){.time_us = c->since_us};
    else
        return status;
    return STATUS_OK;
}

/* bus.h, struct bus_position: why the stream is another one than the database knows; NULL: it is the same. */
static enum status stream_differs(struct bus_nats *b, const struct kept_consumer *c, const struct stream_state *stream,
                                  const char **ret_why)
{
    const struct bus_position *p = &b->setup.positions[c->index];
    int64_t time_us = 0;

    if (p->sequence > stream->last)
        *ret_why = "the stream was cut";
    if (*ret_why || !p->sequence)
        return STATUS_OK;
    enum status status = stored_time(b, c->stream, json_pack("{s:I}", "seq", (json_int_t)p->sequence), &time_us);
    if (status == STATUS_OK && llabs(time_us - p->time_us) > 1)
        *ret_why = "the stream holds another message where the database stands";
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Once, before it is bound: it begins behind what the database holds, whatever the server remembers of a former owner. */
static enum status first_origin(struct bus_nats *b, const struct kept_consumer *c, const struct look *l, struct origin *ret,
                                const char **ret_why)
{
    const struct bus_position *p = &b->setup.positions[c->index];
    struct stream_state stream;
    enum status status = stream_state(b, c, &stream);

    if (status == STATUS_OK && b->setup.has_database)
        status = stream_differs(b, c, &stream, ret_why);
    if (status != STATUS_OK)
        return status;
    uint64_t known = b->setup.has_database ? p->sequence : l->floor <= stream.last ? l->floor : 0;
    if (*ret_why)
        ret->time_us = p->time_us - MINUTE_US;
    else if (b->setup.has_database && l->floor > p->sequence && l->floor >= stream.first)
        *ret_why = "the database is older";
    else if (!l->missing && (l->floor > stream.last || l->delivered > stream.last))
        *ret_why = "it stood beyond its stream";
    else if (!l->bound)
        *ret_why = ROUTINE;
    if (!ret->time_us)
        ret->sequence = known ? known + 1 : 0;
    return STATUS_OK;
}

static enum status origin_of_missing(struct bus_nats *b, const struct kept_consumer *c, struct origin *ret)
{
    const struct bus_position *p = &b->setup.positions[c->index];
    struct stream_state stream;

    *ret = (struct origin){0};
    if (!c->placed && b->setup.has_database && p->sequence)
        *ret = (struct origin){.time_us = p->time_us - MINUTE_US};
    if (!c->floor)
        return STATUS_OK;
    enum status status = stream_state(b, c, &stream);
    if (status == STATUS_OK && strcmp(stream.created, c->created) == 0 && c->floor <= stream.last)
        *ret = (struct origin){.sequence = c->floor + 1};
    return status;
}

/* Also when a fresh consumer drops what comes: its number 1 was lost. */
static bool lost_order(struct bus_link *link)
{
    int order = atomic_load(&link->order);

    return order == ORDER_BROKEN || (order == ORDER_FRESH && atomic_load(&link->dropped));
}

/* Why it must be made again, and from where; NULL: it is right as it is. */
static enum status judge(struct bus_nats *b, const struct kept_consumer *c, const struct look *l, struct origin *ret,
                         const char **ret_why)
{
    enum status status = STATUS_OK;

    *ret_why = NULL;
    if (c->since_us) {
        *ret_why = "the server is another one";
        return origin_after_restart(b, c, l->missing ? c->floor : l->floor, ret);
    }
    if (l->missing) {
        *ret_why = "it was gone";
        return origin_of_missing(b, c, ret);
    }
    if (!c->placed)
        status = first_origin(b, c, l, ret, ret_why);
    if (c->link && lost_order(c->link)) {
        *ret_why = "a delivery did not arrive";
        uint64_t highest = atomic_load(&c->link->highest);
        *ret = highest ? (struct origin){.sequence = highest + 1} : c->begin;
    }
    if (status == STATUS_OK && !*ret_why && l->drifted) {
        *ret_why = "its settings differ";
        *ret = (struct origin){.sequence = l->floor + 1};
    }
    return status;
}

static enum status make(struct bus_nats *b, struct kept_consumer *c, const struct origin *from, struct look *ret)
{
    json_t *request = consumer_request(b->prefix, b->user, (size_t)c->index, from->sequence, from->time_us), *reply;
    int error = 0;
    char *body = json_dumps(request, JSON_COMPACT);
    json_decref(keeper_ask(b, "", &error, "CONSUMER.DELETE.%s.%s", c->stream, c->durable));
    if (c->link) {
        atomic_store(&c->link->order, ORDER_FRESH);
        atomic_store(&c->link->dropped, false);
        atomic_store(&c->link->highest, 0);
    }
    reply = keeper_ask(b, body, &error, "CONSUMER.DURABLE.CREATE.%s.%s", c->stream, c->durable);
    if (reply && !error)
        take_info(b, c, reply, ret);
    free(body);
    json_decref(request);
    json_decref(reply);
    return reply && !error ? STATUS_OK : STATUS_UNAVAILABLE;
}

static enum status make_again(struct bus_nats *b, struct kept_consumer *c, const char *why, const struct origin *from,
                              struct look *l)
{
    bool first = l->missing && !c->placed && !b->setup.positions[c->index].sequence;
    enum status status = make(b, c, from, l);

    if (status != STATUS_OK)
        return status;
    c->since_us = 0;
    c->begin = *from;
    if (why == ROUTINE)
        return STATUS_OK;
    if (first)
        why = "it is the first";
    log_info("bus.consumer_made", "stream=%s consumer=%s why=\"%s\" sequence=%llu", c->stream, c->durable, why,
             (unsigned long long)from->sequence);
    pthread_mutex_lock(&b->mutex);
    b->shown.recreated[c->index] += !first;
    pthread_mutex_unlock(&b->mutex);
    return STATUS_OK;
}

static enum status bind_consumer(struct bus_nats *b, struct kept_consumer *c)
{
    struct stream_state stream;
    enum status status = stream_state(b, c, &stream);

    if (status != STATUS_OK)
        return status;
    snprintf(c->created, sizeof c->created, "%s", stream.created);
    c->placed = true;
    if (c->link)
        return STATUS_OK;
    c->link = bus_link(b, info_of(c)->subject, c->index);
    return bus_subscribe(b, c->link, c->deliver, info_of(c)->group ? info_of(c)->service : NULL, bus_on_message);
}

static enum status keep(struct bus_nats *b, struct kept_consumer *c)
{
    struct origin from = {0};
    struct look l;
    const char *why = NULL;
    enum status status = look_at(b, c, &l);

    if (status != STATUS_OK)
        return status;
    if (l.bound && !c->link && !info_of(c)->group) {
        keeper_problem(b, "another instance of %s is bound to consumer %s of %s", b->setup.service, c->durable, c->stream);
        return STATUS_LOCKED;
    }
    if (b->history_wanted) /* which ends where the consumer begins */
        return STATUS_OK;
    status = judge(b, c, &l, &from, &why);
    if (status != STATUS_OK)
        return status;
    if (why && (status = make_again(b, c, why, &from, &l)) != STATUS_OK)
        return status;
    c->floor = l.floor;
    return c->placed && c->link && !why ? STATUS_OK : bind_consumer(b, c);
}

/* ---- snapshots ------------------------------------------------------------------------------------------------------------- */

static void push_snapshot(struct bus_nats *b, enum subject subject, const char *base64)
{
    size_t size = strlen(base64), padding = 0;
    unsigned char *data = xcalloc(1, size / 4 * 3 + 1);
    struct bus_event e = {.type = BUS_SNAPSHOT, .subject = subject, .consumer = -1, .deliveries = 1};
    natsMsg *msg = NULL;

    while (padding < 2 && padding < size && base64[size - 1 - padding] == '=')
        padding++;
    int n = EVP_DecodeBlock(data, (const unsigned char *)base64, (int)size);
    if (n >= 0 && natsMsg_Create(&msg, b->wire[subject], NULL, (const char *)data, n - (int)padding) == NATS_OK) {
        bus_fill(&e, msg);
        bus_push(b, &e);
    }
    free(data);
}

static void read_snapshot(struct bus_nats *b, enum subject subject)
{
    char stream[64];
    json_t *root;

    wire_stream(b->prefix, subject_table[subject].stream, stream);
    enum status status = stored(b, stream, json_pack("{s:s}", "last_by_subj", b->wire[subject]), &root);
    const char *data = json_string_value(json_object_get(json_object_get(root, "message"), "data"));
    if (status == STATUS_OK && data)
        push_snapshot(b, subject, data);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        b->snapshot_wanted[subject] = false;
    json_decref(root);
}

/* ---- the thread ------------------------------------------------------------------------------------------------------------ */

void keeper_init(struct bus_nats *b)
{
    for (int i = 0; i < CONSUMER_COUNT; i++) {
        if (strcmp(consumer_table[i].service, b->setup.service) != 0)
            continue;
        struct kept_consumer *c = &b->consumers[b->consumer_count++];
        *c = (struct kept_consumer){.index = i, .durable = consumer_table[i].durable};
        wire_stream(b->prefix, subject_table[consumer_table[i].subject].stream, c->stream);
        consumer_deliver_subject(b->prefix, b->user, (size_t)i, c->deliver);
    }
    history_init(b);
}

/* After a reconnect: snapshots are read again, and if it is another server, what consumers remember may lie beyond their
 * streams. */
static void notice_reconnect(struct bus_nats *b)
{
    char id[64] = "";

    pthread_mutex_lock(&b->mutex);
    bool reconnected = b->reconnected;
    int64_t since = b->disconnected_us - MINUTE_US;
    b->reconnected = false;
    if (reconnected)
        b->disconnected_us = 0;
    pthread_mutex_unlock(&b->mutex);
    if (!reconnected)
        return;
    natsConnection_GetConnectedServerId(b->nc, id, sizeof id);
    for (size_t i = 0; i < b->consumer_count && strcmp(id, b->server_id) != 0; i++)
        if (b->consumers[i].placed && (!b->consumers[i].since_us || since < b->consumers[i].since_us))
            b->consumers[i].since_us = since;
    memcpy(b->server_id, id, sizeof id);
    for (size_t i = 0; i < b->setup.subject_count; i++)
        if (subject_table[b->setup.subjects[i]].kind == KIND_SNAPSHOT)
            b->snapshot_wanted[b->setup.subjects[i]] = true;
}

static enum status keep_all(struct bus_nats *b)
{
    enum status worst = STATUS_OK;

    for (size_t i = 0; i < b->consumer_count; i++) {
        enum status status = keep(b, &b->consumers[i]);
        if (status == STATUS_LOCKED || worst == STATUS_OK)
            worst = status;
    }
    return worst;
}

enum status keeper_round(struct bus_nats *b)
{
    b->problem[0] = '\0';
    notice_reconnect(b);
    for (enum subject s = 0; s < SUBJECT_COUNT; s++)
        if (b->snapshot_wanted[s])
            read_snapshot(b, s);
    enum status worst = keep_all(b);
    if (b->history_wanted && worst == STATUS_OK) { /* while another instance is bound, where history ends may still move */
        history_keep(b);
        worst = b->history_wanted ? STATUS_OK : keep_all(b);
    }
    pthread_mutex_lock(&b->mutex);
    snprintf(b->shown.problem, sizeof b->shown.problem, "%s", b->problem[0] ? b->problem : b->denied);
    pthread_mutex_unlock(&b->mutex);
    return worst;
}

void *keeper_main(void *bus)
{
    struct bus_nats *b = bus;

    pthread_mutex_lock(&b->mutex);
    while (!b->stop) {
        bool soon = b->problem[0] || b->history_wanted;
        int64_t next = bus_clock_us(CLOCK_MONOTONIC) + (soon ? TROUBLED_ROUND_S : ROUND_S) * SECOND_US;
        struct timespec deadline = {.tv_sec = next / SECOND_US, .tv_nsec = next % SECOND_US * 1000};
        int waited = 0;
        while (!b->stop && !b->kick && waited == 0)
            waited = pthread_cond_timedwait(&b->keeper_wake, &b->mutex, &deadline);
        bool go = !b->stop;
        b->kick = false;
        pthread_mutex_unlock(&b->mutex);
        if (go && atomic_load(&b->connected))
            keeper_round(b);
        pthread_mutex_lock(&b->mutex);
    }
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}
