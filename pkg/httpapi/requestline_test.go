package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lines returns the request lines of the log, without what differs between runs.
func (s *server) lines() (lines []map[string]any) {
	s.t.Helper()
	for text := range strings.Lines(s.log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			s.t.Fatal(err)
		}
		if line["msg"] != "request" {
			continue
		}
		for _, key := range []string{"time", "level", "msg", "duration_ms", "tenant", "user", "error"} {
			delete(line, key)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestLog_RequestLinesSayWhatWasAskedAndWhyItFailed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook/contact.changed/7", `{"a":"hidden"}`)
	s.call("POST", "/api/v1/Agents/Webhook/SignalEvent", `{"EventName":"sale.sold","PrimaryKey":7}`)
	ids := map[string]string{}
	for _, e := range s.events() {
		ids[e.Name] = string(e.ID)
	}
	long := strings.Repeat("é", 300)
	for _, call := range []struct{ method, path, body string }{
		{"POST", "/api/v1/Webhook/contact.changed/x?q=hidden", ""},
		{"POST", "/api/v1/Webhook/test/1", ""},
		{"POST", "/api/v1/Webhook/" + strings.Repeat("n", 300) + "/1", ""},
		{"POST", "/api/v1/Agents/Webhook/SignalEvent", `{"EventName":"sale.sold","PrimaryKey":"x"}`},
		{"GET", "/api/v1/Webhook/99", ""},
		{"GET", "/Other/api/v1/Webhook/99", ""},
		{"POST", "/api/v1/Webhook", `{"Name":7}`},
		{"GET", "/api/v1/Webhoook?hidden=1", ""},
		{"HIDDEN", "/" + long, ""},
		{"GET", "/a\nb", ""},
		{"PUT", "/api/v1/Webhook", ""},
	} {
		s.call(call.method, strings.NewReplacer("\n", "%0A").Replace(call.path), call.body)
	}
	const signalled, byAgent = "POST /api/v1/Webhook/{event}/{primaryKey}", "POST /api/v1/Agents/Webhook/SignalEvent"
	line := func(action string, status float64, pairs ...string) map[string]any {
		line := map[string]any{"action": action, "status": status}
		for i := 0; i < len(pairs); i += 2 {
			line[pairs[i]] = pairs[i+1]
		}
		return line
	}
	const argument = "ArgumentException"
	want := []map[string]any{
		line(signalled, 204, "event", "contact.changed", "event_id", ids["contact.changed"]),
		line(byAgent, 204, "event", "sale.sold", "event_id", ids["sale.sold"]),
		line(signalled, 400, "event", "contact.changed", "error_type", argument, "ignored", "q"),
		line(signalled, 400, "event", "test", "error_type", argument),
		line(signalled, 400, "event", strings.Repeat("n", 100), "error_type", argument),
		line(byAgent, 400, "event", "sale.sold", "error_type", argument),
		line("GET /api/v1/Webhook/{id}", 404, "error_type", "SoNotFoundException"),
		line("GET /api/v1/Webhook/{id}", 421, "error_type", "SoWrongTenantException"),
		line("POST /api/v1/Webhook", 400, "error_type", argument),
		line("unmatched", 404, "path", "/api/v1/Webhoook", "error_type", "SoNotFoundException"),
		line("unmatched", 404, "path", "/"+strings.Repeat("é", 99), "error_type", "SoNotFoundException"),
		line("unmatched", 404, "path", "/a\nb", "error_type", "SoNotFoundException"),
		line("unmatched", 405, "path", "/api/v1/Webhook", "error_type", "NotSupportedException"),
	}
	if diff := cmp.Diff(want, s.lines()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := s.log.String(); strings.Contains(strings.ToLower(text), "hidden") || strings.Count(text, "\n") != len(want) {
		t.Errorf("the log shows a query, a body or a method, or breaks a line:\n%s", text)
	}
}
