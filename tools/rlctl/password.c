/* SPDX-License-Identifier: Apache-2.0 */
/* password.c - what a client needs to connect: the password on standard output, the rest beside it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rlctl.h"

int verb_password(struct ctl *ctl)
{
    const struct common_config *config = &ctl->config;
    const char *user = ctl->args.words[0], *path = arena_printf(&ctl->arena, "%s/secrets/%s.password", config->data_dir, user);
    char password[256] = "";

    if (strspn(user, "abcdefghijklmnopqrstuvwxyz_") != strlen(user))
        return ctl_usage("user", "a user's name has small letters only: voice, operator, ...");
    FILE *file = fopen(path, "r");
    if (!file || !fgets(password, sizeof password, file)) {
        fprintf(stderr, "error: %s: %s; ./rl up makes the passwords\n", path, strerror(errno));
        if (file)
            fclose(file);
        return EXIT_ERROR;
    }
    fclose(file);
    password[strcspn(password, "\n")] = '\0';
    if (ctl->args.json)
        printf("{\"user\":\"%s\",\"password\":\"%s\",\"inbox_prefix\":\"_INBOX_%s\"}\n", user, password, user);
    else
        printf("%s\n", password);
    if (!ctl->args.json)
        fprintf(stderr, "user %s, inbox prefix _INBOX_%s, server nats://127.0.0.1:%lld\n", user, user,
                (long long)config->nats_port);
    return EXIT_OK;
}
