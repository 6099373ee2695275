package delivery

import (
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// MaxExcerpt is the largest excerpt of a response that is stored, in bytes.
const MaxExcerpt = 4 << 10

// listedHeaders are the headers of a response that the delivery log shows: those that
// say who responded, in what form, and what the sender should do. Other headers may be
// long, and some are the target's secrets.
var listedHeaders = []string{
	"Content-Type", "Content-Length", "Date", "Server", "Via", "Location", "Retry-After", "Allow", "WWW-Authenticate", "Webhook-Delivery",
	"X-Request-Id", "X-Correlation-Id", "X-Amzn-RequestId", "X-Amzn-Trace-Id", "X-Amz-Cf-Id", "Cf-Ray", "Traceparent",
}

func isListed(name string) bool {
	for _, listed := range listedHeaders {
		if strings.EqualFold(listed, name) {
			return true
		}
	}
	return false
}

// KeepListed returns an excerpt of a response without the headers that the delivery log
// does not show, and at most MaxExcerpt bytes of it. An excerpt is a status line, a
// line "Name: value" for each header, an empty line, and the body; without a body the
// empty line is absent too.
func KeepListed(excerpt string) string {
	status, rest, _ := strings.Cut(excerpt, "\n")
	var b strings.Builder
	b.WriteString(status)
	b.WriteByte('\n')
	headers, body := splitExcerpt(rest)
	for _, h := range headers {
		b.WriteString(h.Name + ": " + h.Value + "\n")
	}
	if body != "" {
		b.WriteString("\n" + body)
	}
	return webhook.Truncate(b.String(), MaxExcerpt)
}

// ReadExcerpt returns the headers that the delivery log shows, and the body, of an
// excerpt. The last of either may be cut.
func ReadExcerpt(excerpt string) (headers []webhook.Header, body string) {
	_, rest, _ := strings.Cut(excerpt, "\n")
	return splitExcerpt(rest)
}

// splitExcerpt reads an excerpt without its status line.
func splitExcerpt(rest string) (headers []webhook.Header, body string) {
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		if line == "" {
			return headers, after
		}
		name, value, ok := strings.Cut(line, ":")
		switch {
		case strings.ContainsAny(name, " \t"): // not a header: redaction removed the empty line
			return headers, rest
		case ok && isListed(name):
			headers = append(headers, webhook.Header{Name: name, Value: strings.TrimSpace(value)})
		}
		rest = after
	}
	return headers, ""
}
