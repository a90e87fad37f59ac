/* SPDX-License-Identifier: Apache-2.0 */
/* caller.c - erase and export for a caller instead of a call: whose key it is, and all calls of it, page by page. */
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "rlctl.h"

enum { LONGEST_LINE = 4096 };

/* From the standard input for "-": arguments are shown to everybody by ps, and kept by the shell. */
int ctl_whom(struct ctl *ctl, char **ret_caller)
{
    const char *given = args_get(&ctl->args, "--caller");
    char line[LONGEST_LINE];

    *ret_caller = NULL;
    if ((given != NULL) == (ctl->args.word_count > 0))
        return ctl_usage("", given ? "a call or --caller, not both" : "which CALL?  or --caller KEY for all calls of a caller");
    if (!given)
        return EXIT_OK;
    if (strcmp(given, "-") == 0) {
        if (!fgets(line, sizeof line, stdin))
            return ctl_usage("--caller", "nothing on the standard input");
        given = line;
    }
    *ret_caller = arena_str(&ctl->arena, given);
    (*ret_caller)[strcspn(*ret_caller, "\r\n")] = '\0';
    return **ret_caller ? EXIT_OK : ctl_usage("--caller", "is empty");
}

static void add_page(FeedbackExportReply *all, const FeedbackExportReply *page, size_t *capacity)
{
    while (all->n_calls + page->n_calls > *capacity)
        *capacity = *capacity ? 2 * *capacity : 256;
    all->calls = xrealloc(all->calls, *capacity * sizeof *all->calls);
    if (page->n_calls)
        memcpy(all->calls + all->n_calls, page->calls, page->n_calls * sizeof *page->calls);
    all->n_calls += page->n_calls;
    all->n_elsewhere = page->n_elsewhere;
    all->elsewhere = page->elsewhere;
    all->n_key_ids = page->n_key_ids;
    all->key_ids = page->key_ids;
}

int ctl_calls_of(struct ctl *ctl, char *caller, FeedbackExportReply *ret)
{
    FeedbackExportRequest request = TOM__RL__V1__FEEDBACK_EXPORT_REQUEST__INIT;
    bool json = ctl->args.json;
    size_t capacity = 0;
    int code;

    *ret = (FeedbackExportReply)TOM__RL__V1__FEEDBACK_EXPORT_REPLY__INIT;
    request.caller_key = caller;
    ctl->args.json = false; /* one object in the end, not one a page */
    do {
        const void *reply;
        code = ctl_ask(ctl, SUBJECT_FEEDBACK_EXPORT, &request, &reply);
        if (code != EXIT_OK)
            break;
        add_page(ret, reply, &capacity);
        request.after = ((const FeedbackExportReply *)reply)->next;
    } while (request.after[0]);
    ctl->args.json = json;
    return code;
}
