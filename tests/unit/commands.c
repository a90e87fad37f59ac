/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - what an operator may decide, what is refused and how it is said, and that guard.db remembers. */
#include "commands.h"

#include "test.h"

#define STAGE(name) TOM__RL__V1__STAGE__STAGE_##name

static const struct variant items[] = {{.id = "v1a"}, {.id = "v1b"}, {.id = "v2a"}};
static const struct variants variants = {.items = items, .count = 3, .base = 0, .blacklist_min_pulls = 20};
static const char *const profile_names[] = {"kfz", "it", NULL};
static const struct config_list profiles = {profile_names, 2};

struct desk {
    struct store *db;
    struct guard_store store;
    Stage stages[3];
    struct own_total totals[3];
    struct arena arena;
    struct reason reason;
    bool changed, no_totals;
};

static void desk_open(struct desk *d)
{
    char path[512];

    snprintf(path, sizeof path, "%s/guard.db", test_dir());
    *d = (struct desk){.stages = {STAGE(BASE), STAGE(NEW), STAGE(NEW)}};
    CHECK_INT(store_open(path, guard_migrations, GUARD_MIGRATIONS, &d->db, &d->reason), STATUS_OK);
    CHECK_INT(guard_store_open(&d->store, d->db, &variants, &d->reason), STATUS_OK);
}

static void desk_close(struct desk *d)
{
    guard_store_close(&d->store);
    store_close(d->db);
    arena_done(&d->arena);
}

static enum status run(struct desk *d, const char *name, const char *variant, const char *cell)
{
    GuardCommandRequest m = TOM__RL__V1__GUARD_COMMAND_REQUEST__INIT;
    struct guard_command c = {.store = &d->store, .stages = d->stages, .totals = d->totals, .has_totals = !d->no_totals,
                              .profiles = &profiles, .arena = &d->arena, .now = {1}, .request = &m};

    m.command = (char *)name;
    m.policy_variant = (char *)variant;
    m.cell = (char *)cell;
    d->reason = (struct reason){0};
    enum status status = guard_command_run(&c, &d->reason);
    d->changed = c.changed;
    CHECK(status != STATUS_OK || c.status[0]);
    for (size_t i = 1; i < 3; i++)
        d->stages[i] = guard_stage(&(struct guard_rules){.min_pulls = 20}, false, d->store.verdicts[i], &d->totals[i]);
    return status;
}

static void refused(struct desk *d, const char *name, const char *variant, const char *cell, const char *field)
{
    CHECK(run(d, name, variant, cell) != STATUS_OK);
    CHECK_STR(d->reason.field, field);
    CHECK(!d->changed);
}

static void done(struct desk *d, const char *name, const char *variant, const char *cell)
{
    CHECK_INT(run(d, name, variant, cell), STATUS_OK);
    CHECK(d->changed);
    CHECK_INT(run(d, name, variant, cell), STATUS_OK); /* asked twice: it is so already */
    CHECK(!d->changed);
}

TEST(unit_commands, what_cannot_be_is_refused_by_the_name_of_the_field)
{
    struct desk d;

    desk_open(&d);
    refused(&d, "explode", "v1b", "", "command");
    refused(&d, "", "", "", "command");
    refused(&d, "add", "", "", "policy_variant");
    refused(&d, "add", "v9z", "", "policy_variant");
    refused(&d, "remove", "v1a", "", "policy_variant");
    refused(&d, "blacklist", "v1a", "", "policy_variant");
    refused(&d, "release", "v1b", "", "policy_variant");
    refused(&d, "pin", "", "*", "policy_variant");
    refused(&d, "pin", "v1b", "kfz", "cell");
    refused(&d, "pin", "v1b", "farmers/morning", "cell");
    refused(&d, "pin", "v1b", "kfz/noon", "cell");
    refused(&d, "unpin", "", "moon", "cell");
    desk_close(&d);
}

TEST(unit_commands, a_blacklisted_variant_can_only_be_released_and_comes_back_on_parole)
{
    struct desk d;

    desk_open(&d);
    done(&d, "blacklist", "v1b", "");
    refused(&d, "add", "v1b", "", "policy_variant");
    CHECK(strstr(d.reason.text, "release") != NULL);
    refused(&d, "remove", "v1b", "", "policy_variant");
    refused(&d, "pin", "v1b", "*", "policy_variant");
    d.no_totals = true;
    CHECK_INT(run(&d, "release", "v1b", ""), STATUS_BUSY); /* from which call on would it be judged? */
    d.no_totals = false;
    done(&d, "release", "v1b", "");
    CHECK_INT(d.store.verdicts[1], VERDICT_PAROLE);
    done(&d, "remove", "v1b", ""); /* and removing it does not end the parole */
    CHECK_INT(run(&d, "add", "v1b", ""), STATUS_OK);
    CHECK_INT(d.store.verdicts[1], VERDICT_PAROLE);
    CHECK_INT(run(&d, "add", "v1b", ""), STATUS_OK);
    CHECK_INT(d.store.verdicts[1], VERDICT_NONE);
    desk_close(&d);
}

TEST(unit_commands, pins_end_with_their_variant_and_the_rest_is_there_after_a_restart)
{
    struct desk d;

    desk_open(&d);
    done(&d, "pin", "v1b", "");
    done(&d, "pin", "v2a", "kfz/morning");
    done(&d, "pin", "v1b", "kfz/morning");
    done(&d, "pin", "v2a", "other/other");
    done(&d, "freeze", "", "");
    done(&d, "blacklist", "v1b", "");
    desk_close(&d);
    desk_open(&d);
    CHECK(d.store.frozen);
    CHECK_INT(d.store.verdicts[1], VERDICT_BLACKLISTED);
    CHECK_INT(d.store.pin_count, 1);
    CHECK_INT(guard_store_pin(&d.store, "other/other"), 2);
    done(&d, "unfreeze", "", "");
    done(&d, "unpin", "", "other/other");
    desk_close(&d);
    desk_open(&d);
    CHECK(!d.store.frozen);
    CHECK_INT(d.store.pin_count, 0);
    desk_close(&d);
}
