package explain_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/explain"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestExplain_WhatBecameOfIt(t *testing.T) {
	t.Parallel()
	later := func(d time.Duration) time.Time { return accepted.Add(d) }
	open := webhook.Health{Activation: 1, Breaker: webhook.Breaker{Failures: 10, Step: time.Hour, ProbeAt: later(3 * time.Hour)}}
	fast := webhook.Health{Activation: 1, LastOK: later(-time.Minute), Latency: time.Millisecond}
	stopped := newWebhook("*")
	stopped.State, stopped.Updated, stopped.Revision = webhook.StateStopped, later(time.Minute), 4
	late := stopped
	late.Updated = later(16 * time.Minute)
	restarted := newWebhook("*")
	restarted.Updated, restarted.Revision, restarted.ActivatedAt = later(2*time.Minute), 5, later(2*time.Minute)
	unsubscribed := newWebhook("a.b")
	subscribed := newWebhook("contact.*")
	subscribed.Updated, subscribed.Revision = later(time.Second), 4
	created := newWebhook("*")
	created.Registered, created.Updated, created.ActivatedAt, created.Revision = later(time.Second), later(time.Second), later(time.Second), 1
	just := newWebhook("*")
	just.Registered, just.Updated, just.ActivatedAt = later(-8*time.Second), later(-8*time.Second), later(-8*time.Second)
	slow, slowly, settled := newWebhook("contact.*"), newWebhook("a.b"), newWebhook("contact.*")
	slow.Updated, slowly.Updated, settled.Updated = later(-8*time.Second), later(-8*time.Second), later(-explain.Committing)
	slow.Revision, slowly.Revision, settled.Revision = 4, 4, 4
	unknown := newWebhook("*")
	unknown.Updated, unknown.Revision = later(time.Hour), 9
	row := func(change func(d *delivery.Row)) delivery.Row {
		d := delivery.Row{
			Key: delivery.Key{Tenant: "Default", Webhook: 7, Event: "019ac000-0000-7000-8000-000000000001"}, Status: delivery.StatusPending,
			Round: 1, Created: later(time.Second), Updated: later(time.Minute), NextAt: later(4 * time.Hour), SweepAt: later(5 * time.Hour),
		}
		change(&d)
		return d
	}
	failed := func(d *delivery.Row) {
		d.Attempt, d.AttemptCount, d.Attempts = 2, 2, []delivery.Attempt{{Number: 2, Error: failure.DNS}}
	}
	for name, test := range map[string]struct {
		revisions []webhook.Webhook
		row       delivery.Row
		health    *webhook.Health
		deleted   time.Time
		now       time.Duration
		try       bool

		matches bool
		codes   []explain.Code
		lane    delivery.Lane
		next    time.Time
		wait    explain.Wait
	}{
		"not dispatched yet":      {now: time.Second, matches: true, codes: []explain.Code{explain.Matched, explain.NotYet}, lane: delivery.LaneQueue},
		"by the fast lane":        {now: time.Second, health: &fast, matches: true, codes: []explain.Code{explain.Matched, explain.NotYet}, lane: delivery.LaneFast},
		"an old record":           {now: time.Minute, health: &fast, matches: true, codes: []explain.Code{explain.Matched, explain.NotYet}, lane: delivery.LaneQueue},
		"parked from the start":   {now: time.Second, health: &open, matches: true, codes: []explain.Code{explain.Matched, explain.NotYet, explain.BreakerOpen}, lane: delivery.LaneParked, wait: explain.WaitBreaker, next: later(3 * time.Hour)},
		"just before 15 minutes":  {now: 15*time.Minute - 1, matches: true, codes: []explain.Code{explain.Matched, explain.NotYet}, lane: delivery.LaneQueue},
		"missing":                 {now: 15 * time.Minute, matches: true, codes: []explain.Code{explain.Matched, explain.Missing}},
		"changed long after":      {revisions: []webhook.Webhook{newWebhook("*"), late}, now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Missing}},
		"stopped meanwhile":       {revisions: []webhook.Webhook{newWebhook("*"), stopped}, now: time.Hour, codes: []explain.Code{explain.Matched, explain.ChangedMeantime}},
		"stopped, not yet":        {revisions: []webhook.Webhook{newWebhook("*"), stopped}, now: 2 * time.Minute, codes: []explain.Code{explain.Matched, explain.ChangedMeantime, explain.NotYet}, lane: delivery.LaneQueue},
		"stopped and restarted":   {revisions: []webhook.Webhook{newWebhook("*"), stopped, restarted}, now: time.Hour, codes: []explain.Code{explain.Matched, explain.ChangedMeantime}},
		"subscribed meanwhile":    {revisions: []webhook.Webhook{unsubscribed, subscribed}, now: time.Hour, codes: []explain.Code{explain.NotSubscribed, explain.ChangedMeantime}},
		"subscribed and sent":     {revisions: []webhook.Webhook{unsubscribed, subscribed}, row: row(failed), now: time.Hour, matches: true, codes: []explain.Code{explain.NotSubscribed, explain.ChangedMeantime, explain.Retry}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"created right after":     {revisions: []webhook.Webhook{created}, now: time.Hour, codes: []explain.Code{explain.CreatedLater}},
		"created, maybe not yet":  {revisions: []webhook.Webhook{created}, now: time.Minute, codes: []explain.Code{explain.CreatedLater, explain.NotYet}, lane: delivery.LaneQueue},
		"created and sent":        {revisions: []webhook.Webhook{created}, row: row(failed), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Retry}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"an unknown past":         {revisions: []webhook.Webhook{unknown}, now: 2 * time.Hour, codes: []explain.Code{explain.Matched, explain.RevisionUnknown}},
		"an unknown past, sent":   {revisions: []webhook.Webhook{unknown}, row: row(failed), now: 2 * time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.RevisionUnknown, explain.Retry}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"a replay made it":        {revisions: []webhook.Webhook{unsubscribed}, row: row(failed), now: 2 * time.Hour, matches: true, codes: []explain.Code{explain.NotSubscribed, explain.MatchedLater, explain.Retry}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"the first attempt":       {row: row(func(*delivery.Row) {}), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.FirstAttempt}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"a retry":                 {row: row(failed), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Retry}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"behind the breaker":      {row: row(failed), health: &open, now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Retry, explain.BreakerOpen}, lane: delivery.LaneParked, wait: explain.WaitBreaker, next: later(4 * time.Hour)},
		"when a probe is due":     {row: row(failed), health: &open, now: 4 * time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Retry}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"of an earlier breaker":   {revisions: []webhook.Webhook{func() webhook.Webhook { w := newWebhook("*"); w.Activation = 2; return w }()}, row: row(failed), health: &open, now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Retry}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"a manual attempt passes": {row: row(func(d *delivery.Row) { d.Round = 2 }), health: &open, now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.FirstAttempt}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"a replay's waits":        {row: row(func(d *delivery.Row) { d.Round, d.Replay = 2, "job" }), health: &open, now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.FirstAttempt, explain.BreakerOpen}, lane: delivery.LaneParked, wait: explain.WaitBreaker, next: later(4 * time.Hour)},
		"parked":                  {row: row(func(d *delivery.Row) { failed(d); d.Parked = true }), health: &open, now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Retry, explain.Parked, explain.BreakerOpen}, lane: delivery.LaneParked, wait: explain.WaitBreaker, next: later(4 * time.Hour)},
		"parked, a probe is due":  {row: row(func(d *delivery.Row) { failed(d); d.Parked = true }), health: &open, now: 4 * time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Retry, explain.Parked, explain.BreakerOpen}, lane: delivery.LaneParked, wait: explain.WaitBreaker, next: later(4 * time.Hour)},
		"parked and recovered":    {row: row(func(d *delivery.Row) { d.Parked = true }), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.FirstAttempt, explain.Parked, explain.Draining}, lane: delivery.LaneQueue, wait: explain.WaitBacklog, next: later(4 * time.Hour)},
		"parked and stopped":      {revisions: []webhook.Webhook{newWebhook("*"), late}, row: row(func(d *delivery.Row) { d.Parked = true }), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.FirstAttempt, explain.Inactive}, wait: explain.WaitDisabled, next: later(4 * time.Hour)},
		"leased":                  {row: row(func(d *delivery.Row) { d.Attempt, d.LeaseBy, d.LeaseUntil = 1, "t", later(2*time.Hour) }), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Attempting}, wait: explain.WaitLease},
		"its lease expired":       {row: row(func(d *delivery.Row) { d.Attempt, d.LeaseBy, d.LeaseUntil = 1, "t", later(time.Minute) }), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.AttemptLost}, lane: delivery.LaneQueue, wait: explain.WaitLease, next: later(5 * time.Hour)},
		"stopped while waiting":   {revisions: []webhook.Webhook{newWebhook("*"), late}, row: row(failed), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Retry, explain.Inactive}, wait: explain.WaitDisabled, next: later(4 * time.Hour)},
		"deleted while waiting":   {deleted: later(time.Hour), row: row(failed), now: 2 * time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Deleted, explain.Retry, explain.Inactive}, wait: explain.WaitDisabled, next: later(4 * time.Hour)},
		"deleted":                 {deleted: later(time.Minute), now: 2 * time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Deleted}},
		"deleted before it":       {deleted: later(-time.Minute), now: time.Minute, codes: []explain.Code{explain.Deleted}},
		"deleted and delivered":   {deleted: later(-time.Second), row: row(func(d *delivery.Row) { d.Status = delivery.StatusDelivered }), now: time.Minute, matches: true, codes: []explain.Code{explain.Matched, explain.Deleted, explain.Delivered}},
		"created just before":     {revisions: []webhook.Webhook{just}, now: time.Hour, codes: []explain.Code{explain.CreatedLater}},
		"created and dispatched":  {revisions: []webhook.Webhook{just}, row: row(failed), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Retry}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"changed just before":     {revisions: []webhook.Webhook{unsubscribed, slow}, now: time.Hour, codes: []explain.Code{explain.Matched, explain.ChangedMeantime}},
		"and it is young":         {revisions: []webhook.Webhook{unsubscribed, slow}, now: time.Minute, matches: true, codes: []explain.Code{explain.Matched, explain.NotYet}, lane: delivery.LaneQueue},
		"the one before made it":  {revisions: []webhook.Webhook{newWebhook("contact.*"), slowly}, row: row(failed), now: time.Hour, matches: true, codes: []explain.Code{explain.NotSubscribed, explain.ChangedMeantime, explain.Retry}, lane: delivery.LaneQueue, next: later(4 * time.Hour)},
		"changed long before":     {revisions: []webhook.Webhook{unsubscribed, settled}, now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Missing}},
		"delivered":               {row: row(func(d *delivery.Row) { d.Status = delivery.StatusDelivered }), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Delivered}},
		"failed":                  {row: row(func(d *delivery.Row) { d.Status = delivery.StatusFailed }), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Failed}},
		"cancelled":               {row: row(func(d *delivery.Row) { d.Status = delivery.StatusCancelled }), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Cancelled}},
		"expired":                 {row: row(func(d *delivery.Row) { d.Status = delivery.StatusExpired }), now: time.Hour, matches: true, codes: []explain.Code{explain.Matched, explain.Expired}},
		"hypothetical":            {try: true, health: &fast, matches: true, codes: []explain.Code{explain.Matched}, lane: delivery.LaneFast},
		"hypothetical, later":     {try: true, now: time.Hour, matches: true, codes: []explain.Code{explain.Matched}, lane: delivery.LaneQueue},
		"hypothetical, no match":  {try: true, revisions: []webhook.Webhook{unsubscribed}, now: time.Hour, codes: []explain.Code{explain.NotSubscribed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := explain.Facts{Event: newEvent(t, "contact.changed"), Accepted: accepted, Revisions: test.revisions, Deleted: test.deleted, Row: test.row, Hypothetical: test.try, Now: later(test.now)}
			if f.Revisions == nil {
				f.Revisions = []webhook.Webhook{newWebhook("*")}
			}
			if test.health != nil {
				f.Health, f.Known = *test.health, true
			}
			x := explain.Explain(f)
			if diff := cmp.Diff(test.codes, codes(x.Reasons)); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
			if x.Matches != test.matches || x.Lane != test.lane || !x.NextAttempt.Equal(test.next) || x.WaitingBehind != test.wait {
				t.Errorf("got matches %t, lane %q, next %v, behind %q; want %t, %q, %v, %q", x.Matches, x.Lane, x.NextAttempt, x.WaitingBehind, test.matches, test.lane, test.next, test.wait)
			}
			if n := len(test.row.Attempts); (x.Last != nil) != (n > 0) || n > 0 && !cmp.Equal(*x.Last, test.row.Attempts[n-1]) {
				t.Errorf("last attempt %+v, and the row has %+v", x.Last, test.row.Attempts)
			}
			for _, r := range x.Reasons {
				if strings.ContainsAny(r.Text, "{}") || r.Text == "" {
					t.Errorf("%s: %q", r.Code, r.Text)
				}
			}
		})
	}
}

// Both revisions are named, and when the second took its place.
func TestExplain_ChangedMeanwhileNamesBothRevisions(t *testing.T) {
	t.Parallel()
	first, second := newWebhook("a.b"), newWebhook("contact.changed")
	second.Revision, second.Updated = 4, accepted.Add(time.Second)
	row := delivery.Row{Status: delivery.StatusDelivered, Round: 1, Attempt: 1}
	x := explain.Explain(explain.Facts{Event: newEvent(t, "contact.changed"), Accepted: accepted, Revisions: []webhook.Webhook{first, second}, Row: row, Now: accepted.Add(time.Hour)})
	const want = "Revision 3 was in force about when the event was accepted, and revision 4, since 2026-11-24T08:00:01Z, decides otherwise: the event met one of the two."
	if x.Reasons[1].Text != want || x.Revision != 4 || x.Pattern != "contact.changed" {
		t.Errorf("got %+v", x)
	}
}

// The codes in code, in the table of sentences and in the documentation are the same.
func TestCodes_AreAClosedList(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []explain.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if typed, isCode := (*ast.Ident)(nil), false; ok {
			if typed, isCode = spec.Type.(*ast.Ident); isCode && typed.Name == "Code" {
				value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				declared = append(declared, explain.Code(value))
			}
		}
		return true
	})
	slices.Sort(declared)
	if diff := cmp.Diff(declared, explain.Codes()); diff != "" || len(declared) < 20 {
		t.Errorf("sentences (-declared +have):\n%s", diff)
	}
	text, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			got[strings.TrimSpace(line)] = true
		}
	}
	for _, code := range declared {
		want["| `"+string(code)+"` | "+explain.Sentence(code)+" |"] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/troubleshooting.md (-code +docs):\n%s", diff)
	}
}
