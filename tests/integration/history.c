/* SPDX-License-Identifier: Apache-2.0 */
/* history.c - what streams hold of the last hours comes once: as history, or from the consumer that begins behind it. */
#include <signal.h>
#include <stdlib.h>

#include "bus_nats.h"
#include "server.h"
#include "test.h"

/* In the order in which they are read. */
static const enum subject subjects[] = {SUBJECT_POLICY_SELECT, SUBJECT_BANDIT_UPDATED, SUBJECT_POLICY_SELECTED,
                                        SUBJECT_CALL_EVENT, SUBJECT_CALL_ENDED};

static bool streams(struct server *s)
{
    return server_start(s, test_dir()) && server_stream(s, "DECISIONS", "policy.selected", "") &&
           server_stream(s, "CALLS", "call.*", "") &&
           server_stream(s, "BANDIT", "bandit.updated", ",\"max_msgs_per_subject\":1");
}

static struct bus *new_bus(const struct server *s)
{
    return bus_nats_new(&(struct bus_nats_options){.url = s->url, .user = "router", .name = "test", .connect_timeout_s = 10});
}

static enum status begin(struct bus *bus, struct reason *reason)
{
    struct bus_setup setup = {.service = "router", .subjects = subjects, .subject_count = 5, .immediate = SUBJECT_COUNT,
                              .history_s = 7200};

    return bus->ops->start(bus, &setup, reason);
}

static struct bus *start(const struct server *s)
{
    struct bus *bus = new_bus(s);
    struct reason reason = {0};

    if (begin(bus, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "start: %s", reason.text);
    return bus;
}

static bool next(struct bus *bus, int64_t ms, struct bus_event *ret)
{
    return bus->ops->take(bus, mono_after(clk_real.mono(NULL), ms * 1000), true, ret, 1) == 1;
}

/* The next event is this one; a message is acked when `ack`. */
static void expect(struct bus *bus, enum bus_event_type type, enum subject subject, const char *text, bool ack)
{
    struct bus_event e;

    if (!next(bus, 5000, &e)) {
        test_fail(__FILE__, __LINE__, "\"%s\" does not come", text);
        return;
    }
    if (e.type != type || e.subject != subject || e.size != strlen(text) || (e.size && memcmp(e.data, text, e.size) != 0))
        test_fail(__FILE__, __LINE__, "type %d, subject %d, \"%.*s\" came instead of \"%s\"", e.type, e.subject, (int)e.size,
                  (const char *)e.data, text);
    if (ack)
        bus->ops->ack(bus, e.reply);
    bus->ops->release(bus, &e, 1);
}

static void expect_nothing(struct bus *bus)
{
    struct bus_event e;

    CHECK(!next(bus, 300, &e));
}

static void leave(struct bus *bus)
{
    bus->ops->flush(bus);
    bus_nats_free(bus);
}

TEST(integration_bus, history_comes_whole_and_then_it_is_said_that_it_has)
{
    struct server s;
    char text[32];

    CHECK(streams(&s));
    struct bus *bus = start(&s);
    expect(bus, BUS_CAUGHT_UP, SUBJECT_COUNT, "", false); /* empty streams have no history */
    leave(bus);
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "past-%d", i);
        CHECK(server_pub(&s, "policy.selected", "", text));
    }
    bus = start(&s);
    for (int i = 0; i < 300 && !test_failed(); i++) {
        snprintf(text, sizeof text, "past-%d", i);
        expect(bus, BUS_HISTORY, SUBJECT_POLICY_SELECTED, text, false);
    }
    expect(bus, BUS_CAUGHT_UP, SUBJECT_COUNT, "", false);
    leave(bus);
    server_stop(&s, SIGTERM);
}

TEST(integration_bus, history_ends_where_the_consumer_begins_and_skips_what_nobody_asked_for)
{
    static const char *const said[][2] = {{"policy.selected", "d-1"}, {"call.event", "e-1"}, {"call.amended", "a-1"},
                                          {"call.ended", "x-1"}, {"call.event", "e-2"}};
    struct server s;

    CHECK(streams(&s));
    struct bus *bus = start(&s);
    expect(bus, BUS_CAUGHT_UP, SUBJECT_COUNT, "", false);
    for (int i = 0; i < 5; i++)
        CHECK(server_pub(&s, said[i][0], "", said[i][1]));
    expect(bus, BUS_MESSAGE, SUBJECT_CALL_EVENT, "e-1", true);
    expect(bus, BUS_MESSAGE, SUBJECT_CALL_EVENT, "e-2", false);
    expect_nothing(bus);
    leave(bus);
    CHECK(server_pub(&s, "call.event", "", "e-3"));
    CHECK(server_pub(&s, "call.ended", "", "x-2"));
    bus = start(&s);
    expect(bus, BUS_HISTORY, SUBJECT_POLICY_SELECTED, "d-1", false);
    expect(bus, BUS_HISTORY, SUBJECT_CALL_EVENT, "e-1", false);
    expect(bus, BUS_HISTORY, SUBJECT_CALL_ENDED, "x-1", false);
    expect(bus, BUS_HISTORY, SUBJECT_CALL_ENDED, "x-2", false);
    expect(bus, BUS_CAUGHT_UP, SUBJECT_COUNT, "", false);
    expect(bus, BUS_MESSAGE, SUBJECT_CALL_EVENT, "e-2", true);
    expect(bus, BUS_MESSAGE, SUBJECT_CALL_EVENT, "e-3", true);
    expect_nothing(bus);
    leave(bus);
    server_stop(&s, SIGTERM);
}

/* Two routers would each follow half of a call's events. */
TEST(integration_bus, a_second_router_is_refused_before_it_reads_anything)
{
    struct server s;
    struct reason reason = {0};
    struct bus_event e;

    CHECK(streams(&s));
    struct bus *bus = start(&s), *second = new_bus(&s);
    expect(bus, BUS_CAUGHT_UP, SUBJECT_COUNT, "", false);
    CHECK(server_pub(&s, "call.event", "", "e-1"));
    expect(bus, BUS_MESSAGE, SUBJECT_CALL_EVENT, "e-1", true);
    CHECK_INT(begin(second, &reason), STATUS_LOCKED);
    CHECK(strstr(reason.text, "another instance of router") != NULL);
    CHECK(!next(second, 100, &e));
    bus_nats_free(second);
    leave(bus);
    server_stop(&s, SIGTERM);
}
