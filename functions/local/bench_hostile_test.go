package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// hostile is a tenant whose webhooks all get the same events, and whose targets respond
// with 200 after a while.
type hostile struct {
	webhooks, events int
	after            time.Duration
}

// benchHostile measures what becomes of another tenant's deliveries.
func benchHostile(b *testing.B, t *table, binary string) {
	var alone row
	for i, h := range []hostile{{}, {20, 20, 25 * time.Second}, {900, 5, 25 * time.Second}, {20, 30, time.Hour}} {
		r := benchNextTo(b, binary, h)
		if i == 0 {
			alone = r
		} else if alone.p50 > 0 {
			r.note = fmt.Sprintf("×%.2f, p99 ×%.2f of alone (goals 1.5 and 3); %s", float64(r.p50)/float64(alone.p50), float64(r.p99)/float64(alone.p99), r.note)
		}
		t.add(r)
	}
}

func benchNextTo(b *testing.B, binary string, h hostile) row {
	b.Helper()
	const pace, length = 20 * time.Millisecond, 10 * time.Second
	c := newCourse()
	target := httptest.NewServer(c)
	defer target.Close()
	s := startBenchService(b, binary)
	defer s.stop()
	s.create("good.tick", target.URL)
	p := s.publisher()
	if p == nil {
		return row{}
	}
	for range 50 { // the webhook earns the fast lane
		if err := c.signal(p, "good.tick"); err != nil {
			b.Fatal(err)
		}
	}
	c.settle(10 * time.Second)
	r := row{what: "alone"}
	if h.webhooks > 0 {
		r.what = fmt.Sprintf("%d webhooks × %d events, 200 after %s", h.webhooks, h.events, h.after)
		release := make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			select {
			case <-time.After(h.after):
			case <-release:
			}
		}))
		defer slow.Close()
		defer close(release)
		s.besiege(h, slow.URL)
	}
	from := int(c.next.Load())
	w := measure(s.cmd.Process.Pid)
	for range int(length / pace) {
		if err := c.signal(p, "good.tick"); err != nil {
			b.Fatal(err)
		}
		<-time.After(pace)
	}
	took, idle, cpu := w.close()
	c.settle(30 * time.Second)
	own := c.row(from)
	n := int(c.next.Load()) - from
	r.p50, r.p99, r.idle, r.perSecond, r.cpu = own.p50, own.p99, idle, float64(n)/took.Seconds(), cpu/time.Duration(n)
	// A new webhook has not earned the fast lane.
	fresh := newCourse()
	other := httptest.NewServer(fresh)
	defer other.Close()
	s.create("fresh.tick", other.URL)
	if err := fresh.signal(p, "fresh.tick"); err != nil {
		b.Fatal(err)
	}
	fresh.settle(60 * time.Second)
	r.note = fmt.Sprintf("a new webhook's first event after %s (goal 5 s)", span(fresh.row(0).p50))
	return r
}

// besiege makes a tenant of its own with webhooks that all take the same events, and
// signals them.
func (s *benchService) besiege(h hostile, target string) {
	s.b.Helper()
	call := func(user, password, path string, body any) []byte {
		text, err := json.Marshal(body)
		if err != nil {
			s.b.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodPost, "http://"+s.addr+path, bytes.NewReader(text))
		if err != nil {
			s.b.Fatal(err)
		}
		req.SetBasicAuth(user, password)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.b.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var out bytes.Buffer
		_, _ = out.ReadFrom(resp.Body)
		if resp.StatusCode/100 != 2 {
			s.b.Fatalf("%s: %s %s", path, resp.Status, out.String())
		}
		return out.Bytes()
	}
	call("admin", "admin", "/admin/v1/Tenants", map[string]any{"Name": "Hostile"})
	var made struct{ Secret string }
	credential := map[string]any{"Kind": "basic", "User": "h", "Scopes": []string{"webhooks", "events"}}
	if err := json.Unmarshal(call("admin", "admin", "/admin/v1/Tenants/Hostile/Credentials", credential), &made); err != nil {
		s.b.Fatal(err)
	}
	for i := range h.webhooks {
		call("h", made.Secret, "/api/v1/Webhook", map[string]any{"Name": fmt.Sprint("h", i), "Events": []string{"h.tick"}, "TargetUrl": target})
	}
	for i := range h.events {
		call("h", made.Secret, "/api/v1/Webhook/h.tick/1", map[string]any{"n": i})
	}
	<-time.After(2 * time.Second) // until all slots that it can have are taken
}
