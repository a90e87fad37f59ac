// SPDX-License-Identifier: Apache-2.0
// voice.mjs - a voice stack in Node: asks how to speak, tells how the call went, and later how it was rated.  JSON.
//
//     cd examples/node && npm install && node voice.mjs CALL-ID [PROFILE]
//     elsewhere:  RL_NATS_URL=nats://HOST:4222 RL_NATS_PASSWORD_FILE=voice.password node voice.mjs ...
//
// It plays one call.  Take choose, tell, ended and rated into your own code; docs/connect.md says what may go wrong.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'nats';

const passwordFile = process.env.RL_NATS_PASSWORD_FILE ?? new URL('../../data/secrets/voice.password', import.meta.url);
const connecting = connect({ // a promise: a call that comes while the bus is away is greeted all the same
  servers: process.env.RL_NATS_URL ?? 'nats://127.0.0.1:4222', waitOnFirstConnect: true, maxReconnectAttempts: -1,
  user: 'voice', pass: readFileSync(passwordFile, 'utf8').trim(), inboxPrefix: '_INBOX_voice',
});
const ours = { policy_variant: 'v1a', parameters: { greeting: 'Guten Tag, hier ist Tom. Was kann ich für Sie tun?' } };

// How to speak.  Answers within a millisecond or so; after 300, or with an error, our own default speaks.
async function choose(call_id, profile) {
  const question = JSON.stringify({ call_id, profile });
  const ask = async () => (await (await connecting).request('policy.select', question, { timeout: 300 })).json();
  try {
    const reply = await Promise.race([ask(), sleep(300, { error: { message: 'no answer in 300 ms' } }, { ref: false })]);
    if (reply.error) throw new Error(reply.error.message);
    return reply;
  } catch (error) {
    console.error(`policy.select: ${error.message}; our default speaks`);
    return ours;
  }
}

// Resolves when the bus keeps it.  Trying again is safe: a call counts once however often it is told.
async function tell(subject, message) {
  for (let wait = 250; ; wait *= 2) {
    try {
      return await (await connecting).jetstream().publish(subject, JSON.stringify(message));
    } catch (error) {
      if (wait > 60_000) throw error;
      await sleep(wait);
    }
  }
}
const ended = (call_id, policy_variant, signals) => tell('call.ended', { call_id, policy_variant, signals });
const rated = (call_id, user_rating, at) => tell('call.amended', { call_id, at, source: 'USER', signals: { user_rating } });

const [call_id = `node-${Date.now()}`, profile = 'general'] = process.argv.slice(2), started = Date.now();
const { policy_variant, parameters } = await choose(call_id, profile);
console.log(`${call_id} ${policy_variant} says: ${parameters.greeting}`);
// ... the conversation; name what was spoken, and leave out of signals what is not known ...
await ended(call_id, policy_variant, { resolution: true, barge_in_count: 1, duration_sec: (Date.now() - started) / 1000 });
await rated(call_id, 4, Date.now() / 1000); // whenever it is known, days later too
await (await connecting).drain();
