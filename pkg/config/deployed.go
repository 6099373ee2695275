package config

import "github.com/posthaste-dev/posthaste/pkg/webhook"

// API is the configuration of functions/api.
type API struct {
	Deployed
	Serving
	Sending // the ping on save
	// FirstCredentialSecret and AdminSecret are names or ARNs in Secrets
	// Manager, not the secrets themselves.
	FirstCredentialSecret, AdminSecret string
	DeliveryQueueURL                   string
	SlowQueueURL                       string
	// EventTenant is as for Ingest.
	EventTenant webhook.Tenant
}

// Deliver is the configuration of functions/deliver and functions/retry.
type Deliver struct {
	Deployed
	Sending
	Operational
	DeliveryQueueURL string
	SlowQueueURL     string
	// DeadLetterQueueURL is the queue that takes unreadable records.
	DeadLetterQueueURL string
}

// Ingest is the configuration of functions/ingest.
type Ingest struct {
	Deployed
	// EventTenant gets the events of a bus that no source matches. Empty: they
	// are skipped.
	EventTenant webhook.Tenant
}

// Sweep is the configuration of functions/sweep.
type Sweep struct {
	Deployed
	Operational
	DeliveryQueueURL   string
	SlowQueueURL       string
	DeadLetterQueueURL string
	// FailureBucket is the bucket in which Lambda stores records it gave up on.
	FailureBucket string
	// ChangeFailureBucket is the same for records of the tables that are sources,
	// and IngestFunction the function that takes them again. Both are empty where
	// no table is a source.
	ChangeFailureBucket, IngestFunction string
}

// LoadAPI reads ApiFunction's settings. The error has one line per fault.
func LoadAPI(lookup Lookup) (API, error) {
	return load(lookup, func(r *reader) API {
		return API{
			Deployed: r.common(), Serving: r.serving(), Sending: r.sending(),
			FirstCredentialSecret: r.required("FIRST_CREDENTIAL_SECRET"), AdminSecret: r.required("ADMIN_SECRET"),
			DeliveryQueueURL: r.required("DELIVERY_QUEUE_URL"), SlowQueueURL: r.required("SLOW_QUEUE_URL"), EventTenant: r.eventTenant(),
		}
	})
}

// LoadDeliver reads the settings of DeliverFunction and RetryFunction. The
// error has one line per fault.
func LoadDeliver(lookup Lookup) (Deliver, error) {
	return load(lookup, func(r *reader) Deliver {
		return Deliver{
			Deployed: r.common(), Sending: r.sending(), Operational: r.operational(),
			DeliveryQueueURL: r.required("DELIVERY_QUEUE_URL"), SlowQueueURL: r.required("SLOW_QUEUE_URL"), DeadLetterQueueURL: r.required("DEAD_LETTER_QUEUE_URL"),
		}
	})
}

// LoadIngest reads IngestFunction's settings. The error has one line per fault.
func LoadIngest(lookup Lookup) (Ingest, error) {
	return load(lookup, func(r *reader) Ingest {
		return Ingest{Deployed: r.common(), EventTenant: r.eventTenant()}
	})
}

// LoadSweep reads SweepFunction's settings. The error has one line per fault.
func LoadSweep(lookup Lookup) (Sweep, error) {
	return load(lookup, func(r *reader) Sweep {
		c := Sweep{
			Deployed: r.common(), Operational: r.operational(),
			DeliveryQueueURL: r.required("DELIVERY_QUEUE_URL"), SlowQueueURL: r.required("SLOW_QUEUE_URL"), DeadLetterQueueURL: r.required("DEAD_LETTER_QUEUE_URL"),
			FailureBucket:       r.required("FAILURE_BUCKET"),
			ChangeFailureBucket: r.optional("CHANGE_FAILURE_BUCKET"),
		}
		if c.ChangeFailureBucket != "" {
			c.IngestFunction = r.required("INGEST_FUNCTION")
		}
		return c
	})
}

// load returns the zero value with the faults: a function never starts with a
// partial configuration.
func load[T any](lookup Lookup, read func(*reader) T) (T, error) {
	r := &reader{lookup: lookup, deployed: true}
	c := read(r)
	if err := r.err(); err != nil {
		var none T
		return none, err
	}
	return c, nil
}
