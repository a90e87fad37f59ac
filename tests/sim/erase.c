/* SPDX-License-Identifier: Apache-2.0 */
/* erase.c - an erased call leaves everything as if it had never been, whoever dies meanwhile, and never comes back. */
#include <stdlib.h>

#include "test.h"
#include "tombstones.h"
#include "world.h"

enum { SECOND_US = 1000000 };

static void end_call(struct world *w, const char *id, int rating)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = (char *)id;
    m.has_policy_variant_case = TOM__RL__V1__CALL_ENDED__HAS_POLICY_VARIANT_POLICY_VARIANT;
    m.policy_variant = (char *)"v1a";
    s.has_resolution_case = TOM__RL__V1__SIGNALS__HAS_RESOLUTION_RESOLUTION;
    s.resolution = true;
    s.has_user_rating_case = TOM__RL__V1__SIGNALS__HAS_USER_RATING_USER_RATING;
    s.user_rating = rating;
    m.signals = &s;
    sim_publish(w->sim, SUBJECT_CALL_ENDED, &m.base, "");
    world_run(w, SECOND_US);
}

/* What is known over all calls, to the bit. */
struct known {
    long long pulls, events;
    double reward;
};

static struct known known(struct world *w)
{
    BanditStatsRequest ask = TOM__RL__V1__BANDIT_STATS_REQUEST__INIT;
    FeedbackStatsRequest ask_feedback = TOM__RL__V1__FEEDBACK_STATS_REQUEST__INIT;
    const BanditStatsReply *b = (const BanditStatsReply *)world_ask(w, SUBJECT_BANDIT_STATS, &ask.base);
    const FeedbackStatsReply *f = (const FeedbackStatsReply *)world_ask(w, SUBJECT_FEEDBACK_STATS, &ask_feedback.base);
    struct known k = {.events = f ? (long long)f->total_events : -1};

    for (size_t i = 0; b && i < b->n_variants; i++)
        if (strcmp(b->variants[i]->key, "v1a") == 0) {
            k.pulls = b->variants[i]->value->pulls;
            k.reward = b->variants[i]->value->total_reward;
        }
    return k;
}

static void check_known(struct world *w, struct known before)
{
    BanditRebuildRequest ask = TOM__RL__V1__BANDIT_REBUILD_REQUEST__INIT;
    struct known now = known(w);

    ask.check = true;
    const BanditRebuildReply *r = (const BanditRebuildReply *)world_ask(w, SUBJECT_BANDIT_REBUILD, &ask.base);
    CHECK(r && r->identical);
    CHECK_INT(now.pulls, before.pulls);
    CHECK_INT(now.events, before.events);
    CHECK(now.reward == before.reward);
}

static const FeedbackEraseReply *erase(struct world *w, const char *id)
{
    FeedbackEraseRequest ask = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;

    ask.call_id = (char *)id;
    return (const FeedbackEraseReply *)world_ask(w, SUBJECT_FEEDBACK_ERASE, &ask.base);
}

static long long erased(const FeedbackEraseReply *r, const char *place)
{
    for (size_t i = 0; r && i < r->n_erased; i++)
        if (strcmp(r->erased[i]->key, place) == 0)
            return (long long)r->erased[i]->value;
    return -1;
}

/* Messages of the streams that name the call, under any name. */
static size_t traces(struct world *w, const char *id)
{
    struct keyring *ring = NULL;
    struct reason reason;
    uint8_t key[CALL_KEY_BYTES];
    char text[CALL_KEY_TEXT];
    size_t n = 0;
    const ProtobufCMessage *m;

    CHECK_INT(keyring_load(w->key_file, &ring, &reason), STATUS_OK);
    pseudonym(ring, 0, DOMAIN_CALL, id, key);
    call_key_text(key, text);
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_CALL_ENDED, i)); i++)
        n += strcmp(((const CallEnded *)m)->call_id, id) == 0;
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_FEEDBACK_STORED, i)); i++)
        n += strcmp(((const FeedbackStored *)m)->call_key, text) == 0;
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_REWARD_COMPUTED, i)); i++)
        n += strcmp(((const RewardComputed *)m)->call_key, text) == 0;
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_POLICY_SELECTED, i)); i++)
        n += strcmp(((const PolicySelected *)m)->call_key, text) == 0;
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_DLQ_FEEDBACK, i)); i++)
        n += memmem(((const DeadLetter *)m)->payload.data, ((const DeadLetter *)m)->payload.len, id, strlen(id)) != NULL;
    keyring_free(ring);
    return n;
}

static int64_t rows(struct world *w, enum world_service service, const char *sql)
{
    struct query *q = store_query(w->keepers[service], sql);
    bool row = false;

    CHECK_INT(query_step(q, &row), STATUS_OK);
    int64_t n = row ? query_int(q, 0) : -1;
    query_reset(q);
    return n;
}

static struct known three_calls(struct world *w)
{
    end_call(w, "c-1", 4);
    end_call(w, "c-2", 1);
    world_run(w, 5 * SECOND_US);
    struct known before = known(w);
    end_call(w, "victim", 3);
    CHECK_INT(known(w).pulls, before.pulls + 1);
    return before;
}

TEST(sim_erase, an_erased_call_leaves_the_sums_exactly_and_no_message_of_it_is_left)
{
    struct world *w = world_new(200);
    PolicySelectRequest select = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;
    static const char bad[] = "{\"call_id\":\" victim \",\"signals\":{\"user_rating\":9}}", worse[] = "{\"call_id\":\"victim\",";

    select.call_id = (char *)"victim";
    CHECK(world_ask(w, SUBJECT_POLICY_SELECT, &select.base) != NULL);
    struct known before = three_calls(w);
    sim_publish_raw(w->sim, SUBJECT_CALL_AMENDED, bad, sizeof bad - 1);
    sim_publish_raw(w->sim, SUBJECT_CALL_AMENDED, worse, sizeof worse - 1);
    world_run(w, SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK), 2);
    CHECK(traces(w, "victim") > 5);
    const FeedbackEraseReply *r = erase(w, "victim");
    CHECK(r && !r->error && strlen(r->receipt_id) > 10);
    CHECK_INT(erased(r, "feedback.db"), 1);
    CHECK_INT(erased(r, "CALLS"), 3);
    CHECK_INT(erased(r, "DECISIONS"), 1);
    CHECK_INT(erased(r, "FEEDBACK"), 2);
    CHECK_INT(erased(r, "REWARDS"), 2);
    CHECK_INT(erased(r, "DLQ"), 2);
    CHECK_INT(traces(w, "victim"), 0);
    check_known(w, before);
    CHECK_INT(rows(w, WORLD_BANDIT, "SELECT count(*) FROM ledger"), 2);
    CHECK_INT(rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM call"), 2);
    CHECK_INT(rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM erasure"), 0);
    world_free(w);
}

TEST(sim_erase, what_is_said_of_it_later_changes_nothing)
{
    struct world *w = world_new(201);
    FeedbackReplayRequest replay = TOM__RL__V1__FEEDBACK_REPLAY_REQUEST__INIT;
    RewardComputed late = TOM__RL__V1__REWARD_COMPUTED__INIT;
    struct known before = three_calls(w);
    const RewardComputed *old = (const RewardComputed *)sim_message(w->sim, SUBJECT_REWARD_COMPUTED, sim_stored(w->sim, SUBJECT_REWARD_COMPUTED) - 1);

    CHECK(old != NULL);
    late = *old;
    CHECK(erase(w, "victim") != NULL);
    end_call(w, "victim", 5);
    CHECK(world_ask(w, SUBJECT_FEEDBACK_REPLAY, &replay.base) != NULL);
    sim_publish(w->sim, SUBJECT_REWARD_COMPUTED, &late.base, "");
    world_run(w, 5 * SECOND_US);
    check_known(w, before);
    world_kill(w, WORLD_FEEDBACK);
    world_kill(w, WORLD_BANDIT);
    world_run(w, 5 * SECOND_US);
    end_call(w, "victim", 5);
    late.revision++;
    sim_publish(w->sim, SUBJECT_REWARD_COMPUTED, &late.base, "");
    world_run(w, 5 * SECOND_US);
    check_known(w, before);
    world_free(w);
}

TEST(sim_erase, asked_twice_or_for_a_call_nobody_knows_it_gives_a_receipt)
{
    struct world *w = world_new(202);
    struct known before = three_calls(w);
    const FeedbackEraseReply *first = erase(w, "victim"), *second = erase(w, " victim "), *nobody = erase(w, "nobody"), *none = erase(w, "");

    CHECK_STR(second ? second->receipt_id : "", first ? first->receipt_id : "-");
    CHECK_INT(erased(second, "feedback.db"), 0);
    CHECK_INT(erased(second, "FEEDBACK"), 1); /* that it was said again */
    CHECK(nobody && !nobody->error && strcmp(nobody->receipt_id, first->receipt_id) != 0);
    CHECK_STR(none && none->error ? none->error->field : "", "call_id");
    check_known(w, before);
    world_free(w);
}

/* The asker does not ask again: what was begun is finished. */
static void erase_and_die(enum world_service service, enum loop_step step, int countdown)
{
    struct world *w = world_new(210 + step);
    struct known before = three_calls(w);
    FeedbackEraseRequest ask = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;

    ask.call_id = (char *)"victim";
    sim_request(w->sim, SUBJECT_FEEDBACK_ERASE, &ask.base);
    world_run(w, 20000);
    world_arm(w, service, step, countdown);
    world_run(w, 20 * SECOND_US);
    bool begun = rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM tombstone") > 0;
    if (!begun)
        CHECK(erase(w, "victim") != NULL);
    world_run(w, 5 * SECOND_US);
    if (traces(w, "victim") || rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM erasure"))
        test_fail(__FILE__, __LINE__, "service %d, step %d, time %d: %zu messages are left", service, step, countdown, traces(w, "victim"));
    check_known(w, before);
    world_free(w);
}

TEST(sim_erase, what_was_begun_is_finished_whoever_dies)
{
    static const enum world_service services[] = {WORLD_FEEDBACK, WORLD_REWARD, WORLD_BANDIT};

    for (size_t s = 0; s < COUNT_OF(services); s++)
        for (int step = 0; step < STEP_COUNT && !test_failed(); step++)
            for (int countdown = 1; countdown <= 3; countdown++)
                erase_and_die(services[s], (enum loop_step)step, countdown);
}

TEST(sim_erase, on_a_bus_that_loses_and_repeats_nothing_stays)
{
    const struct sim_chaos chaos = {.lose = 0.05, .repeat = 0.2, .delay_us = 500000};

    for (int seed = 0; seed < 4 && !test_failed(); seed++) {
        struct world *w = world_new(230 + (uint64_t)seed);
        struct known before = three_calls(w);
        sim_set_chaos(w->sim, &chaos);
        CHECK(erase(w, "victim") != NULL);
        end_call(w, "victim", 2);
        sim_set_chaos(w->sim, NULL);
        world_run(w, 20 * SECOND_US);
        check_known(w, before);
        CHECK_INT(traces(w, "victim"), 1); /* what was said after it was erased lies in CALLS until its 72 h are over */
        world_free(w);
    }
}

/* rlctl restore merges the tombstones of today into the databases of yesterday. */
TEST(sim_erase, a_restored_backup_does_not_bring_it_back)
{
    struct world *w = world_new(240);
    struct known before = three_calls(w);
    struct keyring *ring = NULL;
    struct reason reason;
    uint8_t key[CALL_KEY_BYTES], hash[CALL_KEY_BYTES];

    CHECK_INT(keyring_load(w->key_file, &ring, &reason), STATUS_OK);
    pseudonym(ring, 0, DOMAIN_CALL, "victim", key);
    tombstone_of(key, hash);
    keyring_free(ring);
    for (int i = 0; i < 2; i++) {
        struct query *q = store_query(w->keepers[i ? WORLD_BANDIT : WORLD_FEEDBACK], "INSERT INTO tombstone(hash, erased_us, swept) VALUES(?, 1, 0)");
        query_bind_blob(q, 1, hash, sizeof hash);
        CHECK_INT(query_run(q, NULL), STATUS_OK);
        world_kill(w, i ? WORLD_BANDIT : WORLD_FEEDBACK);
    }
    world_run(w, 5 * SECOND_US);
    check_known(w, before);
    CHECK_INT(rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM tombstone WHERE swept = 0"), 0);
    CHECK_INT(rows(w, WORLD_BANDIT, "SELECT count(*) FROM tombstone WHERE swept = 0"), 0);
    world_free(w);
}

static const FeedbackExportReply *export(struct world *w, const char *id)
{
    FeedbackExportRequest ask = TOM__RL__V1__FEEDBACK_EXPORT_REQUEST__INIT;

    ask.call_id = (char *)id;
    return (const FeedbackExportReply *)world_ask(w, SUBJECT_FEEDBACK_EXPORT, &ask.base);
}

TEST(sim_erase, what_is_held_of_a_call_is_told_until_it_is_erased)
{
    struct world *w = world_new(241);

    three_calls(w);
    const FeedbackExportReply *r = export(w, " victim"), *nobody = export(w, "nobody");
    CHECK(r && r->n_calls == 1 && !r->erased && r->n_elsewhere > 5);
    if (r && r->n_calls == 1) {
        CHECK_STR(r->calls[0]->state, "stored");
        CHECK_INT(r->calls[0]->n_known, 2);
        CHECK_STR(r->calls[0]->known[1]->field, "user_rating");
        CHECK_NEAR(r->calls[0]->known[1]->value, 3, 0);
        CHECK_STR(r->calls[0]->said ? r->calls[0]->said->policy_variant : "", "v1a");
    }
    CHECK(nobody && nobody->n_calls == 0 && !nobody->erased);
    CHECK(erase(w, "victim") != NULL);
    r = export(w, "victim");
    CHECK(r && r->n_calls == 0 && r->erased);
    world_free(w);
}

/* ---- rotation --------------------------------------------------------------------------------------------------------------------------------- */

static void rotate(struct world *w)
{
    FILE *f = fopen(w->key_file, "we");

    fprintf(f, "k2 f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff %lld\n"
               "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", (long long)(sim_now_us(w->sim) / SECOND_US));
    fclose(f);
}

static const char *decide(struct world *w, const char *id)
{
    PolicySelectRequest select = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;

    select.call_id = (char *)id;
    const PolicySelectReply *r = (const PolicySelectReply *)world_ask(w, SUBJECT_POLICY_SELECT, &select.base);
    return r ? r->policy_variant : "";
}

static void end_by_decision(struct world *w, const char *id)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = (char *)id;
    s.has_resolution_case = TOM__RL__V1__SIGNALS__HAS_RESOLUTION_RESOLUTION;
    s.resolution = true;
    m.signals = &s;
    sim_publish(w->sim, SUBJECT_CALL_ENDED, &m.base, "");
    world_run(w, SECOND_US);
}

TEST(sim_keys, a_call_that_spans_a_rotation_stays_one_call)
{
    struct world *w = world_new(250);
    FeedbackStatsRequest ask = TOM__RL__V1__FEEDBACK_STATS_REQUEST__INIT;

    const char *before = decide(w, "spans");
    end_call(w, "old", 3);
    rotate(w);
    world_run(w, 20 * SECOND_US);
    CHECK_STR(decide(w, "spans"), before); /* remembered under the old key */
    end_by_decision(w, "spans");
    end_call(w, "old", 5); /* a duplicate */
    CHECK(decide(w, "new") != NULL);
    end_by_decision(w, "new");
    world_run(w, 5 * SECOND_US);
    const FeedbackStatsReply *r = (const FeedbackStatsReply *)world_ask(w, SUBJECT_FEEDBACK_STATS, &ask.base);
    CHECK_INT(r ? (long long)r->total_events : -1, 3);
    CHECK_INT(rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM call"), 3);
    const FeedbackStored *last = (const FeedbackStored *)sim_message(w->sim, SUBJECT_FEEDBACK_STORED, sim_stored(w->sim, SUBJECT_FEEDBACK_STORED) - 1);
    CHECK_STR(last ? last->key_id : "", "k2");
    CHECK(last && last->has_propensity_case);
    world_free(w);
}

/* feedback was away: it hears the end first, under the new key, and then the decision that was made under the old one. */
TEST(sim_keys, a_decision_under_the_old_key_finds_the_call_that_came_first_under_the_new_one)
{
    struct world *w = world_new(251);
    PolicySelected late = TOM__RL__V1__POLICY_SELECTED__INIT;

    CHECK(decide(w, "model") != NULL);
    late = *(const PolicySelected *)sim_message(w->sim, SUBJECT_POLICY_SELECTED, 0);
    rotate(w);
    world_run(w, 20 * SECOND_US);
    end_by_decision(w, "late");
    struct keyring *ring = NULL;
    struct reason reason;
    uint8_t key[CALL_KEY_BYTES];
    char text[CALL_KEY_TEXT];
    CHECK_INT(keyring_load(w->key_file, &ring, &reason), STATUS_OK);
    pseudonym(ring, 1, DOMAIN_CALL, "late", key);
    call_key_text(key, text);
    keyring_free(ring);
    late.call_key = text;
    sim_publish(w->sim, SUBJECT_POLICY_SELECTED, &late.base, "");
    world_run(w, 5 * SECOND_US);
    CHECK_INT(rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM call"), 2);
    CHECK_INT(rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM call WHERE state = 6"), 1);
    CHECK(erase(w, "late") != NULL);
    CHECK_INT(rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM alias"), 0);
    CHECK_INT(rows(w, WORLD_FEEDBACK, "SELECT count(*) FROM call"), 1);
    world_free(w);
}

/* ---- reports ---------------------------------------------------------------------------------------------------------------------------------- */

static const BanditArmStats *arm(struct world *w, const char *profile, bool report)
{
    BanditStatsRequest ask = TOM__RL__V1__BANDIT_STATS_REQUEST__INIT;

    ask.profile = (char *)profile;
    ask.report = report;
    const BanditStatsReply *r = (const BanditStatsReply *)world_ask(w, SUBJECT_BANDIT_STATS, &ask.base);
    for (size_t i = 0; r && i < r->n_variants; i++)
        if (strcmp(r->variants[i]->key, "v1a") == 0)
            return r->variants[i]->value;
    return NULL;
}

TEST(sim_reports, what_four_callers_of_a_profile_tell_is_left_out_and_five_are_shown)
{
    struct world *w = world_new(260);
    static const char *const ids[] = {"c-1", "c-2", "c-3", "c-4"};

    for (size_t i = 0; i < 4; i++)
        end_call(w, ids[i], 4);
    world_run(w, SECOND_US);
    const BanditArmStats *report = arm(w, "general", true), *loop = arm(w, "general", false), *all = arm(w, "", true);
    CHECK(report && report->suppressed && report->pulls == 0 && report->mean_reward == 0);
    CHECK(loop && !loop->suppressed && loop->pulls == 4);
    CHECK(all && !all->suppressed && all->pulls == 4);
    end_call(w, "c-5", 4);
    report = arm(w, "general", true);
    CHECK(report && !report->suppressed && report->pulls == 5);
    world_free(w);
}
