/* SPDX-License-Identifier: Apache-2.0 */
/* stored_message.c - what the server says of a stored message. */
#include "stored_message.h"

#include <openssl/evp.h>

#include "test.h"

static char *base64(struct arena *arena, const char *data, size_t size)
{
    char *text = arena_alloc(arena, size / 3 * 4 + 5);

    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)data, (int)size);
    return text;
}

static enum status parse(struct arena *arena, const char *json, struct stored_message *ret, struct reason *reason)
{
    return stored_message_parse(arena, json, strlen(json), ret, reason);
}

/* The answer for these headers ("": none) and this payload. */
static struct stored_message answer(struct arena *arena, const char *headers, const char *data, size_t size)
{
    struct stored_message m = {0};
    struct reason reason = {0};
    const char *hdrs = *headers ? arena_printf(arena, "\"hdrs\":\"%s\",", base64(arena, headers, strlen(headers))) : "";
    const char *json = arena_printf(arena, "{\"type\":\"io.nats.jetstream.api.v1.stream_msg_get_response\",\"message\":{"
                                    "\"subject\":\"call.ended\",\"seq\":9007199254740993,%s\"data\":\"%s\","
                                    "\"time\":\"2026-11-24T08:30:22.123456789Z\"}}",
                                    hdrs, base64(arena, data, size));

    if (parse(arena, json, &m, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s", reason.text);
    return m;
}

TEST(unit_stored_message, subject_sequence_time_and_bytes_come_out_as_they_went_in)
{
    struct arena arena = {0};
    struct stored_message m = answer(&arena, "", "{\"a\":\0\xff}", 8);

    CHECK_STR(m.subject, "call.ended");
    CHECK_INT(m.sequence, 9007199254740993); /* more than a double holds */
    CHECK_INT(m.time_us, 1795509022123456);
    CHECK_INT(m.size, 8);
    CHECK(memcmp(m.data, "{\"a\":\0\xff}", 9) == 0); /* a NUL follows */
    CHECK_STR(m.traceparent, "");
    arena_done(&arena);
}

TEST(unit_stored_message, payloads_of_every_length_are_exact)
{
    struct arena arena = {0};
    static const char data[] = "abcdefgh";

    for (size_t size = 0; size <= 8; size++) {
        struct stored_message m = answer(&arena, "", data, size);
        CHECK_INT(m.size, size);
        CHECK(memcmp(m.data, data, size) == 0 && m.data[size] == 0);
    }
    arena_done(&arena);
}

TEST(unit_stored_message, the_traceparent_is_taken_from_the_headers)
{
    struct arena arena = {0};
    static const char *const headers[] = {"NATS/1.0\r\ntraceparent: 00-ab-cd-01\r\n\r\n",
                                          "NATS/1.0\r\nNats-Msg-Id: 7\r\nTraceparent:00-ab-cd-01\r\nx-traceparent: no\r\n\r\n",
                                          "NATS/1.0\r\nx-traceparent: no\r\ntraceparent:   00-ab-cd-01\r\n\r\n"};

    for (size_t i = 0; i < 3; i++)
        CHECK_STR(answer(&arena, headers[i], "x", 1).traceparent, "00-ab-cd-01");
    CHECK_STR(answer(&arena, "NATS/1.0\r\nx-traceparent: no\r\n\r\n", "x", 1).traceparent, "");
    CHECK_STR(answer(&arena, "NATS/1.0\r\nNats-Msg-Id: traceparent: 1\r\n\r\n", "x", 1).traceparent, "");
    arena_done(&arena);
}

TEST(unit_stored_message, what_is_not_there_is_said_in_the_servers_words)
{
    struct arena arena = {0};
    struct stored_message m = {.sequence = 77};
    struct reason reason = {0};

    const char *json = "{\"error\":{\"code\":404,\"err_code\":10037,\"description\":\"no message found\"}}";
    CHECK_INT(parse(&arena, json, &m, &reason), STATUS_NOT_FOUND);
    CHECK_STR(reason.text, "no message found");
    CHECK_INT(m.sequence, 77);
    arena_done(&arena);
}

TEST(unit_stored_message, an_answer_that_is_none_is_an_error_and_no_message)
{
    static const char *const bad[] = {"", "{", "[]", "{}", "null", "{\"message\":", "\x01"};
    struct arena arena = {0};
    struct stored_message m = {.sequence = 77};
    struct reason reason;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        reason = (struct reason){0};
        CHECK_INT(parse(&arena, bad[i], &m, &reason), STATUS_INTERNAL);
        CHECK(reason.text[0]);
    }
    CHECK_INT(m.sequence, 77);
    arena_done(&arena);
}

TEST(unit_stored_message, times_are_read_to_the_microsecond)
{
    CHECK_INT(rfc3339_us("1970-01-01T00:00:00Z"), 0);
    CHECK_INT(rfc3339_us("2026-11-24T08:30:22Z"), 1795509022000000);
    CHECK_INT(rfc3339_us("2026-11-24T08:30:22.5Z"), 1795509022500000);
    CHECK_INT(rfc3339_us("2026-11-24T08:30:22.000001Z"), 1795509022000001);
    CHECK_INT(rfc3339_us("2026-11-24T08:30:22.123456999Z"), 1795509022123456);
    CHECK_INT(rfc3339_us("2024-02-29T23:59:59.999999Z"), 1709251199999999);
}

TEST(unit_stored_message, what_is_no_such_time_is_minus_one)
{
    static const char *const bad[] = {"", "now", "2026-11-24", "2026-11-24T08:30:22", "2026-11-24T08:30:22.5",
                                      "2026-11-24 08:30:22Z", "2026-13-24T08:30:22Z", "2026-11-24T08:30:22+01:00",
                                      "2026-11-24T08:30:22Zulu"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (rfc3339_us(bad[i]) != -1)
            test_fail(__FILE__, __LINE__, "\"%s\" is taken", bad[i]);
}
