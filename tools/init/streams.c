/* SPDX-License-Identifier: Apache-2.0 */
/* streams.c - streams and consumers are made from the wiring tables, and made again when they are lost. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "consumer.h"
#include "init.h"
#include "log.h"

enum { PATIENCE_S = 30, WATCH_S = 2, API_MS = 5000, NOT_FOUND_STREAM = 10059, NOT_FOUND_CONSUMER = 10014 };

#define NANO INT64_C(1000000000)

struct maker {
    struct init *init;
    struct client *client;
    struct arena arena; /* of one round */
    int64_t store_bytes;
    int made, updated;
};

/* Asks the JetStream API.  ret_answer is a new reference; *ret_code the server's err_code, 0 when it agreed. */
static enum status api(struct maker *m, const char *subject, const json_t *body, json_t **ret_answer, int *ret_code,
                       struct reason *reason)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct client_message answer;
    enum status status = client_request(m->client, &m->arena, subject, text ? text : "", text ? strlen(text) : 0, API_MS, &answer,
                                        reason);

    free(text);
    if (status != STATUS_OK)
        return status;
    *ret_answer = json_loadb((const char *)answer.data, answer.size, 0, NULL);
    const json_t *error = json_object_get(*ret_answer, "error");
    *ret_code = error ? (int)json_integer_value(json_object_get(error, "err_code")) : 0;
    if (error)
        reason_fail(reason, STATUS_REFUSED, "", "%s: %s", subject, json_string_value(json_object_get(error, "description")));
    return *ret_answer ? STATUS_OK : reason_fail(reason, STATUS_INTERNAL, "", "%s: the answer is no JSON", subject);
}

static json_t *stream_config(const struct maker *m, enum stream s)
{
    const struct stream_info *info = &stream_table[s];
    const char *prefix = m->init->common.subject_prefix;
    json_t *subjects = json_array();
    char name[128];

    for (enum subject i = 0; i < SUBJECT_COUNT; i++)
        if (subject_table[i].kind != KIND_REQUEST && subject_table[i].stream == s) {
            wire_subject(prefix, i, name);
            json_array_append_new(subjects, json_string(name));
        }
    wire_stream(prefix, s, name);
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:i, s:i, s:i, s:I}", "name", name, "subjects", subjects,
                     "retention", "limits", "storage", "file", "discard", "old", "max_age", (json_int_t)(info->max_age_s * NANO),
                     "max_bytes", (json_int_t)(m->store_bytes / 100 * info->max_bytes_share),
                     "max_msg_size", (int)info->max_msg_size, "max_msgs_per_subject", info->last_only ? 1 : -1,
                     "max_consumers", -1, "max_msgs", -1, "num_replicas", 1,
                     "duplicate_window", (json_int_t)(DUPLICATE_WINDOW_S * NANO));
}

static bool same_config(const json_t *wanted, const json_t *found)
{
    json_t *value;
    const char *key;

    json_object_foreach((json_t *)wanted, key, value)
        if (!json_equal(value, json_object_get(found, key)))
            return false;
    return true;
}

static enum status keep_stream(struct maker *m, enum stream s, struct reason *reason)
{
    char name[64];
    json_t *answer = NULL, *wanted = stream_config(m, s);
    int code = 0;

    wire_stream(m->init->common.subject_prefix, s, name);
    enum status status = api(m, arena_printf(&m->arena, "$JS.API.STREAM.INFO.%s", name), NULL, &answer, &code, reason);
    const json_t *found = json_object_get(answer, "config");
    const char *verb = code == NOT_FOUND_STREAM ? "CREATE" : found && !same_config(wanted, found) ? "UPDATE" : NULL;
    if (status == STATUS_OK && verb) {
        json_decref(answer);
        answer = NULL;
        status = api(m, arena_printf(&m->arena, "$JS.API.STREAM.%s.%s", verb, name), wanted, &answer, &code, reason);
        if (status == STATUS_OK && code)
            status = STATUS_REFUSED;
        if (status == STATUS_OK)
            log_info("stream.made", "stream=%s how=%s", name, verb);
        m->made += status == STATUS_OK;
    } else if (status == STATUS_OK && code) {
        status = STATUS_REFUSED;
    }
    json_decref(answer);
    json_decref(wanted);
    return status;
}

/* Only what is missing is made: a consumer that is there belongs to its service, which keeps it right. */
static enum status keep_consumer(struct maker *m, size_t c, struct reason *reason)
{
    const struct consumer_info *info = &consumer_table[c];
    const char *prefix = m->init->common.subject_prefix;
    char stream[64], user[64];
    json_t *answer = NULL;
    int code = 0;

    wire_stream(prefix, subject_table[info->subject].stream, stream);
    enum status status = api(m, arena_printf(&m->arena, "$JS.API.CONSUMER.INFO.%s.%s", stream, info->durable), NULL, &answer,
                             &code, reason);
    json_decref(answer);
    answer = NULL;
    if (status == STATUS_OK && code == NOT_FOUND_CONSUMER) {
        wire_user(prefix, info->service, user);
        json_t *body = consumer_request(prefix, user, c, 0, 0);
        status = api(m, arena_printf(&m->arena, "$JS.API.CONSUMER.DURABLE.CREATE.%s.%s", stream, info->durable), body, &answer,
                     &code, reason);
        json_decref(body);
        if (status == STATUS_OK && code == 0)
            log_info("consumer.made", "stream=%s consumer=%s", stream, info->durable);
        m->made += status == STATUS_OK && code == 0;
    }
    json_decref(answer);
    return status == STATUS_OK && code ? STATUS_REFUSED : status;
}

static enum status read_limits(struct maker *m, struct reason *reason)
{
    json_t *answer = NULL;
    int code = 0;
    enum status status = api(m, "$JS.API.INFO", NULL, &answer, &code, reason);

    if (status == STATUS_OK && code)
        status = STATUS_REFUSED;
    if (status == STATUS_OK) {
        m->store_bytes = json_integer_value(json_object_get(json_object_get(answer, "limits"), "max_storage"));
        if (m->store_bytes <= 0)
            status = reason_fail(reason, STATUS_CONFIG, "",
                                 "the account has no max_file; rl-init conf writes a nats.conf that sets it");
    }
    json_decref(answer);
    return status;
}

static enum status keep_all(struct maker *m, bool consumers, struct reason *reason)
{
    enum status status = m->store_bytes ? STATUS_OK : read_limits(m, reason);

    for (enum stream s = 0; s < STREAM_COUNT && status == STATUS_OK; s++)
        status = keep_stream(m, s, reason);
    for (size_t c = 0; consumers && c < CONSUMER_COUNT && status == STATUS_OK; c++)
        status = keep_consumer(m, c, reason);
    arena_reset(&m->arena);
    return status;
}

static enum status connect_patiently(struct maker *m, struct reason *reason)
{
    const struct common_config *c = &m->init->common;
    char user[64];
    struct client_options options = {.user = user, .prefix = "", .name = "rl-init",
                                     .url = c->nats_url[0]
                                                ? c->nats_url
                                                : arena_printf(&m->init->arena, "nats://127.0.0.1:%lld", (long long)c->nats_port),
                                     .password_file = init_password_path(m->init, c->data_dir, c->subject_prefix, "init")};
    enum status status = STATUS_UNAVAILABLE;

    wire_user(c->subject_prefix, "init", user);
    for (int i = 0; i < PATIENCE_S * 10 && status == STATUS_UNAVAILABLE; i++) {
        status = client_connect(&options, &m->client, reason);
        if (status == STATUS_UNAVAILABLE)
            usleep(100000);
    }
    return status;
}

/* Streams only: a consumer that is missing is made again by its service, which knows from where. */
static void watch(struct maker *m)
{
    struct reason reason;
    bool quiet = false;

    for (;; sleep(WATCH_S)) {
        enum status status = keep_all(m, false, &reason);
        if (status != STATUS_OK && !quiet)
            log_warning("streams.unknown", "status=%s why=\"%s\"", status_text(status), reason.text);
        quiet = status != STATUS_OK;
    }
}

enum status init_streams(struct init *init, struct reason *reason)
{
    struct maker m = {.init = init};
    enum status status = connect_patiently(&m, reason);

    for (int i = 0; i < 50; i++) { /* the server accepts connections before JetStream is ready */
        if (status == STATUS_OK)
            status = keep_all(&m, true, reason);
        if (status != STATUS_TIMEOUT && status != STATUS_UNAVAILABLE)
            break;
        usleep(100000);
        status = m.client ? STATUS_OK : status;
    }
    if (status == STATUS_OK) {
        printf("%d streams, %d consumers; %d made or changed\n", STREAM_COUNT, CONSUMER_COUNT, m.made);
        fflush(stdout);
        if (init->watch)
            watch(&m);
    }
    client_free(m.client);
    arena_done(&m.arena);
    return status;
}
