/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - the question at the end of a call as its caller hears it, and an answer: typed, given, or as keys. */
#include <stdio.h>
#include <string.h>

#include "rlctl.h"

/* A line of the standard input; NULL: there is none. */
static char *typed(struct ctl *ctl)
{
    char line[1024];

    fputs("> ", stdout);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        return NULL;
    line[strcspn(line, "\r\n")] = '\0';
    return arena_str(&ctl->arena, line);
}

static void print_answer(const FeedbackAnswerReply *r)
{
    if (HAS(r, has_rating_case))
        printf("%s: %d (%s, confidence %.2f)\n", r->status, r->rating, r->method, r->confidence);
    else
        printf("%s: %s\n", r->status, r->reason);
}

static int say(struct ctl *ctl, FeedbackAnswerRequest *q, const FeedbackAnswerReply **ret)
{
    const void *reply;
    int code = ctl_ask(ctl, SUBJECT_FEEDBACK_ANSWER, q, &reply);

    if (code != EXIT_OK)
        return code;
    *ret = reply;
    if (!ctl->args.json)
        print_answer(reply);
    return EXIT_OK;
}

/* Answers until there is no further question, or nobody types any more. */
static int converse(struct ctl *ctl, FeedbackAnswerRequest *q)
{
    const FeedbackAnswerReply *r = NULL;
    int code = EXIT_OK;

    do {
        if (r && !ctl->args.json)
            puts(r->next_question);
        q->answer_case = TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__ANSWER_TEXT;
        q->text = typed(ctl);
        if (!q->text)
            return EXIT_OK;
        code = say(ctl, q, &r);
    } while (code == EXIT_OK && HAS(r, has_next_question_case));
    return code;
}

int verb_ask(struct ctl *ctl)
{
    FeedbackQuestionRequest question = TOM__RL__V1__FEEDBACK_QUESTION_REQUEST__INIT;
    FeedbackAnswerRequest answer = TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__INIT;
    const char *text = args_get(&ctl->args, "--text"), *dtmf = args_get(&ctl->args, "--dtmf"),
               *language = args_get(&ctl->args, "--language");
    const FeedbackAnswerReply *r;
    const void *reply;

    if (text && dtmf)
        return ctl_usage("", "a caller speaks or presses a key: give --text or --dtmf");
    question.call_id = answer.call_id = arena_str(&ctl->arena, ctl->args.words[0]);
    question.language = answer.language = arena_str(&ctl->arena, language ? language : "");
    int code = ctl_ask(ctl, SUBJECT_FEEDBACK_QUESTION, &question, &reply);
    if (code != EXIT_OK)
        return code;
    const char *words = ((const FeedbackQuestionReply *)reply)->text;
    if (!ctl->args.json)
        puts(words[0] ? words : "(asked enough: a voice stack would hang up)");
    if (!text && !dtmf)
        return converse(ctl, &answer);
    answer.answer_case = text ? TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__ANSWER_TEXT
                              : TOM__RL__V1__FEEDBACK_ANSWER_REQUEST__ANSWER_DTMF;
    if (text)
        answer.text = arena_str(&ctl->arena, text);
    else
        answer.dtmf = arena_str(&ctl->arena, dtmf);
    return say(ctl, &answer, &r);
}
