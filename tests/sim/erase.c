/* SPDX-License-Identifier: Apache-2.0 */
/* erase.c - an erased call leaves everything as if it had never been, whoever dies meanwhile, and never comes back. */
#include <stdlib.h>

#include "talk.h"
#include "test.h"
#include "tombstones.h"

static void end_call(struct world *w, const char *id, int rating)
{
    tell_end(w, &(struct told_end){.id = id, .variant = "v1a", .resolved = true, .rating = rating});
    world_run(w, SECOND_US);
}

/* What is known over all calls, to the bit. */
struct known {
    long long pulls, events;
    double reward;
};

static struct known known(struct world *w)
{
    const BanditArmStats *arm = stats_of_arm(ask_bandit_stats(w, ""), "v1a");
    const FeedbackStatsReply *f = ask_feedback_stats(w);

    return (struct known){.events = f ? (long long)f->total_events : -1, .pulls = arm ? arm->pulls : 0,
                          .reward = arm ? arm->total_reward : 0};
}

static void check_known(struct world *w, struct known before)
{
    struct known now = known(w);

    check_rebuild(w);
    CHECK_INT(now.pulls, before.pulls);
    CHECK_INT(now.events, before.events);
    CHECK(now.reward == before.reward);
}

/* Messages of the streams that name the call, under any name. */
static size_t traces(struct world *w, const char *id)
{
    const char *key = world_call_key(w, 0, id);
    size_t n = 0;
    const ProtobufCMessage *m;

    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_CALL_ENDED, i)); i++)
        n += strcmp(((const CallEnded *)m)->call_id, id) == 0;
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_FEEDBACK_STORED, i)); i++)
        n += strcmp(((const FeedbackStored *)m)->call_key, key) == 0;
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_REWARD_COMPUTED, i)); i++)
        n += strcmp(((const RewardComputed *)m)->call_key, key) == 0;
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_POLICY_SELECTED, i)); i++)
        n += strcmp(((const PolicySelected *)m)->call_key, key) == 0;
    for (size_t i = 0; (m = sim_message(w->sim, SUBJECT_DLQ_FEEDBACK, i)); i++)
        n += memmem(((const DeadLetter *)m)->payload.data, ((const DeadLetter *)m)->payload.len, id, strlen(id)) != NULL;
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
    static const char bad[] = "{\"call_id\":\" victim \",\"signals\":{\"user_rating\":9}}", worse[] = "{\"call_id\":\"victim\",";

    CHECK(ask_decision(w, "victim", "") != NULL);
    struct known before = three_calls(w);
    sim_publish_raw(w->sim, SUBJECT_CALL_AMENDED, bad, sizeof bad - 1);
    sim_publish_raw(w->sim, SUBJECT_CALL_AMENDED, worse, sizeof worse - 1);
    world_run(w, SECOND_US);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK), 2);
    CHECK(traces(w, "victim") > 5);
    const FeedbackEraseReply *r = ask_erase_call(w, "victim");
    CHECK(r && !r->error && strlen(r->receipt_id) > 10);
    CHECK_INT(erased(r, "feedback.db"), 1);
    CHECK_INT(erased(r, "CALLS"), 3);
    CHECK_INT(erased(r, "DECISIONS"), 1);
    CHECK_INT(erased(r, "FEEDBACK"), 2);
    CHECK_INT(erased(r, "REWARDS"), 2);
    CHECK_INT(erased(r, "DLQ"), 2);
    CHECK_INT(traces(w, "victim"), 0);
    check_known(w, before);
    CHECK_INT(world_number(w, WORLD_BANDIT, "SELECT count(*) FROM ledger"), 2);
    CHECK_INT(world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM call"), 2);
    CHECK_INT(world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM erasure"), 0);
    world_free(w);
}

TEST(sim_erase, what_is_said_of_it_later_changes_nothing)
{
    struct world *w = world_new(201);
    RewardComputed late = TOM__RL__V1__REWARD_COMPUTED__INIT;
    struct known before = three_calls(w);
    const RewardComputed *old = (const RewardComputed *)sim_last(w->sim, SUBJECT_REWARD_COMPUTED);

    CHECK(old != NULL);
    late = *old;
    CHECK(ask_erase_call(w, "victim") != NULL);
    end_call(w, "victim", 5);
    ask_replay(w, "");
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
    const FeedbackEraseReply *first = ask_erase_call(w, "victim"), *second = ask_erase_call(w, " victim "),
                             *nobody = ask_erase_call(w, "nobody"), *none = ask_erase_call(w, "");

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
    bool begun = world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM tombstone") > 0;
    if (!begun)
        CHECK(ask_erase_call(w, "victim") != NULL);
    world_run(w, 5 * SECOND_US);
    if (traces(w, "victim") || world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM erasure"))
        test_fail(__FILE__, __LINE__, "service %d, step %d, time %d: %zu messages are left", service, step, countdown,
                  traces(w, "victim"));
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
        CHECK(ask_erase_call(w, "victim") != NULL);
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
    uint8_t key[CALL_KEY_BYTES], hash[CALL_KEY_BYTES];

    world_pseudonym(w, 0, "victim", key);
    tombstone_of(key, hash);
    for (int i = 0; i < 2; i++) {
        enum world_service service = i ? WORLD_BANDIT : WORLD_FEEDBACK;
        struct query *q = store_query(w->keepers[service], "INSERT INTO tombstone(hash, erased_us, swept) VALUES(?, 1, 0)");
        query_bind_blob(q, 1, hash, sizeof hash);
        CHECK_INT(query_run(q, NULL), STATUS_OK);
        world_kill(w, service);
    }
    world_run(w, 5 * SECOND_US);
    check_known(w, before);
    CHECK_INT(world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM tombstone WHERE swept = 0"), 0);
    CHECK_INT(world_number(w, WORLD_BANDIT, "SELECT count(*) FROM tombstone WHERE swept = 0"), 0);
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
    CHECK(ask_erase_call(w, "victim") != NULL);
    r = export(w, "victim");
    CHECK(r && r->n_calls == 0 && r->erased);
    world_free(w);
}

/* ---- rotation -------------------------------------------------------------------------------------------------------- */

static const char *decide(struct world *w, const char *id)
{
    const PolicySelectReply *r = ask_decision(w, id, "");

    return r ? r->policy_variant : "";
}

static void end_by_decision(struct world *w, const char *id)
{
    tell_end(w, &(struct told_end){.id = id, .resolved = true});
    world_run(w, SECOND_US);
}

TEST(sim_keys, a_call_that_spans_a_rotation_stays_one_call)
{
    struct world *w = world_new(250);
    const char *before = decide(w, "spans");
    end_call(w, "old", 3);
    world_rotate(w, true);
    world_run(w, 20 * SECOND_US);
    CHECK_STR(decide(w, "spans"), before); /* remembered under the old key */
    end_by_decision(w, "spans");
    end_call(w, "old", 5); /* a duplicate */
    CHECK(decide(w, "new") != NULL);
    end_by_decision(w, "new");
    world_run(w, 5 * SECOND_US);
    const FeedbackStatsReply *r = ask_feedback_stats(w);
    CHECK_INT(r ? (long long)r->total_events : -1, 3);
    CHECK_INT(world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM call"), 3);
    const FeedbackStored *last = (const FeedbackStored *)sim_last(w->sim, SUBJECT_FEEDBACK_STORED);
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
    world_rotate(w, true);
    world_run(w, 20 * SECOND_US);
    end_by_decision(w, "late");
    late.call_key = world_call_key(w, 1, "late");
    sim_publish(w->sim, SUBJECT_POLICY_SELECTED, &late.base, "");
    world_run(w, 5 * SECOND_US);
    CHECK_INT(world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM call"), 2);
    CHECK_INT(world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM call WHERE state = 6"), 1);
    CHECK(ask_erase_call(w, "late") != NULL);
    CHECK_INT(world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM alias"), 0);
    CHECK_INT(world_number(w, WORLD_FEEDBACK, "SELECT count(*) FROM call"), 1);
    world_free(w);
}

/* ---- reports --------------------------------------------------------------------------------------------------------- */

static const BanditArmStats *arm(struct world *w, const char *profile, bool report)
{
    BanditStatsRequest ask = TOM__RL__V1__BANDIT_STATS_REQUEST__INIT;

    ask.profile = (char *)profile;
    ask.report = report;
    return stats_of_arm((const BanditStatsReply *)world_ask(w, SUBJECT_BANDIT_STATS, &ask.base), "v1a");
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
