/* SPDX-License-Identifier: Apache-2.0 */
/* message_signals.h - the message Signals: its rules, and as plain numbers. */
#ifndef RL_MESSAGE_SIGNALS_H
#define RL_MESSAGE_SIGNALS_H

#include "msg.h"
#include "signals.h"

/* NULL: nothing is known. */
struct signals signals_of_message(const Signals *message);

/* Each signal that is there lies in its range (reference of the feedback event); the reason names `signals.<field>`. */
enum status signals_check(const Signals *message, struct reason *reason) MUST_CHECK;

#endif
