// Package secrets has the two stores of webhooks' secret documents.
//
// [Manager] keeps each in AWS Secrets Manager: one secret per webhook, one immutable
// version per change. [Sealed] keeps each in its reference, which is part of the
// webhook's item, encrypted under a root key; [Root] reads the root keys from one
// secret. [Stores] reads both and writes one. [Cache] caches any webhook.Secrets by
// version, without expiry, since a version never changes. [Value] reads a
// secret that the template created, such as the first credential.
//
// The package refuses to decide which version is current (the webhook item
// says), to list secrets, and to pass on messages of Secrets Manager's errors:
// the service quotes the input it rejects, and the input is the secret.
package secrets
