/* SPDX-License-Identifier: Apache-2.0 */
/* page.c - the tables of the wiring as Markdown: docs/reference/messages.md begins with them. */
#include <stdio.h>

#include "init.h"
#include "wiring.h"

/* CallEnded, as a link to its fields below. */
static void print_message(const ProtobufCMessageDescriptor *message)
{
    printf(" | [%s](#", message->short_name);
    for (const char *c = message->short_name; *c; c++)
        putchar(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    printf(")");
}

static const char *clients(const struct subject_info *s)
{
    return s->voice ? "voice, operator" : s->operator ? "operator" : "";
}

static void print_published(void)
{
    puts("## What is published\n\n| subject | stream | published by | message |\n| --- | --- | --- | --- |");
    for (enum subject i = 0; i < SUBJECT_COUNT; i++) {
        const struct subject_info *s = &subject_table[i];
        const char *from = clients(s);
        if (s->kind == KIND_REQUEST)
            continue;
        printf("| `%s` | %s | %s%s%s", s->name, stream_table[s->stream].name, s->service ? s->service : "",
               s->service && *from ? ", " : "", from);
        print_message(s->message);
        puts(" |");
    }
}

static void print_requests(void)
{
    puts("\n## What can be asked\n\n| subject | answered by | asked by | request | reply |\n| --- | --- | --- | --- | --- |");
    for (enum subject i = 0; i < SUBJECT_COUNT; i++) {
        const struct subject_info *s = &subject_table[i];
        if (s->kind != KIND_REQUEST)
            continue;
        printf("| `%s` | %s | %s", s->name, s->service, clients(s));
        print_message(s->message);
        print_message(s->reply);
        puts(" |");
    }
}

static void print_streams(void)
{
    puts("\n## Streams\n\n| stream | keeps | at most | largest message |\n| --- | --- | --- | --- |");
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        const struct stream_info *s = &stream_table[i];
        printf("| %s | %s%lld h | %lld %% of the store | %d KiB |\n", s->name, s->last_only ? "the last message, " : "",
               (long long)s->max_age_s / 3600, (long long)s->max_bytes_share, (int)(s->max_msg_size / 1024));
    }
}

static void print_consumers(void)
{
    puts("\n## Durable consumers\n\n| consumer | of | subject | several instances |\n| --- | --- | --- | --- |");
    for (size_t i = 0; i < CONSUMER_COUNT; i++) {
        const struct consumer_info *c = &consumer_table[i];
        printf("| %s | %s | `%s` | %s |\n", c->durable, c->service, subject_table[c->subject].name,
               c->group ? "share it" : "no: the second is refused");
    }
}

void init_page(void)
{
    print_published();
    print_requests();
    print_streams();
    print_consumers();
}
