/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - tests of the rules of reward.computed: anyone may publish it, and each refusal names its field. */
#include "call.h"

#include "codec.h"
#include "test.h"

enum { NOW = 1763800000 };

static const char *const profile_names[] = {"kfz", "it", NULL};
static const struct config_list profiles = {profile_names, 2};
static const struct versions versions = {.first = "v1", .candidate = "v3", .active = "v1"};
static const struct call_rules rules = {.versions = &versions, .profiles = &profiles, .now = NOW};

/* The members of a JSON object, decoded and checked. */
static enum status read_json(struct arena *arena, const char *members, struct call *ret, struct reason *reason)
{
    const char *json = arena_printf(arena, "{%s}", members);
    ProtobufCMessage *message;
    bool is_json;

    CHECK_INT(codec_decode(arena, &tom__rl__v1__reward_computed__descriptor, json, strlen(json), 65536, &is_json, &message,
                           reason), STATUS_OK);
    return test_failed() ? STATUS_INTERNAL : call_read(&rules, (const RewardComputed *)message, arena, ret, reason);
}

#define KEY "\"call_key\":\"0123456789abcdef0123456789abcdef\","
#define REST "\"day\":20414,\"revision\":7,\"ts\":1763800000,\"policy_variant\":\"v1a\",\"reward_version\":\"v1\""

static void check_refused(const char *json, const char *field)
{
    struct arena arena = {0};
    struct reason reason = {0};
    struct call call;

    CHECK_INT(read_json(&arena, json, &call, &reason), STATUS_INVALID);
    CHECK_STR(reason.field, field);
    arena_done(&arena);
}

TEST(unit_call, each_refusal_names_its_field)
{
    check_refused("\"call_key\":\"0123456789ABCDEF0123456789abcdef\"," REST, "call_key");
    check_refused(KEY "\"day\":100001,\"revision\":7,\"policy_variant\":\"v1a\",\"reward_version\":\"v1\"", "day");
    check_refused(KEY "\"day\":1,\"revision\":0,\"policy_variant\":\"v1a\",\"reward_version\":\"v1\"", "revision");
    check_refused(KEY "\"day\":1,\"revision\":1,\"ts\":-1,\"policy_variant\":\"v1a\",\"reward_version\":\"v1\"", "ts");
    check_refused(KEY "\"day\":1,\"revision\":1,\"ts\":1763800000000,\"policy_variant\":\"v1a\",\"reward_version\":\"v1\"", "ts");
    check_refused(KEY "\"day\":1,\"revision\":1,\"policy_variant\":\"V1A\",\"reward_version\":\"v1\"", "policy_variant");
    check_refused(KEY "\"day\":1,\"revision\":1,\"policy_variant\":\"v1a\",\"reward_version\":\"v2\"", "reward_version");
    check_refused(KEY "\"day\":1,\"revision\":1,\"policy_variant\":\"v1a\"", "reward_version");
    check_refused(KEY REST ",\"reward\":1.0000001", "reward");
    check_refused(KEY REST ",\"propensity\":1.1", "propensity");
    check_refused(KEY REST ",\"signals\":{\"user_rating\":9}", "signals.user_rating");
}

TEST(unit_call, everything_the_ledger_keeps_is_taken_over)
{
    struct arena arena = {0};
    struct reason reason = {0};
    struct call call;

    CHECK_INT(read_json(&arena, KEY REST ",\"reward\":0.8666666666,\"propensity\":0.25,\"holdback\":true,\"retracted\":true,"
                                         "\"decision_source\":\"PINNED\",\"context\":{\"profile\":\"kfz\","
                                         "\"time_of_day\":\"morning\"},\"signals\":{\"user_rating\":4}",
                        &call, &reason), STATUS_OK);
    CHECK_INT(call.key[1], 0x23);
    CHECK_INT(call.day, 20414);
    CHECK_INT(call.revision, 7);
    CHECK_INT(call.reward, 866667);
    CHECK_INT(call.p_nano, 250000000);
    CHECK_INT(call.flags, CALL_HOLDBACK | CALL_RETRACTED | CALL_PINNED | CALL_P_KNOWN | 4 << CALL_SOURCE_AT);
    CHECK_STR(call.cell, "kfz/morning");
    CHECK_INT(signals_unpack(call.signals).user_rating, 4);
    CHECK_INT(signals_unpack(call.signals).barge_in_count, -1);
    arena_done(&arena);
}

TEST(unit_call, a_candidate_is_learned_beside_the_active_version)
{
    struct arena arena = {0};
    struct reason reason = {0};
    struct call call;

    CHECK_INT(read_json(&arena, KEY "\"day\":1,\"revision\":1,\"policy_variant\":\"v1a\",\"reward_version\":\"v3\"", &call,
                        &reason), STATUS_OK);
    CHECK_STR(call.version, "v3");
    CHECK_INT(read_json(&arena, KEY REST, &call, &reason), STATUS_OK);
    CHECK_STR(call.version, "v1");
    arena_done(&arena);
}

TEST(unit_call, a_context_that_nobody_configured_makes_no_new_cell)
{
    struct arena arena = {0};
    struct reason reason = {0};
    struct call call;

    CHECK_INT(read_json(&arena, KEY REST ",\"context\":{\"profile\":\"boats\",\"time_of_day\":\"noon\"}", &call, &reason),
              STATUS_OK);
    CHECK_STR(call.cell, "other/other");
    CHECK_INT(call.p_nano, -1);
    CHECK_INT(read_json(&arena, KEY REST, &call, &reason), STATUS_OK);
    CHECK_STR(call.cell, "other/other");
    arena_done(&arena);
}
