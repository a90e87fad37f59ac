/* SPDX-License-Identifier: Apache-2.0 */
/* feedback.c - what a running rl-feedback takes to answer, and how long a cleanup keeps others waiting. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "clk.h"
#include "codec.h"
#include "msg.h"
#include "service.h"

enum { TIMES = 500, PATIENCE_MS = 60000, CHUNK = 200, KEEP_DAYS = 30, FILLED_DAYS = 60, NAP_US = 200 };

struct asker {
    struct client *client;
    struct arena arena;
};

/* Seconds; *ret (may be NULL) the reply, until the next question. */
static double ask(struct asker *a, const char *subject, const ProtobufCMessage *m, const ProtobufCMessageDescriptor *type,
                  ProtobufCMessage **ret)
{
    struct client_message reply;
    struct reason reason = {0};
    const uint8_t *data;
    size_t size;
    bool json;

    arena_reset(&a->arena);
    codec_encode(&a->arena, m, false, &data, &size);
    double start = bench_now();
    enum status status = client_request(a->client, &a->arena, subject, data, size, PATIENCE_MS, &reply, &reason);
    double took = bench_now() - start;
    if (status == STATUS_OK && ret)
        status = codec_decode(&a->arena, type, reply.data, reply.size, 1 << 20, &json, ret, &reason);
    if (status != STATUS_OK) {
        fprintf(stderr, "rl-bench: %s: %s\n", subject, reason.text);
        exit(1);
    }
    return took;
}

static double ask_stats(struct asker *a, uint64_t *ret_total)
{
    FeedbackStatsRequest m = TOM__RL__V1__FEEDBACK_STATS_REQUEST__INIT;
    ProtobufCMessage *reply;
    double took = ask(a, "feedback.stats", &m.base, &tom__rl__v1__feedback_stats_reply__descriptor, &reply);

    *ret_total = ((FeedbackStatsReply *)reply)->total_events;
    return took;
}

static double ask_page(struct asker *a, int number)
{
    FeedbackByPolicyRequest m = TOM__RL__V1__FEEDBACK_BY_POLICY_REQUEST__INIT;

    m.policy_variant = (char *)(number % 2 ? "v1a" : "v4b");
    return ask(a, "feedback.by_policy", &m.base, NULL, NULL);
}

/* What analysts ask for, the odd ones too; one call in thousands is of the profile `rare` (fill.c). */
static const struct question {
    const char *name, *variant, *profile;
    bool empty; /* an hour of long ago */
    uint32_t limit;
} questions[] = {{.name = "query"}, {.name = "query_variant", .variant = "v4b"}, {.name = "query_profile", .profile = "it"},
                 {.name = "query_both", .variant = "v4b", .profile = "it"}, {.name = "query_rare", .profile = "rare"},
                 {.name = "query_rare_both", .variant = "v4b", .profile = "rare"}, {.name = "query_empty", .empty = true},
                 {.name = "query_nobody", .profile = "nobody"}, {.name = "query_1000", .limit = 1000}};

/* A page that begins `from_days` ago, so that it lies anywhere; *ret_events what was on it. */
static double ask_query(struct asker *a, const struct question *what, int from_days, size_t *ret_events)
{
    FeedbackQueryRequest m = TOM__RL__V1__FEEDBACK_QUERY_REQUEST__INIT;
    ProtobufCMessage *reply;

    m.policy_variant = what->variant ? (char *)what->variant : m.policy_variant;
    m.profile = what->profile ? (char *)what->profile : m.profile;
    m.limit = what->limit;
    m.to = (double)(clk_real.wall(NULL).us / 1000000) - 86400.0 * (what->empty ? 2 * FILLED_DAYS : from_days);
    m.from = what->empty ? m.to - 3600 : 0;
    double took = ask(a, "feedback.query", &m.base, &tom__rl__v1__feedback_query_reply__descriptor, &reply);
    *ret_events = ((FeedbackQueryReply *)reply)->n_events;
    return took;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_latency(const char *name, double *took)
{
    qsort(took, TIMES, sizeof *took, by_size);
    printf("%s p50 %.1f us p99 %.1f us", name, took[TIMES / 2] * 1e6, took[TIMES * 99 / 100] * 1e6);
}

static void print_queries(struct asker *a)
{
    double took[TIMES];
    size_t events = 0, all = 0;

    for (size_t k = 0; k < COUNT_OF(questions); k++, all = 0) {
        for (int i = 0; i < TIMES; i++, all += events)
            took[i] = ask_query(a, &questions[k], i % FILLED_DAYS, &events);
        print_latency(questions[k].name, took);
        printf(" calls a page %.1f\n", (double)all / TIMES);
    }
}

/* Asks for statistics all the while: whoever asks waits at most as long as a chunk takes. */
static void clean(struct asker *a)
{
    FeedbackCleanupRequest m = TOM__RL__V1__FEEDBACK_CLEANUP_REQUEST__INIT;
    double slowest = 0, start = bench_now();
    ProtobufCMessage *reply;
    uint64_t before, now;

    m.older_than_days = KEEP_DAYS;
    m.force = true;
    ask_stats(a, &before);
    double plan = ask(a, "feedback.cleanup", &m.base, &tom__rl__v1__feedback_cleanup_reply__descriptor, &reply);
    uint64_t deleted = ((FeedbackCleanupReply *)reply)->deleted;
    do {
        double took = ask_stats(a, &now);
        slowest = took > slowest ? took : slowest;
        bench_nap(NAP_US);
    } while (before - now < deleted);
    double took = bench_now() - start;
    printf("cleanup deleted %llu in %.2f s plan %.1f ms chunk %.2f ms slowest %.2f ms\n", (unsigned long long)deleted, took,
           plan * 1e3, deleted ? took * 1e3 / ((double)deleted / CHUNK) : 0, slowest * 1e3);
}

int bench_feedback(struct bench *b)
{
    struct asker a = {.client = bench_connect(b, "operator")};
    double took[TIMES];
    uint64_t total;

    for (int i = 0; i < TIMES; i++)
        took[i] = ask_stats(&a, &total);
    printf("rows %llu\n", (unsigned long long)total);
    print_latency("stats", took);
    putchar('\n');
    for (int i = 0; i < TIMES; i++)
        took[i] = ask_page(&a, i);
    print_latency("page", took);
    putchar('\n');
    print_queries(&a);
    clean(&a);
    client_free(a.client);
    arena_done(&a.arena);
    return 0;
}
