/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - each call of a batch is read once, changed in memory, and written and said once. */
#include <stdlib.h>
#include <string.h>

#include "feedback.h"
#include "log.h"

enum { DAY_S = 86400, FEW = 20 };

static size_t slot_number(const uint8_t *key) { return ((size_t)key[0] << 8 | key[1]) % CALL_SLOTS; }

static struct call *in_batch(const struct feedback *f, const uint8_t *key)
{
    struct call *c = f->slots[slot_number(key)];

    while (c && memcmp(c->key, key, CALL_KEY_BYTES) != 0)
        c = c->same_slot;
    return c;
}

static void enter(struct feedback *f, struct call *c)
{
    struct call **slot = &f->slots[slot_number(c->key)];

    if (f->batch_count == f->batch_capacity) {
        f->batch_capacity = f->batch_capacity ? f->batch_capacity * 2 : 1024;
        f->batch = xrealloc(f->batch, f->batch_capacity * sizeof *f->batch);
    }
    c->same_slot = *slot;
    *slot = c;
    f->batch[f->batch_count++] = c;
}

struct call *calls_find_open(const struct feedback *f, const uint8_t key[static CALL_KEY_BYTES]) { return in_batch(f, key); }

struct call *calls_adopt(struct feedback *f, struct call *row)
{
    struct call *there = in_batch(f, row->key);

    if (!there)
        enter(f, row);
    return there ? there : row;
}

static int32_t day_of(const struct in_msg *in) { return (int32_t)(in->time_us / 1000000 / DAY_S); }

static struct call *new_call(struct arena *arena, const uint8_t *key, const char *key_id, int32_t day)
{
    struct call *c = arena_alloc(arena, sizeof *c);

    memcpy(c->key, key, CALL_KEY_BYTES);
    c->day = day;
    c->record = codec_new(arena, &tom__rl__v1__call_record__descriptor);
    c->record->key_id = arena_str(arena, key_id);
    return c;
}

/* What is said of an erased call changes nothing: a record with a tombstone takes no message, and is not written. */
static struct call *erased_call(struct outbox *out, const uint8_t *key, const char *key_id, int32_t day)
{
    struct call *c = new_call(outbox_arena(out), key, key_id, day);

    c->state = CALL_TOMBSTONE;
    c->record->tombstone_us = outbox_now(out).us;
    return c;
}

/* *ret NULL: neither in the batch nor stored. */
static enum status look_up(struct feedback *f, struct outbox *out, const uint8_t *key, int32_t day, int32_t back,
                           struct call **ret)
{
    enum status status = STATUS_OK;

    *ret = in_batch(f, key);
    if (*ret)
        return STATUS_OK;
    status = feedback_store_find(&f->store, outbox_arena(out), key, day, back, ret);
    if (*ret)
        enter(f, *ret);
    return status;
}

enum status calls_by_key(struct feedback *f, struct outbox *out, const uint8_t key[static CALL_KEY_BYTES], const char *key_id,
                         const struct in_msg *in, struct call **ret)
{
    enum status status = STATUS_OK;

    if (tombstones_has(f->tombstones, key)) {
        *ret = erased_call(out, key, key_id, day_of(in));
        return STATUS_OK;
    }
    uint8_t row_key[CALL_KEY_BYTES];
    bool has_alias = false;

    status = look_up(f, out, key, day_of(in), LOOK_BACK_DAYS, ret);
    if (status == STATUS_OK && !*ret)
        status = keys_find_alias(f, key, outbox_now(out), row_key, &has_alias);
    if (status == STATUS_OK && has_alias)
        status = look_up(f, out, row_key, day_of(in), LOOK_BACK_DAYS, ret);
    if (status == STATUS_OK && !*ret) {
        *ret = new_call(outbox_arena(out), key, key_id, day_of(in));
        enter(f, *ret);
    }
    return status;
}

/* Under the current key, else under an older one; a new call gets the current one. */
enum status calls_by_id(struct feedback *f, struct outbox *out, const char *call_id, const struct in_msg *in, int32_t back,
                        struct call **ret)
{
    uint8_t key[CALL_KEY_BYTES];
    enum status status = STATUS_OK;

    *ret = NULL;
    for (size_t i = 0; keyring_id(f->ring, i) && !*ret && status == STATUS_OK; i++) {
        pseudonym(f->ring, i, DOMAIN_CALL, call_id, key);
        if (tombstones_has(f->tombstones, key))
            *ret = erased_call(out, key, keyring_id(f->ring, i), day_of(in));
        else
            status = look_up(f, out, key, day_of(in), back, ret);
    }
    if (status != STATUS_OK || *ret)
        return status;
    pseudonym(f->ring, 0, DOMAIN_CALL, call_id, key);
    *ret = new_call(outbox_arena(out), key, keyring_id(f->ring, 0), day_of(in));
    enter(f, *ret);
    return keys_add_alias(f, *ret, call_id, outbox_now(out));
}

/* ---- saying ---------------------------------------------------------------------------------------------------------------- */

void calls_say(struct outbox *out, const struct call *c, const struct saying *how)
{
    FeedbackStored *m = outbox_new(out, SUBJECT_FEEDBACK_STORED);
    char key[CALL_KEY_TEXT];

    call_key_text(c->key, key);
    join_message(outbox_arena(out), c->record, m);
    m->call_key = key;
    m->day = c->day;
    m->revision = c->revision;
    m->first = how->first;
    m->reward_version = (char *)how->reward_version;
    outbox_say(out, SUBJECT_FEEDBACK_STORED, &m->base, how->id, how->revision, c->record->traceparent);
}

void calls_say_erased(struct outbox *out, const uint8_t key[static CALL_KEY_BYTES], int64_t revision)
{
    FeedbackStored *m = outbox_new(out, SUBJECT_FEEDBACK_STORED);
    char text[CALL_KEY_TEXT];

    call_key_text(key, text);
    m->call_key = text;
    m->revision = revision;
    m->erased = true;
    outbox_say(out, SUBJECT_FEEDBACK_STORED, &m->base, "", revision, "");
}

/* The original still lies in CALLS under the sequence that is named; its raw id is not kept here. */
void calls_say_no_decision(struct outbox *out, const struct call *c)
{
    DeadLetter *d = outbox_new(out, subject_dlq("feedback"));
    struct arena *arena = outbox_arena(out);

    d->subject = arena_str(arena, subject_table[SUBJECT_CALL_ENDED].name);
    d->stream = arena_str(arena, stream_table[STREAM_CALLS].name);
    d->sequence = c->record->end->sequence;
    d->time = (double)c->record->end->arrived_us / 1e6;
    d->reason = arena_str(arena, "no_decision");
    d->field = arena_str(arena, "policy_variant");
    d->message = arena_str(arena, "the call names no variant and no decision came; one that comes later still completes it");
    d->traceparent = c->record->traceparent;
    outbox_dead_letter(out, d, arena_printf(arena, "no_decision/%lld", (long long)c->id), c->revision);
}

static void count_first(struct feedback *f, const CallRecord *r, int64_t now_us)
{
    const char *variant = variants_label(f->variants, join_variant(r));
    double value;

    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_STORED), 1, NULL, NULL, NULL);
    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_TOTAL), 1, variant, join_profile(r), r->end->agent);
    metrics_observe(f->metrics, METRIC_OWN(FEEDBACK_JOIN_DELAY),
                    now_us > r->end->arrived_us ? (double)(now_us - r->end->arrived_us) / 1e6 : 0, NULL, NULL, NULL);
    if (join_known(r, TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_DURATION_SEC, &value))
        metrics_observe(f->metrics, METRIC_OWN(FEEDBACK_DURATION), value, variant, NULL, NULL);
    if (join_known(r, TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_BARGE_IN_COUNT, &value))
        metrics_add(f->metrics, METRIC_OWN(FEEDBACK_BARGE_IN), value, variant, NULL, NULL);
    if (join_known(r, TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_ESCALATION, &value))
        metrics_add(f->metrics, METRIC_OWN(FEEDBACK_ESCALATION), value, variant, NULL, NULL);
}

/* A call's first rating, with the end or by an amendment; a histogram can take nothing back, so a corrected
 * one does not count again. */
static void count_rating(struct feedback *f, const struct call *c)
{
    const CallRecord *r = c->record;
    const Knowledge *k = join_knowledge(r, TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_USER_RATING);

    if (c->rating_said || !k)
        return;
    int64_t delay_us = k->at_us > r->end->arrived_us ? k->at_us - r->end->arrived_us : 0;
    metrics_observe(f->metrics, METRIC_OWN(FEEDBACK_RATING), k->value, variants_label(f->variants, join_variant(r)), NULL, NULL);
    metrics_observe(f->metrics, METRIC_OWN(FEEDBACK_RATING_DELAY), (double)delay_us / 1e6, NULL, NULL, NULL);
}

static void log_stored(const struct feedback *f, const struct call *c)
{
    char key[CALL_KEY_TEXT];
    double rating = 0;

    call_key_text(c->key, key);
    join_known(c->record, TOM__RL__V1__KNOWLEDGE__FIELD__FIELD_USER_RATING, &rating);
    log_event(f->batch_count > FEW ? LOG_DEBUG : LOG_INFO, "call.stored", "call=%s:%.8s.. variant=%s resolution=%d rating=%.0f%s",
              c->record->key_id, key, variants_label(f->variants, join_variant(c->record)),
              join_resolution(c->record) == TRI_TRUE, rating, c->state == CALL_RETRACTED ? " retracted" : "");
}

static void say_stored(struct feedback *f, struct outbox *out, struct call *c, bool first)
{
    if (c->state == CALL_STORED)
        feedback_store_count(&f->store, c->record, +1);
    if (first)
        count_first(f, c->record, outbox_now(out).us);
    count_rating(f, c);
    log_stored(f, c);
    calls_say(out, c, &(struct saying){.revision = c->revision, .first = first, .id = "", .reward_version = ""});
}

static enum status write_call(struct feedback *f, struct outbox *out, struct call *c)
{
    enum call_state before = c->state;
    bool first = !call_complete(before), taken_back;

    c->state = join_state(c->record, before);
    c->waiting_us = !call_waits(c->state) ? 0 : call_waits(before) && c->waiting_us ? c->waiting_us : outbox_now(out).us;
    taken_back = call_complete(before) && c->state == CALL_TOMBSTONE;
    bool speaks = call_complete(c->state) || taken_back || (c->gave_up && c->state == CALL_NO_DECISION);
    if (speaks)
        c->revision = feedback_store_next_revision(&f->store, outbox_now(out));
    enum status status = feedback_store_put(&f->store, outbox_arena(out), c);
    if (status != STATUS_OK || !speaks)
        return status;
    if (taken_back)
        calls_say_erased(out, c->key, c->revision);
    else if (c->state == CALL_NO_DECISION)
        calls_say_no_decision(out, c);
    else
        say_stored(f, out, c, first);
    return STATUS_OK;
}

enum status calls_flush(struct feedback *f, struct outbox *out)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < f->batch_count; i++) {
        struct call *c = f->batch[i];
        if (status == STATUS_OK && c->changed)
            status = write_call(f, out, c);
        f->slots[slot_number(c->key)] = NULL;
    }
    f->batch_count = 0;
    return status == STATUS_OK ? feedback_store_flush(&f->store) : status;
}
