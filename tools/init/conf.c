/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - nats.conf: one user a service, each with what it needs and nothing else, made from the wiring tables. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "atomic_file.h"
#include "init.h"
#include "wiring.h"

enum { MAX_STORE_MB = 10240, MIN_STORE_MB = 256, SANDBOX_STORE_MB = 256 };

#define LIMITS "    jetstream: { max_mem: 64MB, max_file: "

struct writer {
    FILE *f;
    const char *prefix;
    bool first;
};

static void item(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void item(struct writer *w, const char *fmt, ...)
{
    va_list args;

    fputs(w->first ? "\"" : ", \"", w->f);
    w->first = false;
    va_start(args, fmt);
    vfprintf(w->f, fmt, args);
    va_end(args);
    fputc('"', w->f);
}

static void subject(struct writer *w, enum subject s, const char *queue)
{
    char name[128];

    wire_subject(w->prefix, s, name);
    item(w, "%s%s%s", name, queue ? " " : "", queue ? queue : "");
}

static void inbox(struct writer *w, const char *user)
{
    char name[64];

    wire_user(w->prefix, user, name);
    item(w, "_INBOX_%s.>", name);
}

static void stream_api(struct writer *w, const char *call, enum stream s, const char *rest)
{
    char name[64];

    wire_stream(w->prefix, s, name);
    item(w, "%s.%s%s", call, name, rest);
}

/* ---- services -------------------------------------------------------------------------------------------------------------- */

static bool is(const char *a, const char *b) { return a && strcmp(a, b) == 0; }

/* Snapshots are read by who decides from them. */
static bool reads(const char *service, enum subject s)
{
    return (s == SUBJECT_BANDIT_UPDATED && (is(service, "router") || is(service, "guard"))) ||
           (s == SUBJECT_GUARD_UPDATED && is(service, "router"));
}

static void publish_consumer(struct writer *w, const struct consumer_info *c)
{
    enum stream s = subject_table[c->subject].stream;
    char rest[64];

    snprintf(rest, sizeof rest, ".%s", c->durable);
    stream_api(w, "$JS.API.CONSUMER.INFO", s, rest);
    stream_api(w, "$JS.API.CONSUMER.DELETE", s, rest);
    stream_api(w, "$JS.API.CONSUMER.DURABLE.CREATE", s, rest);
    snprintf(rest, sizeof rest, ".%s.>", c->durable);
    stream_api(w, "$JS.ACK", s, rest);
}

/* A stream that a service consumes: how far it reaches, and which message lies where its database stands. */
static void publish_streams(struct writer *w, const char *service)
{
    bool done[STREAM_COUNT] = {false};

    for (size_t c = 0; c < CONSUMER_COUNT; c++) {
        enum stream s = subject_table[consumer_table[c].subject].stream;
        if (!is(service, consumer_table[c].service))
            continue;
        publish_consumer(w, &consumer_table[c]);
        if (!done[s]) {
            stream_api(w, "$JS.API.STREAM.INFO", s, "");
            stream_api(w, "$JS.API.STREAM.MSG.GET", s, "");
        }
        done[s] = true;
    }
    for (enum subject s = 0; s < SUBJECT_COUNT; s++)
        if (reads(service, s))
            stream_api(w, "$JS.API.STREAM.MSG.GET", subject_table[s].stream, "");
}

/* The router reads recent decisions and live calls back through a consumer that lives for a moment. */
static void publish_history(struct writer *w, enum stream s)
{
    stream_api(w, "$JS.API.CONSUMER.CREATE", s, "");
    stream_api(w, "$JS.API.CONSUMER.DELETE", s, ".*");
    stream_api(w, "$JS.FC", s, ".>");
}

/* feedback.erase: what holds single calls can be searched and overwritten, message by message; and
 * whether others have taken it. */
static void publish_erase(struct writer *w)
{
    char rest[64];

    for (enum stream s = 0; s < STREAM_COUNT; s++) {
        if (stream_table[s].last_only)
            continue;
        stream_api(w, "$JS.API.STREAM.INFO", s, "");
        stream_api(w, "$JS.API.STREAM.MSG.GET", s, "");
        stream_api(w, "$JS.API.STREAM.MSG.DELETE", s, "");
    }
    for (size_t c = 0; c < CONSUMER_COUNT; c++) {
        snprintf(rest, sizeof rest, ".%s", consumer_table[c].durable);
        stream_api(w, "$JS.API.CONSUMER.INFO", subject_table[consumer_table[c].subject].stream, rest);
    }
}

static void service_publish(struct writer *w, const char *service)
{
    bool answers_voice = false, answers = false;

    for (enum subject s = 0; s < SUBJECT_COUNT; s++) {
        const struct subject_info *info = &subject_table[s];
        if (info->kind != KIND_REQUEST && is(info->service, service))
            subject(w, s, NULL);
        answers |= info->kind == KIND_REQUEST && is(info->service, service);
        answers_voice |= info->kind == KIND_REQUEST && is(info->service, service) && info->voice;
    }
    publish_streams(w, service);
    if (is(service, "router")) {
        publish_history(w, STREAM_DECISIONS);
        publish_history(w, STREAM_CALLS);
    }
    if (is(service, "feedback"))
        publish_erase(w);
    if (answers)
        inbox(w, "operator");
    if (answers_voice)
        inbox(w, "voice");
}

static void service_subscribe(struct writer *w, const char *service)
{
    inbox(w, service);
    for (enum subject s = 0; s < SUBJECT_COUNT; s++) {
        if (reads(service, s))
            subject(w, s, NULL);
        if (subject_table[s].kind == KIND_REQUEST && is(subject_table[s].service, service))
            subject(w, s, service);
    }
}

/* ---- people ---------------------------------------------------------------------------------------------------------------- */

static void voice_publish(struct writer *w)
{
    for (enum subject s = 0; s < SUBJECT_COUNT; s++)
        if (subject_table[s].voice)
            subject(w, s, NULL);
}

static void operator_publish(struct writer *w)
{
    for (enum subject s = 0; s < SUBJECT_COUNT; s++)
        if (subject_table[s].operator)
            subject(w, s, NULL);
    stream_api(w, "$JS.API.STREAM.MSG.GET", STREAM_DLQ, "");
    item(w, "$JS.API.STREAM.INFO.*");
    item(w, "$JS.API.CONSUMER.INFO.*.*");
}

static void operator_subscribe(struct writer *w)
{
    inbox(w, "operator");
    for (enum subject s = 0; s < SUBJECT_COUNT; s++)
        if (subject_table[s].kind != KIND_REQUEST)
            subject(w, s, NULL);
    item(w, "%srl.dlq.>", w->prefix);
    item(w, "%scall.*", w->prefix);
}

/* Makes streams and consumers, and may say again what lies in the dead letters, whatever subject it came from. */
static void init_publish(struct writer *w)
{
    static const char *const calls[] = {"INFO", "STREAM.CREATE.*", "STREAM.UPDATE.*", "STREAM.INFO.*", "STREAM.MSG.GET.*",
                                        "CONSUMER.DURABLE.CREATE.*.*", "CONSUMER.INFO.*.*", "CONSUMER.DELETE.*.*"};

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        item(w, "$JS.API.%s", calls[i]);
    for (enum subject s = 0; s < SUBJECT_COUNT; s++)
        if (subject_table[s].kind == KIND_STREAM && subject_table[s].stream != STREAM_DLQ)
            subject(w, s, NULL);
}

/* ---- the file -------------------------------------------------------------------------------------------------------------- */

static void begin(struct writer *w, const char *user, const char *password, const char *list)
{
    char name[64];

    if (user) {
        wire_user(w->prefix, user, name);
        fprintf(w->f, "      { user: %s, password: \"%s\", permissions: {\n", name, password);
    }
    fprintf(w->f, "          %s: { allow: [", list);
    w->first = true;
}

static void write_user(struct writer *w, const char *user, const char *password)
{
    begin(w, user, password, "publish");
    if (is(user, "voice"))
        voice_publish(w);
    else if (is(user, "operator"))
        operator_publish(w);
    else if (is(user, "init"))
        init_publish(w);
    else
        service_publish(w, user);
    fputs("] }\n", w->f);
    begin(w, NULL, NULL, "subscribe");
    if (is(user, "operator"))
        operator_subscribe(w);
    else if (is(user, "voice") || is(user, "init"))
        inbox(w, user);
    else
        service_subscribe(w, user);
    fputs("] } } }\n", w->f);
}

static enum status password_of(const char *path, char ret[static 128], struct reason *reason)
{
    FILE *f = fopen(path, "re");

    if (!f || !fgets(ret, 128, f)) {
        if (f)
            fclose(f);
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s; rl-init keys makes it", path, strerror(errno));
    }
    fclose(f);
    ret[strcspn(ret, "\r\n")] = '\0';
    if (!ret[0] || strpbrk(ret, "\"\\$"))
        return reason_fail(reason, STATUS_CONFIG, "", "%s: empty, or holds a quote, backslash or dollar", path);
    return STATUS_OK;
}

/* At most 70 % of what is free: a full disk stops the server altogether.  Never less than before, since what our own
 * streams hold is not free. */
static long store_mb(const char *folder, const char *old_conf)
{
    struct statvfs fs;
    double free_mb = statvfs(folder, &fs) == 0 ? (double)fs.f_bavail * (double)fs.f_frsize / 1048576 * 0.7 - SANDBOX_STORE_MB
                                               : MIN_STORE_MB;
    long mb = free_mb > MAX_STORE_MB ? MAX_STORE_MB : free_mb < MIN_STORE_MB ? MIN_STORE_MB : (long)free_mb, before = 0;
    char line[512];
    FILE *f = fopen(old_conf, "re");

    while (f && !before && fgets(line, sizeof line, f)) {
        before = strncmp(line, LIMITS, strlen(LIMITS)) == 0 ? atol(line + strlen(LIMITS)) : 0;
    }
    if (f)
        fclose(f);
    return before > mb ? before : mb;
}

/* Accounts do not see each other: neither a subject, nor a stream, nor a full store goes from one to the other. */
static enum status write_account(struct init *init, struct writer *w, const char *data, long mb, struct reason *reason)
{
    char password[128];
    enum status status = STATUS_OK;

    fprintf(w->f, "  %s {\n" LIMITS "%ldMB }\n    users = [\n", is(w->prefix, SANDBOX_PREFIX) ? "SANDBOX" : "RL", mb);
    for (size_t i = 0; init_users[i] && status == STATUS_OK; i++) {
        if (is(init_users[i], "sys"))
            continue;
        status = password_of(init_password_path(init, data, w->prefix, init_users[i]), password, reason);
        if (status == STATUS_OK)
            write_user(w, init_users[i], password);
    }
    fputs("    ]\n  }\n", w->f);
    return status;
}

/* The server's store has room for the sandbox from the start: its size cannot be changed while it runs. */
static enum status write_conf(struct init *init, FILE *f, const char *store, long mb, struct reason *reason)
{
    const struct common_config *c = &init->common;
    struct writer own = {.f = f, .prefix = c->subject_prefix}, sandbox = {.f = f, .prefix = SANDBOX_PREFIX};
    const char *sandbox_data = arena_printf(&init->arena, "%s/" SANDBOX_FOLDER, c->data_dir);
    bool has_sandbox = access(init_password_path(init, sandbox_data, SANDBOX_PREFIX, "init"), F_OK) == 0;
    char password[128] = "";

    fprintf(f, "# Made by rl-init conf; changes here are overwritten.\n"
               "listen: \"%s:%lld\"\nserver_name: \"rl_%lld\"\nmax_payload: 1MB\nmax_control_line: 4KB\n"
               "jetstream { store_dir: \"%s\", max_mem: 128MB, max_file: %ldMB }\naccounts {\n",
            init->listen, (long long)c->nats_port, (long long)c->nats_port, store, mb + SANDBOX_STORE_MB);
    enum status status = write_account(init, &own, c->data_dir, mb, reason);
    if (status == STATUS_OK && has_sandbox)
        status = write_account(init, &sandbox, sandbox_data, SANDBOX_STORE_MB, reason);
    if (status == STATUS_OK)
        status = password_of(init_password_path(init, c->data_dir, "", "sys"), password, reason);
    fprintf(f, "  SYS { users = [ { user: sys, password: \"%s\" } ] }\n}\nsystem_account: SYS\n", password);
    return status;
}

enum status init_conf(struct init *init, struct reason *reason)
{
    const char *folder = arena_printf(&init->arena, "%s/nats", init->common.data_dir);
    char *text = NULL, *absolute;
    size_t size = 0;

    if (mkdir(folder, 0750) != 0 && errno != EEXIST)
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", folder, strerror(errno));
    absolute = realpath(init->store && init->store[0] ? init->store : folder, NULL);
    if (!absolute)
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", init->store ? init->store : folder, strerror(errno));
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    const char *path = arena_printf(&init->arena, "%s/nats.conf", folder);
    enum status status = write_conf(init, f, absolute, store_mb(absolute, path), reason);
    fclose(f);
    if (status == STATUS_OK)
        status = atomic_file_write(path, text, size, 0600, reason);
    if (status == STATUS_OK)
        printf("%s\n", path);
    free(text);
    free(absolute);
    return status;
}
