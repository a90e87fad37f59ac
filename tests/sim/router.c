/* SPDX-License-Identifier: Apache-2.0 */
/* router.c - the router alone on a bus in virtual time: what a voice stack may rely on when it asks. */
#include <stdlib.h>
#include <sys/stat.h>

#include "allocate.h"
#include "bus_sim.h"
#include "log.h"
#include "router.h"
#include "test.h"

extern const struct service router_service;

#define KEY_1 "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define KEY_2 "k2 fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedecebeae9e8e7e6e5e4e3e2e1e0\n"

struct desk {
    struct sim *sim;
    struct arena arena;
    struct common_config common;
    struct variants variants;
    char key_file[300];
    struct bus *bus;
    void *state;
    struct running *running;
    int64_t max_decisions; /* 0: the default */
};

static void write_keys(struct desk *d, const char *keys)
{
    FILE *out = fopen(d->key_file, "w");

    fputs(keys, out);
    fclose(out);
    chmod(d->key_file, 0600);
}

static void start(struct desk *d)
{
    struct reason reason = {0};

    d->state = xcalloc(1, router_service.state_size);
    const struct config_table tables[] = {{common_keys, common_key_count, &d->common},
                                          {router_service.keys, router_service.key_count, d->state}};
    bool enabled = d->common.enabled || !d->bus; /* the second start keeps what a test has set */
    CHECK_INT(config_load(&d->arena, tables, 2, NULL, &reason), STATUS_OK);
    d->common.enabled = enabled;
    if (d->max_decisions)
        ((struct router *)d->state)->max_decisions = d->max_decisions;
    d->bus = sim_bus_new(d->sim);
    struct running_setup setup = {.service = &router_service, .state = d->state, .common = &d->common, .variants = &d->variants,
                                  .key_file = d->key_file, .bus = d->bus, .clk = sim_clk(d->sim)};
    if (running_new(&setup, &d->running, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", reason.field, reason.text);
}

/* As kill -9 does. */
static void stop(struct desk *d)
{
    running_free(d->running);
    sim_bus_free(d->bus);
    free(d->state);
}

static void open_desk(struct desk *d)
{
    struct reason reason = {0};

    *d = (struct desk){.sim = sim_new(1)};
    log_setup("sim", (enum log_level)(LOG_ERROR + 1));
    CHECK_INT(clk_set_zone("Europe/Berlin", &reason), STATUS_OK);
    CHECK_INT(variants_load(&d->arena, RL_SOURCE_DIR "/docs/policies/prompt_variants.yaml", &d->variants, &reason), STATUS_OK);
    snprintf(d->key_file, sizeof d->key_file, "%s/keys", test_dir());
    write_keys(d, KEY_1);
    start(d);
}

static void close_desk(struct desk *d)
{
    stop(d);
    sim_free(d->sim);
    arena_done(&d->arena);
}

static void run(struct desk *d, int64_t us)
{
    for (int64_t end = sim_now_us(d->sim) + us; sim_now_us(d->sim) < end;) {
        int64_t step = sim_now_us(d->sim) + 10000;
        sim_advance(d->sim, step < end ? step : end);
        CHECK_INT(running_turn(d->running, (mono_time){sim_now_us(d->sim)}), STATUS_OK);
    }
}

static ProtobufCMessage *parse(struct desk *d, const ProtobufCMessageDescriptor *type, const char *text)
{
    ProtobufCMessage *m = NULL;
    struct reason reason = {0};
    bool json;

    if (codec_decode(&d->arena, type, text, strlen(text), MAX_PAYLOAD, &json, &m, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s: %s", reason.field, reason.text);
    return m;
}

static const void *ask(struct desk *d, enum subject subject, const char *text)
{
    uint64_t number = sim_request(d->sim, subject, parse(d, subject_table[subject].message, text));

    run(d, 100000);
    const ProtobufCMessage *reply = sim_reply(d->sim, number);
    CHECK(reply);
    return reply;
}

static const PolicySelectReply *choose(struct desk *d, const char *text) { return ask(d, SUBJECT_POLICY_SELECT, text); }

/* Both snapshots: everything established, so that each variant has its share. */
static void snapshots(struct desk *d)
{
    static const char bandit[] = "{\"policy_version\":\"p7\",\"cells\":[{\"cell\":\"*\"}]}";
    static const char guard[] = "{\"guard_version\":\"g3\",\"stages\":{\"v1a\":\"BASE\",\"v1b\":\"ESTABLISHED\","
                                "\"v2a\":\"ESTABLISHED\",\"v2b\":\"ESTABLISHED\",\"v3a\":\"ESTABLISHED\","
                                "\"v3b\":\"BLACKLISTED\"}}";

    sim_publish(d->sim, SUBJECT_BANDIT_UPDATED, parse(d, subject_table[SUBJECT_BANDIT_UPDATED].message, bandit), "b1");
    sim_publish(d->sim, SUBJECT_GUARD_UPDATED, parse(d, subject_table[SUBJECT_GUARD_UPDATED].message, guard), "g1");
    run(d, 1000000);
}

static void same_answer(const PolicySelectReply *a, const PolicySelectReply *b)
{
    CHECK_STR(b->decision_id, a->decision_id);
    CHECK_STR(b->policy_variant, a->policy_variant);
    CHECK_STR(b->policy_version, a->policy_version);
    CHECK_STR(b->guard_version, a->guard_version);
    CHECK_INT(b->source, a->source);
    CHECK_NEAR(b->propensity, a->propensity, 0);
    CHECK_INT(b->n_probabilities, a->n_probabilities);
    for (size_t i = 0; i < a->n_probabilities && i < b->n_probabilities; i++)
        CHECK_NEAR(b->probabilities[i]->value, a->probabilities[i]->value, 0);
    for (size_t i = 0; i < 2; i++)
        CHECK_STR(b->context[i]->value, a->context[i]->value);
}

TEST(sim_router, before_any_snapshot_base_speaks_with_all_its_slots)
{
    struct desk d;

    open_desk(&d);
    const PolicySelectReply *r = choose(&d, "{\"call_id\":\" c-1 \",\"profile\":\"kfz\",\"time_of_day\":\"evening\"}");
    CHECK_STR(r->call_id, "c-1");
    CHECK_STR(r->policy_variant, "v1a");
    CHECK_INT(r->source, TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_FALLBACK);
    CHECK_NEAR(r->propensity, 1, 0);
    CHECK_INT(r->n_parameters, 6);
    CHECK_STR(r->parameters[0]->key, "greeting");
    CHECK_STR(r->context[0]->value, "kfz");
    CHECK_STR(r->context[1]->value, "evening");
    close_desk(&d);
}

TEST(sim_router, a_call_asked_again_gets_the_same_answer_whatever_has_changed)
{
    struct desk d;

    open_desk(&d);
    const PolicySelectReply *first = choose(&d, "{\"call_id\":\"c-1\",\"profile\":\"kfz\"}");
    snapshots(&d);
    same_answer(first, choose(&d, "{\"call_id\":\"c-1\",\"profile\":\"it\",\"eligible\":[\"v2b\"],\"exclude\":[\"v1a\"]}"));
    CHECK_INT(sim_stored(d.sim, SUBJECT_POLICY_SELECTED), 1);
    CHECK_INT(choose(&d, "{\"call_id\":\"c-2\"}")->source, TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_LEARNED);
    CHECK_INT(sim_stored(d.sim, SUBJECT_POLICY_SELECTED), 2);
    close_desk(&d);
}

TEST(sim_router, it_is_still_the_same_after_a_kill_and_after_a_new_key)
{
    struct desk d;
    const PolicySelectReply *first[40], *again;
    char text[64];

    open_desk(&d);
    snapshots(&d);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "{\"call_id\":\"call-%d\"}", i);
        first[i] = choose(&d, text);
    }
    stop(&d);
    write_keys(&d, KEY_2 KEY_1);
    start(&d);
    run(&d, 2000000);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "{\"call_id\":\"call-%d\"}", i);
        again = choose(&d, text);
        same_answer(first[i], again);
    }
    CHECK_INT(sim_stored(d.sim, SUBJECT_POLICY_SELECTED), 40);
    close_desk(&d);
}

TEST(sim_router, what_was_answered_before_history_was_read_gives_way_to_what_the_caller_heard_first)
{
    const PolicySelectReply *first[20];
    struct desk d;
    char text[64];
    int base = 0;

    open_desk(&d);
    snapshots(&d);
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "{\"call_id\":\"call-%d\"}", i);
        first[i] = choose(&d, text);
    }
    stop(&d);
    start(&d);
    for (int i = 0; i < 20; i++) { /* each is answered at once, before the first turn */
        snprintf(text, sizeof text, "{\"call_id\":\"call-%d\"}", i);
        const ProtobufCMessage *select = parse(&d, subject_table[SUBJECT_POLICY_SELECT].message, text);
        uint64_t number = sim_request(d.sim, SUBJECT_POLICY_SELECT, select);
        sim_advance(d.sim, sim_now_us(d.sim) + 1000);
        const PolicySelectReply *meanwhile = (const PolicySelectReply *)sim_reply(d.sim, number);
        base += meanwhile && meanwhile->source == TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_FALLBACK;
    }
    CHECK_INT(base, 20); /* nothing was known yet */
    run(&d, 2000000);
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "{\"call_id\":\"call-%d\"}", i);
        same_answer(first[i], choose(&d, text));
    }
    close_desk(&d);
}

TEST(sim_router, the_record_says_what_the_answer_said_and_never_the_call_id)
{
    struct desk d;

    open_desk(&d);
    snapshots(&d);
    const PolicySelectReply *r = choose(&d, "{\"call_id\":\"a-raw-call-id\",\"profile\":\"unheard\",\"exclude\":[\"v2a\"]}");
    const PolicySelected *m = (const PolicySelected *)sim_message(d.sim, SUBJECT_POLICY_SELECTED, 0);
    CHECK_STR(m->decision_id, r->decision_id);
    CHECK_STR(m->policy_variant, r->policy_variant);
    CHECK_NEAR(m->propensity, r->propensity, 0);
    CHECK_STR(m->key_id, "k1");
    CHECK_STR(m->policy_version, "p7");
    CHECK_STR(m->guard_version, "g3");
    CHECK_STR(m->context[0]->value, "other");
    CHECK_INT(m->n_eligible, 4); /* v1a v1b v2b v3a: v2a was excluded, v3b is blacklisted, the rest nobody admitted */
    CHECK_STR(m->eligible[2], "v2b");
    CHECK_INT(strlen(m->call_key), 32);
    CHECK(!strstr(codec_pretty(&d.arena, &m->base), "a-raw-call-id"));
    close_desk(&d);
}

TEST(sim_router, a_dry_run_leaves_no_trace)
{
    struct desk d;

    open_desk(&d);
    snapshots(&d);
    const PolicySelectReply *dry = choose(&d, "{\"call_id\":\"c-1\",\"dry_run\":true}");
    CHECK_INT(sim_stored(d.sim, SUBJECT_POLICY_SELECTED), 0);
    const RouterSessionReply *s = ask(&d, SUBJECT_ROUTER_SESSION, "{\"call_id\":\"c-1\"}");
    CHECK_STR(s->error ? s->error->code : "", "not_found");
    CHECK_STR(s->error ? s->error->field : "", "call_id");
    same_answer(dry, choose(&d, "{\"call_id\":\"c-1\"}"));
    s = ask(&d, SUBJECT_ROUTER_SESSION, "{\"call_id\":\"c-1\"}");
    CHECK(!s->error);
    CHECK_STR(s->state, "decided");
    CHECK_STR(s->decision_id, dry->decision_id);
    CHECK_INT(((const RouterSessionReply *)ask(&d, SUBJECT_ROUTER_SESSION, "{}"))->decisions, 1);
    close_desk(&d);
}

static char *explanation(struct desk *d, const char *text)
{
    const RouterSessionReply *r = ask(d, SUBJECT_ROUTER_SESSION, text);

    CHECK(!r->error && r->decision && r->decision->grounds);
    return r->decision ? codec_pretty(&d->arena, &r->decision->base) : NULL;
}

TEST(sim_router, the_record_explains_the_draw_also_after_a_kill_and_under_a_new_key)
{
    struct desk d;

    open_desk(&d);
    snapshots(&d);
    const PolicySelectReply *a = choose(&d, "{\"call_id\":\"c-1\",\"exclude\":[\"v2a\"]}");
    const PolicySelected *m = (const PolicySelected *)sim_message(d.sim, SUBJECT_POLICY_SELECTED, 0);
    double p[MAX_VARIANTS];
    for (size_t i = 0; i < d.variants.count; i++)
        p[i] = m->probabilities[i]->value;
    CHECK_STR(d.variants.items[allocate_draw(p, d.variants.count, m->grounds->draw)].id, a->policy_variant);
    CHECK_STR(m->grounds->cell, "*");
    CHECK_INT(m->grounds->n_w, 12);
    CHECK_NEAR(m->grounds->w[3], 1 / 12.0, 1e-12);
    CHECK_INT(m->grounds->stages[5], TOM__RL__V1__STAGE__STAGE_BLACKLISTED);
    CHECK_INT(m->grounds->n_masked, 1);
    CHECK_INT(m->grounds->masked[0], 2);
    char *first = explanation(&d, "{\"call_id\":\"c-1\",\"explain\":true}");
    CHECK_STR(first, codec_pretty(&d.arena, &m->base));
    stop(&d);
    write_keys(&d, KEY_2 KEY_1);
    start(&d);
    run(&d, 2000000);
    CHECK_STR(explanation(&d, "{\"call_id\":\"c-1\",\"explain\":true}"), first);
    CHECK(!((const RouterSessionReply *)ask(&d, SUBJECT_ROUTER_SESSION, "{\"call_id\":\"c-1\"}"))->decision);
    close_desk(&d);
}

TEST(sim_router, every_bad_request_is_answered_with_the_field)
{
    static const char long_id[] = "01234567890123456789012345678901234567890123456789"
                                  "01234567890123456789012345678901234567890123456789";
    struct desk d;
    char too_long[200], just[200];

    open_desk(&d);
    snprintf(too_long, sizeof too_long, "{\"call_id\":\"%sx\"}", long_id);
    snprintf(just, sizeof just, "{\"call_id\":\"  %s\"}", long_id);
    const char *const cases[][2] = {
        {"{}", "call_id"}, {"{\"call_id\":\"   \"}", "call_id"}, {too_long, "call_id"},
        {"{\"call_id\":\"c\",\"time_of_day\":\"noon\"}", "time_of_day"},
        {"{\"call_id\":\"c\",\"time_of_day\":\"other\"}", "time_of_day"},
        {"{\"call_id\":\"c\",\"eligible\":[\"v1a\",\"v9z\"]}", "eligible"}, {"{\"call_id\":\"c\",\"exclude\":[\"\"]}", "exclude"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const PolicySelectReply *r = choose(&d, cases[i][0]);
        CHECK_STR(r->error ? r->error->code : "", "invalid");
        CHECK_STR(r->error ? r->error->field : "", cases[i][1]);
    }
    CHECK_INT(sim_stored(d.sim, SUBJECT_POLICY_SELECTED), 0);
    CHECK(!choose(&d, just)->error);
    close_desk(&d);
}

TEST(sim_router, disabled_it_serves_base_and_records_what_it_would_have_drawn_from)
{
    struct desk d;

    open_desk(&d);
    stop(&d);
    d.common.enabled = false;
    start(&d);
    snapshots(&d);
    const PolicySelectReply *r = choose(&d, "{\"call_id\":\"c-1\"}");
    CHECK_STR(r->policy_variant, "v1a");
    CHECK_INT(r->source, TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_DISABLED);
    CHECK_NEAR(r->propensity, 0.2, 1e-12);
    CHECK_NEAR(r->probabilities[3]->value, 0.2, 1e-12);
    close_desk(&d);
}

TEST(sim_router, a_decision_is_forgotten_after_two_hours)
{
    struct desk d;

    open_desk(&d);
    choose(&d, "{\"call_id\":\"c-1\"}");
    run(&d, 60000000);
    CHECK_INT(((const RouterSessionReply *)ask(&d, SUBJECT_ROUTER_SESSION, "{}"))->decisions, 1);
    sim_advance(d.sim, sim_now_us(d.sim) + 7200LL * 1000000);
    run(&d, 2000000);
    CHECK_INT(((const RouterSessionReply *)ask(&d, SUBJECT_ROUTER_SESSION, "{}"))->decisions, 0);
    close_desk(&d);
}

TEST(sim_router, a_live_call_keeps_its_variant_also_when_its_decision_was_pushed_out_of_the_memory)
{
    static const char begins[] = "{\"call_id\":\"live\",\"event\":\"incoming_call\"}";
    struct desk d;
    int others = 0;

    open_desk(&d);
    stop(&d);
    d.max_decisions = 8;
    start(&d);
    sim_publish(d.sim, SUBJECT_CALL_EVENT, parse(&d, subject_table[SUBJECT_CALL_EVENT].message, begins), "");
    run(&d, 1000000);
    CHECK_STR(choose(&d, "{\"call_id\":\"live\"}")->policy_variant, "v1a"); /* base: there was no snapshot */
    snapshots(&d);
    for (int i = 0; i < 40; i++)
        others += strcmp(choose(&d, arena_printf(&d.arena, "{\"call_id\":\"other-%d\"}", i))->policy_variant, "v1a") != 0;
    CHECK(others > 20);
    CHECK_INT(((const RouterSessionReply *)ask(&d, SUBJECT_ROUTER_SESSION, "{}"))->decisions, 8);
    for (int i = 0; i < 3; i++)
        CHECK_STR(choose(&d, "{\"call_id\":\"live\",\"profile\":\"kfz\",\"exclude\":[\"v2a\"]}")->policy_variant, "v1a");
    CHECK_INT(sim_stored(d.sim, SUBJECT_POLICY_SELECTED), 41);
    close_desk(&d);
}
