/* SPDX-License-Identifier: Apache-2.0 */
/* bus_nats_scrub.c - erasing from streams: every message is asked for by its number, and what is wanted
 * is overwritten by the server.
 *
 * In a thread and on a connection of its own, so that nothing waits for it.  By number and not by a consumer: that needs no right
 * to make one, and each number gets an answer, so nothing can be missed.  Several requests are on their way at a time. */
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "bus_nats_inside.h"

enum { WINDOW = 512, ANSWER_MS = 2000, PATIENCE = 40, NAP_MS = 250, CONSUMED_TRIES = 50, CONSUMED_MS = 100 };

struct found {
    uint64_t sequence;
    enum subject subject;
};

struct scrub {
    struct bus_nats *bus;
    struct bus_scrub job;
    pthread_t thread;
    atomic_bool done, stopped;
    enum status result;
    uint64_t removed;

    natsConnection *nc;
    natsSubscription *sub;
    char stream[64], answers[192]; /* where answers go, without the number */
    struct found *found;
    size_t count, capacity;
};

static json_t *ask(struct scrub *s, const char *body, const char *subject, const char *more)
{
    char name[256];
    natsMsg *msg = NULL;

    snprintf(name, sizeof name, "$JS.API.%s.%s%s", subject, s->stream, more);
    json_t *root = natsConnection_RequestString(&msg, s->nc, name, body, ANSWER_MS) == NATS_OK
                       ? json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL)
                       : NULL;
    natsMsg_Destroy(msg);
    if (root && json_object_get(root, "error")) {
        json_decref(root);
        return NULL;
    }
    return root;
}

/* ---- looking --------------------------------------------------------------------------------------------------------------- */

static enum subject subject_of(const struct bus_nats *b, const char *name)
{
    enum subject s = 0;

    while (s < SUBJECT_COUNT && (!name || strcmp(name, b->wire[s]) != 0))
        s++;
    return s;
}

static void note(struct scrub *s, uint64_t sequence, enum subject subject)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 64;
        s->found = xrealloc(s->found, s->capacity * sizeof *s->found);
    }
    s->found[s->count++] = (struct found){sequence, subject};
}

/* One stored message; a number that holds none is answered with an error, and that is fine. */
static void look_at(struct scrub *s, const char *text, size_t size)
{
    json_t *root = json_loadb(text, size, 0, NULL), *m = json_object_get(root, "message");
    const char *base64 = json_string_value(json_object_get(m, "data"));
    enum subject subject = subject_of(s->bus, json_string_value(json_object_get(m, "subject")));
    size_t length = base64 ? strlen(base64) : 0, padding = 0;
    unsigned char *data = xcalloc(1, length / 4 * 3 + 1);

    while (padding < 2 && padding < length && base64[length - 1 - padding] == '=')
        padding++;
    int n = base64 ? EVP_DecodeBlock(data, (const unsigned char *)base64, (int)length) : -1;
    if (n >= (int)padding && s->job.wanted(s->job.ctx, subject, data, (size_t)n - padding))
        note(s, (uint64_t)json_integer_value(json_object_get(m, "seq")), subject);
    free(data);
    json_decref(root);
}

/* A busy server may take its time; a process that ends may not. */
static natsMsg *next_answer(struct scrub *s)
{
    natsMsg *msg = NULL;

    for (int i = 0; !msg && i < PATIENCE && !atomic_load(&s->stopped); i++)
        if (natsSubscription_NextMsg(&msg, s->sub, NAP_MS) != NATS_OK && natsConnection_IsClosed(s->nc))
            return NULL;
    return msg;
}

static bool look_at_window(struct scrub *s, uint64_t first, uint64_t last)
{
    char subject[128], body[48], reply[224];
    uint64_t answered = 0;

    snprintf(subject, sizeof subject, "$JS.API.STREAM.MSG.GET.%s", s->stream);
    for (uint64_t i = first; i <= last; i++) {
        int n = snprintf(body, sizeof body, "{\"seq\":%llu}", (unsigned long long)i);
        snprintf(reply, sizeof reply, "%s%llu", s->answers, (unsigned long long)i);
        if (natsConnection_PublishRequest(s->nc, subject, reply, body, n) != NATS_OK)
            return false;
    }
    for (; answered <= last - first; answered++) {
        natsMsg *msg = next_answer(s);
        if (!msg)
            return false;
        look_at(s, natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
        natsMsg_Destroy(msg);
    }
    return true;
}

static bool look(struct scrub *s)
{
    json_t *info = ask(s, "", "STREAM.INFO", ""), *state = json_object_get(info, "state");
    uint64_t first = (uint64_t)json_integer_value(json_object_get(state, "first_seq")),
             last = (uint64_t)json_integer_value(json_object_get(state, "last_seq"));
    bool ok = info != NULL;

    json_decref(info);
    for (uint64_t at = first ? first : 1; ok && at <= last; at += WINDOW)
        ok = look_at_window(s, at, at + WINDOW - 1 < last ? at + WINDOW - 1 : last);
    return ok;
}

/* ---- removing -------------------------------------------------------------------------------------------------------------- */

/* Has the consumer handled it, and all before it? */
static bool consumed_by(struct scrub *s, const struct consumer_info *c, uint64_t sequence)
{
    char more[64];

    snprintf(more, sizeof more, ".%s", c->durable);
    json_t *info = ask(s, "", "CONSUMER.INFO", more);
    uint64_t floor = (uint64_t)json_integer_value(json_object_get(json_object_get(info, "ack_floor"), "stream_seq"));
    bool yes = info && (floor >= sequence || (json_integer_value(json_object_get(info, "num_pending")) == 0
                                              && json_integer_value(json_object_get(info, "num_ack_pending")) == 0));
    json_decref(info);
    return yes;
}

static bool consumed(struct scrub *s, enum subject subject, uint64_t last)
{
    int tries = CONSUMED_TRIES;

    for (size_t c = 0; c < CONSUMER_COUNT; c++)
        while (consumer_table[c].subject == subject && !consumed_by(s, &consumer_table[c], last)) {
            if (--tries == 0 || atomic_load(&s->stopped))
                return false;
            nats_Sleep(CONSUMED_MS);
        }
    return true;
}

/* What a message causes must be in the next stream before that one is searched. */
static bool all_consumed(struct scrub *s)
{
    bool ok = true;

    for (enum subject subject = 0; subject < SUBJECT_COUNT && ok; subject++) {
        uint64_t last = 0;
        for (size_t i = 0; i < s->count; i++)
            last = s->found[i].subject == subject && s->found[i].sequence > last ? s->found[i].sequence : last;
        ok = !last || consumed(s, subject, last);
    }
    return ok;
}

/* Without `no_erase` the server writes random bytes over the message, its subject and its headers.  A caller may have had
 * thousands: a process that ends does not wait for them, and the next one goes on. */
static bool remove_found(struct scrub *s)
{
    bool ok = true;

    for (size_t i = 0; i < s->count && ok && (ok = !atomic_load(&s->stopped)); i++) {
        char body[48];
        snprintf(body, sizeof body, "{\"seq\":%llu}", (unsigned long long)s->found[i].sequence);
        json_t *reply = ask(s, body, "STREAM.MSG.DELETE", "");
        ok = json_is_true(json_object_get(reply, "success"));
        s->removed += ok;
        json_decref(reply);
    }
    return ok;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------------ */

static bool begin(struct scrub *s)
{
    struct reason reason;
    natsInbox *inbox = NULL;
    char subject[200];

    wire_stream(s->bus->prefix, s->job.stream, s->stream);
    if (bus_connect(s->bus, true, &s->nc, &reason) != STATUS_OK)
        return false;
    if (natsInbox_Create(&inbox) != NATS_OK)
        abort();
    snprintf(s->answers, sizeof s->answers, "%s.scrub.%s.", s->bus->inbox, strrchr(inbox, '.') + 1);
    natsInbox_Destroy(inbox);
    snprintf(subject, sizeof subject, "%s*", s->answers);
    return natsConnection_SubscribeSync(&s->sub, s->nc, subject) == NATS_OK &&
           natsSubscription_SetPendingLimits(s->sub, -1, -1) == NATS_OK;
}

static void *scrub_main(void *scrub)
{
    struct scrub *s = scrub;
    bool ok = begin(s) && look(s) && all_consumed(s) && remove_found(s);

    s->result = ok ? STATUS_OK : STATUS_UNAVAILABLE;
    natsConnection_Close(s->nc);
    natsSubscription_Destroy(s->sub);
    natsConnection_Destroy(s->nc);
    atomic_store(&s->done, true);
    return NULL;
}

static enum status finish(struct bus_nats *b, uint64_t *ret_removed)
{
    struct scrub *s = b->scrub;

    pthread_join(s->thread, NULL);
    enum status result = s->result;
    *ret_removed += s->removed;
    free(s->found);
    free(s);
    b->scrub = NULL;
    return result;
}

enum status bus_scrub(struct bus *bus, const struct bus_scrub *job, uint64_t *ret_removed)
{
    struct bus_nats *b = (struct bus_nats *)bus;

    if (b->scrub)
        return atomic_load(&b->scrub->done) ? finish(b, ret_removed) : STATUS_BUSY;
    if (atomic_load(&b->draining) || !atomic_load(&b->connected))
        return STATUS_BUSY;
    struct scrub *s = xcalloc(1, sizeof *s);
    s->bus = b;
    s->job = *job;
    b->scrub = s;
    if (pthread_create(&s->thread, NULL, scrub_main, s) != 0)
        abort();
    return STATUS_BUSY;
}

void bus_scrub_stop(struct bus_nats *b)
{
    uint64_t removed = 0;

    if (!b->scrub)
        return;
    atomic_store(&b->scrub->stopped, true);
    (void)finish(b, &removed);
}
