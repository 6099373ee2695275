// Package embedded is the store, the queue, the secret store and the change
// feed of the local run, in one bbolt file: durable twins of DynamoDB, SQS,
// Secrets Manager and DynamoDB Streams that pass the same conformance suites.
//
// One goroutine commits. Writers hand it their change; it takes all that are
// waiting, runs them in one transaction, syncs once, and wakes them: so a
// hundred writers cost one sync, and each still waits for its own. A change
// that is refused has written nothing, since every function here decides before
// it writes; one that fails otherwise is rolled back, and the others run again.
//
// [Pump] plays AWS's event source mappings: it hands the feed, the queue and
// the minute to whoever handles them.
//
// The package is for one process on one machine: a second one that opens the
// file gets an error at once. It is no server and does no encryption; the file
// is readable by its owner alone.
//
// # Layout
//
//	bucket      key                                         value
//	webhooks    tenant 0 id                                 webhook, JSON
//	graves      tenant 0 id                                 until when a deleted webhook's id is refused, JSON
//	pointers    tenant 0 subscription key 0 id              -
//	epochs      tenant                                      number
//	ids         tenant                                      last id drawn
//	health      tenant 0 id                                 health, JSON
//	intents     secret name                                 intent, JSON
//	tenants     tenant                                      tenant, JSON
//	credentials hash                                        credential, JSON
//	issued      tenant 0 credential id                      hash
//	events      tenant 0 event id                           event, JSON
//	claims      tenant 0 idempotency key                    claim, JSON
//	feed        partition, sequence                         commit time, key of the event
//	deliveries  tenant 0 webhook id, event id               row, JSON
//	due         shard, sweep time, key of the delivery      -
//	queue       number                                      message, JSON
//	ready       time when visible, number                   fairness group
//	dead        number                                      letter, JSON
//	secrets     secret name                                 versions and labels, JSON
//	jobs        job id                                      job that runs, JSON
//	ended       job id                                      job that has ended, JSON
//	expiry      time, bucket, key of the item               -
//
// expiry holds items that expire, at a time that is at or before their own:
// whoever creates an item notes it there, and the purge notes it again if its
// life has grown. The bucket is one byte, its place in the list expiring.
//
// Numbers and times are big-endian, ids 4 bytes, all others 8, times in
// milliseconds.
package embedded
