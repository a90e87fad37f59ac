/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - complete calls: policy.select, call.ended on its answer, until the bandit has learned them all; and latencies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "codec.h"
#include "msg.h"

enum { PATIENCE_MS = 20000 };

struct load {
    struct bench *b;
    struct client *voice, *operator;
    struct arena arena;
    long asked, ended, acked, learned_before, learned;
    unsigned run; /* makes the call ids of this run its own */
    size_t reply_size;
};

static void send_message(struct load *l, const char *subject, const ProtobufCMessage *message, const char *reply)
{
    struct client_publish out = {.subject = subject, .reply = reply};
    struct reason reason;
    const uint8_t *data;

    codec_encode(&l->arena, message, false, &data, &out.size);
    out.data = data;
    if (client_send(l->voice, &out, &reason) != STATUS_OK) {
        fprintf(stderr, "rl-bench: %s: %s\n", subject, reason.text);
        exit(1);
    }
}

static void ask(struct load *l)
{
    static const char *const profiles[] = {"kfz", "it", "sales", "support", "general"};
    PolicySelectRequest m = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;

    m.call_id = arena_printf(&l->arena, "bench-%u-%ld", l->run, l->asked);
    m.profile = (char *)profiles[l->asked % 5];
    send_message(l, "policy.select", &m.base, arena_printf(&l->arena, "_INBOX_voice.select.%ld", l->asked));
    l->asked++;
}

static void end_call(struct load *l, long number)
{
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = arena_printf(&l->arena, "bench-%u-%ld", l->run, number);
    m.signals = &s;
    s.has_resolution_case = TOM__RL__V1__SIGNALS__HAS_RESOLUTION_RESOLUTION;
    s.resolution = number % 3 != 0;
    s.has_duration_sec_case = TOM__RL__V1__SIGNALS__HAS_DURATION_SEC_DURATION_SEC;
    s.duration_sec = (double)(number % 400);
    s.has_user_rating_case = number % 5 < 2 ? TOM__RL__V1__SIGNALS__HAS_USER_RATING_USER_RATING : 0;
    s.user_rating = (int32_t)(1 + number % 5);
    send_message(l, "call.ended", &m.base, arena_printf(&l->arena, "_INBOX_voice.ended.%ld", number));
    l->ended++;
}

static long total_of(struct arena *arena, const struct client_message *m)
{
    ProtobufCMessage *body = NULL;
    struct reason reason;
    bool json;
    long n = 0;

    if (codec_decode(arena, &tom__rl__v1__bandit_updated__descriptor, m->data, m->size, 1 << 20, &json, &body,
                     &reason) != STATUS_OK)
        return -1;
    for (size_t i = 0; i < ((BanditUpdated *)body)->n_totals; i++)
        n += ((BanditUpdated *)body)->totals[i]->n;
    return n;
}

static bool take_answer(struct load *l)
{
    struct client_message m;

    if (client_next(l->voice, &l->arena, PATIENCE_MS, &m) != STATUS_OK)
        return false;
    const char *number = strrchr(m.subject, '.');
    if (strstr(m.subject, ".select.")) {
        l->reply_size = m.size;
        end_call(l, atol(number + 1));
    } else if (strstr(m.subject, ".ended.")) {
        l->acked++;
    }
    if (l->asked < l->b->calls)
        ask(l);
    arena_reset(&l->arena);
    return true;
}

static bool wait_learned(struct load *l)
{
    struct client_message m;

    while (l->learned - l->learned_before < l->b->calls) {
        if (client_next(l->operator, &l->arena, PATIENCE_MS, &m) != STATUS_OK)
            return false;
        long n = total_of(&l->arena, &m);
        l->learned = n >= 0 ? n : l->learned;
        arena_reset(&l->arena);
    }
    return true;
}

static void last_size(struct load *l, const char *name, const char *stream, const char *subject)
{
    struct client_message m;
    struct reason reason;
    struct client *init = bench_connect(l->b, "init");

    if (client_stream_get(init, &l->arena, stream, 0, subject, &m, &reason) == STATUS_OK)
        printf(" --%s %zu", name, m.size);
    client_free(init);
}

static bool listen_all(struct load *l)
{
    struct client_message m;
    struct reason reason;

    if (client_listen(l->voice, "_INBOX_voice.select.*", &reason) != STATUS_OK
        || client_listen(l->voice, "_INBOX_voice.ended.*", &reason) != STATUS_OK
        || client_listen(l->operator, "bandit.updated", &reason) != STATUS_OK)
        return fprintf(stderr, "rl-bench: %s\n", reason.text), false;
    if (client_next(l->operator, &l->arena, PATIENCE_MS, &m) == STATUS_OK)
        l->learned = l->learned_before = total_of(&l->arena, &m);
    return l->learned >= 0;
}

int bench_load(struct bench *b)
{
    struct load l = {.b = b, .voice = bench_connect(b, "voice"), .operator = bench_connect(b, "operator"),
                     .run = (unsigned)getpid()};
    bool ok = listen_all(&l);
    double start = bench_now();

    for (long i = 0; ok && i < b->window && l.asked < b->calls; i++)
        ask(&l);
    while (ok && l.acked < b->calls)
        ok = take_answer(&l);
    double acked = bench_now() - start;
    ok = ok && wait_learned(&l);
    double learned = bench_now() - start;
    if (ok) {
        printf("load %.0f/s calls %ld acked %.3f s learned %.3f s\nsizes --reply %zu", (double)b->calls / learned, b->calls,
               acked, learned, l.reply_size);
        last_size(&l, "record", "DECISIONS", "policy.selected");
        last_size(&l, "stored", "FEEDBACK", "feedback.stored");
        last_size(&l, "computed", "REWARDS", "reward.computed");
        putchar('\n');
    } else {
        fprintf(stderr, "rl-bench: stopped at asked %ld ended %ld acked %ld learned %ld\n", l.asked, l.ended, l.acked,
                l.learned - l.learned_before);
    }
    client_free(l.voice);
    client_free(l.operator);
    arena_done(&l.arena);
    return ok ? 0 : 1;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double one_select(struct load *l, long number)
{
    PolicySelectRequest m = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;
    struct client_message reply;
    struct reason reason;
    const uint8_t *data;
    size_t size;

    m.call_id = arena_printf(&l->arena, "select-%u-%ld", l->run, number);
    m.profile = arena_str(&l->arena, "kfz");
    codec_encode(&l->arena, &m.base, false, &data, &size);
    double start = bench_now();
    if (client_request(l->voice, &l->arena, "policy.select", data, size, PATIENCE_MS, &reply, &reason) != STATUS_OK) {
        fprintf(stderr, "rl-bench: policy.select: %s\n", reason.text);
        exit(1);
    }
    double took = bench_now() - start;
    l->reply_size = reply.size;
    arena_reset(&l->arena);
    return took;
}

int bench_select(struct bench *b)
{
    struct load l = {.b = b, .voice = bench_connect(b, "voice"), .run = (unsigned)getpid()};
    double *took = xcalloc((size_t)b->calls, sizeof *took);

    for (long i = 0; i < b->calls / 10; i++)
        one_select(&l, -1 - i);
    for (long i = 0; i < b->calls; i++)
        took[i] = one_select(&l, i);
    qsort(took, (size_t)b->calls, sizeof *took, by_size);
    printf("select p50 %.1f us p99 %.1f us calls %ld\nsizes --reply %zu", took[b->calls / 2] * 1e6,
           took[b->calls * 99 / 100] * 1e6, b->calls, l.reply_size);
    last_size(&l, "record", "DECISIONS", "policy.selected");
    putchar('\n');
    free(took);
    client_free(l.voice);
    arena_done(&l.arena);
    return 0;
}
