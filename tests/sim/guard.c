/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - what an operator decides is what callers hear, also after the guard died. */
#include "talk.h"
#include "test.h"

#define SOURCE(name) TOM__RL__V1__DECISION_SOURCE__DECISION_SOURCE_##name

static const GuardCommandReply *command(struct world *w, const char *name, const char *variant, const char *cell)
{
    GuardCommandRequest m = TOM__RL__V1__GUARD_COMMAND_REQUEST__INIT;

    m.command = (char *)name;
    m.policy_variant = (char *)variant;
    m.cell = (char *)cell;
    m.reason = (char *)"a test";
    m.who = (char *)"anna";
    return (const GuardCommandReply *)world_ask(w, SUBJECT_GUARD_COMMAND, &m.base);
}

static void done(struct world *w, const char *name, const char *variant, const char *cell)
{
    const GuardCommandReply *r = command(w, name, variant, cell);

    if (!r || r->error || !r->ok)
        test_fail(__FILE__, __LINE__, "%s %s: %s", name, variant, r && r->error ? r->error->message : "not ok");
}

static void refused(struct world *w, const char *name, const char *variant, const char *cell, const char *field)
{
    const GuardCommandReply *r = command(w, name, variant, cell);

    CHECK(r && r->error && !r->ok);
    CHECK_STR(r && r->error ? r->error->field : "", field);
}

static const PolicySelectReply *selected(struct world *w, const char *profile)
{
    static int number;
    PolicySelectRequest m = TOM__RL__V1__POLICY_SELECT_REQUEST__INIT;

    m.call_id = arena_printf(&w->arena, "guard-%d", ++number);
    m.profile = (char *)profile;
    m.time_of_day = (char *)"morning";
    return (const PolicySelectReply *)world_ask(w, SUBJECT_POLICY_SELECT, &m.base);
}

/* The next `calls` callers all hear this, for this reason. */
static void all_hear(struct world *w, const char *profile, const char *variant, DecisionSource source)
{
    for (int i = 0; i < 20 && !test_failed(); i++) {
        const PolicySelectReply *r = selected(w, profile);
        CHECK_STR(r ? r->policy_variant : NULL, variant);
        CHECK_INT(r ? r->source : SOURCE(UNSPECIFIED), source);
    }
}

static bool can_hear(struct world *w, const char *variant)
{
    const PolicySelectReply *r = selected(w, "it");

    CHECK(r && r->source == SOURCE(LEARNED));
    for (size_t i = 0; r && i < r->n_probabilities; i++)
        if (strcmp(r->probabilities[i]->key, variant) == 0)
            return r->probabilities[i]->value > 0;
    return false;
}

static void never_hear(struct world *w, const char *variant)
{
    for (int i = 0; i < 100 && !test_failed(); i++)
        CHECK(strcmp(selected(w, "it")->policy_variant, variant) != 0);
    CHECK(!can_hear(w, variant));
}

static int64_t moves(struct world *w, const char *sql) { return world_number(w, WORLD_GUARD, sql); }

TEST(sim_guard, freeze_pin_and_blacklist_are_obeyed_at_once_and_after_the_guard_was_killed)
{
    struct world *w = world_new(31);

    world_run(w, 2000000);
    CHECK(can_hear(w, "v2a"));
    done(w, "freeze", "", "");
    world_run(w, 100000);
    all_hear(w, "it", "v1a", SOURCE(FROZEN));
    done(w, "unfreeze", "", "");
    done(w, "pin", "v3b", "kfz/morning");
    done(w, "blacklist", "v2a", "");
    world_run(w, 100000);
    for (int life = 0; life < 2; life++) {
        all_hear(w, "kfz", "v3b", SOURCE(PINNED));
        never_hear(w, "v2a");
        refused(w, "add", "v2a", "", "policy_variant");
        refused(w, "pin", "v2a", "*", "policy_variant");
        world_kill(w, WORLD_GUARD);
        world_run(w, 3000000);
    }
    CHECK_INT(moves(w, "SELECT count(*) FROM move WHERE who = 'anna' AND why = 'a test' AND at_us > 0"), 4);
    CHECK_INT(moves(w, "SELECT verdict FROM move WHERE command = 'blacklist' AND variant = 'v2a'"), 1);
    done(w, "release", "v2a", "");
    done(w, "unpin", "", "kfz/morning");
    done(w, "freeze", "", "");
    world_kill(w, WORLD_GUARD);
    world_run(w, 3000000);
    all_hear(w, "kfz", "v1a", SOURCE(FROZEN));
    done(w, "unfreeze", "", "");
    world_run(w, 100000);
    CHECK(can_hear(w, "v2a"));
    world_free(w);
}

static void end_badly(struct world *w, const char *variant)
{
    static int number;
    CallEnded m = TOM__RL__V1__CALL_ENDED__INIT;
    Signals s = TOM__RL__V1__SIGNALS__INIT;

    m.call_id = arena_printf(&w->arena, "bad-%d", ++number);
    m.signals = &s;
    TELL(&m, policy_variant, CALL_ENDED, POLICY_VARIANT, (char *)variant);
    TELL(&s, resolution, SIGNALS, RESOLUTION, false);
    TELL(&s, user_rating, SIGNALS, USER_RATING, 1);
    TELL(&s, barge_in_count, SIGNALS, BARGE_IN_COUNT, 3);
    TELL(&s, duration_sec, SIGNALS, DURATION_SEC, 600);
    sim_publish(w->sim, SUBJECT_CALL_ENDED, &m.base, "");
}

static Stage stage_after(struct world *w, const char *variant, int bad_calls)
{
    GuardHealthRequest m = TOM__RL__V1__GUARD_HEALTH_REQUEST__INIT;

    for (int i = 0; i < bad_calls; i++)
        end_badly(w, variant);
    world_run(w, 5000000);
    m.policy_variant = (char *)variant;
    const GuardHealthReply *r = (const GuardHealthReply *)world_ask(w, SUBJECT_GUARD_HEALTH, &m.base);
    return r ? r->stage : TOM__RL__V1__STAGE__STAGE_UNSPECIFIED;
}

TEST(sim_guard, twenty_bad_calls_blacklist_a_variant_and_twenty_more_after_its_release_do_so_again)
{
    struct world *w = world_new(32);

    done(w, "pin", "v2b", "*");
    CHECK_INT(stage_after(w, "v2b", 19), TOM__RL__V1__STAGE__STAGE_NEW);
    CHECK_INT(stage_after(w, "v2b", 1), TOM__RL__V1__STAGE__STAGE_BLACKLISTED);
    never_hear(w, "v2b"); /* its pin ended */
    CHECK_INT(stage_after(w, "v1a", 25), TOM__RL__V1__STAGE__STAGE_BASE);
    done(w, "release", "v2b", "");
    CHECK_INT(stage_after(w, "v2b", 19), TOM__RL__V1__STAGE__STAGE_PAROLE);
    CHECK_INT(stage_after(w, "v2b", 1), TOM__RL__V1__STAGE__STAGE_BLACKLISTED);
    CHECK_INT(moves(w, "SELECT count(*) FROM move WHERE who = 'rule' AND variant = 'v2b' AND why LIKE '%over 20 calls%'"), 2);
    world_free(w);
}
