/* SPDX-License-Identifier: Apache-2.0 */
/* rlctl.h - what the verbs share: a connection, asking, and ends that explain themselves. */
#ifndef RL_RLCTL_H
#define RL_RLCTL_H

#include "client.h"
#include "config.h"
#include "msg.h"
#include "payload.h"
#include "wiring.h"

enum { EXIT_OK = 0, EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_NO_BUS = 69 };

struct ctl {
    struct arena arena;
    struct common_config config;
    const char *config_path; /* NULL: defaults and environment only */
    struct args args;
    struct client *client; /* NULL until ctl_connect */
    const char *url, *user;
    int64_t timeout_ms; /* 0: the usual one */
};

/* Prints a reason as "error: field: text" and returns the exit code for its status. */
int ctl_fail(const struct ctl *ctl, enum status status, const struct reason *reason);
int ctl_usage(const char *field, const char *text);

/* Each returns EXIT_OK, or has printed why not and returns the exit code. */
int ctl_connect(struct ctl *ctl);
int ctl_ask_bytes(struct ctl *ctl, enum subject subject, const void *data, size_t size, struct client_message *ret);
/* Prints the reply under --json. */
int ctl_ask(struct ctl *ctl, enum subject subject, const void *request, const void **ret_reply);
/* Prints where it lies. */
int ctl_publish(struct ctl *ctl, enum subject subject, const struct client_publish *message);
int ctl_message(struct ctl *ctl, const ProtobufCMessageDescriptor *type, void **ret_message); /* of the options given */
int ctl_say(struct ctl *ctl, enum subject subject, const void *message, const char *id); /* as JSON */

/* Of erase and export: *ret_caller NULL: the call that is named; else all calls of this caller. */
int ctl_whom(struct ctl *ctl, char **ret_caller);
/* All pages in one; free its `calls`, also when it fails. */
int ctl_calls_of(struct ctl *ctl, char *caller, FeedbackExportReply *ret);

/* "########" for a share of 0 .. 1, at most 30 wide; lives in the arena. */
const char *ctl_bar(struct ctl *ctl, double share);

/* The verbs. */
int verb_req(struct ctl *ctl);
int verb_pub(struct ctl *ctl);
int verb_select(struct ctl *ctl);
int verb_event(struct ctl *ctl);
int verb_session(struct ctl *ctl);
int verb_end(struct ctl *ctl);
int verb_amend(struct ctl *ctl);
int verb_ask(struct ctl *ctl);
int verb_stats(struct ctl *ctl);
int verb_replay(struct ctl *ctl);
int verb_bandit(struct ctl *ctl);
int verb_versions(struct ctl *ctl);
int verb_switch(struct ctl *ctl);
int verb_explain(struct ctl *ctl);
int verb_reward(struct ctl *ctl);
int verb_guard(struct ctl *ctl);
int verb_dlq(struct ctl *ctl);
int verb_watch(struct ctl *ctl);
int verb_password(struct ctl *ctl);
int verb_erase(struct ctl *ctl);
int verb_export(struct ctl *ctl);
int verb_keys(struct ctl *ctl);
int verb_backup(struct ctl *ctl);
int verb_restore(struct ctl *ctl);
int verb_query(struct ctl *ctl);
int verb_import(struct ctl *ctl);

#endif
