// Package tenancy manages the tenants of a deployment and their credentials.
//
// An [Administration] creates and deletes both; a [Deletion] removes a tenant with
// all of its data, as a job. [Tenants], [Credentials] and [Erasure] are the
// contracts of the stores. The rules for all stores in pkg/webhook's store.go
// apply to them, their errors are those of pkg/webhook, and pkg/store/storetest
// is their conformance suite.
//
// The package refuses to read a request and to decide who makes it (pkg/auth
// does), to decide what a principal may do (webhook.Principal does), and to store
// a credential: it stores hashes.
package tenancy
