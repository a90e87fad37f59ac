/* SPDX-License-Identifier: Apache-2.0 */
/* backup.c - copies of the three databases and of the prior, made while the services run, and put back while they do not.
 *
 * Each copy is consistent in itself and knows where in the streams it stands; a service that starts with it takes from the
 * streams what came after.  A copy still holds the calls that were erased after it was made: restore takes the tombstones of
 * today along, and at its start each service first erases what they name. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomic_file.h"
#include "prior_file.h"
#include "rlctl.h"
#include "store.h"

enum { DATABASES = 3, KEYS_LIMIT = 8192, PRIOR_LIMIT = 1 << 20 };

static const char *const names[DATABASES] = {"feedback", "bandit", "guard"};

/* Where the databases and the prior lie, as their services find them. */
struct databases {
    const char *feedback, *prior; /* "": in the data folder, as the others always are */
    const char *paths[DATABASES], *prior_path;
};

static const struct config_key keys[] = {
    CONFIG_TEXT(struct databases, prior, "bandit.prior_path", "", "RL_BANDIT_PRIOR_PATH",
                "The same row as in rl-bandit's table."),
    CONFIG_TEXT(struct databases, feedback, "feedback.db_path", "", "RL_FEEDBACK_DB_PATH",
                "The same row as in rl-feedback's table."),
};

static enum status find_databases(struct ctl *ctl, struct databases *d, struct reason *reason)
{
    const struct config_table table = {keys, 2, d};
    const char *said = args_get(&ctl->args, "--feedback-db");
    enum status status = config_load_some(&ctl->arena, &table, ctl->config_path, reason);

    for (size_t i = 0; i < DATABASES; i++)
        d->paths[i] = arena_printf(&ctl->arena, "%s/rl/%s.db", ctl->config.data_dir, names[i]);
    if (status == STATUS_OK && (said || d->feedback[0]))
        d->paths[0] = said ? said : d->feedback;
    if (status == STATUS_OK)
        d->prior_path = d->prior[0] ? d->prior : prior_file_place(ctl->config.data_dir, &ctl->arena);
    return status;
}

static const char *in_folder(struct ctl *ctl, const char *folder, size_t i)
{
    return arena_printf(&ctl->arena, "%s/%s.db", folder, names[i]);
}

static const char *prior_in(struct ctl *ctl, const char *folder)
{
    return arena_printf(&ctl->arena, "%s/bandit_prior.yaml", folder);
}

static const char *key_file(struct ctl *ctl)
{
    const char *own = ctl->config.pseudonym_key_file;

    return own[0] ? own : arena_printf(&ctl->arena, "%s/secrets/pseudonym.keys", ctl->config.data_dir);
}

static enum status copy_keys(const char *from, const char *to, struct reason *reason)
{
    char text[KEYS_LIMIT];
    FILE *f = fopen(from, "re");

    if (!f)
        return reason_fail(reason, STATUS_STORE, "", "%s: %s", from, strerror(errno));
    setvbuf(f, NULL, _IONBF, 0);
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    enum status status = atomic_file_write(to, text, n, 0600, reason);
    explicit_bzero(text, sizeof text);
    return status;
}

struct text {
    char *data;
    size_t size;
};

/* A file that may be absent: data NULL. */
static enum status read_prior(struct ctl *ctl, const char *path, struct text *ret, struct reason *reason)
{
    struct text text = {.data = arena_alloc(&ctl->arena, PRIOR_LIMIT)};
    FILE *f = fopen(path, "re");

    *ret = (struct text){0};
    if (!f)
        return errno == ENOENT ? STATUS_OK : reason_fail(reason, STATUS_STORE, "", "%s: %s", path, strerror(errno));
    text.size = fread(text.data, 1, PRIOR_LIMIT, f);
    bool ok = !ferror(f) && text.size < PRIOR_LIMIT;
    fclose(f);
    if (!ok)
        return reason_fail(reason, STATUS_STORE, "", "%s: cannot be read, or is larger than %d bytes", path, PRIOR_LIMIT);
    *ret = text;
    return STATUS_OK;
}

/* ---- backup ---------------------------------------------------------------------------------------------------------------- */

/* What the bandit believed before the first call is in no database. */
static enum status back_up_prior(struct ctl *ctl, const struct databases *d, const char *folder, struct reason *reason)
{
    const char *to = prior_in(ctl, folder);
    struct text text;
    enum status status = read_prior(ctl, d->prior_path, &text, reason);

    if (status == STATUS_OK && !text.data && d->prior[0])
        printf("warning: %s (bandit.prior_path) is not there, so it is not in this backup\n", d->prior_path);
    if (status != STATUS_OK || !text.data)
        return status;
    status = atomic_file_write(to, text.data, text.size, 0600, reason);
    if (status == STATUS_OK)
        printf("%s\n", to);
    return status;
}

static enum status back_up(struct ctl *ctl, const struct databases *d, const char *folder, struct reason *reason)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < DATABASES && status == STATUS_OK; i++) {
        const char *to = in_folder(ctl, folder, i);
        status = store_copy(d->paths[i], to, reason);
        if (status == STATUS_OK)
            printf("%s\n", to);
    }
    if (status == STATUS_OK)
        status = back_up_prior(ctl, d, folder, reason);
    if (status != STATUS_OK || !args_get(&ctl->args, "--keys"))
        return status;
    const char *to = arena_printf(&ctl->arena, "%s/pseudonym.keys", folder);
    status = copy_keys(key_file(ctl), to, reason);
    if (status == STATUS_OK)
        printf("%s\nwarning: with these keys the pseudonyms in this copy can be tied to call ids,"
               " and a key that is destroyed later lives on here\n", to);
    return status;
}

int verb_backup(struct ctl *ctl)
{
    const char *folder = ctl->args.words[0];
    struct databases d;
    struct reason reason = {0};
    enum status status = find_databases(ctl, &d, &reason);

    if (status != STATUS_OK)
        return ctl_fail(ctl, status, &reason);
    umask(077);
    if (mkdir(folder, 0700) != 0)
        return ctl_usage(folder, errno == EEXIST ? "is there already; a backup goes into a folder of its own" : strerror(errno));
    status = back_up(ctl, &d, folder, &reason);
    if (status != STATUS_OK)
        return ctl_fail(ctl, status, &reason);
    if (!args_get(&ctl->args, "--keys"))
        puts("the pseudonym keys are not in it (--keys takes them along): keep a copy of them elsewhere,"
             " or calls cannot be looked up after a loss");
    return EXIT_OK;
}

/* ---- restore --------------------------------------------------------------------------------------------------------------- */

/* Held until the process ends, so that nobody starts meanwhile. */
static enum status lock_out(struct ctl *ctl, size_t i, struct reason *reason)
{
    const char *path = arena_printf(&ctl->arena, "%s/run/rl-%s.pid", ctl->config.data_dir, names[i]);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

    if (fd < 0 && errno != ENOENT) /* no folder: it never ran */
        return reason_fail(reason, STATUS_STORE, "", "%s: %s", path, strerror(errno));
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0)
        return reason_fail(reason, STATUS_LOCKED, "", "rl-%s runs (%s); stop it first: ./rl down", names[i], path);
    return STATUS_OK;
}

static const char *restored(struct ctl *ctl, const struct databases *d, size_t i)
{
    return arena_printf(&ctl->arena, "%s.restored", d->paths[i]);
}

/* From today's databases, and from any later backup that was named.  Today's may be damaged: that is why one restores. */
static enum status take_tombstones(struct ctl *ctl, const struct databases *d, const char *into, int64_t *ret_taken,
                                   struct reason *reason)
{
    const char *also = args_get(&ctl->args, "--also");
    enum status status = STATUS_OK;

    for (size_t i = 0; i < 2 && status == STATUS_OK; i++) {
        if (access(d->paths[i], F_OK) == 0)
            status = store_merge_tombstones(into, d->paths[i], ret_taken, reason);
        if (status == STATUS_CORRUPT)
            printf("warning: %s\nwhat was erased since the backup is known from the other database only,"
                   " or from a later backup (--also)\n", reason->text);
        if (status == STATUS_CORRUPT)
            status = STATUS_OK;
        if (status == STATUS_OK && also)
            status = store_merge_tombstones(into, in_folder(ctl, also, i), ret_taken, reason);
    }
    return status;
}

static enum status prepare(struct ctl *ctl, const struct databases *d, const char *from, size_t i, struct reason *reason)
{
    const char *fresh = restored(ctl, d, i);
    int64_t taken = 0;

    unlink(fresh);
    enum status status = store_copy(from, fresh, reason);
    if (status == STATUS_OK && i < 2)
        status = take_tombstones(ctl, d, fresh, &taken, reason);
    if (status == STATUS_OK)
        printf("%s: %lld calls were erased since this backup\n", names[i], (long long)taken);
    return status;
}

/* Root restores what others run. */
static bool give_to_owner(const char *fresh, const char *folder)
{
    struct stat st;

    return geteuid() != 0 || (stat(folder, &st) == 0 && chown(fresh, st.st_uid, st.st_gid) == 0);
}

/* Whoever closes a database last leaves no log behind; one that is there belongs to a file that cannot be read. */
static enum status put_in_place(const char *fresh, const char *path, struct ctl *ctl, struct reason *reason)
{
    unlink(arena_printf(&ctl->arena, "%s-wal", path));
    unlink(arena_printf(&ctl->arena, "%s-shm", path));
    const char *parent = dirname(arena_str(&ctl->arena, path));
    if (!give_to_owner(fresh, parent) || rename(fresh, path) != 0)
        return reason_fail(reason, STATUS_STORE, "", "%s: %s", path, strerror(errno));
    int folder = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = folder >= 0 && fsync(folder) == 0;
    if (folder >= 0)
        close(folder);
    return ok ? STATUS_OK : reason_fail(reason, STATUS_STORE, "", "%s: %s", path, strerror(errno));
}

/* A prior that is there is a setting of today, and stays. */
static enum status restore_prior(struct ctl *ctl, const struct databases *d, const char *folder, struct reason *reason)
{
    const char *from = prior_in(ctl, folder);
    struct text kept, there;
    enum status status = read_prior(ctl, from, &kept, reason);

    if (status == STATUS_OK)
        status = read_prior(ctl, d->prior_path, &there, reason);
    if (status != STATUS_OK || !kept.data)
        return status;
    if (there.data) {
        if (there.size != kept.size || memcmp(there.data, kept.data, kept.size) != 0)
            printf("%s stays as it is; the prior in the backup is another one: %s\n", d->prior_path, from);
        return STATUS_OK;
    }
    status = atomic_file_write(d->prior_path, kept.data, kept.size, 0644, reason);
    if (status == STATUS_OK &&
        (chmod(d->prior_path, 0644) != 0 || !give_to_owner(d->prior_path, dirname(arena_str(&ctl->arena, d->prior_path)))))
        return reason_fail(reason, STATUS_STORE, "", "%s: %s", d->prior_path, strerror(errno));
    if (status == STATUS_OK)
        printf("%s: what the bandit believes before the first call\n", d->prior_path);
    return status;
}

static enum status restore(struct ctl *ctl, const struct databases *d, const char *folder, struct reason *reason)
{
    const char *secrets = arena_printf(&ctl->arena, "%s/pseudonym.keys", folder);
    enum status status = STATUS_OK;

    for (size_t i = 0; i < DATABASES && status == STATUS_OK; i++)
        status = lock_out(ctl, i, reason);
    for (size_t i = 0; i < DATABASES && status == STATUS_OK; i++)
        status = prepare(ctl, d, in_folder(ctl, folder, i), i, reason);
    for (size_t i = 0; i < DATABASES && status == STATUS_OK; i++) /* nothing has changed until here */
        status = put_in_place(restored(ctl, d, i), d->paths[i], ctl, reason);
    if (status == STATUS_OK)
        status = restore_prior(ctl, d, folder, reason);
    if (status != STATUS_OK || access(secrets, F_OK) != 0)
        return status;
    if (access(key_file(ctl), F_OK) == 0) {
        puts("the keys in the backup were left there: there is a key file, and what was destroyed since must not come back");
        return STATUS_OK;
    }
    return copy_keys(secrets, key_file(ctl), reason);
}

int verb_restore(struct ctl *ctl)
{
    struct databases d;
    struct reason reason = {0};
    enum status status = find_databases(ctl, &d, &reason);

    umask(077);
    mkdir(ctl->config.data_dir, 0750); /* a failure shows in the next steps */
    mkdir(arena_printf(&ctl->arena, "%s/rl", ctl->config.data_dir), 0750);
    if (status == STATUS_OK)
        status = restore(ctl, &d, ctl->args.words[0], &reason);
    if (status != STATUS_OK)
        return ctl_fail(ctl, status, &reason);
    puts("restored; start the services: they take from the streams what came after the backup (CALLS keeps 72 hours,"
         " the others 14 days)");
    return EXIT_OK;
}
