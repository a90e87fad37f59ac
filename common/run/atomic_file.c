/* SPDX-License-Identifier: Apache-2.0 */
/* atomic_file.c - temporary, fsync, rename. */
#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4352 };

static bool write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static void sync_folder(const char *path)
{
    char copy[PATH_SIZE];
    int fd;

    snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

enum status atomic_file_write(const char *path, const void *data, size_t size, mode_t mode, struct reason *reason)
{
    char temporary[PATH_SIZE];
    int fd;

    snprintf(temporary, sizeof temporary, "%s.%d.tmp", path, (int)getpid());
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return reason_fail(reason, STATUS_STORE, "", "%s: %s", temporary, strerror(errno));
    bool ok = write_all(fd, data, size) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok && rename(temporary, path) == 0;
    if (!ok) {
        int why = errno;
        unlink(temporary);
        return reason_fail(reason, STATUS_STORE, "", "%s: %s", path, strerror(why));
    }
    sync_folder(path);
    return STATUS_OK;
}
