/* SPDX-License-Identifier: Apache-2.0 */
/* dlq.c - messages that were refused: list, show, replay.
 *
 * Replaying publishes the payload again, where it was published first, with the time of its first
 * arrival; services take it as new. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rlctl.h"

enum { LIST_DEFAULT = 20, WALK_LIMIT = 10000, GAP_LIMIT = 1000 };

struct letter {
    uint64_t sequence;
    struct client_message message;
    const DeadLetter *body;
};

static enum status letter_get(struct ctl *ctl, uint64_t sequence, const char *subject, struct letter *ret, struct reason *reason)
{
    const char *stream = stream_table[STREAM_DLQ].name;
    ProtobufCMessage *body;
    bool json;
    enum status status = client_stream_get(ctl->client, &ctl->arena, stream, sequence, subject, &ret->message, reason);

    if (status == STATUS_OK)
        status = codec_decode(&ctl->arena, &tom__rl__v1__dead_letter__descriptor, ret->message.data, ret->message.size,
                              (size_t)stream_table[STREAM_DLQ].max_msg_size, &json, &body, reason);
    if (status != STATUS_OK)
        return status;
    ret->body = (const DeadLetter *)body;
    ret->sequence = ret->message.sequence;
    return STATUS_OK;
}

static bool of_service(const char *service, const DeadLetter *letter)
{
    return !service || strcmp(service, letter->service) == 0;
}

/* The highest sequence of all dead letters, 0 when there is none. */
static enum status newest(struct ctl *ctl, uint64_t *ret, struct reason *reason)
{
    *ret = 0;
    for (enum subject s = SUBJECT_DLQ_FEEDBACK; s <= SUBJECT_DLQ_ROUTER; s++) {
        struct letter letter;
        enum status status = letter_get(ctl, 0, subject_table[s].name, &letter, reason);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
        if (status == STATUS_OK && letter.sequence > *ret)
            *ret = letter.sequence;
    }
    return STATUS_OK;
}

/* Newest first, at most `most`; walks backwards over what has expired or is no dead letter. */
static enum status collect(struct ctl *ctl, size_t most, struct letter *letters, size_t *ret_count, struct reason *reason)
{
    const char *service = args_get(&ctl->args, "--service");
    uint64_t at;
    enum status status = newest(ctl, &at, reason);

    *ret_count = 0;
    for (size_t gap = 0; status == STATUS_OK && at > 0 && gap < GAP_LIMIT && *ret_count < most; at--) {
        struct letter *next = &letters[*ret_count];
        enum status one = letter_get(ctl, at, NULL, next, reason);
        gap = one == STATUS_OK ? 0 : gap + 1;
        if (one == STATUS_OK && of_service(service, next->body))
            ++*ret_count;
        else if (one != STATUS_OK && one != STATUS_NOT_FOUND && one != STATUS_INVALID)
            status = one;
    }
    return status;
}

static const char *age(struct ctl *ctl, double since)
{
    double s = (double)time(NULL) - since;

    return s < 120 ? arena_printf(&ctl->arena, "%.0f s", s < 0 ? 0 : s)
           : s < 7200 ? arena_printf(&ctl->arena, "%.0f min", s / 60)
           : arena_printf(&ctl->arena, "%.0f h", s / 3600);
}

static void print_json(struct ctl *ctl, const struct letter *letter)
{
    const uint8_t *data;
    size_t size;

    codec_encode(&ctl->arena, &letter->body->base, true, &data, &size);
    printf("{\"dlq_sequence\":%llu,\"letter\":%.*s}\n", (unsigned long long)letter->sequence, (int)size, (const char *)data);
}

static int list(struct ctl *ctl)
{
    const char *text = args_get(&ctl->args, "-n");
    long most = text ? strtol(text, NULL, 10) : LIST_DEFAULT;
    struct reason reason = {0};
    size_t count;

    if (most < 1 || most > WALK_LIMIT)
        return ctl_usage("-n", "1 to 10000");
    struct letter *letters = arena_alloc(&ctl->arena, (size_t)most * sizeof *letters);
    enum status status = collect(ctl, (size_t)most, letters, &count, &reason);
    if (status != STATUS_OK)
        return ctl_fail(ctl, status, &reason);
    if (!ctl->args.json)
        puts(count ? "sequence  age      service   subject           reason       what" : "no dead letters");
    for (size_t i = 0; i < count; i++) {
        const DeadLetter *l = letters[i].body;
        if (ctl->args.json)
            print_json(ctl, &letters[i]);
        else
            printf("%-9llu %-8s %-9s %-17s %-12s %s%s%s\n", (unsigned long long)letters[i].sequence, age(ctl, l->time),
                   l->service, l->subject, l->reason, l->field, l->field[0] ? ": " : "", l->message);
    }
    return EXIT_OK;
}

/* As text when it is text, else in hex. */
static void print_payload(const ProtobufCBinaryData *payload)
{
    bool text = true;

    for (size_t i = 0; i < payload->len; i++)
        text &= payload->data[i] >= 0x80 || isprint(payload->data[i]) || isspace(payload->data[i]);
    for (size_t i = 0; i < payload->len; i++)
        if (text)
            putchar(payload->data[i]);
        else
            printf("%02x%s", payload->data[i], i % 32 == 31 ? "\n" : " ");
    putchar('\n');
}

static int show(struct ctl *ctl, const struct letter *letter)
{
    const DeadLetter *l = letter->body;

    if (ctl->args.json) {
        print_json(ctl, letter);
        return EXIT_OK;
    }
    printf("sequence    %llu\nservice     %s\nsubject     %s\nlies in     %s %llu, %s ago, delivered %u times\nreason      %s\n",
           (unsigned long long)letter->sequence, l->service, l->subject, l->stream, (unsigned long long)l->sequence,
           age(ctl, l->time), l->deliveries, l->reason);
    printf("field       %s\nmessage     %s\ntraceparent %s\npayload     %zu bytes\n", l->field, l->message, l->traceparent,
           l->payload.len);
    print_payload(&l->payload);
    return EXIT_OK;
}

static int replay(struct ctl *ctl, const struct letter *letter)
{
    const DeadLetter *l = letter->body;
    enum subject subject = subject_find(l->subject);

    if (subject == SUBJECT_COUNT || subject_table[subject].stream == STREAM_NONE || l->payload.len == 0) {
        fprintf(stderr, "error: dead letter %llu holds nothing that can be published again\n",
                (unsigned long long)letter->sequence);
        return EXIT_ERROR;
    }
    struct timespec run; /* a number of its own for each replay, so that the stream takes it as new */
    clock_gettime(CLOCK_REALTIME, &run);
    struct client_publish out = {.subject = l->subject, .data = l->payload.data, .size = l->payload.len,
                                 .traceparent = l->traceparent, .time_us = (int64_t)(l->time * 1e6),
                                 .id = arena_printf(&ctl->arena, "%s/%llu/r%lld", l->stream, (unsigned long long)l->sequence,
                                                    run.tv_sec * 1000LL + run.tv_nsec / 1000000)};
    if (!ctl->args.json)
        printf("dead letter %llu -> ", (unsigned long long)letter->sequence), fflush(stdout);
    int code = ctl_publish(ctl, subject, &out);
    if (code == EXIT_ERROR && !subject_table[subject].operator&& !ctl->args.as)
        fprintf(stderr, "%s is said by services only; type: ./rl dlq replay %llu --as init\n", l->subject,
                (unsigned long long)letter->sequence);
    return code;
}

/* Oldest first; one that cannot be said does not hold up the rest. */
static int replay_all(struct ctl *ctl)
{
    struct letter *letters = arena_alloc(&ctl->arena, WALK_LIMIT * sizeof *letters);
    struct reason reason = {0};
    size_t count;
    int worst = EXIT_OK;
    enum status status = collect(ctl, WALK_LIMIT, letters, &count, &reason);

    if (status != STATUS_OK)
        return ctl_fail(ctl, status, &reason);
    for (size_t i = count; i-- > 0 && worst != EXIT_NO_BUS;) {
        int code = replay(ctl, &letters[i]);
        worst = code == EXIT_OK ? worst : code;
    }
    if (count == 0 && !ctl->args.json)
        puts("no dead letters");
    return worst;
}

int verb_dlq(struct ctl *ctl)
{
    const char *what = ctl->args.words[0], *number = ctl->args.word_count > 1 ? ctl->args.words[1] : NULL,
               *all = args_get(&ctl->args, "--all");
    bool showing = strcmp(what, "show") == 0, replaying = strcmp(what, "replay") == 0, listing = strcmp(what, "list") == 0;
    struct reason reason = {0};
    struct letter letter;
    char *end = NULL;
    uint64_t sequence = number ? strtoull(number, &end, 10) : 0;

    if (!(listing && !number && !all) && !(replaying && all && !number) && !((showing || replaying) && !all && sequence && !*end))
        return ctl_usage("dlq", "there is: list, show SEQUENCE, replay SEQUENCE, replay --all");
    int code = ctl_connect(ctl);
    if (code != EXIT_OK || listing || all)
        return code != EXIT_OK ? code : listing ? list(ctl) : replay_all(ctl);
    enum status status = letter_get(ctl, sequence, NULL, &letter, &reason);
    if (status == STATUS_OK)
        return showing ? show(ctl, &letter) : replay(ctl, &letter);
    if (status == STATUS_NOT_FOUND)
        reason_set(&reason, "", "there is no dead letter %s (any more: they are kept for 72 h)", number);
    return ctl_fail(ctl, status, &reason);
}
