/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - follows the subjects and prints one line per message: the fields of a table, by name. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rlctl.h"

enum { WAIT_MS = 200 };

/* What a line says; a field that is absent or empty is left out. */
static const struct view {
    enum subject subject;
    const char *fields; /* names, separated by blanks */
} views[] = {
    {SUBJECT_CALL_EVENT, "call_id event data"},
    {SUBJECT_CALL_ENDED, "call_id source profile policy_variant signals"},
    {SUBJECT_CALL_AMENDED, "call_id source signals retracted"},
    {SUBJECT_POLICY_SELECTED, "policy_variant propensity source context holdback"},
    {SUBJECT_FEEDBACK_STORED, "policy_variant context signals retracted"},
    {SUBJECT_REWARD_COMPUTED, "reward policy_variant context components retracted"},
    {SUBJECT_BANDIT_UPDATED, "policy_version cells exploration_rate"},
    {SUBJECT_BANDIT_CHANGED, "level policy_variant context since evidence mean_before mean_after policy_version"},
    {SUBJECT_GUARD_UPDATED, "guard_version base_variant groups frozen"},
    {SUBJECT_DLQ_FEEDBACK, /* and all of that stream */ "reason field message subject sequence"},
};

static void print_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);

/* Of a map its entries, of another list its length. */
static void print_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    size_t n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
    ProtobufCMessage *const *items = *(ProtobufCMessage *const *const *)(const void *)((const char *)m + f->offset);
    const ProtobufCMessageDescriptor *type = f->type == PROTOBUF_C_TYPE_MESSAGE ? f->descriptor : NULL;
    bool map = type && type->n_fields == 2 && strcmp(type->fields[0].name, "key") == 0;

    if (!map)
        printf(" %s=%zu", f->name, n);
    for (size_t i = 0; map && i < n; i++) {
        const char *key = *(char *const *)(const void *)((const char *)items[i] + type->fields[0].offset);
        ProtobufCFieldDescriptor named = type->fields[1];
        named.name = key;
        print_field(items[i], &named);
    }
}

static void print_scalar(const void *at, const ProtobufCFieldDescriptor *f)
{
    const ProtobufCEnumValue *v;

    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (**(char *const *)at)
            printf(" %s=%s", f->name, *(char *const *)at);
        break;
    case PROTOBUF_C_TYPE_DOUBLE: printf(" %s=%.6g", f->name, *(const double *)at); break;
    case PROTOBUF_C_TYPE_BOOL:
        if (*(const protobuf_c_boolean *)at || (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
            printf(" %s=%s", f->name, *(const protobuf_c_boolean *)at ? "yes" : "no");
        break;
    case PROTOBUF_C_TYPE_ENUM:
        v = protobuf_c_enum_descriptor_get_value(f->descriptor, *(const int *)at);
        if (v && v->value) /* without the prefix that all its names share with X_UNSPECIFIED */
            printf(" %s=%s", f->name,
                   v->name + strlen(((const ProtobufCEnumDescriptor *)f->descriptor)->values[0].name) - strlen("UNSPECIFIED"));
        break;
    case PROTOBUF_C_TYPE_INT32: printf(" %s=%d", f->name, *(const int32_t *)at); break;
    case PROTOBUF_C_TYPE_UINT32: printf(" %s=%u", f->name, *(const uint32_t *)at); break;
    case PROTOBUF_C_TYPE_INT64: printf(" %s=%lld", f->name, (long long)*(const int64_t *)at); break;
    case PROTOBUF_C_TYPE_UINT64: printf(" %s=%llu", f->name, (unsigned long long)*(const uint64_t *)at); break;
    default: break;
    }
}

static void print_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const void *at = (const char *)m + f->offset;

    if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
        *(const uint32_t *)(const void *)((const char *)m + f->quantifier_offset) != f->id)
        return;
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        print_list(m, f);
    else if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        print_scalar(at, f);
    else if ((m = *(ProtobufCMessage *const *)at))
        for (unsigned i = 0; i < m->descriptor->n_fields; i++)
            print_field(m, &m->descriptor->fields[i]);
}

static const char **text_of(ProtobufCMessage *m, const char *name)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

    return f ? (const char **)(void *)((char *)m + f->offset) : NULL;
}

/* Hides what names a call or a caller: its id, its key, and the payload of a dead letter. */
static void hide_ids(ProtobufCMessage *m)
{
    if (text_of(m, "call_id"))
        *text_of(m, "call_id") = "";
    if (m->descriptor == &tom__rl__v1__call_ended__descriptor)
        ((CallEnded *)m)->has_caller_key_case = 0;
    if (m->descriptor == &tom__rl__v1__dead_letter__descriptor)
        ((DeadLetter *)m)->payload.len = 0;
}

static void print_line(enum subject subject, ProtobufCMessage *m)
{
    char fields[128] = "", *next = fields, *name;

    if (text_of(m, "call_key"))
        printf(" call=%.8s..", *text_of(m, "call_key"));
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if (views[i].subject == (subject_table[subject].stream == STREAM_DLQ ? SUBJECT_DLQ_FEEDBACK : subject))
            snprintf(fields, sizeof fields, "%s", views[i].fields);
    while ((name = strsep(&next, " ")) && *name)
        print_field(m, protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name));
    putchar('\n');
}

static void print_message(struct ctl *ctl, struct arena *arena, const struct client_message *in)
{
    enum subject subject = subject_find(in->subject);
    ProtobufCMessage *m;
    struct reason reason;
    const uint8_t *data;
    char clock[16];
    time_t now = time(NULL);
    size_t size;
    bool json;

    strftime(clock, sizeof clock, "%H:%M:%S", localtime(&now));
    if (!ctl->args.json)
        printf("%s %-15s", clock, in->subject);
    if (subject == SUBJECT_COUNT ||
        codec_decode(arena, subject_table[subject].message, in->data, in->size, in->size, &json, &m, &reason) != STATUS_OK) {
        printf(ctl->args.json ? "" : " %zu bytes that are no such message\n", in->size); /* JSON: left out */
        return;
    }
    if (!args_get(&ctl->args, "--ids"))
        hide_ids(m);
    if (!ctl->args.json) {
        print_line(subject, m);
        return;
    }
    codec_encode(arena, m, true, &data, &size);
    printf("{\"time\":%lld,\"subject\":\"%s\",\"message\":%.*s}\n", (long long)now, in->subject, (int)size, (const char *)data);
}

int verb_watch(struct ctl *ctl)
{
    static const char *const usual[] = {"call.*", "policy.selected", "feedback.stored", "reward.computed", "bandit.updated",
                                        "bandit.changed", "guard.updated", "rl.dlq.>"};
    const char *const *subjects = ctl->args.word_count ? ctl->args.words : usual;
    size_t count = ctl->args.word_count ? ctl->args.word_count : sizeof usual / sizeof *usual;
    struct client_message in;
    struct reason reason = {0};
    struct arena arena;
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL); /* before the client has threads: they would take it */
    int code = ctl_connect(ctl);
    for (size_t i = 0; code == EXIT_OK && i < count; i++) {
        enum status status = client_listen(ctl->client, subjects[i], &reason);
        code = status == STATUS_OK ? EXIT_OK : ctl_fail(ctl, status, &reason);
    }
    arena_init(&arena);
    while (code == EXIT_OK && sigtimedwait(&stop, NULL, &(struct timespec){0}) < 0) {
        enum status status = client_next(ctl->client, &arena, WAIT_MS, &in);
        if (status == STATUS_OK)
            print_message(ctl, &arena, &in);
        else if (status != STATUS_TIMEOUT)
            code = ctl_fail(ctl, status, &(struct reason){.text = "the connection is lost"});
        if (fflush(stdout) != 0)
            break;
        arena_reset(&arena);
    }
    arena_done(&arena);
    return code;
}
