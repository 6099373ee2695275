package main

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"
)

const benchReplayed = 10_000

// benchReplay measures a webhook's live events alone and during a replay of 10,000 past
// ones to the same webhook.
func benchReplay(b *testing.B, t *table, binary string) {
	var alone time.Duration
	for _, perSecond := range []int{0, 50, 500} {
		r, live := benchDuringReplay(b, binary, perSecond)
		if perSecond == 0 {
			alone = live
		} else {
			r.note = fmt.Sprintf("live p50 during a replay vs alone, from the start of the call: ×%.2f (goal 1.5); %s", float64(live)/float64(alone), r.note)
		}
		t.add(r)
	}
}

// benchDuringReplay also returns the median from the start of the call to the arrival.
func benchDuringReplay(b *testing.B, binary string, perSecond int) (r row, live time.Duration) {
	const length, pace = 12 * time.Second, 20 * time.Millisecond
	c := newCourse()
	target := &marks{next: c}
	server := httptest.NewServer(target)
	defer server.Close()
	dir := b.TempDir()
	past(b, dir, server.URL, benchReplayed)
	what := "alone"
	if perSecond > 0 {
		replayAll(b, dir, perSecond)
		what = fmt.Sprintf("during a replay of at most %d a second", perSecond)
	}
	s := startBenchServiceOn(b, binary, dir)
	defer s.stop()
	p := s.publisher()
	if p == nil {
		return row{}, 0
	}
	w := measure(s.cmd.Process.Pid)
	for range int(length / pace) {
		if err := c.signal(p, "contact.changed"); err != nil {
			b.Fatal(err)
		}
		<-time.After(pace)
	}
	took, idle, _ := w.close()
	c.settle(10 * time.Second)
	r = c.row(0)
	r.what, r.perSecond, r.idle = what, float64(c.next.Load())/took.Seconds(), idle
	if perSecond > 0 {
		r.note = fmt.Sprintf("%.0f replayed a second; %s", float64(target.marked.Load())/took.Seconds(), r.note)
	}
	var whole []time.Duration
	for n := range int(c.next.Load()) {
		if arrived := c.arrived[n].Load(); arrived > 0 {
			whole = append(whole, time.Duration(arrived-c.began[n].Load()))
		}
	}
	return r, percentile(whole, 0.5)
}
