/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - secrets: made once, 0600, never overwritten. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init.h"
#include "wiring.h"

const char *const init_users[] = {"init", "voice", "operator", "feedback", "reward", "bandit", "guard", "router", "sys", NULL};

enum { SECRET_BYTES = 32, PASSWORD_BYTES = 24 };

static enum status random_hex(size_t bytes, char *ret_text, struct reason *reason)
{
    uint8_t raw[SECRET_BYTES];

    if (getrandom(raw, bytes, 0) != (ssize_t)bytes)
        return reason_fail(reason, STATUS_STORE, "", "getrandom: %s", strerror(errno));
    for (size_t i = 0; i < bytes; i++)
        sprintf(ret_text + 2 * i, "%02x", raw[i]);
    return STATUS_OK;
}

/* A file that exists stays as it is; one that is half-written never exists under its name. */
static enum status make_secret(const char *path, const char *text, bool *ret_made, struct reason *reason)
{
    char temporary[4352];

    if (access(path, F_OK) == 0)
        return STATUS_OK;
    snprintf(temporary, sizeof temporary, "%s.%d", path, (int)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && dprintf(fd, "%s\n", text) > 0 && fsync(fd) == 0;
    bool linked = ok && link(temporary, path) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    unlink(temporary);
    *ret_made = linked;
    if (linked || (ok && why == EEXIST)) /* somebody was faster */
        return STATUS_OK;
    return reason_fail(reason, STATUS_STORE, "", "%s: %s", path, strerror(why));
}

/* The server's own account has one user, whatever loops there are. */
const char *init_password_path(struct init *init, const char *data, const char *prefix, const char *user)
{
    char name[64];

    wire_user(strcmp(user, "sys") == 0 ? "" : prefix, user, name);
    return arena_printf(&init->arena, "%s/secrets/%s.password", data, name);
}

static enum status make_folders(struct init *init, struct reason *reason)
{
    const char *data = init->common.data_dir, *secrets = arena_printf(&init->arena, "%s/secrets", data);

    if (mkdir(data, 0750) != 0 && errno != EEXIST)
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", data, strerror(errno));
    if (mkdir(secrets, 0700) != 0 && errno != EEXIST)
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", secrets, strerror(errno));
    return STATUS_OK;
}

enum status init_keys(struct init *init, struct reason *reason)
{
    char text[2 * SECRET_BYTES + 1];
    bool made_key = false;
    int made = 0, users = 0;
    enum status status = make_folders(init, reason);

    for (size_t i = 0; init_users[i] && status == STATUS_OK; i++, users++) {
        bool one = false;
        if (strcmp(init_users[i], "sys") == 0 && strcmp(init->common.subject_prefix, SANDBOX_PREFIX) == 0)
            break; /* it comes last; the server's own account is production's */
        const char *path = init_password_path(init, init->common.data_dir, init->common.subject_prefix, init_users[i]);
        status = random_hex(PASSWORD_BYTES, text, reason);
        if (status == STATUS_OK)
            status = make_secret(path, text, &one, reason);
        made += one;
    }
    if (status == STATUS_OK)
        status = random_hex(SECRET_BYTES, text, reason);
    if (status == STATUS_OK)
        status = make_secret(arena_printf(&init->arena, "%s/secrets/pseudonym.keys", init->common.data_dir),
                             arena_printf(&init->arena, "k1 %s %lld", text, (long long)time(NULL)), &made_key, reason);
    if (status == STATUS_OK)
        printf("%s pseudonym key, %d of %d bus passwords new, in %s/secrets (0600)\n", made_key ? "new" : "existing", made, users,
               init->common.data_dir);
    return status;
}
