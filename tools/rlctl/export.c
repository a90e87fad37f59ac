/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - all that is held of one call, as one JSON object: what feedback keeps, and what the router remembers; or
 * of all calls of a caller. */
#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "rlctl.h"

/* The router forgets after two hours: that it knows nothing is an answer, too. */
static int export_call(struct ctl *ctl)
{
    FeedbackExportRequest request = TOM__RL__V1__FEEDBACK_EXPORT_REQUEST__INIT;
    RouterSessionRequest session = TOM__RL__V1__ROUTER_SESSION_REQUEST__INIT;
    struct client_message held, remembered;
    const uint8_t *data;
    size_t size;

    request.call_id = session.call_id = arena_str(&ctl->arena, ctl->args.words[0]);
    session.explain = true;
    codec_encode(&ctl->arena, &request.base, true, &data, &size);
    int code = ctl_ask_bytes(ctl, SUBJECT_FEEDBACK_EXPORT, data, size, &held);
    if (code != EXIT_OK)
        return code;
    codec_encode(&ctl->arena, &session.base, true, &data, &size);
    code = ctl_ask_bytes(ctl, SUBJECT_ROUTER_SESSION, data, size, &remembered);
    if (code != EXIT_OK)
        return code;
    printf("{\"feedback\":%s,\"router\":%s}\n", (const char *)held.data, (const char *)remembered.data);
    return EXIT_OK;
}

/* The router knows no callers. */
static int export_caller(struct ctl *ctl, char *caller)
{
    FeedbackExportReply all;
    const uint8_t *data;
    size_t size;
    int code = ctl_calls_of(ctl, caller, &all);

    if (code == EXIT_OK) {
        codec_encode(&ctl->arena, &all.base, true, &data, &size);
        printf("{\"feedback\":%.*s}\n", (int)size, (const char *)data);
    }
    free(all.calls);
    return code;
}

int verb_export(struct ctl *ctl)
{
    char *caller;
    int code = ctl_whom(ctl, &caller);

    if (code != EXIT_OK)
        return code;
    return caller ? export_caller(ctl, caller) : export_call(ctl);
}
