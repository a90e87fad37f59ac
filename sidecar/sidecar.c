/* SPDX-License-Identifier: Apache-2.0 */
/* sidecar.c - serves the metrics file of one service: /metrics, /healthz (does this program live),
 * /readyz (is the service ready).
 *
 * Maps the file anew at each request: it is replaced at each start of the service, and may be missing. */
#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "render.h"

enum { EXIT_USAGE = 2, EXIT_PORT_TAKEN = 75 };

struct options {
    const char *service, *file, *listen;
    int port;
    bool probe, ready;
};

static const char usage[] =
    "usage: rl-sidecar --service NAME --file PATH --port N [--listen ADDRESS]\n"
    "       rl-sidecar --probe [--ready] --port N [--listen ADDRESS]\n"
    "       rl-sidecar --probe --ready --file PATH\n"
    "Serves the metrics file of one service on ADDRESS (127.0.0.1): /metrics /healthz /readyz.\n"
    "--probe asks a running sidecar's /healthz, or with --ready its /readyz, and ends with 0 or 1; says why not.  With --file\n"
    "it looks for itself whether the service is ready.\n";

/* --- answering -------------------------------------------------------------------------------------------------------------- */

static void *map_file(const char *path, size_t *ret_size)
{
    struct stat st;
    void *map = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
        map = mmap(NULL, *ret_size = (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    return map == MAP_FAILED ? NULL : map;
}

static int64_t monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void answer(struct mg_connection *conn, int code, const char *extra, const char *body, size_t size)
{
    bool head = strcmp(mg_get_request_info(conn)->request_method, "HEAD") == 0;

    mg_printf(conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n"
                    "Cache-Control: no-store\r\nConnection: close\r\n%s\r\n",
              code, mg_get_response_code_text(conn, code), size, extra);
    if (!head)
        mg_write(conn, body, size);
}

static void answer_text(struct mg_connection *conn, int code, const char *extra, const char *text)
{
    answer(conn, code, extra, text, strlen(text));
}

static void answer_metrics(struct mg_connection *conn, const struct metrics_view *view, const char *service)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        answer_text(conn, 500, "", "out of memory\n");
        return;
    }
    render(out, view, service, monotonic_us());
    if (fclose(out) == 0)
        answer(conn, 200, "", text, size);
    else
        answer_text(conn, 500, "", "out of memory\n");
    free(text);
}

static void answer_ready(struct mg_connection *conn, const struct metrics_view *view)
{
    const char *why;
    char text[METRICS_REASON_SIZE + 16];

    if (metrics_view_up(view, monotonic_us(), &why)) {
        answer_text(conn, 200, "", "ready\n");
        return;
    }
    snprintf(text, sizeof text, "not ready: %.*s\n", METRICS_REASON_SIZE, why);
    answer_text(conn, 503, "", text);
}

/* Takes every request, whatever its method and path. */
static int on_request(struct mg_connection *conn)
{
    const struct mg_request_info *request = mg_get_request_info(conn);
    const struct options *options = request->user_data;
    const char *path = request->local_uri;
    size_t size = 0;

    if (strcmp(request->request_method, "GET") != 0 && strcmp(request->request_method, "HEAD") != 0)
        answer_text(conn, 405, "Allow: GET, HEAD\r\n", "only GET and HEAD\n");
    else if (strcmp(path, "/healthz") == 0)
        answer_text(conn, 200, "", "ok\n");
    else if (strcmp(path, "/metrics") != 0 && strcmp(path, "/readyz") != 0)
        answer_text(conn, 404, "", "there is /metrics, /healthz and /readyz\n");
    else {
        void *map = map_file(options->file, &size);
        struct metrics_view view = metrics_view(map, size);
        if (path[1] == 'm')
            answer_metrics(conn, &view, options->service);
        else
            answer_ready(conn, &view);
        if (map)
            munmap(map, size);
    }
    return 1;
}

static int on_log(const struct mg_connection *conn, const char *message)
{
    (void)conn;
    fprintf(stderr, "rl-sidecar: %s\n", message);
    return 1;
}

/* --- the process ------------------------------------------------------------------------------------------------------------ */

static bool address_of(const struct options *options, struct sockaddr_in *ret)
{
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
    return inet_pton(AF_INET, options->listen, &ret->sin_addr) == 1;
}

/* Sends a request and reads all of the answer. */
static bool ask(int fd, const struct sockaddr_in *to, const char *path, char *reply, size_t size)
{
    struct timeval limit = {.tv_sec = 3};
    char request[128];
    size_t used = 0;
    ssize_t n = 1;

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0 || send(fd, request, strlen(request), MSG_NOSIGNAL) <= 0)
        return false;
    for (; used < size - 1 && (n = recv(fd, reply + used, size - 1 - used, 0)) > 0; used += (size_t)n)
        ;
    reply[used] = '\0';
    return used > 0;
}

/* 0: an answer 200 came within 3 s. */
static int probe(const struct options *options, const struct sockaddr_in *address)
{
    struct sockaddr_in to = *address;
    char reply[1024] = "";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (to.sin_addr.s_addr == htonl(INADDR_ANY))
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool answered = ask(fd, &to, options->ready ? "/readyz" : "/healthz", reply, sizeof reply);
    const char *body = strstr(reply, "\r\n\r\n");
    close(fd);
    if (answered && strncmp(reply, "HTTP/1.1 200", 12) == 0)
        return 0;
    printf("%s\n", body && body[4] ? body + 4 : "its sidecar does not answer");
    return 1;
}

/* Without a sidecar: the health check of the service itself. */
static int probe_file(const char *path)
{
    size_t size = 0;
    void *map = map_file(path, &size);
    struct metrics_view view = metrics_view(map, size);
    const char *why = "";
    bool up = metrics_view_up(&view, monotonic_us(), &why);

    if (!up)
        printf("not ready: %.*s\n", METRICS_REASON_SIZE, why);
    if (map)
        munmap(map, size);
    return up ? 0 : 1;
}

/* civetweb does not say why it cannot listen; this does. */
static int port_error(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int error = bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 && listen(fd, 1) == 0 ? 0 : errno;
    close(fd);
    return error;
}

static int serve(struct options *options)
{
    static const struct mg_callbacks callbacks = {.begin_request = on_request, .log_message = on_log};
    char where[64];
    const char *settings[] = {"listening_ports", where, "num_threads", "2", "request_timeout_ms", "5000", NULL};
    sigset_t stop;
    int got = 0;

    snprintf(where, sizeof where, "%s:%d", options->listen, options->port);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL); /* before there are threads */
    signal(SIGPIPE, SIG_IGN);
    mg_init_library(0);
    struct mg_context *server = mg_start(&callbacks, options, settings);
    if (!server) {
        fprintf(stderr, "rl-sidecar: cannot listen on %s\n", where);
        return 1;
    }
    fprintf(stderr, "rl-sidecar: %s on http://%s/metrics\n", options->service, where);
    sigwait(&stop, &got);
    mg_stop(server);
    mg_exit_library();
    return 0;
}

/* false: usage. */
static bool parse(int argc, char **argv, struct options *ret)
{
    static const struct option names[] = {{"service", required_argument, NULL, 's'}, {"file", required_argument, NULL, 'f'},
                                          {"port", required_argument, NULL, 'p'}, {"listen", required_argument, NULL, 'l'},
                                          {"probe", no_argument, NULL, 'b'}, {"ready", no_argument, NULL, 'r'},
                                          {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (c) {
        case 's': ret->service = optarg; break;
        case 'f': ret->file = optarg; break;
        case 'p': ret->port = atoi(optarg); break;
        case 'l': ret->listen = optarg; break;
        case 'b': ret->probe = true; break;
        case 'r': ret->ready = true; break;
        case 'h': fputs(usage, stdout); exit(0);
        default: return false;
        }
    }
    bool port = ret->port > 0 && ret->port < 65536, by_file = ret->probe && ret->ready && ret->file && ret->port == 0;
    return optind == argc && (by_file || (port && (ret->probe || (ret->service && ret->file))));
}

int main(int argc, char **argv)
{
    struct options options = {.listen = "127.0.0.1"};
    struct sockaddr_in address;

    if (!parse(argc, argv, &options) || !address_of(&options, &address)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (options.probe && options.file)
        return probe_file(options.file);
    if (options.probe)
        return probe(&options, &address);
    int error = port_error(&address);
    if (error == 0)
        return serve(&options);
    fprintf(stderr, "rl-sidecar: port %d on %s %s\n", options.port, options.listen,
            error == EADDRINUSE ? "is in use by another program" : strerror(error));
    return error == EADDRINUSE ? EXIT_PORT_TAKEN : 1;
}
