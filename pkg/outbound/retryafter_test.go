package outbound_test

import (
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Whatever the form, the next attempt is not sooner than the target asked for,
// nor later than 24 hours.
func TestSend_RetryAfter(t *testing.T) {
	t.Parallel()
	const most = delivery.MaxRetryAfter
	toMinute := time.Minute - time.Duration(at.Nanosecond()) // the dates below are 07:25:33
	for value, want := range map[string]time.Duration{
		"0": 0, "3": 3 * time.Second, " 3 ": 3 * time.Second, "+3": 3 * time.Second, "003": 3 * time.Second,
		"12.5": 13 * time.Second, "12.0": 12 * time.Second, "12.000001": 13 * time.Second, "0.1": time.Second, ".5": time.Second, "12.": 12 * time.Second,
		"86399": 86399 * time.Second, "86400": most, "86399.5": most, "86401": most, "1758007533": most,
		"9223372036854775807": most, "9223372036854775808": most, "99999999999999999999": most, "99999999999999999999.9": most, strings.Repeat("9", 400): most,
		"-9": 0, "-0.5": 0, "-99999999999999999999": 0, "1e3": 0, "1_000": 0, "0x10": 0, "3s": 0, "3 s": 0, "++3": 0, ".": 0, "+": 0, "1.2.3": 0, "": 0, "soon": 0, "NaN": 0, "Inf": 0,
		"3, 12.5, 7": 13 * time.Second, "12,5": 12 * time.Second, "3, soon": 3 * time.Second, "3\r\nRetry-After: 8\r\nRetry-After: 5": 8 * time.Second,
		"Tue, 16 Sep 2025 07:25:33 GMT":                   toMinute,
		"Tuesday, 16-Sep-25 07:25:33 GMT":                 toMinute,
		"Tue Sep 16 07:25:33 2025":                        toMinute,
		"Tue, 16 Sep 2025 07:25:33 UTC":                   toMinute,
		"Tue, 16 Sep 2025 09:25:33 +0200":                 toMinute,
		"2025-09-16T07:25:33Z":                            toMinute,
		"2025-09-16T09:25:33+02:00":                       toMinute,
		"3\r\nRetry-After: Tue, 16 Sep 2025 07:25:33 GMT": toMinute,
		"Wed, 1 Oct 2025 00:00:00 GMT":                    most,
		"Fri, 31 Dec 9999 23:59:59 GMT":                   most,
		"Tue, 16 Sep 2025 07:24:33 GMT":                   0,
		"Thu, 01 Jan 1970 00:00:00 GMT":                   0,
		"Tue, 16 Sep 2025 07:25:33 PST":                   0,
		"Tue, 16 Sep 2025":                                0,
		"Tue, 36 Sep 2025 07:25:33 GMT":                   0,
	} {
		url, _ := target(t, "HTTP/1.1 429 Oh\r\nRetry-After: "+value+"\r\nContent-Length: 0\r\n\r\n")
		got := sender(t, nil).Send(t.Context(), webhook.Post{Webhook: hook(url), Event: event})
		if got.StatusCode != 429 || got.RetryAfter != want {
			t.Errorf("%.60q: got a wait of %v (%d), want %v", value, got.RetryAfter, got.StatusCode, want)
		}
	}
}
