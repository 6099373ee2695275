// Runs the Python and JavaScript programs of docs/verify.md as a reader would copy
// them, on the deliveries that catch.cjs recorded. A Go test runs those in Go.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { once } = require('node:events');
const test = require('node:test');
const assert = require('node:assert/strict');

const caught = JSON.parse(fs.readFileSync(process.env.DELIVERIES, 'utf8'));
for (const { posts } of caught) for (const post of posts) post.body = Buffer.from(post.body, 'base64');

const page = fs.readFileSync(path.join(__dirname, '..', '..', 'docs', 'verify.md'), 'utf8');

/** The two programs of a language: a receiver, and a function for receivers without a library. */
function programs(language) {
  const blocks = [...page.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map((match) => match[1]);
  assert.equal(blocks.length, 2, `docs/verify.md has ${blocks.length} programs in ${language}`);
  assert.match(blocks[0], /\b9000\b/);
  return blocks;
}

const languages = {
  python: { run: (code) => [process.env.PYTHON, '-c', code], check: '\nimport sys\nsys.exit(0 if valid(sys.argv[1], sys.stdin.buffer.read(), sys.argv[2]) else 1)\n' },
  js: {
    run: (code) => [process.execPath, '-e', code, '--'],
    check: "\nprocess.exitCode = valid(process.argv[1], require('node:fs').readFileSync(0), process.argv[2]) ? 0 : 1;\n",
  },
};

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a receiver and returns a function that POSTs to it and returns the status. */
async function started(t, [program, ...args], port, secret) {
  const child = spawn(program, args, { env: { ...process.env, WEBHOOK_SECRET: secret }, stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill());
  let errors = '';
  child.stderr.on('data', (text) => { errors += text; });
  const post = async ({ headers, body }) => {
    const kept = Object.entries(headers).filter(([name]) => !/^(host|content-length|accept-encoding|connection)$/i.test(name));
    return (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers: kept, body })).status;
  };
  for (const deadline = Date.now() + 10_000; ;) {
    const socket = net.connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return post;
    } catch {
      // not yet
    } finally {
      socket.destroy();
    }
    if (Date.now() > deadline) throw new Error(`the receiver does not listen: ${errors}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

for (const [language, { run, check }] of Object.entries(languages)) {
  for (const { name, secrets, posts } of caught) {
    for (const secret of secrets) {
      test(`${language}, ${name}: the receiver accepts its secret and nothing else`, async (t) => {
        const port = await freePort();
        const code = programs(language)[0].replaceAll(/\b9000\b/g, port);
        const post = await started(t, run(code), port, secret);
        for (const each of posts) {
          assert.equal(await post(each), 204);
          assert.equal(await post({ ...each, body: Buffer.concat([each.body, Buffer.from(' ')]) }), 401);
        }
        for (const other of caught.filter((c) => !c.secrets.includes(secret))) assert.equal(await post(other.posts[0]), 401);
      });
    }
  }
  test(`${language}: the function without a library accepts the signer's secret alone`, () => {
    const [program, ...args] = run(programs(language)[1] + check);
    for (const { superOffice, posts: [{ headers, body }] } of caught) {
      for (const [secret, want] of [[superOffice, 0], ['another', 1]]) {
        const ended = spawnSync(program, [...args, secret, headers['X-SuperOffice-Signature']], { input: body });
        assert.equal(ended.status, want, String(ended.stderr));
      }
    }
  });
}
