/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - feedback.export: what is held of one call or of a caller's calls, and where else something of it may lie. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "call_id.h"
#include "feedback.h"

typedef Tom__Rl__V1__FeedbackExportReply__Known ExportKnown;
typedef Tom__Rl__V1__FeedbackExportReply__HeldCall HeldCall;
typedef Tom__Rl__V1__FeedbackExportReply__ElsewhereEntry ElsewhereEntry;
#define Elsewhere_descriptor tom__rl__v1__feedback_export_reply__elsewhere_entry__descriptor

enum { MOST_CALLS = 64, CALLER_PAGE = 200 };

static const char *const states[] = {"open", "waiting_decision", "waiting_outcome", "no_decision", "dropped", "tombstone",
                                     "stored", "retracted"};

static const struct { const char *place, *what; } elsewhere[] = {
    {"CALLS", "the messages as they were sent, with the call id; 72 hours"},
    {"DLQ", "messages that were refused, as they were sent; 72 hours"},
    {"DECISIONS", "the decision, by pseudonym; 14 days"},
    {"FEEDBACK", "what is `said` here, by pseudonym; 14 days"},
    {"REWARDS", "the reward computed from it, by pseudonym; 14 days"},
    {"bandit.db", "variant, kind of caller, hour, signals and reward, by pseudonym, for bandit.retention_days;"
                  " and its part in the sums, for good"},
    {"router", "its memory: the decision for two hours, a live call until five minutes after its end"},
    {"backups", "what was held when they were made"},
};

/* FIELD_USER_RATING -> user_rating */
static char *field_name(struct arena *arena, Tom__Rl__V1__Knowledge__Field field)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&tom__rl__v1__knowledge__field__descriptor, (int)field);
    char *name = arena_str(arena, v ? v->name + strlen("FIELD_") : "unknown");

    for (char *c = name; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return name;
}

static void add_known(struct arena *arena, const CallRecord *r, HeldCall *m)
{
    m->known = arena_alloc(arena, r->n_known * sizeof *m->known);
    for (size_t i = 0; i < r->n_known; i++) {
        ExportKnown *k = codec_new(arena, &tom__rl__v1__feedback_export_reply__known__descriptor);
        k->field = field_name(arena, r->known[i]->field);
        k->value = r->known[i]->value;
        k->source = r->known[i]->source;
        k->at = (double)r->known[i]->at_us / 1e6;
        m->known[m->n_known++] = k;
    }
}

static HeldCall *held_call(struct arena *arena, const struct call *c)
{
    HeldCall *m = codec_new(arena, &tom__rl__v1__feedback_export_reply__held_call__descriptor);
    const CallRecord *r = c->record;
    char caller[CALL_KEY_TEXT], key[CALL_KEY_TEXT];

    call_key_text(c->key, key);
    m->call_key = arena_str(arena, key);
    m->state = (char *)states[c->state];
    m->key_id = r->key_id;
    m->first_day = c->day;
    if (call_complete(c->state))
        m->said = event_of(arena, c);
    add_known(arena, r, m);
    if (r->decision) {
        m->decision_id = r->decision->decision_id;
        m->decided_at = (double)r->decision->at_us / 1e6;
    }
    if (r->end)
        m->ended_at = (double)r->end->arrived_us / 1e6;
    if (r->end && r->end->caller_key.len == CALL_KEY_BYTES) {
        call_key_text(r->end->caller_key.data, caller);
        m->caller = arena_str(arena, caller);
    }
    return m;
}

/* Under one key; the call may have been heard of again long after it was first. */
static enum status add_calls(struct feedback *f, struct arena *arena, const uint8_t *key, FeedbackExportReply *m)
{
    int32_t day = ANY_DAY;
    struct call *c = NULL;
    enum status status;

    do {
        status = feedback_store_find(&f->store, arena, key, day, ANY_DAY, &c);
        if (status == STATUS_OK && c) {
            m->calls[m->n_calls++] = held_call(arena, c);
            day = c->day - 2; /* a look-up takes the day after, too */
        }
    } while (status == STATUS_OK && c && m->n_calls < MOST_CALLS);
    return status;
}

static enum status export_call(struct feedback *f, struct arena *arena, const char *call_id, FeedbackExportReply *m)
{
    uint8_t key[CALL_KEY_BYTES];
    enum status status = STATUS_OK;

    m->calls = arena_alloc(arena, MOST_CALLS * sizeof *m->calls);
    for (size_t i = 0; status == STATUS_OK && keyring_id(f->ring, i) && m->n_calls < MOST_CALLS; i++) {
        pseudonym(f->ring, i, DOMAIN_CALL, call_id, key);
        m->erased |= tombstones_has(f->tombstones, key);
        status = add_calls(f, arena, key, m);
    }
    return status;
}

/* ---- the calls of a caller ------------------------------------------------------------------------------------------------- */

/* "k2.20781.4711" of a page before: the key's number, and where the walk stood under it. */
static bool parse_after(const struct feedback *f, const char *after, size_t *ret_key, struct caller_place *ret_at)
{
    int day = 0, end = -1;
    char id[33] = "";
    int64_t row = 0;

    *ret_key = 0;
    *ret_at = (struct caller_place){0};
    if (!after[0])
        return true;
    if (sscanf(after, "%32[^.].%d.%" SCNd64 "%n", id, &day, &row, &end) < 3 || end < 0 || after[end] || day < 0 || row < 0)
        return false;
    while (keyring_id(f->ring, *ret_key) && strcmp(keyring_id(f->ring, *ret_key), id) != 0)
        ++*ret_key;
    *ret_at = (struct caller_place){.day = day, .id = row};
    return keyring_id(f->ring, *ret_key) != NULL;
}

static enum status export_caller(struct feedback *f, struct arena *arena, const FeedbackExportRequest *q, FeedbackExportReply *m,
                                 struct reason *reason)
{
    uint8_t key[CALL_KEY_BYTES];
    struct caller_place at;
    enum status status = STATUS_OK;
    size_t i;

    if (!parse_after(f, q->after, &i, &at))
        return reason_set(reason, "after", "is no `next` of a page before, or its key was destroyed since; begin anew");
    m->calls = arena_alloc(arena, CALLER_PAGE * sizeof *m->calls);
    while (keyring_id(f->ring, i) && m->n_calls < CALLER_PAGE && status == STATUS_OK) {
        struct call *c = NULL;
        pseudonym(f->ring, i, DOMAIN_CALLER, q->caller_key, key);
        status = feedback_store_next_of(&f->store, arena, key, &at, &c);
        if (status == STATUS_OK && c) {
            m->calls[m->n_calls++] = held_call(arena, c);
        } else {
            at = (struct caller_place){0};
            i++;
        }
    }
    if (keyring_id(f->ring, i))
        m->next = arena_printf(arena, "%s.%d.%" PRId64, keyring_id(f->ring, i), at.day, at.id);
    return status;
}

/* ---- the request ----------------------------------------------------------------------------------------------------------- */

enum status whom_asked(const struct feedback *f, char **call_id, char **caller_key, bool *ret_caller, struct reason *reason)
{
    *ret_caller = (*caller_key)[0] != '\0';
    if (!*ret_caller)
        return call_id_check(call_id, "call_id", reason);
    if ((*call_id)[0])
        return reason_set(reason, "caller_key", "call_id or caller_key, not both");
    if (f->store.unfilled)
        return reason_fail(reason, STATUS_BUSY, "caller_key",
                           "calls of an older version are still being read, %lld at most; ask again in a moment",
                           (long long)f->store.unfilled);
    return call_id_check(caller_key, "caller_key", reason);
}

static void add_places(const struct feedback *f, struct arena *arena, FeedbackExportReply *m)
{
    m->elsewhere = arena_alloc(arena, COUNT_OF(elsewhere) * sizeof *m->elsewhere);
    for (size_t i = 0; i < COUNT_OF(elsewhere); i++)
        MAP_ADD(arena, m, elsewhere, Elsewhere, elsewhere[i].place, (char *)elsewhere[i].what);
    m->key_ids = arena_alloc(arena, MAX_KEYS * sizeof *m->key_ids);
    for (; keyring_id(f->ring, m->n_key_ids); m->n_key_ids++)
        m->key_ids[m->n_key_ids] = arena_str(arena, keyring_id(f->ring, m->n_key_ids));
}

enum status on_export(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    FeedbackExportRequest *q = (FeedbackExportRequest *)in->body;
    struct arena *arena = outbox_arena(out);
    FeedbackExportReply *m = codec_new(arena, &tom__rl__v1__feedback_export_reply__descriptor);
    bool caller;
    enum status status = whom_asked(f, &q->call_id, &q->caller_key, &caller, reason);

    if (status == STATUS_OK)
        status = caller ? export_caller(f, arena, q, m, reason) : export_call(f, arena, q->call_id, m);
    if (status != STATUS_OK)
        return status;
    add_places(f, arena, m);
    outbox_reply(out, in, &m->base);
    return STATUS_OK;
}
