// Package tenancy knows who may call: the tenants of a deployment and their
// credentials.
//
// An [Administration] makes and removes both; a [Deletion] removes a tenant with
// everything that is stored of it, as a job. [Tenants], [Credentials] and
// [Erasure] are the contracts of the stores. What pkg/webhook's store.go says of
// all stores holds for them, their errors are those of pkg/webhook, and
// pkg/store/storetest is their suite.
//
// The package refuses to read a request and to decide who makes one (pkg/auth
// does), to decide what a principal may do (webhook.Principal does), and to keep
// a credential: it stores hashes.
package tenancy
