/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - a table of eight commands; each refuses, or changes guard.db and says in a sentence what is now so. */
#include "commands.h"

#include <string.h>

#include "context.h"

#define STAGE(name) TOM__RL__V1__STAGE__STAGE_##name

enum { WHO_MAX = 100, REASON_MAX = 1000 };

static const char *id_of(const struct guard_command *c) { return c->store->variants->items[c->variant].id; }
static bool is_base(const struct guard_command *c) { return c->variant == c->store->variants->base; }
static enum verdict verdict_of(const struct guard_command *c)
{
    return is_base(c) ? VERDICT_NONE : c->store->verdicts[c->variant];
}

static enum status unchanged(struct guard_command *c, const char *what)
{
    c->status = arena_printf(c->arena, "%s %s already", id_of(c), what);
    return STATUS_OK;
}

static enum status decide_verdict(struct guard_command *c, enum verdict verdict, const char *what)
{
    c->status = arena_printf(c->arena, "%s %s", id_of(c), what);
    c->changed = true;
    return guard_store_set_verdict(c->store, c->variant, verdict);
}

/* ---- the commands ---------------------------------------------------------------------------------------------------------- */

static enum status add(struct guard_command *c, struct reason *reason)
{
    switch (verdict_of(c)) {
    case VERDICT_BLACKLISTED: return reason_set(reason, "policy_variant", "%s is blacklisted; release it first", id_of(c));
    case VERDICT_PAROLE: return decide_verdict(c, VERDICT_NONE, "is no longer on parole");
    case VERDICT_NONE:
        return unchanged(c, c->stages[c->variant] == STAGE(INACTIVE) ? "waits beyond guard.max_active_variants" : "is active");
    case VERDICT_INACTIVE: break;
    }
    if (guard_store_on_parole(c->store, c->variant, &c->totals[c->variant]))
        return decide_verdict(c, VERDICT_PAROLE, "is back, on parole as before");
    return decide_verdict(c, VERDICT_NONE, "is active");
}

static enum status take_out(struct guard_command *c, struct reason *reason)
{
    if (is_base(c))
        return reason_set(reason, "policy_variant", "%s is the base variant and cannot be removed", id_of(c));
    if (verdict_of(c) == VERDICT_BLACKLISTED)
        return reason_set(reason, "policy_variant", "%s is blacklisted and gets no calls; release it first", id_of(c));
    return verdict_of(c) == VERDICT_INACTIVE ? unchanged(c, "is removed")
                                             : decide_verdict(c, VERDICT_INACTIVE, "is removed and gets no more calls");
}

static enum status blacklist(struct guard_command *c, struct reason *reason)
{
    if (is_base(c))
        return reason_set(reason, "policy_variant", "%s is the base variant and cannot be blacklisted", id_of(c));
    if (verdict_of(c) == VERDICT_BLACKLISTED)
        return unchanged(c, "is blacklisted");
    return decide_verdict(c, VERDICT_BLACKLISTED, "is blacklisted and gets no calls until it is released");
}

static enum status release(struct guard_command *c, struct reason *reason)
{
    if (verdict_of(c) == VERDICT_PAROLE)
        return unchanged(c, "is on parole");
    if (verdict_of(c) != VERDICT_BLACKLISTED)
        return reason_set(reason, "policy_variant", "%s is not blacklisted", id_of(c));
    if (!c->has_totals)
        return reason_fail(reason, STATUS_BUSY, "policy_variant", "the bandit has not told yet what is known of %s; try again",
                           id_of(c));
    enum status status = guard_store_set_released(c->store, c->variant, &c->totals[c->variant]);
    return status == STATUS_OK ? decide_verdict(c, VERDICT_PAROLE, "is released, on parole") : status;
}

static enum status pin(struct guard_command *c, struct reason *reason)
{
    Stage stage = c->stages[c->variant];
    int before = guard_store_pin(c->store, c->cell);

    if (stage == STAGE(BLACKLISTED) || stage == STAGE(INACTIVE))
        return reason_set(reason, "policy_variant", "%s is %s and cannot be pinned", id_of(c),
                          stage == STAGE(INACTIVE) ? "inactive" : "blacklisted");
    if (before < 0 && c->store->pin_count == GUARD_PINS)
        return reason_set(reason, "cell", "%d cells are pinned, and that is the most", GUARD_PINS);
    if (before == (int)c->variant)
        return unchanged(c, "is pinned there");
    c->status = arena_printf(c->arena, "%s alone speaks in %s", id_of(c),
                             strcmp(c->cell, "*") == 0 ? "all cells without a pin of their own" : c->cell);
    c->changed = true;
    return guard_store_set_pin(c->store, c->cell, (int)c->variant);
}

static enum status unpin(struct guard_command *c, struct reason *reason)
{
    (void)reason;
    c->changed = guard_store_pin(c->store, c->cell) >= 0;
    c->status = arena_printf(c->arena, c->changed ? "the pin of %s is gone" : "%s has no pin", c->cell);
    return c->changed ? guard_store_set_pin(c->store, c->cell, -1) : STATUS_OK;
}

static enum status set_frozen(struct guard_command *c, bool frozen)
{
    c->changed = c->store->frozen != frozen;
    c->status = arena_printf(c->arena, "%s%s", frozen ? "all traffic goes to base" : "traffic is not frozen",
                             c->changed ? "" : " already");
    return c->changed ? guard_store_set_frozen(c->store, frozen) : STATUS_OK;
}

static enum status freeze(struct guard_command *c, struct reason *reason) { return (void)reason, set_frozen(c, true); }
static enum status unfreeze(struct guard_command *c, struct reason *reason) { return (void)reason, set_frozen(c, false); }

static const struct command {
    const char *name;
    bool variant, cell; /* what it needs */
    enum status (*run)(struct guard_command *c, struct reason *reason);
} commands[] = {
    {"add", true, false, add},         {"remove", true, false, take_out}, {"blacklist", true, false, blacklist},
    {"release", true, false, release}, {"pin", true, true, pin},          {"unpin", false, true, unpin},
    {"freeze", false, false, freeze},  {"unfreeze", false, false, unfreeze},
};

/* ---- checks ---------------------------------------------------------------------------------------------------------------- */

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* "*", or a profile and a time of day as the router makes them. */
static enum status check_cell(struct guard_command *c, struct reason *reason)
{
    c->cell = c->request->cell[0] ? c->request->cell : "*";
    const char *slash = strchr(c->cell, '/');
    if (strcmp(c->cell, "*") == 0)
        return STATUS_OK;
    const char *profile = slash ? arena_printf(c->arena, "%.*s", (int)(slash - c->cell), c->cell) : "";
    if (slash && strcmp(context_profile(c->profiles, profile), profile) == 0 &&
        strcmp(context_time_of_day(slash + 1), slash + 1) == 0)
        return STATUS_OK;
    return reason_set(reason, "cell", "\"%.60s\" is neither * nor a profile and a time of day such as %s/morning", c->cell,
                      c->profiles->items[0]);
}

static enum status check_variant(struct guard_command *c, struct reason *reason)
{
    const char *id = c->request->policy_variant;
    int variant = variants_find(c->store->variants, id);

    if (!id[0])
        return reason_set(reason, "policy_variant", "missing");
    if (variant < 0)
        return reason_fail(reason, STATUS_NOT_FOUND, "policy_variant", "there is no variant \"%.32s\"", id);
    c->variant = (size_t)variant;
    return STATUS_OK;
}

enum status guard_command_run(struct guard_command *c, struct reason *reason)
{
    const GuardCommandRequest *m = c->request;
    const struct command *command = find(m->command);
    enum status status = STATUS_OK;

    if (!command)
        return reason_set(reason, "command", "\"%.32s\" is none of add, remove, blacklist, release, pin, unpin, freeze, unfreeze",
                          m->command);
    if (strlen(m->who) > WHO_MAX)
        return reason_set(reason, "who", "longer than %d bytes", WHO_MAX);
    if (strlen(m->reason) > REASON_MAX)
        return reason_set(reason, "reason", "longer than %d bytes", REASON_MAX);
    if (command->variant)
        status = check_variant(c, reason);
    if (status == STATUS_OK && command->cell)
        status = check_cell(c, reason);
    if (status == STATUS_OK)
        status = command->run(c, reason);
    if (status != STATUS_OK || !c->changed)
        return status;
    struct guard_move move = {.command = command->name, .variant = command->variant ? id_of(c) : "",
                              .cell = command->cell ? c->cell : "", .verdict = command->variant ? verdict_of(c) : VERDICT_NONE,
                              .who = m->who[0] ? m->who : "operator", .why = m->reason, .at = c->now};
    return guard_store_record(c->store, &move);
}
