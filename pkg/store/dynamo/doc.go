// Package dynamo keeps webhooks, events, deliveries and jobs in three DynamoDB
// tables: the contracts [webhook.Webhooks], [webhook.Events],
// [delivery.Store], [job.Jobs], [tenancy.Tenants],
// [tenancy.Credentials], [source.Sources] and [statistics.Store]. [DecodeStream] decodes the Events table's stream.
//
// It refuses to scan, to write without a condition where writers can race, to
// create tables (the template does) and to write rows with BatchWriteItem,
// which takes no conditions.
//
// This page is the reference for the layout. All tables have the string keys pk
// and sk, are billed per request, and use expires_at as their TTL attribute.
// Times are Unix milliseconds unless noted otherwise; zero values are omitted.
// An expiry is stored twice: expires_at (seconds, rounded up) tells DynamoDB when
// to remove the item, which may happen days late; expires_ms decides what readers
// see.
//
// # Table Webhooks
//
//	item        pk             sk                    written by: condition                 read by
//	webhook     T#<tenant>     W#<id, 10 digits>     save: absent, or rev as read          API, dispatch
//	pointer     T#<tenant>     S#<key>#<id>          save: absent, or rev < new            dispatch
//	history     V#<tenant>#<id> <revision, 19 digits> save, delete, disabling: none        API
//	EPOCH       T#<tenant>     EPOCH                 every save: n + 1; create: webhooks   dispatch, each batch; create
//	                                                 is under the limit
//	SEQ         T#<tenant>     SEQ                   create: n + 1                         create
//	health      H#<tenant>#<id> HEALTH               delivery: absent, or version as read  API, dispatch (eventually
//	                                                                                       consistent)
//	hour        T#<tenant>#W#<id> HOUR#<2006-01-02T15>   delivery: none (ADD)              API (eventually consistent)
//	intent      O              <secret name>         save, rotation: absent                sweep
//	job, runs   JOBS           <job id>              creator: absent; sweep, API: rev as   sweep, API
//	                                                 read
//	job, ended  J#<job id>     J                     the write that ends it, in one        API
//	                                                 transaction with its removal above
//	its copy    J#<tenant>#<webhook> <job id>        with it, if it is about a webhook     API
//	its lock    J#<tenant>#<webhook> RUNNING         create: absent; removed by the write   create, API
//	                                                 that ends the job
//	tenant      TENANTS        <tenant>              administrator: absent         administrator; calls with a
//	                                                                               credential that is not stored,
//	                                                                               or a publisher's
//	credential  C#<sha256>     C                     administrator: absent, and    every call
//	                                                 its tenant is not deleting
//	its copy    T#<tenant>     C#<credential id>     with it                       administrator
//	source      SOURCES        <name>                administrator: absent, or     administrator; ingest, sweep
//	                                                 rev as read
//	their count SOURCES        N                     create: n + 1, under the      create
//	                                                 limit; delete: n - 1
//	its counts  SOURCE#<name>  COUNTS                ingest: none (ADD)            administrator, sweep
//
// The webhook item is the only source of truth about a webhook; encodeWebhook
// lists its attributes. Every write is conditional on its revision, rev. The
// webhook, EPOCH and the events a write raises are committed in one transaction,
// so a list that dispatch loads after reading EPOCH stays valid until EPOCH
// changes. Pointers are put before that transaction and pruned after it;
// pointers.go explains why none is ever lost. A writer that loses a race takes
// back only the pointers that the winning item does not hold.
//
// The same transaction puts the replaced webhook into the history, without secret
// values, with action, replaced_at, replaced_by, replaced_app, changed (names of
// members), partial and an expiry, and deletes the entry 100 revisions before it, so
// a webhook has at most 100. The put needs no condition: only the transaction that
// replaces a revision writes its entry.
//
// secret_sealed is the webhook's secret document, encrypted, if it is stored in the
// item. No other item has it, except for the documents of sources.
//
// EPOCH also counts the tenant's webhooks. The same transaction increments the
// count on create and decrements it on delete, so the limit needs no extra write
// and holds under concurrent creates and deletes. A create refused by the limit
// leaves its pointers behind.
//
// Deleting a webhook replaces its health with a tombstone (gone, kept 15 days) in
// the same transaction. Late reports then cannot create a row that is never
// removed, and a create that finds the tombstone is refused, so ids are never
// reused.
//
// An hour of statistics has attempts, delivered, failed, an expiry, and the buckets
// of both histograms that are not empty: d<n> for durations, l<n> for the times from
// acceptance to delivery. It fits in one write unit whatever it counts. Delivery adds
// to it and never reads it, without a condition, also for a deleted webhook. It is
// approximate: a process that dies loses what it has not added yet.
//
// A credential and its copy are created and deleted in one transaction and never
// change. Both have tenant, id, hash, kind, associate, app, scopes, tenants (that a
// publisher may name, at most 32 KiB), role, within (hashes), created and an expiry. All reads of C#<sha256> are consistent, so the
// next call with a deleted credential is refused. A tenant has created and, once
// its deletion begins, deleting (a job's id).
//
// Intents share one partition, so that the sweep lists them by key; the secret
// store's limit of 50 new secrets per second bounds its traffic. Running jobs
// share one too: each is written once per slice of work. A job that ends leaves
// that partition and stays readable by its id until TTL removes it. A job about a webhook
// is created together with the webhook's lock, which names it, so that one runs at a time,
// and ends together with its removal and a copy, so that the webhook's jobs are listed by
// one query. A job has
// kind, tenant, webhook, status, reason, cursor, examined, processed (both counts),
// from, to, plan and progress (both JSON), not_before, by, made, updated and rev, which
// counts its writes.
//
// A source is one JSON document, doc, with the version of its schema, and rev.
// Creating one, counting them and removing counts that an older source of the
// name left behind is one transaction; so is deleting one with its counts. The
// counts are approximate: numbers are added without a condition, even for a
// source that is gone. s#<reason> and m#<name> count skips and missing names;
// last_taken, and fault with fault_at, are replaced by later ones only.
//
// # Table Events
//
// Stream NEW_IMAGE. No index.
//
//	item     pk                   sk           condition                       read by
//	event    T#<tenant>#<0..15>   <event id>   absent                          stream; API, retry, replay
//	marker   K#<tenant>#<hash>    K            absent, or expires_ms <= now,   the claim itself; API
//	                                           or for the webhook replaced
//
// The number in an event's pk is EventID.Partition(16). Attributes: name, key
// (primary key), data (JSON) or packed (the same, deflated, where that saves a
// 1 KB write unit), by (AssociateId), at (ticks of 100 ns), hops, app (of the
// webhook that a state event is about). A marker has event or webhook, and body; the
// API finds a relayed event by that of the sender's id (webhook.OnceKey). Search reads
// one page of each partition, newest first, and filters it: there is no index.
// An expired event that TTL has not removed yet is deleted before it is put again:
// overwriting it would not be an INSERT.
//
// The stream's event source mapping filters with
//
//	{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"T#"}]}}}}
//
// which excludes markers and TTL removals. DecodeStream excludes both as well, so
// the filter only saves invocations.
//
// # Table Deliveries
//
//	item       pk                          sk           written by: condition        read by
//	row        T#<tenant>#W#<id>#<0..7>    <event id>   delivery, sweep: see below   delivery, sweep, API
//	timer      T#<tenant>#W#<id>           TIMER        delivery, sweep: absent, or  delivery, sweep
//	                                                    ver as read; delivery, API,
//	                                                    to pull it: sweep_at > now
//	response   R#<tenant>#W#<id>#<0..7>    <event id>   delivery: absent, or an      API, one delivery at a time
//	                                                    earlier attempt's
//
// The number is EventID.Partition(8). Attributes: status, round, attempt,
// lease_by and lease_until (removed with the lease, never zeroed), next_at,
// sweep_at and due_shard (unfinished rows only), parked (the event id, of parked rows
// only), resends, replay, attempts
// (a list of "number at duration code error detail made", times in base 36
// milliseconds, made being the lane's first letter and the round; the last one ends
// with ":revision.body.letters", which identify its request),
// count (of all attempts), response, event (name), key (primary key), entity (if
// the name does not say it), skey (Key), reason, created, updated, and
// ver, which counts the writes. The names and the response are bounded so that the
// row of a success fits in 1 KB; see delivery.NewSeed.
//
// A response is that of the last failed attempt if the row has no room for all of
// it: n (the attempt's number), at, and text or packed (the same, deflated). Its
// key is not the row's, so that no list of rows reads it.
//
// A timer has sweep_at, due_shard, ver (which counts the writes), empty_since and
// width, and no expiry. Its pk is that of no row, so that no list of rows reads it.
// Every write and the removal are conditional on ver, and a write raises it: a visit
// that read an older timer changes nothing.
//
// # A row's life
//
// Each line is one write of one row. The columns on the right say which of the two
// indexes the row is in after it, with the time that it is due.
//
//	write                                                         due: sweep_at       parked
//	RecordFirst: the first attempt succeeded, or was the last     -                   -
//	RecordFirst, Finish: it failed, and another one follows       the attempt + 5 min -
//	StartRound: a person or a replay begins the next round        the attempt + 5 min -
//	Park, of a message, or Defer, of a due row: the breaker is    the net: + 40 to    yes
//	  open and the attempt is due; NextAt and attempt stay          48 h
//	Lease of a new row, or of a parked one                        the lease + 5 min   -
//	Lease of another row                                          as before           -
//	Yield: the lane cut the attempt, the next one repeats it      + 5 min             -
//	Finish, MarkDelivered: it succeeded; End: it is not needed    -                   -
//	MakeDue: its message is late or dead                          soon                -
//	Claim: the sweep sends its message (also in the net)          later, each time    -
//
// So every pending row is due at some time, and whatever takes a row out of the index
// parked sets an early one in the same write. While a row is parked, nothing
// writes it: its webhook's timer is due instead, and drains take the rows from the
// index.
//
// Every write is conditional: either the row is absent, or ver and created match
// the row that the protocol's function was applied to; see Deliveries. Three
// updates skip the read. Their conditions are:
//
//   - lease: status is pending and round is the lease's; and either attempt is
//     the previous one and lease_by is absent (the next attempt), or attempt is
//     this one and lease_until has passed (the holder died). expires_ms > now,
//     since an expired row counts as absent; expires_ms <= the new value, since
//     a row's life never shrinks. parked is absent, or, if the row was seen parked,
//     present; that update also removes it and sets sweep_at. So a lease of a row
//     that is not parked changes no index, and one that finds the other state takes
//     a second write.
//   - claim: status is pending and sweep_at is the value seen, so that only one
//     of two sweeps wins. expires_ms > now.
//   - defer: as for claim, and lease_by is absent; next_at <= now, since only an
//     attempt that is due is parked; expires_ms as for lease.
//
// Index due: due_shard (number) and sweep_at (number), projecting next_at, resends and
// parked; read by the sweep. due_shard is DueShard of a row's key, 0 to 15, or 16 plus
// TimerShard of a timer's, so that no number of due rows delays a timer. The index is
// sparse: a delivery that succeeds on its first attempt never enters it and costs one
// write unit.
//
// Index parked: pk and parked (the event id), projecting round, attempt, count and
// replay, which is what a lease needs; read by drains, by the sweep's visits of timers
// and by the API, which counts. It is sparse because only parked rows have the
// attribute; sk, with the same value, would put every row into it.
//
// # Lost responses
//
// The SDK repeats a call whose response it did not receive. A transaction carries
// a token and is applied once. A repeated single write is refused because of its
// own first effect, which is safe everywhere: the pointer or event exists, health,
// an hour's attempts and a source's records are counted twice, an unclaimed lease
// expires, the next sweep finds the row of a claim or a failure, and a success
// continues as MarkDelivered, which finds its work done. A row that was parked is
// refused as parked, which ends its message. A timer that was written is refused for
// its version: the consumer that parks reads it again, the sweep finds it a minute later.
package dynamo
