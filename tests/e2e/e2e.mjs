// SPDX-License-Identifier: Apache-2.0
// e2e.mjs - the whole system as a stranger sees it: ./rl, the bus with somebody else's NATS and protobuf libraries, HTTP.
//
//     node tests/e2e/e2e.mjs [--list] [PART ...]     runs the sentences whose name contains one of the parts, all without
//
// Needs build/release and `npm install` in this folder.  Prints failures, and last "N passed, N failed, N skipped"; 1 when one failed.
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { doctor } from './doctor.mjs';
import { examples } from './examples.mjs';
import { Stack, eventually, freePorts, message, root, run, services, stopAll } from './stack.mjs';

const sentences = new Map();
const test = (name, body) => sentences.set(name, body);
class Skip extends Error {}

const json = async (path) => JSON.parse(await readFile(join(root, path), 'utf8'));
const table = () => json('tests/data/call_ended_cases.json');

// Tests that can live beside others share one stack.
let sharedStack;
const shared = () => (sharedStack ??= Stack.start());

async function withStack(options, body) {
  const stack = await Stack.start(options);
  try {
    await body(stack);
  } finally {
    await stack.stop();
  }
}

// An environment for ./rl with a folder of its own, and nothing started yet.
async function withFolder(body) {
  const folder = await mkdtemp(join(tmpdir(), 'rl-e2e-'));
  const first = await freePorts(20);
  try {
    await body({ ...process.env, RL_DATA_DIR: folder, RL_NATS_PORT: `${first}`, RL_METRICS_PORT_BASE: `${first + 1}` }, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const near = (actual, expected, tolerance, what) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what} is ${actual}, not ${expected}`);

// ---- schema -----------------------------------------------------------------------------------------------------------------

test('e2e.schema.ajv_and_the_table_agree', async () => {
  const { default: Ajv } = await import('ajv');
  const accepts = new Ajv({ strict: true }).compile(await json('docs/schemas/feedback_event.json'));
  const cases = await table();
  assert.equal(cases.length, 60);
  const disagree = cases.filter((c) => accepts(c.event) !== c.accept).map((c) => c.name);
  assert.deepEqual(disagree, []);
});

test('e2e.schema.rl_feedback_and_the_table_agree', async () => {
  const stack = await shared(), voice = await stack.client('voice'), operator = await stack.client('operator');
  const heard = await operator.listen('rl.dlq.>', await message('DeadLetter'));
  const before = await operator.ask('feedback.stats');
  const cases = await table(), nameOf = new Map();
  for (const c of cases) nameOf.set(await voice.publish('call.ended', c.event), c.name);

  const refused = cases.filter((c) => !c.accept), kept = cases.filter((c) => c.accept && c.event.consent !== 'NONE');
  const letters = () => heard.filter((l) => l.service === 'feedback' && l.stream === 'CALLS');
  await eventually('all refused cases are dead letters', () => letters().length >= refused.length);
  assert.deepEqual(letters().map((l) => `${nameOf.get(l.sequence)}: ${l.field}`).sort(), refused.map((c) => `${c.name}: ${c.field}`).sort());
  assert.deepEqual([...new Set(letters().map((l) => `${l.subject} ${l.reason}`))], ['call.ended invalid']);

  const waiting = kept.filter((c) => !c.event.policy_variant).length; // for a decision
  await eventually('all accepted cases are counted', async () => {
    const after = await operator.ask('feedback.stats');
    assert.equal(after.waiting - before.waiting, waiting);
    assert.equal(after.total_events - before.total_events, kept.length - waiting);
    return true;
  });
});

// ---- two encodings ------------------------------------------------------------------------------------------------------------

const known = (call_id) => ({
  call_id, ts: 1763800000.0, agent: 'TOM', profile: 'kfz', policy_variant: 'v1a',
  signals: { resolution: true, user_rating: 4, barge_in_count: 1, handover: false, duration_sec: 120, repeats: 0, escalation: false, satisfaction: 0.5 },
});

// A call of now.
const recent = (call_id, policy_variant = 'v1a') => ({ ...known(call_id), ts: undefined, policy_variant });

// All that has been learned: over all, in the cell of the known event, and in one that never saw a call.
async function learned(operator) {
  const [all, own, other] = await Promise.all([{}, { profile: 'kfz', time_of_day: 'morning' }, { profile: 'it', time_of_day: 'night' }]
    .map((question) => operator.ask('bandit.stats', question)));
  return { all: all.variants, own: own.variants, other: other.variants, exploration_rate: all.exploration_rate };
}

const learnedWhen = (operator, what, holds) =>
  eventually(what, async () => {
    const now = await learned(operator);
    return holds(now.all.v1a) && now;
  });
const earned = (reward) => (arm) => arm.pulls === 1 && Math.abs(arm.total_reward - reward) < 1e-6;

function checkKnown(now) {
  near(now.own.v1a.mean_reward, 0.866667, 1e-6, 'mean reward');
  assert.equal(now.own.v1a.pulls, 1);
  near(now.own.v1a.alpha, 1.93333, 1e-5, 'alpha');
  near(now.own.v1a.beta, 1.06667, 1e-5, 'beta');
  assert.equal(now.other.v1a.pulls, 0);
  near(now.other.v1a.alpha_shared, 1.8889, 1e-4, 'alpha_shared');
  near(now.other.v1a.beta_shared, 1.0635, 1e-4, 'beta_shared');
}

test('e2e.node.json_and_protobuf_equal', () => withStack({}, async (stack) => {
  const voice = await stack.client('voice'), operator = await stack.client('operator');
  const ended = await message('CallEnded'), amended = await message('CallAmended');
  const encodings = [
    { id: 'c-json', end: (o) => o, amend: (o) => o },
    { id: 'c-proto', end: ended.encode, amend: amended.encode },
  ];
  const empty = await learned(operator), results = [];
  let copies = 0;
  for (const { id, end, amend } of encodings) {
    const say = (what) => voice.publish('call.amended', amend({ call_id: id, ...what }));
    for (let i = 0; i < 10; i++) await voice.publish('call.ended', end(known(id)));
    copies += 9;
    await eventually('nine copies are known as such', async () =>
      new RegExp(`^rl_duplicate_ends_total ${copies}$`, 'm').test((await stack.get('feedback', '/metrics')).text));
    const once = await learnedWhen(operator, `${id} earns 0.866667`, earned(0.866667));
    checkKnown(once);
    await say({ signals: { user_rating: 1 } });
    const worse = await learnedWhen(operator, `${id} with rating 1 earns 0.566667`, earned(0.566667));
    await say({ retracted: true });
    const nothing = await learnedWhen(operator, `${id} is retracted`, (arm) => arm.pulls === 0);
    assert.deepEqual(nothing, empty);
    results.push({ once, worse });
  }
  assert.deepEqual(results[0], results[1]);
}));

test('e2e.node.select_answers_in_the_encoding_of_the_question', async () => {
  const stack = await shared(), voice = await stack.client('voice');
  const question = await message('PolicySelectRequest'), answer = await message('PolicySelectReply');
  const asked = { call_id: 'c-encoding', profile: 'kfz', time_of_day: 'evening' };
  const text = await voice.ask('policy.select', asked);
  const bytes = await voice.askBytes('policy.select', question.encode(asked));
  assert.notEqual(bytes[0], '{'.charCodeAt(0));
  const reply = answer.decode(bytes);
  assert.equal(reply.source, `DECISION_SOURCE_${text.source}`);
  for (const field of ['call_id', 'decision_id', 'policy_variant', 'parameters', 'propensity', 'probabilities', 'context'])
    assert.deepEqual(reply[field], text[field], field);
  near(Object.values(text.probabilities).reduce((a, b) => a + b, 0), 1, 1e-12, 'sum of probabilities');

  const wrong = { call_id: 'c-encoding', time_of_day: 'teatime' };
  const refusal = await voice.ask('policy.select', wrong);
  assert.equal(refusal.error.code, 'invalid');
  assert.equal(refusal.error.field, 'time_of_day');
  assert.deepEqual(answer.decode(await voice.askBytes('policy.select', question.encode(wrong))).error, refusal.error);
});

// ---- operation -----------------------------------------------------------------------------------------------------------------

test('e2e.second_stack_beside_first', async () => {
  const first = await shared();
  await withStack({}, async (second) => {
    const total = async (stack) => (await (await stack.client('operator')).ask('feedback.stats')).total_events;
    const call = async (stack, id) => (await stack.client('voice')).publish('call.ended', recent(id));
    const before = await total(first);
    await call(first, 'c-first');
    await eventually('the first stack counts its call', async () => (await total(first)) === before + 1);
    assert.equal(await total(second), 0);
    await call(second, 'c-second-1');
    await call(second, 'c-second-2');
    await eventually('the second stack counts its calls', async () => (await total(second)) === 2);
    assert.equal(await total(first), before + 1);
  });
});

const owned = {
  feedback: ['rl_feedback_total', 'rl_user_rating_distribution', 'rl_session_duration_seconds', 'rl_barge_in_total', 'rl_escalation_total',
    'rl_policy_success_rate'],
  reward: ['rl_reward_distribution', 'rl_reward_score'],
  bandit: ['rl_bandit_exploration_rate'],
  guard: ['rl_active_variants', 'rl_blacklisted_variants'],
  router: ['rl_policy_pulls_total'],
};

test('e2e.prometheus.figures_of_few_callers_are_left_out', () => withStack({}, async (stack) => {
  const voice = await stack.client('voice'), says = async (service) => (await stack.get(service, '/metrics')).text;
  const counted = (n) => eventually(`${n} calls are learned`, async () => new RegExp(`^rl_calls_learned_total ${n}$`, 'm').test(await says('bandit')));
  const outcomes = /^rl_(barge_in_total|escalation_total|session_duration_seconds\w*|user_rating\w*|reward_\w*|learned_total|feedback_total)\{[^}]*v3a[^}]*\} [1-9]/m;
  for (let n = 1; n < 5; n++) await voice.publish('call.ended', recent(`c-few-${n}`, 'v3a'));
  await counted(4);
  await eventually('the share of four is gone', async () => !/^rl_policy_success_rate\{policy_variant="v3a"/m.test(await says('feedback')));
  for (const service of services) assert.doesNotMatch(await says(service), outcomes, service);
  assert.match(await says('feedback'), /^rl_calls_stored_total 4$/m);
  await voice.publish('call.ended', recent('c-few-5', 'v3a'));
  await counted(5);
  assert.match(await says('bandit'), /^rl_learned_total\{policy_variant="v3a"\} 5$/m);
  assert.match(await says('feedback'), /^rl_feedback_total\{policy_variant="v3a",[^}]*\} 5$/m);
  assert.match(await says('reward'), /^rl_reward_score_count\{policy_variant="v3a"\} 5$/m);
  await eventually('and the share is back', async () => /^rl_policy_success_rate\{policy_variant="v3a"\} 1$/m.test(await says('feedback')));
}));

test('e2e.prometheus.metrics_are_clean', () => withStack({ yaml: 'metrics:\n  legacy_names: false\n' }, async (stack) => {
  const voice = await stack.client('voice');
  let checked = 0;
  await voice.publish('call.ended', recent('c-clean')); // so that there is more to say than at the start
  await voice.publish('call.ended', { call_id: 'c-unclean' });
  await voice.ask('policy.select', { call_id: 'c-clean', profile: 'kfz' });
  await eventually('a call is learned and one is refused', async () => /^rl_calls_learned_total 1$/m.test((await stack.get('bandit', '/metrics')).text)
    && /^rl_dead_letters_total.* 1$/m.test((await stack.get('feedback', '/metrics')).text));
  for (const service of services) {
    const { status, text } = await stack.get(service, '/metrics');
    assert.equal(status, 200, service);
    for (const name of [...owned[service], 'rl_service_up'])
      assert.ok(new RegExp(`^${name}(_bucket)?[{ ]`, 'm').test(text), `${service} has no ${name}`);
    assert.ok(!/^rl_(active|blacklisted)_variants_total/m.test(text), `${service} has a legacy name`);
    assert.deepEqual(await stack.get(service, '/metrics', 'HEAD'), { status: 200, text: '' });
    const { code, output } = await run('promtool', ['check', 'metrics'], { input: text });
    if (code === 'ENOENT') continue;
    assert.equal(code, 0, `promtool on ${service} ended with ${code}:\n${output}`);
    checked++;
  }
  if (!checked) throw new Skip('there is no promtool (Debian package prometheus): names were checked, their form was not');
}));

// Each variant with its value; NaN and infinite ones fail.
const byVariant = (samples) => Object.fromEntries(samples.map(({ metric, value }) => {
  assert.ok(Number.isFinite(Number(value[1])), `${metric.policy_variant} is ${value[1]}`);
  return [metric.policy_variant, Number(value[1])];
}));

const hasPromtool = async () => (await run('promtool', ['--version'])).code === 0;

test('e2e.prometheus.the_known_queries_return_data', async () => {
  if (!(await hasPromtool())) throw new Skip('there is no prometheus (Debian package prometheus)');
  await withStack({ prometheus: true }, async (stack) => {
    const voice = await stack.client('voice');
    const say = async (n) => {
      await voice.publish('call.ended', recent(`c-good-${n}`, 'v1a'));
      await voice.publish('call.ended', { ...recent(`c-bad-${n}`, 'v2b'), signals: { resolution: false, handover: true } });
    };
    const mean = async () => byVariant(await stack.query('avg(rl_reward_distribution) by (policy_variant)'));
    const isKnown = (means) => Math.abs(means.v1a - 0.866667) < 0.002 && Math.abs(means.v2b + 0.1) < 0.002;
    for (let n = 1; n < 5; n++) await say(n);
    await eventually('eight calls are seen', async () => (await stack.query('sum(rl_calls_stored_total) == 8')).length);
    assert.deepEqual(await mean(), {}, 'four calls of a variant are too few to tell of');
    await say(5);
    await eventually('both variants have their mean', async () => isKnown(await mean()));
    await eventually('all calls are seen', async () => (await stack.query('sum(rl_feedback_total) == 10')).length);
    await eventually('the mean stays', async () => isKnown(await mean()));
    assert.deepEqual(Object.keys(await mean()).sort(), ['v1a', 'v2b'], 'a variant that was never heard has no mean');
    await eventually('the success rate has a rate', async () =>
      Object.keys(byVariant(await stack.query('rate(rl_policy_success_rate[24h])'))).length === 12);
    assert.equal((await stack.query('rl_bandit_exploration_rate')).length, 1);
    assert.equal((await stack.query('up{job="tom-rl"} == 1 and on (service) rl_service_up == 1')).length, 5);

    await eventually('all rules are well and no alert is near', async () => {
      const answer = await fetch(`http://127.0.0.1:${stack.prometheusPort}/api/v1/rules`);
      const rules = (await answer.json()).data.groups.flatMap((g) => g.rules);
      assert.deepEqual(rules.filter((r) => r.health !== 'ok').map((r) => `${r.name}: ${r.lastError}`), []);
      assert.deepEqual(rules.filter((r) => r.state && r.state !== 'inactive').map((r) => r.name), []);
      return rules.length > 5;
    });

    const victim = await stack.pid('prometheus');
    process.kill(victim, 'SIGKILL');
    await eventually('a killed Prometheus is back', async () => (await stack.pid('prometheus')) !== victim && (await mean()).v1a);
    assert.match(await stack.rl('status'), new RegExp(`prometheus ready .*http://127.0.0.1:${stack.prometheusPort}`));
    const last = await stack.pid('prometheus');
    await stack.stop();
    assert.throws(() => process.kill(last, 0), { code: 'ESRCH' });
  });
});

test('e2e.sandbox.learns_beside_production_under_names_of_its_own', async () => {
  await withStack({ prometheus: await hasPromtool() }, async (stack) => {
    const pulls = async (...more) => JSON.parse(await stack.rl('req', 'bandit.stats', '{}', ...more)).variants.v3a.pulls;
    const pids = () => Promise.all(services.map((s) => stack.pid(s)));
    await stack.rl('end', 'c-1', '--variant', 'v3a', '--resolved');
    await eventually('production learns', async () => (await pulls()) === 1);
    const before = await pids();
    const screen = await stack.rl('up', '-d', '--sandbox');
    assert.match(screen, /user sandbox_voice/);
    for (const id of ['c-1', 'c-2', 'c-3']) await stack.rl('end', id, '--variant', 'v3a', '--resolved', '--sandbox');
    await eventually('the sandbox learns', async () => (await pulls('--sandbox')) === 3);
    assert.equal(await pulls(), 1);
    assert.deepEqual(await pids(), before);
    const sandboxSays = await fetch(`http://127.0.0.1:${stack.sandboxPort + 2}/metrics`).then((r) => r.text());
    assert.match(sandboxSays, /^rl_calls_learned_total 3$/m);
    assert.match((await stack.get('bandit', '/metrics')).text, /^rl_calls_learned_total 1$/m);
    if (await hasPromtool()) {
      await eventually('Prometheus found the sandbox', async () => (await stack.query('sum(sandbox_rl_calls_stored_total) == 3')).length);
      await eventually('what it counts is not production\'s', async () => (await stack.query('sum(rl_calls_stored_total) == 1')).length);
    }
    assert.equal((await stack.rl('status')).match(/ ready /g).length, (await hasPromtool()) ? 11 : 10);
  });
});

test('e2e.sandbox.either_loop_runs_without_the_other', () => withStack({}, async (stack) => {
  const select = (...more) => stack.rl('select', '--profile', 'kfz', '--json', ...more);
  await stack.rl('up', '-d', '--sandbox');
  process.kill(stack.supervisor); // and the bus with it, which the sandbox's supervisor takes over
  await eventually('production is gone', async () => (await run('./rl', ['status'], { env: stack.env })).output.startsWith('Nothing runs'));
  await eventually('the sandbox answers', () => select('--sandbox'), 20000);
  await stack.rl('up', '-d');
  stack.supervisor = await stack.pid('supervisor');
  await select();
  const output = await stack.rl('down', '--sandbox');
  assert.match(output, /^Stopped; the data is in .*sandbox\.$/m);
  await eventually('production answers', () => select(), 20000);
  assert.equal((await run('./rl', ['stats', '--sandbox'], { env: stack.env })).code === 0, false);
}));

test('e2e.supervisor.a_killed_service_is_back', async () => {
  const stack = await shared(), voice = await stack.client('voice'), operator = await stack.client('operator');
  const pulls = async () => (await operator.ask('bandit.stats')).variants.v3b.pulls;
  const before = await pulls(), victim = await stack.pid('bandit');
  process.kill(victim, 'SIGKILL');
  await voice.publish('call.ended', recent('c-killed', 'v3b'));
  await eventually('another process is there', async () => (await stack.pid('bandit')) !== victim);
  await eventually('it is ready', async () => (await stack.get('bandit', '/readyz')).status === 200);
  await eventually('the call is learned', async () => (await pulls()) > before);
  await voice.publish('call.ended', recent('c-after', 'v3b'));
  await eventually('the next call is learned', async () => (await pulls()) > before + 1);
  assert.equal(await pulls(), before + 2);
  assert.equal((await operator.ask('bandit.rebuild', { check: true })).identical, true);
});

// ---- the demo -----------------------------------------------------------------------------------------------------------------------

test('e2e.demo.each_call_counts_once_while_services_are_killed', () => withFolder(async (env) => {
  const demo = await run('./rl', ['demo', '--chaos', '--calls', '8000', '--json'], { env });
  assert.equal(demo.code, 0, demo.output);
  const said = JSON.parse(demo.output);
  assert.ok(said.kills >= 2, `${said.kills} services were killed`);
  assert.deepEqual([said.ended, said.stored, said.learned, said.dead_letters, said.identical, said.sound], [8000, 8000, 8000, 0, true, true]);
  assert.ok(said.last > said.first, `${said.last} after ${said.first}`);
  assert.ok(said.last < said.always_best);

  const stats = await run('./rl', ['demo', 'stats'], { env });
  assert.equal(stats.code, 0, stats.output);
  assert.match(stats.output, /^8000 calls accepted, 0 waiting/m);
  const clean = await run('./rl', ['demo', '--clean'], { env });
  assert.equal(clean.code, 0, clean.output);
  assert.equal((await run('./rl', ['demo', 'stats'], { env })).code, 1);
}));

test('e2e.demo.the_screen_ends_with_each_call_counted_once', () => withFolder(async (env) => {
  const demo = await run('./rl', ['demo', '--calls', '1500'], { env });
  assert.equal(demo.code, 0, demo.output);
  assert.match(demo.output, /exactly once +1,500 ended, 1,500 stored, 1,500 learned; statistics rebuilt from the ledger: identical\n/);
  assert.match(demo.output, /new variants together \d+\.\d % \(limit 10 %\)/);
  assert.match(demo.output, /^ v1a Standard Höflich .* base$/m);
  for (const line of demo.output.split('\n')) assert.ok([...line].length <= 112, line);
  assert.equal((await run('./rl', ['demo', '--clean'], { env })).code, 0);
}));

test('e2e.demo.an_environment_of_the_laboratory_over_the_real_bus', () => withFolder(async (env, folder) => {
  const csv = join(folder, 'regret.csv');
  const demo = await run('./rl', ['demo', '--environment', 'swap', '--calls', '1500', '--lose', '0.1', '--duplicate', '0.2', '--reorder', '20',
    '--delay', '1', '--csv', csv, '--json'], { env });
  assert.equal(demo.code, 0, demo.output);
  const said = JSON.parse(demo.output);
  assert.ok(said.lost > 90 && said.lost < 210, `${said.lost} were lost`);
  assert.deepEqual([said.environment, said.ended, said.stored, said.learned, said.identical], ['swap', ...Array(3).fill(1500 - said.lost), true]);
  const [head, ...rows] = (await readFile(csv, 'utf8')).trim().split('\n').map((line) => line.split(','));
  assert.deepEqual(head, ['environment', 'seed', 'calls', 'regret', 'regret_always_base', 'restarts']);
  assert.deepEqual(rows.at(-1).slice(0, 3), ['swap', '2', '1500']);
  assert.ok(Math.abs(rows.at(-1)[3] - said.regret) < 0.1);
  assert.equal((await run('./rl', ['demo', '--clean'], { env })).code, 0);
}));

test('e2e.demo.a_folder_that_no_demo_made_is_not_touched', () => withFolder(async (env, folder) => {
  await mkdir(join(folder, 'demo'));
  await writeFile(join(folder, 'demo', 'mine'), 'mine');
  const demo = await run('./rl', ['demo', '--calls', '10'], { env });
  assert.equal(demo.code, 1);
  assert.match(demo.output, /not made by a demo: not touched/);
  assert.equal(await readFile(join(folder, 'demo', 'mine'), 'utf8'), 'mine');
}));

// ---- the rest ----------------------------------------------------------------------------------------------------------------------

const kit = { test, json, shared, withStack, withFolder, near, Skip };
examples(kit);
doctor(kit);

// ---- the runner -------------------------------------------------------------------------------------------------------------------

async function runOne(name, body, counts) {
  try {
    await body();
    counts.passed++;
  } catch (error) {
    if (error instanceof Skip) {
      console.log(`skipped ${name}: ${error.message}`);
      counts.skipped++;
      return;
    }
    console.log(`FAILED ${name}\n${(process.env.RL_TEST_TRACE ? error.stack : error.message).replace(/^/gm, '  ')}`);
    counts.failed++;
  }
}

async function main(parts) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, body] of sentences)
    if (!parts.length || parts.some((part) => name.includes(part))) await runOne(name, body, counts);
  await stopAll().catch((error) => {
    console.log(`FAILED e2e.stop\n  ${error.message}`);
    counts.failed++;
  });
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed ? 1 : 0;
}

const args = process.argv.slice(2);
if (args.includes('--list')) console.log([...sentences.keys()].join('\n'));
else process.exit(await main(args));
