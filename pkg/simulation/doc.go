// Package simulation holds the proof that a delivery is not lost: a test that
// runs the real parts (registry, publisher, dispatcher, sweep, the DynamoDB
// store) against an AWS and a set of targets that it controls, and kills,
// freezes and starves them at any side effect.
//
// One seed is one run in one testing/synctest bubble: days of virtual time pass
// in milliseconds. Every side effect of a process waits at a gate until the
// scheduler lets it pass, with a fault or without one, so that the seed alone
// decides in which order things happen. Afterwards a ledger, which knows what
// was accepted, what was committed and what the targets saw, checks the
// promises: nothing accepted is lost, every duplicate has a cause that the
// documentation admits, no target fails a stream record, a stopped webhook is
// silent, no attempt uses a revoked secret, and no POST or row of one tenant has
// anything of another's.
//
// The package ships nothing: all but this file are tests. It makes no claim
// about AWS itself, the network or the wire format.
//
//	make simulate SEEDS=1 FROM=17 TRACE=1
//
// repeats one run and prints what happened in it, step by step. And
//
//	make simulate-teeth
//
// breaks one rule of the product after the other, deliberately, and counts how
// many seeds each break survives: a simulation that finds nothing proves
// nothing.
package simulation
