/* SPDX-License-Identifier: Apache-2.0 */
/* bus_sim.h - a bus in memory and virtual time that loses, repeats, delays and reorders by a seed: the only fake in the project.
 *
 * It behaves as JetStream does where it matters: streams with sequences, durable consumers with explicit acks and redelivery
 * after ACK_WAIT_S, the duplicate window, PubAcks, last-only subjects, requests to whoever is there.  Only call.event keeps the
 * order that bus.h promises, for a state machine needs it; everybody else is held to do without. */
#ifndef RL_BUS_SIM_H
#define RL_BUS_SIM_H

#include "bus.h"
#include "msg.h"

struct sim_chaos {
    double lose;      /* probability that a publish, a delivery, a PubAck or an ack vanishes */
    double repeat;    /* that a publish or a delivery happens twice */
    int64_t delay_us; /* each of them takes 0 .. delay_us: the larger, the more overtake each other */
};

struct sim;

struct sim *sim_new(uint64_t seed);
struct sim *sim_free(struct sim *sim);
void sim_set_chaos(struct sim *sim, const struct sim_chaos *chaos); /* NULL: a perfect bus */
struct clk sim_clk(struct sim *sim);
int64_t sim_now_us(const struct sim *sim); /* unix microseconds */

/* Moves the clock to the next thing that happens, at most to `until_us`, and lets it happen. */
void sim_advance(struct sim *sim, int64_t until_us);

/* A connection for a service; freeing it without drain is what a crash does: all that was on its way to the service is gone. */
struct bus *sim_bus_new(struct sim *sim);
struct bus *sim_bus_free(struct bus *bus);

/* What a voice stack does: it repeats until it has the PubAck, so its messages arrive once or, when `id` is "", as often as
 * said. */
void sim_publish(struct sim *sim, enum subject subject, const ProtobufCMessage *message, const char *id);
void sim_publish_raw(struct sim *sim, enum subject subject, const void *data, size_t size);

/* Asks; the answer may never come.  sim_reply gives it as the subject's reply message once it is there, NULL before. */
uint64_t sim_request(struct sim *sim, enum subject subject, const ProtobufCMessage *message);
const ProtobufCMessage *sim_reply(struct sim *sim, uint64_t request);

size_t sim_stored(const struct sim *sim, enum subject subject); /* messages in the stream */
const ProtobufCMessage *sim_message(struct sim *sim, enum subject subject, size_t index); /* decoded; NULL beyond the last */
const ProtobufCMessage *sim_last(struct sim *sim, enum subject subject); /* the newest; NULL: there is none */
void sim_lose_streams(struct sim *sim); /* the JetStream directory is gone; streams and consumers are made anew */

#endif
