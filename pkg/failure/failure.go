package failure

// Kind is the reason why an attempt failed, in one word. The list is
// closed: it is part of the API.
type Kind string

// The errors of an attempt.
const (
	None     Kind = ""
	DNS      Kind = "dns"
	Refused  Kind = "refused"
	Reset    Kind = "reset"
	TLS      Kind = "tls"
	Timeout  Kind = "timeout"
	Fast     Kind = "fast_timeout"    // cut short in the fast lane; does not count as an attempt
	Queue    Kind = "queue_timeout"   // cut short in the queue lane; does not count as an attempt
	Blocked  Kind = "blocked_address" // the target's address is not allowed
	Redirect Kind = "redirect"        // 3xx; redirects are not followed
	Status   Kind = "status"          // a response that is not a success
	Protocol Kind = "protocol"        // the response broke HTTP framing
	TooLarge Kind = "too_large"       // response headers over the limit
	Body     Kind = "body_too_large"  // the webhook's template makes too large a body of the event
	Secret   Kind = "secret_unavailable"
	Aborted  Kind = "aborted" // the target requested no further attempts
	Internal Kind = "internal"
)

// Cut reports whether a lane cut the attempt short. It is then neither an attempt nor
// an error: the delivery continues in the next lane, which allows more time.
func (e Kind) Cut() bool { return e == Fast || e == Queue }

// Kinds lists the errors, without None.
var Kinds = []Kind{
	DNS, Refused, Reset, TLS, Timeout, Fast, Queue, Blocked, Redirect, Status,
	Protocol, TooLarge, Body, Secret, Aborted, Internal,
}
