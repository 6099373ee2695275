package delivery

import "github.com/posthaste-dev/posthaste/pkg/webhook"

// Request is a POST as it was sent, to be shown: secrets and signatures are masked.
type Request struct {
	URL string
	// Headers are in the order in which they were sent. Each value is in Value,
	// masked if it is secret.
	Headers []webhook.Header
	Body    []byte
}
