/* SPDX-License-Identifier: Apache-2.0 */
/* consumer.c - what the server is asked for, and when what it has is something else. */
#include "consumer.h"

#include <stdlib.h>

#include "test.h"

static size_t index_of(const char *durable)
{
    size_t i = 0;

    while (i < CONSUMER_COUNT && strcmp(consumer_table[i].durable, durable) != 0)
        i++;
    if (i == CONSUMER_COUNT)
        test_fail(__FILE__, __LINE__, "there is no consumer %s", durable);
    return i % CONSUMER_COUNT;
}

static const char *text_in(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static json_t *request(const char *durable, uint64_t start_sequence, int64_t start_us)
{
    return consumer_request("sandbox.", "feedback", index_of(durable), start_sequence, start_us);
}

TEST(unit_consumer, names_carry_the_prefix_and_messages_come_to_the_users_own_inbox)
{
    json_t *body = request("feedback_ended", 0, 0), *config = json_object_get(body, "config");
    char subject[192];

    consumer_deliver_subject("sandbox.", "feedback", index_of("feedback_ended"), subject);
    CHECK_STR(subject, "_INBOX_feedback.push.sandbox.feedback_ended");
    CHECK_STR(text_in(body, "stream_name"), "SANDBOX_CALLS");
    CHECK_STR(text_in(config, "deliver_subject"), subject);
    CHECK_STR(text_in(config, "durable_name"), "feedback_ended");
    CHECK_STR(text_in(config, "filter_subject"), "sandbox.call.ended");
    json_decref(body);
}

/* What no message may be lost for: acknowledged one by one, and delivered again for ever. */
TEST(unit_consumer, nothing_is_given_up)
{
    for (size_t i = 0; i < CONSUMER_COUNT; i++) {
        json_t *body = consumer_request("", consumer_table[i].service, i, 0, 0), *config = json_object_get(body, "config");
        CHECK_STR(text_in(config, "ack_policy"), "explicit");
        CHECK_INT(json_integer_value(json_object_get(config, "ack_wait")), ACK_WAIT_S * 1000000000LL);
        CHECK_INT(json_integer_value(json_object_get(config, "max_deliver")), -1);
        CHECK_INT(json_integer_value(json_object_get(config, "max_ack_pending")), MAX_ACK_PENDING);
        json_decref(body);
    }
}

/* The server refuses heartbeats together with a group. */
TEST(unit_consumer, replicas_share_a_group_and_a_single_owner_hears_a_heartbeat)
{
    for (size_t i = 0; i < CONSUMER_COUNT; i++) {
        json_t *body = consumer_request("", consumer_table[i].service, i, 0, 0), *config = json_object_get(body, "config");
        CHECK(!!json_object_get(config, "deliver_group") == consumer_table[i].group);
        CHECK(!!json_object_get(config, "idle_heartbeat") == !consumer_table[i].group);
        json_decref(body);
    }
    json_t *body = request("reward", 0, 0);
    CHECK_STR(text_in(json_object_get(body, "config"), "deliver_group"), "reward");
    json_decref(body);
}

static void check_start(uint64_t sequence, int64_t us, const char *policy, const char *time)
{
    json_t *body = request("feedback_ended", sequence, us), *config = json_object_get(body, "config");

    CHECK_STR(text_in(config, "deliver_policy"), policy);
    CHECK_STR(text_in(config, "opt_start_time"), time);
    CHECK_INT(json_integer_value(json_object_get(config, "opt_start_seq")), sequence);
    json_decref(body);
}

TEST(unit_consumer, it_begins_at_the_first_message_at_a_sequence_or_at_a_time)
{
    check_start(0, 0, "all", "");
    check_start(42, 0, "by_start_sequence", "");
    check_start(0, 1795509022000045, "by_start_time", "2026-11-24T08:30:22.000045Z");
    check_start(42, 1795509022000045, "by_start_sequence", ""); /* the sequence is exact */
}

/* As the server gives it back: with defaults and facts of its own. */
static json_t *as_stored(const char *durable)
{
    json_t *body = request(durable, 17, 0), *config = json_incref(json_object_get(body, "config"));

    json_object_set_new(config, "num_replicas", json_integer(0));
    json_object_set_new(config, "flow_control", json_false());
    json_decref(body);
    return config;
}

static bool differs(json_t *config, const char *durable)
{
    bool result = consumer_differs(config, "sandbox.", "feedback", index_of(durable));

    json_decref(config);
    return result;
}

TEST(unit_consumer, what_we_made_is_what_we_want_wherever_it_began)
{
    for (size_t i = 0; i < CONSUMER_COUNT; i++)
        CHECK(!differs(as_stored(consumer_table[i].durable), consumer_table[i].durable));
}

static bool differs_with(const char *durable, const char *key, json_t *value)
{
    json_t *config = as_stored(durable);

    json_object_set_new(config, key, value);
    return differs(config, durable);
}

TEST(unit_consumer, anything_that_matters_and_is_otherwise_is_seen)
{
    CHECK(differs_with("reward", "ack_wait", json_integer(30000000000)));
    CHECK(differs_with("reward", "max_deliver", json_integer(5)));
    CHECK(differs_with("reward", "max_ack_pending", json_integer(1)));
    CHECK(differs_with("reward", "ack_policy", json_string("none")));
    CHECK(differs_with("reward", "filter_subject", json_string("sandbox.>")));
    CHECK(differs_with("reward", "deliver_subject", json_string("_INBOX_other.push.reward")));
    CHECK(differs_with("reward", "deliver_group", json_string("others")));
    CHECK(differs_with("feedback_ended", "deliver_group", json_string("feedback"))); /* one owner, not shared */
    CHECK(differs_with("feedback_ended", "idle_heartbeat", json_integer(1)));
    CHECK(!differs_with("reward", "description", json_string("theirs")));
}

TEST(unit_consumer, a_setting_that_is_missing_differs)
{
    json_t *config = as_stored("reward");

    json_object_del(config, "deliver_group");
    CHECK(differs(config, "reward"));
    config = as_stored("feedback_ended");
    json_object_del(config, "idle_heartbeat");
    CHECK(differs(config, "feedback_ended"));
    CHECK(differs(json_object(), "feedback_ended"));
}
