// SPDX-License-Identifier: Apache-2.0
// examples.mjs - each example runs against a real stack, and the page on connecting says what is true.
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { eventually, message, root, run } from './stack.mjs';

export function examples({ test, json, shared, withStack, near, Skip }) {
  // ---- the examples -----------------------------------------------------------------------------------------------------------

  // The variant that has this greeting; each has its own.
  async function speakerOf(greeting) {
    const text = await readFile(join(root, 'docs/policies/prompt_variants.yaml'), 'utf8');
    const found = [...text.matchAll(/- id: (v[0-9]+[a-z])\n[^]*?greeting: "(.*)"/g)].filter((m) => m[2] === greeting);
    assert.equal(found.length, 1, `"${greeting}" is the greeting of ${found.length} variants`);
    return found[0][1];
  }

  // Somebody's own copy of the examples, beside the proto files, with the packages that their package.json names.
  async function withExamples(body) {
    const folder = await mkdtemp(join(tmpdir(), 'rl-e2e-'));
    try {
      const filter = (path) => !path.includes('node_modules');
      await cp(join(root, 'examples'), join(folder, 'examples'), { recursive: true, filter });
      await symlink(join(root, 'proto'), join(folder, 'proto'));
      await symlink(join(root, 'tests/e2e/node_modules'), join(folder, 'node_modules'));
      await body(join(folder, 'examples'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  // An example as its user starts it, on a stack: CALL-ID PROFILE.  It plays a call that was resolved, with one barge-in, and
  // rates it 4.
  const example = (stack, command, args, env = {}) => run(command, args, { env: { ...stack.env, ...env,
    RL_NATS_URL: `nats://127.0.0.1:${stack.port}`, RL_NATS_PASSWORD_FILE: join(stack.dir, 'secrets/voice.password') } });

  // Plays a call with the router there, and one while it does not answer.
  async function playsTwoCalls(name, command, args, env) {
    const stack = await shared(), operator = await stack.client('operator');
    const arms = async () => (await operator.ask('bandit.stats')).variants;
    const change = async (variant, before) => {
      const after = (await arms())[variant];
      return [after.pulls - before[variant].pulls, Math.round(1e6 * (after.total_reward - before[variant].total_reward))];
    };
    const plays = async (id) => {
      const before = await arms(), played = await example(stack, command, [...args, id, 'kfz'], env);
      assert.equal(played.code, 0, played.output);
      const says = new RegExp(`^${id} (v[0-9]+[a-z] )?says: (.*)$`, 'm');
      const [, named, greeting] = says.exec(played.output) ?? assert.fail(played.output);
      const variant = await speakerOf(greeting);
      if (named) assert.equal(named.trim(), variant);
      await eventually(`${id} earns what it told`, async () => (await change(variant, before)).join() === '1,866667');
      return { variant, output: played.output };
    };
    const asked = await plays(`c-${name}`);
    const again = await (await stack.client('voice')).ask('policy.select', { call_id: `c-${name}`, profile: 'kfz' });
    assert.equal(again.policy_variant, asked.variant);

    const router = await stack.pid('router');
    process.kill(router, 'SIGSTOP');
    try {
      const alone = await plays(`c-${name}-alone`);
      assert.equal(alone.variant, 'v1a');
      assert.match(alone.output, /policy\.select: .*our default speaks/);
    } finally {
      process.kill(router, 'SIGCONT');
    }
    await eventually('the router is back', async () => (await stack.get('router', '/readyz')).status === 200);
  }

  test('e2e.examples.node_json', () => withExamples((folder) => playsTwoCalls('node', 'node', [join(folder, 'node/voice.mjs')])));

  test('e2e.examples.node_protobuf', () => withExamples(async (folder) => {
    await playsTwoCalls('node-proto', 'node', [join(folder, 'node/voice_protobuf.mjs')]);
    const ours = (await json('tests/e2e/package.json')).dependencies;
    const theirs = (await json('examples/node/package.json')).dependencies;
    for (const [name, version] of Object.entries(theirs)) assert.equal(version, ours[name], name);
  }));

  test('e2e.examples.python', () => withExamples(async (folder) => {
    const there = await run('python3', ['-c', 'import nats.aio.client']);
    if (there.code !== 0) throw new Skip('there is no nats-py (pip install nats-py): examples/python/voice.py was not run');
    await playsTwoCalls('python', 'python3', [join(folder, 'python/voice.py')]);
  }));

  // FreeSWITCH itself is not there: freeswitch.lua lends the script a session, and runs its commands in a shell as `system` does.
  test('e2e.examples.freeswitch', () => withExamples(async (folder) => {
    const there = await run('lua', ['-e', 'require "cjson"']);
    if (there.code !== 0)
      throw new Skip('there is no Lua with cjson (Debian packages lua5.4, lua-cjson): examples/freeswitch/tom.lua was not run');
    const env = { RLCTL: join(root, 'rl'), RL_NATS_USER: 'voice' };
    await playsTwoCalls('freeswitch', 'lua', [join(root, 'tests/e2e/freeswitch.lua'), join(folder, 'freeswitch/tom.lua')], env);
  }));

  const comments = { mjs: /^\s*(\/\/.*)?$/, py: /^\s*(#.*)?$/, lua: /^\s*(--.*)?$/ };

  test('e2e.examples.each_is_under_40_lines', async () => {
    const names = (await readdir(join(root, 'examples'), { recursive: true }))
      .filter((f) => /\.(mjs|py|lua)$/.test(f) && !f.includes('node_modules'));
    assert.ok(names.length >= 6, names.join());
    for (const name of names) {
      const text = (await readFile(join(root, 'examples', name), 'utf8')).replace(/^"""[^]*?"""$/m, '');
      const lines = text.split('\n').filter((line) => !comments[name.split('.').pop()].test(line));
      assert.ok(lines.length < 40, `${name} has ${lines.length} lines of code`);
    }
  });

  // ---- docs/connect.md --------------------------------------------------------------------------------------------------------

  test('e2e.connect.each_message_of_the_page_does_what_it_says', async () => {
    const stack = await shared(), voice = await stack.client('voice'), operator = await stack.client('operator');
    const heard = await operator.listen('rl.dlq.>', await message('DeadLetter'));
    const page = await readFile(join(root, 'docs/connect.md'), 'utf8');
    const blocks = [...page.matchAll(/^(request|answer|publish)(?: `(.*)`)?\n\n```json\n([^]*?)```$/gm)]
      .map(([, verb, subject, text]) => ({ verb, subject, body: JSON.parse(text) }));
    assert.deepEqual(blocks.map((b) => b.subject ?? b.verb),
      ['policy.select', 'answer', 'call.ended', 'call.amended', 'call.amended', 'call.event']);
    assert.equal(page.match(/```json/g).length, blocks.length);

    const reply = await voice.ask(blocks[0].subject, blocks[0].body);
    for (const part of [(o) => o, (o) => o.parameters, (o) => o.context, (o) => o.probabilities])
      assert.deepEqual(Object.keys(part(reply)), Object.keys(part(blocks[1].body)));
    const before = await operator.ask('feedback.stats');
    for (const { subject, body } of blocks.slice(2)) await voice.publish(subject, body);
    await eventually('the call of the page is retracted', async () =>
      (await operator.ask('feedback.stats')).retracted === before.retracted + 1);
    await eventually('the other one rings', async () =>
      (await voice.ask('router.session', { call_id: blocks.at(-1).body.call_id })).state === 'ringing');
    assert.deepEqual(heard, []);
  });
}
