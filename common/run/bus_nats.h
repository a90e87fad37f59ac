/* SPDX-License-Identifier: Apache-2.0 */
/* bus_nats.h - the real bus: NATS JetStream through nats.c.  Only bus_nats.c includes nats.h. */
#ifndef RL_BUS_NATS_H
#define RL_BUS_NATS_H

#include "bus.h"

struct bus_nats_options {
    const char *url, *user;
    const char *password_file; /* read at each connect */
    const char *prefix;        /* of subjects and streams; "" none */
    const char *name;          /* of the connection, shown by the server */
    bool send_asap;            /* answer at once rather than gather writes: the router */
    int64_t connect_timeout_s; /* how long `start` waits for a server */
};

struct bus *bus_nats_new(const struct bus_nats_options *options);
struct bus *bus_nats_free(struct bus *bus); /* closes the connection; after `drain` nothing is lost */

#endif
