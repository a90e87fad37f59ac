/* SPDX-License-Identifier: Apache-2.0 */
/* changes.c - from a row of `restart` to the message. */
#include "changes.h"

#include <string.h>

#include "detect.h"

enum { SECONDS_PER_HOUR = 3600, CONTEXT_FIELDS = 2 };

typedef Tom__Rl__V1__BanditChanged__ContextEntry ContextEntry;
#define Context_descriptor tom__rl__v1__bandit_changed__context_entry__descriptor

/* "kfz/morning" as two fields; a cell that has no name is no context. */
static void tell_context(struct arena *arena, const char *cell, BanditChanged *m)
{
    char *profile = arena_str(arena, cell), *time_of_day = strrchr(profile, '/');

    if (!time_of_day)
        return;
    *time_of_day++ = '\0';
    m->context = arena_alloc(arena, CONTEXT_FIELDS * sizeof *m->context);
    MAP_ADD(arena, m, context, Context, (char *)"profile", profile);
    MAP_ADD(arena, m, context, Context, (char *)"time_of_day", time_of_day);
}

static void say(const struct query *q, struct outbox *out)
{
    struct arena *arena = outbox_arena(out);
    BanditChanged *m = outbox_new(out, SUBJECT_BANDIT_CHANGED);
    int64_t id = query_int(q, 0), found_at = query_int(q, 10);

    m->reward_version = arena_str(arena, query_text(q, 1));
    m->level = (char *)detect_level_names[query_int(q, 2)];
    tell_context(arena, query_text(q, 3), m);
    m->policy_variant = arena_str(arena, query_text(q, 4));
    m->since = query_int(q, 5) * SECONDS_PER_HOUR;
    m->evidence = query_real(q, 6);
    m->mean_before = query_real(q, 7);
    m->mean_after = query_real(q, 8);
    m->policy_version = arena_str(arena, query_text(q, 9));
    m->ts = (double)found_at;
    outbox_say(out, SUBJECT_BANDIT_CHANGED, &m->base,
               arena_printf(arena, "bandit.changed/%lld/%lld", (long long)id, (long long)found_at), id, "");
}

/* Those from before there was such a message, "-", stay unsaid. */
enum status changes_say(struct store *store, struct outbox *out, int64_t *ret_said)
{
    struct query *q = store_query(store, "SELECT id, version, level, cell, variant, hour, evidence, mean_before, mean_after,"
                                         " policy_version, found_at FROM restart WHERE id > ? AND policy_version <> '-'"
                                         " ORDER BY id");
    bool row = false;
    enum status status;

    query_bind_int(q, 1, *ret_said);
    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        say(q, out);
        *ret_said = query_int(q, 0);
    }
    return status;
}

enum status changes_settle(struct store *store, const char *policy_version, struct outbox *out, int64_t *ret_said)
{
    struct query *q = store_query(store, "UPDATE restart SET policy_version = ? WHERE policy_version = ''");
    int64_t found = 0;

    query_bind_text(q, 1, policy_version);
    enum status status = query_run(q, &found);
    return status == STATUS_OK && found ? changes_say(store, out, ret_said) : status;
}
