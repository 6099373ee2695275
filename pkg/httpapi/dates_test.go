package httpapi_test

import (
	"strings"
	"testing"
	"time"
)

// Dates are in UTC, without a zone unless SO-TimeZone asks for it. The zone that it
// names and the language headers change nothing.
func TestDatesAndLanguages(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	plain := s.call("GET", "/api/v1/Webhook/1", "").Body.String()
	if !strings.Contains(plain, `"Registered":"2026-11-24T08:00:00"`) {
		t.Fatalf("got %s", plain)
	}
	zoned := strings.ReplaceAll(plain, `"2026-11-24T08:00:00"`, `"2026-11-24T08:00:00Z"`)
	for _, test := range []struct {
		headers []string
		want    string
	}{
		{[]string{"SO-TimeZone: NO"}, plain},
		{[]string{"SO-TimeZone: 261"}, plain},
		{[]string{"SO-TimeZone: nowhere"}, plain},
		{[]string{"SO-TimeZone: US-NY, includeTZOffset"}, zoned},
		{[]string{"SO-TimeZone: INCLUDETZOFFSET"}, zoned},
		{[]string{"SO-TimeZone: NO;includeTZOffset"}, plain},
		{[]string{"Accept-Language: sv"}, plain},
		{[]string{"Accept-Language: sv", "SO-Language: de", "SO-Culture: nb-NO"}, plain},
		{[]string{"Accept-Language: sv", "SO-Language: *"}, plain},
		{[]string{"SO-Language: x", "SO-Culture: ar-SA"}, plain},
		{[]string{"SO-Culture: none of them"}, plain},
	} {
		if got := s.call("GET", "/api/v1/Webhook/1", "", test.headers...).Body.String(); got != test.want {
			t.Errorf("%v: got %s", test.headers, got)
		}
	}
	if got := s.call("GET", "/api/v1/Webhook", "", "SO-TimeZone: NO,includeTZOffset", "Accept: text/xml").Body.String(); !strings.Contains(got, "<Registered>2026-11-24T08:00:00Z</Registered>") {
		t.Errorf("XML: %s", got)
	}
}

// A date is read in many forms, here in the condition of a change, which holds from
// the second of the last change on.
func TestIfUnmodifiedSince(t *testing.T) {
	t.Parallel()
	for date, status := range map[string]int{
		"Tue, 24 Nov 2026 08:00:00 GMT":     200,
		"Tue, 24 Nov 2026 07:59:59 GMT":     412,
		"Tuesday, 24-Nov-26 08:00:00 GMT":   200,
		"Tue Nov 24 07:59:59 2026":          412,
		"2026-11-24T08:00:00":               200,
		"2026-11-24T07:59:59.9999999":       412,
		"2026-11-24T08:00:00.0000000Z":      200,
		"2026-11-24T08:00:00,5Z":            200,
		"2026-11-24T09:00:00+01:00":         200,
		"2026-11-24T09:00:00+02:00":         412,
		"2026-11-24T03:00:00-0500":          200,
		"2026-11-24T10:00:00+02":            200,
		"2026-11-24 08:00":                  200,
		"2026-11-24t08:00z":                 200,
		"2026-11-24":                        412,
		"2026-11-25":                        200,
		"20261124T080000Z":                  200,
		"20261124T075959":                   412,
		"20261124":                          412,
		"yesterday":                         400,
		"2026-13-01":                        400,
		"24.11.2026":                        400,
		strings.Repeat("2026-11-24T", 1000): 400,
	} {
		s := newServer(t)
		s.clock.Advance(500 * time.Millisecond) // less than a date in seconds can show
		s.call("POST", "/api/v1/Webhook", minimal)
		for _, try := range []struct{ method, body string }{
			{"PUT", strings.ReplaceAll(minimal, "k1", "********")}, {"PATCH", `{"Description":"d"}`}, {"DELETE", ""},
		} {
			want := status
			if try.method == "DELETE" && status == 200 {
				want = 204
			}
			got := s.call(try.method, "/api/v1/Webhook/1", try.body, "If-Unmodified-Since: "+date)
			if got.Code != want {
				t.Errorf("%s, unmodified since %.40s: got %d %s, want %d", try.method, date, got.Code, got.Body, want)
			}
			if w := s.webhooks(); want >= 400 && (len(w) != 1 || w[0].Revision != 1) {
				t.Errorf("%s, unmodified since %.40s: changed it", try.method, date)
			}
		}
	}
}
