/* SPDX-License-Identifier: Apache-2.0 */
/* live.c - a call while it goes on: its events, and where they brought it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rlctl.h"

static const char *const events[] = {"incoming_call", "call_answered", "audio_start", "audio_stop", "barge_in", "call_ended",
                                     "timeout", "error"};

/* What the router would refuse whatever the state is said here and now. */
static int check_event(struct ctl *ctl, const char *event, const Tom__Rl__V1__CallEvent__Data *data)
{
    char names[160] = "";
    bool known = false;

    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        known |= strcmp(event, events[i]) == 0;
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", events[i]);
    }
    if (!known)
        return ctl_usage(event, arena_printf(&ctl->arena, "is no event; there are %s", names));
    if (data && HAS(data, has_user_rating_case) && (data->user_rating < 1 || data->user_rating > 5))
        return ctl_usage("data.user_rating", "1 to 5");
    if (data && HAS(data, has_repeat_count_case) && (data->repeat_count < 0 || data->repeat_count > 5))
        return ctl_usage("data.repeat_count", "0 to 5");
    return EXIT_OK;
}

/* No message id: the same event may well happen twice. */
int verb_event(struct ctl *ctl)
{
    CallEvent *message;
    int code = ctl_message(ctl, &tom__rl__v1__call_event__descriptor, (void **)&message);

    if (code == EXIT_OK)
        code = check_event(ctl, ctl->args.words[1], message->data);
    if (code != EXIT_OK)
        return code;
    message->call_id = arena_str(&ctl->arena, ctl->args.words[0]);
    message->event = arena_str(&ctl->arena, ctl->args.words[1]);
    return ctl_say(ctl, SUBJECT_CALL_EVENT, message, NULL);
}

typedef Tom__Rl__V1__RouterSessionReply__StatesEntry Count;

static int by_count(const void *a, const void *b)
{
    const Count *x = *(Count *const *)a, *y = *(Count *const *)b;

    return x->value != y->value ? (x->value < y->value) - (x->value > y->value) : strcmp(x->key, y->key);
}

static void print_statistics(const RouterSessionReply *r)
{
    printf("%llu live calls, %llu events taken, %llu decisions held\n", (unsigned long long)r->active_sessions,
           (unsigned long long)r->total_events, (unsigned long long)r->decisions);
    if (r->n_states)
        qsort(r->states, r->n_states, sizeof *r->states, by_count);
    for (size_t i = 0; i < r->n_states; i++)
        printf("  %-10s %8llu\n", r->states[i]->key, (unsigned long long)r->states[i]->value);
}

static void print_known(const Signals *s)
{
    printf("  known    ");
    if (HAS(s, has_resolution_case))
        printf(" %s", s->resolution ? "resolved" : "unresolved");
    if (HAS(s, has_user_rating_case))
        printf(" rating=%d", s->user_rating);
    if (HAS(s, has_handover_case))
        printf(" handover=%s", s->handover ? "yes" : "no");
    if (HAS(s, has_duration_sec_case))
        printf(" duration=%.1fs", s->duration_sec);
    printf("%s\n", HAS(s, has_resolution_case) ? "" : " (not yet whether it was resolved)");
}

static void print_session(const RouterSessionReply *r)
{
    printf("%s  %s, %s\n", r->call_id, r->state, r->policy_variant);
    if (r->decision_id[0])
        printf("  decision  %s\n", r->decision_id);
    if (!r->signals)
        return;
    printf("  heard     %u events, %u barge-ins, %u repeats\n", r->events, r->barge_in_count, r->repeats);
    print_known(r->signals);
}

int verb_session(struct ctl *ctl)
{
    RouterSessionRequest request = TOM__RL__V1__ROUTER_SESSION_REQUEST__INIT;
    const void *reply;

    if (ctl->args.word_count)
        request.call_id = arena_str(&ctl->arena, ctl->args.words[0]);
    int code = ctl_ask(ctl, SUBJECT_ROUTER_SESSION, &request, &reply);
    if (code != EXIT_OK || ctl->args.json)
        return code;
    if (ctl->args.word_count)
        print_session(reply);
    else
        print_statistics(reply);
    return EXIT_OK;
}
