/* SPDX-License-Identifier: Apache-2.0 */
/* rlctl.c - the operator's tool: one verb per run, over the bus and nothing else.
 *
 * Ends with 0, 1 (an error was answered), 2 (usage) or 69 (no bus). */
#include "rlctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPLY_CAP = 1 << 20, TIMEOUT_MS = 5000 };

#define SIGNAL_OPTIONS                                                                                     \
    {"--resolved", NULL, "the problem was solved", "signals.resolution", "true"},                          \
    {"--unresolved", NULL, "it was not", "signals.resolution", "false"},                                   \
    {"--rating", "N", "1 to 5, what the caller said", "signals.user_rating", NULL},                        \
    {"--barge-ins", "N", "how often the caller spoke over the assistant", "signals.barge_in_count", NULL}, \
    {"--repeats", "N", "how often something had to be said again", "signals.repeats", NULL},               \
    {"--handover", NULL, "given to a human", "signals.handover", "true"},                                  \
    {"--escalation", NULL, "the caller asked for more", "signals.escalation", "true"},                     \
    {"--duration", "S", "seconds", "signals.duration_sec", NULL},                                          \
    {"--satisfaction", "X", "-1 to +1", "signals.satisfaction", NULL}

#define CONTEXT_OPTIONS                                           \
    {"--profile", "P", "profile of the caller", "profile", NULL}, \
    {"--time-of-day", "T", "morning, afternoon, evening, night", "time_of_day", NULL}

#define END {NULL, NULL, NULL, NULL, NULL}

static const struct option no_options[] = {END};
static const struct option pub_options[] = {{"--id", "ID", "message id: the same one is stored once", NULL, NULL},
                                            {"--traceparent", "T", "trace that the message belongs to", NULL, NULL},
                                            {"--raw", NULL, "do not check it here", NULL, NULL}, END};
static const struct option select_options[] = {CONTEXT_OPTIONS, {"--dry-run", NULL, "record nothing", "dry_run", "true"}, END};
static const struct option end_options[] = {SIGNAL_OPTIONS,
                                            {"--variant", "V", "what was really spoken", "policy_variant", NULL},
                                            {"--profile", "P", "profile of the caller", "profile", NULL},
                                            {"--agent", "A", "who spoke", "agent", NULL},
                                            {"--consent", "C", "given, none: may the call be counted?", "consent", NULL},
                                            {"--ts", "T", "unix seconds of the end", "ts", NULL}, END};
static const struct option amend_options[] = {SIGNAL_OPTIONS,
                                              {"--retract", NULL, "take the call out of all statistics", "retracted", "true"},
                                              {"--restore", NULL, "put it back", "retracted", "false"},
                                              {"--source", "S", "human, user, judge, tool, fsm", "source", NULL},
                                              {"--at", "T", "unix seconds at which this was known", "at", NULL}, END};
static const struct option event_options[] = {{"--profile", "P", "profile of the caller, with incoming_call",
                                               "data.profile", NULL},
                                              {"--resolved", NULL, "the problem was solved", "data.resolution", "true"},
                                              {"--unresolved", NULL, "it was not", "data.resolution", "false"},
                                              {"--rating", "N", "1 to 5, what the caller said", "data.user_rating", NULL},
                                              {"--repeats", "N", "how often something had to be said again, so far",
                                               "data.repeat_count", NULL},
                                              {"--handover", NULL, "given to a human", "data.handover", "true"},
                                              {"--barred", NULL, "the caller is on a block list", "data.barred", "true"},
                                              {"--ts", "T", "unix seconds of the event", "ts", NULL}, END};
static const struct option ask_options[] = {{"--language", "L", "de or en", NULL, NULL},
                                            {"--text", "WORDS", "what the caller says; without it you are asked", NULL, NULL},
                                            {"--dtmf", "KEYS", "what the caller presses", NULL, NULL}, END};
#define VERSION_OPTION(help) {"--reward-version", "V", help, "reward_version", NULL}
static const struct option reward_options[] = {SIGNAL_OPTIONS, VERSION_OPTION("by these rules"), END};
static const struct option stats_options[] = {CONTEXT_OPTIONS, VERSION_OPTION("by these rules, not by the active ones"),
                                             {"--all", NULL, "parts with fewer calls than rl.min_cell_size, too", NULL, NULL},
                                              END};
static const struct option replay_options[] = {{"--from", "T", "only calls that ended at or after these unix seconds",
                                                "from", NULL},
                                               VERSION_OPTION("score them by these rules only"), END};
static const struct option switch_options[] = {{"--why", "TEXT", "for the record", "reason", NULL}, END};
static const struct option bandit_options[] = {{"--check", NULL, "compare, change nothing", "check", "true"}, END};
static const struct option guard_options[] = {{"--cell", "C", "pin, unpin: kfz/morning, or * where there is no other pin (*)",
                                               "cell", NULL},
                                              {"--why", "TEXT", "for the record", "reason", NULL}, END};
static const struct option dlq_options[] = {{"--service", "S", "only what this service refused", NULL, NULL},
                                            {"-n", "N", "list: how many (20)", NULL, NULL},
                                            {"--all", NULL, "replay: all that is there", NULL, NULL}, END};
#define CALLER_OPTION   \
    {"--caller", "KEY", \
     "all calls of this caller instead; -: the key is read from the standard input, where ps does not see it", NULL, NULL}
static const struct option export_options[] = {CALLER_OPTION, END};
static const struct option erase_options[] = {CALLER_OPTION,
                                              {"--wait", "S", "how long to wait for the receipt, seconds (600)", NULL, NULL},
                                              END};
static const struct option keys_options[] = {{"--days", "N",
                                              "prune: keys that were followed so long ago (retention + amendment window)",
                                              NULL, NULL}, END};
#define FEEDBACK_DB {"--feedback-db", "PATH", "where feedback.db lies, if not where the settings say", NULL, NULL}
static const struct option backup_options[] = {FEEDBACK_DB, {"--keys", NULL, "the pseudonym keys, too", NULL, NULL}, END};
static const struct option restore_options[] = {FEEDBACK_DB,
                                                {"--also", "FOLDER", "a later backup: what was erased by then stays erased",
                                                 NULL, NULL}, END};
static const struct option query_options[] = {{"--variant", "V", "only this variant", "policy_variant", NULL},
                                              {"--profile", "P", "only this profile", "profile", NULL},
                                              {"--from", "T", "ended at or after these unix seconds", "from", NULL},
                                              {"--to", "T", "ended before these", "to", NULL},
                                              {"--limit", "N", "how many (20)", NULL, NULL},
                                              {"--all", NULL, "all that match", NULL, NULL},
                                              {"--csv", NULL, "as CSV; --json: JSON lines that import takes again", NULL, NULL},
                                              END};
static const struct option import_options[] = {{"--feedback-db", "F", "tom3: its calls", NULL, NULL},
                                               {"--bandit-state", "F",
                                                "tom3: bandit_state.json, as a prior; with --feedback-db only to compare",
                                                NULL, NULL},
                                               {"--deploy-state", "F", "tom3: its blacklist and active variants", NULL, NULL},
                                               {"--variants", "F", "tom3: its variants file, to check", NULL, NULL},
                                               {"--dry-run", NULL, "say what would happen", NULL, NULL}, END};
static const struct option watch_options[] = {{"--ids", NULL, "show call ids", NULL, NULL}, END};

static const struct verb {
    const char *name, *words, *help;
    const struct option *options;
    size_t least, most; /* words */
    int (*run)(struct ctl *ctl);
} verbs[] = {
    {"select", "[CALL]", "what would the next caller hear, and why; with CALL the decision is recorded", select_options, 0, 1,
     verb_select},
    {"explain", "CALL", "why this call heard what it heard: w, caps, p and the draw; for two hours", no_options, 1, 1,
     verb_explain},
    {"event", "CALL EVENT", "tell one step of a live call: incoming_call, call_answered, audio_start, ... call_ended",
     event_options, 2, 2, verb_event},
    {"session", "[CALL]", "where a live call is and what is known of it; without CALL how many there are", no_options, 0, 1,
     verb_session},
    {"end", "CALL", "tell how a call went", end_options, 1, 1, verb_end},
    {"amend", "CALL", "tell what became known of a call later", amend_options, 1, 1, verb_amend},
    {"ask", "CALL", "the question at the end of a call, and its answer: --text, --dtmf, or typed", ask_options, 1, 1, verb_ask},
    {"reward", "", "what a call would earn, and for what", reward_options, 0, 0, verb_reward},
    {"stats", "", "what has been learned", stats_options, 0, 0, verb_stats},
    {"watch", "[SUBJECT ...]", "follow what happens; Ctrl-C ends", watch_options, 0, WORDS_MAX, verb_watch},
    {"req", "SUBJECT [JSON|-]", "ask a service anything", no_options, 1, 2, verb_req},
    {"pub", "SUBJECT JSON|-", "publish to a stream", pub_options, 2, 2, verb_pub},
    {"guard", "[VARIANT | COMMAND [VARIANT]]", "who may speak; add, remove, blacklist, release, pin, unpin, freeze, unfreeze",
     guard_options, 0, 2, verb_guard},
    {"dlq", "list | show SEQ | replay SEQ|--all", "messages that were refused, and why", dlq_options, 1, 2, verb_dlq},
    {"replay", "", "say all stored calls again; harmless at any time", replay_options, 0, 0, verb_replay},
    {"versions", "[VERSION]", "what each variant earns under the active reward version and under another", no_options, 0, 1,
     verb_versions},
    {"switch", "VERSION", "decide from another reward version from now on; switching back restores every number", switch_options,
     1, 1, verb_switch},
    {"erase", "CALL | --caller KEY",
     "forget a call, or all calls of a caller, everywhere; ends with a receipt, or is asked again", erase_options, 0, 1,
     verb_erase},
    {"export", "CALL | --caller KEY", "all that is held of a call, or of all calls of a caller, as JSON", export_options, 0, 1,
     verb_export},
    {"keys", "list | rotate | prune",
     "the pseudonym keys; prune destroys those past retention, and with them the way back to a call id", keys_options, 1, 1,
     verb_keys},
    {"backup", "FOLDER", "copies of the databases and the prior, while the services run", backup_options, 1, 1, verb_backup},
    {"restore", "FOLDER", "puts a backup back while they do not; what was erased since stays erased", restore_options, 1, 1,
     verb_restore},
    {"query", "", "stored calls, newest first; --csv and --json write all of them out", query_options, 0, 0, verb_query},
    {"import", "tom3 | csv FILE | jsonl FILE", "take over calls from elsewhere; again and again is once", import_options, 1, 2,
     verb_import},
    {"password", "USER", "what a client of this name needs to connect", no_options, 1, 1, verb_password},
    {"bandit", "rebuild --check", "fold the ledger again and compare it with the live sums", bandit_options, 1, 1, verb_bandit},
};

enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

static void help_all(FILE *out)
{
    fputs("usage: rlctl VERB [ARGUMENTS] [--json] [--as USER]\n\n", out);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(out, "  %-8s %-36s %s\n", verbs[i].name, verbs[i].words, verbs[i].help);
    fputs("\n  rlctl VERB -h says more.  Settings: config/rl.yaml or RL_CONFIG, and RL_NATS_URL, RL_SUBJECT_PREFIX, ...\n", out);
}

static void help_verb(FILE *out, const struct verb *verb)
{
    fprintf(out, "usage: rlctl %s %s\n  %s\n\n", verb->name, verb->words, verb->help);
    for (const struct option *o = verb->options; o->name; o++)
        fprintf(out, "  %-14s %-5s %s\n", o->name, o->value ? o->value : "", o->help);
    fputs("  --json               print JSON\n  --as           USER  another user than operator\n", out);
}

/* --- shared by the verbs ---------------------------------------------------------------------------------------------------- */

int ctl_usage(const char *field, const char *text)
{
    fprintf(stderr, "error: %s%s%s\n", field, field[0] ? ": " : "", text);
    return EXIT_USAGE;
}

int ctl_fail(const struct ctl *ctl, enum status status, const struct reason *reason)
{
    bool away = status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT;

    fprintf(stderr, "error: %s%s%s\n", reason->field, reason->field[0] ? ": " : "",
            reason->text[0] ? reason->text : status_text(status));
    if (away)
        fprintf(stderr, "is it running at %s?  ./rl up starts it, ./rl status tells\n", ctl->url);
    if (status == STATUS_DENIED)
        fprintf(stderr, "the user is %s; --as USER takes another (its password is read from the secrets folder)\n", ctl->user);
    return away ? EXIT_NO_BUS : EXIT_ERROR;
}

int ctl_connect(struct ctl *ctl)
{
    const struct common_config *config = &ctl->config;
    bool own_file = config->nats_password_file[0] && !ctl->args.as;
    struct reason reason = {0};
    char wire[64];

    wire_user(config->subject_prefix, ctl->args.as ? ctl->args.as : "operator", wire);
    const char *user = config->nats_user[0] && !ctl->args.as ? config->nats_user : arena_str(&ctl->arena, wire);
    ctl->user = user;
    ctl->url = config->nats_url[0] ? config->nats_url
                                   : arena_printf(&ctl->arena, "nats://127.0.0.1:%lld", (long long)config->nats_port);
    struct client_options options = {
        .url = ctl->url, .user = user, .prefix = config->subject_prefix, .name = "rlctl",
        .password_file = own_file ? config->nats_password_file
                                  : arena_printf(&ctl->arena, "%s/secrets/%s.password", config->data_dir, user)};
    enum status status = ctl->client ? STATUS_OK : client_connect(&options, &ctl->client, &reason);
    return status == STATUS_OK ? EXIT_OK : ctl_fail(ctl, status, &reason);
}

int ctl_message(struct ctl *ctl, const ProtobufCMessageDescriptor *type, void **ret_message)
{
    struct reason reason;

    if (payload_fill(&ctl->arena, type, &ctl->args, ret_message, &reason) != STATUS_OK)
        return ctl_usage(reason.field, reason.text);
    return EXIT_OK;
}

int ctl_ask_bytes(struct ctl *ctl, enum subject subject, const void *data, size_t size, struct client_message *ret)
{
    struct reason reason = {0};
    int code = ctl_connect(ctl);

    if (code != EXIT_OK)
        return code;
    enum status status = client_request(ctl->client, &ctl->arena, subject_table[subject].name, data, size,
                                        ctl->timeout_ms ? ctl->timeout_ms : TIMEOUT_MS, ret, &reason);
    return status == STATUS_OK ? EXIT_OK : ctl_fail(ctl, status, &reason);
}

/* The reply as a message; an error in it is printed.  One that this version does not know stays bytes: *ret NULL. */
static int open_reply(const struct ctl *ctl, enum subject subject, const struct client_message *reply, ProtobufCMessage **ret,
                      struct arena *arena)
{
    const ProtobufCMessageDescriptor *type = subject_table[subject].reply;
    struct reason reason;
    bool json;

    *ret = NULL;
    if (codec_decode(arena, type, reply->data, reply->size, REPLY_CAP, &json, ret, &reason) != STATUS_OK)
        return EXIT_OK;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, "error");
    const Error *error = *(Error *const *)(const void *)((const char *)*ret + field->offset);
    if (!error)
        return EXIT_OK;
    snprintf(reason.field, sizeof reason.field, "%s", error->field);
    snprintf(reason.text, sizeof reason.text, "%s", error->message);
    return ctl_fail(ctl, STATUS_INVALID, &reason);
}

int ctl_ask(struct ctl *ctl, enum subject subject, const void *request, const void **ret_reply)
{
    struct client_message answer;
    ProtobufCMessage *reply = NULL;
    const uint8_t *data;
    size_t size;

    codec_encode(&ctl->arena, request, true, &data, &size);
    int code = ctl_ask_bytes(ctl, subject, data, size, &answer);
    if (code != EXIT_OK)
        return code;
    if (ctl->args.json)
        printf("%s\n", (const char *)answer.data);
    code = open_reply(ctl, subject, &answer, &reply, &ctl->arena);
    if (code == EXIT_OK && !reply) {
        fprintf(stderr, "error: %s answered what this rlctl does not understand\n", subject_table[subject].name);
        return EXIT_ERROR;
    }
    *ret_reply = reply;
    return code;
}

int ctl_publish(struct ctl *ctl, enum subject subject, const struct client_publish *message)
{
    const char *stream = stream_table[subject_table[subject].stream].name;
    struct reason reason = {0};
    uint64_t sequence = 0;
    bool duplicate = false;
    int code = ctl_connect(ctl);

    if (code != EXIT_OK)
        return code;
    enum status status = client_publish(ctl->client, message, &sequence, &duplicate, &reason);
    if (status != STATUS_OK)
        return ctl_fail(ctl, status, &reason);
    if (ctl->args.json)
        printf("{\"stream\":\"%s\",\"sequence\":%llu,\"duplicate\":%s}\n", stream, (unsigned long long)sequence,
               duplicate ? "true" : "false");
    else
        printf("%s: %s %llu%s\n", message->subject, stream, (unsigned long long)sequence,
               duplicate ? ", where this id lies already" : "");
    return EXIT_OK;
}

int ctl_say(struct ctl *ctl, enum subject subject, const void *message, const char *id)
{
    struct client_publish out = {.subject = subject_table[subject].name, .id = id};
    const uint8_t *data;

    codec_encode(&ctl->arena, message, true, &data, &out.size);
    out.data = data;
    return ctl_publish(ctl, subject, &out);
}

const char *ctl_bar(struct ctl *ctl, double share)
{
    int width = share > 0 ? (int)(share * 30 + 0.5) : 0;

    return arena_printf(&ctl->arena, "%.*s", width, "##############################");
}

/* --- req and pub: any row of the wiring ------------------------------------------------------------------------------------- */

/* An argument, or all of the standard input for "-". */
static const void *payload_of(struct ctl *ctl, const char *word, size_t *ret_size)
{
    if (strcmp(word, "-") != 0) {
        *ret_size = strlen(word);
        return word;
    }
    char *data = arena_alloc(&ctl->arena, REPLY_CAP);
    *ret_size = fread(data, 1, REPLY_CAP, stdin);
    return data;
}

static int subject_of(const char *name, bool request, enum subject *ret)
{
    *ret = subject_find(name);
    if (*ret != SUBJECT_COUNT && (subject_table[*ret].kind == KIND_REQUEST) == request)
        return EXIT_OK;
    fprintf(stderr, "error: %s: %s; there are:", name,
            *ret == SUBJECT_COUNT ? "no such subject"
            : request ? "published, not asked: rlctl pub" : "asked, not published: rlctl req");
    for (enum subject s = 0; s < SUBJECT_COUNT; s++)
        if ((subject_table[s].kind == KIND_REQUEST) == request)
            fprintf(stderr, " %s", subject_table[s].name);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

int verb_req(struct ctl *ctl)
{
    struct client_message answer;
    ProtobufCMessage *reply = NULL;
    enum subject subject;
    size_t size;
    int code = subject_of(ctl->args.words[0], true, &subject);

    if (code != EXIT_OK)
        return code;
    const void *data = payload_of(ctl, ctl->args.word_count > 1 ? ctl->args.words[1] : "{}", &size);
    code = ctl_ask_bytes(ctl, subject, data, size, &answer);
    if (code != EXIT_OK)
        return code;
    code = open_reply(ctl, subject, &answer, &reply, &ctl->arena);
    if (ctl->args.json || !reply)
        printf("%s\n", (const char *)answer.data);
    else if (code == EXIT_OK)
        fputs(codec_pretty(&ctl->arena, reply), stdout);
    return code;
}

int verb_pub(struct ctl *ctl)
{
    struct client_publish out = {.id = args_get(&ctl->args, "--id"), .traceparent = args_get(&ctl->args, "--traceparent")};
    ProtobufCMessage *message;
    struct reason reason;
    enum subject subject;
    bool json;
    int code = subject_of(ctl->args.words[0], false, &subject);

    if (code != EXIT_OK)
        return code;
    out.subject = subject_table[subject].name;
    out.data = payload_of(ctl, ctl->args.words[1], &out.size);
    if (!args_get(&ctl->args, "--raw") &&
        codec_decode(&ctl->arena, subject_table[subject].message, out.data, out.size, REPLY_CAP, &json,
                     &message, &reason) != STATUS_OK)
        return ctl_fail(ctl, STATUS_INVALID, &reason);
    return ctl_publish(ctl, subject, &out);
}

/* --- the process ------------------------------------------------------------------------------------------------------------ */

static int load_config(struct ctl *ctl)
{
    struct config_table table = {common_keys, common_key_count, &ctl->config};
    struct reason reason;

    ctl->config_path = getenv("RL_CONFIG");
    if (!ctl->config_path && access("config/rl.yaml", R_OK) == 0)
        ctl->config_path = "config/rl.yaml";
    if (config_load(&ctl->arena, &table, 1, ctl->config_path, &reason) == STATUS_OK)
        return EXIT_OK;
    return ctl_usage("", reason.text);
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    struct ctl ctl = {0};
    struct reason reason;

    if (args_parse(argc, (const char *const *)argv, verb->options, &ctl.args, &reason) != STATUS_OK)
        return ctl_usage(reason.field, reason.text);
    if (ctl.args.help) {
        help_verb(stdout, verb);
        return EXIT_OK;
    }
    if (ctl.args.word_count < verb->least || ctl.args.word_count > verb->most) {
        help_verb(stderr, verb);
        return EXIT_USAGE;
    }
    arena_init(&ctl.arena);
    int code = load_config(&ctl);
    if (code == EXIT_OK)
        code = verb->run(&ctl);
    client_free(ctl.client);
    arena_done(&ctl.arena);
    return fflush(stdout) == 0 ? code : EXIT_ERROR;
}

int main(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        help_all(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; argc > 1 && i < VERB_COUNT; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return run_verb(&verbs[i], argc - 2, argv + 2);
    if (argc > 1)
        fprintf(stderr, "error: %s: no such verb\n", argv[1]);
    help_all(stderr);
    return EXIT_USAGE;
}
