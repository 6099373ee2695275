package delivery_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestExcerpt_KeepsListedHeadersAndTheBody(t *testing.T) {
	t.Parallel()
	type headers = []webhook.Header
	for name, tt := range map[string]struct {
		excerpt, kept string
		headers       headers
		body          string
	}{
		"headers and body": {
			"HTTP 500 No\nContent-Type: a/b\nX-Other: 1\nRetry-After: 5\n\nDate: of the body\n\nend", "HTTP 500 No\nContent-Type: a/b\nRetry-After: 5\n\nDate: of the body\n\nend",
			headers{{Name: "Content-Type", Value: "a/b"}, {Name: "Retry-After", Value: "5"}},
			"Date: of the body\n\nend",
		},
		"no body":                           {"HTTP 204 No Content\nDate: x\n", "HTTP 204 No Content\nDate: x\n", headers{{Name: "Date", Value: "x"}}, ""},
		"no headers":                        {"HTTP 500 No\n\nbody", "HTTP 500 No\n\nbody", nil, "body"},
		"status alone":                      {"HTTP 500 No", "HTTP 500 No\n", nil, ""},
		"nothing":                           {"", "\n", nil, ""},
		"cut within a header":               {"HTTP 500 No\nDate: x\nServ", "HTTP 500 No\nDate: x\n", headers{{Name: "Date", Value: "x"}}, ""},
		"an empty header, any case":         {"HTTP 500 No\ndate:\nSERVER: y\n", "HTTP 500 No\ndate: \nSERVER: y\n", headers{{Name: "date"}, {Name: "SERVER", Value: "y"}}, ""},
		"the empty line was redacted":       {"HTTP 500 No\nX-A: [redacted]\nan error: occurred\n\nend", "HTTP 500 No\n\nan error: occurred\n\nend", nil, "an error: occurred\n\nend"},
		"a redacted header name is unknown": {"HTTP 500 No\n[redacted]: Date\n\nend", "HTTP 500 No\n\nend", nil, "end"},
	} {
		kept := delivery.KeepListed(tt.excerpt)
		got, body := delivery.ReadExcerpt(kept)
		if kept != tt.kept || body != tt.body || !cmp.Equal(tt.headers, got) {
			t.Errorf("%s: kept %q with headers %v and body %q", name, kept, got, body)
		}
	}
	long := delivery.KeepListed("HTTP 500 No\n\n" + strings.Repeat("ø", 4000))
	if len(long) > delivery.MaxExcerpt || len(long) < delivery.MaxExcerpt-1 || strings.ToValidUTF8(long, "") != long {
		t.Errorf("a long body is cut to %d bytes", len(long))
	}
}
