// SPDX-License-Identifier: Apache-2.0
// voice_protobuf.mjs - voice.mjs in protobuf: the .proto files are loaded at start, nothing is generated.
//
//     cd examples/node && npm install && node voice_protobuf.mjs CALL-ID [PROFILE]
//     elsewhere:  RL_NATS_URL=nats://HOST:4222 RL_NATS_PASSWORD_FILE=voice.password node voice_protobuf.mjs ...
//
// A request in protobuf is answered in protobuf.  Retries are left out here; voice.mjs has them.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { connect } from 'nats';
import protobuf from 'protobufjs';

const passwordFile = process.env.RL_NATS_PASSWORD_FILE ?? new URL('../../data/secrets/voice.password', import.meta.url);
const bus = await connect({
  servers: process.env.RL_NATS_URL ?? 'nats://127.0.0.1:4222', maxReconnectAttempts: -1,
  user: 'voice', pass: readFileSync(passwordFile, 'utf8').trim(), inboxPrefix: '_INBOX_voice',
});
const ours = { policy_variant: 'v1a', parameters: { greeting: 'Guten Tag, hier ist Tom. Was kann ich für Sie tun?' } };

const proto = new protobuf.Root();
proto.resolvePath = (_, file) => fileURLToPath(new URL(`../../proto/${file}`, import.meta.url));
await proto.load(['tom/rl/v1/call.proto', 'tom/rl/v1/policy.proto'], { keepCase: true });
const [Request, Reply, Ended, Amended] = ['PolicySelectRequest', 'PolicySelectReply', 'CallEnded', 'CallAmended']
  .map((name) => proto.lookupType(`tom.rl.v1.${name}`));
const bytes = (type, message) => type.encode(type.fromObject(message)).finish();

async function choose(call_id, profile) {
  try {
    const reply = Reply.decode((await bus.request('policy.select', bytes(Request, { call_id, profile }), { timeout: 300 })).data);
    if (reply.error) throw new Error(`${reply.error.field}: ${reply.error.message}`);
    return reply;
  } catch (error) {
    console.error(`policy.select: ${error.message}; our default speaks`);
    return ours;
  }
}

const tell = (subject, type, message) => bus.jetstream().publish(subject, bytes(type, message));

const [call_id = `node-${Date.now()}`, profile = 'general'] = process.argv.slice(2);
const started = Date.now();
const { policy_variant, parameters } = await choose(call_id, profile);
console.log(`${call_id} ${policy_variant} says: ${parameters.greeting}`);
const signals = { resolution: true, barge_in_count: 1, duration_sec: (Date.now() - started) / 1000 };
await tell('call.ended', Ended, { call_id, policy_variant, signals });
await tell('call.amended', Amended, { call_id, at: Date.now() / 1000, source: 'SOURCE_USER', signals: { user_rating: 4 } });
await bus.drain();
