/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - the pseudonym keys: list, rotate, prune.  Works on the key file; running services see within
 * seconds that it has changed.
 *
 * A key that is gone is crypto-shredding: what was stored under it can be tied to no call id any more, by nobody, in no copy.  So
 * prune destroys a key when no call that was stored under it is within its retention and amendment window. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "atomic_file.h"
#include "pseudonym.h"
#include "rlctl.h"

enum { FILE_LIMIT = 8192, SECRET_BYTES = 32, DAY_S = 86400 };

struct key_line {
    char *text; /* whole, without the newline */
    const char *id;
    int64_t made, retired; /* unix seconds; 0: unknown; retired 0: it is the current one */
};

struct key_file {
    const char *path;
    struct keyring *ring;
    char text[FILE_LIMIT];
    struct key_line lines[MAX_KEYS];
    size_t count;
};

/* ---- the file -------------------------------------------------------------------------------------------------------------- */

static enum status read_file(struct key_file *k, struct reason *reason)
{
    FILE *f = fopen(k->path, "re");
    char *rest = k->text;

    if (!f)
        return reason_fail(reason, STATUS_CONFIG, "", "%s: %s", k->path, strerror(errno));
    setvbuf(f, NULL, _IONBF, 0);
    size_t n = fread(k->text, 1, sizeof k->text - 1, f);
    fclose(f);
    k->text[n] = '\0';
    for (char *line; (line = strsep(&rest, "\r\n")) && k->count < MAX_KEYS;)
        if (line[strspn(line, " \t")] && line[strspn(line, " \t")] != '#')
            k->lines[k->count++].text = line;
    return STATUS_OK;
}

/* The ring says what a line means; both come from the same file. */
static enum status open_keys(struct ctl *ctl, struct key_file *k, struct reason *reason)
{
    const char *own = ctl->config.pseudonym_key_file;

    *k = (struct key_file){.path = own[0] ? own : arena_printf(&ctl->arena, "%s/secrets/pseudonym.keys", ctl->config.data_dir)};
    enum status status = keyring_load(k->path, &k->ring, reason);
    if (status == STATUS_OK)
        status = read_file(k, reason);
    for (size_t i = 0; status == STATUS_OK && i < k->count; i++) {
        k->lines[i].id = keyring_id(k->ring, i);
        k->lines[i].made = keyring_made(k->ring, i);
        k->lines[i].retired = i ? keyring_made(k->ring, i - 1) : 0;
    }
    return status;
}

static void close_keys(struct key_file *k)
{
    keyring_free(k->ring);
    explicit_bzero(k, sizeof *k);
}

/* The new file takes the place of the old one, whose bytes are then overwritten where they lie. */
static enum status replace(const struct key_file *k, const char *text, struct reason *reason)
{
    static const char zeros[FILE_LIMIT];
    int old = open(k->path, O_WRONLY | O_CLOEXEC);
    struct stat st;
    enum status status = old >= 0 && fstat(old, &st) == 0
                             ? atomic_file_write(k->path, text, strlen(text), st.st_mode & 0777, reason)
                             : reason_fail(reason, STATUS_STORE, "", "%s: %s", k->path, strerror(errno));

    if (status == STATUS_OK && geteuid() == 0 && chown(k->path, st.st_uid, st.st_gid) != 0)
        status = reason_fail(reason, STATUS_STORE, "", "%s: %s", k->path, strerror(errno));
    if (status == STATUS_OK && (pwrite(old, zeros, (size_t)st.st_size, 0) != st.st_size || fsync(old) != 0))
        status = reason_fail(reason, STATUS_STORE, "", "%s: the old file could not be overwritten: %s", k->path, strerror(errno));
    if (old >= 0)
        close(old);
    return status;
}

/* ---- list ------------------------------------------------------------------------------------------------------------------ */

static const char *date(struct ctl *ctl, int64_t seconds)
{
    time_t t = seconds;
    struct tm tm;
    char text[24];

    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm);
    return seconds ? arena_str(&ctl->arena, text) : "unknown";
}

static int list(struct ctl *ctl, const struct key_file *k)
{
    for (size_t i = 0; i < k->count; i++) {
        const struct key_line *l = &k->lines[i];
        if (ctl->args.json)
            printf("{\"id\":\"%s\",\"made\":%lld,\"retired\":%lld,\"current\":%s}\n", l->id, (long long)l->made,
                   (long long)l->retired, i ? "false" : "true");
        else
            printf("%-16s made %-17s %s%s\n", l->id, date(ctl, l->made), i ? "for looking up since " : "writes",
                   i ? date(ctl, l->retired) : "");
    }
    return EXIT_OK;
}

/* ---- rotate ---------------------------------------------------------------------------------------------------------------- */

static int next_number(const struct key_file *k)
{
    int highest = 0;

    for (size_t i = 0; i < k->count; i++)
        if (k->lines[i].id[0] == 'k' && atoi(k->lines[i].id + 1) > highest)
            highest = atoi(k->lines[i].id + 1);
    return highest + 1;
}

static int rotate(struct ctl *ctl, const struct key_file *k, struct reason *reason)
{
    char text[FILE_LIMIT + 256], hex[2 * SECRET_BYTES + 1];
    uint8_t secret[SECRET_BYTES];

    if (k->count == MAX_KEYS)
        return ctl_usage("keys", "16 keys is all there is room for; rlctl keys prune destroys those that are past retention");
    if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret)
        return ctl_usage("getrandom", strerror(errno));
    for (size_t i = 0; i < sizeof secret; i++)
        snprintf(hex + 2 * i, 3, "%02x", secret[i]);
    int number = next_number(k), n = snprintf(text, sizeof text, "k%d %s %lld\n", number, hex, (long long)time(NULL));
    for (size_t i = 0; i < k->count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s\n", k->lines[i].text);
    enum status status = replace(k, text, reason);
    explicit_bzero(text, sizeof text);
    explicit_bzero(hex, sizeof hex);
    explicit_bzero(secret, sizeof secret);
    if (status != STATUS_OK)
        return ctl_fail(ctl, status, reason);
    printf("k%d writes now, %zu for looking up; feedback and router take it within 15 s\n", number, k->count);
    return EXIT_OK;
}

/* ---- prune ----------------------------------------------------------------------------------------------------------------- */

/* What was written with a key last is kept for so long, and may be amended for so long after that. */
static int days_kept(struct ctl *ctl, int64_t *ret)
{
    FeedbackStatsRequest request = TOM__RL__V1__FEEDBACK_STATS_REQUEST__INIT;
    const char *told = args_get(&ctl->args, "--days");
    const void *reply;
    bool json = ctl->args.json;

    *ret = told ? atol(told) : 0;
    if (*ret > 0)
        return EXIT_OK;
    ctl->args.json = false;
    int code = ctl_ask(ctl, SUBJECT_FEEDBACK_STATS, &request, &reply);
    ctl->args.json = json;
    if (code != EXIT_OK)
        return code;
    *ret = ((const FeedbackStatsReply *)reply)->retention_days + ((const FeedbackStatsReply *)reply)->amendment_window_days;
    return *ret > 0 ? EXIT_OK : ctl_usage("--days", "feedback does not say how long it keeps calls; say it yourself");
}

static int prune(struct ctl *ctl, const struct key_file *k, struct reason *reason)
{
    char text[FILE_LIMIT] = "";
    size_t n = 0, gone = 0;
    int64_t days, now = time(NULL);
    int code = days_kept(ctl, &days);

    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < k->count; i++) {
        const struct key_line *l = &k->lines[i];
        if (i && l->retired && now - l->retired > days * DAY_S) {
            printf("%s destroyed: nothing that was stored under it can be tied to a call any more\n", l->id);
            gone++;
            continue;
        }
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\n", l->text);
    }
    enum status status = gone ? replace(k, text, reason) : STATUS_OK;
    explicit_bzero(text, sizeof text);
    if (!gone)
        printf("no key is older than %lld days after the one that followed it\n", (long long)days);
    return status == STATUS_OK ? EXIT_OK : ctl_fail(ctl, status, reason);
}

int verb_keys(struct ctl *ctl)
{
    const char *what = ctl->args.words[0];
    struct reason reason = {0};
    struct key_file k;
    int code = EXIT_USAGE;
    enum status status = open_keys(ctl, &k, &reason);

    if (status != STATUS_OK)
        code = ctl_fail(ctl, status, &reason);
    else if (strcmp(what, "list") == 0)
        code = list(ctl, &k);
    else if (strcmp(what, "rotate") == 0)
        code = rotate(ctl, &k, &reason);
    else if (strcmp(what, "prune") == 0)
        code = prune(ctl, &k, &reason);
    else
        code = ctl_usage("keys", "there is: list, rotate, prune");
    close_keys(&k);
    return code;
}
