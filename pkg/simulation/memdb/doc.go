// Package memdb is an in-memory DynamoDB for tests only: a deterministic
// simulation runs the real DynamoDB store on it, in microseconds per call, with
// its own clock, faults and stale reads.
//
// [DB] has the methods of *dynamodb.Client that the store uses, with the SDK's
// own input and output types. It is as strict as DynamoDB wherever leniency
// would hide a bug: it parses expressions in full and refuses unused or
// undefined names and values, reserved words, empty keys, overlapping update
// paths, and two actions of a transaction on one item.
//
// It refuses to be a server, to keep anything on disk, and to model tables
// created at run time, scans, batch writes, PartiQL, local indexes, capacity
// and throttling (a hook can fail any call), and the removal of expired items.
// The legacy parameters that predate expressions are refused, not ignored.
package memdb
