package httpapi_test

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// logged is a delivery that a test stores in tenant Default.
type logged struct {
	id       string // of the event
	event    webhook.Event
	fast     *delivery.Attempt
	attempts []delivery.Attempt
	status   delivery.Status
	response string
}

// deliver stores deliveries to a webhook.
func (s *server) deliver(id int32, all ...logged) {
	s.t.Helper()
	rows := s.db.Deliveries()
	expires := now.AddDate(0, 1, 0)
	for _, l := range all {
		key := delivery.Key{Tenant: "Default", Webhook: id, Event: webhook.EventID(l.id)}
		seed := delivery.NewSeed(l.event, "", l.fast, expires)
		for i, a := range l.attempts {
			token := fmt.Sprint(i)
			_, err := rows.Lease(s.t.Context(), delivery.Lease{Key: key, Round: 1, Attempt: a.Number, Token: token, Now: a.At, Until: a.At.Add(time.Minute), SweepAt: a.At, Seed: seed})
			outcome := delivery.Outcome{Attempt: a, Response: l.response, Status: delivery.StatusPending, NextAt: a.At.Add(time.Minute), SweepAt: a.At.Add(time.Minute)}
			if i == len(l.attempts)-1 && l.status != delivery.StatusPending {
				outcome.Status, outcome.NextAt, outcome.SweepAt = l.status, time.Time{}, time.Time{}
			}
			row, errFinish := rows.Finish(s.t.Context(), delivery.Finish{Key: key, Round: 1, Attempt: a.Number, Token: token, Now: a.At.Add(a.Duration), ExpiresAt: expires, Outcome: outcome})
			if a.Error != "" && len(l.response) > len(row.Response) {
				err = errors.Join(err, rows.PutResponse(s.t.Context(), delivery.FailureResponse{Key: key, Number: a.Number, At: a.At, Excerpt: l.response, ExpiresAt: expires}))
			}
			if err = errors.Join(err, errFinish); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// eventIDs are ids of events that were accepted a second apart, in order.
func eventIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = string(webhook.FirstEventID(now.Add(time.Duration(i) * time.Second))[:24]) + fmt.Sprintf("%012d", i)
	}
	return ids
}

func succeeded(number int) delivery.Attempt {
	return delivery.Attempt{Round: 1, Lane: delivery.LaneFast, Number: number, At: now.Add(time.Duration(number) * time.Minute), Duration: 84 * time.Millisecond, StatusCode: 200}
}

func failed(number, status int) delivery.Attempt {
	a := succeeded(number)
	a.Lane, a.StatusCode, a.Error = delivery.LaneQueue, status, failure.Status
	if status == 0 {
		a.Error = failure.Timeout
	}
	return a
}

// page is a page of the log as a client reads it.
type page struct {
	Deliveries []struct {
		EventID, Event, Entity, Key, Status string
		Attempts                            []struct {
			Error, Advice, Response string
			ResponseHeaders         map[string]string
		}
	}
	Examined int
	Cursor   *string
}

func (s *server) page(path string) (p page) {
	s.t.Helper()
	got := s.call("GET", path, "")
	if err := json.Unmarshal(got.Body.Bytes(), &p); err != nil || got.Code != 200 {
		s.t.Fatalf("%s: got %d %s, %v", path, got.Code, got.Body, err)
	}
	return p
}

const logOf1 = "/api/v1/Webhook/1/Deliveries"

func TestDeliveries_PagesAreCompleteAndInOrder(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	s.call("POST", "/api/v1/Webhook", minimal)
	ids := eventIDs(130)
	for _, id := range ids {
		s.deliver(1, logged{id: id, event: webhook.Event{Name: "a.b"}, attempts: []delivery.Attempt{succeeded(1)}, status: delivery.StatusDelivered})
	}
	s.deliver(2, logged{id: ids[3], event: webhook.Event{Name: "of.another"}, attempts: []delivery.Attempt{succeeded(1)}, status: delivery.StatusDelivered})
	slices.Reverse(ids)
	for query, want := range map[string]struct {
		ids   []string
		pages int
	}{
		"?limit=100": {ids, 2}, "?": {ids, 3}, "?limit=7": {ids, 19}, "?event=a.b&limit=13": {ids, 10}, "?event=c.d": {[]string{}, 1},
		"?from=2026-11-24T08:00:10Z&to=2026-11-24T08:00:20Z&limit=4": {ids[110:120], 3},
		"?from=2026-11-24T08:02:00Z":                                 {ids[:10], 1}, "?to=2026-11-24T08:00:00Z": {[]string{}, 1},
		"?to=2026-11-24T10:00:05%2B02:00": {ids[125:], 1}, "?to=2026-11-24T10:00:05+02:00": {ids[125:], 1},
	} {
		got, pages, examined := []string{}, 0, 0
		for path := logOf1 + query; path != ""; pages++ {
			p := s.page(path)
			for _, d := range p.Deliveries {
				got = append(got, d.EventID)
			}
			examined += p.Examined
			if path = ""; p.Cursor != nil {
				path = logOf1 + query + "&cursor=" + *p.Cursor
			}
		}
		if diff := cmp.Diff(want.ids, got); diff != "" || pages != want.pages || !strings.Contains(query, "event=c.d") && examined != len(got) {
			t.Errorf("%s: %d pages, want %d; examined %d (-want +got):\n%s", query, pages, want.pages, examined, diff)
		}
	}
}

func TestDeliveries_Filters(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	ids := eventIDs(4)
	s.deliver(1,
		logged{id: ids[0], event: webhook.Event{Name: "contact.changed", PrimaryKey: 7}, attempts: []delivery.Attempt{succeeded(1)}, status: delivery.StatusDelivered},
		logged{id: ids[1], event: webhook.Event{Name: "Contact.Created", PrimaryKey: -7}, attempts: []delivery.Attempt{failed(1, 503)}, status: delivery.StatusPending},
		logged{id: ids[2], event: webhook.Event{Name: "order.placed", Key: "A/1"}, attempts: []delivery.Attempt{failed(1, 410)}, status: delivery.StatusFailed},
		logged{id: ids[3], event: webhook.Event{Name: "order.line.added", Key: "a/1"}, attempts: []delivery.Attempt{failed(1, 0)}, status: delivery.StatusFailed},
	)
	for query, want := range map[string]string{
		"status=failed": "32", "status=Pending": "1", "STATUS=Delivered": "0", "event=contact.changed": "0", "event=contact.*": "10", "event=order.*": "32",
		"entity=CONTACT": "10", "entity=order.line": "3", "primaryKey=-7": "1", "primaryKey=0": "32", "key=A/1": "2", "key=a%2F1": "3", "class=2xx": "0", "class=5XX": "1",
		"class=none": "3", "error=timeout": "3", "error=status": "21", "status=failed&error=timeout": "3", "status=failed&class=5xx": "", "event=": "3210", "key=x": "",
	} {
		got := ""
		for _, d := range s.page(logOf1 + "?" + query).Deliveries {
			got += fmt.Sprint(slices.Index(ids, d.EventID))
		}
		if got != want {
			t.Errorf("%s: got deliveries %q, want %q", query, got, want)
		}
	}
}

func TestDeliveries_WrongParametersAreNamed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	for query, want := range map[string]string{
		"status=done": "status must be one of pending, delivered", "class=6xx": "class must be one of none, 2xx", "error=oops": "error must be one of dns,",
		"event=a..*b": "event must be the name", "primaryKey=x": "primaryKey must be an integer", "primaryKey=2147483648": "primaryKey must be an integer",
		"limit=0": "limit must be an integer from 1 to 100", "limit=101": "limit must be", "limit=1e2": "limit must be", "from=yesterday": "from must be a time",
		"to=2026-13-01": "to must be a time", "from=2026-11-24&to=2026-11-23": "from must be before to", "statu=failed": "statu", "limit=5&limit=6": "limit is in the query more than once",
		"cursor=x": "cursor must be the Cursor", "status=done&limit=0": "status must be one of pending, delivered, failed, cancelled, expired; limit must be",
	} {
		got := s.call("GET", logOf1+"?"+query, "")
		if got.Code != 400 || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: got %d %s, want %q", query, got.Code, got.Body, want)
		}
	}
}

// A cursor works for the list that returned it, and for no other.
func TestDeliveries_HostileCursors(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Auth = everyone() })
	rows := func(tenant webhook.Tenant) {
		for i, id := range eventIDs(5) {
			key := delivery.Key{Tenant: tenant, Webhook: int32(1 + i%2), Event: webhook.EventID(id)}
			first := delivery.RecordFirst{Key: key, Now: now, Seed: delivery.Seed{EventName: "a.b", ExpiresAt: now.AddDate(0, 1, 0)}, Outcome: delivery.Outcome{Attempt: succeeded(1), Status: delivery.StatusDelivered}}
			if _, err := s.db.Deliveries().RecordFirst(t.Context(), first); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, who := range []string{"owner", "owner", "another tenant", "another app"} {
		if got := s.call("POST", "/api/v1/Webhook", minimal, "Authorization: "+who); got.Code != 200 {
			t.Fatal(got.Body)
		}
	}
	rows("Default")
	rows("Other")
	cursorOf := func(who, path string) string {
		got := s.call("GET", path+"?limit=1", "", "Authorization: "+who)
		var p page
		if err := json.Unmarshal(got.Body.Bytes(), &p); err != nil || p.Cursor == nil {
			t.Fatalf("%s: got %d %s", path, got.Code, got.Body)
		}
		return *p.Cursor
	}
	own := cursorOf("owner", logOf1)
	raw, err := base64.RawURLEncoding.DecodeString(own)
	if err != nil || strings.Contains(own, "-0000-") {
		t.Fatalf("the cursor %q is not opaque: %v", own, err)
	}
	raw[0]++
	owner := webhook.Principal{Tenant: "Default", App: "a"}
	hostile := map[string]string{
		"of another webhook": cursorOf("owner", "/api/v1/Webhook/2/Deliveries"), "of another tenant": cursorOf("another tenant", logOf1),
		"of another version": base64.RawURLEncoding.EncodeToString(raw), "cut": own[:len(own)-3], "longer": own + "AAAA", "an event id": eventIDs(1)[0],
		"forged with a broken id": httpapi.EncodeCursor("deliveries", httpapi.CursorScope(owner, 1), "'; DROP TABLE"),
		"forged with no id":       httpapi.EncodeCursor("deliveries", httpapi.CursorScope(owner, 1), ""),
		"of another list":         httpapi.EncodeCursor("events", httpapi.CursorScope(owner, 1), eventIDs(1)[0]),
	}
	for what, cursor := range hostile {
		for _, accept := range []string{"application/json", "text/csv"} {
			got := s.call("GET", logOf1+"?cursor="+cursor, "", "Authorization: owner", "Accept: "+accept)
			if got.Code != 400 || !strings.Contains(got.Body.String(), "cursor must be the Cursor of the previous page") {
				t.Errorf("%s: got %d %s", what, got.Code, got.Body)
			}
		}
	}
	for who, want := range map[string]int{"owner": 200, "another app": 404, "another tenant's same app": 404, "another tenant": 400} {
		if got := s.call("GET", logOf1+"?cursor="+own, "", "Authorization: "+who); got.Code != want {
			t.Errorf("the owner's cursor for %s: got %d %s, want %d", who, got.Code, got.Body, want)
		}
	}
}

// A forged cursor that lies beyond a bound does not widen it.
func TestDeliveries_ACursorDoesNotWidenTheBounds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	ids := eventIDs(5)
	for _, id := range ids {
		s.deliver(1, logged{id: id, event: webhook.Event{Name: "a.b"}, attempts: []delivery.Attempt{succeeded(1)}, status: delivery.StatusDelivered})
	}
	late := httpapi.EncodeCursor("deliveries", httpapi.CursorScope(tje0, 1), "ffffffff-ffff-ffff-ffff-ffffffffffff")
	if got := s.page(logOf1 + "?to=2026-11-24T08:00:02Z&cursor=" + late).Deliveries; len(got) != 2 || got[0].EventID != ids[1] {
		t.Errorf("got %+v", got)
	}
	early := httpapi.EncodeCursor("deliveries", httpapi.CursorScope(tje0, 1), ids[1])
	if got := s.page(logOf1 + "?from=2026-11-24T08:00:02Z&cursor=" + early); len(got.Deliveries) != 0 || got.Cursor != nil {
		t.Errorf("got %+v", got)
	}
}

func TestDelivery_ShowsTheLastFailuresResponse(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	body := strings.Repeat("<stack trace>\n", 200)
	long := "HTTP 500 Internal Server Error\nContent-Type: text/html\nVia: a\nVia: b\n\n" + body
	ids := eventIDs(3)
	fast := delivery.Attempt{Round: 1, Lane: delivery.LaneFast, At: now, Duration: 1500 * time.Millisecond, Error: failure.Fast}
	s.deliver(1,
		logged{id: ids[0], event: webhook.Event{Name: "a.b"}, fast: &fast, attempts: []delivery.Attempt{failed(1, 500), failed(2, 500)}, status: delivery.StatusPending, response: long},
		logged{id: ids[1], event: webhook.Event{Name: "a.b"}, attempts: []delivery.Attempt{failed(1, 500), succeeded(2)}, status: delivery.StatusDelivered, response: long},
	)
	read := func(path string) (d struct {
		EventID  string
		Attempts []struct {
			Number          int
			Lane            string
			Error, Advice   string
			ResponseHeaders map[string]string
			Response        string
		}
	},
	) {
		t.Helper()
		got := s.call("GET", path, "")
		if err := json.Unmarshal(got.Body.Bytes(), &d); err != nil || got.Code != 200 {
			t.Fatalf("got %d %s, %v", got.Code, got.Body, err)
		}
		return d
	}
	d := read(logOf1 + "/" + strings.ToUpper(ids[0]))
	if len(d.Attempts) != 3 || d.Attempts[0].Number != 0 || d.Attempts[0].Error != "fast_timeout" || d.Attempts[0].Lane != "fast" || d.Attempts[2].Lane != "queue" ||
		!strings.HasPrefix(d.Attempts[0].Advice, "The response took more than 1.5 s") || !strings.HasPrefix(d.Attempts[2].Advice, "The target responded with a status") {
		t.Fatalf("got %+v", d)
	}
	last := d.Attempts[2]
	if diff := cmp.Diff(map[string]string{"Content-Type": "text/html", "Via": "a, b"}, last.ResponseHeaders); last.Response != body || diff != "" || d.Attempts[1].Response != "" {
		t.Errorf("response of %d bytes, headers (-want +got):\n%s", len(last.Response), diff)
	}
	d = read(logOf1 + "/" + ids[1])
	if d.Attempts[0].Response != body || len(d.Attempts[1].Response) == 0 || len(d.Attempts[1].Response) > 512 || d.Attempts[1].Advice != "" {
		t.Errorf("after a success: responses of %d and %d bytes", len(d.Attempts[0].Response), len(d.Attempts[1].Response))
	}
	// The list shows what the row holds of the last response, and reads no other item.
	for _, d := range s.page(logOf1).Deliveries {
		if n := len(d.Attempts[len(d.Attempts)-1].Response); n == 0 || n > 512 {
			t.Errorf("in the list, the response has %d bytes", n)
		}
	}
	for _, absent := range []string{ids[2], "x", "019ac000"} {
		if got := s.call("GET", logOf1+"/"+absent, ""); got.Code != 404 || !strings.Contains(got.Body.String(), "No delivery of event") {
			t.Errorf("%s: got %d %s", absent, got.Code, got.Body)
		}
	}
}

func TestDeliveries_AsCSV(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", minimal)
	ids := eventIDs(6)
	cells := []string{"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "＝1"}
	for i, id := range ids {
		s.deliver(1, logged{
			id: id, event: webhook.Event{Name: "-a.b", Key: cells[i], PrimaryKey: -5}, attempts: []delivery.Attempt{failed(1, 500)}, status: delivery.StatusFailed,
			response: "HTTP 500 No\n\n=HYPERLINK(\"http://x\")\n,\"" + cells[i],
		})
	}
	get := func(path string) (lines [][]string, cursor string) {
		t.Helper()
		got := s.call("GET", path, "", "Accept: text/csv")
		lines, err := csv.NewReader(got.Body).ReadAll()
		if got.Code != http.StatusOK || err != nil || got.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
			t.Fatalf("got %d %v %s", got.Code, err, got.Header())
		}
		return lines, got.Header().Get("X-Posthaste-Cursor")
	}
	lines, cursor := get(logOf1)
	if len(lines) != 7 || cursor != "" || len(lines[0]) != 20 {
		t.Fatalf("got %d lines, cursor %q: %q", len(lines), cursor, lines)
	}
	for i, line := range lines[1:] {
		key := cells[5-i]
		if line[0] != ids[5-i] || line[1] != "'-a.b" || line[3] != "'-5" || line[4] != "'"+key || line[16] != "status" || line[19] != "'=HYPERLINK(\"http://x\")\n,\""+key {
			t.Errorf("line %d: %q", i, line)
		}
		for _, cell := range line {
			if strings.IndexAny(cell, "=+-@\t") == 0 {
				t.Errorf("line %d has the cell %q", i, cell)
			}
		}
	}
	var got []string
	for path := logOf1 + "?limit=4"; path != ""; {
		lines, cursor := get(path)
		for _, line := range lines[1:] {
			got = append(got, line[0])
		}
		if path = ""; cursor != "" {
			path = logOf1 + "?limit=4&cursor=" + cursor
		}
	}
	slices.Reverse(ids)
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, cursor := get(logOf1 + "?event=c.d"); cursor != "" {
		t.Errorf("a log that was examined to its end has the cursor %q", cursor)
	}
}

func TestDeliveries_CSVIsChosenByAccept(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.StrictAccept = true })
	s.call("POST", "/api/v1/Webhook", minimal)
	for accept, want := range map[string]string{
		"text/csv": "text/csv", "text/csv;q=0.5, application/json;q=0.4": "text/csv", "application/json, text/csv": "application/json", "*/*": "application/json",
		"text/csv, application/xml;q=0.1": "text/csv", "application/xml": "application/xml", "": "application/json",
	} {
		if got := s.call("GET", logOf1, "", "Accept: "+accept); got.Code != 200 || !strings.HasPrefix(got.Header().Get("Content-Type"), want+";") {
			t.Errorf("%q: got %d %s", accept, got.Code, got.Header().Get("Content-Type"))
		}
	}
	if got := s.call("GET", "/api/v1/Webhook/1", "", "Accept: text/csv"); got.Code != 406 {
		t.Errorf("another route as CSV: got %d", got.Code)
	}
}

// Rows that cannot be decoded do not hide the others.
func TestDeliveries_UnreadableRowsAreOmitted(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *httpapi.Config) { c.Stored.Deliveries = damagedLog{c.Stored.Deliveries.(delivery.Store)} })
	s.call("POST", "/api/v1/Webhook", minimal)
	id := eventIDs(1)[0]
	s.deliver(1, logged{id: id, event: webhook.Event{Name: "a.b"}, attempts: []delivery.Attempt{succeeded(1)}, status: delivery.StatusDelivered})
	if p := s.page(logOf1); len(p.Deliveries) != 1 {
		t.Errorf("got %+v", p)
	}
	if !strings.Contains(s.log.String(), `"cannot decode stored rows"`) {
		t.Errorf("nothing is logged: %s", s.log.String())
	}
}

type damagedLog struct{ delivery.Store }

func (d damagedLog) Log(ctx context.Context, q delivery.LogQuery) (delivery.LogPage, error) {
	page, err := d.Store.Log(ctx, q)
	var broken webhook.UnreadableError
	broken.Add("row 1", errors.New("damaged"))
	return page, errors.Join(err, broken.Err())
}
