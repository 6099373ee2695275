// Records real deliveries of the local run, so that verifiers in several languages
// check the same bytes:
//
//   node catch.cjs deliveries.json
//
// Each entry is {name, secrets, superOffice, posts: [{headers, body}]}: secrets
// lists every secret that must verify the Standard Webhooks signature,
// superOffice is the secret of X-SuperOffice-Signature, body is base64.
'use strict';

const fs = require('node:fs');
const assert = require('node:assert/strict');
const { call, target } = require('./call.cjs');

const plain = 'Something Super Secret';
const standard = `whsec_${Buffer.from('a key of thirty-two random bytes').toString('base64')}`;

async function create(name, secret, url) {
  const answer = await call('POST', '/api/v1/Webhook', {
    Name: name, Events: [`${name}.changed`], TargetUrl: url, Secret: secret, Properties: { Note: 'Blåbær ØÆÅ <&> ✓' },
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

async function signal(name) {
  const answer = await call('POST', `/api/v1/Webhook/${name}.changed/7`, { name: 'Blåbær AS', category_idx: 3 });
  assert.equal(answer.status, 204, JSON.stringify(answer.body));
  return answer.headers.get('X-SuperOffice-EventId');
}

/** One event of one webhook: n POSTs, the first ones answered with statuses. */
async function delivered(name, secret, n, ...statuses) {
  const receiver = await target(...statuses);
  await create(name, secret, receiver.url);
  const event = await signal(name);
  const posts = await receiver.received(n);
  receiver.close();
  for (const post of posts) assert.equal(post.headers['webhook-id'], event, 'the id of the signalled event');
  return { name, secrets: [secret], superOffice: secret, posts };
}

/** An event after a change of the secret, while the old one still verifies. */
async function rotated(name, older, newer) {
  const receiver = await target();
  const webhook = await create(name, older, receiver.url);
  const answer = await call('PUT', `/api/v1/Webhook/${webhook.WebhookId}`, { ...webhook, Secret: newer });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  await signal(name);
  const posts = await receiver.received(1);
  receiver.close();
  return { name, secrets: [newer, older], superOffice: newer, posts };
}

async function main() {
  const caught = await Promise.all([
    delivered('text', plain, 1),
    delivered('standard', standard, 1),
    delivered('beyond-ascii', 'Hemmelig nøkkel ✓', 1),
    delivered('retried', plain, 2, 503),
    rotated('rotated-to-standard', plain, standard),
    rotated('rotated-to-text', standard, 'ea'),
  ]);
  for (const { posts } of caught) for (const post of posts) post.body = post.body.toString('base64');
  fs.writeFileSync(process.argv[2], JSON.stringify(caught, null, 1));
  console.log(`${caught.length} deliveries caught, ${caught.reduce((n, c) => n + c.posts.length, 0)} POSTs`);
}

main().catch((error) => { console.error(error); process.exitCode = 1; });
