// SuperOffice's own JavaScript client (CommonJS only): all eight operations of its
// webhook agent, used as by a program that knows only SuperOffice.
'use strict';

const { execFile } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { promisify } = require('node:util');
const test = require('node:test');
const assert = require('node:assert/strict');
const { WebApi, WebhookAgent, WebhookState, WebhookNotifyVia, WebhookNotifyWhen } = require('@superoffice/webapi');
const { base, user, password, call, target } = require('./call.cjs');

const agent = new WebhookAgent(base, { auth: { username: user, password } });
const secret = 'Something Super Secret';
const nobody = 'http://127.0.0.1:1024/'; // a target that gets no events in these tests

/** The error that a caller of the client sees. */
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('want a failure');
}

/** Saves a webhook based on the defaults. */
async function save(changes) {
  return agent.saveWebhookAsync(Object.assign(await agent.createDefaultWebhookAsync(), changes));
}

test('createDefaultWebhook returns the documented defaults', async () => {
  const webhook = await agent.createDefaultWebhookAsync();
  assert.equal(webhook.webhookId, 0);
  assert.deepEqual(webhook.events, ['contact.created', 'contact.deleted']);
  assert.equal(webhook.state, WebhookState.Active);
  assert.equal(webhook.type, 'webhook');
  assert.equal(webhook.name, null);
});

test('saveWebhook creates a webhook, and saves one that getWebhook returned', async (t) => {
  const receiver = await target();
  t.after(() => receiver.close());
  const created = await save({
    name: 'Blåbær', events: ['client.saved'], targetUrl: receiver.url, secret, headers: { 'X-Own': 'kept' }, properties: { Depth: { Of: [1, 'two'] } },
    errorEmails: ['somebody@example.com'], description: 'By the official client',
  });
  assert.ok(created.webhookId > 0);
  assert.equal(created.secret, secret);
  assert.equal(created.registeredAssociate.name, user);

  const got = await agent.getWebhookAsync(created.webhookId);
  assert.equal(got.secret, '********');
  assert.equal(got.headers['X-Own'], 'kept');
  assert.deepEqual(got.properties.Depth, { Of: [1, 'two'] });
  assert.ok(Math.abs(got.registered.getTime() - Date.now()) < 60_000, `registered is ${got.registered}`);

  got.name = 'Blåbær 2';
  got.notifyVia = WebhookNotifyVia.Email;
  got.notifyWhen = WebhookNotifyWhen.FirstFailure | WebhookNotifyWhen.Disabling;
  const saved = await agent.saveWebhookAsync(got);
  assert.equal(saved.webhookId, created.webhookId);
  const again = await agent.getWebhookAsync(created.webhookId);
  assert.equal(again.name, 'Blåbær 2');
  assert.equal(again.notifyVia, WebhookNotifyVia.Email);
  assert.equal(again.notifyWhen, 3);
  assert.deepEqual(again.errorEmails, ['somebody@example.com']);
  assert.equal(again.description, 'By the official client');

  // Saving the masked secret did not change it.
  await agent.signalEventAsync('client.saved', 7, { name: 'x' });
  const [post] = await receiver.received(1);
  assert.equal(post.headers['X-SuperOffice-Signature'], crypto.createHmac('sha256', secret).update(post.body).digest('base64'));
  assert.equal(post.headers['X-Own'], 'kept');
});

test('saveWebhook stops and restarts a webhook', async () => {
  const webhook = await save({ events: ['client.stopped'], targetUrl: nobody });
  webhook.state = WebhookState.Stopped;
  assert.equal((await agent.saveWebhookAsync(webhook)).state, WebhookState.Stopped);
  webhook.state = WebhookState.Active;
  assert.equal((await agent.saveWebhookAsync(webhook)).state, WebhookState.Active);
});

test('getAllWebhooks filters by name, event and state', async () => {
  const one = await save({ name: 'to be found', events: ['client.listed'], targetUrl: nobody, state: WebhookState.Stopped });
  const ids = async (...filters) => (await agent.getAllWebhooksAsync(...filters)).map(({ webhookId }) => webhookId);
  assert.ok((await ids('', '', WebhookState.Unknown)).includes(one.webhookId));
  assert.deepEqual(await ids('TO BE FOUND', '', WebhookState.Unknown), [one.webhookId]);
  assert.deepEqual(await ids('', 'client.listed', WebhookState.Unknown), [one.webhookId]);
  assert.deepEqual(await ids({ nameFilter: 'to be found', eventFilter: 'client.listed', statusFilter: WebhookState.Stopped }), [one.webhookId]);
  assert.deepEqual(await ids('to be found', '', WebhookState.Active), []);
});

test('testWebhook pings the target, and reports a refusal', async (t) => {
  const receiver = await target(200, 418);
  t.after(() => receiver.close());
  const webhook = Object.assign(await agent.createDefaultWebhookAsync(), { name: 'pinged', targetUrl: receiver.url, secret });
  assert.equal((await agent.testWebhookAsync(webhook)).success, true);
  const [post] = await receiver.received(1);
  assert.equal(post.headers['X-Hook-Test'], 'true');
  assert.equal(post.headers['X-SuperOffice-Event'], 'test');
  assert.equal(post.headers['X-SuperOffice-Signature'], crypto.createHmac('sha256', secret).update(post.body).digest('base64'));
  const refused = await agent.testWebhookAsync({ webhook });
  assert.equal(refused.success, false);
  assert.match(refused.message, /418/);
});

test('signalEvent reaches the target with its data', async (t) => {
  const receiver = await target();
  t.after(() => receiver.close());
  await save({ name: 'signalled', events: ['window.closed'], targetUrl: receiver.url });
  await agent.signalEventAsync('window.closed', 4711, { windowName: 'foo', widgets: 123 });
  const [post] = await receiver.received(1);
  const body = JSON.parse(post.body);
  assert.equal(body.Event, 'window.closed');
  assert.equal(body.PrimaryKey, 4711);
  assert.deepEqual(body.Changes, ['widgets', 'windowName']);
  await agent.signalEventAsync({ eventName: 'nobody.listens', primaryKey: 0, data: null });
});

test('getLastError is null, and then the error response of the target', async (t) => {
  const receiver = await target(410);
  t.after(() => receiver.close());
  const webhook = await save({ name: 'failing', events: ['client.failed'], targetUrl: receiver.url });
  assert.equal(await agent.getLastErrorAsync(webhook.webhookId), null);
  await agent.signalEventAsync('client.failed', 1, {});
  await receiver.received(1);
  let got;
  const deadline = Date.now() + 10_000; // recorded after the target's response
  do got = await agent.getWebhookAsync(webhook.webhookId); while (got.state === WebhookState.Active && Date.now() < deadline);
  assert.equal(got.state, WebhookState.TooManyErrors);
  assert.equal(got.totalErrors, 1);
  assert.match(await agent.getLastErrorAsync(webhook.webhookId), /410/);
});

test('a missing webhook: getWebhook returns null, deleteWebhook does nothing', async () => {
  assert.equal(await agent.getWebhookAsync(2_000_000_000), null);
  await agent.deleteWebhookAsync(2_000_000_000);
  const webhook = await save({ events: ['client.deleted'], targetUrl: nobody });
  await agent.deleteWebhookAsync(webhook.webhookId);
  assert.equal(await agent.getWebhookAsync(webhook.webhookId), null);
});

test('an invalid save is refused, and the response lists all faults', async () => {
  const error = await failure(save({ name: 'n'.repeat(500), events: ['with space'], targetUrl: 'ftp://example.com/' }));
  assert.equal(error.message, 'Request failed with status code 400');
  for (const name of ['Name', 'Events', 'TargetUrl']) assert.match(error.response.data.Message, new RegExp(name));
});

test('a save that cannot be bound is refused with the original error', async () => {
  const error = await failure(save({ events: ['client.unbound'], targetUrl: nobody, state: 'Asleep' }));
  assert.equal(error.response.status, 400);
  assert.deepEqual(Object.keys(error.response.data), ['Message', 'MessageDetail']);
});

test('a wrong password is refused', async () => {
  const stranger = new WebhookAgent(base, { auth: { username: user, password: 'wrong' } });
  assert.equal((await failure(stranger.createDefaultWebhookAsync())).response.status, 401);
});

/** Creates a credential of a tenant and returns its secret. */
async function credential(tenant, changes) {
  const made = await call('POST', `/admin/v1/Tenants/${tenant}/Credentials`, { AssociateId: 7, Scopes: ['webhooks', 'events'], ...changes }, 'admin:admin');
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body.Secret;
}

test('tickets, bearer tokens and app tokens are accepted as the client sends them', async () => {
  assert.equal((await call('POST', '/admin/v1/Tenants', { Name: 'Cust12345' }, 'admin:admin')).status, 201);
  const connect = (present) => {
    const connection = new WebApi(base);
    present(connection);
    return connection.getWebhookAgent();
  };
  const ticket = await credential('Cust12345', { Kind: 'ticket', User: 'anna', FullName: 'Anna' });
  const bearer = await credential('Cust12345', { Kind: 'bearer', User: 'bo', App: 'crm' });
  const app = await credential('Cust12345', { Kind: 'app', App: 'crm' });

  const anna = connect((c) => c.authenticateWithTicket(ticket));
  const bo = connect((c) => { c.authenticateWithToken(bearer); c.applicationToken(app); });
  const mine = await anna.saveWebhookAsync({ name: 'of no app', events: ['client.owned'], targetUrl: nobody });
  assert.equal(mine.registeredAssociate.userName, 'anna');
  const apps = await bo.saveWebhookAsync({ name: 'of the app', events: ['client.owned'], targetUrl: nobody });
  assert.deepEqual((await anna.getAllWebhooksAsync('', '', WebhookState.Unknown)).map(({ name }) => name), ['of no app', 'of the app']);
  assert.deepEqual((await bo.getAllWebhooksAsync('', '', WebhookState.Unknown)).map(({ name }) => name), ['of the app']);
  assert.equal(await bo.getWebhookAsync(mine.webhookId), null);
  assert.equal(await agent.getWebhookAsync(apps.webhookId).then((w) => w?.name === 'of the app'), false, 'tje0 belongs to another tenant');
  assert.equal((await failure(connect((c) => c.authenticateWithTicket(bearer)).createDefaultWebhookAsync())).response.status, 401);
});

test('a path that begins with the tenant, and dates in any time zone', async (t) => {
  const zone = process.env.TZ;
  t.after(() => { process.env.TZ = zone ?? 'UTC'; });
  process.env.TZ = 'America/New_York';
  const within = new WebhookAgent(`${base}/Default`, { auth: { username: user, password } });
  const options = { languageCode: 'nb', cultureCode: 'nb-NO', timezone: 'UTC', timezoneInclude: true };
  const created = await within.saveWebhookAsync({ name: 'dated', events: ['client.dated'], targetUrl: nobody }, options);
  const got = await within.getWebhookAsync(created.webhookId, options);
  assert.ok(Math.abs(got.registered.getTime() - Date.now()) < 60_000, `registered is ${got.registered}`);
});

test('the program of docs/superoffice.md saves a webhook', async (t) => {
  const receiver = await target();
  t.after(() => receiver.close());
  const page = fs.readFileSync(path.join(__dirname, '..', '..', 'docs', 'superoffice.md'), 'utf8');
  const [, program] = /```js\n(.*?)```/s.exec(page);
  const changed = program.replace('https://api.example.com/Cust12345', `${base}/Cust12345`).replace('https://example.com/webhook', receiver.url);
  const token = await credential('Cust12345', { Kind: 'bearer', User: 'partner' });
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['-e', changed], { env: { ...process.env, TOKEN: token, WEBHOOK_SECRET: secret } });
  assert.match(stdout, /^webhook \d+ is Active$/m, stderr);
  const signal = await fetch(`${base}/Cust12345/api/v1/Webhook/contact.changed/7`, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
  assert.equal(signal.status, 204);
  const [post] = await receiver.received(1);
  assert.equal(post.headers['X-SuperOffice-Event'], 'contact.changed');
});
