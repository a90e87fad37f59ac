/* SPDX-License-Identifier: Apache-2.0 */
/* retention.c - rows of single calls leave bandit.retention_days after feedback first saw the call; what
 * they counted stays in the sums.
 *
 * A chunk a turn, so nobody waits for it, and at most one day's rows an hour: should a clock have jumped, somebody
 * notices before much is gone.  The border is stored with the first chunk, and where to go on is the oldest row, so a
 * kill in between loses nothing. */
#include "bandit.h"

enum { CHUNK = 200 };

static const int64_t every_us = (int64_t)SECONDS_PER_HOUR * US;

/* What streams bring again may come on top of the last amendment. */
static int64_t least_days(const struct bandit *b)
{
    return b->retention.amendment_window_days + stream_table[STREAM_REWARDS].max_age_s / SECONDS_PER_DAY;
}

enum status retention_check(const struct bandit *b, struct reason *reason)
{
    const struct retention *r = &b->retention;

    if (!r->days || r->days >= least_days(b))
        return STATUS_OK;
    return reason_fail(reason, STATUS_CONFIG, "bandit.retention_days",
                       "%lld is less than %lld: feedback.amendment_window_days is %lld,"
                       " and the streams can say a call again for %lld days more; 0 keeps all",
                       (long long)r->days, (long long)least_days(b), (long long)r->amendment_window_days,
                       (long long)(least_days(b) - r->amendment_window_days));
}

/* The days before this one go; not more than the oldest of them. */
static enum status next_border(const struct bandit *b, int64_t now, int64_t *ret)
{
    int64_t newest = ledger_newest(b->ledger) + SECONDS_PER_DAY, oldest;
    int64_t border = (now < newest ? now : newest) / SECONDS_PER_DAY - b->retention.days;
    enum status status = ledger_oldest_day(b->ledger, &oldest);

    *ret = status == STATUS_OK && oldest >= 0 && oldest < border ? oldest + 1 : 0;
    return status;
}

/* What a version leaves behind that is learned no more and has no rows either. */
static void drop_versions(struct bandit *b)
{
    const struct versions *v = &b->versions;
    int64_t calls = ledger_drop_versions(b->ledger, v->first, v->candidate);

    if (calls)
        log_info("version.dropped", "calls=%lld", (long long)calls);
}

static enum status give_up_some(struct bandit *b)
{
    struct retention *r = &b->retention;
    int64_t rows = 0;
    enum status status = ledger_give_up(b->ledger, r->border, CHUNK, &rows);

    r->gone += rows;
    metrics_add(b->metrics, METRIC_OWN(GIVEN_UP), (double)rows, NULL, NULL, NULL);
    if (status != STATUS_OK || rows == CHUNK)
        return status;
    log_info("ledger.given_up", "rows=%lld first_seen_before_day=%lld", (long long)r->gone, (long long)r->border);
    store_truncate_log(b->store);
    r->border = r->gone = 0;
    drop_versions(b);
    return STATUS_OK;
}

enum status retention_some(struct bandit *b, struct outbox *out)
{
    struct retention *r = &b->retention;

    if (!r->days)
        return STATUS_OK;
    if (!r->border && outbox_mono(out).us < r->next_us)
        return STATUS_OK;
    if (!r->border) {
        r->next_us = outbox_mono(out).us + every_us;
        enum status status = next_border(b, outbox_now(out).us / US, &r->border);
        if (status != STATUS_OK)
            return status;
    }
    return r->border ? give_up_some(b) : STATUS_OK;
}
