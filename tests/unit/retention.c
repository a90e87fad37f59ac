/* SPDX-License-Identifier: Apache-2.0 */
/* retention.c - how long rows must be kept at least. */
#include "bandit.h"
#include "test.h"

static enum status check(int64_t days, int64_t window, struct reason *reason)
{
    const struct bandit b = {.retention = {.days = days, .amendment_window_days = window}};

    *reason = (struct reason){0};
    return retention_check(&b, reason);
}

TEST(unit_retention, rows_that_could_still_be_corrected_must_be_kept)
{
    struct reason reason;

    CHECK_INT(check(90, 30, &reason), STATUS_OK);
    CHECK_INT(check(44, 30, &reason), STATUS_OK);
    CHECK_INT(check(0, 365, &reason), STATUS_OK);
    CHECK_INT(check(43, 30, &reason), STATUS_CONFIG);
    CHECK_STR(reason.field, "bandit.retention_days");
    CHECK_STR(reason.text, "43 is less than 44: feedback.amendment_window_days is 30,"
                           " and the streams can say a call again for 14 days more; 0 keeps all");
    CHECK_INT(check(90, 77, &reason), STATUS_CONFIG);
}
