/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - stored calls for analysts: as a table, as CSV, or as JSON lines that import takes again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "import.h"

enum { DEFAULT_ROWS = 20, PAGE = 1000 };

typedef void print_event(const FeedbackStored *event);

static void print_tri(const char *before, bool known, bool value)
{
    printf("%s%s", before, known ? value ? "true" : "false" : "");
}

static void print_csv(const FeedbackStored *e)
{
    const Signals *s = e->signals;

    printf("%s,%lld,%s,%s,%s", e->call_key, (long long)e->ts, e->agent, e->profile, e->policy_variant);
    print_tri(",", HAS(s, has_resolution_case), s->resolution);
    HAS(s, has_user_rating_case) ? printf(",%d", s->user_rating) : printf(",");
    HAS(s, has_barge_in_count_case) ? printf(",%d", s->barge_in_count) : printf(",");
    print_tri(",", HAS(s, has_handover_case), s->handover);
    HAS(s, has_duration_sec_case) ? printf(",%.15g", s->duration_sec) : printf(",");
    HAS(s, has_repeats_case) ? printf(",%d", s->repeats) : printf(",");
    print_tri(",", HAS(s, has_escalation_case), s->escalation);
    HAS(s, has_satisfaction_case) ? printf(",%.15g\n", s->satisfaction) : printf(",\n");
}

/* The shape of call.ended, with the pseudonym as the call's id. */
static void print_jsonl(const FeedbackStored *e)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    struct arena arena = {0};
    const uint8_t *data;
    size_t size;

    m.call_id = e->call_key;
    m.has_ts_case = TOM__RL__V1__CALL_ENDED__HAS_TS_TS;
    m.ts = (double)e->ts;
    m.has_agent_case = TOM__RL__V1__CALL_ENDED__HAS_AGENT_AGENT;
    m.agent = e->agent;
    m.has_profile_case = TOM__RL__V1__CALL_ENDED__HAS_PROFILE_PROFILE;
    m.profile = e->profile;
    m.has_policy_variant_case = TOM__RL__V1__CALL_ENDED__HAS_POLICY_VARIANT_POLICY_VARIANT;
    m.policy_variant = e->policy_variant;
    m.signals = e->signals;
    codec_encode(&arena, &m.base, true, &data, &size);
    printf("%.*s\n", (int)size, (const char *)data);
    arena_done(&arena);
}

static void print_row(const FeedbackStored *e)
{
    const Signals *s = e->signals;
    time_t at = (time_t)e->ts;
    struct tm tm;
    char when[32], rating[16] = "-", duration[16] = "-";

    strftime(when, sizeof when, "%F %H:%M", gmtime_r(&at, &tm));
    if (HAS(s, has_user_rating_case))
        snprintf(rating, sizeof rating, "%d", s->user_rating);
    if (HAS(s, has_duration_sec_case))
        snprintf(duration, sizeof duration, "%.0f s", s->duration_sec);
    printf("%s  %-5s %-8s %-10s rating %-2s %8s  %.8s..\n", when, e->policy_variant, e->profile,
           !HAS(s, has_resolution_case) ? "?" : s->resolution ? "resolved" : "unresolved", rating, duration, e->call_key);
}

static int pages(struct ctl *ctl, FeedbackQueryRequest *q, uint64_t most, print_event *print)
{
    uint64_t left = most;
    struct arena arena = {0};
    struct client_message answer;
    struct reason reason;
    int code = ctl_connect(ctl);

    for (bool more = true; code == EXIT_OK && more && left;) {
        ProtobufCMessage *body = NULL;
        const uint8_t *data;
        size_t size;
        bool json;
        q->limit = left < PAGE ? (uint32_t)left : PAGE;
        codec_encode(&arena, &q->base, false, &data, &size);
        code = ctl_ask_bytes(ctl, SUBJECT_FEEDBACK_QUERY, data, size, &answer);
        if (code == EXIT_OK && codec_decode(&arena, &tom__rl__v1__feedback_query_reply__descriptor, answer.data, answer.size,
                                            1 << 20, &json, &body, &reason) != STATUS_OK)
            code = ctl_fail(ctl, STATUS_INVALID, &reason);
        const FeedbackQueryReply *r = (const FeedbackQueryReply *)body;
        if (code == EXIT_OK && r->error) {
            snprintf(reason.field, sizeof reason.field, "%s", r->error->field);
            snprintf(reason.text, sizeof reason.text, "%s", r->error->message);
            code = ctl_fail(ctl, STATUS_INVALID, &reason);
        }
        for (size_t i = 0; code == EXIT_OK && i < r->n_events; i++)
            print(r->events[i]);
        left -= code == EXIT_OK ? r->n_events : 0;
        more = code == EXIT_OK && r->next[0];
        q->after = code == EXIT_OK ? arena_str(&ctl->arena, r->next) : q->after;
        arena_reset(&arena);
    }
    arena_done(&arena);
    return code;
}

int verb_query(struct ctl *ctl)
{
    FeedbackQueryRequest *q;
    const char *limit = args_get(&ctl->args, "--limit");
    bool csv = args_get(&ctl->args, "--csv") != NULL, all = args_get(&ctl->args, "--all") != NULL;
    char *end = NULL;
    uint64_t most = limit ? strtoull(limit, &end, 10) : all ? UINT64_MAX : DEFAULT_ROWS;
    int code = ctl_message(ctl, &tom__rl__v1__feedback_query_request__descriptor, (void **)&q);

    if (code != EXIT_OK)
        return code;
    if (limit && (*end || most == 0))
        return ctl_usage("--limit", "needs a number of 1 or more");
    for (int i = 0; csv && i < CSV_COLUMNS; i++)
        printf("%s%s", csv_columns[i].name, i + 1 < CSV_COLUMNS ? "," : "\n");
    return pages(ctl, q, most, csv ? print_csv : ctl->args.json ? print_jsonl : print_row);
}
