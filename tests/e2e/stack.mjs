// SPDX-License-Identifier: Apache-2.0
// stack.mjs - a whole system of a test's own: ./rl up -d with its own folder and ports, ./rl down, and nothing left behind.
//
// Packages from npm are loaded when a stack is used, so that `e2e.mjs --list` needs none.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const services = ['feedback', 'reward', 'bandit', 'guard', 'router'];

const running = new Set();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Calls `probe` until it returns something true, and returns that; an error counts as not yet.
export async function eventually(what, probe, ms = 10000) {
  const end = Date.now() + ms;
  let last = 'it did not';
  while (Date.now() < end) {
    try {
      const value = await probe();
      if (value) return value;
      last = 'it did not';
    } catch (error) {
      last = error.message;
    }
    await sleep(40);
  }
  throw new Error(`${what}: not within ${ms / 1000} s (${last})`);
}

// Code and all output of a command; never throws.
export function run(command, args, { env = process.env, input = '' } = {}) {
  return new Promise((done) => {
    const child = execFile(command, args, { cwd: root, env }, (error, stdout, stderr) =>
      done({ code: error ? error.code : 0, output: stdout + stderr }));
    child.stdin.on('error', () => {}); // it ended without reading
    child.stdin.end(input);
  });
}

const portFree = (port) => new Promise((done) => {
  const server = createServer();
  server.once('error', () => done(false));
  server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
});

// The first of `count` free ports in a row, below the range that the system gives to clients.
export async function freePorts(count) {
  for (;;) {
    const first = 12000 + Math.floor(Math.random() * 18000);
    let n = 0;
    while (n < count && (await portFree(first + n))) n++;
    if (n === count) return first;
  }
}

// Every message by its name, loaded from proto/ as a stranger would.
let loaded;
export async function message(name) {
  if (!loaded) {
    const { default: protobuf } = await import('protobufjs');
    loaded = new protobuf.Root();
    loaded.resolvePath = (_, target) => join(root, 'proto', target);
    await loaded.load(['bandit', 'call', 'dlq', 'feedback', 'policy'].map((f) => `tom/rl/v1/${f}.proto`), { keepCase: true });
  }
  const type = loaded.lookupType(`tom.rl.v1.${name}`);
  return {
    encode: (object) => type.encode(type.fromObject(object)).finish(),
    decode: (bytes) => type.toObject(type.decode(bytes), { longs: Number, enums: String, defaults: true }),
  };
}

// A connection to the bus as a voice stack (or an operator) makes it; an object is sent as JSON, bytes as they are.
class Client {
  constructor(connection) {
    this.connection = connection;
    this.jetstream = connection.jetstream();
  }

  // Resolves to the number of the message in its stream, once the bus has it.
  async publish(subject, body) {
    return (await this.jetstream.publish(subject, bytesOf(body))).seq;
  }

  async askBytes(subject, body) {
    return (await this.connection.request(subject, bytesOf(body), { timeout: 2000 })).data;
  }

  async ask(subject, body = {}) {
    return JSON.parse(new TextDecoder().decode(await this.askBytes(subject, body)));
  }

  // What arrives on a subject from now on, decoded.
  async listen(subject, type) {
    const heard = [];
    this.connection.subscribe(subject, { callback: (error, m) => heard.push(error ?? type.decode(m.data)) });
    await this.connection.flush();
    return heard;
  }
}

const bytesOf = (body) => (body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body)));

export class Stack {
  // `yaml`: settings instead of those of config/rl.yaml; `prometheus`: with one that looks each second.
  static async start({ yaml, prometheus } = {}) {
    const stack = new Stack();
    stack.dir = await mkdtemp(join(tmpdir(), 'rl-e2e-'));
    stack.port = await freePorts(1);
    stack.metricsPort = await freePorts(services.length);
    stack.sandboxPort = await freePorts(services.length);
    stack.prometheusPort = await freePorts(1);
    stack.clients = new Map();
    stack.env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(RL|PROMETHEUS)_/.test(name)));
    Object.assign(stack.env, {
      RL_DATA_DIR: stack.dir, RL_NATS_PORT: `${stack.port}`, RL_METRICS_PORT_BASE: `${stack.metricsPort}`,
      RL_SANDBOX_METRICS_PORT_BASE: `${stack.sandboxPort}`, PROMETHEUS_PORT: `${stack.prometheusPort}`,
      PROMETHEUS_INTERVAL: '1s',
    });
    if (yaml) {
      stack.env.RL_CONFIG = join(stack.dir, 'rl.yaml');
      await writeFile(stack.env.RL_CONFIG, yaml);
    }
    running.add(stack);
    const up = await run('./rl', ['up', '-d', ...(prometheus ? ['--prometheus'] : [])], { env: stack.env });
    if (up.code !== 0) {
      await stack.stop();
      throw new Error(`./rl up -d ended with ${up.code}:\n${up.output}`);
    }
    stack.supervisor = await stack.pid('supervisor');
    return stack;
  }

  async stop() {
    if (!running.delete(this)) return;
    for (const client of this.clients.values()) await client.connection.close();
    const down = await run('./rl', ['down'], { env: this.env });
    if (down.code !== 0) throw new Error(`./rl down ended with ${down.code}:\n${down.output}`);
    if (this.supervisor && down.output.startsWith('Nothing runs')) { // its folder is gone, so ./rl could not know of it
      process.kill(this.supervisor);
      throw new Error(`${this.dir} was taken away while its stack ran; supervisor ${this.supervisor} was told to stop`);
    }
    for (const loop of ['', 'sandbox']) {
      const metrics = await readlink(join(this.dir, loop, 'run/metrics')).catch(() => undefined);
      if (metrics) await rm(metrics, { recursive: true, force: true });
    }
    await rm(this.dir, { recursive: true, force: true });
  }

  // A command of ./rl that must succeed; its output.
  async rl(...args) {
    const { code, output } = await run('./rl', args, { env: this.env });
    if (code !== 0) throw new Error(`./rl ${args.join(' ')} ended with ${code}:\n${output}`);
    return output;
  }

  // What Prometheus answers to a query: [{metric, value: [time, text]}].
  async query(expression) {
    const response = await fetch(`http://127.0.0.1:${this.prometheusPort}/api/v1/query?query=${encodeURIComponent(expression)}`);
    return (await response.json()).data.result;
  }

  async client(user) {
    if (!this.clients.has(user)) {
      const { connect } = await import('nats');
      const pass = (await readFile(join(this.dir, `secrets/${user}.password`), 'utf8')).trim();
      const options = { servers: `127.0.0.1:${this.port}`, user, pass, inboxPrefix: `_INBOX_${user}` };
      this.clients.set(user, new Client(await connect(options)));
    }
    return this.clients.get(user);
  }

  async get(service, path, method = 'GET') {
    const response = await fetch(`http://127.0.0.1:${this.metricsPort + services.indexOf(service)}${path}`, { method });
    return { status: response.status, text: await response.text() };
  }

  async pid(service) {
    return Number(await readFile(join(this.dir, `run/rl-${service}.pid`), 'utf8'));
  }
}

export async function stopAll() {
  for (const stack of running) await stack.stop();
}

// A supervisor outlives its caller: a test that is interrupted takes its stacks along.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => stopAll().finally(() => process.exit(1)));
