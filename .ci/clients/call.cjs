// Helpers of this folder's tests: a call to the local run under test, and a target
// on the loopback address that records every POST.
'use strict';

const http = require('node:http');
const { once } = require('node:events');

const base = process.env.POSTHASTE_URL;
const user = 'tje0';
const password = 'Tje0';

/** Calls the API and returns the status and the body, which is JSON or empty. */
async function call(method, path, body, credential = `${user}:${password}`) {
  const response = await fetch(base + path, {
    method,
    headers: {
      Authorization: `Basic ${Buffer.from(credential).toString('base64')}`,
      'Content-Type': 'application/json',
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}

/** Starts a target. It responds with the statuses in turn, then with 200. */
async function target(...statuses) {
  const posts = [];
  const waiting = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const headers = {};
      for (let i = 0; i < request.rawHeaders.length; i += 2) headers[request.rawHeaders[i]] = request.rawHeaders[i + 1];
      posts.push({ headers, body: Buffer.concat(chunks) });
      response.statusCode = statuses.shift() ?? 200;
      response.end();
      for (const wake of waiting.splice(0)) wake();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    posts,
    /** Resolves once n POSTs have arrived; rejects after 20 s. */
    async received(n) {
      const deadline = Date.now() + 20_000;
      while (posts.length < n) {
        const left = deadline - Date.now();
        if (left <= 0) throw new Error(`got ${posts.length} POSTs, want ${n}`);
        await new Promise((resolve) => {
          const timer = setTimeout(resolve, left);
          waiting.push(() => { clearTimeout(timer); resolve(); });
        });
      }
      return posts.slice(0, n);
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

module.exports = { base, user, password, call, target };
