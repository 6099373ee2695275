// Package simulation tests that no delivery is lost. It runs the real parts
// (registry, publisher, dispatcher, sweep, ingest, the DynamoDB store) against a
// simulated AWS and simulated targets, and kills, freezes and starves the parts
// at any side effect.
//
// One seed is one run in one testing/synctest bubble: days of virtual time pass
// in milliseconds. Every side effect of a process waits at a gate until the
// scheduler lets it pass, with or without a fault, so the seed alone decides the
// order of events. At the end a ledger, which knows what was accepted, what was
// committed and what the targets saw, checks the promises: nothing accepted is
// lost, every duplicate has a documented cause, no target fails a stream record, a
// stopped webhook is silent, no attempt uses a revoked secret, no POST or row mixes
// the data of two tenants, and each record of a bus or a table becomes exactly the
// events that its sources make of it.
//
// The package ships nothing: every file but this one is a test. It makes no claim
// about AWS itself, the network or the wire format.
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
