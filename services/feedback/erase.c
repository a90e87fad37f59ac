/* SPDX-License-Identifier: Apache-2.0 */
/* erase.c - feedback.erase: one call is forgotten in every place, and a receipt says so.
 *
 * In one transaction its rows go, a tombstone stops whatever may come back, and feedback.stored {erased} tells those behind us, who take the call out
 * of their sums exactly.  When that is in its stream the streams are searched one after the other, and each message of the call is overwritten.
 * Only then the answer leaves, so a receipt is never a promise.  A kill in between loses nothing: table `erasure` says what is still to be done, under
 * the pseudonyms; the raw id is kept nowhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_id.h"
#include "feedback.h"
#include "log.h"

enum { RETRY_US = 1000000, LOOK_US = 100000, LONGEST_ID = 127 };

/* In this order: what a message of one stream causes lies in a later one. */
static const enum stream places[ERASE_PLACES] = {STREAM_CALLS, STREAM_DECISIONS, STREAM_FEEDBACK, STREAM_REWARDS, STREAM_DLQ};

/* ---- is a message of the call?  In a thread of the bus: only what the job holds ----------------------------------------------------------- */

static bool is_wanted(const struct erasure *e, const uint8_t *key)
{
    for (size_t i = 0; i < e->key_count; i++)
        if (memcmp(e->keys[i], key, CALL_KEY_BYTES) == 0)
            return true;
    return false;
}

static bool wanted_id(const struct erasure *e, const char *id, size_t length)
{
    char text[LONGEST_ID + 1], *trimmed = text;
    uint8_t key[CALL_KEY_BYTES];
    struct reason reason;

    snprintf(text, sizeof text, "%.*s", (int)(length < LONGEST_ID ? length : LONGEST_ID), id);
    if (call_id_check(&trimmed, "call_id", &reason) != STATUS_OK)
        return false;
    for (size_t i = 0; keyring_id(e->ring, i); i++) {
        pseudonym(e->ring, i, DOMAIN_CALL, trimmed, key);
        if (is_wanted(e, key))
            return true;
    }
    return false;
}

static const char *text_member(const ProtobufCMessage *m, const char *name)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

    return f ? *(char *const *)(const void *)((const char *)m + f->offset) : NULL;
}

/* What is no message at all may still name the call: the text behind "call_id":, or the first field of a protobuf message, which it always is. */
static bool rubbish_names_it(const struct erasure *e, const uint8_t *data, size_t size)
{
    static const char *const names[] = {"\"call_id\"", "\"callId\""};

    if (size > 2 && data[0] == 0x0a && data[1] < 128 && (size_t)data[1] + 2 <= size && wanted_id(e, (const char *)data + 2, data[1]))
        return true;
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        const uint8_t *end = data + size, *at = memmem(data, size, names[n], strlen(names[n]));
        const uint8_t *open = at ? memchr(at + strlen(names[n]), '"', (size_t)(end - at) - strlen(names[n])) : NULL;
        const uint8_t *close = open ? memchr(open + 1, '"', (size_t)(end - open) - 1) : NULL;
        if (open && wanted_id(e, (const char *)open + 1, (size_t)((close ? close : end) - open) - 1))
            return true;
    }
    return false;
}

static bool message_names_it(struct erasure *e, enum subject subject, const uint8_t *data, size_t size, int depth)
{
    ProtobufCMessage *m = NULL;
    struct reason reason;
    bool json;

    if (subject == SUBJECT_COUNT
        || codec_decode(&e->arena, subject_table[subject].message, data, size, 1 << 20, &json, &m, &reason) != STATUS_OK)
        return rubbish_names_it(e, data, size);
    const char *id = text_member(m, "call_id"), *key_text = text_member(m, "call_key");
    uint8_t key[CALL_KEY_BYTES];
    if (id)
        return wanted_id(e, id, strlen(id));
    if (key_text)
        return call_key_parse(key_text, key) && is_wanted(e, key);
    if (m->descriptor != &tom__rl__v1__dead_letter__descriptor || depth > 1)
        return false;
    const DeadLetter *letter = (const DeadLetter *)m;
    return message_names_it(e, subject_find(letter->subject), letter->payload.data, letter->payload.len, depth + 1);
}

static bool wanted(void *ctx, enum subject subject, const uint8_t *data, size_t size)
{
    struct erasure *e = ctx;

    arena_reset(&e->arena);
    return message_names_it(e, subject, data, size, 0);
}

/* ---- the database ----------------------------------------------------------------------------------------------------------------------------- */

/* One that the open batch has changed has left the counts already. */
static enum status forget_row(struct feedback *f, struct call *c, int64_t now_us)
{
    if (c->state == CALL_STORED && !c->changed)
        feedback_store_count(&f->store, c->record, -1);
    join_tombstone(c->record, now_us);
    c->changed = false;
    enum status status = c->id ? feedback_store_forget(&f->store, c) : STATUS_OK;
    f->erasure.rows += c->id != 0;
    c->id = 0;
    c->state = CALL_TOMBSTONE;
    return status;
}

/* As it lies in the open batch and in the database, whatever day it was first seen on. */
static enum status forget_call(struct feedback *f, struct outbox *out, const uint8_t *key)
{
    struct call *c = calls_find_open(f, key);
    enum status status = c ? forget_row(f, c, outbox_now(out).us) : STATUS_OK;

    do {
        if (status == STATUS_OK)
            status = feedback_store_find(&f->store, outbox_arena(out), key, ANY_DAY, ANY_DAY, &c);
        if (status == STATUS_OK && c)
            status = forget_row(f, c, outbox_now(out).us);
    } while (status == STATUS_OK && c);
    return status;
}

static enum status erase_key(struct feedback *f, struct outbox *out, size_t i)
{
    struct erasure *e = &f->erasure;
    struct query *q = store_query(f->store.store, "INSERT INTO erasure(revision, call_key, rows) VALUES(?, ?, ?)");
    enum status status = forget_call(f, out, e->keys[i]);

    if (status == STATUS_OK)
        status = keys_forget_alias(f, e->keys[i]);
    if (status == STATUS_OK)
        status = tombstones_add(f->tombstones, e->keys[i], outbox_now(out).us);
    if (status != STATUS_OK)
        return status;
    e->revisions[i] = feedback_store_next_revision(&f->store, outbox_now(out));
    query_bind_int(q, 1, e->revisions[i]);
    query_bind_blob(q, 2, e->keys[i], CALL_KEY_BYTES);
    query_bind_int(q, 3, e->rows);
    calls_say_erased(out, e->keys[i], e->revisions[i]);
    return query_run(q, NULL);
}

/* ---- the job ------------------------------------------------------------------------------------------------------------------------------------ */

static void name_receipt(struct erasure *e)
{
    uint8_t hash[CALL_KEY_BYTES];
    char text[CALL_KEY_TEXT];

    tombstone_of(e->keys[0], hash);
    call_key_text(hash, text);
    snprintf(e->receipt, sizeof e->receipt, "e-%.16s", text);
}

/* What was begun in the last life; said again when it may not have got into its stream. */
enum status erase_resume(struct feedback *f, struct outbox *out)
{
    struct erasure *e = &f->erasure;
    struct query *q = store_query(f->store.store, "SELECT revision, call_key, rows FROM erasure ORDER BY revision");
    enum status status;
    size_t size;
    bool row;

    while ((status = query_step(q, &row)) == STATUS_OK && row && e->key_count < MAX_KEYS) {
        e->revisions[e->key_count] = query_int(q, 0);
        memcpy(e->keys[e->key_count], query_blob(q, 1, &size), CALL_KEY_BYTES);
        e->rows = (uint64_t)query_int(q, 2);
        if (e->revisions[e->key_count] > f->published)
            calls_say_erased(out, e->keys[e->key_count], e->revisions[e->key_count]);
        e->key_count++;
    }
    query_reset(q);
    if (e->key_count)
        name_receipt(e);
    return status;
}

static const char *place_name(size_t i) { return stream_table[places[i]].name; }

typedef Tom__Rl__V1__FeedbackEraseReply__ErasedEntry ErasedEntry;
#define Erased_descriptor tom__rl__v1__feedback_erase_reply__erased_entry__descriptor

static void answer(struct feedback *f, struct outbox *out)
{
    struct arena *arena = outbox_arena(out);
    struct erasure *e = &f->erasure;
    FeedbackEraseReply *m = codec_new(arena, &tom__rl__v1__feedback_erase_reply__descriptor);
    const struct in_msg asker = {.reply = e->reply, .json = e->json};

    m->erased = arena_alloc(arena, (ERASE_PLACES + 1) * sizeof *m->erased);
    MAP_ADD(arena, m, erased, Erased, "feedback.db", e->rows);
    for (size_t i = 0; i < ERASE_PLACES; i++)
        MAP_ADD(arena, m, erased, Erased, place_name(i), e->counts[i]);
    m->receipt_id = arena_str(arena, e->receipt);
    if (e->reply[0])
        outbox_reply(out, &asker, &m->base);
}

/* Now only the write-ahead log may still hold something. */
static enum status clear_log(struct feedback *f)
{
    f->erasure.place++;
    store_truncate_log(f->store.store);
    return query_run(store_query(f->store.store, "DELETE FROM erasure"), NULL);
}

static void finish(struct feedback *f, struct outbox *out)
{
    struct erasure *e = &f->erasure;
    uint64_t messages = 0;

    for (size_t i = 0; i < ERASE_PLACES; i++)
        messages += e->counts[i];
    log_info("call.erased", "receipt=%s rows=%llu messages=%llu", e->receipt, (unsigned long long)e->rows, (unsigned long long)messages);
    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_ERASED), 1, NULL, NULL, NULL);
    answer(f, out);
    erase_done(f);
}

void erase_done(struct feedback *f)
{
    keyring_free(f->erasure.ring);
    arena_done(&f->erasure.arena);
    f->erasure = (struct erasure){0};
}

/* All that was said of the call, its last word too, is in its stream. */
static enum status is_said(struct feedback *f, bool *ret)
{
    int64_t published = 0;
    enum status status = feedback_store_number(&f->store, "SELECT coalesce(max(value), 0) FROM rl_loop WHERE name = 'published'", &published);

    *ret = published >= f->erasure.revisions[f->erasure.key_count - 1];
    return status;
}

static void search(struct feedback *f, struct outbox *out)
{
    struct erasure *e = &f->erasure;
    const struct bus_scrub scrub = {.stream = places[e->place], .wanted = wanted, .ctx = e};
    enum status status = outbox_scrub(out, &scrub, &e->counts[e->place]);

    if (status == STATUS_OK)
        e->place++;
    if (status != STATUS_UNAVAILABLE)
        return;
    e->next_us = outbox_mono(out).us + RETRY_US;
    if (!e->complained++)
        log_warning("erase.waiting", "stream=%s receipt=%s what=\"it cannot be searched, or somebody has not taken what is in it\"",
                    place_name(e->place), e->receipt);
}

/* The ring of the search is its own: it is used in another thread. */
static bool ready(struct feedback *f)
{
    struct reason reason;

    if (!f->erasure.ring && keyring_load(f->key_file, &f->erasure.ring, &reason) != STATUS_OK)
        log_warning("erase.waiting", "rule=\"%s\"", reason.text);
    return f->erasure.ring != NULL;
}

enum status erase_some(struct feedback *f, struct outbox *out)
{
    struct erasure *e = &f->erasure;
    bool said = false;

    if (!e->key_count || outbox_mono(out).us < e->next_us)
        return STATUS_OK;
    e->next_us = outbox_mono(out).us + LOOK_US;
    enum status status = is_said(f, &said);
    if (status != STATUS_OK || !said || !ready(f))
        return status;
    if (e->place < ERASE_PLACES)
        search(f, out);
    else if (e->place > ERASE_PLACES && !store_truncate_pending(f->store.store))
        finish(f, out);
    return e->place == ERASE_PLACES ? clear_log(f) : STATUS_OK;
}

mono_time erase_next(const struct feedback *f, mono_time now)
{
    return f->erasure.key_count ? (mono_time){f->erasure.next_us} : mono_after(now, 1000000);
}

/* ---- feedback.erase ------------------------------------------------------------------------------------------------------------------------------ */

static void remember_asker(struct erasure *e, const struct in_msg *in)
{
    snprintf(e->reply, sizeof e->reply, "%s", in->reply);
    e->json = in->json;
}

enum status on_erase(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    FeedbackEraseRequest *q = (FeedbackEraseRequest *)in->body;
    struct erasure *e = &f->erasure;
    uint8_t key[CALL_KEY_BYTES];
    enum status status = call_id_check(&q->call_id, "call_id", reason);

    if (status != STATUS_OK)
        return status;
    pseudonym(f->ring, 0, DOMAIN_CALL, q->call_id, key);
    if (e->key_count && !is_wanted(e, key))
        return reason_fail(reason, STATUS_BUSY, "", "another call is being erased; ask again in a moment");
    remember_asker(e, in);
    if (e->key_count)
        return STATUS_OK;
    for (; keyring_id(f->ring, e->key_count) && status == STATUS_OK; e->key_count++) {
        pseudonym(f->ring, e->key_count, DOMAIN_CALL, q->call_id, e->keys[e->key_count]);
        question_forget(f, e->keys[e->key_count]);
        status = erase_key(f, out, e->key_count);
    }
    name_receipt(e);
    return status;
}

/* ---- after a restore ------------------------------------------------------------------------------------------------------------------------------ */

/* A backup holds calls that were erased after it was made: their tombstones were merged into it. */
enum status erase_sweep(struct feedback *f, struct outbox *out)
{
    uint8_t(*keys)[CALL_KEY_BYTES] = NULL;
    size_t count = 0, size;
    enum status status;
    bool row;

    if (!tombstones_unswept(f->tombstones))
        return STATUS_OK;
    struct query *q = store_query(f->store.store, "SELECT call_key FROM call");
    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        const uint8_t *key = query_blob(q, 0, &size);
        if (size != CALL_KEY_BYTES || !tombstones_has(f->tombstones, key))
            continue;
        keys = xrealloc(keys, (count + 1) * sizeof *keys);
        memcpy(keys[count++], key, CALL_KEY_BYTES);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = forget_call(f, out, keys[i]);
    free(keys);
    f->erasure.rows = 0;
    if (count)
        log_info("call.erased", "rows=%zu what=\"they came back with a backup\"", count);
    store_truncate_log(f->store.store);
    return status == STATUS_OK ? tombstones_swept(f->tombstones) : status;
}
