/* SPDX-License-Identifier: Apache-2.0 */
/* open_ledger.h - a ledger in a bandit.db of the test's own, as many tests open it, fill it and commit it. */
#ifndef RL_TEST_OPEN_LEDGER_H
#define RL_TEST_OPEN_LEDGER_H

#include "ledger.h"

const char *bandit_file(void); /* a path in test_dir() */

/* Each fails the test when the ledger does not do it. */
void open_ledger(const char *path, struct store **ret_store, struct ledger **ret_ledger); /* no transaction is begun */
enum learned learn_call(struct ledger *ledger, const struct call *call, int64_t now_s);
void commit_ledger(struct store *store, struct ledger *ledger); /* and begins the next transaction */

#endif
