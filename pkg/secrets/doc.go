// Package secrets keeps the secret documents of webhooks in AWS Secrets
// Manager: one secret for each webhook, one immutable version for each change.
//
// [Manager] fulfils webhook.Secrets. [Cache] puts a memory before any
// webhook.Secrets, by version and for ever, since a version never changes.
// [Value] reads one secret that the template made, such as the first
// credential.
//
// The package refuses to know which version counts (the webhook item says),
// to list secrets, and to pass on any text of Secrets Manager's errors: the
// service quotes the input that it rejects, and the input is the secret.
package secrets
