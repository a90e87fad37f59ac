/* SPDX-License-Identifier: Apache-2.0 */
/* wiring.c - what a prefix makes of names. */
#include "wiring.h"

#include "test.h"

TEST(unit_wiring, a_prefix_stands_before_subjects_streams_and_users)
{
    char subject[128], stream[64], user[64];

    wire_subject(SANDBOX_PREFIX, SUBJECT_CALL_ENDED, subject);
    wire_stream(SANDBOX_PREFIX, STREAM_CALLS, stream);
    wire_user(SANDBOX_PREFIX, "voice", user);
    CHECK_STR(subject, "sandbox.call.ended");
    CHECK_STR(stream, "SANDBOX_CALLS");
    CHECK_STR(user, "sandbox_voice");
    wire_user("site.north.", "voice", user);
    CHECK_STR(user, "site_north_voice");
}

TEST(unit_wiring, without_a_prefix_names_are_what_the_tables_say)
{
    char subject[128], stream[64], user[64];

    wire_subject("", SUBJECT_CALL_ENDED, subject);
    wire_stream("", STREAM_CALLS, stream);
    wire_user("", "voice", user);
    CHECK_STR(subject, "call.ended");
    CHECK_STR(stream, "CALLS");
    CHECK_STR(user, "voice");
}
