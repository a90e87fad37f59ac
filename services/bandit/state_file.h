/* SPDX-License-Identifier: Apache-2.0 */
/* state_file.h - bandit_state.json, the readable export: what was learned of each variant over all cells. */
#ifndef RL_STATE_FILE_H
#define RL_STATE_FILE_H

#include "snapshot.h"

/* Replaces the file whole (temporary, fsync, rename); `all` per variant, `now` in unix seconds.  STATUS_STORE names the file. */
enum status state_file_write(const char *path, const struct model *model, const struct stats *all, int64_t now,
                             struct reason *reason) MUST_CHECK;

#endif
