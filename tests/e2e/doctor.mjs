// SPDX-License-Identifier: Apache-2.0
// doctor.mjs - ./rl doctor finds what is wrong and says what to do; ./rl install and ./rl up say what they need.
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { eventually, run } from './stack.mjs';

export function doctor({ test, withStack, withFolder }) {
  test('e2e.doctor.a_healthy_system_is_well_and_each_illness_is_named', () => withStack({}, async (stack) => {
    const ask = () => run('./rl', ['doctor'], { env: stack.env });
    const well = await ask();
    assert.equal(well.code, 0, well.output);
    assert.match(well.output, /All is well\./);

    await chmod(join(stack.dir, 'secrets/voice.password'), 0o644);
    const loose = await ask();
    assert.equal(loose.code, 1);
    assert.match(loose.output, /FAIL +secrets +.*voice\.password can be read by others\n +-> chmod 600/);
    await chmod(join(stack.dir, 'secrets/voice.password'), 0o600);

    const pid = await stack.pid('bandit');
    process.kill(pid, 'SIGSTOP');
    try {
      await eventually('the stopped service is found', async () => /FAIL +services +bandit: not ready/.test((await ask()).output),
        15000);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await eventually('it is well again', async () => (await ask()).code === 0);

    const refused = { call_id: 'c-bad', signals: { resolution: true, user_rating: 9 } };
    await (await stack.client('voice')).publish('call.ended', refused);
    await eventually('the dead letter is found', async () => /warn +dead letters +1 /.test((await ask()).output));
  }));

  test('e2e.doctor.a_wrong_setting_is_named_with_its_line', () => withFolder(async (env, folder) => {
    const yaml = join(folder, 'rl.yaml');
    await writeFile(yaml, 'reward:\n  resolution_wait: 0.6\n');
    const found = await run('./rl', ['doctor'], { env: { ...env, RL_CONFIG: yaml } });
    assert.equal(found.code, 1);
    assert.match(found.output, /FAIL +config +.*rl\.yaml:2: reward\.resolution_wait: .*reward\.resolution_weight/);
    assert.match(found.output, /FAIL +bus /);
  }));

  test('e2e.up.a_taken_port_names_who_holds_it_and_what_to_type', () => withFolder(async (env) => {
    const server = createServer().listen(Number(env.RL_NATS_PORT), '127.0.0.1');
    try {
      const up = await run('./rl', ['up', '-d'], { env });
      assert.equal(up.code, 1);
      assert.match(up.output, new RegExp(`Port ${env.RL_NATS_PORT} is taken by "node" pid ${process.pid}\\.`));
      assert.match(up.output, /RL_NATS_PORT=4333 RL_METRICS_PORT_BASE=9301 RL_DATA_DIR=data2 \.\/rl up/);
    } finally {
      server.close();
    }
  }));

  test('e2e.up.a_second_start_says_what_it_found', () => withStack({}, async (stack) => {
    const [voice, operator] = [await stack.client('voice'), await stack.client('operator')];
    await voice.publish('call.ended', { call_id: 'c-1', policy_variant: 'v1a', signals: { resolution: true } });
    await eventually('it is learned', async () => (await operator.ask('bandit.stats')).variants.v1a.pulls === 1);
    await stack.rl('down');
    const again = await stack.rl('up', '-d');
    assert.match(again, /\(existing\)/);
    assert.match(again, /found +1 calls, pseudonym key k1, policy v1-1-/);
  }));

  test('e2e.up.a_corrupt_database_is_named_and_left_as_it_is', () => withFolder(async (env, folder) => {
    await mkdir(join(folder, 'rl'));
    await writeFile(join(folder, 'rl/guard.db'), 'rubbish');
    const up = await run('./rl', ['up', '-d'], { env });
    assert.equal(up.code, 1);
    assert.match(up.output, /Not ready after [0-9.]+ s:\nguard: .*guard\.db: .*not a database; the file was left as it is/);
    assert.equal(await readFile(join(folder, 'rl/guard.db'), 'utf8'), 'rubbish');
    assert.match((await run('./rl', ['status'], { env })).output, /Nothing runs/);
  }));

  test('e2e.install.everything_lies_where_the_units_look_for_it', async () => {
    const to = await mkdtemp(join(tmpdir(), 'rl-install-'));
    try {
      const env = { ...process.env, DESTDIR: to };
      assert.equal((await run('./rl', ['install'], { env })).code, 0);
      for (const unit of ['tom-rl-keys', 'tom-rl-nats', 'tom-rl-init', 'tom-rl@', 'tom-rl-sidecar@']) {
        const text = await readFile(join(to, 'etc/systemd/system', `${unit}.service`), 'utf8');
        for (const [, program] of text.matchAll(/^ExecStart=(\/opt\/\S+)/gm))
          for (const service of program.includes('%i') ? ['feedback', 'reward', 'bandit', 'guard', 'router'] : [''])
            assert.ok((await stat(join(to, program.replace('%i', service)))).mode & 0o111, program);
      }
      await writeFile(join(to, 'etc/tom-rl/rl.yaml'), '# mine\n');
      assert.equal((await run('./rl', ['install'], { env })).code, 0);
      assert.equal(await readFile(join(to, 'etc/tom-rl/rl.yaml'), 'utf8'), '# mine\n');
    } finally {
      await rm(to, { recursive: true, force: true });
    }
  });
}
