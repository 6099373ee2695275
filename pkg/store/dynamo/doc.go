// Package dynamo keeps webhooks, events, deliveries and jobs in three DynamoDB
// tables: the contracts [webhook.Webhooks], [webhook.Events],
// [webhook.Deliveries], [webhook.Jobs], [webhook.Tenants] and
// [webhook.Credentials]. [DecodeStream] reads what the stream of the events says.
//
// It refuses to scan, to write without a condition where another writer may
// come between, to create tables (the template does) and to write rows by
// BatchWriteItem, which takes no conditions.
//
// This page is the reference of the layout. All tables have the keys pk and sk,
// both texts, are paid per request, and have the TTL attribute expires_at.
// Moments are unix milliseconds unless said otherwise; what is zero is left out.
// An expiry stands twice: expires_at (seconds, rounded up) is DynamoDB's to
// remove the item by, days late perhaps; expires_ms decides what readers see.
//
// # Table Webhooks
//
//	item        pk             sk                    written by, if                        read by
//	webhook     T#<tenant>     W#<id, 10 digits>     save: absent, or rev is the one read  API, dispatch
//	pointer     T#<tenant>     S#<key>#<id>          save: absent, or rev < new            dispatch
//	EPOCH       T#<tenant>     EPOCH                 every save: n + 1; create: webhooks   dispatch, each batch; create
//	                                                 is under the limit
//	SEQ         T#<tenant>     SEQ                   create: n + 1                         create
//	health      H#<tenant>#<id> HEALTH               delivery: absent, or version is the   API, dispatch (eventually
//	                                                 one read                              consistent)
//	intent      O              <secret name>         secrets' makers: absent               sweep
//	job, runs   JOBS           <job id>              its maker: absent; sweep, API: rev is sweep, API
//	                                                 the one read
//	job, ended  J#<job id>     J                     the write that ends it, in one        API
//	                                                 transaction with the removal above
//	tenant      TENANTS        <tenant>              administrator: absent         administrator; calls with a
//	                                                                               credential that is not stored
//	credential  C#<sha256>     C                     administrator: absent, and    every call
//	                                                 its tenant is not deleting
//	its copy    T#<tenant>     C#<credential id>     with it                       administrator
//
// The webhook item alone is the truth about a webhook; encodeWebhook lists its
// attributes. rev is its revision, which every write is conditional on. Its
// write, EPOCH's, and the events that it raises are one transaction, so that a
// list which dispatch loaded after it had read EPOCH is valid as long as EPOCH
// stays. Pointers are put before that transaction and pruned after it; why that
// never loses one stands in pointers.go. A writer that lost the race takes back
// only pointers that the item which beat it does not hold.
//
// EPOCH also counts the tenant's webhooks: a create adds one, a delete takes one
// away, in that transaction, so the limit costs no write of its own and holds
// whoever else creates or deletes. A create that it refuses leaves its pointers.
//
// Deleting a webhook puts a tombstone (gone, kept 15 days) over its health in
// the same transaction: late reports must not raise a row that nobody removes,
// and a create in whose transaction the tombstone stands is refused, so that no
// id returns.
// A credential and its copy are made and deleted in one transaction and never
// change; both have tenant, id, hash, kind, associate, app, scopes, role, within
// (hashes), created and an expiry. What is gone from C#<sha256> is refused by the
// next call: all its reads are consistent. A tenant has created and, as soon as
// it is being deleted, deleting (a job's id).
//
// Intents lie in one partition of their own, so that the sweep lists them by
// key; the secret store's limit of 50 new secrets a second bounds its traffic.
// So do the jobs that run: each is written once a slice of its work. One that has
// ended leaves that partition and stays readable by its id until TTL removes it.
// A job has kind, tenant, status, reason, cursor, examined, created (both
// counts), from, to, by, made, updated and rev, which counts its writes.
//
// # Table Events
//
// Stream NEW_IMAGE. No index.
//
//	item     pk                   sk           written, if                     read by
//	event    T#<tenant>#<0..15>   <event id>   absent                          stream; API, retry, replay
//	marker   K#<tenant>#<hash>    K            absent, or expires_ms <= now,   the claim itself
//	                                           or it is of the webhook replaced
//
// The number in an event's pk is EventID.Partition(16). Attributes: name, key
// (primary key), data (JSON text) or packed (the same deflated, where that saves
// a write unit of 1 KB), by (AssociateId), at (ticks of 100 ns), hops. A marker
// has event or webhook, and body. An event that has expired but was not removed yet is
// deleted before it is put again: overwriting it would be no INSERT.
//
// The stream's event source mapping filters with
//
//	{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"T#"}]}}}}
//
// which leaves out markers and what TTL removes. DecodeStream leaves both out as
// well, so that the filter saves invocations and decides nothing.
//
// # Table Deliveries
//
//	item    pk                          sk           read by
//	row     T#<tenant>#W#<id>#<0..7>    <event id>   delivery, sweep, API
//
// The number is EventID.Partition(8). Attributes: status, round, attempt,
// lease_by and lease_until (removed with the lease, never zeroed), next_at,
// sweep_at and due_shard (only of rows that are not finished), resends, replay,
// attempts (a list of "number at duration code error", times in milliseconds to
// base 36), count (of all attempts), response, event, key, reason, created,
// updated, and ver, which counts the writes.
//
// Every write is conditional: that no row is there, or that ver and created are
// those of the row the protocol's function was applied to; see Deliveries. The
// conditions of the three updates that begin without a read are:
//
//   - lease: status is pending, round is the lease's; and either attempt is the
//     one before and there is no lease_by (the next attempt), or attempt is this
//     one and lease_until has passed (the holder died). expires_ms > now, since
//     an expired row is absent; expires_ms <= the new one, since a row's life
//     never shrinks.
//   - claim: status is pending and sweep_at the one seen, so that of two sweeps
//     one wins. expires_ms > now.
//   - defer: as claim, and there is no lease_by; next_at <= the new one, since
//     an attempt is never put forward; expires_ms as for lease.
//
// Index due: due_shard (number, DueShard of the row's key) and sweep_at (number),
// projecting next_at and resends; read by the sweep. It is sparse: a delivery
// that succeeds at once never enters it and costs one write unit. A lease
// changes nothing in it.
//
// # Answers that are lost
//
// The SDK repeats a call whose answer it did not get. A transaction carries a
// token and takes place once. A single write that did take place is then
// refused by its own result. That is safe everywhere: a pointer is there, an
// event is there, health is counted twice, a lease that nobody knows of runs
// out, a claim's or a failure's row is found by the next sweep, and a success
// goes on as MarkDelivered, which finds its work done.
package dynamo
