/* SPDX-License-Identifier: Apache-2.0 */
/* join.c - whatever comes in whatever order, one call results; and which of two contradicting facts it holds. */
#include "join.h"

#include <stdlib.h>

#include "codec.h"
#include "test.h"

#define SOURCE(name) TOM__RL__V1__SOURCE__SOURCE_##name
#define FIELD(name) TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_##name

typedef Tom__Rl__V1__PolicySelected__ContextEntry SelectedContextEntry;
typedef Tom__Rl__V1__PolicySelected__ProbabilitiesEntry SelectedProbabilitiesEntry;
#define SelectedContext_descriptor tom__rl__v1__policy_selected__context_entry__descriptor
#define SelectedProbabilities_descriptor tom__rl__v1__policy_selected__probabilities_entry__descriptor

enum { SECOND = 1000000, HOUR = 472222 * 3600 };

/* One call: its record, and an arena that lives as long as the test. */
struct fixture {
    struct arena arena;
    CallRecord *record;
};

static struct fixture fixture(void)
{
    struct fixture f = {0};

    f.record = codec_new(&f.arena, &tom__rl__v1__call_record__descriptor);
    return f;
}

static void done(struct fixture *f) { arena_done(&f->arena); }

/* ---- messages -------------------------------------------------------------------------------------------------------------- */

static PolicySelected *decision(struct arena *a, const char *id, const char *variant, double ts)
{
    static const char *const eligible[] = {"v1a", "v1b"};
    PolicySelected *m = codec_new(a, &tom__rl__v1__policy_selected__descriptor);

    m->decision_id = arena_str(a, id);
    m->policy_variant = arena_str(a, variant);
    m->propensity = 0.25;
    m->policy_version = (char *)"p7";
    m->guard_version = (char *)"g3";
    m->source = TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_LEARNED;
    m->ts = ts;
    m->context = arena_alloc(a, 2 * sizeof *m->context);
    MAP_ADD(a, m, context, SelectedContext, "profile", (char *)"it");
    MAP_ADD(a, m, context, SelectedContext, "time_of_day", (char *)"evening");
    m->probabilities = arena_alloc(a, 2 * sizeof *m->probabilities);
    MAP_ADD(a, m, probabilities, SelectedProbabilities, "v1b", 0.25);
    MAP_ADD(a, m, probabilities, SelectedProbabilities, "v1a", 0.75);
    m->eligible = arena_copy(a, eligible, sizeof eligible);
    m->n_eligible = 2;
    return m;
}

/* `variant` and `profile` "": not told. */
static End *end(struct arena *a, uint64_t sequence, const char *variant, const char *profile)
{
    End *e = codec_new(a, &tom__rl__v1__end__descriptor);

    e->ts = HOUR;
    e->agent = (char *)"TOM";
    e->profile = arena_str(a, profile);
    e->policy_variant = arena_str(a, variant);
    e->time_of_day = (char *)"morning";
    e->sequence = sequence;
    return e;
}

static void set_rating(Signals *s, int rating)
{
    s->has_user_rating_case = TOM__RL__V1__SIGNALS__HAS_USER_RATING_USER_RATING;
    s->user_rating = rating;
}

static void set_resolution(Signals *s, bool resolved)
{
    s->has_resolution_case = TOM__RL__V1__SIGNALS__HAS_RESOLUTION_RESOLUTION;
    s->resolution = resolved;
}

static void set_duration(Signals *s, double seconds)
{
    s->has_duration_sec_case = TOM__RL__V1__SIGNALS__HAS_DURATION_SEC_DURATION_SEC;
    s->duration_sec = seconds;
}

static Signals *nothing_known(struct arena *a) { return codec_new(a, &tom__rl__v1__signals__descriptor); }

static Signals *resolved(struct arena *a, bool value)
{
    Signals *s = nothing_known(a);

    set_resolution(s, value);
    return s;
}

/* `at` 0: absent. */
static CallAmended *amendment(struct arena *a, double at, Source source)
{
    CallAmended *m = codec_new(a, &tom__rl__v1__call_amended__descriptor);

    m->source = source;
    if (at > 0) {
        m->has_at_case = TOM__RL__V1__CALL_AMENDED__HAS_AT_AT;
        m->at = at;
    }
    m->signals = nothing_known(a);
    return m;
}

static CallAmended *rated(struct arena *a, double at, Source source, int rating)
{
    CallAmended *m = amendment(a, at, source);

    set_rating(m->signals, rating);
    return m;
}

static CallAmended *retraction(struct arena *a, double at, bool retracted)
{
    CallAmended *m = amendment(a, at, SOURCE(HUMAN));

    m->has_retracted_case = TOM__RL__V1__CALL_AMENDED__HAS_RETRACTED_RETRACTED;
    m->retracted = retracted;
    return m;
}

static const FeedbackStored *said(struct fixture *f)
{
    FeedbackStored *m = codec_new(&f->arena, &tom__rl__v1__feedback_stored__descriptor);

    join_message(&f->arena, f->record, m);
    return m;
}

/* -1: unknown. */
static double known(const struct fixture *f, Tom__Rl__V1__Knowledge__Field field)
{
    double value = -1;

    join_known(f->record, field, &value);
    return value;
}

static unsigned amend(struct fixture *f, const CallAmended *m, int64_t arrived_s)
{
    return join_amendment(&f->arena, f->record, m, arrived_s * SECOND);
}

static unsigned finish(struct fixture *f, const End *e, const Signals *signals, int64_t at_s)
{
    return join_end(&f->arena, f->record, e, signals, at_s * SECOND);
}

/* A call that is complete: decided v1b, ended, resolved. */
static struct fixture complete(void)
{
    struct fixture f = fixture();

    join_decision(&f.arena, f.record, decision(&f.arena, "d1", "v1b", 100), 100 * (int64_t)SECOND);
    finish(&f, end(&f.arena, 7, "", ""), resolved(&f.arena, true), 200);
    return f;
}

/* ---- any order ------------------------------------------------------------------------------------------------------------- */

enum { DECISION, ANOTHER_DECISION, END, EARLIER, LATER, RETRACTED, RESTORED, MESSAGES };

struct story {
    const PolicySelected *decisions[2];
    const End *end;
    const Signals *signals;
    const CallAmended *amendments[MESSAGES];
};

/* Fields contradict each other in time, in source, and in value; the end says another variant than both decisions. */
static struct story contradictions(struct arena *a)
{
    struct story s = {.decisions = {decision(a, "d1", "v1b", 100), decision(a, "d2", "v1a", 101)}};
    Signals *told = resolved(a, true);
    CallAmended *earlier = rated(a, 150, SOURCE(HUMAN), 1), *later = rated(a, 200, SOURCE(USER), 5);

    set_rating(told, 3);
    set_duration(told, 60);
    set_duration(earlier->signals, 90);
    set_resolution(later->signals, false);
    s.end = end(a, 7, "v2a", "kfz");
    s.signals = told;
    s.amendments[EARLIER] = earlier;
    s.amendments[LATER] = later;
    s.amendments[RETRACTED] = retraction(a, 300, true);
    s.amendments[RESTORED] = retraction(a, 400, false);
    return s;
}

/* All messages arrive at second 500; what they say of is told by themselves, the end at second 200. */
static unsigned tell(struct fixture *f, const struct story *s, int which)
{
    const int64_t arrived = 500 * (int64_t)SECOND;

    if (which == END)
        return join_end(&f->arena, f->record, s->end, s->signals, 200 * (int64_t)SECOND);
    if (which <= ANOTHER_DECISION)
        return join_decision(&f->arena, f->record, s->decisions[which], arrived);
    return join_amendment(&f->arena, f->record, s->amendments[which], arrived);
}

struct bytes {
    const uint8_t *data;
    size_t size;
};

static struct bytes bytes_of(struct fixture *f)
{
    struct bytes b;

    codec_encode(&f->arena, &f->record->base, false, &b.data, &b.size);
    return b;
}

/* Tells all in this order, then all again: nothing changes the second time.  An override is noticed once. */
static void tell_all(const struct story *s, const int *order, const struct bytes *expected)
{
    struct fixture f = fixture();
    int overridden = 0;

    for (int i = 0; i < MESSAGES; i++)
        overridden += (tell(&f, s, order[i]) & JOIN_OVERRIDDEN) != 0;
    for (int i = 0; i < MESSAGES; i++)
        CHECK((tell(&f, s, order[i]) & ~(unsigned)JOIN_EARLY) == JOIN_NOTHING);
    struct bytes got = bytes_of(&f);
    CHECK_INT(overridden, 1);
    CHECK(got.size == expected->size && memcmp(got.data, expected->data, got.size) == 0);
    if (test_failed())
        test_fail(__FILE__, __LINE__, "in the order %d %d %d %d %d %d %d", order[0], order[1], order[2], order[3], order[4],
                  order[5], order[6]);
    done(&f);
}

static void swap(int *a, int *b)
{
    int old = *a;

    *a = *b;
    *b = old;
}

static int permutations(const struct story *s, int *order, int from, const struct bytes *expected)
{
    int count = 0;

    if (from == MESSAGES)
        return tell_all(s, order, expected), 1;
    for (int i = from; i < MESSAGES && !test_failed(); i++) {
        swap(&order[from], &order[i]);
        count += permutations(s, order, from + 1, expected);
        swap(&order[from], &order[i]);
    }
    return count;
}

TEST(unit_join, any_order_and_any_number_of_copies_give_the_same_record)
{
    struct fixture f = fixture();
    struct story s = contradictions(&f.arena);
    int order[MESSAGES];

    for (int i = 0; i < MESSAGES; i++) {
        order[i] = i;
        tell(&f, &s, i);
    }
    CHECK_STR(f.record->decision->decision_id, "d1");
    CHECK_NEAR(known(&f, FIELD(USER_RATING)), 5, 0);   /* as of the end, but the caller outranks the voice stack */
    CHECK_NEAR(known(&f, FIELD(RESOLUTION)), 0, 0);
    CHECK_NEAR(known(&f, FIELD(DURATION_SEC)), 60, 0); /* the earlier amendment does not */
    CHECK_NEAR(known(&f, FIELD(RETRACTED)), 0, 0);
    struct bytes expected = bytes_of(&f);
    CHECK_INT(permutations(&s, order, 0, &expected), 5040);
    done(&f);
}

/* ---- which of two facts ---------------------------------------------------------------------------------------------------- */

TEST(unit_join, the_last_at_wins_whatever_the_order_of_arrival)
{
    struct fixture f = complete();

    amend(&f, rated(&f.arena, 300, SOURCE(FSM), 2), 400);
    amend(&f, rated(&f.arena, 299, SOURCE(HUMAN), 4), 500);
    CHECK_NEAR(known(&f, FIELD(USER_RATING)), 2, 0);
    amend(&f, rated(&f.arena, 301, SOURCE(FSM), 3), 500);
    CHECK_NEAR(known(&f, FIELD(USER_RATING)), 3, 0);
    done(&f);
}

TEST(unit_join, an_amendment_touches_only_the_fields_it_names)
{
    struct fixture f = complete();

    amend(&f, rated(&f.arena, 300, SOURCE(USER), 2), 400);
    const FeedbackStored *m = said(&f);
    CHECK(HAS(m->signals, has_resolution_case) && m->signals->resolution);
    CHECK_INT(m->signals->user_rating, 2);
    CHECK(!HAS(m->signals, has_repeats_case) && !HAS(m->signals, has_duration_sec_case));
    done(&f);
}

/* Rating 5 of the weaker source against 1 of the stronger: the larger value must not decide. */
static void outranks(Source weaker, Source stronger)
{
    for (int first = 0; first < 2; first++) {
        struct fixture f = complete();
        const CallAmended *both[] = {rated(&f.arena, 300, weaker, 5), rated(&f.arena, 300, stronger, 1)};
        amend(&f, both[first], 400);
        amend(&f, both[!first], 400);
        if (known(&f, FIELD(USER_RATING)) != 1)
            test_fail(__FILE__, __LINE__, "source %d does not outrank %d", stronger, weaker);
        done(&f);
    }
}

TEST(unit_join, at_the_same_time_human_outranks_user_judge_tool_fsm)
{
    static const Source rising[] = {SOURCE(FSM), SOURCE(TOOL), SOURCE(JUDGE), SOURCE(USER), SOURCE(HUMAN)};

    for (size_t i = 0; i < 5; i++)
        for (size_t j = i + 1; j < 5; j++)
            outranks(rising[i], rising[j]);
}

TEST(unit_join, a_source_that_is_not_told_is_the_voice_stack)
{
    outranks(SOURCE(UNSPECIFIED), SOURCE(JUDGE));
    outranks(SOURCE(FSM), SOURCE(UNSPECIFIED));
}

TEST(unit_join, of_two_equals_the_larger_value_wins)
{
    for (int first = 0; first < 2; first++) {
        struct fixture f = complete();
        amend(&f, rated(&f.arena, 300, SOURCE(USER), first ? 4 : 2), 400);
        amend(&f, rated(&f.arena, 300, SOURCE(USER), first ? 2 : 4), 400);
        CHECK_NEAR(known(&f, FIELD(USER_RATING)), 4, 0);
        done(&f);
    }
}

TEST(unit_join, nothing_is_known_as_of_later_than_it_was_told)
{
    struct fixture f = complete();

    amend(&f, rated(&f.arena, 9000, SOURCE(USER), 5), 300);
    amend(&f, rated(&f.arena, 301, SOURCE(USER), 1), 400);
    CHECK_NEAR(known(&f, FIELD(USER_RATING)), 1, 0);
    done(&f);
}

TEST(unit_join, without_at_an_amendment_is_as_of_its_arrival)
{
    struct fixture f = complete();

    amend(&f, rated(&f.arena, 0, SOURCE(FSM), 1), 300);
    amend(&f, rated(&f.arena, 299, SOURCE(FSM), 5), 400);
    CHECK_NEAR(known(&f, FIELD(USER_RATING)), 1, 0);
    amend(&f, rated(&f.arena, 0, SOURCE(FSM), 2), 301);
    CHECK_NEAR(known(&f, FIELD(USER_RATING)), 2, 0);
    done(&f);
}

TEST(unit_join, of_two_decisions_the_earlier_is_what_the_caller_heard)
{
    struct fixture f = fixture();

    CHECK_INT(join_decision(&f.arena, f.record, decision(&f.arena, "d2", "v1b", 100), 900), JOIN_CHANGED);
    CHECK_INT(join_decision(&f.arena, f.record, decision(&f.arena, "d9", "v1a", 101), 900), JOIN_NOTHING);
    CHECK_STR(join_variant(f.record), "v1b");
    CHECK_INT(join_decision(&f.arena, f.record, decision(&f.arena, "d3", "v1a", 100), 900), JOIN_NOTHING);
    CHECK_INT(join_decision(&f.arena, f.record, decision(&f.arena, "d1", "v1a", 100), 900), JOIN_CHANGED);
    CHECK_STR(join_variant(f.record), "v1a");
    done(&f);
}

TEST(unit_join, a_decision_keeps_its_probabilities_in_the_order_of_the_eligible)
{
    struct fixture f = complete();
    const Decision *d = f.record->decision;

    CHECK_INT(d->n_eligible, 2);
    CHECK_INT(d->n_probabilities, 2);
    CHECK_STR(d->eligible[0], "v1a");
    CHECK_NEAR(d->probabilities[0], 0.75, 0);
    CHECK_NEAR(d->probabilities[1], 0.25, 0);
    done(&f);
}

TEST(unit_join, the_first_end_wins_and_a_later_one_teaches_nothing)
{
    struct fixture f = complete();
    struct bytes before = bytes_of(&f);
    Signals *other = resolved(&f.arena, false);

    set_rating(other, 1);
    CHECK_INT(finish(&f, end(&f.arena, 7, "", ""), resolved(&f.arena, true), 200), JOIN_NOTHING);
    CHECK_INT(finish(&f, end(&f.arena, 8, "v1a", "it"), other, 300), JOIN_DUPLICATE_END);
    CHECK_INT(finish(&f, end(&f.arena, 6, "v1a", "it"), other, 100), JOIN_DUPLICATE_END);
    struct bytes after = bytes_of(&f);
    CHECK(before.size == after.size && memcmp(before.data, after.data, before.size) == 0);
    done(&f);
}

/* ---- what follows ---------------------------------------------------------------------------------------------------------- */

TEST(unit_join, what_was_spoken_counts_and_its_propensity_is_unknown)
{
    struct fixture f = fixture();

    join_decision(&f.arena, f.record, decision(&f.arena, "d1", "v1b", 100), 0);
    CHECK_INT(finish(&f, end(&f.arena, 7, "v2a", "kfz"), resolved(&f.arena, true), 0), JOIN_CHANGED | JOIN_OVERRIDDEN);
    const FeedbackStored *m = said(&f);
    CHECK_STR(m->policy_variant, "v2a");
    CHECK_STR(m->profile, "kfz");
    CHECK(!HAS(m, has_propensity_case));
    CHECK_STR(m->policy_version, "p7");
    CHECK_STR(m->context[0]->value, "it"); /* the cell that the router drew in */
    CHECK_STR(m->context[1]->value, "evening");
    done(&f);
}

TEST(unit_join, an_end_that_confirms_the_decision_is_no_override)
{
    struct fixture f = fixture();

    join_decision(&f.arena, f.record, decision(&f.arena, "d1", "v1b", 100), 0);
    CHECK_INT(finish(&f, end(&f.arena, 7, "v1b", ""), resolved(&f.arena, true), 0), JOIN_CHANGED);
    CHECK(HAS(said(&f), has_propensity_case));
    CHECK_NEAR(said(&f)->propensity, 0.25, 0);
    CHECK_STR(said(&f)->profile, "it");
    done(&f);
}

TEST(unit_join, a_call_without_decision_has_the_context_of_its_end_and_no_propensity)
{
    struct fixture f = fixture();

    finish(&f, end(&f.arena, 7, "v2a", ""), resolved(&f.arena, true), 0);
    CHECK_INT(join_state(f.record, CALL_OPEN), CALL_STORED);
    const FeedbackStored *m = said(&f);
    CHECK(!HAS(m, has_propensity_case));
    CHECK_STR(m->policy_version, "");
    CHECK_STR(m->profile, "general");
    CHECK_STR(m->context[0]->key, "profile");
    CHECK_STR(m->context[0]->value, "general");
    CHECK_STR(m->context[1]->value, "morning");
    CHECK_INT(m->ts, HOUR);
    CHECK_STR(m->agent, "TOM");
    done(&f);
}

TEST(unit_join, retracted_and_put_back_a_call_is_what_it_was)
{
    struct fixture f = complete();
    const uint8_t *before, *after;
    size_t before_size, after_size;

    codec_encode(&f.arena, &said(&f)->base, false, &before, &before_size);
    amend(&f, retraction(&f.arena, 300, true), 300);
    CHECK_INT(join_state(f.record, CALL_STORED), CALL_RETRACTED);
    CHECK(said(&f)->retracted);
    amend(&f, retraction(&f.arena, 302, false), 302);
    CHECK_INT(join_state(f.record, CALL_RETRACTED), CALL_STORED);
    codec_encode(&f.arena, &said(&f)->base, false, &after, &after_size);
    CHECK(before_size == after_size && memcmp(before, after, before_size) == 0);
    done(&f);
}

TEST(unit_join, a_retracted_call_still_learns)
{
    struct fixture f = complete();

    amend(&f, retraction(&f.arena, 300, true), 300);
    amend(&f, rated(&f.arena, 301, SOURCE(USER), 5), 301);
    CHECK_INT(join_state(f.record, CALL_RETRACTED), CALL_RETRACTED);
    amend(&f, retraction(&f.arena, 302, false), 302);
    CHECK_INT(said(&f)->signals->user_rating, 5);
    done(&f);
}

TEST(unit_join, an_amendment_before_the_end_is_kept)
{
    struct fixture f = fixture();

    CHECK_INT(amend(&f, rated(&f.arena, 100, SOURCE(USER), 4), 200), JOIN_CHANGED | JOIN_EARLY);
    CHECK_INT(join_state(f.record, CALL_OPEN), CALL_OPEN);
    finish(&f, end(&f.arena, 7, "v1a", ""), resolved(&f.arena, true), 300);
    CHECK_INT(said(&f)->signals->user_rating, 4);
    CHECK_INT(amend(&f, rated(&f.arena, 400, SOURCE(USER), 1), 400), JOIN_CHANGED);
    done(&f);
}

TEST(unit_join, a_call_without_variant_waits_for_its_decision)
{
    struct fixture f = fixture();

    finish(&f, end(&f.arena, 7, "", ""), resolved(&f.arena, true), 0);
    CHECK_INT(join_state(f.record, CALL_OPEN), CALL_WAITING_DECISION);
    CHECK_INT(join_state(f.record, CALL_NO_DECISION), CALL_NO_DECISION); /* given up, stays given up */
    CHECK_STR(join_variant(f.record), "");
    join_decision(&f.arena, f.record, decision(&f.arena, "d1", "v1b", 100), 0);
    CHECK_INT(join_state(f.record, CALL_NO_DECISION), CALL_STORED);
    done(&f);
}

TEST(unit_join, a_call_without_outcome_waits_for_it)
{
    struct fixture f = fixture();
    CallAmended *outcome = amendment(&f.arena, 300, SOURCE(JUDGE));

    finish(&f, end(&f.arena, 7, "v1a", ""), NULL, 0);
    CHECK_INT(join_state(f.record, CALL_OPEN), CALL_WAITING_OUTCOME);
    CHECK_INT(join_state(f.record, CALL_DROPPED), CALL_DROPPED);
    set_resolution(outcome->signals, false); /* false is known too */
    amend(&f, outcome, 300);
    CHECK_INT(join_resolution(f.record), TRI_FALSE);
    CHECK_INT(join_state(f.record, CALL_DROPPED), CALL_STORED);
    done(&f);
}

TEST(unit_join, a_tombstone_forgets_all_but_the_key)
{
    struct fixture f = complete();

    f.record->key_id = (char *)"k1";
    f.record->traceparent = (char *)"00-abc-def-01";
    join_tombstone(f.record, 77);
    CHECK_INT(join_state(f.record, CALL_STORED), CALL_TOMBSTONE);
    CHECK_STR(f.record->key_id, "k1");
    CHECK_STR(f.record->traceparent, "");
    CHECK_STR(join_variant(f.record), "");
    CHECK_INT(join_resolution(f.record), TRI_UNKNOWN);
    CHECK(!f.record->decision && !f.record->end);
    done(&f);
}

TEST(unit_join, every_signal_reaches_the_message_as_it_was_told)
{
    struct fixture f = fixture();
    const char *json = "{\"resolution\":false,\"user_rating\":2,\"barge_in_count\":0,\"handover\":true,\"duration_sec\":12.5,"
                       "\"repeats\":5,\"escalation\":true,\"satisfaction\":-0.25}";
    ProtobufCMessage *signals = NULL;
    const uint8_t *text;
    size_t size;
    bool is_json;

    CHECK_INT(codec_decode(&f.arena, &tom__rl__v1__signals__descriptor, json, strlen(json), 999, &is_json, &signals, NULL), 0);
    finish(&f, end(&f.arena, 7, "v1a", ""), (Signals *)signals, 0);
    codec_encode(&f.arena, &said(&f)->signals->base, true, &text, &size);
    CHECK_STR((const char *)text, json);
    done(&f);
}
