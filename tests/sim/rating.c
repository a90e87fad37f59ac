/* SPDX-License-Identifier: Apache-2.0 */
/* rating.c - the question at the end of a call: asked once and once more, and its answer counts once however late and however
 * often it comes. */
#include <stdlib.h>

#include "feedback.h"
#include "running.h"
#include "talk.h"
#include "test.h"

static struct feedback *service(struct world *w) { return w->lives[WORLD_FEEDBACK].state; }

static void end_call(struct world *w, const char *id)
{
    tell_end(w, &(struct told_end){.id = id, .variant = "v1a", .resolved = true});
    world_run(w, SECOND_US);
}

static const FeedbackAnswerReply *answer(struct world *w, const char *id, const char *text, const char *language)
{
    FeedbackAnswerRequest q = TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__INIT;

    q.call_id = (char *)id;
    q.answer_case = TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__ANSWER_TEXT;
    q.text = (char *)text;
    q.language = (char *)language;
    const FeedbackAnswerReply *r = (const FeedbackAnswerReply *)world_ask(w, SUBJECT_FEEDBACK_ANSWER, &q.base);
    world_run(w, SECOND_US);
    return r;
}

static const FeedbackQuestionReply *question(struct world *w, const char *id, const char *variant, const char *language)
{
    FeedbackQuestionRequest q = TOM__RL__V1__FEEDBACK_QUESTION_REQUEST__INIT;

    q.call_id = (char *)id;
    q.policy_variant = (char *)variant;
    q.language = (char *)language;
    return (const FeedbackQuestionReply *)world_ask(w, SUBJECT_FEEDBACK_QUESTION, &q.base);
}

static void check_answer(const FeedbackAnswerReply *r, int rating, const char *status, const char *reason)
{
    CHECK_INT(r ? r->rating : -1, rating);
    CHECK_STR(r ? r->status : "", status);
    CHECK_STR(r ? r->reason : "", reason);
}

/* What the newest feedback.stored says, and how many there are. */
static int stored_rating(struct world *w, size_t expected)
{
    const FeedbackStored *m = (const FeedbackStored *)sim_last(w->sim, SUBJECT_FEEDBACK_STORED);

    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), expected);
    return m && m->signals && HAS(m->signals, has_user_rating_case) ? m->signals->user_rating : 0;
}

static int64_t learned(struct world *w)
{
    BanditRewardsRequest q = TOM__RL__V1__BANDIT_REWARDS_REQUEST__INIT;
    const BanditRewardsReply *r = (const BanditRewardsReply *)world_ask(w, SUBJECT_BANDIT_REWARDS, &q.base);

    return r ? (int64_t)r->count : -1;
}

static double counted(struct world *w, size_t metric, const char *label)
{
    return metrics_get(service(w)->metrics, METRIC_OWN(metric), label, NULL, NULL);
}

static void sleep_days(struct world *w, int days)
{
    world_sleep(w, days * DAY_S);
    world_run(w, 5 * SECOND_US);
}

TEST(sim_rating, an_answer_becomes_an_amendment_of_the_caller_and_is_learned)
{
    struct world *w = world_new(300);

    end_call(w, "c-1");
    check_answer(answer(w, "c-1", "Von eins bis fünf? Eine Vier.", "de"), 4, "rated", "clear");
    CHECK_INT(stored_rating(w, 2), 4);
    const CallAmended *m = (const CallAmended *)sim_message(w->sim, SUBJECT_CALL_AMENDED, 0);
    CHECK(m && m->source == TOM__RL__V1__SOURCE__SOURCE_USER);
    CHECK_INT(learned(w), 1);
    world_free(w);
}

TEST(sim_rating, an_answer_before_the_end_of_the_call_counts_with_it)
{
    struct world *w = world_new(301);

    check_answer(answer(w, "c-1", "fünf", ""), 5, "rated", "clear");
    end_call(w, "c-1");
    CHECK_INT(stored_rating(w, 1), 5);
    CHECK_INT(counted(w, FEEDBACK_RATING, "v1a"), 1);
    world_free(w);
}

TEST(sim_rating, the_same_answer_twice_is_one_amendment_and_a_changed_mind_another)
{
    struct world *w = world_new(302);

    end_call(w, "c-1");
    answer(w, "c-1", "zwei", "de");
    check_answer(answer(w, "c-1", "zwei", "de"), 2, "rated", "clear");
    CHECK_INT(stored_rating(w, 2), 2);
    answer(w, "c-1", "nein, drei", "de");
    CHECK_INT(stored_rating(w, 3), 3);
    answer(w, "c-1", "zwei", "de");
    CHECK_INT(stored_rating(w, 4), 2);
    CHECK_INT(learned(w), 1);
    world_free(w);
}

TEST(sim_rating, three_days_later_it_still_counts_exactly_once)
{
    struct world *w = world_new(303);

    end_call(w, "c-1");
    end_call(w, "c-2");
    sleep_days(w, 3);
    check_answer(answer(w, "c-1", "one star", "en"), 1, "rated", "clear");
    world_kill(w, WORLD_FEEDBACK);
    world_run(w, 5 * SECOND_US);
    check_answer(answer(w, "c-1", "one star", "en"), 1, "rated", "clear"); /* the service has forgotten, the stream has not */
    CHECK_INT(stored_rating(w, 3), 1);
    CHECK_INT(learned(w), 2);
    world_free(w);
}

/* The asker asks until it is answered; whatever the process said before it died, the call is rated once. */
static void answer_and_die(enum loop_step step, int countdown)
{
    const struct sim_chaos chaos = {.lose = 0.1, .repeat = 0.3, .delay_us = 500000};
    struct world *w = world_new(310 + step);

    end_call(w, "c-1");
    sim_set_chaos(w->sim, &chaos);
    world_arm(w, WORLD_FEEDBACK, step, countdown);
    answer(w, "c-1", "drei", "de");
    sim_set_chaos(w->sim, NULL);
    world_run(w, 30 * SECOND_US);
    CHECK_INT(learned(w), 1);
    const FeedbackStored *m = (const FeedbackStored *)sim_last(w->sim, SUBJECT_FEEDBACK_STORED);
    CHECK_INT(m && m->signals ? m->signals->user_rating : 0, 3);
    world_free(w);
}

TEST(sim_rating, no_answered_rating_is_lost_or_doubled_wherever_the_process_dies)
{
    for (enum loop_step step = 0; step < STEP_COUNT; step++)
        answer_and_die(step, 1);
}

TEST(sim_rating, there_is_one_retry_with_a_shorter_question_and_then_none)
{
    struct world *w = world_new(304);
    const FeedbackQuestionReply *first = question(w, "c-1", "", ""), *again = question(w, "c-1", "", "");

    CHECK(first && again && first->attempt == 1 && again->attempt == 1);
    CHECK_STR(again ? again->text : "", first ? first->text : "-");
    const FeedbackAnswerReply *r = answer(w, "c-1", "Wie bitte?", "");
    check_answer(r, 0, "retry", "no_answer");
    CHECK(r && first && HAS(r, has_next_question_case) && strlen(r->next_question) < strlen(first->text));
    const FeedbackQuestionReply *second = question(w, "c-1", "", "");
    CHECK_INT(second ? second->attempt : 0, 2);
    CHECK_STR(second ? second->text : "", r ? r->next_question : "-");
    r = answer(w, "c-1", "zehn", "");
    check_answer(r, 0, "no_rating", "out_of_range");
    CHECK(r && !HAS(r, has_next_question_case));
    second = question(w, "c-1", "", "");
    CHECK_STR(second ? second->text : "-", "");
    CHECK_INT(sim_stored(w->sim, SUBJECT_CALL_AMENDED), 0);
    world_free(w);
}

TEST(sim_rating, a_repeated_request_that_names_its_attempt_is_no_second_miss)
{
    struct world *w = world_new(305);
    FeedbackAnswerRequest q = TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__INIT;

    q.call_id = (char *)"c-1";
    q.attempt = 1;
    q.answer_case = TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__ANSWER_DTMF;
    q.dtmf = (char *)"9";
    for (int i = 0; i < 3; i++)
        check_answer((const FeedbackAnswerReply *)world_ask(w, SUBJECT_FEEDBACK_ANSWER, &q.base), 0, "retry", "out_of_range");
    q.attempt = 2;
    check_answer((const FeedbackAnswerReply *)world_ask(w, SUBJECT_FEEDBACK_ANSWER, &q.base), 0, "no_rating", "out_of_range");
    q.dtmf = (char *)"4#";
    check_answer((const FeedbackAnswerReply *)world_ask(w, SUBJECT_FEEDBACK_ANSWER, &q.base), 4, "rated", "clear");
    world_free(w);
}

TEST(sim_rating, the_language_is_the_requests_then_the_calls_then_the_configured_one)
{
    struct world *w = world_new(306);
    const FeedbackQuestionReply *r = question(w, "c-1", "", "en-GB");

    CHECK_STR(r ? r->language : "", "en");
    r = question(w, "c-1", "", "");
    CHECK_STR(r ? r->language : "", "en");
    check_answer(answer(w, "c-1", "to", ""), 2, "rated", "clear"); /* a homophone of English alone */
    r = question(w, "c-2", "", "");
    CHECK_STR(r ? r->language : "", "de");
    check_answer(answer(w, "c-2", "to", ""), 0, "retry", "no_answer");
    r = question(w, "c-2", "", "fr");
    CHECK_STR(r && r->error ? r->error->field : "", "language");
    world_free(w);
}

TEST(sim_rating, an_answer_less_sure_than_configured_gives_no_rating)
{
    struct world *w = world_new(307);

    check_answer(answer(w, "c-1", "sehr gut", "de"), 0, "retry", "unsure"); /* as it is shipped: praise is no number */
    check_answer(answer(w, "c-1", "fünf", "de"), 5, "rated", "clear");
    service(w)->rating_min_confidence = 0.5;
    check_answer(answer(w, "c-2", "sehr gut", "de"), 5, "rated", "clear");
    service(w)->rating_min_confidence = 0.8;
    check_answer(answer(w, "c-3", "sehr gut", "de"), 0, "retry", "unsure");
    check_answer(answer(w, "c-3", "fünf", "de"), 5, "rated", "clear");
    world_free(w);
}

TEST(sim_rating, each_call_counts_its_first_rating_in_the_distribution_whenever_it_comes)
{
    struct world *w = world_new(308);

    end_call(w, "c-1");
    CHECK_INT(counted(w, FEEDBACK_RATING, "v1a"), 0);
    answer(w, "c-1", "vier", "de");
    CHECK_INT(counted(w, FEEDBACK_RATING, "v1a"), 1);
    answer(w, "c-1", "fünf", "de");
    CHECK_INT(counted(w, FEEDBACK_RATING, "v1a"), 1);
    CHECK_INT(counted(w, FEEDBACK_RATING_DELAY, NULL), 1);
    CHECK_INT(counted(w, FEEDBACK_JOIN_DELAY, NULL), 1);
    CHECK_INT(metrics_get(service(w)->metrics, METRIC_OWN(FEEDBACK_ANSWERS), "rated", "number", NULL), 2);
    world_free(w);
}

/* The first variant of the file gets words of its own, base keeps the common ones. */
TEST(sim_rating, each_variant_asks_in_its_own_words_when_that_is_configured)
{
    struct world *w = world_new(309);
    struct variant *items = arena_copy(&w->arena, w->variants.items, w->variants.count * sizeof *items);
    static const struct variant_slot own[] = {{"question_de", "Na, wie war ich?"}, {"question_en", ""}};
    size_t other = w->variants.base == 0 ? 1 : 0;
    const struct variants changed = {.items = items, .count = w->variants.count, .base = w->variants.base};

    items[other].slots = own;
    items[other].slot_count = 2;
    service(w)->variants = &changed;
    const FeedbackQuestionReply *common = question(w, "", items[other].id, "de"), *english = question(w, "", "", "en");
    CHECK(common && strcmp(common->text, "Na, wie war ich?") != 0);
    service(w)->question_wording = 1;
    const FeedbackQuestionReply *r = question(w, "", items[other].id, "de");
    CHECK_STR(r ? r->text : "", "Na, wie war ich?");
    r = question(w, "", items[other].id, "en");
    CHECK_STR(r ? r->text : "", english ? english->text : "-");
    r = question(w, "", items[changed.base].id, "de");
    CHECK_STR(r ? r->text : "", common ? common->text : "-");
    service(w)->variants = &w->variants;
    world_free(w);
}

/* A recogniser that hears the loudspeaker must not rate the call. */
TEST(sim_rating, no_question_answers_itself)
{
    struct world *w = world_new(311);
    struct feedback *f = service(w);
    char id[16];

    for (int i = 0; i < 4; i++) {
        snprintf(id, sizeof id, "c-%d", i);
        const FeedbackAnswerReply *r = answer(w, id, i < 2 ? f->question[i] : f->question_retry[i - 2], i % 2 ? "en" : "de");
        CHECK_STR(r ? r->status : "", "retry");
    }
    world_free(w);
}

/* ---- late, and never ------------------------------------------------------------------------------------------------- */

TEST(sim_rating, the_way_from_the_end_to_the_rating_and_on_to_the_posterior_is_measured)
{
    extern const struct service bandit_service;
    struct world *w = world_new(320);
    const struct running *bandit = w->lives[WORLD_BANDIT].running;
    size_t delay = 0;

    while (delay < bandit_service.metric_count && strcmp(bandit_service.metrics[delay].name, "rl_posterior_delay_seconds") != 0)
        delay++;
    end_call(w, "c-1");
    answer(w, "c-1", "drei", "de");
    CHECK_INT(counted(w, FEEDBACK_JOIN_DELAY, NULL), 1);
    CHECK_INT(counted(w, FEEDBACK_RATING_DELAY, NULL), 1);
    /* learned, and learned again with its rating */
    CHECK_INT(metrics_get(bandit->metrics, METRIC_OWN(delay), NULL, NULL, NULL), 2);
    world_free(w);
}

static void amend(struct world *w, const char *id, int rating)
{
    tell_rating(w, id, rating);
    world_run(w, SECOND_US);
}

TEST(sim_rating, after_the_amendment_window_an_answer_is_told_so_and_an_amendment_counted)
{
    struct world *w = world_new(321);

    end_call(w, "c-1");
    sleep_days(w, 31);
    check_answer(answer(w, "c-1", "drei", "de"), 0, "no_rating", "too_late");
    CHECK_INT(sim_stored(w->sim, SUBJECT_CALL_AMENDED), 0);
    amend(w, "c-1", 3);
    CHECK_INT(counted(w, FEEDBACK_AMENDED, "too_late"), 1);
    CHECK_INT(counted(w, FEEDBACK_AMENDED, "late"), 0);
    CHECK_INT(sim_stored(w->sim, SUBJECT_DLQ_FEEDBACK), 1);
    CHECK_INT(sim_stored(w->sim, SUBJECT_FEEDBACK_STORED), 1);
    world_free(w);
}

/* The bus must not get to know again what must not be kept. */
TEST(sim_rating, without_consent_an_answer_goes_nowhere)
{
    struct world *w = world_new(323);

    tell_end(w, &(struct told_end){.id = "c-1", .consent = TOM__RL__V1__CONSENT__CONSENT_NONE});
    world_run(w, SECOND_US);
    check_answer(answer(w, "c-1", "fünf", "de"), 0, "no_rating", "not_kept");
    CHECK_INT(sim_stored(w->sim, SUBJECT_CALL_AMENDED), 0);
    world_free(w);
}

TEST(sim_rating, a_restart_between_two_minds_loses_neither)
{
    struct world *w = world_new(324);

    end_call(w, "c-1");
    answer(w, "c-1", "vier", "de");
    answer(w, "c-1", "zwei", "de");
    world_kill(w, WORLD_FEEDBACK);
    world_run(w, 5 * SECOND_US);
    answer(w, "c-1", "vier", "de");
    CHECK_INT(stored_rating(w, 4), 4);
    world_kill(w, WORLD_FEEDBACK);
    world_run(w, 5 * SECOND_US);
    answer(w, "c-1", "vier", "de"); /* known from an earlier life: nothing new */
    CHECK_INT(stored_rating(w, 4), 4);
    world_free(w);
}

TEST(sim_rating, a_rating_of_a_call_that_never_ends_is_counted_when_it_is_forgotten)
{
    struct world *w = world_new(322);

    answer(w, "ghost", "drei", "de");
    CHECK_INT(counted(w, FEEDBACK_AMENDED, "early"), 1);
    sleep_days(w, 10);
    end_call(w, "c-1");
    CHECK(ask_cleanup(w, 5, true) != NULL);
    world_run(w, 10 * SECOND_US);
    CHECK_INT(counted(w, FEEDBACK_DANGLING, NULL), 1);
    CHECK_INT(counted(w, FEEDBACK_DELETED, NULL), 1);
    world_free(w);
}
