// Verifies the deliveries that catch.cjs recorded with the official Standard
// Webhooks library for JavaScript and with the receiver that SuperOffice documents.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const test = require('node:test');
const assert = require('node:assert/strict');
const { Webhook } = require('standardwebhooks');

const caught = JSON.parse(fs.readFileSync(process.env.DELIVERIES, 'utf8'));
for (const { posts } of caught) for (const post of posts) post.body = Buffer.from(post.body, 'base64');

/** A secret without whsec_ is the key itself, as UTF-8. */
const verifier = (secret) => (secret.startsWith('whsec_') ? new Webhook(secret) : new Webhook(new TextEncoder().encode(secret), { format: 'raw' }));

function superOfficeAccepts(secret, post) {
  const header = post.headers['X-SuperOffice-Signature'];
  const own = crypto.createHmac('sha256', secret).update(post.body).digest('base64');
  return header.length === own.length && crypto.timingSafeEqual(Buffer.from(header), Buffer.from(own));
}

for (const { name, secrets, superOffice, posts } of caught) {
  test(`${name}: the official library accepts every secret of the delivery and no other`, () => {
    for (const post of posts) {
      for (const secret of secrets) {
        assert.equal(verifier(secret).verify(post.body, post.headers).EventId, post.headers['webhook-id']);
        assert.throws(() => verifier(secret).verify(Buffer.concat([post.body, Buffer.from(' ')]), post.headers), /No matching signature/);
      }
      assert.throws(() => verifier('another').verify(post.body, post.headers), /No matching signature/);
      assert.equal(post.headers['webhook-signature'].split(' ').length, secrets.length);
    }
  });
  test(`${name}: SuperOffice's recipe accepts only the delivery's secret`, () => {
    for (const post of posts) {
      assert.ok(superOfficeAccepts(superOffice, post));
      assert.ok(!superOfficeAccepts('another', post));
      const body = JSON.parse(post.body.toString('utf8'));
      assert.equal(body.EventId, post.headers['X-SuperOffice-EventId']);
      assert.equal(body.EventId, post.headers['webhook-id']);
      assert.equal(body.Note, 'Blåbær ØÆÅ <&> ✓');
      assert.equal(body.FieldValues.name, 'Blåbær AS');
    }
  });
}

test('a retry keeps the id and the body, and has its own timestamp and number', () => {
  const [first, second] = caught.find(({ name }) => name === 'retried').posts;
  assert.equal(second.headers['webhook-id'], first.headers['webhook-id']);
  assert.deepEqual(second.body, first.body);
  assert.ok(Number(second.headers['webhook-timestamp']) > Number(first.headers['webhook-timestamp']));
  assert.equal(first.headers['X-SuperOffice-Retry'], undefined);
  assert.equal(second.headers['X-SuperOffice-Retry'], '1');
});
