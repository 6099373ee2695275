// The official CloudEvents SDK for JavaScript: it sends all three modes, and reads
// what a webhook with the format cloudevents receives.
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { CloudEvent, HTTP } = require('cloudevents');
const { base, user, password, call, target } = require('./call.cjs');

/** Posts a message of the SDK to POST /api/v1/Events. */
async function submit({ headers, body }) {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const response = await fetch(`${base}/api/v1/Events`, { method: 'POST', headers: { ...headers, authorization }, body });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

/** An event whose id no earlier one has. */
let last = Date.now();
const event = (changes) => new CloudEvent({
  id: `sdk-${(last += 1)}`, source: '/sdk/javascript', type: 'sdk.tested', subject: '7', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  data: { name: 'Blåbær AS', total: 12.5, nested: { tags: ['<&>', null, true] } }, ...changes,
});

const modes = {
  structured: (e) => HTTP.structured(e),
  binary: (e) => HTTP.binary(e),
  // The SDK reads batches; a batch is its events' JSON in an array.
  batch: (e) => ({ headers: { 'content-type': 'application/cloudevents-batch+json' }, body: JSON.stringify([e]) }),
};

/** Starts a target of a new webhook for these events. */
async function subscribed(t, events, options) {
  const receiver = await target();
  const { status, body } = await call('POST', '/api/v1/Webhook', { Name: 'CloudEvents', Events: events, TargetUrl: receiver.url });
  assert.equal(status, 200);
  t.after(async () => {
    receiver.close();
    await call('DELETE', `/api/v1/Webhook/${body.WebhookId}`);
  });
  const set = await call('PUT', `/api/v1/Webhook/${body.WebhookId}/Options`, { Format: 'cloudevents', ...options });
  assert.equal(set.status, 200);
  return receiver;
}

/** Reads a POST with the SDK, which validates it. */
const read = ({ headers, body }) => HTTP.toEvent({ headers, body: body.toString('utf8') });

for (const [mode, encode] of Object.entries(modes)) {
  test(`${mode} mode is accepted, and its event is delivered as the SDK reads it`, async (t) => {
    const receiver = await subscribed(t, ['sdk.*']);
    const sent = event({ sequence: '00042' });
    const accepted = await submit(encode(sent));
    assert.equal(accepted.status, 202, JSON.stringify(accepted.body));
    const got = read((await receiver.received(1))[0]);
    assert.equal(got.validate(), true);
    assert.equal(got.id, accepted.body.EventIds[0]);
    assert.equal(got.source, '/posthaste/Default');
    for (const name of ['type', 'subject', 'sequence']) assert.equal(got[name], sent[name]);
    assert.equal(Date.parse(got.time), Date.parse(sent.time));
    assert.deepEqual(got.data, sent.data);
    assert.equal(got.eventsource, sent.source);
    assert.equal(got.sourceevent, sent.id);
  });
}

test('an event sent in every mode is one event', async () => {
  const sent = event();
  const ids = new Set();
  for (const encode of Object.values(modes)) {
    const { status, body } = await submit(encode(sent));
    assert.equal(status, 202);
    ids.add(...body.EventIds);
  }
  assert.equal(ids.size, 1);
  const other = await submit(modes.structured(sent.cloneWith({ data: { name: 'other' } })));
  assert.equal(other.status, 422);
});

test('the members of an event travel in data, and come back in extensions', async (t) => {
  const receiver = await subscribed(t, ['sdk.*'], { Include: ['Previous', 'Changes'] });
  const data = { Key: 'A-7', Changes: ['name'], FieldValues: { name: 'new' }, Previous: { name: 'old' } };
  const { status } = await submit(modes.structured(event({ subject: undefined, posthaste: 'event', data })));
  assert.equal(status, 202);
  const got = read((await receiver.received(1))[0]);
  assert.equal(got.subject, 'A-7');
  assert.deepEqual(got.data, data.FieldValues);
  assert.deepEqual(JSON.parse(got.previous), data.Previous);
  assert.deepEqual(JSON.parse(got.changes), data.Changes);
});

test('data that is not JSON is 415 in every mode', async () => {
  const binary = event({ datacontenttype: 'application/octet-stream', data: new Uint8Array([0, 1, 2]) });
  const xml = event({ datacontenttype: 'application/xml', data: '<much wow="xml"/>' });
  for (const encode of Object.values(modes)) {
    for (const sent of [binary, xml]) assert.equal((await submit(encode(sent))).status, 415);
  }
});
