/* SPDX-License-Identifier: Apache-2.0 */
/* pseudonym.c - the key ring, and HMAC-SHA256 with its two inner states computed once per key. */
#include "pseudonym.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arena.h"

enum { SECRET_BYTES = 32, BLOCK_BYTES = 64, MAX_KEYS = 16, KEY_ID_SIZE = 16 };

struct ring_key {
    char id[KEY_ID_SIZE];
    EVP_MD_CTX *inner, *outer; /* after the first block: RFC 2104, section 4 */
};

struct keyring {
    struct ring_key keys[MAX_KEYS];
    size_t count;
    EVP_MD_CTX *work;
};

static EVP_MD_CTX *padded(const uint8_t *secret, uint8_t pad)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    uint8_t block[BLOCK_BYTES];

    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = (uint8_t)((i < SECRET_BYTES ? secret[i] : 0) ^ pad);
    if (!c || !EVP_DigestInit_ex(c, EVP_sha256(), NULL) || !EVP_DigestUpdate(c, block, sizeof block))
        abort();
    OPENSSL_cleanse(block, sizeof block);
    return c;
}

static bool parse_hex(const char *text, size_t bytes, uint8_t *ret)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned value;
        if (!isxdigit((unsigned char)text[2 * i]) || !isxdigit((unsigned char)text[2 * i + 1]) || sscanf(text + 2 * i, "%2x", &value) != 1)
            return false;
        ret[i] = (uint8_t)value;
    }
    return true;
}

static bool add_line(struct keyring *ring, char *line)
{
    char *space = strchr(line, ' ');
    uint8_t secret[SECRET_BYTES];

    if (!space || space == line || space - line >= KEY_ID_SIZE || ring->count == MAX_KEYS || strlen(space + 1) != 2 * SECRET_BYTES
        || !parse_hex(space + 1, SECRET_BYTES, secret))
        return false;
    struct ring_key *k = &ring->keys[ring->count++];
    *space = '\0';
    memcpy(k->id, line, (size_t)(space - line) + 1);
    k->inner = padded(secret, 0x36);
    k->outer = padded(secret, 0x5c);
    OPENSSL_cleanse(secret, sizeof secret);
    return true;
}

static enum status read_lines(struct keyring *ring, FILE *f, const char *path, struct reason *reason)
{
    static const char key[] = "rl.pseudonym_key_file";
    char line[256];

    for (int number = 1; fgets(line, sizeof line, f); number++) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] && line[0] != '#' && !add_line(ring, line))
            return reason_fail(reason, STATUS_CONFIG, key, "%s:%d: expected \"<key id> <64 hex digits>\", at most %d keys", path, number, MAX_KEYS);
    }
    return ring->count ? STATUS_OK : reason_fail(reason, STATUS_CONFIG, key, "%s: holds no key", path);
}

enum status keyring_load(const char *path, struct keyring **ret, struct reason *reason)
{
    static const char key[] = "rl.pseudonym_key_file";
    struct stat st;
    FILE *f = fopen(path, "re");

    if (!f || fstat(fileno(f), &st) != 0) {
        if (f)
            fclose(f);
        return reason_fail(reason, STATUS_CONFIG, key, "%s: %s (rl-init keys makes it)", path, strerror(errno));
    }
    if (st.st_mode & 0027) {
        fclose(f);
        return reason_fail(reason, STATUS_CONFIG, key, "%s: others may read it (mode %04o); chmod 0600", path, (unsigned)st.st_mode & 07777);
    }
    struct keyring *ring = xcalloc(1, sizeof *ring);
    ring->work = EVP_MD_CTX_new();
    enum status status = read_lines(ring, f, path, reason);
    fclose(f);
    if (status == STATUS_OK)
        *ret = ring;
    else
        keyring_free(ring);
    return status;
}

struct keyring *keyring_free(struct keyring *ring)
{
    if (!ring)
        return NULL;
    for (size_t i = 0; i < ring->count; i++) {
        EVP_MD_CTX_free(ring->keys[i].inner);
        EVP_MD_CTX_free(ring->keys[i].outer);
    }
    EVP_MD_CTX_free(ring->work);
    free(ring);
    return NULL;
}

const char *keyring_id(const struct keyring *ring, size_t i) { return i < ring->count ? ring->keys[i].id : NULL; }

void pseudonym(struct keyring *ring, size_t i, const char *domain, const char *id, uint8_t ret_key[static CALL_KEY_BYTES])
{
    const struct ring_key *k = &ring->keys[i];
    uint8_t hash[32];

    if (!EVP_MD_CTX_copy_ex(ring->work, k->inner) || !EVP_DigestUpdate(ring->work, domain, strlen(domain) + 1)
        || !EVP_DigestUpdate(ring->work, id, strlen(id)) || !EVP_DigestFinal_ex(ring->work, hash, NULL)
        || !EVP_MD_CTX_copy_ex(ring->work, k->outer) || !EVP_DigestUpdate(ring->work, hash, sizeof hash)
        || !EVP_DigestFinal_ex(ring->work, hash, NULL))
        abort();
    memcpy(ret_key, hash, CALL_KEY_BYTES);
}

double pseudonym_uniform(const uint8_t key[static CALL_KEY_BYTES])
{
    uint64_t bits = 0;

    for (size_t i = 0; i < 8; i++)
        bits = bits << 8 | key[i];
    return (double)(bits >> 11) * 0x1p-53;
}

void call_key_text(const uint8_t key[static CALL_KEY_BYTES], char ret_text[static CALL_KEY_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < CALL_KEY_BYTES; i++) {
        ret_text[2 * i] = digits[key[i] >> 4];
        ret_text[2 * i + 1] = digits[key[i] & 15];
    }
    ret_text[2 * CALL_KEY_BYTES] = '\0';
}

static int digit_of(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

bool call_key_parse(const char *text, uint8_t ret_key[static CALL_KEY_BYTES])
{
    if (strlen(text) != 2 * CALL_KEY_BYTES)
        return false;
    for (size_t i = 0; i < CALL_KEY_BYTES; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_key[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
