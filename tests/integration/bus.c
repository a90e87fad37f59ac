/* SPDX-License-Identifier: Apache-2.0 */
/* bus.c - the NATS bus against a real server: what is promised when things go well, and when server, stream or consumer go
 * away. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus_nats.h"
#include "server.h"
#include "test.h"

enum { GUARD = 5 }; /* the guard's row of consumer_table */

static const enum subject guard_subjects[] = {SUBJECT_POLICY_SELECTED, SUBJECT_BANDIT_UPDATED, SUBJECT_GUARD_STATUS,
                                              SUBJECT_GUARD_HEALTH};

static void answer_at_once(void *bus, const struct bus_event *request)
{
    struct bus *b = bus;

    b->ops->respond(b, request->reply, "at once", 7);
}

static struct bus_setup guard_setup(void)
{
    return (struct bus_setup){.service = "guard", .subjects = guard_subjects, .subject_count = 4, .immediate = SUBJECT_COUNT};
}

static struct bus *new_bus(const struct server *s)
{
    return bus_nats_new(&(struct bus_nats_options){.url = s->url, .user = "guard", .name = "test", .connect_timeout_s = 10});
}

static void begin(struct bus *bus, const struct bus_setup *setup)
{
    struct reason reason = {0};

    if (bus->ops->start(bus, setup, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "start: %s", reason.text);
}

static struct bus *start(const struct server *s, const struct bus_setup *setup)
{
    struct bus *bus = new_bus(s);

    begin(bus, setup);
    return bus;
}

static bool streams(struct server *s)
{
    return server_start(s, test_dir()) && server_stream(s, "DECISIONS", "policy.selected", ",\"max_msg_size\":1000") &&
           server_stream(s, "BANDIT", "bandit.updated", ",\"max_msgs_per_subject\":1");
}

static mono_time in_ms(int64_t ms) { return mono_after(clk_real.mono(NULL), ms * 1000); }

/* The next event of that type; others are released. */
static bool next(struct bus *bus, enum bus_event_type type, int64_t ms, struct bus_event *ret)
{
    mono_time until = in_ms(ms);

    while (bus->ops->take(bus, until, true, ret, 1) == 1) {
        if (ret->type == type)
            return true;
        bus->ops->release(bus, ret, 1);
    }
    return false;
}

static bool says(const struct bus_event *e, const char *text) 
{
    return e->size == strlen(text) && memcmp(e->data, text, e->size) == 0;
}

static void put(struct bus *bus, enum subject subject, const char *text, uint64_t token)
{
    struct bus_message m = {.subject = subject, .data = text, .size = strlen(text), .id = "", .traceparent = "", .token = token};

    CHECK(bus->ops->publish(bus, &m) == STATUS_OK);
}

/* Takes and acks until `count` different texts "<word>-<number>" from `first` on have come, or time is over; returns how many. */
static int collect(struct bus *bus, const char *word, int first, int count, int64_t ms)
{
    bool seen[1000] = {false};
    struct bus_event e;
    int found = 0;
    mono_time until = in_ms(ms);

    while (found < count && next(bus, BUS_MESSAGE, (until.us - clk_real.mono(NULL).us) / 1000, &e)) {
        char text[64];
        int n;
        snprintf(text, sizeof text, "%.*s", (int)e.size, (const char *)e.data);
        if (strncmp(text, word, strlen(word)) == 0 && sscanf(text + strlen(word), "-%d", &n) == 1 && n >= first &&
            n < first + count && !seen[n]) {
            seen[n] = true;
            found++;
        }
        bus->ops->ack(bus, e.reply);
        bus->ops->release(bus, &e, 1);
    }
    bus->ops->flush(bus);
    return found;
}

static void pub_many(struct server *s, const char *word, int first, int count)
{
    char text[64];

    for (int i = first; i < first + count; i++) {
        snprintf(text, sizeof text, "%s-%d", word, i);
        CHECK(server_pub(s, "policy.selected", "", text));
    }
}

static struct bus_figures figures(struct bus *bus)
{
    struct bus_figures f;

    bus->ops->figures(bus, &f);
    return f;
}

/* The first messages of a consumer made again may be here before it is counted. */
static uint64_t recreated(struct bus *bus, uint64_t expected)
{
    for (int i = 0; i < 100 && figures(bus).recreated[GUARD] < expected; i++)
        usleep(20000);
    return figures(bus).recreated[GUARD];
}

TEST(integration_bus, a_publish_is_acked_under_its_token_or_refused_with_the_servers_words)
{
    struct server s;
    struct bus_event e;
    char large[2000];

    CHECK(streams(&s));
    struct bus_setup setup = guard_setup();
    struct bus *bus = start(&s, &setup);
    struct bus_message m = {.subject = SUBJECT_POLICY_SELECTED, .data = "x", .size = 1, .id = "once", .traceparent = "00-1",
                            .token = 18446744073709551615u};
    CHECK(bus->ops->publish(bus, &m) == STATUS_OK);
    CHECK(next(bus, BUS_PUBACK, 3000, &e) && e.token == 18446744073709551615u && e.status == STATUS_OK);
    bus->ops->release(bus, &e, 1);

    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    put(bus, SUBJECT_POLICY_SELECTED, large, 7);
    CHECK(next(bus, BUS_PUBACK, 3000, &e) && e.token == 7 && e.status == STATUS_REFUSED);
    CHECK(strstr(e.error, "message size exceeds maximum"));
    bus->ops->release(bus, &e, 1);

    put(bus, SUBJECT_DLQ_GUARD, "no such stream", 8);
    CHECK(next(bus, BUS_PUBACK, 3000, &e) && e.token == 8 && e.status == STATUS_BUSY && *e.error);
    bus->ops->release(bus, &e, 1);
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}

TEST(integration_bus, an_acked_message_never_comes_back_and_another_one_does)
{
    struct server s;
    struct bus_event e;

    CHECK(streams(&s));
    struct bus_setup setup = guard_setup();
    struct bus *bus = start(&s, &setup);
    int64_t before = clk_real.wall(NULL).us;
    CHECK(server_pub(&s, "policy.selected", "traceparent: 00-ab-cd-01", "keep"));
    CHECK(server_pub(&s, "policy.selected", "Rl-Time: 1763800000000001", "again"));
    CHECK(next(bus, BUS_MESSAGE, 3000, &e) && says(&e, "keep") && e.sequence == 1 && e.deliveries == 1 && e.consumer == GUARD);
    CHECK_STR(e.traceparent, "00-ab-cd-01");
    CHECK(e.time_us >= before && e.time_us <= clk_real.wall(NULL).us && e.time_us == e.stream_time_us);
    bus->ops->ack(bus, e.reply);
    bus->ops->release(bus, &e, 1);
    CHECK(next(bus, BUS_MESSAGE, 3000, &e) && says(&e, "again") && e.time_us == 1763800000000001 && e.stream_time_us >= before);
    bus->ops->release(bus, &e, 1);
    CHECK(next(bus, BUS_MESSAGE, 8000, &e) && says(&e, "again") && e.deliveries == 2);
    bus->ops->ack(bus, e.reply);
    bus->ops->release(bus, &e, 1);
    CHECK(!next(bus, BUS_MESSAGE, 500, &e));
    CHECK_STR(figures(bus).problem, "");
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}

TEST(integration_bus, drain_holds_messages_back_but_not_the_acks_of_what_was_said)
{
    struct server s;
    struct bus_event e;

    CHECK(streams(&s));
    struct bus_setup setup = guard_setup();
    struct bus *bus = start(&s, &setup);
    bus->ops->drain(bus);
    put(bus, SUBJECT_POLICY_SELECTED, "late", 3);
    CHECK(next(bus, BUS_PUBACK, 3000, &e) && e.token == 3 && e.status == STATUS_OK);
    CHECK(!next(bus, BUS_MESSAGE, 300, &e));
    bus_nats_free(bus);
    bus = start(&s, &setup);
    CHECK(next(bus, BUS_MESSAGE, 8000, &e) && says(&e, "late"));
    bus->ops->release(bus, &e, 1);
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}

TEST(integration_bus, a_consumer_deleted_under_a_running_bus_is_made_again_and_counted)
{
    struct server s;

    CHECK(streams(&s));
    struct bus_setup setup = guard_setup();
    struct bus *bus = start(&s, &setup);
    pub_many(&s, "first", 0, 3);
    CHECK_INT(collect(bus, "first", 0, 3, 3000), 3);
    CHECK_INT(figures(bus).recreated[GUARD], 0);
    CHECK(strstr(server_ask(&s, "$JS.API.CONSUMER.DELETE.DECISIONS.guard", ""), "true"));
    pub_many(&s, "second", 0, 3);
    CHECK_INT(collect(bus, "second", 0, 3, 10000), 3);
    CHECK_INT(recreated(bus, 1), 1);
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}

/* A power loss: the folder of the messages is what it was after five of them, the consumer knows of twenty. */
static void lose_the_end(struct server *s, int step)
{
    char command[1024];
    const char *at = "jetstream/jetstream/$G/streams/DECISIONS/msgs";

    snprintf(command, sizeof command,
             "cd '%s' && at=$(ls -d jetstream/'$G'/streams/DECISIONS/msgs %s 2>/dev/null | head -1) && %s", s->dir, at,
             step == 0 ? "cp -r \"$at\" kept" : "rm -r \"$at\" && cp -r kept \"$at\"");
    CHECK_INT(system(command), 0);
}

static struct bus *twenty_acked(struct server *s, const struct bus_setup *setup, struct bus_position *ret_position)
{
    struct bus_event e;

    CHECK(streams(s));
    pub_many(s, "old", 0, 5);
    server_stop(s, SIGTERM);
    lose_the_end(s, 0);
    CHECK(server_again(s));
    struct bus *bus = start(s, setup);
    pub_many(s, "old", 5, 14);
    CHECK_INT(collect(bus, "old", 0, 19, 5000), 19);
    pub_many(s, "old", 19, 1);
    CHECK(next(bus, BUS_MESSAGE, 5000, &e) && e.sequence == 20);
    *ret_position = (struct bus_position){.sequence = e.sequence, .time_us = e.stream_time_us};
    bus->ops->ack(bus, e.reply);
    bus->ops->release(bus, &e, 1);
    bus->ops->flush(bus);
    return bus;
}

TEST(integration_bus, floor_ahead_of_stream)
{
    struct server s;
    struct bus_setup setup = guard_setup();
    struct bus_position position;

    for (int refilled = 5; refilled <= 15; refilled += 10) { /* the stream ends before the floor; has grown to it again */
        setup.has_database = true;
        setup.positions[GUARD] = (struct bus_position){0};
        bus_nats_free(twenty_acked(&s, &setup, &position));
        server_stop(&s, SIGTERM);
        lose_the_end(&s, 1);
        CHECK(server_again(&s));
        pub_many(&s, "new", 0, refilled);
        setup.positions[GUARD] = position;
        struct bus *bus = start(&s, &setup);
        CHECK_INT(collect(bus, "new", 0, refilled, 5000), refilled);
        CHECK_INT(recreated(bus, 1), 1);
        bus_nats_free(bus);
        server_stop(&s, SIGTERM);
        char command[256];
        snprintf(command, sizeof command, "rm -rf '%s'/*", test_dir());
        CHECK_INT(system(command), 0);
    }
}

TEST(integration_bus, a_stream_cut_under_a_running_bus_skips_nothing)
{
    struct server s;
    struct bus_setup setup = guard_setup();
    struct bus_position position;
    struct bus *bus = twenty_acked(&s, &setup, &position);

    server_stop(&s, SIGTERM);
    lose_the_end(&s, 1);
    CHECK(server_again(&s));
    pub_many(&s, "new", 0, 15);
    CHECK_INT(collect(bus, "new", 0, 15, 10000), 15);
    CHECK_INT(recreated(bus, 1), 1);
    CHECK_INT(figures(bus).reconnects, 1);
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}

TEST(integration_bus, the_database_alone_says_where_its_consumer_begins)
{
    struct server s;
    struct bus_setup setup = guard_setup();
    struct bus_position position;

    setup.has_database = true;
    bus_nats_free(twenty_acked(&s, &setup, &position));
    setup.positions[GUARD] = position;
    struct bus *bus = start(&s, &setup);
    struct bus_event e;
    CHECK(!next(bus, BUS_MESSAGE, 500, &e));
    CHECK_INT(figures(bus).recreated[GUARD], 0);
    bus_nats_free(bus);
    setup.positions[GUARD] = (struct bus_position){0}; /* the database is lost */
    bus = start(&s, &setup);
    CHECK_INT(collect(bus, "old", 0, 20, 5000), 20);
    bus_nats_free(bus);
    position.sequence -= 5; /* a restored backup; its time is that of another message, so a minute is told again */
    setup.positions[GUARD] = position;
    bus = start(&s, &setup);
    CHECK_INT(collect(bus, "old", 0, 20, 5000), 20);
    CHECK_INT(recreated(bus, 1), 1);
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}

TEST(integration_bus, the_second_instance_is_refused_and_takes_over_when_the_first_is_gone)
{
    struct server s;
    struct bus_setup setup = guard_setup();
    struct reason reason = {0};

    CHECK(streams(&s));
    struct bus *first = start(&s, &setup), *second = new_bus(&s);
    CHECK(second->ops->start(second, &setup, &reason) == STATUS_LOCKED);
    CHECK(strstr(reason.text, "guard"));
    bus_nats_free(second);
    bus_nats_free(first);
    second = start(&s, &setup);
    bus_nats_free(second);
    server_stop(&s, SIGTERM);
}

TEST(integration_bus, requests_are_answered_by_the_loop_or_at_once)
{
    struct server s;
    struct bus_setup setup = guard_setup();
    struct bus_event e;

    CHECK(streams(&s));
    struct bus *bus = new_bus(&s);
    setup.immediate = SUBJECT_GUARD_HEALTH;
    setup.on_immediate = answer_at_once;
    setup.ctx = bus;
    begin(bus, &setup);
    CHECK_STR(server_ask(&s, "guard.health", "?"), "at once");
    pid_t asker = fork();
    if (asker == 0)
        _exit(strcmp(server_ask(&s, "guard.status", "how"), "fine") == 0 ? 0 : 1);
    CHECK(next(bus, BUS_REQUEST, 3000, &e) && e.subject == SUBJECT_GUARD_STATUS && says(&e, "how"));
    bus->ops->respond(bus, e.reply, "fine", 4);
    bus->ops->release(bus, &e, 1);
    int how = 1;
    CHECK(waitpid(asker, &how, 0) == asker && how == 0);
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}

TEST(integration_bus, a_snapshot_is_read_followed_and_read_again_after_a_restart)
{
    struct server s;
    struct bus_setup setup = guard_setup();
    struct bus_event e;

    CHECK(streams(&s));
    CHECK(server_pub(&s, "bandit.updated", "", "one"));
    struct bus *bus = start(&s, &setup);
    CHECK(next(bus, BUS_SNAPSHOT, 3000, &e) && says(&e, "one") && e.subject == SUBJECT_BANDIT_UPDATED);
    bus->ops->release(bus, &e, 1);
    CHECK(!next(bus, BUS_SNAPSHOT, 300, &e));
    CHECK(server_pub(&s, "bandit.updated", "", "second"));
    CHECK(next(bus, BUS_SNAPSHOT, 3000, &e) && says(&e, "second"));
    bus->ops->release(bus, &e, 1);
    server_stop(&s, SIGKILL);
    CHECK(server_again(&s));
    CHECK(next(bus, BUS_SNAPSHOT, 5000, &e) && says(&e, "second"));
    bus->ops->release(bus, &e, 1);
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}

/* As the service's loop does: what has no ack after a while is said again. */
static void put_until_acked(struct bus *bus, int first, int count)
{
    char text[32];
    struct bus_event e;
    bool acked[1000] = {false};
    int missing = count;

    for (int round = 0; round < 15 && missing; round++) {
        for (int i = first; i < first + count; i++) {
            snprintf(text, sizeof text, "put-%d", i);
            struct bus_message m = {.subject = SUBJECT_POLICY_SELECTED, .data = text, .size = strlen(text), .id = text,
                                    .traceparent = "", .token = (uint64_t)i};
            if (!acked[i] && bus->ops->publish(bus, &m) == STATUS_OK)
                bus->ops->flush(bus);
        }
        mono_time until = in_ms(1000);
        while (missing && bus->ops->take(bus, until, false, &e, 1) == 1) {
            if (e.type == BUS_PUBACK && e.status == STATUS_OK && !acked[e.token]) {
                acked[e.token] = true;
                missing--;
            }
            bus->ops->release(bus, &e, 1);
        }
    }
    CHECK_INT(missing, 0);
}

TEST(integration_bus, a_server_killed_and_started_again_loses_nothing_that_was_acked)
{
    struct server s;
    struct bus_setup setup = guard_setup();

    CHECK(streams(&s));
    struct bus *bus = start(&s, &setup);
    put_until_acked(bus, 0, 100);
    server_stop(&s, SIGKILL);
    usleep(300000);
    CHECK(!figures(bus).connected && *figures(bus).problem);
    CHECK(server_again(&s));
    put_until_acked(bus, 100, 100);
    CHECK_INT(collect(bus, "put", 0, 200, 15000), 200);
    CHECK(figures(bus).connected);
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}

TEST(integration_bus, a_missing_stream_is_the_problem_by_name_until_it_is_there)
{
    struct server s;
    struct bus_setup setup = guard_setup();
    struct bus_event e;

    CHECK(server_start(&s, test_dir()));
    struct bus *bus = start(&s, &setup);
    CHECK(strstr(figures(bus).problem, "stream not found"));
    CHECK(server_stream(&s, "DECISIONS", "policy.selected", "") && server_stream(&s, "BANDIT", "bandit.updated", ""));
    CHECK(server_pub(&s, "policy.selected", "", "early"));
    CHECK(next(bus, BUS_MESSAGE, 5000, &e) && says(&e, "early"));
    bus->ops->release(bus, &e, 1);
    bus_nats_free(bus);
    server_stop(&s, SIGTERM);
}
