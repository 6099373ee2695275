package failure

// Detail says more about a [Kind]. Only TLS has details,
// and not always one. The list is closed: it is part of the API.
type Detail string

// The details of TLS.
const (
	Expired       Detail = "expired"        // the certificate has expired or is not valid yet
	UnknownIssuer Detail = "unknown_issuer" // no trusted authority has issued the certificate
	WrongName     Detail = "wrong_name"     // the certificate is for other hosts
	NotTLS        Detail = "not_tls"        // the target does not speak TLS
)

type cause struct {
	err    Kind
	detail Detail
}

// advice holds one sentence per failure, for the owner of the target. It is the
// only such list: the API, the log and docs/errors.md repeat it.
var advice = map[cause]string{
	{DNS, ""}:            "The host name could not be resolved: check its spelling and its DNS records.",
	{Refused, ""}:        "The target did not accept the connection: check that the receiver runs, and that its port and network are reachable.",
	{Reset, ""}:          "The connection was closed before a complete response arrived: check the logs of the receiver and of the proxies in front of it.",
	{TLS, ""}:            "The TLS handshake failed: check the target's certificate, and that the target supports TLS 1.2 or later.",
	{TLS, Expired}:       "The target's certificate has expired or is not valid yet: renew it.",
	{TLS, UnknownIssuer}: "The issuer of the target's certificate is not trusted: use a certificate of a public authority, and send its intermediate certificates.",
	{TLS, WrongName}:     "The target's certificate is for another host name: use the name that it is for, or a certificate for this one.",
	{TLS, NotTLS}:        "The target does not speak TLS at this port: check the port and the scheme of TargetUrl.",
	{Timeout, ""}:        "The target did not respond in time: check that it can be reached, and respond with 2xx first and work afterwards.",
	{Fast, ""}:           "The response took more than 1.5 s: the delivery continues through the queue, where it has 5 s.",
	{Queue, ""}:          "The response took more than 5 s: the delivery continues in the slow lane with the webhook's full timeout, and later ones start there until responses take less than 2 s on average.",
	{Blocked, ""}:        "The target's host, address or port is not allowed: use https, a public address, and port 443 or 1024-65535.",
	{Redirect, ""}:       "The target responded with a redirect, and redirects are not followed: set TargetUrl to the final address.",
	{Status, ""}:         "The target responded with a status other than 2xx: look at the response and at the log of the receiver.",
	{Protocol, ""}:       "The target sent something, but the response broke HTTP framing: check that the port speaks HTTP/1.1, and that Content-Length and Transfer-Encoding are valid and not repeated.",
	{TooLarge, ""}:       "The response has more than 64 KiB of headers: send less.",
	{Body, ""}:           "The webhook's Template makes a body of more than 512 KiB of this event, so nothing was sent: use fewer of its values, and then send the event again.",
	{Secret, ""}:         "The webhook's secret could not be read, so nothing was sent: if this lasts, set the secret again.",
	{Aborted, ""}:        "The target asked for no further attempt with the header webhook-delivery: this event is not sent again.",
	{Internal, ""}:       "The attempt failed inside Posthaste, not at the target: nothing needs to be changed.",
}

// Advice returns what to do about an error, of which detail says more, in one sentence;
// "" for None and for a string that is not a Kind.
func (e Kind) Advice(detail Detail) string { return advice[cause{e, detail}] }
