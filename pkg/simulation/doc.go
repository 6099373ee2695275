// Package simulation tests that no delivery is lost. It runs the real parts (the
// Lambda handlers, registry, publisher, dispatcher, sweep, ingest, sender, the
// adapters of DynamoDB and SQS) against a simulated AWS and simulated targets, and
// kills, freezes and starves the parts at any side effect.
//
// One seed is one run in one testing/synctest bubble: days of virtual time pass
// in milliseconds. Every side effect of a process waits at a gate until the
// scheduler lets it pass, with or without a fault, so the seed alone decides the
// order of events. Package ledger, which imports nothing of the service, says what
// must hold; docs/delivery.md says what is checked and what is not. Each record of a
// bus or a table, and each POST to a relay, becomes exactly the events that its
// sources make of it. Package explain is asked about every event and webhook, and must
// agree.
//
// The package ships nothing: every file but this one is a test. It makes no claim
// about AWS itself, TLS or DNS.
//
//	make simulate SEEDS=1 FROM=17 TRACE=1
//
// repeats one run and prints its steps.
//
//	make simulate-teeth
//
// breaks one rule of the product at a time, deliberately, and counts how many
// seeds each break survives: a simulation that finds nothing proves nothing.
package simulation
