package simulation_test

import (
	"cmp"
	"slices"
	"testing"
	"time"
)

// fairness is what SQS does about noisy message groups on a standard queue: as long as
// messages of quiet groups wait, consumers get no others. AWS documents the rule under
// "How Amazon SQS fair queues work". A group is noisy while its share of the time that
// consumers spent lately, or of at least 30 messages in flight, is more than a tenth;
// of several, the one with the fewest messages in flight comes first. Messages without a
// group are groups of their own.
type fairness struct {
	handled []handling
}

// handling is the time between the receive of a message and its end.
type handling struct {
	group       string
	from, until time.Time
}

const (
	noisyShare  = 0.1
	noisyFlight = 30
	lately      = 5 * time.Minute
)

// receives notes that a message is received, maybe again.
func (f *fairness) receives(m *message, now time.Time) {
	f.ends(m, now)
	m.received = now
}

// ends notes that a message was deleted, or became visible again.
func (f *fairness) ends(m *message, now time.Time) {
	if m.group != "" && !m.received.IsZero() {
		f.handled = append(f.handled, handling{m.group, m.received, earlier(m.visible, now)})
	}
	m.received = time.Time{}
}

// load is a group's part in what the consumers do.
type load struct {
	inFlight int
	spent    time.Duration
}

// loads returns the loads of all groups and their sum.
func (f *fairness) loads(waiting []*message, now time.Time) (of map[string]load, all load) {
	since := now.Add(-lately)
	of = map[string]load{}
	add := func(group string, inFlight int, from, until time.Time) {
		l, spent := of[group], max(until.Sub(later(from, since)), 0)
		of[group] = load{l.inFlight + inFlight, l.spent + spent}
		all = load{all.inFlight + inFlight, all.spent + spent}
	}
	f.handled = slices.DeleteFunc(f.handled, func(h handling) bool { return h.until.Before(since) })
	for _, h := range f.handled {
		add(h.group, 0, h.from, h.until)
	}
	for _, m := range waiting {
		switch {
		case m.group == "" || m.received.IsZero():
		case m.visible.After(now):
			add(m.group, 1, m.received, now)
		default:
			add(m.group, 0, m.received, m.visible)
		}
	}
	return of, all
}

// sort puts the messages that can be received in the order of their groups: quiet ones
// first. Within a group, and among quiet groups, the order stays.
func (f *fairness) sort(ready, waiting []*message, now time.Time) {
	of, all := f.loads(waiting, now)
	rank := func(m *message) int {
		l := of[m.group]
		noisy := float64(l.spent) > noisyShare*float64(all.spent) || l.inFlight >= noisyFlight && float64(l.inFlight) > noisyShare*float64(all.inFlight)
		if m.group == "" || !noisy {
			return -1
		}
		return l.inFlight
	}
	slices.SortStableFunc(ready, func(a, b *message) int { return cmp.Compare(rank(a), rank(b)) })
}

func TestFairness(t *testing.T) {
	t.Parallel()
	var f fairness
	now := time.Now()
	hog := func() *message { return &message{group: "hog", visible: now} }
	var waiting []*message
	for range noisyFlight {
		m := hog()
		f.receives(m, now)
		m.visible = now.Add(time.Minute)
		waiting = append(waiting, m)
	}
	quiet, none := &message{group: "quiet", visible: now}, &message{visible: now}
	ready := []*message{hog(), quiet, hog(), none}
	if f.sort(ready, waiting, now); ready[0] != quiet || ready[1] != none {
		t.Error("30 messages in flight make no group noisy")
	}
	other := &message{group: "other", visible: now}
	f.receives(other, now.Add(-time.Hour))
	ready = []*message{hog(), other}
	if f.sort(ready, append(waiting, other), now); ready[0] != other {
		t.Error("of two noisy groups, the one with fewer messages in flight does not come first")
	}
	for _, m := range waiting {
		f.ends(m, now.Add(time.Second))
	}
	ready = []*message{hog(), quiet}
	if f.sort(ready, nil, now.Add(time.Second)); ready[0] != quiet {
		t.Error("a second of all processing time makes no group noisy")
	}
	if f.sort(ready, nil, now.Add(2*lately)); ready[0] != quiet || len(f.handled) > 0 {
		t.Error("a group stays noisy")
	}
}
