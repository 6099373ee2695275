// Package embedded is the store, the queue, the secret store and the change
// feed of the local run, in one bbolt file: durable counterparts of DynamoDB,
// SQS, Secrets Manager and DynamoDB Streams that pass the same conformance
// suites.
//
// One goroutine commits. Writers pass their changes to it; it takes all that are
// waiting, runs them in one transaction, syncs once, and wakes the writers. A
// hundred writers thus share one sync, and each still waits until its change is
// durable. A refused change has written nothing, since every function here
// decides before it writes. A change that fails otherwise is rolled back, and the
// others run again.
//
// [Pump] does the work of AWS's event source mappings: it passes the feed and the queue to
// their handlers and calls a handler every minute.
//
// The package is for one process on one machine: opening the file from a second
// process fails at once. It does not listen on a network, and of the data encrypts
// only the secrets of webhooks: only the file's owner can read it.
//
// # Layout
//
//	bucket      key                                         value
//	webhooks    tenant 0 id                                 webhook, JSON
//	history     tenant 0 id, revision                       replaced webhook and its change, JSON
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
//	responses   tenant 0 webhook id, event id               response of the last failed attempt, JSON
//	statistics  tenant 0 webhook id, hour                   counts of the hour, JSON
//	due         shard, sweep time, key of the delivery      -
//	queue       number                                      message, JSON
//	parked      tenant 0 webhook id, partition, event id    -
//	timers      tenant 0 webhook id                         timer, JSON
//	duetimers   shard, time when due, tenant 0 webhook id   -
//	ready       lane, group 0, time when visible, number    -
//	dead        number                                      letter, JSON
//	secrets     secret name                                 versions, sealed, and labels, JSON
//	secretkey   "check"                                     "check", sealed
//	sources     name                                        source, JSON
//	counts      name of a source                            its counts, JSON
//	jobs        job id                                      running job, JSON
//	ended       job id                                      ended job, JSON
//	expiry      time, bucket, key of the item               -
//
// The expiry index lists items that expire, each at or before its expiry. The
// write that creates an item adds it; the purge adds it again if its life has
// grown. The bucket is one byte, its position in the list expiring.
//
// Numbers and times are big-endian: ids have 4 bytes, all others 8; times are in
// milliseconds.
package embedded
