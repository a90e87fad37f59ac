/* SPDX-License-Identifier: Apache-2.0 */
/* state_file.c - the keys that users of the described system know.  Never read: bandit.db is the truth. */
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FORMAT = JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15) };

/* The text of the file; never NULL. */
static char *render(const struct model *m, const struct stats *all, int64_t now)
{
    json_t *alpha = json_object(), *beta = json_object(), *rewards = json_object(), *pulls = json_object(), *root;

    for (size_t v = 0; v < m->variants->count; v++) {
        const char *id = m->variants->items[v].id;
        struct beta_posterior p = posterior_beta(&m->prior, &all[v], &all[v]);
        json_object_set_new(alpha, id, json_real(p.alpha));
        json_object_set_new(beta, id, json_real(p.beta));
        json_object_set_new(rewards, id, json_real((double)all[v].reward / REWARD_SCALE));
        json_object_set_new(pulls, id, json_integer(all[v].n));
    }
    root = json_pack("{s:o, s:o, s:o, s:o, s:I}", "alpha", alpha, "beta", beta, "total_rewards", rewards, "total_pulls", pulls, "last_updated",
                     (json_int_t)now);
    char *text = root ? json_dumps(root, FORMAT) : NULL;
    json_decref(root);
    if (!text)
        abort();
    return text;
}

static bool write_all(int fd, const char *text)
{
    size_t size = strlen(text);

    while (size) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            text += n;
            size -= (size_t)n;
        }
    }
    return fsync(fd) == 0;
}

/* The rename itself must reach the disk, too. */
static bool sync_folder(const char *path)
{
    char *copy = xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    free(copy);
    return ok;
}

static bool replace(const char *path, const char *temporary, const char *text)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        return false;
    bool ok = write_all(fd, text);
    ok &= close(fd) == 0;
    return ok && rename(temporary, path) == 0 && sync_folder(path);
}

enum status state_file_write(const char *path, const struct model *m, const struct stats *all, int64_t now, struct reason *reason)
{
    char temporary[4096], *text;

    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
        return reason_fail(reason, STATUS_STORE, "bandit.state_path", "%.200s..: name too long", path);
    text = render(m, all, now);
    enum status status = STATUS_OK;
    if (!replace(path, temporary, text)) {
        status = reason_fail(reason, STATUS_STORE, "bandit.state_path", "%.200s: %s", path, strerror(errno));
        unlink(temporary);
    }
    free(text);
    return status;
}
