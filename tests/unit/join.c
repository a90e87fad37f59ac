/* SPDX-License-Identifier: Apache-2.0 */
/* join.c - tests of the rules by which messages become a call: their order never matters, and each tie has one winner. */
#include "join.h"

#include "codec.h"
#include "test.h"
#include "wiring.h"

#define SOURCE(name) TOM__RL__V1__SOURCE__SOURCE_##name
#define FIELD(name) TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_##name

static const int64_t NOON_US = INT64_C(1763809200000000), SECOND = 1000000;

struct bench {
    struct arena arena;
    CallRecord *record;
    enum call_state state;
};

static struct bench bench_new(void)
{
    struct bench b = {.state = CALL_OPEN};

    arena_init(&b.arena);
    b.record = codec_new(&b.arena, &tom__rl__v1__call_record__descriptor);
    b.record->key_id = arena_str(&b.arena, "k1");
    return b;
}

static const ProtobufCMessage *read_json(struct bench *b, const ProtobufCMessageDescriptor *type, const char *json)
{
    ProtobufCMessage *m = NULL;
    struct reason reason = {0};
    bool is_json;

    if (codec_decode(&b->arena, type, json, strlen(json), MAX_PAYLOAD, &is_json, &m, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s: %s", json, reason.field, reason.text);
    return m;
}

static unsigned settle(struct bench *b, unsigned effect)
{
    b->state = join_state(b->record, b->state);
    return effect;
}

static unsigned decided(struct bench *b, const char *json)
{
    const PolicySelected *m = (const PolicySelected *)read_json(b, &tom__rl__v1__policy_selected__descriptor, json);

    return settle(b, join_decision(&b->arena, b->record, m, NOON_US));
}

static unsigned ended(struct bench *b, const char *json, uint64_t sequence, int64_t arrived_us)
{
    const CallEnded *m = (const CallEnded *)read_json(b, &tom__rl__v1__call_ended__descriptor, json);
    End *e = codec_new(&b->arena, &tom__rl__v1__end__descriptor);

    e->ts = NOON_US / SECOND;
    e->agent = arena_str(&b->arena, "TOM");
    e->profile = HAS(m, has_profile_case) ? m->profile : e->profile;
    e->policy_variant = HAS(m, has_policy_variant_case) ? m->policy_variant : e->policy_variant;
    e->time_of_day = arena_str(&b->arena, "afternoon");
    e->arrived_us = arrived_us;
    e->sequence = sequence;
    e->source = m->source;
    return settle(b, join_end(&b->arena, b->record, e, m));
}

static unsigned amended(struct bench *b, const char *json, int64_t arrived_us)
{
    const CallAmended *m = (const CallAmended *)read_json(b, &tom__rl__v1__call_amended__descriptor, json);

    return settle(b, join_amendment(&b->arena, b->record, m, arrived_us));
}

static double known(const struct bench *b, Tom__Rl__V1__Knowledge__Field field)
{
    double value = -100;

    join_known(b->record, field, &value);
    return value;
}

static FeedbackStored *said(struct bench *b)
{
    FeedbackStored *m = codec_new(&b->arena, &tom__rl__v1__feedback_stored__descriptor);

    CHECK(call_complete(b->state));
    if (!test_failed())
        join_message(&b->arena, b->record, m);
    return m;
}

#define DECISION "{\"decision_id\":\"d1\",\"policy_variant\":\"v2b\",\"propensity\":0.25,\"eligible\":[\"v1a\",\"v2b\"],"    \
                 "\"probabilities\":{\"v1a\":0.75,\"v2b\":0.25},\"context\":{\"profile\":\"it\",\"time_of_day\":\"night\"}," \
                 "\"policy_version\":\"p7\"}"
#define END "{\"call_id\":\"c\",\"profile\":\"kfz\",\"signals\":{\"resolution\":true,\"user_rating\":4}}"
#define END_V2B "{\"call_id\":\"c\",\"policy_variant\":\"v2b\",\"signals\":{\"resolution\":true}}"
#define END_V1A "{\"call_id\":\"c\",\"policy_variant\":\"v1a\",\"signals\":{\"resolution\":true}}"

/* ---- order ----------------------------------------------------------------------------------------------------------------- */

enum { STEPS = 6 };

static void step(struct bench *b, int which)
{
    switch (which) {
    case 0: decided(b, DECISION); return;
    case 1: ended(b, END, 7, NOON_US + 5 * SECOND); return;
    case 2: amended(b, "{\"source\":\"USER\",\"signals\":{\"user_rating\":2}}", NOON_US + 9 * SECOND); return;
    case 3:
        amended(b, "{\"source\":\"JUDGE\",\"signals\":{\"user_rating\":5,\"satisfaction\":-0.5}}", NOON_US + 9 * SECOND);
        return;
    case 4: amended(b, "{\"retracted\":true,\"signals\":{\"handover\":true}}", NOON_US + 1 * SECOND); return;
    default: amended(b, "{\"retracted\":false}", NOON_US + 2 * SECOND); return;
    }
}

/* The record's bytes after the steps in this order, each said twice when `twice`. */
static void run_order(const int *order, bool twice, uint8_t ret_bytes[static 512], size_t *ret_size)
{
    struct bench b = bench_new();
    const uint8_t *data;

    for (int i = 0; i < STEPS; i++) {
        step(&b, order[i]);
        if (twice)
            step(&b, order[i / 2]);
    }
    CHECK_INT(b.state, CALL_STORED);
    codec_encode(&b.arena, &b.record->base, false, &data, ret_size);
    CHECK(*ret_size <= 512);
    memcpy(ret_bytes, data, *ret_size <= 512 ? *ret_size : 512);
    arena_done(&b.arena);
}

/* Heap's method (1963), one permutation per call; false after the last. */
static bool next_order(int *order, int *counters, int *at)
{
    while (*at < STEPS) {
        int i = *at;
        if (counters[i] >= i) {
            counters[i] = 0;
            ++*at;
            continue;
        }
        int from = i % 2 ? counters[i] : 0, swap = order[from];
        order[from] = order[i];
        order[i] = swap;
        counters[i]++;
        *at = 1;
        return true;
    }
    return false;
}

TEST(unit_join, every_order_with_and_without_duplicates_gives_the_same_record)
{
    int order[STEPS] = {0, 1, 2, 3, 4, 5}, counters[STEPS] = {0}, at = 1, orders = 0;
    uint8_t first[512], bytes[512];
    size_t first_size, size;

    run_order(order, false, first, &first_size);
    do {
        run_order(order, orders % 2, bytes, &size);
        CHECK(size == first_size && memcmp(bytes, first, size) == 0);
        orders++;
    } while (!test_failed() && next_order(order, counters, &at));
    CHECK_INT(orders, 720);
}

/* ---- decision and end ------------------------------------------------------------------------------------------------------ */

TEST(unit_join, a_call_is_complete_with_its_end_and_a_variant_from_either_side)
{
    struct bench b = bench_new(), c = bench_new();

    decided(&b, DECISION);
    CHECK_INT(b.state, CALL_OPEN);
    ended(&b, END, 1, NOON_US);
    CHECK_INT(b.state, CALL_STORED);
    ended(&c, END, 1, NOON_US);
    CHECK_INT(c.state, CALL_WAITING_DECISION);
    c.state = join_state(c.record, CALL_NO_DECISION); /* the wait was given up: it stays so until the decision comes */
    CHECK_INT(c.state, CALL_NO_DECISION);
    decided(&c, DECISION);
    CHECK_INT(c.state, CALL_STORED);
    CHECK_STR(join_variant(c.record), "v2b");
    arena_done(&b.arena);
    arena_done(&c.arena);
}

TEST(unit_join, the_message_has_the_context_that_was_decided_in_and_the_profile_that_was_told)
{
    struct bench b = bench_new();

    decided(&b, DECISION);
    ended(&b, END, 1, NOON_US);
    FeedbackStored *m = said(&b);
    CHECK_STR(m->profile, "kfz");
    CHECK_INT(m->n_context, 2);
    CHECK_STR(m->context[0]->value, "it");
    CHECK_STR(m->context[1]->value, "night");
    CHECK_STR(m->policy_version, "p7");
    CHECK(HAS(m, has_propensity_case));
    CHECK_NEAR(m->propensity, 0.25, 0);
    CHECK_INT(b.record->decision->n_eligible, 2);
    CHECK_NEAR(b.record->decision->probabilities[0], 0.75, 0);
    arena_done(&b.arena);
}

TEST(unit_join, without_a_decision_the_propensity_is_unknown_and_the_profile_general)
{
    struct bench b = bench_new();

    ended(&b, END_V2B, 1, NOON_US);
    FeedbackStored *m = said(&b);
    CHECK(!HAS(m, has_propensity_case));
    CHECK_STR(m->profile, "general");
    CHECK_STR(m->context[0]->value, "general");
    CHECK_STR(m->context[1]->value, "afternoon");
    arena_done(&b.arena);
}

TEST(unit_join, what_was_spoken_counts_against_what_was_decided_and_is_reported_once_in_either_order)
{
    struct bench b = bench_new(), c = bench_new();

    CHECK_INT(decided(&b, DECISION) & JOIN_OVERRIDDEN, 0);
    CHECK(ended(&b, END_V1A, 1, NOON_US) & JOIN_OVERRIDDEN);
    CHECK(!(ended(&c, END_V1A, 1, NOON_US) & JOIN_OVERRIDDEN));
    CHECK(decided(&c, DECISION) & JOIN_OVERRIDDEN);
    CHECK_INT(decided(&c, DECISION), JOIN_NOTHING);
    CHECK_STR(said(&b)->policy_variant, "v1a");
    CHECK(!HAS(said(&b), has_propensity_case));
    CHECK(!HAS(said(&c), has_propensity_case));
    arena_done(&b.arena);
    arena_done(&c.arena);
}

TEST(unit_join, the_first_end_counts_and_its_redelivery_is_no_duplicate)
{
    struct bench b = bench_new();

    ended(&b, END_V2B, 7, NOON_US);
    CHECK_INT(ended(&b, END_V2B, 7, NOON_US), JOIN_NOTHING);
    CHECK_INT(ended(&b, END_V1A, 8, NOON_US), JOIN_DUPLICATE_END);
    CHECK_STR(join_variant(b.record), "v2b");
    arena_done(&b.arena);
}

/* ---- knowledge ------------------------------------------------------------------------------------------------------------- */

TEST(unit_join, ties_go_to_human_user_judge_tool_fsm_and_then_to_the_larger_value)
{
    static const char *const ascending[] = {"FSM", "TOOL", "JUDGE", "USER", "HUMAN"};
    struct bench b = bench_new();

    for (int i = 0; i < 5; i++) {
        CHECK(amended(&b, arena_printf(&b.arena, "{\"source\":\"%s\",\"signals\":{\"user_rating\":%d}}", ascending[i], 5 - i),
                      NOON_US) & JOIN_CHANGED);
        CHECK_NEAR(known(&b, FIELD(USER_RATING)), 5 - i, 0);
    }
    CHECK(!(amended(&b, "{\"source\":\"USER\",\"signals\":{\"user_rating\":5}}", NOON_US) & JOIN_CHANGED));
    CHECK(amended(&b, "{\"source\":\"HUMAN\",\"signals\":{\"user_rating\":3}}", NOON_US) & JOIN_CHANGED);
    CHECK(!(amended(&b, "{\"source\":\"HUMAN\",\"signals\":{\"user_rating\":2}}", NOON_US) & JOIN_CHANGED));
    CHECK_NEAR(known(&b, FIELD(USER_RATING)), 3, 0);
    arena_done(&b.arena);
}

TEST(unit_join, a_source_not_told_is_the_tool)
{
    struct bench b = bench_new();

    amended(&b, "{\"signals\":{\"repeats\":2}}", NOON_US);
    CHECK_INT(b.record->known[0]->source, SOURCE(TOOL));
    CHECK(!(amended(&b, "{\"source\":\"FSM\",\"signals\":{\"repeats\":5}}", NOON_US) & JOIN_CHANGED));
    arena_done(&b.arena);
}

TEST(unit_join, the_last_at_wins_field_by_field_and_nothing_is_known_as_of_later_than_it_came)
{
    struct bench b = bench_new();

    amended(&b, "{\"at\":4000000000,\"signals\":{\"user_rating\":5,\"repeats\":1}}", NOON_US);
    amended(&b, "{\"at\":1763809200.5,\"source\":\"FSM\",\"signals\":{\"user_rating\":1}}", NOON_US + SECOND);
    amended(&b, "{\"at\":1,\"source\":\"HUMAN\",\"signals\":{\"user_rating\":3,\"repeats\":3}}", NOON_US + 9 * SECOND);
    CHECK_NEAR(known(&b, FIELD(USER_RATING)), 1, 0);
    CHECK_NEAR(known(&b, FIELD(REPEATS)), 1, 0);
    ended(&b, "{\"call_id\":\"c\",\"ts\":4000000000,\"policy_variant\":\"v1a\",\"signals\":{\"resolution\":true,"
              "\"user_rating\":4}}", 1, NOON_US + 2 * SECOND);
    CHECK_NEAR(known(&b, FIELD(USER_RATING)), 4, 0);
    amended(&b, "{\"signals\":{\"user_rating\":2}}", NOON_US + 3 * SECOND);
    CHECK_NEAR(known(&b, FIELD(USER_RATING)), 2, 0);
    arena_done(&b.arena);
}

TEST(unit_join, a_retraction_is_taken_back_by_a_later_one)
{
    struct bench b = bench_new();

    CHECK(amended(&b, "{\"retracted\":true}", NOON_US) & JOIN_EARLY);
    ended(&b, END_V2B, 1, NOON_US + SECOND);
    CHECK_INT(b.state, CALL_RETRACTED);
    CHECK(said(&b)->retracted);
    CHECK_INT(amended(&b, "{\"retracted\":false}", NOON_US + 2 * SECOND), JOIN_CHANGED);
    CHECK_INT(b.state, CALL_STORED);
    CHECK(!said(&b)->retracted);
    CHECK_INT(amended(&b, "{\"retracted\":true,\"at\":1}", NOON_US + 9 * SECOND), JOIN_NOTHING);
    arena_done(&b.arena);
}

TEST(unit_join, a_call_awaits_its_outcome_and_one_that_was_dropped_is_still_completed)
{
    struct bench b = bench_new();

    ended(&b, "{\"call_id\":\"c\",\"policy_variant\":\"v1a\",\"signals\":{\"duration_sec\":60.5}}", 1, NOON_US);
    CHECK_INT(b.state, CALL_WAITING_OUTCOME);
    b.state = join_state(b.record, CALL_DROPPED);
    CHECK_INT(b.state, CALL_DROPPED);
    amended(&b, "{\"signals\":{\"resolution\":false}}", NOON_US + SECOND);
    CHECK_INT(b.state, CALL_STORED);
    FeedbackStored *m = said(&b);
    CHECK(HAS(m->signals, has_resolution_case) && !m->signals->resolution);
    CHECK_NEAR(m->signals->duration_sec, 60.5, 0);
    CHECK(!HAS(m->signals, has_user_rating_case));
    arena_done(&b.arena);
}

TEST(unit_join, after_a_tombstone_no_message_brings_anything_back)
{
    struct bench b = bench_new();

    decided(&b, DECISION);
    amended(&b, "{\"signals\":{\"user_rating\":1}}", NOON_US);
    join_tombstone(b.record, NOON_US);
    CHECK_INT(decided(&b, DECISION), JOIN_NOTHING);
    CHECK_INT(ended(&b, END, 1, NOON_US), JOIN_NOTHING);
    CHECK_INT(amended(&b, "{\"retracted\":true,\"signals\":{\"user_rating\":1}}", NOON_US), JOIN_NOTHING);
    CHECK_INT(b.state, CALL_TOMBSTONE);
    CHECK(!b.record->decision && !b.record->end && b.record->n_known == 0);
    arena_done(&b.arena);
}

#define CONCLUDED "{\"call_id\":\"c\",\"policy_variant\":\"v1a\",\"source\":\"FSM\"," \
                  "\"signals\":{\"barge_in_count\":2,\"duration_sec\":80}}"
#define TOLD "{\"call_id\":\"c\",\"policy_variant\":\"v2b\",\"signals\":{\"resolution\":true,\"duration_sec\":75}}"

TEST(unit_join, an_end_that_the_router_concluded_waits_for_its_outcome_and_an_amendment_completes_it)
{
    struct bench b = bench_new();

    CHECK_INT(ended(&b, CONCLUDED, 7, NOON_US), JOIN_CHANGED);
    CHECK_INT(b.state, CALL_WAITING_OUTCOME);
    CHECK_INT(amended(&b, "{\"call_id\":\"c\",\"signals\":{\"resolution\":true}}", NOON_US - SECOND), JOIN_CHANGED);
    CHECK_INT(b.state, CALL_STORED);
    CHECK_INT(ended(&b, CONCLUDED, 9, NOON_US + SECOND), JOIN_DUPLICATE_END);
    CHECK_INT(said(&b)->signals->barge_in_count, 2);
    arena_done(&b.arena);
}

/* The stack that tells events and the end: none of its words is lost to the conclusion that came first. */
TEST(unit_join, an_end_that_the_voice_stack_tells_takes_the_place_of_a_concluded_one_and_never_the_other_way)
{
    struct bench b = bench_new(), other = bench_new();

    ended(&b, CONCLUDED, 7, NOON_US);
    CHECK_INT(ended(&b, TOLD, 8, NOON_US + SECOND), JOIN_CHANGED | JOIN_DUPLICATE_END);
    CHECK_INT(b.state, CALL_STORED);
    CHECK_STR(said(&b)->policy_variant, "v2b");
    CHECK_NEAR(known(&b, FIELD(DURATION_SEC)), 75, 0);
    CHECK_NEAR(known(&b, FIELD(BARGE_IN_COUNT)), 2, 0);
    CHECK_INT(ended(&b, TOLD, 8, NOON_US + SECOND), JOIN_NOTHING);
    CHECK_INT(ended(&b, CONCLUDED, 7, NOON_US), JOIN_DUPLICATE_END);
    CHECK_INT(ended(&b, TOLD, 10, NOON_US + 2 * SECOND), JOIN_DUPLICATE_END);
    ended(&other, TOLD, 8, NOON_US);
    CHECK_INT(ended(&other, CONCLUDED, 9, NOON_US + SECOND), JOIN_DUPLICATE_END);
    CHECK_STR(said(&other)->policy_variant, "v2b");
    arena_done(&b.arena);
    arena_done(&other.arena);
}
