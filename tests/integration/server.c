/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - starts and stops nats-server by pid, and speaks its text protocol over a plain socket. */
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in address(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int free_port(void)
{
    struct sockaddr_in a = address(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || getsockname(fd, (struct sockaddr *)&a, &size) != 0)
        abort();
    close(fd);
    return ntohs(a.sin_port);
}

static int dial(int port)
{
    struct sockaddr_in a = address(port);
    struct timeval limit = {.tv_sec = 3};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

bool server_again(struct server *s)
{
    char conf[256], log[256];

    snprintf(conf, sizeof conf, "%s/nats.conf", s->dir);
    snprintf(log, sizeof log, "%s/nats.log", s->dir);
    s->pid = fork();
    if (s->pid == 0) {
        execlp("nats-server", "nats-server", "-c", conf, "-l", log, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200; i++, usleep(50000)) {
        int fd = dial(s->port);
        if (fd < 0)
            continue;
        close(fd);
        if (strstr(server_ask(s, "$JS.API.INFO", ""), "\"memory\""))
            return true;
    }
    return false;
}

bool server_start(struct server *s, const char *dir)
{
    char path[256];

    *s = (struct server){.port = free_port()};
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    snprintf(s->url, sizeof s->url, "nats://127.0.0.1:%d", s->port);
    snprintf(path, sizeof path, "%s/nats.conf", dir);
    FILE *f = fopen(path, "w");
    if (!f)
        return false;
    fprintf(f, "listen: \"127.0.0.1:%d\"\njetstream { store_dir: \"%s\", max_mem: 64MB, max_file: 1GB }\n", s->port, dir);
    fclose(f);
    return server_again(s);
}

void server_stop(struct server *s, int signal)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, signal);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

/* Reads until a whole message has come; its payload goes to `reply`. */
static bool read_message(int fd, char *reply, size_t size)
{
    static char text[65536];
    size_t used = 0;
    ssize_t n;

    while (used < sizeof text - 1 && (n = read(fd, text + used, sizeof text - 1 - used)) > 0) {
        used += (size_t)n;
        text[used] = '\0';
        char *message = strstr(text, "\nMSG _INBOX.test 1 "), *end = message ? strstr(message, "\r\n") : NULL;
        if (strstr(text, "\nHMSG ") || strstr(text, "-ERR"))
            return false;
        if (!end)
            continue;
        size_t length = strtoul(message + 19, NULL, 10);
        if ((size_t)(end + 2 - text) + length > used)
            continue;
        snprintf(reply, size, "%.*s", (int)length, end + 2);
        return true;
    }
    return false;
}

static const char *ask(struct server *s, const char *subject, const char *headers, const char *payload)
{
    static const char hello[] = "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true,\"protocol\":1}\r\n"
                                "SUB _INBOX.test 1\r\n";
    char block[512] = "";
    int fd = dial(s->port);

    s->reply[0] = '\0';
    if (fd < 0)
        return s->reply;
    if (*headers)
        snprintf(block, sizeof block, "NATS/1.0\r\n%s\r\n\r\n", headers);
    dprintf(fd, "%s", hello);
    if (*headers)
        dprintf(fd, "HPUB %s _INBOX.test %zu %zu\r\n%s%s\r\n", subject, strlen(block), strlen(block) + strlen(payload), block,
                payload);
    else
        dprintf(fd, "PUB %s _INBOX.test %zu\r\n%s\r\n", subject, strlen(payload), payload);
    if (!read_message(fd, s->reply, sizeof s->reply))
        s->reply[0] = '\0';
    close(fd);
    return s->reply;
}

const char *server_ask(struct server *s, const char *subject, const char *payload) { return ask(s, subject, "", payload); }

bool server_pub(struct server *s, const char *subject, const char *headers, const char *payload)
{
    return strstr(ask(s, subject, headers, payload), "\"seq\"") != NULL;
}

bool server_stream(struct server *s, const char *name, const char *subject, const char *more)
{
    char api[128], body[512];

    snprintf(api, sizeof api, "$JS.API.STREAM.CREATE.%s", name);
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"subjects\":[\"%s\"],\"storage\":\"file\",\"retention\":\"limits\",\"num_replicas\":1%s}", name,
             subject, more);
    return strstr(server_ask(s, api, body), "\"created\"") != NULL;
}
