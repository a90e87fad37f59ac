/* SPDX-License-Identifier: Apache-2.0 */
/* consumer.h - what our durable consumers are, as the server's API wants it; rl-init and the bus make the same. */
#ifndef RL_CONSUMER_H
#define RL_CONSUMER_H

#include <jansson.h>

#include "wiring.h"

/* Where the server delivers: `_INBOX_<user>.push.<prefix><durable>`. */
void consumer_deliver_subject(const char *prefix, const char *user, size_t consumer, char ret_subject[static 192]);

/* Body of $JS.API.CONSUMER.DURABLE.CREATE.<stream>.<durable>: durable push, explicit ack, AckWait ACK_WAIT_S, MAX_ACK_PENDING,
 * redelivered for ever; a deliver group where replicas share, else an idle heartbeat.  start_sequence or start_us say where to
 * begin; 0, 0: at the first message.  A new reference. */
json_t *consumer_request(const char *prefix, const char *user, size_t consumer, uint64_t start_sequence, int64_t start_us);

/* Does what the server has differ from what we would make?  (`config` of a CONSUMER.INFO answer.) */
bool consumer_differs(const json_t *config, const char *prefix, const char *user, size_t consumer);

#endif
