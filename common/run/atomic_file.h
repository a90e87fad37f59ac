/* SPDX-License-Identifier: Apache-2.0 */
/* atomic_file.h - a file is either the old one or the new one, whole. */
#ifndef RL_ATOMIC_FILE_H
#define RL_ATOMIC_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "status.h"

/* Writes a temporary beside it, fsync, rename, fsync of the folder.  STATUS_STORE with the path and why. */
enum status atomic_file_write(const char *path, const void *data, size_t size, mode_t mode, struct reason *reason) MUST_CHECK;

#endif
