/* SPDX-License-Identifier: Apache-2.0 */
/* pseudonym.c - the vectors were computed with Python: hmac.new(key, b"rl/call/v1\0call-1", "sha256").hexdigest()[:32]. */
#include "pseudonym.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "test.h"

#define KEY_1 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_2 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static enum status load(const char *text, mode_t mode, struct keyring **ret, struct reason *reason)
{
    char path[300];

    snprintf(path, sizeof path, "%s/pseudonym.keys", test_dir());
    FILE *out = fopen(path, "w");
    fputs(text, out);
    fclose(out);
    chmod(path, mode);
    return keyring_load(path, ret, reason);
}

TEST(unit_pseudonym, known_vectors_under_both_keys_of_a_ring)
{
    struct keyring *ring = NULL;
    struct reason reason = {0};
    uint8_t key[CALL_KEY_BYTES], back[CALL_KEY_BYTES];
    char text[CALL_KEY_TEXT];

    CHECK_INT(load("# newest first\nk2 " KEY_2 "\nk1 " KEY_1 "\n", 0600, &ring, &reason), STATUS_OK);
    CHECK_STR(reason.text, "");
    if (!ring)
        return;
    CHECK_STR(keyring_id(ring, 0), "k2");
    CHECK_STR(keyring_id(ring, 1), "k1");
    CHECK(!keyring_id(ring, 2));
    for (int again = 0; again < 2; again++) {
        pseudonym(ring, 1, DOMAIN_CALL, "call-1", key);
        call_key_text(key, text);
        CHECK_STR(text, "4107c1ef7abb66f1e828c59d772d5741");
        pseudonym(ring, 0, DOMAIN_CALL, "call-1", key);
        call_key_text(key, text);
        CHECK_STR(text, "25d217318a94d145d3a7a97c001305fc");
    }
    CHECK(call_key_parse(text, back) && memcmp(key, back, sizeof key) == 0);
    keyring_free(ring);
}

TEST(unit_pseudonym, domains_and_ids_never_meet)
{
    struct keyring *ring = NULL;
    struct reason reason = {0};
    uint8_t call[CALL_KEY_BYTES], draw[CALL_KEY_BYTES], other[CALL_KEY_BYTES];
    char text[CALL_KEY_TEXT];

    CHECK_INT(load("k1 " KEY_1 "\n", 0640, &ring, &reason), STATUS_OK);
    pseudonym(ring, 0, DOMAIN_CALL, "0123456789abcdef0123456789abcdef", call);
    pseudonym(ring, 0, DOMAIN_DRAW, "0123456789abcdef0123456789abcdef", draw);
    pseudonym(ring, 0, DOMAIN_CALL, "0123456789abcdef0123456789abcdee", other);
    CHECK(memcmp(call, draw, sizeof call) != 0);
    CHECK(memcmp(call, other, sizeof call) != 0);
    call_key_text(call, text);
    CHECK(strcmp(text, "0123456789abcdef0123456789abcdef") != 0);
    keyring_free(ring);
}

TEST(unit_pseudonym, files_that_are_open_to_others_or_broken_are_refused)
{
    static const struct { const char *text; mode_t mode; const char *says; } cases[] = {
        {"k1 " KEY_1 "\n", 0644, "pseudonym.keys: mode 0644 lets others in, want 0600 (chmod 600)"},
        {"k1 " KEY_1 "\n", 0660, "pseudonym.keys: mode 0660 lets others in, want 0600 (chmod 600)"},
        {"", 0600, "pseudonym.keys:1: holds no key"},
        {"# x\nk1 abcd\n", 0600, "pseudonym.keys:2: want \"<key id> <64 lower-case hex digits> [unix seconds]\""},
        {"k1 " KEY_1 "00\n", 0600, "pseudonym.keys:1: want \"<key id> <64 lower-case hex digits> [unix seconds]\""},
        {"K1 " KEY_1 "\n", 0600, "pseudonym.keys:1: a key id has 1 to 16 of a-z 0-9 _ -"},
        {"k1 " KEY_1 "\nk1 " KEY_2 "\n", 0600, "pseudonym.keys:2: this key id was used in an earlier line"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keyring *ring = NULL;
        struct reason reason = {0};
        CHECK_INT(load(cases[i].text, cases[i].mode, &ring, &reason), STATUS_CONFIG);
        CHECK_STR(strstr(reason.text, "pseudonym.keys"), cases[i].says);
        CHECK(!strstr(reason.text, "0001020304"));
        CHECK(!ring);
    }
}

TEST(unit_pseudonym, the_uniform_number_is_made_of_the_first_53_bits)
{
    uint8_t key[CALL_KEY_BYTES] = {0};

    CHECK_NEAR(pseudonym_uniform(key), 0, 0);
    key[0] = 0x80;
    CHECK_NEAR(pseudonym_uniform(key), 0.5, 0);
    memset(key, 0xff, sizeof key);
    CHECK_NEAR(pseudonym_uniform(key), 1 - 0x1p-53, 0);
    CHECK(pseudonym_uniform(key) < 1);
}

TEST(unit_pseudonym, only_32_lower_case_hex_digits_are_a_key)
{
    uint8_t key[CALL_KEY_BYTES] = {7};

    CHECK(!call_key_parse("0123456789ABCDEF0123456789abcdef", key));
    CHECK(!call_key_parse("0123456789abcdef0123456789abcde", key));
    CHECK(!call_key_parse("0123456789abcdef0123456789abcdef0", key));
    CHECK(!call_key_parse("", key));
    CHECK_INT(key[0], 7);
}

TEST(unit_pseudonym, a_changed_file_is_read_again_when_its_first_key_is_old_enough)
{
    struct keyring *ring = NULL;
    struct reason reason = {0};
    bool changed;
    char path[300];

    CHECK_INT(load("k1 " KEY_1 " 100\n", 0600, &ring, &reason), STATUS_OK);
    snprintf(path, sizeof path, "%s/pseudonym.keys", test_dir());
    CHECK_INT(keyring_made(ring, 0), 100);
    CHECK_INT(keyring_refresh(&ring, path, 1000, &changed, &reason), STATUS_OK);
    CHECK(!changed);
    struct keyring *other = NULL;
    CHECK_INT(load("k2 " KEY_2 " 200\nk1 " KEY_1 " 100\n", 0600, &other, &reason), STATUS_OK);
    other = keyring_free(other);
    CHECK_INT(keyring_refresh(&ring, path, 199, &changed, &reason), STATUS_OK);
    CHECK(!changed);
    CHECK_STR(keyring_id(ring, 0), "k1");
    CHECK_INT(keyring_refresh(&ring, path, 200, &changed, &reason), STATUS_OK);
    CHECK(changed);
    CHECK_STR(keyring_id(ring, 0), "k2");
    CHECK_STR(keyring_id(ring, 1), "k1");
    CHECK_INT(load("rubbish here\n", 0600, &other, &reason), STATUS_CONFIG);
    CHECK_INT(keyring_refresh(&ring, path, 1000, &changed, &reason), STATUS_CONFIG);
    CHECK_INT(keyring_refresh(&ring, path, 1000, &changed, &reason), STATUS_OK); /* told once */
    CHECK_STR(keyring_id(ring, 0), "k2");
    keyring_free(ring);
}
