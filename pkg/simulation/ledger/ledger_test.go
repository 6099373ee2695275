package ledger_test

import (
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
)

// The ledger must not repeat a fault of the product, so it imports nothing of it.
func TestLedger_ImportsOnlyTheStandardLibrary(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			if strings.Contains(i.Path.Value, ".") {
				t.Errorf("%s imports %s", f.Name(), i.Path.Value)
			}
		}
	}
}

func TestFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"contact.changed", "Contact.CHANGED", true},
		{"contact.changed", "contact.change", false},
		{"*", "plain", true},
		{"contact.*", "contact.changed", true},
		{"contact.*", "contact.a.b", true},
		{"contact.*", "contact", false},
		{"contact.*", "contacts.changed", false},
		{"order.line.*", "order.line.changed", true},
		{"order.line.*", "order.changed", false},
		{"a.b.c.d.e.f.*", "a.b.c.d.e.f.g", true},
		{"a.b.c.d.e.f.g.*", "a.b.c.d.e.f.g.h", false},
		{"webhook7.errors", "webhook7.errors", true},
		{"webhook8.errors", "webhook7.errors", false},
		{"webhook.errors", "webhook7.errors", true},
		{"webhook.*", "webhook7.errors", false},
		{"webhook7.*", "webhook7.errors", false},
		{"*", "webhook7.errors", false},
		{"*", "webhooks.errors", true},
	} {
		if got := ledger.Fits(c.pattern, c.name); got != c.want {
			t.Errorf("%q fits %q: %t, want %t", c.pattern, c.name, got, c.want)
		}
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := began.Add(2 * time.Second)
	for _, c := range []struct {
		name              string
		policy            string
		retry             int
		response          ledger.Response
		shortest, longest time.Duration
		ok                bool
	}{
		{"a fifth less or more", "durable", 1, ledger.Response{Status: 500}, 4 * time.Second, 6 * time.Second, true},
		{"without a response", "durable", 9, ledger.Response{}, 24 * time.Hour * 8 / 10, 24 * time.Hour * 12 / 10, true},
		{"after the last", "durable", 10, ledger.Response{}, 0, 0, false},
		{"exact", "superoffice", 2, ledger.Response{Status: 302}, 4 * time.Second, 4 * time.Second, true},
		{"gone", "durable", 1, ledger.Response{Status: 410}, 0, 0, false},
		{"abort-message", "durable", 1, ledger.Response{Status: 500, Abort: true}, 0, 0, false},
		{"accepted", "durable", 1, ledger.Response{Status: 204}, 0, 0, false},
		{"seconds", "superoffice", 1, ledger.Response{Status: 429, RetryAfter: " 90 "}, 90 * time.Second, 90 * time.Second, true},
		{"at most a day", "superoffice", 1, ledger.Response{Status: 503, RetryAfter: "999999"}, 24 * time.Hour, 24 * time.Hour, true},
		{"a date", "superoffice", 1, ledger.Response{Status: 503, RetryAfter: "Sun, 01 Mar 2026 12:01:00 GMT", At: at}, 58 * time.Second, time.Minute, true},
		{"an old date", "superoffice", 1, ledger.Response{Status: 503, RetryAfter: "Sun, 01 Mar 2020 12:01:00 GMT", At: at}, time.Second, time.Second, true},
		{"with another status", "superoffice", 1, ledger.Response{Status: 500, RetryAfter: "90"}, time.Second, time.Second, true},
		{"a shorter wait", "durable", 2, ledger.Response{Status: 429, RetryAfter: "1"}, 4 * time.Minute, 6 * time.Minute, true},
	} {
		shortest, longest, ok := ledger.Wait(c.policy, c.retry, c.response, began)
		if ok != c.ok || ok && (shortest != c.shortest || longest != c.longest) {
			t.Errorf("%s: got %s to %s, %t; want %s to %s, %t", c.name, shortest, longest, ok, c.shortest, c.longest, c.ok)
		}
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var c ledger.Counts
	fail := func(seconds int) {
		began := at.Add(time.Duration(seconds) * time.Second)
		c = c.After(ledger.Outcome{Activation: 1, Policy: "superoffice", Began: began, Over: began.Add(time.Second), Posts: 1, Kind: ledger.Failed})
	}
	for i := range 9 {
		fail(i)
	}
	if !c.Exhausted("superoffice", at) || c.Exhausted("durable", at) || c.Step != 0 {
		t.Errorf("after nine failures: %+v", c)
	}
	fail(9)
	if c.Step != 30*time.Second || !c.ProbeAt.Equal(at.Add(40*time.Second)) {
		t.Errorf("after ten failures: %+v", c)
	}
	early, late := c, c
	early.ProbeAt, late.ProbeAt = c.ProbeAt.Add(-3*time.Second), c.ProbeAt.Add(4*time.Second)
	if c.Near(early) != early || c.Near(late) != c {
		t.Errorf("near %+v: %+v; near %+v: %+v", early, c.Near(early), late, c.Near(late))
	}
	var burst ledger.Counts
	for i := range 20 {
		began := at.Add(time.Duration(i) * 100 * time.Millisecond)
		burst = burst.After(ledger.Outcome{Activation: 1, Policy: "durable", Began: began, Over: began, Posts: 1, Kind: ledger.Failed})
	}
	if burst.Step != 0 || burst.Failures != 20 {
		t.Errorf("after twenty failures in 1.9 s: %+v", burst)
	}
	if _, ok := c.Probed(at.Add(39*time.Second), time.Minute); ok {
		t.Error("a probe began before its time")
	}
	c = c.After(ledger.Outcome{Activation: 1, Began: at.Add(time.Minute), Over: at.Add(time.Minute), Posts: 2, Kind: ledger.Accepted})
	if c.Calls != 12 || c.Errors != 10 || c.Consecutive != 0 || c.Step != 0 {
		t.Errorf("after a success: %+v", c)
	}
	fail(30)
	if c.Consecutive != 0 || c.Errors != 11 {
		t.Errorf("after a failure from before the success: %+v", c)
	}
}
