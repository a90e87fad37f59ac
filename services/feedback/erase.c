/* SPDX-License-Identifier: Apache-2.0 */
/* erase.c - feedback.erase: a call, or all calls of a caller, are forgotten in every place, and a receipt says so.
 *
 * In one transaction the rows of a call go, a tombstone stops whatever may come back, and feedback.stored {erased} tells those
 * behind us, who take the call out of their sums exactly.  When that is in its stream the streams are searched one after the
 * other, and each message of the call is overwritten.  Only then the answer leaves, so a receipt is never a promise.  A kill in
 * between loses nothing: table `erasure` says what is still to be done, under the pseudonyms; the raw id is kept nowhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_id.h"
#include "erase.h"
#include "log.h"

enum { RETRY_US = 1000000, LOOK_US = 100000 };

/* In this order: what a message of one stream causes lies in a later one. */
static const enum stream places[ERASE_PLACES] = {STREAM_CALLS, STREAM_DECISIONS, STREAM_FEEDBACK, STREAM_REWARDS, STREAM_DLQ};

/* ---- the database ---------------------------------------------------------------------------------------------------------- */

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

static void remember(struct erasure *e, const uint8_t *key, int64_t revision)
{
    if (e->key_count == e->key_capacity)
        e->keys = xrealloc(e->keys, (e->key_capacity = e->key_capacity ? 2 * e->key_capacity : MAX_KEYS) * sizeof *e->keys);
    memcpy(e->keys[e->key_count++], key, CALL_KEY_BYTES);
    e->revision = revision;
}

enum status erase_key(struct feedback *f, struct outbox *out, const uint8_t key[static CALL_KEY_BYTES])
{
    struct erasure *e = &f->erasure;
    struct query *q = store_query(f->store.store, "INSERT INTO erasure(revision, call_key, rows) VALUES(?, ?, ?)");
    enum status status = forget_call(f, out, key);

    question_forget(f, key);
    if (status == STATUS_OK)
        status = keys_forget_alias(f, key);
    if (status == STATUS_OK)
        status = tombstones_add(f->tombstones, key, outbox_now(out).us);
    if (status != STATUS_OK)
        return status;
    remember(e, key, feedback_store_next_revision(&f->store, outbox_now(out)));
    query_bind_int(q, 1, e->revision);
    query_bind_blob(q, 2, key, CALL_KEY_BYTES);
    query_bind_int(q, 3, (int64_t)e->rows);
    calls_say_erased(out, key, e->revision);
    return query_run(q, NULL);
}

/* ---- the job --------------------------------------------------------------------------------------------------------------- */

/* By the pseudonym under the key of the day: of a call, of a caller. */
static void name_receipt(char kind, const uint8_t *key, char ret[static RECEIPT_SIZE])
{
    uint8_t hash[CALL_KEY_BYTES];
    char text[CALL_KEY_TEXT];

    tombstone_of(key, hash);
    call_key_text(hash, text);
    snprintf(ret, RECEIPT_SIZE, "%c-%.16s", kind, text);
}

/* What was begun in the last life; said again when it may not have got into its stream. */
enum status erase_resume(struct feedback *f, struct outbox *out)
{
    struct erasure *e = &f->erasure;
    struct query *q = store_query(f->store.store, "SELECT revision, call_key, rows FROM erasure ORDER BY revision");
    enum status status;
    size_t size;
    bool row;

    while ((status = query_step(q, &row)) == STATUS_OK && row) {
        remember(e, query_blob(q, 1, &size), query_int(q, 0));
        e->rows = (uint64_t)query_int(q, 2);
        if (e->revision > f->published)
            calls_say_erased(out, e->keys[e->key_count - 1], e->revision);
    }
    query_reset(q);
    if (status == STATUS_OK)
        status = erase_caller_resume(f);
    if (e->caller_count)
        name_receipt('c', e->callers[0], e->receipt);
    else if (e->key_count)
        name_receipt('e', e->keys[0], e->receipt);
    erase_sort(e);
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
    m->key_ids = arena_alloc(arena, MAX_KEYS * sizeof *m->key_ids);
    for (; keyring_id(e->ring, m->n_key_ids); m->n_key_ids++)
        m->key_ids[m->n_key_ids] = arena_str(arena, keyring_id(e->ring, m->n_key_ids));
    if (e->reply[0])
        outbox_reply(out, &asker, &m->base);
}

/* Now only the write-ahead log may still hold something. */
static enum status clear_log(struct feedback *f)
{
    f->erasure.place++;
    store_truncate_log(f->store.store);
    enum status status = query_run(store_query(f->store.store, "DELETE FROM erasure"), NULL);
    return status == STATUS_OK ? query_run(store_query(f->store.store, "DELETE FROM caller_erasure"), NULL) : status;
}

static void finish(struct feedback *f, struct outbox *out)
{
    struct erasure *e = &f->erasure;
    uint64_t messages = 0;

    for (size_t i = 0; i < ERASE_PLACES; i++)
        messages += e->counts[i];
    log_info("call.erased", "receipt=%s rows=%llu messages=%llu", e->receipt, (unsigned long long)e->rows,
             (unsigned long long)messages);
    metrics_add(f->metrics, METRIC_OWN(FEEDBACK_ERASED), e->caller_count ? (double)e->rows : 1, NULL, NULL, NULL);
    answer(f, out);
    erase_done(f);
}

void erase_done(struct feedback *f)
{
    keyring_free(f->erasure.ring);
    free(f->erasure.keys);
    arena_done(&f->erasure.arena);
    f->erasure = (struct erasure){0};
}

/* All that was said of the call, its last word too, is in its stream. */
static enum status is_said(struct feedback *f, bool *ret)
{
    int64_t published = 0;
    enum status status = feedback_store_number(&f->store, "SELECT coalesce(max(value), 0) FROM rl_loop WHERE name = 'published'",
                                               &published);

    *ret = published >= f->erasure.revision;
    return status;
}

static void search(struct feedback *f, struct outbox *out)
{
    struct erasure *e = &f->erasure;
    const struct bus_scrub scrub = {.stream = places[e->place], .wanted = erase_wanted, .ctx = e};
    enum status status = outbox_scrub(out, &scrub, &e->counts[e->place]);

    if (status == STATUS_OK) {
        e->walks = e->place == 0 && e->caller_count;
        e->place++;
    }
    if (status != STATUS_UNAVAILABLE)
        return;
    e->next_us = outbox_mono(out).us + RETRY_US;
    if (!e->complained++)
        log_warning("erase.waiting",
                    "stream=%s receipt=%s what=\"it cannot be searched, or somebody has not taken what is in it\"",
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

    if (!e->receipt[0] || outbox_mono(out).us < e->next_us)
        return STATUS_OK;
    if (e->walks)
        return erase_caller_some(f, out);
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
    return f->erasure.receipt[0] ? (mono_time){f->erasure.next_us} : mono_after(now, 1000000);
}

/* ---- feedback.erase -------------------------------------------------------------------------------------------------------- */

static void remember_asker(struct erasure *e, const struct in_msg *in)
{
    snprintf(e->reply, sizeof e->reply, "%s", in->reply);
    e->json = in->json;
}

static enum status begin(struct feedback *f, struct outbox *out, const char *call_id)
{
    uint8_t key[CALL_KEY_BYTES];
    enum status status = STATUS_OK;

    for (size_t i = 0; keyring_id(f->ring, i) && status == STATUS_OK; i++) {
        pseudonym(f->ring, i, DOMAIN_CALL, call_id, key);
        status = erase_key(f, out, key);
    }
    erase_sort(&f->erasure);
    return status;
}

static enum status begin_caller(struct feedback *f, struct outbox *out, const char *caller)
{
    struct erasure *e = &f->erasure;

    for (; keyring_id(f->ring, e->caller_count); e->caller_count++)
        pseudonym(f->ring, e->caller_count, DOMAIN_CALLER, caller, e->callers[e->caller_count]);
    return erase_caller_begin(f, outbox_now(out).us);
}

enum status on_erase(void *state, const struct in_msg *in, struct outbox *out, struct reason *reason)
{
    struct feedback *f = state;
    FeedbackEraseRequest *q = (FeedbackEraseRequest *)in->body;
    struct erasure *e = &f->erasure;
    uint8_t key[CALL_KEY_BYTES];
    char receipt[RECEIPT_SIZE];
    bool caller;
    enum status status = whom_asked(f, &q->call_id, &q->caller_key, &caller, reason);

    if (status != STATUS_OK)
        return status;
    pseudonym(f->ring, 0, caller ? DOMAIN_CALLER : DOMAIN_CALL, caller ? q->caller_key : q->call_id, key);
    name_receipt(caller ? 'c' : 'e', key, receipt);
    if (e->receipt[0] && strcmp(e->receipt, receipt) != 0)
        return reason_fail(reason, STATUS_BUSY, "", "another call or caller is being erased; ask again in a moment");
    remember_asker(e, in);
    if (e->receipt[0])
        return STATUS_OK;
    memcpy(e->receipt, receipt, sizeof receipt);
    return caller ? begin_caller(f, out, q->caller_key) : begin(f, out, q->call_id);
}

/* ---- after a restore ------------------------------------------------------------------------------------------------------- */

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
