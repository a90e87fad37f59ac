/* SPDX-License-Identifier: Apache-2.0 */
/* question.c - the question at the end of a call, one retry of it, and the rating in what was answered.
 *
 * A rating becomes a call.amended of source USER and then flows like any other.  Nothing here waits, and nothing is
 * written: how often a call was asked lives in memory, for it matters as long as the caller is on the line.  The text of
 * an answer is kept nowhere. */
#include <string.h>

#include "call_id.h"
#include "feedback.h"
#include "rating.h"

enum { QUESTIONS = 2 /* the question and its retry */, WORDING_COMMON = 0, GERMAN = 0, ENGLISH = 1 };

const char *const question_languages[] = {"de", "en", NULL}, *const question_wordings[] = {"common", "per_variant", NULL};

static const char *const statuses[] = {"rated", "retry", "no_rating"};

/* ---- the calls that are being asked ---------------------------------------------------------------------------------------- */

/* Moves the call's slot to the front of its set; one that was not there takes the last one's place. */
static struct asked *asked_of(struct feedback *f, const uint8_t *key)
{
    struct asked *set = f->asked[((size_t)key[2] << 8 | key[3]) % ASKED_SETS], found = {0};
    size_t at = 0;

    while (at < ASKED_WAYS - 1 && memcmp(set[at].key, key, CALL_KEY_BYTES) != 0)
        at++;
    if (memcmp(set[at].key, key, CALL_KEY_BYTES) == 0)
        found = set[at];
    memcpy(found.key, key, CALL_KEY_BYTES);
    memmove(set + 1, set, at * sizeof *set);
    set[0] = found;
    return set;
}

void question_forget(struct feedback *f, const uint8_t key[static CALL_KEY_BYTES])
{
    struct asked *set = f->asked[((size_t)key[2] << 8 | key[3]) % ASKED_SETS];

    for (size_t at = 0; at < ASKED_WAYS; at++)
        if (memcmp(set[at].key, key, CALL_KEY_BYTES) == 0)
            set[at] = (struct asked){0};
}

static struct asked *asked_of_id(struct feedback *f, const char *call_id)
{
    uint8_t key[CALL_KEY_BYTES];

    pseudonym(f->ring, 0, DOMAIN_CALL, call_id, key);
    return asked_of(f, key);
}

/* de, de-AT, DE_ch; empty: what the call was asked in last, else the configured one.  *ret 0: de, 1: en. */
static enum status language_of(const struct feedback *f, const char *told, const struct asked *asked, int *ret,
                               struct reason *reason)
{
    bool two = told[0] && told[1] && (told[2] == '\0' || told[2] == '-' || told[2] == '_');

    *ret = asked && asked->language ? asked->language - 1 : f->language;
    if (!told[0])
        return STATUS_OK;
    for (int i = GERMAN; i <= ENGLISH; i++)
        if (two && (told[0] | 32) == question_languages[i][0] && (told[1] | 32) == question_languages[i][1]) {
            *ret = i;
            return STATUS_OK;
        }
    return reason_set(reason, "language", "\"%.20s\" is none of de, en", told);
}

/* ---- feedback.question ----------------------------------------------------------------------------------------------------- */

/* A variant's slot question_de, question_en; NULL or "": it has none. */
static const char *own_words(const struct variants *variants, int index, int language)
{
    const char *name = language == GERMAN ? "question_de" : "question_en";

    for (size_t i = 0; index >= 0 && i < variants->items[index].slot_count; i++)
        if (strcmp(variants->items[index].slots[i].name, name) == 0)
            return variants->items[index].slots[i].value;
    return NULL;
}

/* The variant's own words, else base's, else the common ones. */
static const char *first_words(const struct feedback *f, const char *variant, int language)
{
    const char *words = NULL;

    if (f->question_wording != WORDING_COMMON) {
        words = own_words(f->variants, variants_find(f->variants, variant), language);
        if (!words || !words[0])
            words = own_words(f->variants, (int)f->variants->base, language);
    }
    return words && words[0] ? words : f->question[language];
}

static enum status variant_of(struct feedback *f, struct outbox *out, const struct in_msg *in, const FeedbackQuestionRequest *q,
                              const char **ret)
{
    struct call *c;

    *ret = q->policy_variant;
    if (q->policy_variant[0] || !q->call_id[0] || f->question_wording == WORDING_COMMON)
        return STATUS_OK;
    enum status status = calls_by_id(f, out, q->call_id, in, LOOK_BACK_DAYS, &c);
    if (status == STATUS_OK)
        *ret = join_variant(c->record);
    return status;
}

enum status on_question(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    FeedbackQuestionRequest *q = (FeedbackQuestionRequest *)in->body;
    FeedbackQuestionReply *m = codec_new(outbox_arena(out), &tom__rl__v1__feedback_question_reply__descriptor);
    struct asked *asked = NULL;
    const char *variant, *text = "";
    int language;
    enum status status = q->call_id[0] ? call_id_check(&q->call_id, "call_id", reason) : STATUS_OK;

    if (status == STATUS_OK && q->policy_variant[0] && !variant_id_valid(q->policy_variant))
        status = reason_set(reason, "policy_variant", "\"%.40s\" does not look like v1a", q->policy_variant);
    if (status != STATUS_OK)
        return status;
    asked = q->call_id[0] ? asked_of_id(f, q->call_id) : NULL;
    status = language_of(f, q->language, asked, &language, reason);
    if (status == STATUS_OK)
        status = variant_of(f, out, in, q, &variant);
    if (status != STATUS_OK)
        return status;
    m->attempt = asked && asked->misses ? QUESTIONS : 1;
    if (!asked || (!asked->misses && !asked->rating))
        text = first_words(f, variant, language);
    else if (!asked->rating && asked->misses < QUESTIONS)
        text = f->question_retry[language];
    if (asked)
        asked->language = (uint8_t)(language + 1);
    m->text = (char *)text;
    m->language = (char *)question_languages[language];
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}

/* ---- feedback.answer ------------------------------------------------------------------------------------------------------- */

/* Its id names what was known and how often the caller rated: what is said again after a lost reply is stored once, a changed
 * mind is not taken for it. */
static void amend(struct outbox *out, const struct in_msg *in, const char *call_id, const struct asked *asked, int64_t revision)
{
    CallAmended *m = outbox_new(out, SUBJECT_CALL_AMENDED);
    char key[CALL_KEY_TEXT];

    call_key_text(asked->key, key);
    m->call_id = (char *)call_id;
    m->has_at_case = TOM__RL__V1__CALL_AMENDED__HAS_AT_AT;
    m->at = (double)outbox_now(out).us / 1e6;
    m->source = TOM__RL__V1__SOURCE__SOURCE_USER;
    m->signals = codec_new(outbox_arena(out), &tom__rl__v1__signals__descriptor);
    m->signals->has_user_rating_case = TOM__RL__V1__SIGNALS__HAS_USER_RATING_USER_RATING;
    m->signals->user_rating = asked->rating;
    outbox_say(out, SUBJECT_CALL_AMENDED, &m->base,
               arena_printf(outbox_arena(out), "call.amended/%s/%lld/%d/%d", key, (long long)revision, asked->said,
                            asked->rating), 0, in->traceparent);
}

/* Which question was answered, 1 .. QUESTIONS; one that was answered before is not counted again. */
static unsigned count_miss(struct asked *asked, uint32_t told)
{
    unsigned attempt = told ? told : asked->misses + 1u;

    attempt = attempt < QUESTIONS ? attempt : QUESTIONS;
    if (attempt > asked->misses)
        asked->misses = (uint8_t)attempt;
    return attempt;
}

/* The same rating of the same caller: said in this life, or known from an earlier one. */
static bool known(const struct asked *asked, const struct call *c, int rating)
{
    const Knowledge *k = join_knowledge(c->record, TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_USER_RATING);

    return asked->said ? asked->rating == rating : k && k->value == rating && k->source == TOM__RL__V1__SOURCE__SOURCE_USER;
}

static void take_rating(struct outbox *out, const struct in_msg *in, struct asked *asked, const struct call *c, int rating)
{
    bool said_before = known(asked, c, rating);

    asked->rating = (uint8_t)rating;
    if (said_before)
        return;
    asked->said++;
    amend(out, in, ((const FeedbackAnswerRequest *)in->body)->call_id, asked, c->revision);
}

/* Why this call takes no rating; NULL: it does. */
static const char *closed(const struct feedback *f, const struct call *c, int64_t now_us)
{
    if (c->record->tombstone_us)
        return "not_kept";
    return feedback_too_late(f, c, now_us) ? "too_late" : NULL;
}

static struct rating read_answer(const FeedbackAnswerRequest *q, int language)
{
    if (q->answer_case == TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__ANSWER_DTMF)
        return rating_of_keys(q->dtmf);
    return rating_of_text(q->answer_case == TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__ANSWER_TEXT ? q->text : "",
                          language == GERMAN ? RATING_GERMAN : RATING_ENGLISH);
}

static void no_rating(const struct feedback *f, FeedbackAnswerReply *m, bool again, int language)
{
    m->status = (char *)statuses[again ? 1 : 2];
    if (again) {
        m->has_next_question_case = TOM__RL__V1__FEEDBACK_ANSWER_REPLY__HAS_NEXT_QUESTION_NEXT_QUESTION;
        m->next_question = (char *)f->question_retry[language];
    }
}

static void reply(struct feedback *f, struct outbox *out, const struct in_msg *in, const struct rating *r, FeedbackAnswerReply *m)
{
    m->method = (char *)rating_method_text(r->method);
    m->confidence = r->confidence;
    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_ANSWERS), 1, m->status, m->method, NULL);
    outbox_reply(out, in, &m->base);
}

enum status on_answer(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    FeedbackAnswerRequest *q = (FeedbackAnswerRequest *)in->body;
    FeedbackAnswerReply *m = codec_new(outbox_arena(out), &tom__rl__v1__feedback_answer_reply__descriptor);
    struct call *c;
    int language;
    enum status status = call_id_check(&q->call_id, "call_id", reason);

    if (status != STATUS_OK)
        return status;
    struct asked *asked = asked_of_id(f, q->call_id);
    status = language_of(f, q->language, asked, &language, reason);
    if (status == STATUS_OK)
        status = calls_by_id(f, out, q->call_id, in, 2 * (int32_t)f->amendment_window_days, &c);
    if (status != STATUS_OK)
        return status;
    struct rating r = read_answer(q, language);
    const char *closed_why = closed(f, c, in->time_us);
    bool sure = r.value && r.confidence >= f->rating_min_confidence;
    m->reason = (char *)(closed_why ? closed_why : r.value && !sure ? "unsure" : rating_reason_text(r.reason));
    asked->language = (uint8_t)(language + 1);
    if (sure && !closed_why) {
        take_rating(out, in, asked, c, r.value);
        m->status = (char *)statuses[0];
        m->has_rating_case = TOM__RL__V1__FEEDBACK_ANSWER_REPLY__HAS_RATING_RATING;
        m->rating = r.value;
    } else
        no_rating(f, m, count_miss(asked, q->attempt) < QUESTIONS && !asked->rating && !closed_why, language);
    reply(f, out, in, &r, m);
    return STATUS_OK;
}

void question_declare(struct feedback *f)
{
    for (enum rating_method method = RATING_NONE; method <= RATING_PRAISE; method++)
        for (size_t s = 0; s < COUNT_OF(statuses); s++)
            if (method != RATING_NONE || s > 0)
                metrics_declare(f->metrics, METRIC_OWN(FEEDBACK_ANSWERS), statuses[s], rating_method_text(method), NULL);
}
