// Package explain says why an event was delivered to a webhook, or was not, and what
// is next. It answers with codes of a closed list, each with one sentence (codes.go).
//
// [Explain] is a pure function of what is stored. The verdict about a webhook is that
// of webhook.Recipients, and the next step of a delivery that of the lane and of the
// gate: the functions that dispatch calls. [Explainer] reads what Explain needs.
//
// The package refuses to know a rule of its own. To find the rule that refuses a
// webhook, it changes the webhook so that it satisfies all others, and asks again.
package explain
