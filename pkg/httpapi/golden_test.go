package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/statistics"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// goldens is the folder of the files. It has a folder for each operation, with pairs
// of a request and its response. Its README says how to read them.
const goldens = "testdata/golden"

// seeded returns the server for every golden request: webhook 1 is active, signed
// and has had errors; its name was changed and changed back, after an attempt at
// delivering an event. It has four deliveries, and statistics of an hour. Webhook 2 is stopped and has only the
// required members.
func seeded(t *testing.T) *server {
	t.Helper()
	s := newServer(t)
	for _, body := range []string{
		`{"Name":"Order sync","Events":["contact.created","sale.sold"],"TargetUrl":"https://example.com/hook?a=1&b=2","Secret":"Something Super Secret",
			"Headers":{"X-Source":"crm","Authorization":"Bearer abc"},"Properties":{"region":"nø","limit":1.50},"ErrorsEmail":"ops@example.com",
			"ErrorEmails":["ops@example.com"],"ErrorAssociates":[{"Id":5,"Name":"RJ","FullName":"Roy de Jong"}],"Description":"To the shop","NotifyVia":"Email","NotifyWhen":3}`,
		`{"Name":"Quiet","Events":["contact.*"],"TargetUrl":"https://example.com/quiet","State":"Stopped"}`,
	} {
		if got := s.call("POST", "/api/v1/Webhook", body); got.Code != 200 {
			t.Fatalf("seed: %d %s", got.Code, got.Body)
		}
	}
	s.attempted(1, "01a20c91-a000-7000-8000-000000000007", webhook.SignerCurrent)
	for _, name := range []string{"Orders", "Order sync"} {
		if got := s.call("PATCH", "/api/v1/Webhook/1", `{"Name":"`+name+`"}`, "Content-Type: application/merge-patch+json"); got.Code != 200 {
			t.Fatalf("seed: %d %s", got.Code, got.Body)
		}
	}
	_, err := s.db.Webhooks().UpdateHealth(t.Context(), "Default", 1, func(h webhook.Health) webhook.Health {
		return h.Observe(
			webhook.HealthReport{Activation: 1, At: now.Add(time.Second)},
			webhook.HealthReport{Activation: 1, At: now.Add(2 * time.Second), Error: failure.Status, LastError: "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n\r\nno <room>"},
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := eventIDs(3)
	cut := delivery.Attempt{Round: 1, Lane: delivery.LaneFast, At: now.Add(59 * time.Second), Duration: 1500 * time.Millisecond, Error: failure.Fast}
	s.deliver(1,
		logged{id: ids[0], event: webhook.Event{Name: "contact.created", PrimaryKey: 7}, attempts: []delivery.Attempt{succeeded(1)}, status: delivery.StatusDelivered, response: "HTTP 200 OK\nContent-Type: text/plain\n\nthanks"},
		logged{id: ids[1], event: webhook.Event{Name: "sale.sold", Key: "=A/7"}, fast: &cut, attempts: []delivery.Attempt{failed(1, 503), failed(2, 0)}, status: delivery.StatusPending},
		logged{id: ids[2], event: webhook.Event{Name: "contact.created", PrimaryKey: 8}, attempts: []delivery.Attempt{failed(1, 410)}, status: delivery.StatusFailed, response: "HTTP 410 Gone\nServer: nø\nRetry-After: 5\n\n<b>gone</b>" + strings.Repeat(" and away", 80)},
	)
	seedEvents(t, s)
	for i, e := range []failure.Kind{failure.None, failure.None, failure.Status} {
		result := webhook.Result{At: now.Add(time.Minute), Duration: time.Duration(i+1) * 100 * time.Millisecond, Error: e}
		if err := s.db.Statistics().Count(t.Context(), "Default", 1, statistics.HourOf(result, now, 1, e != failure.None, 24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	s.clock.Advance(time.Hour)
	s.answer = webhook.Result{
		At: s.clock.Now(), Duration: 12 * time.Millisecond, StatusCode: 200, Sent: webhook.Sent{Body: "x", Signer: webhook.SignerCurrent},
		Response: "HTTP/1.1 200 OK\r\n\r\nok", Excerpt: "HTTP/1.1 200 OK\nContent-Type: text/plain\n\nok",
	}
	return s
}

// seedEvents stores three events: webhook 1 got the first and has tried the second,
// which a relay accepted, and no webhook matches the third.
func seedEvents(t *testing.T, s *server) {
	t.Helper()
	entity := "contact"
	list := []webhook.Event{
		{Name: "sale.sold", PrimaryKey: 7, Data: []byte(`{"total":12.50,"<name>":"Blåbær"}`), ChangedBy: 1},
		{Name: "contact.created", PrimaryKey: 5, Key: "A-5", Content: &webhook.Content{
			Entity: &entity, Changes: []string{"name"}, FieldValues: []byte(`{"name":"x"}`), Previous: []byte(`{"name":"y"}`),
			Context: "Cust1", Source: "/in/crm", SourceEvent: "88F91933-EDCE-4C1A-8DED-ADE8E2F72434",
		}},
		{Name: "order.placed", Key: "1007", Content: &webhook.Content{Source: "shop"}},
	}
	outcomes := []delivery.Outcome{
		{Attempt: delivery.Attempt{Number: 1, At: now.Add(31 * time.Second), StatusCode: 200}, Status: delivery.StatusDelivered},
		{
			Attempt: delivery.Attempt{Number: 1, At: now.Add(32 * time.Second), StatusCode: 503, Error: failure.Status}, Status: delivery.StatusPending,
			NextAt: now.Add(2 * time.Hour), SweepAt: now.Add(2 * time.Hour),
		},
	}
	for i, e := range list {
		at := now.Add(time.Duration(30+i) * time.Second)
		e.Tenant, e.ID, e.At, e.ExpiresAt = "Default", webhook.DeriveEventID(at, "golden"), at, at.AddDate(0, 0, 30)
		err := s.db.Events().Put(t.Context(), e)
		if err == nil && i < len(outcomes) {
			_, err = s.db.Deliveries().RecordFirst(t.Context(), delivery.RecordFirst{
				Key: delivery.Key{Tenant: "Default", Webhook: 1, Event: e.ID}, Now: outcomes[i].Attempt.At,
				Seed: delivery.Seed{EventName: e.Name, PrimaryKey: e.PrimaryKey, ExpiresAt: e.ExpiresAt}, Outcome: outcomes[i],
			})
		}
		if err == nil && e.Content != nil && e.Content.SourceEvent != "" {
			claim := webhook.IdempotencyClaim{Event: e.ID, Expires: e.ExpiresAt}
			_, err = s.db.Events().Remember(t.Context(), "Default", webhook.OnceKey(e.Content.Source, e.Content.SourceEvent), claim, at)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	requests, err := filepath.Glob(goldens + "/*/*.request")
	if err != nil || len(requests) == 0 {
		t.Fatalf("no requests: %v", err)
	}
	for _, file := range requests {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, goldens+"/"), ".request"), func(t *testing.T) {
			t.Parallel()
			method, path, headers, body := readRequest(t, file)
			got := printResponse(seeded(t).call(method, path, body, headers...))
			golden := strings.TrimSuffix(file, ".request") + ".response"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(read(t, golden), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", golden, diff)
			}
		})
	}
	if *update {
		return // other tests are still writing them
	}
	responses, _ := filepath.Glob(goldens + "/*/*.response")
	if len(responses) != len(requests) {
		t.Errorf("there are %d requests and %d responses", len(requests), len(responses))
	}
}

// readRequest reads a request in the form of HTTP: a line with method and address,
// headers, an empty line, the body. The credential is omitted.
func readRequest(t *testing.T, file string) (method, path string, headers []string, body string) {
	t.Helper()
	head, body, _ := strings.Cut(read(t, file), "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	method, path, ok := strings.Cut(lines[0], " ")
	if !ok {
		t.Fatalf("%s does not begin with a method and an address", file)
	}
	return method, path, lines[1:], strings.TrimSuffix(body, "\n")
}

// printResponse returns a response in the form of HTTP, with headers ordered by name
// and an indented body. Apart from white space between members and elements it is
// unchanged.
func printResponse(got *httptest.ResponseRecorder) string {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d\n", got.Code)
	header := got.Header()
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name != "Content-Length" { // of the body before indentation
			fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(header[name], ", "))
		}
	}
	out.WriteByte('\n')
	body := got.Body.Bytes()
	switch {
	case bytes.HasPrefix(body, []byte("<?xml")):
		out.WriteString(indentXML(string(body)))
	case json.Indent(&out, body, "", "  ") != nil:
		out.Write(body)
	}
	out.WriteByte('\n')
	return out.String()
}

// indentXML adds line breaks between elements, not inside empty ones.
func indentXML(body string) string {
	var out strings.Builder
	depth := 0
	for i := 0; i < len(body); i++ {
		opens, closes := body[i] == '<' && body[i+1] != '/' && body[i+1] != '?', strings.HasPrefix(body[i:], "</")
		if closes {
			depth--
		}
		end := strings.LastIndexByte(body[:i], '<')
		afterOpening := i > 0 && body[i-1] == '>' && body[i-2] != '/' && end >= 0 && body[end+1] != '/'
		if (opens || closes && !afterOpening) && i > 0 && body[i-1] == '>' {
			out.WriteString("\n" + strings.Repeat("  ", depth))
		}
		if opens {
			depth++
		}
		if strings.HasPrefix(body[i:], "/>") {
			depth--
		}
		out.WriteByte(body[i])
	}
	return out.String()
}

// Every operation has golden files, and each folder has those of one operation.
func TestGolden_CoversEveryOperation(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir(goldens)
	if err != nil {
		t.Fatal(err)
	}
	covered := map[httpapi.Route]string{}
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		requests, _ := filepath.Glob(filepath.Join(goldens, folder.Name(), "*.request"))
		routes := map[httpapi.Route]bool{}
		for _, file := range requests {
			method, path, _, _ := readRequest(t, file)
			route, ok := routeOf(method, path)
			if !ok {
				t.Errorf("%s does not match a route", file)
				continue
			}
			routes[route] = true
			covered[route] = folder.Name()
		}
		if len(routes) != 1 {
			t.Errorf("%s holds requests of %d operations, want one", folder.Name(), len(routes))
		}
	}
	for _, route := range httpapi.Routes() {
		if covered[route] == "" && (strings.Contains(route.Pattern, "Webhook") || strings.Contains(route.Pattern, "Events")) {
			t.Errorf("no golden file for %s %s", route.Method, route.Pattern)
		}
	}
}

// routeOf returns the route of a request as the router does: the most literal one
// that matches.
func routeOf(method, address string) (found httpapi.Route, ok bool) {
	path, _, _ := strings.Cut(address, "?")
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if strings.EqualFold(segments[0], "Default") {
		segments = segments[1:]
	}
	if method == "HEAD" {
		method = "GET"
	}
	most := -1
	for _, route := range httpapi.Routes() {
		if literals := fits(route.Pattern, segments); route.Method == method && literals > most {
			found, most = route, literals
		}
	}
	return found, most >= 0
}
