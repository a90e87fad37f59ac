/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - the blocking client against a real server. */
#include "client.h"

#include <signal.h>
#include <stdio.h>

#include "server.h"
#include "test.h"

static struct client *connect_to(const struct server *s)
{
    char path[512];
    struct client *client = NULL;
    struct reason reason = {0};

    snprintf(path, sizeof path, "%s/password", test_dir());
    FILE *f = fopen(path, "w");
    fputs("p\n", f);
    fclose(f);
    struct client_options options = {.url = s->url, .user = "operator", .password_file = path, .prefix = "", .name = "test"};
    if (client_connect(&options, &client, &reason) != STATUS_OK)
        test_fail(__FILE__, __LINE__, "%s", reason.text);
    return client;
}

TEST(integration_client, two_of_one_user_hear_only_their_own_answers)
{
    struct server s;
    struct arena arena;
    struct client_message m;
    struct reason reason = {0};

    arena_init(&arena);
    CHECK(server_start(&s, test_dir()));
    struct client *one = connect_to(&s), *two = connect_to(&s);
    if (one && two) {
        CHECK_INT(client_request(two, &arena, "$JS.API.INFO", "", 0, 3000, &m, &reason), STATUS_OK);
        CHECK_INT(client_next(two, &arena, 200, &m), STATUS_TIMEOUT);
        CHECK_INT(client_next(one, &arena, 200, &m), STATUS_TIMEOUT);
    }
    client_free(one);
    client_free(two);
    server_stop(&s, SIGTERM);
    arena_done(&arena);
}
