/* SPDX-License-Identifier: Apache-2.0 */
/* open_ledger.c - opens, fills and commits a ledger, and checks each step. */
#include "open_ledger.h"

#include "test.h"

const char *bandit_file(void)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/bandit.db", test_dir());
    return path;
}

void open_ledger(const char *path, struct store **ret_store, struct ledger **ret_ledger)
{
    struct reason reason = {0};

    CHECK_INT(store_open(path, ledger_migrations, LEDGER_MIGRATIONS, ret_store, &reason), STATUS_OK);
    CHECK_STR(reason.text, "");
    CHECK_INT(ledger_open(*ret_store, ret_ledger), STATUS_OK);
}

enum learned learn_call(struct ledger *ledger, const struct call *call, int64_t now_s)
{
    enum learned outcome = LEARNED_OUTCOMES;

    CHECK_INT(ledger_learn(ledger, call, now_s, &outcome), STATUS_OK);
    return outcome;
}

void commit_ledger(struct store *store, struct ledger *ledger)
{
    CHECK_INT(ledger_flush(ledger), STATUS_OK);
    CHECK_INT(store_commit(store), STATUS_OK);
    CHECK_INT(store_begin(store), STATUS_OK);
}
