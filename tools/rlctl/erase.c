/* SPDX-License-Identifier: Apache-2.0 */
/* erase.c - forget one call: first where it is kept, then in the router's memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rlctl.h"

enum { WAIT_S = 600 };

/* Without a row nobody can tell what a call counted, or whether it ever was. */
static void print_receipt(const FeedbackEraseReply *r, const RouterForgetReply *router)
{
    bool row = false;

    printf("receipt %s\n", r->receipt_id);
    for (size_t i = 0; i < r->n_erased; i++) {
        printf("  %-14s %6llu\n", r->erased[i]->key, (unsigned long long)r->erased[i]->value);
        row |= strcmp(r->erased[i]->key, "feedback.db") == 0 && r->erased[i]->value > 0;
    }
    printf("  %-14s %6llu\n", "router", (unsigned long long)router->forgotten);
    puts(row ? "The sums no longer hold it, unless it is older than bandit.retention_days; a tombstone keeps it out."
             : "No row of it was there; a tombstone keeps it out. If it is older than the retention, what it counted stays in the sums,\n"
               "where nobody can tell whose it was.");
    puts("Copies that were made before (rlctl backup) still hold it until they are thrown away; restored, they lose it.");
}

int verb_erase(struct ctl *ctl)
{
    FeedbackEraseRequest request = TOM__RL__V1__FEEDBACK_ERASE_REQUEST__INIT;
    RouterForgetRequest forget = TOM__RL__V1__ROUTER_FORGET_REQUEST__INIT;
    const char *wait = args_get(&ctl->args, "--wait");
    const void *receipt, *router;

    request.call_id = forget.call_id = arena_str(&ctl->arena, ctl->args.words[0]);
    ctl->timeout_ms = 1000 * (wait && atol(wait) > 0 ? atol(wait) : WAIT_S);
    int code = ctl_ask(ctl, SUBJECT_FEEDBACK_ERASE, &request, &receipt);
    if (code == EXIT_OK)
        code = ctl_ask(ctl, SUBJECT_ROUTER_FORGET, &forget, &router);
    if (code == EXIT_OK && !ctl->args.json)
        print_receipt(receipt, router);
    return code;
}
