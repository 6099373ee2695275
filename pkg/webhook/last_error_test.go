package webhook_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestResult_LastErrorHasATime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 4, 4, 5, 678, time.FixedZone("", 3600))
	for _, c := range []struct {
		result webhook.Result
		want   string
	}{
		{webhook.Result{Error: failure.DNS}, "2026-01-02T03:04:05Z dns: The host name could not be resolved: check its spelling and its DNS records."},
		{webhook.Result{Error: failure.TLS, Detail: failure.Expired}, "2026-01-02T03:04:05Z tls (expired): The target's certificate has expired or is not valid yet: renew it."},
		{
			webhook.Result{Error: failure.Status, StatusCode: 503, Response: "HTTP 503 Service Unavailable\n\nbusy"},
			"2026-01-02T03:04:05Z status: The target responded with a status other than 2xx: look at the response and at the log of the receiver.\nHTTP 503 Service Unavailable\n\nbusy",
		},
	} {
		c.result.At = at
		if diff := cmp.Diff(c.want, c.result.LastError()); diff != "" {
			t.Error(diff)
		}
	}
	long := webhook.Result{At: at, Error: failure.Status, Response: strings.Repeat("å", webhook.MaxLastError)}.LastError()
	if len(long) > webhook.MaxLastError || len(long) < webhook.MaxLastError-1 || !strings.HasSuffix(long, "å") {
		t.Errorf("%d bytes", len(long))
	}
}
