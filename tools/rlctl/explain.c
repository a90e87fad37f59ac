/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - what a call would earn, and why a call heard what it heard. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "explain_text.h"
#include "rlctl.h"

/* In the order of the formula; a component that this version does not know comes last. */
static size_t place(const char *component)
{
    static const char *const order[] = {"resolution", "rating", "barge_in", "repeats", "handover", "duration", NULL, "total"};
    size_t i = 0;

    while (i < sizeof order / sizeof *order && (!order[i] || strcmp(order[i], component) != 0))
        i++;
    return i < sizeof order / sizeof *order ? i : 6;
}

static void print_reward(const RewardComputeReply *r)
{
    for (size_t rank = 0; rank < 7; rank++)
        for (size_t i = 0; i < r->n_components; i++)
            if (place(r->components[i]->key) == rank)
                printf("  %-12s %+.4f\n", r->components[i]->key, r->components[i]->value);
    printf("reward %+.4f   formula %s\n", r->reward, r->reward_version);
}

int verb_reward(struct ctl *ctl)
{
    RewardComputeRequest *request;
    const void *reply;
    int code = ctl_message(ctl, &tom__rl__v1__reward_compute_request__descriptor, (void **)&request);

    if (code != EXIT_OK)
        return code;
    if (!request->signals)
        return ctl_usage("", "how did the call go?  give --resolved, --unresolved, --rating, ...");
    code = ctl_ask(ctl, SUBJECT_REWARD_COMPUTE, request, &reply);
    if (code == EXIT_OK && !ctl->args.json)
        print_reward(reply);
    return code;
}

int verb_explain(struct ctl *ctl)
{
    RouterSessionRequest request = TOM__RL__V1__ROUTER_SESSION_REQUEST__INIT;
    const RouterSessionReply *r;
    const void *reply;

    request.call_id = arena_str(&ctl->arena, ctl->args.words[0]);
    request.explain = true;
    int code = ctl_ask(ctl, SUBJECT_ROUTER_SESSION, &request, &reply);
    if (code != EXIT_OK || ctl->args.json)
        return code;
    r = reply;
    if (!r->decision) {
        fputs("error: this router is older and cannot explain\n", stderr);
        return EXIT_ERROR;
    }
    explain_text(stdout, &ctl->arena, r, isatty(STDOUT_FILENO));
    return EXIT_OK;
}
