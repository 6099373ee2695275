package webhook

// AttemptError is the reason why an attempt failed, in one word. The list is
// closed: it is part of the API.
type AttemptError string

// The errors of an attempt.
const (
	AttemptOK       AttemptError = ""
	AttemptDNS      AttemptError = "dns"
	AttemptRefused  AttemptError = "refused"
	AttemptReset    AttemptError = "reset"
	AttemptTLS      AttemptError = "tls"
	AttemptTimeout  AttemptError = "timeout"
	AttemptFast     AttemptError = "fast_timeout"    // cut short in the fast lane; does not count as an attempt
	AttemptBlocked  AttemptError = "blocked_address" // the target's address is not allowed
	AttemptRedirect AttemptError = "redirect"        // 3xx; redirects are not followed
	AttemptStatus   AttemptError = "status"          // a response that is not a success
	AttemptProtocol AttemptError = "protocol"        // the response broke HTTP framing
	AttemptTooLarge AttemptError = "too_large"       // response headers over the limit
	AttemptSecret   AttemptError = "secret_unavailable"
	AttemptAborted  AttemptError = "aborted" // the target requested no further attempts
	AttemptInternal AttemptError = "internal"
)

// AttemptErrors lists the errors, without AttemptOK.
var AttemptErrors = []AttemptError{
	AttemptDNS, AttemptRefused, AttemptReset, AttemptTLS, AttemptTimeout, AttemptFast, AttemptBlocked, AttemptRedirect, AttemptStatus,
	AttemptProtocol, AttemptTooLarge, AttemptSecret, AttemptAborted, AttemptInternal,
}
