/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - a nats-server of the test's own, and a client that knows just enough of its protocol to stand outside of what is
 * tested. */
#ifndef RL_TEST_SERVER_H
#define RL_TEST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct server {
    pid_t pid; /* 0: not running */
    int port;
    char dir[200], url[64], reply[4096];
};

bool server_start(struct server *server, const char *dir); /* on a free port; JetStream below `dir` */
bool server_again(struct server *server);                  /* same port, same folder */
void server_stop(struct server *server, int signal);

/* One request over a connection of its own; the answer's payload, "" when none came within 3 s. */
const char *server_ask(struct server *server, const char *subject, const char *payload);
bool server_pub(struct server *server, const char *subject, const char *headers, const char *payload); /* true: stored */

/* `more`: further members of the configuration, "" none. */
bool server_stream(struct server *server, const char *name, const char *subject, const char *more);

#endif
