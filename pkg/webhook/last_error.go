package webhook

import "time"

// Failure returns why the attempt failed and what to do about it, as one line:
// "dns: …" or "tls (expired): …". It returns "" for a success.
func (r Result) Failure() string {
	sentence := r.Error.Advice(r.Detail)
	switch {
	case sentence == "":
		return string(r.Error)
	case r.Detail != "":
		return string(r.Error) + " (" + string(r.Detail) + "): " + sentence
	}
	return string(r.Error) + ": " + sentence
}

// LastError returns what a webhook's LastError says about a failed attempt: a
// line with the time, in UTC, and the failure, followed by the response if there
// was one.
func (r Result) LastError() string {
	text := r.At.UTC().Format(time.RFC3339) + " " + r.Failure()
	if r.Response != "" {
		text += "\n" + r.Response
	}
	return Truncate(text, MaxLastError)
}
