/* SPDX-License-Identifier: Apache-2.0 */
/* bus_nats.c - the NATS bus: the connection, what arrives becomes events, and the ops of bus.h.  Threads: bus_nats_inside.h. */
#include "bus_nats_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "log.h"

enum { RECONNECT_BUFFER = 32 << 20, LOCKED_GRACE_US = 3 * SECOND_US, RETRY_US = 250000 };

static struct bus_nats *self(struct bus *bus) { return (struct bus_nats *)bus; }

/* ---- the connection -------------------------------------------------------------------------------------------------------- */

void bus_kick(struct bus_nats *b)
{
    pthread_mutex_lock(&b->mutex);
    b->kick = true;
    pthread_mutex_unlock(&b->mutex);
    pthread_cond_signal(&b->keeper_wake);
}

static void on_disconnected(natsConnection *nc, void *bus)
{
    struct bus_nats *b = bus;

    (void)nc;
    atomic_store(&b->connected, false);
    pthread_mutex_lock(&b->mutex);
    if (b->disconnected_us == 0)
        b->disconnected_us = bus_clock_us(CLOCK_REALTIME);
    bool ours = b->closed;
    pthread_mutex_unlock(&b->mutex);
    if (!ours)
        log_warning("bus.disconnected", "url=%s", b->url);
    bus_kick(b);
}

static void on_reconnected(natsConnection *nc, void *bus)
{
    struct bus_nats *b = bus;

    (void)nc;
    pthread_mutex_lock(&b->mutex);
    b->reconnected = true;
    b->denied[0] = '\0';
    b->shown.reconnects++;
    pthread_mutex_unlock(&b->mutex);
    atomic_store(&b->connected, true);
    log_info("bus.reconnected", "url=%s", b->url);
    bus_kick(b);
}

/* nats.c gives up for good when the same user is refused twice in a row. */
static void on_closed(natsConnection *nc, void *bus)
{
    struct bus_nats *b = bus;

    (void)nc;
    pthread_mutex_lock(&b->mutex);
    bool ours = b->closed;
    if (!ours)
        snprintf(b->denied, sizeof b->denied, "the server refused user %s: restart with the right password", b->user);
    pthread_mutex_unlock(&b->mutex);
    if (!ours)
        log_error("bus.closed", "url=%s user=%s", b->url, b->user);
    bus_unref(b);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus error, void *bus)
{
    struct bus_nats *b = bus;
    const char *text = nats_GetLastError(NULL);

    (void)nc, (void)sub; /* 3.4.1 may hand a freed one */
    log_warning("bus.error", "status=\"%s\" text=\"%s\"", natsStatus_GetText(error), text ? text : "");
    if (error != NATS_NOT_PERMITTED || !text || !strcasestr(text, "subscription"))
        return;
    pthread_mutex_lock(&b->mutex);
    snprintf(b->denied, sizeof b->denied, "%s", text);
    pthread_mutex_unlock(&b->mutex);
}

static enum status set_user(const struct bus_nats *b, natsOptions *o, struct reason *reason)
{
    char password[256] = "";

    if (!*b->password_file)
        return STATUS_OK;
    FILE *file = fopen(b->password_file, "re");
    if (!file)
        return reason_fail(reason, STATUS_CONFIG, "nats.password_file", "%s: %s", b->password_file, strerror(errno));
    if (!fgets(password, sizeof password, file))
        password[0] = '\0';
    fclose(file);
    password[strcspn(password, "\r\n")] = '\0';
    return natsOptions_SetUserInfo(o, b->user, password) == NATS_OK ? STATUS_OK : STATUS_INTERNAL;
}

static natsStatus set_options(struct bus_nats *b, natsOptions *o, bool temporary)
{
    natsStatus s = natsOptions_SetURL(o, b->url);

    s = s ? s : natsOptions_SetName(o, b->name);
    s = s ? s : natsOptions_SetCustomInboxPrefix(o, b->inbox);
    s = s ? s : natsOptions_SetTimeout(o, 2000);
    s = s ? s : natsOptions_SetPingInterval(o, 20000);
    s = s ? s : natsOptions_SetMaxPingsOut(o, 3);
    s = s ? s : natsOptions_SetErrorHandler(o, on_error, b);
    if (temporary)
        return s ? s : natsOptions_SetAllowReconnect(o, false);
    s = s ? s : natsOptions_SetMaxReconnect(o, -1);
    s = s ? s : natsOptions_SetReconnectWait(o, 200);
    s = s ? s : natsOptions_SetReconnectJitter(o, 100, 100);
    s = s ? s : natsOptions_SetReconnectBufSize(o, RECONNECT_BUFFER);
    s = s ? s : natsOptions_SetSendAsap(o, b->send_asap);
    s = s ? s : natsOptions_SetDisconnectedCB(o, on_disconnected, b);
    return s ? s : natsOptions_SetReconnectedCB(o, on_reconnected, b);
}

static void on_temporary_closed(natsConnection *nc, void *bus)
{
    (void)nc;
    bus_unref(bus);
}

/* One attempt; `temporary` for history: no second life.  Both hold a reference until they are closed. */
enum status bus_connect(struct bus_nats *b, bool temporary, natsConnection **ret, struct reason *reason)
{
    natsOptions *o = NULL;
    natsStatus s = natsOptions_Create(&o);
    enum status status;

    s = s ? s : set_options(b, o, temporary);
    s = s ? s : natsOptions_SetClosedCB(o, temporary ? on_temporary_closed : on_closed, b);
    status = s ? reason_fail(reason, STATUS_CONFIG, "nats.url", "%s: %s", b->url, natsStatus_GetText(s)) : set_user(b, o, reason);
    if (status == STATUS_OK) {
        atomic_fetch_add(&b->references, 1);
        s = natsConnection_Connect(ret, o);
        if (s != NATS_OK) {
            atomic_fetch_sub(&b->references, 1);
            status = reason_fail(reason, s == NATS_CONNECTION_AUTH_FAILED ? STATUS_DENIED : STATUS_UNAVAILABLE, "nats.url",
                                 "%s: %s", b->url, natsStatus_GetText(s));
        }
    }
    natsOptions_Destroy(o);
    return status;
}

struct bus_link *bus_link(struct bus_nats *b, enum subject subject, int consumer)
{
    assert(b->link_count < MAX_LINKS);
    struct bus_link *l = &b->links[b->link_count++];

    *l = (struct bus_link){.bus = b, .subject = subject, .consumer = consumer};
    return l;
}

enum status bus_subscribe(struct bus_nats *b, struct bus_link *link, const char *subject, const char *group,
                          natsMsgHandler handle)
{
    natsStatus s = group ? natsConnection_QueueSubscribe(&link->sub, b->nc, subject, group, handle, link)
                         : natsConnection_Subscribe(&link->sub, b->nc, subject, handle, link);

    if (s != NATS_OK)
        return STATUS_UNAVAILABLE;
    atomic_fetch_add(&b->references, 1);
    if (natsSubscription_SetOnCompleteCB(link->sub, bus_unref, b) != NATS_OK) {
        atomic_fetch_sub(&b->references, 1);
        return STATUS_UNAVAILABLE;
    }
    return natsSubscription_SetPendingLimits(link->sub, -1, -1) == NATS_OK ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* ---- start ----------------------------------------------------------------------------------------------------------------- */

static enum status wait_for_server(struct bus_nats *b, struct reason *reason)
{
    int64_t until = bus_clock_us(CLOCK_MONOTONIC) + b->connect_timeout_s * SECOND_US;
    enum status status;

    while ((status = bus_connect(b, false, &b->nc, reason)) == STATUS_UNAVAILABLE || status == STATUS_DENIED) {
        if (bus_clock_us(CLOCK_MONOTONIC) >= until)
            return status;
        nats_Sleep(RETRY_US / 1000);
    }
    if (status == STATUS_OK)
        atomic_store(&b->connected, true);
    return status;
}

static enum status subscribe_all(struct bus_nats *b, enum subject_kind kind)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < b->setup.subject_count && status == STATUS_OK; i++) {
        enum subject s = b->setup.subjects[i];
        if (subject_table[s].kind != kind)
            continue;
        bool request = kind == KIND_REQUEST;
        status = bus_subscribe(b, bus_link(b, s, -1), b->wire[s], request ? b->setup.service : NULL,
                               request ? bus_on_request : bus_on_snapshot);
        b->snapshot_wanted[s] = !request;
    }
    return status;
}

/* Who was killed a moment ago is still bound for a moment. */
static enum status bind_consumers(struct bus_nats *b, struct reason *reason)
{
    int64_t until = bus_clock_us(CLOCK_MONOTONIC) + LOCKED_GRACE_US;
    enum status status;

    while ((status = keeper_round(b)) == STATUS_LOCKED && bus_clock_us(CLOCK_MONOTONIC) < until)
        nats_Sleep(RETRY_US / 1000);
    return status == STATUS_LOCKED ? reason_fail(reason, STATUS_LOCKED, "bus", "%s", b->problem) : STATUS_OK;
}

static enum status nats_start(struct bus *bus, const struct bus_setup *setup, struct reason *reason)
{
    struct bus_nats *b = self(bus);
    char all_acks[sizeof b->acks + 1];

    b->setup = *setup;
    /* The caller's list need not outlive this call. */
    memcpy(b->subjects, setup->subjects, setup->subject_count * sizeof *b->subjects);
    b->setup.subjects = b->subjects;
    keeper_init(b);
    enum status status = wait_for_server(b, reason);
    if (status != STATUS_OK)
        return status;
    snprintf(all_acks, sizeof all_acks, "%s*", b->acks);
    natsConnection_GetConnectedServerId(b->nc, b->server_id, sizeof b->server_id);
    status = bus_subscribe(b, bus_link(b, SUBJECT_COUNT, -1), all_acks, NULL, bus_on_puback);
    status = status ? status : subscribe_all(b, KIND_SNAPSHOT);
    if (status == STATUS_OK && (status = bind_consumers(b, reason)) == STATUS_LOCKED)
        return status;
    status = status ? status : subscribe_all(b, KIND_REQUEST);
    if (status == STATUS_OK)
        natsConnection_FlushTimeout(b->nc, 2000);
    if (status != STATUS_OK || pthread_create(&b->keeper, NULL, keeper_main, b) != 0)
        return reason_fail(reason, STATUS_UNAVAILABLE, "nats.url", "%s: cannot subscribe", b->url);
    b->keeper_runs = true;
    return STATUS_OK;
}

/* ---- the other ops --------------------------------------------------------------------------------------------------------- */

static natsStatus publish_with_headers(struct bus_nats *b, const struct bus_message *m, const char *reply)
{
    natsMsg *msg = NULL;
    natsStatus s = natsMsg_Create(&msg, b->wire[m->subject], reply, m->data, (int)m->size);

    if (s == NATS_OK && *m->id)
        s = natsMsgHeader_Set(msg, "Nats-Msg-Id", m->id);
    if (s == NATS_OK && *m->traceparent)
        s = natsMsgHeader_Set(msg, "traceparent", m->traceparent);
    s = s ? s : natsConnection_PublishMsg(b->nc, msg);
    natsMsg_Destroy(msg);
    return s;
}

static enum status nats_publish(struct bus *bus, const struct bus_message *m)
{
    struct bus_nats *b = self(bus);
    char reply[sizeof b->acks + 24];
    natsStatus s;

    memcpy(reply, b->acks, b->acks_size);
    snprintf(reply + b->acks_size, 24, "%llu", (unsigned long long)m->token);
    if (*m->id || *m->traceparent)
        s = publish_with_headers(b, m, reply);
    else
        s = natsConnection_PublishRequest(b->nc, b->wire[m->subject], reply, m->data, (int)m->size);
    if (s != NATS_MAX_PAYLOAD)
        return s == NATS_OK ? STATUS_OK : STATUS_UNAVAILABLE;
    bus_push(b, &(struct bus_event){.type = BUS_PUBACK, .subject = m->subject, .consumer = -1, .status = STATUS_REFUSED,
                                    .reply = "", .traceparent = "", .error = "larger than the server's max_payload",
                                    .token = m->token});
    return STATUS_OK;
}

/* Without a connection an ack is dropped and the message comes again: kept for a server that has lost the end of its stream,
 * it could ack another message. */
static void nats_ack(struct bus *bus, const char *reply)
{
    if (atomic_load_explicit(&self(bus)->connected, memory_order_relaxed))
        natsConnection_Publish(self(bus)->nc, reply, "+ACK", 4);
}

static void nats_respond(struct bus *bus, const char *reply, const void *data, size_t size)
{
    if (*reply)
        natsConnection_Publish(self(bus)->nc, reply, data, (int)size);
}

static void nats_flush(struct bus *bus)
{
    if (atomic_load(&self(bus)->connected))
        natsConnection_FlushTimeout(self(bus)->nc, 1000);
}

static void nats_figures(struct bus *bus, struct bus_figures *ret)
{
    struct bus_nats *b = self(bus);

    pthread_mutex_lock(&b->mutex);
    *ret = b->shown;
    ret->connected = atomic_load(&b->connected);
    if (!ret->connected)
        snprintf(ret->problem, sizeof ret->problem, "%s", *b->denied ? b->denied : "no connection to the bus");
    pthread_mutex_unlock(&b->mutex);
}

static void stop_keeper(struct bus_nats *b)
{
    pthread_mutex_lock(&b->mutex);
    b->stop = true;
    pthread_mutex_unlock(&b->mutex);
    pthread_cond_signal(&b->keeper_wake);
    if (b->keeper_runs)
        pthread_join(b->keeper, NULL);
    b->keeper_runs = false;
}

/* Requests that have arrived are still delivered; messages come again to whoever is next. */
static void nats_drain(struct bus *bus)
{
    struct bus_nats *b = self(bus);

    if (atomic_exchange(&b->draining, true))
        return;
    bus_scrub_stop(b);
    stop_keeper(b);
    history_stop(b);
    for (size_t i = 0; i < b->link_count; i++) {
        const struct bus_link *l = &b->links[i];
        if (!l->sub || l->subject == SUBJECT_COUNT)
            continue;
        if (subject_table[l->subject].kind == KIND_REQUEST)
            natsSubscription_Drain(l->sub);
        else
            natsSubscription_Unsubscribe(l->sub);
    }
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

struct bus *bus_nats_new(const struct bus_nats_options *options)
{
    static const struct bus_ops ops = {nats_start, bus_take, bus_release, nats_publish, nats_ack, nats_respond, nats_flush,
                                       nats_figures, bus_scrub, nats_drain};
    struct bus_nats *b = xcalloc(1, sizeof *b);
    pthread_condattr_t mono;
    natsInbox *inbox = NULL;

    *b = (struct bus_nats){.base.ops = &ops, .url = xstrdup(options->url), .user = xstrdup(options->user ? options->user : ""),
                           .password_file = xstrdup(options->password_file ? options->password_file : ""),
                           .prefix = xstrdup(options->prefix ? options->prefix : ""),
                               .name = xstrdup(options->name ? options->name : ""),
                           .send_asap = options->send_asap, .connect_timeout_s = options->connect_timeout_s, .references = 1};
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&b->mutex, NULL);
    pthread_cond_init(&b->wake, &mono);
    pthread_cond_init(&b->keeper_wake, &mono);
    pthread_condattr_destroy(&mono);
    for (enum subject s = 0; s < SUBJECT_COUNT; s++)
        wire_subject(b->prefix, s, b->wire[s]);
    if (nats_Open(-1) != NATS_OK || natsInbox_Create(&inbox) != NATS_OK)
        abort();
    snprintf(b->inbox, sizeof b->inbox, *b->user ? "_INBOX_%.64s" : "_INBOX", b->user);
    b->acks_size = (size_t)snprintf(b->acks, sizeof b->acks, "%s.ack.%s.", b->inbox, strrchr(inbox, '.') + 1);
    natsInbox_Destroy(inbox);
    return &b->base;
}

void bus_unref(void *bus)
{
    struct bus_nats *b = bus;

    if (atomic_fetch_sub(&b->references, 1) != 1)
        return;
    bus_forget_events(b);
    pthread_cond_destroy(&b->keeper_wake);
    pthread_cond_destroy(&b->wake);
    pthread_mutex_destroy(&b->mutex);
    free(b->url), free(b->user), free(b->password_file), free(b->prefix), free(b->name);
    free(b);
}

struct bus *bus_nats_free(struct bus *bus)
{
    struct bus_nats *b = self(bus);

    if (!b)
        return NULL;
    bus_scrub_stop(b);
    stop_keeper(b);
    history_stop(b);
    if (b->nc && atomic_load(&b->connected))
        natsConnection_FlushTimeout(b->nc, 2000);
    pthread_mutex_lock(&b->mutex);
    b->closed = true;
    pthread_mutex_unlock(&b->mutex);
    natsConnection_Close(b->nc);
    for (size_t i = 0; i < b->link_count; i++)
        natsSubscription_Destroy(b->links[i].sub);
    natsConnection_Destroy(b->nc);
    bus_unref(b);
    return NULL;
}
