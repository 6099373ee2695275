package config

// API is the configuration of functions/api.
type API struct {
	Deployed
	Serving
	Sending // the ping on save
	// FirstCredentialSecret and AdminSecret are names or ARNs in Secrets
	// Manager, not the secrets themselves.
	FirstCredentialSecret, AdminSecret string
}

// Deliver is the configuration of functions/deliver and functions/retry.
type Deliver struct {
	Deployed
	Sending
	Operational
	DeliveryQueueURL string
	// DeadLetterQueueURL is the queue that takes unreadable records.
	DeadLetterQueueURL string
}

// Sweep is the configuration of functions/sweep.
type Sweep struct {
	Deployed
	Operational
	DeliveryQueueURL   string
	DeadLetterQueueURL string
	// FailureBucket is the bucket in which Lambda stores records it gave up on.
	FailureBucket string
}

// LoadAPI reads ApiFunction's settings. The error has one line per fault.
func LoadAPI(lookup Lookup) (API, error) {
	return load(lookup, func(r *reader) API {
		return API{
			Deployed: r.common(), Serving: r.serving(), Sending: r.sending(),
			FirstCredentialSecret: r.required("FIRST_CREDENTIAL_SECRET"), AdminSecret: r.required("ADMIN_SECRET"),
		}
	})
}

// LoadDeliver reads the settings of DeliverFunction and RetryFunction. The
// error has one line per fault.
func LoadDeliver(lookup Lookup) (Deliver, error) {
	return load(lookup, func(r *reader) Deliver {
		return Deliver{
			Deployed: r.common(), Sending: r.sending(), Operational: r.operational(),
			DeliveryQueueURL: r.required("DELIVERY_QUEUE_URL"), DeadLetterQueueURL: r.required("DEAD_LETTER_QUEUE_URL"),
		}
	})
}

// LoadSweep reads SweepFunction's settings. The error has one line per fault.
func LoadSweep(lookup Lookup) (Sweep, error) {
	return load(lookup, func(r *reader) Sweep {
		return Sweep{
			Deployed: r.common(), Operational: r.operational(),
			DeliveryQueueURL: r.required("DELIVERY_QUEUE_URL"), DeadLetterQueueURL: r.required("DEAD_LETTER_QUEUE_URL"),
			FailureBucket: r.required("FAILURE_BUCKET"),
		}
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
