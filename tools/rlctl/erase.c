/* SPDX-License-Identifier: Apache-2.0 */
/* erase.c - forget one call, or all calls of a caller: first where they are kept, then in the router's memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rlctl.h"

enum { WAIT_S = 600, ROUTER_S = 3 * 3600 /* it remembers nothing older */, KEYS_AT_ONCE = 500 };

static void print_receipt(const FeedbackEraseReply *r, uint64_t forgotten)
{
    printf("receipt %s\n", r->receipt_id);
    for (size_t i = 0; i < r->n_erased; i++)
        printf("  %-14s %6llu\n", r->erased[i]->key, (unsigned long long)r->erased[i]->value);
    printf("  %-14s %6llu\n", "router", (unsigned long long)forgotten);
}

/* Without a row nobody can tell what a call counted, or whether it ever was. */
static bool had_row(const FeedbackEraseReply *r)
{
    for (size_t i = 0; i < r->n_erased; i++)
        if (strcmp(r->erased[i]->key, "feedback.db") == 0)
            return r->erased[i]->value > 0;
    return false;
}

static int forget(struct ctl *ctl, const RouterForgetRequest *request, uint64_t *forgotten)
{
    const void *reply;
    int code = ctl_ask(ctl, SUBJECT_ROUTER_FORGET, request, &reply);

    *forgotten += code == EXIT_OK ? ((const RouterForgetReply *)reply)->forgotten : 0;
    return code;
}

static int erase_call(struct ctl *ctl)
{
    FeedbackEraseRequest request = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;
    RouterForgetRequest router = TOM__RL__V1__ROUTER_FORGET_REQUEST__INIT;
    uint64_t forgotten = 0;
    const void *receipt;

    request.call_id = router.call_id = arena_str(&ctl->arena, ctl->args.words[0]);
    int code = ctl_ask(ctl, SUBJECT_FEEDBACK_ERASE, &request, &receipt);
    if (code == EXIT_OK)
        code = forget(ctl, &router, &forgotten);
    if (code != EXIT_OK || ctl->args.json)
        return code;
    print_receipt(receipt, forgotten);
    puts(had_row(receipt) ? "The sums no longer hold it, unless it is older than bandit.retention_days; a tombstone keeps it out."
                          : "No row of it was there; a tombstone keeps it out. If it is older than the retention,"
                            " what it counted stays in the sums,\n"
                            "where nobody can tell whose it was.");
    puts("Copies that were made before (rlctl backup) still hold it until they are thrown away; restored, they lose it.");
    return EXIT_OK;
}

/* ---- a caller -------------------------------------------------------------------------------------------------------------- */

/* It knows calls only: those of the last hours, by their pseudonyms, which nobody has any more when the receipt is there. */
static int forget_calls(struct ctl *ctl, const FeedbackExportReply *calls, uint64_t *forgotten)
{
    RouterForgetRequest router = TOM__RL__V1__ROUTER_FORGET_REQUEST__INIT;
    double since = (double)time(NULL) - ROUTER_S;
    int code = EXIT_OK;

    router.call_keys = arena_alloc(&ctl->arena, KEYS_AT_ONCE * sizeof *router.call_keys);
    for (size_t i = 0; i < calls->n_calls && code == EXIT_OK; i++) {
        if (calls->calls[i]->ended_at >= since || calls->calls[i]->decided_at >= since)
            router.call_keys[router.n_call_keys++] = calls->calls[i]->call_key;
        if (router.n_call_keys < KEYS_AT_ONCE)
            continue;
        code = forget(ctl, &router, forgotten);
        router.n_call_keys = 0;
    }
    return code == EXIT_OK && router.n_call_keys ? forget(ctl, &router, forgotten) : code;
}

static void print_keys(const FeedbackEraseReply *r)
{
    fputs("Looked for under the keys", stdout);
    for (size_t i = 0; i < r->n_key_ids; i++)
        printf(" %s", r->key_ids[i]);
    puts("; what was written under one that was destroyed belongs to nobody any more.\n"
         "The sums no longer hold these calls, unless they are older than bandit.retention_days; tombstones keep them out.\n"
         "What the caller says from now on is new data.\n"
         "Copies that were made before (rlctl backup) still hold them until they are thrown away; restored, they lose them.");
}

static int erase_caller(struct ctl *ctl, char *caller)
{
    FeedbackEraseRequest request = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;
    FeedbackExportReply calls;
    uint64_t forgotten = 0;
    const void *receipt;
    int code = ctl_calls_of(ctl, caller, &calls);

    request.caller_key = caller;
    if (code == EXIT_OK)
        code = ctl_ask(ctl, SUBJECT_FEEDBACK_ERASE, &request, &receipt);
    if (code == EXIT_OK)
        code = forget_calls(ctl, &calls, &forgotten);
    if (code == EXIT_OK && !ctl->args.json) {
        print_receipt(receipt, forgotten);
        print_keys(receipt);
    }
    free(calls.calls);
    return code;
}

int verb_erase(struct ctl *ctl)
{
    const char *wait = args_get(&ctl->args, "--wait");
    char *caller;
    int code = ctl_whom(ctl, &caller);

    if (code != EXIT_OK)
        return code;
    ctl->timeout_ms = 1000 * (wait && atol(wait) > 0 ? atol(wait) : WAIT_S);
    return caller ? erase_caller(ctl, caller) : erase_call(ctl);
}
