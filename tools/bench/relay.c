/* SPDX-License-Identifier: Apache-2.0 */
/* relay.c - the floor: the same bus code moves messages of the same sizes over the same streams, and does nothing else. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bus_nats.h"
#include "codec.h"
#include "msg.h"

enum { TAKE = 2048, OPEN = 1 << 16 };

struct relay {
    struct bus *bus;
    struct bench *b;
    enum subject in[2], out; /* what it takes; what it says for each in[0], SUBJECT_COUNT nothing */
    size_t in_count, out_size;
    uint64_t token, counted;
    struct bus_event open[OPEN]; /* by token: acked when their output is stored */
    uint8_t *payload;
};

static volatile sig_atomic_t stop_signal;

static void on_signal(int number) { stop_signal = number; }

static void on_select(void *ctx, const struct bus_event *request)
{
    struct relay *r = ctx;
    struct bus_message record = {.subject = SUBJECT_POLICY_SELECTED, .data = r->payload, .size = (size_t)r->b->record, .id = "",
                                 .traceparent = "", .token = UINT64_MAX};
    char id[64];

    snprintf(id, sizeof id, "policy.selected/%s", request->reply);
    record.id = id;
    if (!r->b->no_record && r->bus->ops->publish(r->bus, &record) != STATUS_OK)
        return;
    r->bus->ops->respond(r->bus, request->reply, r->payload, (size_t)r->b->reply);
}

static bool is_service(struct relay *r, const char *service, const char *name, enum subject in, enum subject out, long size)
{
    if (strcmp(service, name) != 0)
        return false;
    r->in[r->in_count++] = in;
    r->out = out;
    r->out_size = (size_t)size;
    return true;
}

static bool set_up(struct relay *r, const char *service)
{
    bool known = is_service(r, service, "router", SUBJECT_POLICY_SELECT, SUBJECT_COUNT, 0)
                 || is_service(r, service, "reward", SUBJECT_FEEDBACK_STORED, SUBJECT_REWARD_COMPUTED, r->b->computed)
                 || is_service(r, service, "bandit", SUBJECT_REWARD_COMPUTED, SUBJECT_COUNT, 0)
                 || is_service(r, service, "guard", SUBJECT_POLICY_SELECTED, SUBJECT_COUNT, 0)
                 || is_service(r, service, "feedback", SUBJECT_CALL_ENDED, SUBJECT_FEEDBACK_STORED, r->b->stored);
    if (strcmp(service, "feedback") == 0)
        r->in[r->in_count++] = SUBJECT_POLICY_SELECTED;
    return known;
}

static void move(struct relay *r, struct bus_event *e)
{
    struct bus_message m = {.subject = r->out, .data = r->payload, .size = r->out_size, .id = "", .traceparent = "",
                            .token = ++r->token};

    if (e->type == BUS_PUBACK && e->token != UINT64_MAX) {
        struct bus_event *input = &r->open[e->token % OPEN];
        r->bus->ops->ack(r->bus, input->reply);
        r->bus->ops->release(r->bus, input, 1);
    } else if (e->type == BUS_MESSAGE && r->out != SUBJECT_COUNT && e->subject == r->in[0]) {
        r->open[r->token % OPEN] = *e;
        if (r->bus->ops->publish(r->bus, &m) == STATUS_OK)
            return; /* kept until its output is stored */
    } else if (e->type == BUS_MESSAGE) {
        r->counted++;
        r->bus->ops->ack(r->bus, e->reply);
    }
    r->bus->ops->release(r->bus, e, 1);
}

/* What the load waits for. */
static void say_total(struct relay *r, struct arena *arena)
{
    BanditUpdated u = TOM__RL__V1__BANDIT_UPDATED__INIT;
    ArmTotal total = TOM__RL__V1__ARM_TOTAL__INIT, *totals[] = {&total};
    struct bus_message m = {.subject = SUBJECT_BANDIT_UPDATED, .id = "", .traceparent = "", .token = UINT64_MAX};
    const uint8_t *data;

    total.n = (int64_t)r->counted;
    u.totals = totals;
    u.n_totals = 1;
    arena_reset(arena);
    codec_encode(arena, &u.base, false, &data, &m.size);
    m.data = data;
    if (r->bus->ops->publish(r->bus, &m) != STATUS_OK)
        fputs("rl-bench: bandit.updated was not sent\n", stderr);
}

static void run(struct relay *r, bool totals)
{
    static struct bus_event events[TAKE];
    struct arena arena = {0};
    mono_time next = {0};

    while (!stop_signal) {
        mono_time now = clk_real.mono(clk_real.ctx);
        size_t n = r->bus->ops->take(r->bus, mono_after(now, 100000), true, events, TAKE);
        for (size_t i = 0; i < n; i++)
            move(r, &events[i]);
        if (n)
            r->bus->ops->flush(r->bus);
        if (totals && now.us >= next.us) {
            say_total(r, &arena);
            next = mono_after(now, 100000);
        }
    }
    arena_done(&arena);
}

int bench_relay(struct bench *b, const char *service)
{
    struct relay *r = xcalloc(1, sizeof *r);
    struct bus_nats_options options = {.url = b->url, .user = service, .prefix = b->common.subject_prefix, .name = service,
                                       .send_asap = strcmp(service, "router") == 0, .connect_timeout_s = 10,
                                       .password_file = arena_printf(&b->arena, "%s/secrets/%s.password", b->common.data_dir,
                                                                     service)};
    struct bus_setup setup = {.service = service, .subjects = r->in, .immediate = SUBJECT_POLICY_SELECT,
                              .on_immediate = on_select, .ctx = r};
    struct reason reason;

    r->b = b;
    r->payload = xcalloc(1, MAX_PAYLOAD);
    if (!set_up(r, service))
        return fprintf(stderr, "rl-bench: no service %s\n", service), 64;
    setup.subject_count = r->in_count;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    r->bus = bus_nats_new(&options);
    enum status status = r->bus->ops->start(r->bus, &setup, &reason);
    if (status == STATUS_OK)
        run(r, strcmp(service, "bandit") == 0);
    else
        fprintf(stderr, "rl-bench: %s: %s\n", service, reason.text);
    bus_nats_free(r->bus);
    free(r->payload);
    free(r);
    return status == STATUS_OK ? 0 : 1;
}
