/* SPDX-License-Identifier: Apache-2.0 */
/* wiring.c - the tables, and the names on the wire. */
#include "wiring.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "msg.h"

#define MESSAGE(lower) &tom__rl__v1__##lower##__descriptor
#define STREAMED(text, in, who, lower) \
    {.name = text, .kind = KIND_STREAM, .stream = in, .service = who, .message = MESSAGE(lower)}
#define FROM_VOICE(text, who, lower)                                                                                      \
    {.name = text, .kind = KIND_STREAM, .stream = STREAM_CALLS, .service = who, .message = MESSAGE(lower), .voice = true, \
     .operator= true}
#define SNAPSHOT(text, in, who, lower) \
    {.name = text, .kind = KIND_SNAPSHOT, .stream = in, .service = who, .message = MESSAGE(lower)}
#define DEAD(who) \
    {.name = "rl.dlq." who, .kind = KIND_STREAM, .stream = STREAM_DLQ, .service = who, .message = MESSAGE(dead_letter)}
#define REQUEST(text, who, lower, from_voice)                                                             \
    {.name = text, .kind = KIND_REQUEST, .stream = STREAM_NONE, .service = who, .voice = from_voice,      \
     .message = MESSAGE(lower##_request), .reply = MESSAGE(lower##_reply), .operator= true}

const struct subject_info subject_table[SUBJECT_COUNT] = {
    [SUBJECT_CALL_EVENT] = FROM_VOICE("call.event", NULL, call_event),
    [SUBJECT_CALL_ENDED] = FROM_VOICE("call.ended", "router", call_ended),
    [SUBJECT_CALL_AMENDED] = FROM_VOICE("call.amended", "feedback", call_amended),
    [SUBJECT_POLICY_SELECTED] = STREAMED("policy.selected", STREAM_DECISIONS, "router", policy_selected),
    [SUBJECT_FEEDBACK_STORED] = STREAMED("feedback.stored", STREAM_FEEDBACK, "feedback", feedback_stored),
    [SUBJECT_REWARD_COMPUTED] = STREAMED("reward.computed", STREAM_REWARDS, "reward", reward_computed),
    [SUBJECT_BANDIT_UPDATED] = SNAPSHOT("bandit.updated", STREAM_BANDIT, "bandit", bandit_updated),
    [SUBJECT_BANDIT_CHANGED] = STREAMED("bandit.changed", STREAM_REWARDS, "bandit", bandit_changed),
    [SUBJECT_GUARD_UPDATED] = SNAPSHOT("guard.updated", STREAM_GUARD, "guard", guard_updated),
    [SUBJECT_DLQ_FEEDBACK] = DEAD("feedback"),
    [SUBJECT_DLQ_REWARD] = DEAD("reward"),
    [SUBJECT_DLQ_BANDIT] = DEAD("bandit"),
    [SUBJECT_DLQ_GUARD] = DEAD("guard"),
    [SUBJECT_DLQ_ROUTER] = DEAD("router"),
    [SUBJECT_POLICY_SELECT] = REQUEST("policy.select", "router", policy_select, true),
    [SUBJECT_ROUTER_SESSION] = REQUEST("router.session", "router", router_session, true),
    [SUBJECT_ROUTER_FORGET] = REQUEST("router.forget", "router", router_forget, false),
    [SUBJECT_FEEDBACK_QUESTION] = REQUEST("feedback.question", "feedback", feedback_question, true),
    [SUBJECT_FEEDBACK_ANSWER] = REQUEST("feedback.answer", "feedback", feedback_answer, true),
    [SUBJECT_FEEDBACK_STATS] = REQUEST("feedback.stats", "feedback", feedback_stats, false),
    [SUBJECT_FEEDBACK_BY_POLICY] = REQUEST("feedback.by_policy", "feedback", feedback_by_policy, false),
    [SUBJECT_FEEDBACK_QUERY] = REQUEST("feedback.query", "feedback", feedback_query, false),
    [SUBJECT_FEEDBACK_CLEANUP] = REQUEST("feedback.cleanup", "feedback", feedback_cleanup, false),
    [SUBJECT_FEEDBACK_REPLAY] = REQUEST("feedback.replay", "feedback", feedback_replay, false),
    [SUBJECT_FEEDBACK_ERASE] = REQUEST("feedback.erase", "feedback", feedback_erase, false),
    [SUBJECT_FEEDBACK_EXPORT] = REQUEST("feedback.export", "feedback", feedback_export, false),
    [SUBJECT_REWARD_COMPUTE] = REQUEST("reward.compute", "reward", reward_compute, false),
    [SUBJECT_BANDIT_STATS] = REQUEST("bandit.stats", "bandit", bandit_stats, false),
    [SUBJECT_BANDIT_REWARDS] = REQUEST("bandit.rewards", "bandit", bandit_rewards, false),
    [SUBJECT_BANDIT_RESET] = REQUEST("bandit.reset", "bandit", bandit_reset, false),
    [SUBJECT_BANDIT_REBUILD] = REQUEST("bandit.rebuild", "bandit", bandit_rebuild, false),
    [SUBJECT_BANDIT_VERSIONS] = REQUEST("bandit.versions", "bandit", bandit_versions, false),
    [SUBJECT_BANDIT_SWITCH] = REQUEST("bandit.switch", "bandit", bandit_switch, false),
    [SUBJECT_GUARD_STATUS] = REQUEST("guard.status", "guard", guard_status, false),
    [SUBJECT_GUARD_HEALTH] = REQUEST("guard.health", "guard", guard_health, false),
    [SUBJECT_GUARD_COMMAND] = REQUEST("guard.command", "guard", guard_command, false),
};

enum { DAY = 86400 };

/* CALLS and DLQ hold raw call ids: 72 h.  The shares leave a fifth of the account free. */
const struct stream_info stream_table[STREAM_COUNT] = {
    [STREAM_CALLS] = {"CALLS", 3 * DAY, 20, MAX_PAYLOAD, false},
    [STREAM_DECISIONS] = {"DECISIONS", 14 * DAY, 20, MAX_PAYLOAD, false},
    [STREAM_FEEDBACK] = {"FEEDBACK", 14 * DAY, 16, MAX_PAYLOAD, false},
    [STREAM_REWARDS] = {"REWARDS", 14 * DAY, 16, MAX_PAYLOAD, false},
    [STREAM_BANDIT] = {"BANDIT", 14 * DAY, 1, 10 * MAX_PAYLOAD, true},
    [STREAM_GUARD] = {"GUARD", 14 * DAY, 1, 4 * MAX_PAYLOAD, true},
    [STREAM_DLQ] = {"DLQ", 3 * DAY, 6, 4 * MAX_PAYLOAD, false},
};

const struct consumer_info consumer_table[CONSUMER_COUNT] = {
    {"feedback", SUBJECT_CALL_ENDED, "feedback_ended", false},
    {"feedback", SUBJECT_CALL_AMENDED, "feedback_amended", false},
    {"feedback", SUBJECT_POLICY_SELECTED, "feedback", false},
    {"reward", SUBJECT_FEEDBACK_STORED, "reward", true},
    {"bandit", SUBJECT_REWARD_COMPUTED, "bandit", false},
    {"guard", SUBJECT_POLICY_SELECTED, "guard", false},
    {"router", SUBJECT_CALL_EVENT, "router", false},
};

enum subject subject_dlq(const char *service)
{
    for (enum subject s = SUBJECT_DLQ_FEEDBACK; s <= SUBJECT_DLQ_ROUTER; s++)
        if (strcmp(subject_table[s].service, service) == 0)
            return s;
    return SUBJECT_COUNT;
}

enum subject subject_find(const char *name)
{
    for (enum subject s = 0; s < SUBJECT_COUNT; s++)
        if (strcmp(subject_table[s].name, name) == 0)
            return s;
    return SUBJECT_COUNT;
}

void wire_subject(const char *prefix, enum subject subject, char ret_name[static 128])
{
    int n = snprintf(ret_name, 128, "%s%s", prefix, subject_table[subject].name);

    assert(n > 0 && n < 128);
}

void wire_stream(const char *prefix, enum stream stream, char ret_name[static 64])
{
    int n = snprintf(ret_name, 64, "%s%s", prefix, stream_table[stream].name);

    assert(n > 0 && n < 64);
    for (size_t i = 0; i < strlen(prefix); i++)
        ret_name[i] = ret_name[i] == '.' ? '_' : (char)toupper((unsigned char)ret_name[i]);
}

void wire_user(const char *prefix, const char *user, char ret_name[static 64])
{
    int n = snprintf(ret_name, 64, "%s%s", prefix, user);

    assert(n > 0 && n < 64);
    for (size_t i = 0; i < strlen(prefix); i++)
        ret_name[i] = ret_name[i] == '.' ? '_' : ret_name[i];
}
