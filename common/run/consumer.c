/* SPDX-License-Identifier: Apache-2.0 */
/* consumer.c - one description of a consumer. */
#include "consumer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HEARTBEAT_S = 5, NAME_SIZE = 128 };

#define NANO INT64_C(1000000000)

void consumer_deliver_subject(const char *prefix, const char *user, size_t consumer, char ret_subject[static 192])
{
    int n = snprintf(ret_subject, 192, "_INBOX_%s.push.%s%s", user, prefix, consumer_table[consumer].durable);

    assert(n > 0 && n < 192);
}

static void set_start(json_t *config, uint64_t start_sequence, int64_t start_us)
{
    char text[64];
    struct tm tm;
    time_t seconds = (time_t)(start_us / 1000000);

    if (start_sequence) {
        json_object_set_new(config, "deliver_policy", json_string("by_start_sequence"));
        json_object_set_new(config, "opt_start_seq", json_integer((json_int_t)start_sequence));
    } else if (start_us > 0) {
        gmtime_r(&seconds, &tm);
        size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text + n, sizeof text - n, ".%06dZ", (int)(start_us % 1000000));
        json_object_set_new(config, "deliver_policy", json_string("by_start_time"));
        json_object_set_new(config, "opt_start_time", json_string(text));
    } else {
        json_object_set_new(config, "deliver_policy", json_string("all"));
    }
}

/* What does not depend on where it starts. */
static json_t *lasting(const char *prefix, const char *user, size_t consumer)
{
    const struct consumer_info *info = &consumer_table[consumer];
    char deliver[192], filter[NAME_SIZE];

    consumer_deliver_subject(prefix, user, consumer, deliver);
    wire_subject(prefix, info->subject, filter);
    json_t *config = json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:s}", "durable_name", info->durable,
                               "deliver_subject", deliver, "filter_subject", filter, "ack_policy", "explicit",
                               "ack_wait", (json_int_t)(ACK_WAIT_S * NANO), "max_deliver", -1,
                               "max_ack_pending", (int)MAX_ACK_PENDING, "replay_policy", "instant");
    assert(config);
    if (info->group)
        json_object_set_new(config, "deliver_group", json_string(info->service));
    else
        json_object_set_new(config, "idle_heartbeat", json_integer(HEARTBEAT_S * NANO));
    return config;
}

json_t *consumer_request(const char *prefix, const char *user, size_t consumer, uint64_t start_sequence, int64_t start_us)
{
    char stream[64];
    json_t *config = lasting(prefix, user, consumer);

    wire_stream(prefix, subject_table[consumer_table[consumer].subject].stream, stream);
    set_start(config, start_sequence, start_us);
    return json_pack("{s:s, s:o}", "stream_name", stream, "config", config);
}

bool consumer_differs(const json_t *config, const char *prefix, const char *user, size_t consumer)
{
    json_t *wanted = lasting(prefix, user, consumer), *value;
    const char *key;
    bool differs = json_object_get(config, "backoff") ||
                   (json_object_get(config, "deliver_group") && !consumer_table[consumer].group);

    json_object_foreach(wanted, key, value)
        differs |= !json_equal(value, json_object_get(config, key));
    json_decref(wanted);
    return differs;
}
