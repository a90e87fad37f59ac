/* SPDX-License-Identifier: Apache-2.0 */
/* validate.c - the service accepts and refuses what tests/data/call_ended_cases.json says.
 *
 * tests/e2e holds the JSON schema to the same table. */
#include "validate.h"

#include <jansson.h>
#include <stdlib.h>

#include "codec.h"
#include "test.h"

enum { CAP = 65536 };

#define CALL(rest) "{\"call_id\":\"c\"" rest "}"
#define RESOLVED ",\"signals\":{\"resolution\":true}"

static const wall_time now = {1763900000000000};
static const char *const agents[] = {"TOM", "TOM_v1", "TOM_v2", NULL};
static const char *const profiles[] = {"kfz", "it", "sales", "support", "general", NULL};
static const struct config_list agent_list = {agents, 3}, profile_list = {profiles, 5};

static struct validate_rules rules_with(int out_of_range)
{
    return (struct validate_rules){.agents = &agent_list, .profiles = &profile_list, .out_of_range = out_of_range};
}

/* The path of each message: decoded, then checked; how many signals were clamped is left in `clamped`. */
static unsigned clamped;

static enum status ended(const struct validate_rules *rules, struct arena *arena, const char *json, CallEnded **ret,
                         struct reason *reason)
{
    ProtobufCMessage *m;
    bool is_json;
    enum status status = codec_decode(arena, &tom__rl__v1__call_ended__descriptor, json, strlen(json), CAP, &is_json, &m, reason);

    if (status != STATUS_OK)
        return status;
    *ret = (CallEnded *)m;
    return validate_call_ended(rules, *ret, now, &clamped, reason);
}

static enum status amended(struct arena *arena, const char *json, struct reason *reason)
{
    struct validate_rules rules = rules_with(OUT_OF_RANGE_REJECT);
    ProtobufCMessage *m;
    bool is_json;
    enum status status = codec_decode(arena, &tom__rl__v1__call_amended__descriptor, json, strlen(json), CAP, &is_json, &m,
                                      reason);

    return status == STATUS_OK ? validate_call_amended(&rules, (CallAmended *)m, now, &clamped, reason) : status;
}

static void check_case(const json_t *row)
{
    struct validate_rules rules = rules_with(OUT_OF_RANGE_REJECT);
    const char *name = json_string_value(json_object_get(row, "name")), *field = json_string_value(json_object_get(row, "field"));
    char *event = json_dumps(json_object_get(row, "event"), JSON_COMPACT);
    struct arena arena = {0};
    struct reason reason = {0};
    CallEnded *m;
    bool accepted = ended(&rules, &arena, event, &m, &reason) == STATUS_OK;

    if (accepted != json_is_true(json_object_get(row, "accept")) || strcmp(accepted ? "" : reason.field, field) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s, field \"%s\": %s", name, accepted ? "accepted" : "refused", reason.field,
                  reason.text);
    free(event);
    arena_done(&arena);
}

TEST(unit_validate, the_service_and_the_table_of_cases_agree)
{
    json_error_t error;
    json_t *table = json_load_file(RL_SOURCE_DIR "/tests/data/call_ended_cases.json", JSON_REJECT_DUPLICATES, &error);

    CHECK_INT(json_array_size(table), 60);
    for (size_t i = 0; i < json_array_size(table); i++)
        check_case(json_array_get(table, i));
    json_decref(table);
}

TEST(unit_validate, clamp_moves_signals_into_their_range_and_counts_them)
{
    struct validate_rules rules = rules_with(OUT_OF_RANGE_CLAMP);
    struct arena arena = {0};
    struct reason reason = {0};
    CallEnded *m = NULL;

    CHECK_INT(ended(&rules, &arena,
                    CALL(",\"signals\":{\"resolution\":true,\"user_rating\":9,\"barge_in_count\":-2,\"repeats\":5,"
                         "\"duration_sec\":7200,\"satisfaction\":-1.5}"), &m, &reason), STATUS_OK);
    CHECK_INT(clamped, 4);
    CHECK_INT(m->signals->user_rating, 5);
    CHECK_INT(m->signals->barge_in_count, 0);
    CHECK_INT(m->signals->repeats, 5);
    CHECK_NEAR(m->signals->duration_sec, 3600, 0);
    CHECK_NEAR(m->signals->satisfaction, -1, 0);
    CHECK_INT(ended(&rules, &arena, CALL(",\"agent\":\"JERRY\"" RESOLVED), &m, &reason), STATUS_INVALID);
    arena_done(&arena);
}

TEST(unit_validate, a_time_in_milliseconds_is_named_as_such)
{
    struct validate_rules rules = rules_with(OUT_OF_RANGE_REJECT);
    struct arena arena = {0};
    struct reason reason = {0};
    CallEnded *m;

    CHECK_INT(ended(&rules, &arena, CALL(",\"ts\":1763900000000" RESOLVED), &m, &reason), STATUS_INVALID);
    CHECK_STR(reason.field, "ts");
    CHECK(strstr(reason.text, "milliseconds?"));
    CHECK_INT(ended(&rules, &arena, CALL(",\"ts\":1763986401" RESOLVED), &m, &reason), STATUS_INVALID);
    CHECK(!strstr(reason.text, "milliseconds?"));
    CHECK_INT(ended(&rules, &arena, CALL(",\"ts\":1763986400" RESOLVED), &m, &reason), STATUS_OK);
    arena_done(&arena);
}

TEST(unit_validate, an_unknown_resolution_is_taken_where_the_operator_allows_it)
{
    struct validate_rules rules = rules_with(OUT_OF_RANGE_REJECT);
    struct arena arena = {0};
    struct reason reason = {0};
    CallEnded *m;

    rules.allow_unknown_resolution = true;
    CHECK_INT(ended(&rules, &arena, "{\"call_id\":\"c\"}", &m, &reason), STATUS_OK);
    CHECK_INT(ended(&rules, &arena, "{\"call_id\":\"c\",\"signals\":{\"user_rating\":4}}", &m, &reason), STATUS_OK);
    CHECK_INT(ended(&rules, &arena, "{\"call_id\":\"c\",\"signals\":{\"user_rating\":0}}", &m, &reason), STATUS_INVALID);
    arena_done(&arena);
}

TEST(unit_validate, the_routers_own_end_may_lack_the_resolution_and_nobody_elses)
{
    struct validate_rules rules = rules_with(OUT_OF_RANGE_REJECT);
    struct arena arena = {0};
    struct reason reason = {0};
    CallEnded *m;

    CHECK_INT(ended(&rules, &arena, "{\"call_id\":\"c\",\"source\":\"FSM\"}", &m, &reason), STATUS_OK);
    CHECK_INT(ended(&rules, &arena, "{\"call_id\":\"c\",\"source\":\"FSM\",\"signals\":{\"user_rating\":7}}", &m, &reason),
              STATUS_INVALID);
    CHECK_STR(reason.field, "signals.user_rating");
    CHECK_INT(ended(&rules, &arena, "{\"call_id\":\"c\",\"source\":\"TOOL\"}", &m, &reason), STATUS_INVALID);
    CHECK_STR(reason.field, "signals.resolution");
    arena_done(&arena);
}

TEST(unit_validate, an_amendment_says_something_about_a_call)
{
    static const struct { const char *json, *field; } cases[] = {
        {"{\"call_id\":\" c \",\"signals\":{\"user_rating\":2}}", ""},
        {"{\"call_id\":\"c\",\"signals\":{}}", ""},
        {"{\"call_id\":\"c\",\"retracted\":false}", ""},
        {"{\"call_id\":\"c\",\"at\":1763800000.5,\"source\":\"HUMAN\",\"retracted\":true}", ""},
        {"{\"call_id\":\"c\"}", "signals"},
        {"{\"call_id\":\"  \",\"retracted\":true}", "call_id"},
        {"{\"call_id\":\"c\",\"retracted\":1}", "retracted"},
        {"{\"call_id\":\"c\",\"at\":-1,\"retracted\":true}", "at"},
        {"{\"call_id\":\"c\",\"at\":1763800000000,\"retracted\":true}", "at"},
        {"{\"call_id\":\"c\",\"source\":\"GOSSIP\",\"retracted\":true}", "source"},
        {"{\"call_id\":\"c\",\"signals\":{\"repeats\":6}}", "signals.repeats"},
        {"{\"call_id\":\"c\",\"profile\":\"kfz\",\"retracted\":true}", "profile"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct reason reason = {0};
        CHECK_INT(amended(&arena, cases[i].json, &reason), *cases[i].field ? STATUS_INVALID : STATUS_OK);
        CHECK_STR(reason.field, cases[i].field);
        arena_done(&arena);
    }
}
