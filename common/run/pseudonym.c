/* SPDX-License-Identifier: Apache-2.0 */
/* pseudonym.c - the key ring, and HMAC-SHA256 from libcrypto with one prepared context per key. */
#include "pseudonym.h"

#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"

enum { SECRET_BYTES = 32, KEY_ID_SIZE = 17 };

/* Which file it was. */
struct key_file {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct keyring {
    size_t count;
    struct key_file file;
    struct {
        char id[KEY_ID_SIZE];
        int64_t made;
        EVP_MAC_CTX *mac;
    } keys[MAX_KEYS];
};

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

static bool hex_parse(const char *text, uint8_t *ret, size_t size)
{
    if (strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < 2 * size; i++)
        if (hex_digit(text[i]) < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        ret[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    return true;
}

/* A context that holds the key; each use starts it again without one. */
static EVP_MAC_CTX *mac_new(const uint8_t secret[static SECRET_BYTES])
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

    EVP_MAC_free(mac);
    if (!ctx || !EVP_MAC_init(ctx, secret, SECRET_BYTES, params))
        abort();
    return ctx;
}

static bool key_id_valid(const char *id)
{
    return *id && strlen(id) < KEY_ID_SIZE && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(id);
}

static bool is_seconds(const char *text) { return strspn(text, "0123456789") == strlen(text) && strlen(text) <= 12; }

/* One line; `why` is NULL when it is fine. */
static void keyring_add(struct keyring *ring, char *line, const char **why)
{
    uint8_t secret[SECRET_BYTES];
    char *save, *id = strtok_r(line, " \t\r\n", &save), *hex = strtok_r(NULL, " \t\r\n", &save),
         *made = strtok_r(NULL, " \t\r\n", &save);

    *why = NULL;
    if (!id || *id == '#')
        return;
    if (!key_id_valid(id))
        *why = "a key id has 1 to 16 of a-z 0-9 _ -";
    else if (!hex || !hex_parse(hex, secret, sizeof secret) || (made && !is_seconds(made)) ||
             (made && strtok_r(NULL, " \t\r\n", &save)))
        *why = "want \"<key id> <64 lower-case hex digits> [unix seconds]\"";
    else if (ring->count == MAX_KEYS)
        *why = "more than 16 keys";
    for (size_t i = 0; !*why && i < ring->count; i++)
        if (strcmp(ring->keys[i].id, id) == 0)
            *why = "this key id was used in an earlier line";
    if (*why)
        return;
    memcpy(ring->keys[ring->count].id, id, strlen(id));
    ring->keys[ring->count].made = made ? strtoll(made, NULL, 10) : 0;
    ring->keys[ring->count++].mac = mac_new(secret);
    OPENSSL_cleanse(secret, sizeof secret);
}

static struct key_file file_of(const struct stat *st)
{
    /* st_ctim: owner and mode, too */
    return (struct key_file){.device = st->st_dev, .inode = st->st_ino, .size = st->st_size, .changed = st->st_ctim};
}

static enum status read_keys(struct keyring *ring, FILE *in, const char *path, struct reason *reason)
{
    char line[256];
    const char *why = NULL;
    struct stat st;
    int number = 0;

    if (fstat(fileno(in), &st) != 0)
        return reason_fail(reason, STATUS_CONFIG, "rl.pseudonym_key_file", "%s: %s", path, strerror(errno));
    if (st.st_mode & 07777 & ~0640U)
        return reason_fail(reason, STATUS_CONFIG, "rl.pseudonym_key_file", "%s: mode %04o lets others in, want 0600 (chmod 600)",
                           path, (unsigned)st.st_mode & 07777);
    while (!why && fgets(line, sizeof line, in)) {
        number++;
        keyring_add(ring, line, &why);
    }
    OPENSSL_cleanse(line, sizeof line);
    if (why)
        return reason_fail(reason, STATUS_CONFIG, "rl.pseudonym_key_file", "%s:%d: %s", path, number, why);
    if (!ring->count)
        return reason_fail(reason, STATUS_CONFIG, "rl.pseudonym_key_file", "%s:1: holds no key", path);
    ring->file = file_of(&st);
    return STATUS_OK;
}

enum status keyring_load(const char *path, struct keyring **ret, struct reason *reason)
{
    FILE *in = fopen(path, "re");
    struct keyring *ring;
    enum status status;

    if (!in)
        return reason_fail(reason, STATUS_CONFIG, "rl.pseudonym_key_file", "%s: %s", path, strerror(errno));
    setvbuf(in, NULL, _IONBF, 0); /* no copy of a secret in a buffer that is freed */
    ring = xcalloc(1, sizeof *ring);
    status = read_keys(ring, in, path, reason);
    fclose(in);
    if (status == STATUS_OK)
        *ret = ring;
    else
        keyring_free(ring);
    return status;
}

struct keyring *keyring_free(struct keyring *ring)
{
    for (size_t i = 0; ring && i < ring->count; i++)
        EVP_MAC_CTX_free(ring->keys[i].mac);
    free(ring);
    return NULL;
}

const char *keyring_id(const struct keyring *ring, size_t i) { return i < ring->count ? ring->keys[i].id : NULL; }
int64_t keyring_made(const struct keyring *ring, size_t i) { return i < ring->count ? ring->keys[i].made : 0; }

static bool same_file(const struct key_file *a, const struct key_file *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec
           && a->changed.tv_nsec == b->changed.tv_nsec;
}

enum status keyring_refresh(struct keyring **ring, const char *path, int64_t made_until, bool *ret_changed, struct reason *reason)
{
    struct keyring *fresh = NULL;
    struct stat st;

    *ret_changed = false;
    if (stat(path, &st) != 0) /* nobody needs the file while it is away */
        return STATUS_OK;
    struct key_file file = file_of(&st);
    if (same_file(&file, &(*ring)->file))
        return STATUS_OK;
    enum status status = keyring_load(path, &fresh, reason);
    if (status != STATUS_OK) {
        (*ring)->file = file; /* said once */
        return status;
    }
    *ret_changed = keyring_made(fresh, 0) <= made_until;
    keyring_free(*ret_changed ? *ring : fresh);
    *ring = *ret_changed ? fresh : *ring;
    return STATUS_OK;
}

void pseudonym(struct keyring *ring, size_t i, const char *domain, const char *id, uint8_t ret_key[static CALL_KEY_BYTES])
{
    uint8_t full[SECRET_BYTES];
    size_t size = 0;

    assert(i < ring->count);
    EVP_MAC_CTX *mac = ring->keys[i].mac;
    if (!EVP_MAC_init(mac, NULL, 0, NULL) || !EVP_MAC_update(mac, (const uint8_t *)domain, strlen(domain) + 1) ||
        !EVP_MAC_update(mac, (const uint8_t *)id, strlen(id)) || !EVP_MAC_final(mac, full, &size, sizeof full))
        abort();
    assert(size == sizeof full);
    memcpy(ret_key, full, CALL_KEY_BYTES);
}

double pseudonym_uniform(const uint8_t key[static CALL_KEY_BYTES])
{
    uint64_t bits = 0;

    for (int i = 0; i < 8; i++)
        bits = bits << 8 | key[i];
    return (double)(bits >> 11) * 0x1p-53;
}

void call_key_text(const uint8_t key[static CALL_KEY_BYTES], char ret_text[static CALL_KEY_TEXT])
{
    for (size_t i = 0; i < CALL_KEY_BYTES; i++) {
        ret_text[2 * i] = "0123456789abcdef"[key[i] >> 4];
        ret_text[2 * i + 1] = "0123456789abcdef"[key[i] & 15];
    }
    ret_text[CALL_KEY_TEXT - 1] = '\0';
}

bool call_key_parse(const char *text, uint8_t ret_key[static CALL_KEY_BYTES]) { return hex_parse(text, ret_key, CALL_KEY_BYTES); }
