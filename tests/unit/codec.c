/* SPDX-License-Identifier: Apache-2.0 */
/* codec.c - bytes to messages and back: round trips of every message, and every refusal by name. */
#include "codec.h"

#include <stdlib.h>

#include "msg.h"
#include "test.h"
#include "utf8.h"
#include "wiring.h"

#define DESCRIPTOR(lower) &tom__rl__v1__##lower##__descriptor

static const ProtobufCMessageDescriptor *const stored_only[] = {DESCRIPTOR(call_record), DESCRIPTOR(decision), DESCRIPTOR(end),
                                                                DESCRIPTOR(knowledge)};

struct bench {
    struct arena arena;
    struct reason reason;
    ProtobufCMessage *message;
    bool json;
};

static enum status decode(struct bench *b, const ProtobufCMessageDescriptor *type, const void *data, size_t size)
{
    b->reason = (struct reason){"(none)", "(none)"};
    b->message = NULL;
    return codec_decode(&b->arena, type, data, size, MAX_PAYLOAD, &b->json, &b->message, &b->reason);
}

static enum status decode_text(struct bench *b, const ProtobufCMessageDescriptor *type, const char *json)
{
    return decode(b, type, json, strlen(json));
}

/* The text is refused with this field, and a rule that says these words. */
static void refuse_bytes(const ProtobufCMessageDescriptor *type, const void *data, size_t size, const char *field,
                         const char *words)
{
    struct bench b = {0};

    CHECK_INT(decode(&b, type, data, size), STATUS_INVALID);
    CHECK_STR(b.reason.field, field);
    if (!strstr(b.reason.text, words))
        test_fail(__FILE__, __LINE__, "'%s' does not say '%s'", b.reason.text, words);
    CHECK(b.message == NULL);
    arena_done(&b.arena);
}

static void refuse(const ProtobufCMessageDescriptor *type, const char *json, const char *field, const char *words)
{
    refuse_bytes(type, json, strlen(json), field, words);
}

#define WIRE(bytes) bytes, sizeof bytes - 1 /* a string literal, for its NULs */

/* --- every message, filled at random ---------------------------------------------------------------------------------------- */

static uint64_t chance_state;

static uint32_t chance(uint32_t below)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(chance_state >> 33) % below;
}

static char *random_text(struct arena *arena)
{
    static const char *const parts[] = {"", "a", "\"", "\\", "\n", "\x01", "ü", "€", "𝄞", "v1a", "/", "{", " "};
    char *text = arena_str(arena, "");

    for (uint32_t n = chance(6); n > 0; n--)
        text = arena_printf(arena, "%s%s", text, parts[chance(sizeof parts / sizeof *parts)]);
    return text;
}

static double random_double(void)
{
    static const double odd[] = {0, -0.0, 1, -1, 0.1, 1e-300, 5e-324, 1.7976931348623157e308, 1763800000.123456,
                                 123456789012345678, 1e22, 2. / 3};

    return chance(2) ? odd[chance(sizeof odd / sizeof *odd)] : ((double)chance(1u << 30) - 5e8) / (1 + (double)chance(1u << 30));
}

static int64_t random_integer(ProtobufCType type)
{
    static const int64_t wide[] = {0, 1, 7, INT64_MAX, INT64_MIN, -1}, narrow[] = {0, 1, 7, INT32_MAX, INT32_MIN, -1};

    if (type == PROTOBUF_C_TYPE_UINT32)
        return chance(2) ? UINT32_MAX : chance(100);
    if (type == PROTOBUF_C_TYPE_UINT64)
        return wide[chance(4)];
    return type == PROTOBUF_C_TYPE_INT64 ? wide[chance(6)] : narrow[chance(6)];
}

static void fill(struct arena *arena, ProtobufCMessage *message);

static void fill_value(struct arena *arena, const ProtobufCFieldDescriptor *field, void *slot)
{
    const ProtobufCEnumDescriptor *type = field->descriptor;
    ProtobufCBinaryData *bytes = slot;

    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        fill(arena, *(ProtobufCMessage **)slot = codec_new(arena, field->descriptor));
        break;
    case PROTOBUF_C_TYPE_STRING:
        *(char **)slot = random_text(arena);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        bytes->len = chance(7);
        bytes->data = arena_copy(arena, "\0\xff\x80{x=", bytes->len);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)slot = random_double();
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)slot = (int)chance(2);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)slot = type->values[chance(type->n_values)].value;
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        *(int64_t *)slot = random_integer(field->type);
        break;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
        *(uint32_t *)slot = (uint32_t)random_integer(field->type);
        break;
    default:
        test_fail(__FILE__, __LINE__, "the codec does not know the type of %s", field->name);
    }
}

static bool is_map(const ProtobufCFieldDescriptor *field)
{
    return field->type == PROTOBUF_C_TYPE_MESSAGE &&
           strstr(((const ProtobufCMessageDescriptor *)field->descriptor)->short_name, "Entry");
}

static void fill_repeated(struct arena *arena, const ProtobufCFieldDescriptor *field, ProtobufCMessage *message)
{
    size_t count = chance(4), size = field->type == PROTOBUF_C_TYPE_ENUM || field->type == PROTOBUF_C_TYPE_INT32 ? 4 : 8;
    char *items = arena_alloc(arena, count * size);

    for (size_t i = 0; i < count; i++) {
        fill_value(arena, field, items + i * size);
        if (is_map(field)) { /* keys are unique */
            ProtobufCMessage *entry = ((ProtobufCMessage **)items)[i];
            char **key = (char **)((char *)entry + entry->descriptor->fields[0].offset);
            *key = arena_printf(arena, "%s%zu", *key, i);
        }
    }
    *(size_t *)((char *)message + field->quantifier_offset) = count;
    *(void **)((char *)message + field->offset) = count ? items : NULL;
}

static void fill(struct arena *arena, ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        bool entry = strstr(message->descriptor->short_name, "Entry");
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            fill_repeated(arena, field, message);
            continue;
        }
        if (!entry && chance(3) == 0)
            continue;
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            *(uint32_t *)((char *)message + field->quantifier_offset) = field->id;
        fill_value(arena, field, (char *)message + field->offset);
    }
}

/* Message -> bytes -> message -> bytes, across both encodings: the protobuf bytes are the same each time. */
static void round_trip(const ProtobufCMessageDescriptor *type)
{
    struct bench b = {0};
    const uint8_t *first, *text, *again;
    size_t first_size, text_size, again_size;
    ProtobufCMessage *message = codec_new(&b.arena, type);

    fill(&b.arena, message);
    codec_encode(&b.arena, message, false, &first, &first_size);
    CHECK_INT(decode(&b, type, first, first_size), STATUS_OK);
    CHECK(!b.json);
    if (test_failed())
        return (void)test_fail(__FILE__, __LINE__, "%s from protobuf: %s: %s", type->short_name, b.reason.field, b.reason.text);
    codec_encode(&b.arena, b.message, true, &text, &text_size);
    CHECK_INT(decode(&b, type, text, text_size), STATUS_OK);
    CHECK(b.json);
    if (test_failed())
        return (void)test_fail(__FILE__, __LINE__, "%s: %s: %s in %s", type->short_name, b.reason.field, b.reason.text,
                               (const char *)text);
    codec_encode(&b.arena, b.message, false, &again, &again_size);
    if (first_size != again_size || memcmp(first, again, again_size) != 0)
        test_fail(__FILE__, __LINE__, "%s changes: %s", type->short_name, (const char *)text);
    char *pretty = codec_pretty(&b.arena, message);
    CHECK_INT(decode_text(&b, type, pretty), STATUS_OK);
    CHECK(pretty[strlen(pretty) - 1] == '\n');
    arena_done(&b.arena);
}

static void round_trips(const ProtobufCMessageDescriptor *type)
{
    for (int i = 0; type && i < 20 && !test_failed(); i++)
        round_trip(type);
}

TEST(unit_codec, every_message_survives_both_encodings)
{
    chance_state = 20260101;
    for (enum subject s = 0; s < SUBJECT_COUNT; s++) {
        round_trips(subject_table[s].message);
        round_trips(subject_table[s].reply);
    }
    for (size_t i = 0; i < sizeof stored_only / sizeof *stored_only; i++)
        round_trips(stored_only[i]);
}

static char *lower_camel(struct arena *arena, const char *name)
{
    char *camel = arena_str(arena, name), *to = camel;

    for (const char *from = name; *from; from++)
        *to++ = *from == '_' ? (char)(*++from - 'a' + 'A') : *from;
    *to = '\0';
    return camel;
}

static void accepts_camel_names(const ProtobufCMessageDescriptor *type)
{
    struct bench b = {0};

    for (unsigned i = 0; type && i < type->n_fields; i++) {
        char *json = arena_printf(&b.arena, "{\"%s\":null}", lower_camel(&b.arena, type->fields[i].name));
        if (decode_text(&b, type, json) != STATUS_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", type->short_name, json);
    }
    arena_done(&b.arena);
}

TEST(unit_codec, every_field_is_also_known_in_camel_case)
{
    for (enum subject s = 0; s < SUBJECT_COUNT; s++) {
        accepts_camel_names(subject_table[s].message);
        accepts_camel_names(subject_table[s].reply);
    }
    accepts_camel_names(DESCRIPTOR(signals));
}

TEST(unit_codec, camel_case_that_is_not_the_fields_is_unknown)
{
    refuse(DESCRIPTOR(call_ended), "{\"CallId\":\"c\"}", "CallId", "unknown field of CallEnded");
    refuse(DESCRIPTOR(call_ended), "{\"policy_Variant\":\"v1a\"}", "policy_Variant", "unknown field");
    refuse(DESCRIPTOR(call_ended), "{\"callid\":\"c\"}", "callid", "unknown field");
}

/* --- the known event -------------------------------------------------------------------------------------------------------- */

static const char *const known_event =
    "{\"call_id\":\"c-1\",\"ts\":1763800000.0,\"agent\":\"TOM\",\"profile\":\"kfz\",\"policy_variant\":\"v1a\","
    "\"signals\":{\"resolution\":true,"
    "\"user_rating\":4,\"barge_in_count\":1,\"handover\":false,\"duration_sec\":120,\"repeats\":0,\"escalation\":false,"
    "\"satisfaction\":0.5}}";

TEST(unit_codec, the_known_feedback_event_is_read)
{
    struct bench b = {0};

    CHECK_INT(decode_text(&b, DESCRIPTOR(call_ended), known_event), STATUS_OK);
    const CallEnded *m = (CallEnded *)b.message;
    CHECK_STR(m->call_id, "c-1");
    CHECK(HAS(m, has_ts_case) && m->ts == 1763800000);
    CHECK_STR(m->policy_variant, "v1a");
    CHECK(HAS(m->signals, has_resolution_case) && m->signals->resolution);
    CHECK_INT(m->signals->user_rating, 4);
    CHECK_NEAR(m->signals->satisfaction, 0.5, 0);
    CHECK(!HAS(m, has_caller_key_case));
    arena_done(&b.arena);
}

TEST(unit_codec, zero_is_not_absent)
{
    struct bench b = {0};
    const uint8_t *data;
    size_t size;

    for (int json = 0; json < 2; json++) {
        CHECK_INT(decode_text(&b, DESCRIPTOR(signals), "{\"repeats\":0,\"handover\":false,\"duration_sec\":0}"), STATUS_OK);
        codec_encode(&b.arena, b.message, json, &data, &size);
        CHECK_INT(decode(&b, DESCRIPTOR(signals), data, size), STATUS_OK);
        const Signals *s = (Signals *)b.message;
        CHECK(HAS(s, has_repeats_case) && HAS(s, has_handover_case) && HAS(s, has_duration_sec_case));
        CHECK(!HAS(s, has_resolution_case) && !HAS(s, has_user_rating_case) && !HAS(s, has_satisfaction_case));
    }
    arena_done(&b.arena);
}

TEST(unit_codec, null_is_absent_for_a_field_and_refused_in_a_list)
{
    struct bench b = {0};

    CHECK_INT(decode_text(&b, DESCRIPTOR(call_ended), "{\"call_id\":\"c\",\"ts\":null,\"signals\":null,\"consent\":null}"),
              STATUS_OK);
    CHECK(!HAS((CallEnded *)b.message, has_ts_case) && !((CallEnded *)b.message)->signals);
    refuse(DESCRIPTOR(policy_select_request), "{\"eligible\":[null]}", "eligible", "must be a text, not null");
    refuse(DESCRIPTOR(reward_computed), "{\"context\":{\"profile\":null}}", "context.profile", "must be a text, not null");
    arena_done(&b.arena);
}

TEST(unit_codec, nothing_at_all_is_an_empty_message)
{
    struct bench b = {0};

    CHECK_INT(decode(&b, DESCRIPTOR(feedback_by_policy_request), NULL, 0), STATUS_OK);
    CHECK_STR(((FeedbackByPolicyRequest *)b.message)->policy_variant, "");
    arena_done(&b.arena);
}

/* --- how JSON looks --------------------------------------------------------------------------------------------------------- */

static void prints(const ProtobufCMessageDescriptor *type, const char *json, const char *expected)
{
    struct bench b = {0};
    const uint8_t *data;
    size_t size;

    CHECK_INT(decode_text(&b, type, json), STATUS_OK);
    if (test_failed())
        return (void)test_fail(__FILE__, __LINE__, "%s: %s", b.reason.field, b.reason.text);
    codec_encode(&b.arena, b.message, true, &data, &size);
    CHECK_STR((const char *)data, expected);
    CHECK_INT(size, strlen(expected));
    arena_done(&b.arena);
}

TEST(unit_codec, fields_without_presence_are_printed_and_absent_ones_left_out)
{
    prints(DESCRIPTOR(feedback_stats_reply), "{}",
           "{\"total_events\":0,\"policy_stats\":{},\"profile_stats\":{},\"waiting\":0,\"retracted\":0,\"retention_days\":0,"
           "\"amendment_window_days\":0}");
    prints(DESCRIPTOR(signals), "{}", "{}");
    prints(DESCRIPTOR(call_amended), "{\"callId\":\"c\",\"signals\":{\"userRating\":1}}",
           "{\"call_id\":\"c\",\"source\":\"UNSPECIFIED\",\"signals\":{\"user_rating\":1}}");
}

TEST(unit_codec, maps_are_objects)
{
    prints(DESCRIPTOR(reward_compute_reply), "{\"components\":{\"total\":0.8666666666666667,\"resolution\":0.6}}",
           "{\"reward\":0,\"components\":{\"total\":0.8666666666666667,\"resolution\":0.6},\"reward_version\":\"\"}");
    refuse(DESCRIPTOR(reward_compute_reply), "{\"components\":[]}", "components", "must be an object, not a list");
    refuse(DESCRIPTOR(reward_compute_reply), "{\"components\":{\"total\":\"x\"}}", "components.total",
           "must be a number, not a text");
    refuse(DESCRIPTOR(bandit_stats_reply), "{\"variants\":{\"v1a\":{\"pulls\":1.5}}}", "variants.v1a.pulls",
           "must be an integer");
}

TEST(unit_codec, enums_drop_their_prefix_and_are_read_by_any_name_or_number)
{
    static const char *const spellings[] = {"{\"source\":\"HUMAN\"}", "{\"source\":\"SOURCE_HUMAN\"}", "{\"source\":5}"};

    for (size_t i = 0; i < 3; i++)
        prints(DESCRIPTOR(call_amended), spellings[i], "{\"call_id\":\"\",\"source\":\"HUMAN\"}");
    refuse(DESCRIPTOR(call_amended), "{\"source\":\"LEARNED\"}", "source", "'LEARNED' is no value of Source");
    refuse(DESCRIPTOR(call_amended), "{\"source\":6}", "source", "6 is no value of Source");
    refuse(DESCRIPTOR(call_amended), "{\"source\":true}", "source", "must be a name or an integer, not true");
    refuse(DESCRIPTOR(guard_updated), "{\"stages\":{\"v1a\":\"OLD\"}}", "stages.v1a", "no value of Stage");
}

TEST(unit_codec, doubles_are_as_short_as_they_can_be)
{
    prints(DESCRIPTOR(signals), "{\"satisfaction\":0.1,\"duration_sec\":-0.0}", "{\"duration_sec\":-0.0,\"satisfaction\":0.1}");
    prints(DESCRIPTOR(signals), "{\"satisfaction\":0.30000000000000004,\"duration_sec\":1e300}",
           "{\"duration_sec\":1e+300,\"satisfaction\":0.30000000000000004}");
}

TEST(unit_codec, bytes_are_base64_and_nothing_else)
{
    prints(DESCRIPTOR(dead_letter), "{\"payload\":\"AP9h\"}",
           "{\"service\":\"\",\"subject\":\"\",\"stream\":\"\",\"sequence\":0,\"time\":0,\"reason\":\"\",\"field\":\"\","
           "\"message\":\"\",\"payload\":\"AP9h\",\"traceparent\":\"\",\"deliveries\":0}");
    static const char *const bad[] = {"AP9", "AP9=h", "====", "A===", "AP9h\\n", " AP9h", "AP-_", "AP8h=", "AR==", "AP9h="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"payload\":\"%s\"}", bad[i]);
        refuse(DESCRIPTOR(dead_letter), json, "payload", "is not base64");
    }
}

/* --- refusals in JSON ------------------------------------------------------------------------------------------------------- */

TEST(unit_codec, an_unknown_key_is_refused_by_name)
{
    refuse(DESCRIPTOR(call_ended), "{\"call_id\":\"c\",\"mood\":1}", "mood", "unknown field of CallEnded");
    refuse(DESCRIPTOR(call_ended), "{\"call_id\":\"c\",\"signals\":{\"mood\":1}}", "signals.mood", "unknown field of Signals");
    refuse(DESCRIPTOR(call_ended), "{\"signals\":{\"mood\":null}}", "signals.mood", "unknown field of Signals");
    refuse(DESCRIPTOR(call_ended), "{\"has_ts\":1}", "has_ts", "unknown field");
}

TEST(unit_codec, a_duplicate_key_is_refused_by_name)
{
    refuse(DESCRIPTOR(call_ended), "{\"call_id\":\"c\",\"call_id\":\"d\"}", "call_id", "duplicate object key");
    refuse(DESCRIPTOR(call_ended), "{\"signals\":{\"repeats\":1,\"repeats\":1}}", "signals.repeats", "duplicate object key");
    refuse(DESCRIPTOR(call_ended), "{\"call_id\":\"c\",\"callId\":\"c\"}", "call_id", "given twice");
    refuse(DESCRIPTOR(call_ended), "{\"signals\":{\"user_rating\":1,\"userRating\":1}}", "signals.user_rating", "given twice");
}

TEST(unit_codec, a_wrong_type_says_what_was_expected_and_what_came)
{
    refuse(DESCRIPTOR(call_ended), "{\"call_id\":7}", "call_id", "must be a text, not an integer");
    refuse(DESCRIPTOR(call_ended), "{\"signals\":[]}", "signals", "must be an object, not a list");
    refuse(DESCRIPTOR(call_ended), "{\"signals\":{\"resolution\":1}}", "signals.resolution",
           "must be true or false, not an integer");
    refuse(DESCRIPTOR(call_ended), "{\"signals\":{\"user_rating\":4.0}}", "signals.user_rating",
           "must be an integer, not a real number");
    refuse(DESCRIPTOR(call_ended), "{\"signals\":{\"user_rating\":\"4\"}}", "signals.user_rating",
           "must be an integer, not a text");
    refuse(DESCRIPTOR(call_ended), "{\"ts\":\"now\"}", "ts", "must be a number, not a text");
    refuse(DESCRIPTOR(policy_select_request), "{\"eligible\":\"v1a\"}", "eligible", "must be a list, not a text");
}

TEST(unit_codec, a_number_that_does_not_fit_is_refused)
{
    refuse(DESCRIPTOR(signals), "{\"user_rating\":2147483648}", "user_rating", "does not fit: -2147483648 .. 2147483647");
    refuse(DESCRIPTOR(feedback_by_policy_request), "{\"limit\":-1}", "limit", "does not fit: 0 .. 4294967295");
    refuse(DESCRIPTOR(feedback_by_policy_request), "{\"limit\":4294967296}", "limit", "does not fit");
    refuse(DESCRIPTOR(feedback_replay_reply), "{\"run\":-1}", "run", "does not fit: 0 .. 9223372036854775807");
    refuse(DESCRIPTOR(feedback_replay_reply), "{\"run\":9223372036854775808}", "run", "too big integer");
    refuse(DESCRIPTOR(signals), "{\"duration_sec\":1e999}", "duration_sec", "real number overflow");
}

TEST(unit_codec, text_that_is_no_json_names_line_and_column_and_the_field_if_it_can)
{
    refuse(DESCRIPTOR(call_ended), "{\"call_id\":\"c\",\n\"signals\":{\"duration_sec\":NaN}}", "signals.duration_sec",
           "invalid token (line 2");
    refuse(DESCRIPTOR(call_ended), "{\"ts\":Infinity}", "ts", "invalid token");
    refuse(DESCRIPTOR(call_ended), "{", "", "not a JSON object");
    refuse(DESCRIPTOR(call_ended), "{}}", "", "end of file expected");
    refuse(DESCRIPTOR(call_ended), "{} x", "", "not a JSON object");
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("{}\0"), "", "not a JSON object");
}

TEST(unit_codec, a_reason_never_repeats_the_value_of_a_broken_text)
{
    struct bench b = {0};

    CHECK_INT(decode_text(&b, DESCRIPTOR(call_ended), "{\"call_id\":\"secret-7\" \"ts\":1}"), STATUS_INVALID);
    CHECK(!strstr(b.reason.text, "secret") && !strstr(b.reason.field, "secret"));
    CHECK_INT(decode_text(&b, DESCRIPTOR(call_ended), "{\"call_id\":secret-7}"), STATUS_INVALID);
    CHECK(!strstr(b.reason.text, "secret"));
    arena_done(&b.arena);
}

TEST(unit_codec, invalid_utf8_and_nul_are_refused)
{
    static const char *const bad[] = {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xf0\x80\x80\xaf", "\x80"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char json[64], wire[16] = {0x0a, (char)strlen(bad[i])};
        snprintf(json, sizeof json, "{\"call_id\":\"%s\"}", bad[i]);
        memcpy(wire + 2, bad[i], strlen(bad[i]));
        refuse(DESCRIPTOR(call_ended), json, "call_id", "not a JSON object");
        refuse_bytes(DESCRIPTOR(call_ended), wire, 2 + strlen(bad[i]), "call_id", "is not valid UTF-8");
    }
    refuse(DESCRIPTOR(call_ended), "{\"call_id\":\"a\\u0000b\"}", "call_id", "not a JSON object");
    refuse(DESCRIPTOR(call_ended), "{\"call_id\":\"\\ud800\"}", "call_id", "not a JSON object");
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x0a\x03" "a\0b"), "call_id", "has a NUL");
}

/* A reason travels in a dead letter: it must itself be text that the codec takes. */
TEST(unit_codec, a_reason_cut_inside_a_character_stays_valid_text)
{
    struct bench b = {0};

    for (int pad = 0; pad < 4; pad++) {
        char *json = arena_printf(&b.arena, "{\"%.*s%s\":1}", pad, "xxxx", "𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞𝄞");
        CHECK_INT(decode_text(&b, DESCRIPTOR(call_ended), json), STATUS_INVALID);
        CHECK(utf8_valid(b.reason.field, strlen(b.reason.field)));
        CHECK_INT(strlen(b.reason.field), sizeof b.reason.field - 1);
    }
    CHECK_INT(decode_text(&b, DESCRIPTOR(call_ended), "{\"a\\nlevel=error\":1}"), STATUS_INVALID);
    CHECK_STR(b.reason.field, "a?level=error");
    arena_done(&b.arena);
}

TEST(unit_codec, two_members_of_one_oneof_are_refused)
{
    struct bench b = {0};

    refuse(DESCRIPTOR(feedback_answer_request), "{\"text\":\"vier\",\"dtmf\":\"4\"}", "dtmf", "excludes another field");
    CHECK_INT(decode_text(&b, DESCRIPTOR(feedback_answer_request), "{\"text\":null,\"dtmf\":\"\"}"), STATUS_OK);
    CHECK_INT(((Tom__Rl__V1__FeedbackAnswerRequest *)b.message)->answer_case, 3);
    arena_done(&b.arena);
}

/* --- refusals on the wire --------------------------------------------------------------------------------------------------- */

TEST(unit_codec, an_unknown_field_number_is_refused_by_number)
{
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x8a\x01\x00"), "#17", "unknown field number of CallEnded");
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x32\x02\x48\x01"), "signals.#9", "unknown field number of Signals");
}

TEST(unit_codec, numbers_on_the_wire_obey_the_same_rules)
{
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x32\x09\x29\0\0\0\0\0\0\xf8\x7f"), "signals.duration_sec", "is no finite number");
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x11\0\0\0\0\0\0\xf0\x7f"), "ts", "is no finite number");
    refuse_bytes(DESCRIPTOR(call_amended), WIRE("\x18\x09"), "source", "9 is no value of Source");
    refuse_bytes(DESCRIPTOR(signals), WIRE("\x10\x80\x80\x80\x80\x08"), "user_rating", "does not fit");
    refuse_bytes(DESCRIPTOR(feedback_replay_reply), WIRE("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "run", "does not fit");
    refuse_bytes(DESCRIPTOR(bandit_stats_reply), WIRE("\x0a\x11\x12\x0f\x42\x0d\0\0\0\0\0\0\0\0\0\0\0\0\0"),
                 "variants.value.interval", "cut off");
    refuse_bytes(DESCRIPTOR(feedback_replay_reply), WIRE("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "run", "too long");
}

TEST(unit_codec, broken_protobuf_says_so)
{
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x0a\x05" "abc"), "call_id", "not a protobuf message: the field is cut off");
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x08\x01"), "call_id", "the field has another type");
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x00\x01"), "", "bad field number");
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x0b"), "call_id", "another type"); /* a group */
    refuse_bytes(DESCRIPTOR(call_ended), WIRE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "call_id", "cut off");
}

TEST(unit_codec, a_map_key_twice_is_refused_in_both)
{
    refuse_bytes(DESCRIPTOR(guard_updated), WIRE("\x1a\x05\x0a\x01" "a" "\x10\x01\x1a\x05\x0a\x01" "a" "\x10\x02"), "stages.a",
                 "given twice");
    refuse(DESCRIPTOR(guard_updated), "{\"stages\":{\"a\":1,\"a\":2}}", "", "duplicate object key");
}

TEST(unit_codec, a_map_entry_without_its_message_has_an_empty_one)
{
    struct bench b = {0};

    CHECK_INT(decode(&b, DESCRIPTOR(bandit_stats_reply), WIRE("\x0a\x03\x0a\x01" "a")), STATUS_OK);
    const BanditStatsReply *m = (BanditStatsReply *)b.message;
    CHECK(m->n_variants == 1 && m->variants[0]->value && m->variants[0]->value->pulls == 0);
    arena_done(&b.arena);
}

TEST(unit_codec, the_cap_counts_bytes)
{
    struct bench b = {0};
    char json[64] = "{\"call_id\":\"c\"}";

    CHECK_INT(codec_decode(&b.arena, DESCRIPTOR(call_ended), json, 15, 15, &b.json, &b.message, &b.reason), STATUS_OK);
    CHECK_INT(codec_decode(&b.arena, DESCRIPTOR(call_ended), json, 15, 14, &b.json, &b.message, &b.reason), STATUS_INVALID);
    CHECK(b.json);
    CHECK_STR(b.reason.field, "");
    CHECK_STR(b.reason.text, "15 bytes, at most 14 are allowed");
    arena_done(&b.arena);
}

/* message Node { Node below = 1; }: nothing of ours nests without end, so the limit needs a message made for it. */
struct node {
    ProtobufCMessage base;
    struct node *below;
};

extern const ProtobufCMessageDescriptor node_type;
static void node_init(struct node *node) { *node = (struct node){.base.descriptor = &node_type}; }
static const ProtobufCFieldDescriptor node_fields[] = {
    {.name = "below", .id = 1, .label = PROTOBUF_C_LABEL_NONE, .type = PROTOBUF_C_TYPE_MESSAGE,
     .offset = offsetof(struct node, below), .descriptor = &node_type}};
static const unsigned node_names[] = {0};
static const ProtobufCIntRange node_ranges[] = {{1, 0}, {0, 1}};
const ProtobufCMessageDescriptor node_type = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC, .name = "Node", .short_name = "Node", .c_name = "Node", .package_name = "",
    .sizeof_message = sizeof(struct node), .n_fields = 1, .fields = node_fields, .fields_sorted_by_name = node_names,
    .n_field_ranges = 1, .field_ranges = node_ranges, .message_init = (ProtobufCMessageInit)node_init};

static void nested(int depth, enum status expected)
{
    struct bench b = {0};
    char json[512] = "", wire[64];

    for (int i = 0; i < depth; i++) {
        strcat(json, i + 1 < depth ? "{\"below\":" : "{");
        wire[2 * i] = 0x0a;
        wire[2 * i + 1] = (char)(2 * (depth - 2 - i));
    }
    memset(json + strlen(json), '}', (size_t)depth);
    CHECK_INT(decode_text(&b, &node_type, json), expected);
    CHECK(expected == STATUS_OK || strstr(b.reason.text, "nested deeper than 16"));
    CHECK_INT(decode(&b, &node_type, wire, (size_t)(2 * (depth - 1))), expected);
    CHECK(expected == STATUS_OK || strstr(b.reason.text, "nested deeper than 16"));
    arena_done(&b.arena);
}

TEST(unit_codec, sixteen_levels_are_enough)
{
    nested(16, STATUS_OK);
    nested(17, STATUS_INVALID);
    nested(30, STATUS_INVALID);
}

TEST(unit_codec, a_depth_bomb_is_refused_before_anything_recurses)
{
    enum { SIZE = 60000 };
    char *bomb = malloc(SIZE);

    for (int i = 0; i < SIZE; i += 6)
        memcpy(bomb + i, "{\"ts\":", 6);
    refuse_bytes(DESCRIPTOR(call_ended), bomb, SIZE, "ts", "maximum parsing depth");
    memset(bomb, '[', SIZE);
    memcpy(bomb, "{\"ts\":", 6);
    refuse_bytes(DESCRIPTOR(call_ended), bomb, SIZE, "ts", "maximum parsing depth");
    memset(bomb, 0x32, SIZE);
    refuse_bytes(DESCRIPTOR(call_ended), bomb, SIZE, "signals.repeats", "another type");
    free(bomb);
}

/* Cut at every byte, and with every byte flipped: an answer each time, and no crash (asan). */
static void mutilate(const uint8_t *data, size_t size)
{
    struct bench b = {0};
    uint8_t *copy;

    for (size_t i = 0; i < size; i++) {
        copy = memcpy(malloc(i + 1), data, i);
        enum status cut = decode(&b, DESCRIPTOR(policy_selected), copy, i);
        CHECK(cut == STATUS_OK || (cut == STATUS_INVALID && b.reason.text[0]));
        free(copy);
        copy = memcpy(malloc(size), data, size);
        copy[i] ^= 0xff;
        enum status flipped = decode(&b, DESCRIPTOR(policy_selected), copy, size);
        CHECK(flipped == STATUS_OK || (flipped == STATUS_INVALID && b.reason.text[0]));
        free(copy);
        arena_reset(&b.arena);
    }
    arena_done(&b.arena);
}

TEST(unit_codec, damage_anywhere_is_answered)
{
    struct arena arena = {0};
    const uint8_t *data;
    size_t size;

    chance_state = 7;
    for (int json = 0; json < 2; json++) {
        ProtobufCMessage *message = codec_new(&arena, DESCRIPTOR(policy_selected));
        fill(&arena, message);
        codec_encode(&arena, message, json, &data, &size);
        mutilate(data, size);
    }
    arena_done(&arena);
}

/* Who got only the beginning must not take it for the whole: protobuf can be cut between two fields, JSON nowhere. */
static void cut_short(struct arena *arena, const ProtobufCMessage *message, bool json)
{
    struct bench b = {0};
    const uint8_t *data, *again;
    size_t size, again_size;

    codec_encode(arena, message, json, &data, &size);
    for (size_t i = 1; i < size; i++) {
        uint8_t *copy = memcpy(malloc(i), data, i);
        enum status status = decode(&b, message->descriptor, copy, i);
        free(copy);
        CHECK(!json || status == STATUS_INVALID);
        if (status != STATUS_OK)
            continue;
        codec_encode(&b.arena, b.message, false, &again, &again_size);
        CHECK(again_size == i && memcmp(again, data, i) == 0);
    }
    arena_done(&b.arena);
}

TEST(unit_codec, the_beginning_of_a_message_is_refused_or_means_just_itself)
{
    static const ProtobufCMessageDescriptor *const types[] = {DESCRIPTOR(call_ended), DESCRIPTOR(reward_computed),
                                                             DESCRIPTOR(bandit_stats_reply)};
    struct arena arena = {0};

    chance_state = 11;
    for (int round = 0; round < 30; round++)
        for (int json = 0; json < 2; json++) {
            ProtobufCMessage *message = codec_new(&arena, types[round % 3]);
            fill(&arena, message);
            cut_short(&arena, message, json);
        }
    arena_done(&arena);
}

TEST(unit_codec, an_error_goes_into_field_15_of_any_reply)
{
    struct bench b = {0};
    const uint8_t *data;
    size_t size;

    for (enum subject s = 0; s < SUBJECT_COUNT; s++) {
        if (!subject_table[s].reply)
            continue;
        ProtobufCMessage *reply = codec_new(&b.arena, subject_table[s].reply);
        reason_set(&b.reason, "limit", "must be 1 .. %d", 1000);
        codec_set_error(&b.arena, reply, STATUS_INVALID, &b.reason);
        codec_encode(&b.arena, reply, true, &data, &size);
        CHECK(strstr((const char *)data,
                     "\"error\":{\"code\":\"invalid\",\"message\":\"must be 1 .. 1000\",\"field\":\"limit\"}"));
    }
    arena_done(&b.arena);
}
