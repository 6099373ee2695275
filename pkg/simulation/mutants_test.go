package simulation_test

// mutant is a deliberate break: a snippet that occurs exactly once in a file of
// the product, and its replacement. The file itself is never changed; the
// compiler gets the broken file by -overlay.
type mutant struct {
	name string
	file string // from the repository's root
	old  string
	new  string
}

const (
	protocol       = "pkg/delivery/protocol.go"
	protocolWait   = "pkg/delivery/protocol_wait.go"
	lanes          = "pkg/delivery/lane.go"
	starting       = "pkg/delivery/start.go"
	registrySecret = "pkg/webhook/registry_secret.go"
	registryOnce   = "pkg/webhook/registry_once.go"
	engine         = "pkg/dispatch/engine.go"
	stream         = "pkg/dispatch/stream.go"
	handoff        = "pkg/dispatch/handoff.go"
	planning       = "pkg/dispatch/plan.go"
	expander       = "pkg/dispatch/expand.go"
	gating         = "pkg/dispatch/gate.go"
	probing        = "pkg/dispatch/probe.go"
	breaker        = "pkg/webhook/breaker.go"
	redrive        = "pkg/sweep/redrive.go"
	redispatch     = "pkg/replay/slice.go"
	consumer       = "pkg/dispatch/queue.go"
	leased         = "pkg/dispatch/lease.go"
	fates          = "pkg/dispatch/fate.go"
	settling       = "pkg/dispatch/settle.go"
	subscriptions  = "pkg/dispatch/subscriptions.go"
	copied         = "pkg/dispatch/copies.go"
	stages         = "pkg/sweep/stages.go"
	dueRows        = "pkg/sweep/claim.go"
	collecting     = "pkg/sweep/rows.go"
	intents        = "pkg/sweep/intents.go"
	letters        = "pkg/sweep/deadletters.go"
	storeWebhooks  = "pkg/store/dynamo/webhooks.go"
	storePointers  = "pkg/store/dynamo/pointers.go"
	storeRows      = "pkg/store/dynamo/deliveries.go"
	storeRowItems  = "pkg/store/dynamo/delivery_item.go"
	storeHealth    = "pkg/store/dynamo/health.go"
	storeHours     = "pkg/store/dynamo/statistics.go"
	healthCache    = "pkg/dispatch/health.go"
	tenantCaches   = "pkg/bytecache/bytecache.go"
	gateRule       = "pkg/delivery/gate.go"
	deciding       = "pkg/delivery/decide.go"
	policy         = "pkg/webhook/policy.go"
	elapsed        = "pkg/webhook/elapsed.go"
	disabler       = "pkg/dispatch/disable.go"
	healthRule     = "pkg/webhook/health.go"
	hourRule       = "pkg/statistics/hour.go"
	matching       = "pkg/webhook/match.go"
	wireHeaders    = "pkg/outbound/headers.go"
	wireRotation   = "pkg/outbound/rotation.go"
	wireSend       = "pkg/outbound/send.go"
	rotating       = "pkg/webhook/rotation.go"
	registryChange = "pkg/webhook/registry_change.go"
	signals        = "pkg/webhook/signal.go"
	stateEvents    = "pkg/webhook/state_event.go"
	messages       = "pkg/delivery/message.go"
	limiter        = "pkg/dispatch/engine.go"
	custodian      = "pkg/custody/move.go"
	sealing        = "pkg/seal/seal.go"
	explaining     = "pkg/explain/explain.go"
	selections     = "pkg/webhook/selection.go"
)

var mutants = []mutant{
	// The stream consumer.
	{
		"stream: acknowledge although the hand-off failed", stream,
		"\treturn b.checkpoint(ctx)\n", "\t_ = b.checkpoint(ctx)\n\treturn \"\"\n",
	},
	{
		"stream: report a failed batch without waiting for its youngest record", handoff,
		"\t\tb.wait(ctx, youngestToFail-webhook.Elapsed(youngest, b.Now()))\n", "\t\tb.wait(ctx, -webhook.Elapsed(youngest, b.Now()))\n",
	},
	{
		"stream: attempt a record that may be a redelivery", lanes,
		"q.Age >= redeliveryAge, ", "",
	},
	{
		"stream: drop a success whose row was taken over", settling,
		"\tcase outcome.Status != delivery.StatusDelivered:\n", "\tcase outcome.Status != delivery.StatusDelivered, refused && !leased:\n",
	},
	{
		"stream: drop a success whose row could not be written", settling,
		"\tif done.err != nil {\n", "\tif !leased {\n\t\tdone.err = nil\n\t} else if done.err != nil {\n",
	},
	{
		"stream: drop a failure whose row could not be written", stream,
		"\tcase settled.err != nil && !errors.Is(settled.err, delivery.ErrRefused):\n\t\tb.queue(d)\n\t}\n", "\t}\n",
	},
	{
		"stream: send unsigned when the secret cannot be read", stream,
		"if err != nil || b.timeShort() ||", "if _ = err; b.timeShort() ||",
	},
	{
		"stream: trust a view of the webhooks for a minute", starting,
		"viewLife = 3 * time.Second\n", "viewLife = 60 * time.Second\n",
	},
	{
		"stream: no second look at the view once the secret is read", stream,
		" || !delivery.ViewFresh(d.viewed, b.Now()) {\n\t\tb.queue(d)", " {\n\t\tb.queue(d)",
	},
	{
		"stream: forget an event whose webhooks cannot be read", planning,
		"\"event_id\", string(r.Event.ID), \"error\", err)\n\t\t\tb.add(outgoing{Outgoing: delivery.Outgoing{Message: b.expand(i)}, record: i})\n",
		"\"event_id\", string(r.Event.ID), \"error\", err)\n",
	},
	{
		"stream: forget that the fast lane cut a target short", stream,
		"\t\tb.queue(d)\n\t\tb.tooSlow(ctx, d, result)\n", "\t\tb.tooSlow(ctx, d, result)\n",
	},

	// Reading the configuration.
	{
		"match: join lists of several epochs", subscriptions,
		"if reading.epoch == before.epoch {", "if reading.epoch >= before.epoch {",
	},
	{
		"match: label a list with the epoch read after it", subscriptions,
		"if reading.epoch == before.epoch {\n", "if before.epoch = reading.epoch; true {\n",
	},
	{
		"match: ignore the epoch of a list", subscriptions,
		"ok && have.epoch == epoch", "ok",
	},
	{
		"store: read the epoch with eventual consistency", storeWebhooks,
		"\tit, err := s.get(ctx, epochKey(tenant))\n",
		"\tout, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.name, Key: epochKey(tenant)})\n" +
			"\tif err != nil {\n\t\treturn 0, fault(err, \"epoch\")\n\t}\n\tit := item(out.Item)\n",
	},
	{
		"store: read a webhook with eventual consistency", storeWebhooks,
		"\tit, err := s.get(ctx, webhookKey(tenant, id))\n",
		"\tout, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.name, Key: webhookKey(tenant, id)})\n" +
			"\tif err != nil {\n\t\treturn webhook.Webhook{}, fault(err, \"get webhook\")\n\t}\n\tit := item(out.Item)\n",
	},
	{
		"store: read the subscribed webhooks with eventual consistency", storeWebhooks,
		"s.getAll(ctx, keys, true)", "s.getAll(ctx, keys, false)",
	},
	{
		"store: read the pointers with eventual consistency", storePointers,
		"ConsistentRead:            aws.Bool(true),", "ConsistentRead:            aws.Bool(false),",
	},

	// Writing the configuration.
	{
		"pointers: prune without checking the pointer's revision", storePointers,
		"text: \"rev <= :committed\",", "text: \"rev <= :committed OR rev > :committed\",",
	},
	{
		"pointers: put an older revision over a newer one", storePointers,
		"attribute_not_exists(pk) OR rev < :new", "attribute_not_exists(pk) OR rev < :new OR rev >= :new",
	},
	{
		"pointers: put them after the webhook is committed", storeWebhooks,
		"\tif err := s.point(ctx, w, added); err != nil {\n", "\tdefer func() { _ = s.point(ctx, w, added) }()\n\tif err := s.point(ctx, w, nil); err != nil {\n",
	},
	{
		"pointers: a writer that lost its race prunes by what it read", storePointers,
		"s.prune(ctx, w.Tenant, w.ID, without(added, winner.PointerKeys()), winner.Revision)",
		"s.prune(ctx, w.Tenant, w.ID, added, max(winner.Revision, w.Revision))",
	},
	{
		"webhooks: save without checking the revision", storeWebhooks,
		"TableName: &s.name, Item: encodeWebhook(w), ConditionExpression: aws.String(\"rev = :old\"),",
		"TableName: &s.name, Item: encodeWebhook(w), ConditionExpression: aws.String(\"rev = :old OR attribute_exists(pk)\"),",
	},
	{
		"secrets: delete without checking the webhook", intents,
		"return w.Secret.Name == intent.Secret, err", "return w.ID < 0, err",
	},
	{
		"secrets: create one without an intent", registrySecret,
		"\tif err := r.putIntent(ctx, w, name, now); err != nil {\n\t\treturn SecretRef{}, err\n\t}\n", "\t_ = now\n",
	},
	{
		"secrets: a move deletes the old one before it commits", custodian,
		"\terr = o.commit(ctx, now, ref)\n", "\tm.drop(ctx, dropped)\n\terr = o.commit(ctx, now, ref)\n",
	},
	{
		"secrets: what is sealed is not bound to its tenant", sealing,
		"\tb = appendText(b, p.Tenant)\n", "",
	},

	{
		"creates: under the id of a deleted webhook", storeWebhooks,
		"aws.String(\"attribute_not_exists(\" + attrGone + \")\")", "aws.String(\"attribute_not_exists(nothing)\")",
	},
	{
		"creates: ignore what the key has created", registryOnce,
		"\tif existing.Webhook != id {\n", "\tif existing.Webhook = id; existing.Webhook != id {\n",
	},

	// The row protocol.
	{
		"lease: ignore the status", protocol,
		"case row.Status != StatusPending || row.Round != l.Round:", "case row.Round != l.Round:",
	},
	{
		"lease: ignore the round", protocol,
		"case row.Status != StatusPending || row.Round != l.Round:", "case row.Status != StatusPending:",
	},
	{
		"lease: ignore the attempt", protocol,
		"case row.Attempt == l.Attempt-1 && row.LeaseBy == \"\" && !l.Takeover:", "case row.LeaseBy == \"\" && !l.Takeover:",
	},
	{
		"lease: taken over before it ends", protocol,
		"row.LeaseBy != \"\" && row.LeaseUntil.Before(l.Now):", "row.LeaseBy != \"\":",
	},
	{
		"lease: never take over", protocol,
		"row.LeaseBy != \"\" && row.LeaseUntil.Before(l.Now):", "row.LeaseBy == \"never\":",
	},
	{
		"finish: ignore who holds the lease", protocol,
		" || row.LeaseBy != f.Token || f.Token == \"\" {", " || f.Token == \"\" {",
	},
	{
		"finish: ignore status, attempt and token", protocol,
		"row.Status != StatusPending || row.Round != f.Round || row.Attempt != f.Attempt || row.LeaseBy != f.Token || f.Token == \"\"",
		"row.Round != f.Round",
	},
	{
		"finish: leave SweepAt on an ended row", protocol,
		"d.NextAt, d.SweepAt, d.Parked, d.Resends = time.Time{}, time.Time{}, false, 0", "d.NextAt, d.Parked, d.Resends = time.Time{}, false, 0",
	},
	{
		"first outcome: over an existing row", protocol,
		"func (r RecordFirst) Apply(row Row) (Row, bool) {\n\tif row.Exists() {", "func (r RecordFirst) Apply(row Row) (Row, bool) {\n\tif row.Round > 1 {",
	},
	{
		"delivered: only if there is no row", protocol,
		"case row.Round != m.Round || row.Status == StatusDelivered:", "case row.Round != m.Round || row.Status != \"\":",
	},
	{
		"delivered: ignore the round", protocol,
		"case row.Round != m.Round || row.Status == StatusDelivered:", "case row.Status == StatusDelivered:",
	},
	{
		"end: under a live lease", protocol,
		"row.Status != StatusPending || row.Round != e.Round || row.Leased(e.Now)", "row.Status != StatusPending || row.Round != e.Round",
	},
	{
		"new round: under a live lease", protocol,
		"case row.Status != s.Seen, row.Leased(s.Now), ", "case row.Status != s.Seen, ",
	},
	{
		"make due: ignore the status", protocol,
		"case row.Status != StatusPending || row.Round != m.Round || row.Attempt != m.Attempt && row.Attempt != m.Attempt-1:",
		"case row.Round != m.Round:",
	},
	{
		"store: put a row without a condition", storeRows,
		"text:   \"ver = :ver AND created = :created\",", "text:   \"ver = :ver AND created = :created OR created = :created AND ver <> :ver\",",
	},

	// The queue consumer.
	{
		"queue: acknowledge although the lease could not be written", leased,
		"\t\tc.Logger.WarnContext(ctx, \"cannot write lease\", \"event_id\", string(m.Event), \"error\", err)\n\t\treturn fate{}\n",
		"\t\tc.Logger.WarnContext(ctx, \"cannot write lease\", \"event_id\", string(m.Event), \"error\", err)\n\t\treturn fate{done: true}\n",
	},
	{
		"queue: treat a held lease as done", fates,
		"\t\treturn fate{after: row.LeaseUntil.Sub(now) + delivery.LeaseSpare}\n", "\t\treturn fate{done: true}\n",
	},
	{
		"queue: drop a success whose lease was lost", settling,
		"\tcase outcome.Status != delivery.StatusDelivered:\n", "\tcase outcome.Status != delivery.StatusDelivered, refused && leased:\n",
	},
	{
		"queue: start although the lease is nearly over", leased,
		"\tif !delivery.LeasedMayStart(began,", "\tif false && !delivery.LeasedMayStart(began,",
	},
	{
		"queue: attempt for a webhook that is not active", consumer,
		"\tif w.State != webhook.StateActive {", "\tif false {",
	},
	{
		"queue: ignore the entries that were refused", engine,
		"\t\trest = refused\n", "\t\trest = nil\n\t\t_ = refused\n",
	},
	{
		"queue: finish an expand although its messages failed", expander,
		"\tif len(out) > 0 && len(c.sendAll(ctx, out)) > 0 {\n\t\treturn c.later(ctx, r)\n\t}\n", "\tc.sendAll(ctx, out)\n\t_ = r\n",
	},
	{
		"queue: drop a success that still cannot be written", consumer,
		"\treturn c.postpone(ctx, r, c.successDelay())\n", "\treturn true\n",
	},

	{
		"queue: send the message before the row is written", settling,
		"\trow, err := e.write(ctx, a, outcome, now)\n",
		"\tif more && a.token != \"\" {\n\t\te.sendAll(ctx, []delivery.Outgoing{message})\n\t\tmore = false\n\t}\n\trow, err := e.write(ctx, a, outcome, now)\n",
	},
	{
		"queue: do not report a message that failed", consumer,
		"\treturn c.postpone(ctx, r, messageRetries.Wait(c.Random, r.Receives))\n", "\treturn r.Receives < 0\n",
	},

	// Lanes, breaker, fan-out, redrive.
	{
		"lanes: call a target again that was cut short", lanes,
		"q.Now.Sub(q.Health.FastTimeout) < fastPenalty:", "q.Now.Sub(q.Health.FastTimeout) < 0:",
	},
	{
		"breaker: never parks in the queue consumer", gating,
		"\tif !known.health.Breaker.Open() {\n", "\tif known.at.Year() > 0 {\n",
	},
	{
		"breaker: every attempt is a probe once one is due", gating,
		"\tif err == nil && h.Breaker.ProbeBy == token {\n\t\ttaken = &probe{name: token,", "\tif err == nil {\n\t\ttaken = &probe{name: token,",
	},
	{
		"breaker: a probe that is not made is not returned", probing,
		"\tif p == nil || p.made {\n", "\tif p == nil || p.name != \"\" {\n",
	},
	{
		"breaker: a probe does not use up its step", breaker,
		"\tb.ProbeAt = now.Add(max(jittered(b.Step, jitter), limit))\n", "\t_ = jitter\n",
	},
	{
		"breaker: forget what the stream parked", stream,
		"\tif _, err := b.park(ctx, d.message(), d.event); err != nil", "\tif err := ctx.Err(); err != nil",
	},
	{
		"breaker: forget what cannot be parked", stream,
		"\"cannot park delivery: enqueued\", \"event_id\", string(d.event.ID), \"error\", err)\n\t\tb.queue(d)\n",
		"\"cannot park delivery: enqueued\", \"event_id\", string(d.event.ID), \"error\", err)\n",
	},
	{
		"park: under a live lease", protocolWait,
		"case row.LeaseBy != \"\" || row.Parked || row.NextAt.After(p.Now):", "case row.Parked || row.NextAt.After(p.Now):",
	},
	{
		"park: uses up the attempt", protocolWait,
		"\trow.park(p.Net)\n", "\trow.park(p.Net)\n\trow.Attempt = p.Attempt\n",
	},
	{
		"park: cuts a policy's wait short", protocolWait,
		"row.LeaseBy != \"\" || row.Parked || row.NextAt.After(p.Now):", "row.LeaseBy != \"\" || row.Parked:",
	},
	{
		"sweep: defer without checking the status", protocolWait,
		"row.Status != StatusPending || !row.SweepAt.Equal(d.Seen) || row.LeaseBy != \"\"", "row.LeaseBy != \"\" || row.Status == \"\"",
	},
	{
		"sweep: sends what is not due for longer than the queue can hold it", dueRows,
		"\tif err != nil || early {\n", "\tif err != nil || early && row.LeaseBy == \"never\" {\n",
	},
	{
		"fan-out: a range ends before its last webhook", expander,
		"m.From, m.To = chunk[0], chunk[len(chunk)-1]", "m.From, m.To = chunk[0], max(chunk[0], chunk[len(chunk)-1]-1)",
	},
	{
		"fan-out: forget an event for many webhooks", planning,
		"\t\t\t\tb.add(outgoing{Outgoing: o, record: i})\n", "\t\t\t\t_ = o\n",
	},
	{
		"redrive: remove records that were not sent on", redrive,
		"\tif err := s.send(ctx, out); err != nil {\n\t\treturn err\n\t}\n", "\t_ = s.send(ctx, out)\n",
	},
	{
		"redispatch: continue although messages failed", redispatch,
		"\t\tif err := delivery.SendAll(ctx, messages, out); err != nil {\n\t\t\treturn j, err\n\t\t}\n", "\t\t_ = delivery.SendAll(ctx, messages, out)\n",
	},
	{
		"redispatch: a slice ends before its last event", redispatch,
		"range page {", "range page[:max(len(page)-1, 0)] {",
	},
	{
		"redrive: never", stages,
		"\t\t{\"redrive\", otherTime, s.redrive},\n", "",
	},

	// The sweep.
	{
		"sweep: send without a claim", dueRows,
		"\tif errors.Is(err, delivery.ErrRefused) {\n\t\treturn out, false, nil\n\t}\n", "\tif errors.Is(err, delivery.ErrRefused) {\n\t\terr = nil\n\t}\n",
	},
	{
		"sweep: claim without checking SweepAt", protocol,
		"row.Status != StatusPending || !row.SweepAt.Equal(c.Seen)", "row.Status != StatusPending",
	},
	{
		"sweep: claim without checking the status", protocol,
		"row.Status != StatusPending || !row.SweepAt.Equal(c.Seen)", "row.Status == StatusPending && !row.SweepAt.Equal(c.Seen)",
	},
	{
		"sweep: ask for the next attempt although one is leased", dueRows,
		"\tif row.LeaseBy == \"\" {\n\t\tattempt++", "\tif row.LeaseBy == \"\" || attempt > 0 {\n\t\tattempt++",
	},
	{
		"sweep: never read the dead letters", stages,
		"\t\t{\"dead letters\", otherTime, s.drainDeadLetters},\n", "",
	},
	{
		"sweep: remove dead letters before they are revived", letters,
		"\tif err := s.sendAgain(ctx, letter.Message); err != nil {\n\t\treturn err\n\t}\n\treturn s.DeadLetters.Remove(ctx, letter.Receipt)\n",
		"\tif err := s.DeadLetters.Remove(ctx, letter.Receipt); err != nil {\n\t\treturn err\n\t}\n\treturn s.sendAgain(ctx, letter.Message)\n",
	},
	{
		"sweep: skip a shard", collecting,
		"r.Deliveries.Due(reading, shard, r.horizon, last, pageSize)", "r.Deliveries.Due(reading, shard%(delivery.DueShards-1), r.horizon, last, pageSize)",
	},

	// Which events a webhook asks for.
	{
		"filters: ignored in the queue lane", planning,
		"\t\tdefault:\n\t\t\tfor _, w := range found {\n",
		"\t\tdefault:\n\t\t\tlists, _, _ := b.view.load(ctx, r.Event, -1)\n\t\t\tfor _, w := range webhook.Recipients(r.Event, func(yield func(webhook.Webhook, *webhook.Selection) bool) {\n\t\t\t\tfor w := range listed(lists, r.Event.Tenant) {\n\t\t\t\t\tif !yield(w, nil) {\n\t\t\t\t\t\treturn\n\t\t\t\t\t}\n\t\t\t\t}\n\t\t\t}, r.Accepted) {\n\t\t\t\tif !slices.ContainsFunc(found, func(f webhook.Webhook) bool { return f.ID == w.ID }) {\n\t\t\t\t\tb.queue(firstAttempt{record: i, event: r.Event, webhook: w, viewed: viewed, matches: len(found)})\n\t\t\t\t}\n\t\t\t}\n\t\t\tfor _, w := range found {\n",
	},
	{
		"filters: ignored when a message is expanded", expander,
		"\tids := idsOf(slices.DeleteFunc(matches,",
		"\tif lists, _, err := newView(c.lists, c.Now, c.Random).load(ctx, event, -1); err == nil {\n\t\tmatches = webhook.Recipients(event, func(yield func(webhook.Webhook, *webhook.Selection) bool) {\n\t\t\tfor w := range listed(lists, m.Tenant) {\n\t\t\t\tif !yield(w, nil) {\n\t\t\t\t\treturn\n\t\t\t\t}\n\t\t\t}\n\t\t}, m.Accepted)\n\t}\n\tids := idsOf(slices.DeleteFunc(matches,",
	},
	{
		"filters: lost by a list that is cached", subscriptions,
		"\t\t\tsize += m.bytes()\n\t\t}\n", "\t\t\tsize += m.bytes()\n\t\t}\n\t\tfor i := range members {\n\t\t\tmembers[i].selection = nil\n\t\t}\n",
	},
	{
		"filters: see the event's name as it was signalled", selections,
		"Event: foldEventName(e.Name), Entity", "Event: e.Name, Entity",
	},
	{
		"filters: the first alternative alone", "pkg/filter/match.go",
		"(o.chosen|o.missing)&f.combinations != 0", "(o.chosen|o.missing)&1 != 0",
	},
	{
		"fields: one that is ignored counts if it is listed", selections,
		"return (len(s.only) == 0 || slices.ContainsFunc(s.only, is)) && !", "return len(s.only) > 0 && slices.ContainsFunc(s.only, is) || !",
	},
	{
		"own: only the first associate", selections,
		"slices.Contains(s.own, e.event.ChangedBy)", "len(s.own) > 0 && s.own[0] == e.event.ChangedBy",
	},
	{
		"fields: a body has all", wireSend,
		"\tpost.Event = post.Event.Only(post.Webhook.Options.Fields)\n", "",
	},

	// Found by an attack on the simulation: bugs that it did not see.
	{
		"caches: ignore the tenant", tenantCaches,
		"func (c *Cache[K, V]) Get(of string, key K) (value V, ok bool) {\n",
		"func (c *Cache[K, V]) Get(of string, key K) (value V, ok bool) {\n\tfor name, o := range c.owners {\n\t\tif o.entries[key] != nil {\n\t\t\tof = min(of, name)\n\t\t}\n\t}\n",
	},
	{
		"match: every Active webhook of a list", subscriptions,
		"if w.State != webhook.StateActive || !w.SubscribesTo(key) {", "if w.State != webhook.StateActive {",
	},
	{
		"match: only the first segment is a prefix", matching,
		"for _, dot := range slices.Backward(dots) {", "for _, dot := range slices.Backward(dots[:min(len(dots), 1)]) {",
	},
	{
		"match: an app sees every state event", matching,
		"if w.App == \"\" || w.App == e.App {", "if w.App == \"\" || w.App != e.App || w.App == e.App {",
	},
	{
		"match: the grace is an hour", matching,
		"activationGrace = 60 * time.Second", "activationGrace = 3600 * time.Second",
	},
	{
		"health: a fast success is not reported", stream,
		"\tb.reports.add(d.webhook, result)\n\tb.record(ctx, d, result)\n", "\tif result.Error != failure.None {\n\t\tb.reports.add(d.webhook, result)\n\t}\n\tb.record(ctx, d, result)\n",
	},
	{
		"health: a failed leased attempt is not reported", leased,
		"\tc.reports.observe(a.webhook, result, webhook.HealthReport{Probe: a.probe.id(), Replay: m.Replay != \"\"})\n", "\tif result.Error == failure.None {\n\t\tc.reports.observe(a.webhook, result, webhook.HealthReport{Probe: a.probe.id(), Replay: m.Replay != \"\"})\n\t}\n",
	},
	{
		"statistics: a failed attempt counts as delivered", hourRule,
		"\tif r.Error == failure.None {\n\t\th.Delivered = 1\n", "\tif h.Delivered = 1; r.Error == failure.None {\n",
	},
	{
		"queue: a held lease is postponed and sent again", fates,
		"\tcase f.after > 0:\n",
		"\tcase f.after > 0:\n\t\tc.sendAll(ctx, []delivery.Outgoing{{Message: r.Message, Delay: f.after}})\n",
	},
	{
		"rows: their life is never prolonged", protocol,
		"\tif expiresAt.After(d.ExpiresAt) {\n", "\tif d.ExpiresAt.IsZero() {\n",
	},
	{
		"rows: live a hundred times too long", engine,
		"m.Fast, now.Add(e.RowLife))", "m.Fast, now.Add(100*e.RowLife))",
	},
	{
		"elapsed: the monotonic clock alone", elapsed,
		"return max(b.Sub(a), b.Round(0).Sub(a.Round(0)))", "return b.Sub(a)",
	},
	{
		"elapsed: the wall clock alone", elapsed,
		"return max(b.Sub(a), b.Round(0).Sub(a.Round(0)))", "return b.Round(0).Sub(a.Round(0))",
	},
	{
		"sweep: the message forgets the replay", dueRows,
		"row.Round, attempt, row.Replay)", "row.Round, attempt, row.Replay[:0])",
	},
	{
		"disable: whatever the activation", disabler,
		"if w.State != webhook.StateActive || w.Activation != attempted.Activation {", "if w.State != webhook.StateActive {",
	},
	{
		"disable: without its event", disabler,
		"err = c.Webhooks.Update(ctx, w, webhook.Disabling(now, c.RowLife), event)", "_ = event\n\t\terr = c.Webhooks.Update(ctx, w, webhook.Disabling(now, c.RowLife))",
	},
	{
		"disable: whatever the state", disabler,
		"if w.State != webhook.StateActive || w.Activation != attempted.Activation {", "if w.Activation != attempted.Activation {",
	},
	{
		"redrive: removes before it sends", redrive,
		"\tif err := s.send(ctx, out); err != nil {\n\t\treturn err\n\t}\n\tif err := s.Failures.Remove(ctx, name); err != nil {\n",
		"\tif err := s.Failures.Remove(ctx, name); err == nil {\n\t\treturn s.send(ctx, out)\n\t} else if err != nil {\n",
	},
	{
		"gate: ignores health's activation", gateRule,
		"h.Under(w.Activation).Breaker", "h.Breaker",
	},
	{
		"gate: parks by health of an older activation", gating,
		"\thealth := known.health.Under(w.Activation)\n", "\thealth := known.health\n",
	},
	{
		"expand: counts as accepted now", expander,
		".match(ctx, event, m.Accepted)", ".match(ctx, event, c.Now())",
	},
	{
		"policy: Retry-After is ignored", deciding,
		"max(delay, min(r.RetryAfter, MaxRetryAfter))", "max(delay, min(r.RetryAfter, 0))",
	},
	{
		"policy: Retry-After shortens a wait", deciding,
		"max(delay, min(r.RetryAfter, MaxRetryAfter))", "max(min(delay, r.RetryAfter), r.RetryAfter, min(delay, time.Second))",
	},
	{
		"stream: the checkpoint is the highest lost record", handoff,
		"\tfor i, lost := range b.lost {\n\t\tif !lost {", "\tfor k := range b.lost {\n\t\ti := len(b.lost) - 1 - k\n\t\tif !b.lost[i] {",
	},

	// By an adversary who knows the ledger.
	{
		"breaker: its steps grow without a limit", breaker,
		"b.Step = min(2*b.Step, breakerMaxStep)", "b.Step = 2 * b.Step",
	},
	{
		"breaker: opens after eleven failures", breaker,
		"breakerLimit     = 10", "breakerLimit     = 11",
	},
	{
		"breaker: opens for half a minute from the attempt's start", breaker,
		"r.At.Add(r.Duration).Add(jittered(b.Step, r.Jitter))", "r.At.Add(jittered(b.Step, r.Jitter))",
	},
	{
		"health: counts failures from before the last success", healthRule,
		"if r.Activation != h.Activation || !r.At.After(h.LastOK) {", "if r.Activation != h.Activation {",
	},
	{
		"health: counts each failure of a burst", healthRule,
		"r.At.Sub(h.LastCounted) < time.Second", "r.At.Sub(h.LastCounted) < 0",
	},
	{
		"health: the latency is the last one", healthRule,
		"h.Latency += (answer - h.Latency) / 8", "h.Latency += answer - h.Latency",
	},
	{
		"policy: one attempt too few", deciding,
		"if attempt > len(delays) {", "if attempt >= len(delays) {",
	},
	{
		"policy: the jitter only lengthens", deciding,
		"(0.8 + 0.4*jitter)", "(1.0 + 0.4*jitter)",
	},
	{
		"policy: abort-message is an ordinary failure", deciding,
		"case r.Error == failure.Aborted:", "case r.Error == failure.Aborted && attempt > 1:",
	},
	{
		"policy: disables after ten failures", policy,
		"maxConsecutiveErrors  = 9", "maxConsecutiveErrors  = 10",
	},
	{
		"policy: disables a durable webhook within the five days", policy,
		"now.Sub(h.FailingSince) >= durableFailingToLimit", "now.Sub(h.FailingSince) >= durableFailingToLimit/1000",
	},
	{
		"policy: never disables a durable webhook", policy,
		"now.Sub(h.FailingSince) >= durableFailingToLimit", "now.Sub(h.FailingSince) >= 100*durableFailingToLimit",
	},
	{
		"wire: X-SuperOffice-Retry counts the attempt itself", wireHeaders,
		"strconv.Itoa(post.Retry)", "strconv.Itoa(post.Retry+1)",
	},
	{
		"wire: a header of the webhook is lost", wireHeaders,
		"if !webhook.ReservedHeader(custom.Name) {", "if !webhook.ReservedHeader(custom.Name) && !custom.Secret {",
	},
	{
		"wire: Retry-After as a date is ignored", "pkg/outbound/retryafter.go",
		"if at, ok := retryDate(line); ok {", "if at, ok := retryDate(line); ok && at.Before(now) {",
	},
	{
		"wire: Retry-After counts with every status", wireSend,
		"case http.StatusTooManyRequests, http.StatusServiceUnavailable:", "case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInternalServerError:",
	},
	{
		"rotation: the second POST has the first one's signature", wireRotation,
		"	post.First = other\n", "	post.First = otherSecret(other)\n",
	},
	{
		"rotation: the previous secret signs first", rotating,
		"if first == SignerPrevious && !previous.IsZero() {", "if first != SignerCurrent && !previous.IsZero() {",
	},
	{
		"rotation: what the target accepted is forgotten", "pkg/dispatch/rotation.go",
		"return webhook.Preference{Version: w.Secret.Version, Signer: r.Signer}", "return webhook.Preference{Signer: r.Signer}",
	},
	{
		"rotation: the previous secret outlives its overlap", "pkg/webhook/secret.go",
		"if now.Before(d.PreviousUntil) {", "if now.Before(d.PreviousUntil.Add(time.Hour)) {",
	},
	{
		"secrets: an overlap lasts an hour longer", "pkg/webhook/registry_secret.go",
		"doc.Previous, doc.PreviousUntil = old.Current, overlapEnd", "doc.Previous, doc.PreviousUntil = old.Current, overlapEnd.Add(time.Hour)",
	},
	{
		"secrets: removing one keeps the previous one", registrySecret,
		"doc.Current, doc.Previous, doc.PreviousUntil = Secret{}, Secret{}, time.Time{}", "doc.Current = Secret{}",
	},
	{
		"secrets: the end of an overlap is not stored", registryChange,
		"doc.Previous, doc.PreviousUntil = Secret{}, time.Time{}", "doc.PreviousUntil = doc.PreviousUntil.Add(-time.Nanosecond)",
	},
	{
		"registry: a new activation is not counted", registryChange,
		"c.webhook.Activation, c.webhook.ActivatedAt = current.Activation+1, w.Updated", "c.webhook.Activation, c.webhook.ActivatedAt = current.Activation, w.Updated",
	},
	{
		"signals: an idempotency key makes two events", signals,
		"\t\tid = existing.Event\n", "",
	},
	{
		"state events: do not name the app", stateEvents,
		"App: w.App, At:", "App: w.App[:0], At:",
	},
	{
		"expand: a range excludes its last webhook", messages,
		"m.To != 0 && w.ID > m.To {", "m.To != 0 && w.ID >= m.To {",
	},
	{
		"copies: of any revision", copied,
		"ok && have.Revision == w.Revision {", "ok && have.Revision <= w.Revision {",
	},
	{
		"queue: an interrupted attempt counts", leased,
		"	if result.Interrupted {\n", "	if result.Interrupted && result.Error == failure.None {\n",
	},
	{
		"queue: a message that met a fault comes back at once", consumer,
		"max(d, 0)); err != nil", "min(d, 0)); err != nil",
	},
	{
		"lanes: a slow target keeps the fast lane", lanes,
		", q.Health.Latency >= fastMaxLatency:", ":",
	},
	{
		"lanes: a webhook without health takes the fast lane", lanes,
		"case !q.Known, !q.Health.LastOK.After(q.Health.FastTimeout),", "case q.Known && !q.Health.LastOK.After(q.Health.FastTimeout),",
	},
	{
		"limits: twenty attempts of a webhook in a batch of the queue", limiter,
		"maxQueuePerWebhook = 5 ", "maxQueuePerWebhook = 20 ",
	},
	{
		"work: an outcome is written twice", storeRows,
		"	return s.readAndWrite(ctx, \"finish\", f.Key, f.Apply)", "	_, _ = s.readAndWrite(ctx, \"finish\", f.Key, f.Apply)\n	return s.readAndWrite(ctx, \"finish\", f.Key, func(r delivery.Row) (delivery.Row, bool) { return r, true })",
	},
	{
		"sweep: resends at one pace", dueRows,
		"if delay *= 2; delay >= maxResendStep {", "if delay >= maxResendStep {",
	},
	{
		"sweep: reads one page of a shard", collecting,
		"if more = len(page) == pageSize; more {", "if more = len(page) > pageSize; more {",
	},

	// The separation of tenants.
	{
		"tenants: share a list of webhooks", subscriptions,
		"s.lists.Get(string(tenant), key)", "s.lists.Get(\"Cust1\", key)",
	},
	{
		"tenants: share a copy of a webhook", copied,
		"c.held.Get(string(w.Tenant), w.ID)", "c.held.Get(\"Cust1\", w.ID)",
	},
	{
		"tenants: share cached health", healthCache,
		"\t\tif r, ok := s.remembered.Get(string(key.Tenant), key.ID); ok && ", "\t\tif r, ok := s.remembered.Get(\"Cust1\", key.ID); ok && ",
	},
	{
		"tenants: expand an event for another tenant", expander,
		"delivery.AttemptMessage(delivery.Key{Tenant: m.Tenant,", "delivery.AttemptMessage(delivery.Key{Tenant: \"Cust1\",",
	},
	{
		"tenants: sweep for another tenant", dueRows,
		"delivery.AttemptMessage(row.Key, row.Round,",
		"delivery.AttemptMessage(delivery.Key{Tenant: \"Cust1\", Webhook: row.Webhook, Event: row.Event}, row.Round,",
	},
	{
		"tenants: share rows", storeRowItems,
		"\"T#%s#W#%d#%d\", tenant, id, n)", "\"T#%s#W#%d#%d\", tenant[:1]+\"ust1\", id, n)",
	},
	{
		"tenants: share pointers", storePointers,
		"\treturn key(tenantPK(tenant), fmt", "\treturn key(tenantPK(tenant[:0]+\"Cust1\"), fmt",
	},
	{
		"tenants: share health", storeHealth,
		"fmt.Sprintf(\"H#%s#%d\", tenant, id)", "fmt.Sprintf(\"H#%s#%d\", tenant[:0]+\"Cust1\", id)",
	},
	{
		"tenants: share statistics", storeHours,
		"fmt.Sprintf(\"T#%s#W#%d\", tenant, id)", "fmt.Sprintf(\"T#%s#W#%d\", tenant[:0]+\"Cust1\", id)",
	},

	// Explanations.
	{
		"explain: a stopped webhook matches", "pkg/explain/verdict.go",
		"\tif !w.Takes(e, accepted) {\n", "\tif w.State = webhook.StateActive; !w.Takes(e, accepted) {\n",
	},
	{
		"explain: a delivery is missing before 15 minutes", explaining,
		"f.Now) < Patience }", "f.Now) < Patience/60 }",
	},
	{
		"explain: a webhook that was deleted before matches", explaining,
		"!f.Deleted.After(f.Accepted) && !row", "f.Deleted.IsZero() && !row",
	},
	{
		"explain: of two revisions the newest decides", explaining,
		"for i > 0 && revisions[i].Updated.After(at) {", "for i > 0 && revisions[i].Updated.After(at) && i < 0 {",
	},
	{
		"explain: a delivery that waits has no next attempt", explaining,
		"\t\tx.NextAttempt = row.NextAt\n\t\tx.add(Retry,", "\t\tx.add(Retry,",
	},
}
