/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - a blocking client over nats.c.
 *
 * One subscription under the user's inbox takes all answers; they and what is listened to go into one queue.  A subject that the
 * server refuses shows only as an asynchronous error, so every wait also looks for one that names its subject. */
#include "client.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { SUBJECT_SIZE = 320, CONNECT_MS = 3000, ACK_MS = 10000, FLUSH_MS = 10000, CLOSE_MS = 5000, MAX_LISTENS = 16,
       MAX_ITEMS = 1 << 20 };

struct item {
    natsMsg *msg;
    struct item *next;
};

struct client {
    natsConnection *nc;
    natsSubscription *subs[MAX_LISTENS];
    size_t sub_count;
    char prefix[64], inbox[96];
    unsigned long long asked;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    bool closed; /* the library's last word: no callback follows */
    struct item *first, **last;
    natsMsg *answer;            /* to the open question */
    char wanted[SUBJECT_SIZE];  /* its inbox; "" none is open */
    char refused[512];          /* the server's last permission error */
};

/* ---- connection ------------------------------------------------------------------------------------------------------------ */

static void on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
    struct client *c = closure;

    (void)nc, (void)sub;
    pthread_mutex_lock(&c->lock);
    if (c->wanted[0] && !c->answer && strcmp(natsMsg_GetSubject(msg), c->wanted) == 0) {
        c->answer = msg;
    } else {
        struct item *i = xcalloc(1, sizeof *i);
        i->msg = msg;
        *c->last = i;
        c->last = &i->next;
    }
    pthread_cond_signal(&c->arrived);
    pthread_mutex_unlock(&c->lock);
}

/* Uses the connection only: 3.4.1 may hand over a subscription that is gone. */
static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus err, void *closure)
{
    struct client *c = closure;
    const char *text = NULL;

    (void)sub, (void)err;
    natsConnection_GetLastError(nc, &text);
    pthread_mutex_lock(&c->lock);
    snprintf(c->refused, sizeof c->refused, "%s", text ? text : "");
    pthread_cond_signal(&c->arrived);
    pthread_mutex_unlock(&c->lock);
}

static void on_closed(natsConnection *nc, void *closure)
{
    struct client *c = closure;

    (void)nc;
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    pthread_cond_signal(&c->arrived);
    pthread_mutex_unlock(&c->lock);
}

static enum status read_password(const char *path, char ret[static 128], struct reason *reason)
{
    FILE *f = fopen(path, "re");

    if (!f || !fgets(ret, 128, f)) {
        if (f)
            fclose(f);
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", path, f ? "empty" : strerror(errno));
    }
    fclose(f);
    ret[strcspn(ret, "\r\n")] = '\0';
    return STATUS_OK;
}

static natsStatus set_options(natsOptions *o, const struct client_options *options, const char *password, struct client *c)
{
    natsStatus s = natsOptions_SetURL(o, options->url);

    if (s == NATS_OK)
        s = natsOptions_SetUserInfo(o, options->user, password);
    if (s == NATS_OK)
        s = natsOptions_SetName(o, options->name);
    if (s == NATS_OK)
        s = natsOptions_SetTimeout(o, CONNECT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap(o, true);
    if (s == NATS_OK)
        s = natsOptions_SetMaxReconnect(o, -1);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectWait(o, 250);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPendingMsgs(o, MAX_ITEMS);
    if (s == NATS_OK)
        s = natsOptions_SetClosedCB(o, on_closed, c);
    return s == NATS_OK ? natsOptions_SetErrorHandler(o, on_error, c) : s;
}

static natsStatus listen_on(struct client *c, const char *subject)
{
    assert(c->sub_count < MAX_LISTENS);
    natsStatus s = natsConnection_Subscribe(&c->subs[c->sub_count], c->nc, subject, on_message, c);
    if (s != NATS_OK)
        return s;
    natsSubscription_SetPendingLimits(c->subs[c->sub_count++], -1, -1);
    return natsConnection_FlushTimeout(c->nc, FLUSH_MS);
}

static enum status connect_to(struct client *c, const struct client_options *options, const char *password, struct reason *reason)
{
    char subject[SUBJECT_SIZE];
    natsOptions *o = NULL;
    natsStatus s = natsOptions_Create(&o);

    if (s == NATS_OK)
        s = set_options(o, options, password, c);
    if (s == NATS_OK)
        s = natsConnection_Connect(&c->nc, o);
    natsOptions_Destroy(o);
    snprintf(subject, sizeof subject, "%s.r.*", c->inbox);
    if (s == NATS_OK)
        s = listen_on(c, subject);
    if (s == NATS_OK)
        return STATUS_OK;
    if (s == NATS_CONNECTION_AUTH_FAILED)
        return reason_fail(reason, STATUS_DENIED, "", "the bus at %s refuses user %s: wrong password in %s?", options->url,
                           options->user, options->password_file);
    return reason_fail(reason, STATUS_UNAVAILABLE, "", "no bus at %s: %s", options->url, natsStatus_GetText(s));
}

enum status client_connect(const struct client_options *options, struct client **ret, struct reason *reason)
{
    char password[128];
    pthread_condattr_t attr;
    enum status status = read_password(options->password_file, password, reason);

    if (status != STATUS_OK)
        return status;
    struct client *c = xcalloc(1, sizeof *c);
    c->last = &c->first;
    snprintf(c->prefix, sizeof c->prefix, "%s", options->prefix);
    uint64_t own = 0; /* several clients of one user must not hear each other's answers */
    if (getrandom(&own, sizeof own, 0) != (ssize_t)sizeof own)
        abort();
    snprintf(c->inbox, sizeof c->inbox, "_INBOX_%s.%016llx", options->user, (unsigned long long)own);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->arrived, &attr);
    pthread_condattr_destroy(&attr);
    status = connect_to(c, options, password, reason);
    if (status == STATUS_OK)
        *ret = c;
    else
        client_free(c);
    return status;
}

static struct timespec deadline_in(int64_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

/* Errors are reported by a thread of the library; what comes after this would find no client. */
static void close_connection(struct client *c)
{
    struct timespec deadline = deadline_in(CLOSE_MS);

    natsConnection_Close(c->nc);
    pthread_mutex_lock(&c->lock);
    while (!c->closed && pthread_cond_timedwait(&c->arrived, &c->lock, &deadline) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&c->lock);
}

struct client *client_free(struct client *c)
{
    if (!c)
        return NULL;
    if (c->nc)
        close_connection(c); /* before its subscriptions go: 3.4.1 reads them until then */
    for (size_t i = 0; i < c->sub_count; i++)
        natsSubscription_Destroy(c->subs[i]);
    natsConnection_Destroy(c->nc);
    natsMsg_Destroy(c->answer);
    for (struct item *i = c->first, *next; i; i = next) {
        next = i->next;
        natsMsg_Destroy(i->msg);
        free(i);
    }
    pthread_cond_destroy(&c->arrived);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}

const char *client_prefix(const struct client *client) { return client->prefix; }

/* ---- messages -------------------------------------------------------------------------------------------------------------- */

static const char *full_subject(const struct client *c, const char *subject, char ret[static SUBJECT_SIZE])
{
    bool bare = subject[0] == '$' || strncmp(subject, "_INBOX_", 7) == 0;

    snprintf(ret, SUBJECT_SIZE, "%s%s", bare ? "" : c->prefix, subject);
    return ret;
}

static const char *header(natsMsg *msg, const char *name)
{
    const char *value = NULL;

    return natsMsgHeader_Get(msg, name, &value) == NATS_OK && value ? value : NULL;
}

static void fill_message(const struct client *c, struct arena *arena, natsMsg *msg, struct client_message *ret)
{
    const char *subject = natsMsg_GetSubject(msg), *reply = natsMsg_GetReply(msg), *trace = header(msg, "traceparent");
    size_t cut = strlen(c->prefix), size = (size_t)natsMsg_GetDataLength(msg);
    uint8_t *data = arena_alloc(arena, size + 1);

    memcpy(data, size ? natsMsg_GetData(msg) : "", size);
    if (!trace)
        trace = header(msg, "Traceparent");
    *ret = (struct client_message){.subject = arena_str(arena, strncmp(subject, c->prefix, cut) == 0 ? subject + cut : subject),
                                   .reply = arena_str(arena, reply ? reply : ""),
                                   .traceparent = arena_str(arena, trace ? trace : ""), .data = data, .size = size};
}

static bool names(const char *error, const char *subject)
{
    char quoted[SUBJECT_SIZE + 2];

    snprintf(quoted, sizeof quoted, "\"%s\"", subject);
    return strstr(error, quoted) != NULL;
}

static enum status await(struct client *c, const char *subject, int64_t timeout_ms, natsMsg **ret, struct reason *reason)
{
    struct timespec deadline = deadline_in(timeout_ms);
    enum status status = STATUS_OK;

    pthread_mutex_lock(&c->lock);
    while (!c->answer && status == STATUS_OK) {
        if (names(c->refused, subject))
            status = reason_fail(reason, STATUS_DENIED, "", "%s", c->refused);
        else if (pthread_cond_timedwait(&c->arrived, &c->lock, &deadline) == ETIMEDOUT && !c->answer)
            status = reason_fail(reason, STATUS_TIMEOUT, "", "%s: no answer within %lld ms", subject, (long long)timeout_ms);
    }
    *ret = c->answer;
    c->answer = NULL;
    c->wanted[0] = '\0';
    pthread_mutex_unlock(&c->lock);
    const char *code = status == STATUS_OK ? header(*ret, "Status") : NULL;
    if (code && strcmp(code, "503") == 0) {
        natsMsg_Destroy(*ret);
        *ret = NULL;
        return reason_fail(reason, STATUS_UNAVAILABLE, "", "%s: nobody answers", subject);
    }
    return status;
}

static natsStatus build(const struct client_publish *p, const char *subject, const char *reply, natsMsg **ret)
{
    char time[32];
    natsStatus s = natsMsg_Create(ret, subject, reply, p->data, (int)p->size);

    if (s == NATS_OK && p->id && p->id[0])
        s = natsMsgHeader_Set(*ret, "Nats-Msg-Id", p->id);
    if (s == NATS_OK && p->traceparent && p->traceparent[0])
        s = natsMsgHeader_Set(*ret, "traceparent", p->traceparent);
    snprintf(time, sizeof time, "%lld", (long long)p->time_us);
    if (s == NATS_OK && p->time_us)
        s = natsMsgHeader_Set(*ret, "Rl-Time", time);
    return s;
}

static enum status send_built(struct client *c, const struct client_publish *p, const char *reply, struct reason *reason)
{
    char subject[SUBJECT_SIZE];
    natsMsg *msg = NULL;
    natsStatus s = build(p, full_subject(c, p->subject, subject), reply, &msg);

    if (s == NATS_OK)
        s = natsConnection_PublishMsg(c->nc, msg);
    natsMsg_Destroy(msg);
    return s == NATS_OK ? STATUS_OK : reason_fail(reason, s == NATS_MAX_PAYLOAD ? STATUS_REFUSED : STATUS_UNAVAILABLE, "",
                                                  "%s: %s", subject, natsStatus_GetText(s));
}

static enum status exchange(struct client *c, const struct client_publish *p, int64_t timeout_ms, natsMsg **ret,
                            struct reason *reason)
{
    char subject[SUBJECT_SIZE], reply[SUBJECT_SIZE];

    snprintf(reply, sizeof reply, "%s.r.%llu", c->inbox, ++c->asked);
    pthread_mutex_lock(&c->lock);
    snprintf(c->wanted, sizeof c->wanted, "%s", reply);
    natsMsg_Destroy(c->answer);
    c->answer = NULL;
    c->refused[0] = '\0';
    pthread_mutex_unlock(&c->lock);
    enum status status = send_built(c, p, reply, reason);
    return status == STATUS_OK ? await(c, full_subject(c, p->subject, subject), timeout_ms, ret, reason) : status;
}

/* ---- the interface --------------------------------------------------------------------------------------------------------- */

enum status client_request(struct client *client, struct arena *arena, const char *subject, const void *data, size_t size,
                           int64_t timeout_ms, struct client_message *ret, struct reason *reason)
{
    const struct client_publish p = {.subject = subject, .data = data, .size = size};
    natsMsg *msg = NULL;
    enum status status = exchange(client, &p, timeout_ms, &msg, reason);

    if (status == STATUS_OK)
        fill_message(client, arena, msg, ret);
    natsMsg_Destroy(msg);
    return status;
}

enum status client_publish(struct client *client, const struct client_publish *message, uint64_t *ret_sequence,
                           bool *ret_duplicate, struct reason *reason)
{
    natsMsg *msg = NULL;
    enum status status = exchange(client, message, ACK_MS, &msg, reason);

    if (status != STATUS_OK)
        return status;
    json_t *ack = json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
    const json_t *error = json_object_get(ack, "error");
    if (error || !ack)
        status = reason_fail(reason, STATUS_REFUSED, "", "%s",
                             error ? json_string_value(json_object_get(error, "description")) : "no PubAck");
    if (status == STATUS_OK && ret_sequence)
        *ret_sequence = (uint64_t)json_integer_value(json_object_get(ack, "seq"));
    if (status == STATUS_OK && ret_duplicate)
        *ret_duplicate = json_is_true(json_object_get(ack, "duplicate"));
    json_decref(ack);
    natsMsg_Destroy(msg);
    return status;
}

enum status client_send(struct client *client, const struct client_publish *message, struct reason *reason)
{
    return send_built(client, message, message->reply, reason);
}

enum status client_flush(struct client *client, struct reason *reason)
{
    natsStatus s = natsConnection_FlushTimeout(client->nc, FLUSH_MS);

    return s == NATS_OK ? STATUS_OK
                        : reason_fail(reason, STATUS_UNAVAILABLE, "", "the bus does not answer: %s", natsStatus_GetText(s));
}

enum status client_listen(struct client *client, const char *subject, struct reason *reason)
{
    char full[SUBJECT_SIZE];
    const char *error = NULL;
    natsStatus s = listen_on(client, full_subject(client, subject, full));

    if (s != NATS_OK)
        return reason_fail(reason, STATUS_UNAVAILABLE, "", "%s: %s", full, natsStatus_GetText(s));
    natsConnection_GetLastError(client->nc, &error); /* known before the flush returned */
    return error && names(error, full) ? reason_fail(reason, STATUS_DENIED, "", "%s", error) : STATUS_OK;
}

enum status client_next(struct client *client, struct arena *arena, int64_t timeout_ms, struct client_message *ret)
{
    struct timespec deadline = deadline_in(timeout_ms);
    struct item *i;

    pthread_mutex_lock(&client->lock);
    while (!client->first && pthread_cond_timedwait(&client->arrived, &client->lock, &deadline) != ETIMEDOUT)
        ;
    i = client->first;
    if (i && !(client->first = i->next))
        client->last = &client->first;
    pthread_mutex_unlock(&client->lock);
    if (!i)
        return STATUS_TIMEOUT;
    fill_message(client, arena, i->msg, ret);
    natsMsg_Destroy(i->msg);
    free(i);
    return STATUS_OK;
}
