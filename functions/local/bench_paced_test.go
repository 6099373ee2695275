package main

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"
)

// benchPaced measures what a delivery costs when events come at a steady pace, and not
// as fast as they are accepted: nothing shares a commit with much else.
func benchPaced(b *testing.B, t *table, binary string, perSecond int) {
	const length = 12 * time.Second
	c := newCourse()
	target := httptest.NewServer(c)
	defer target.Close()
	s := startBenchService(b, binary)
	defer s.stop()
	s.create("paced.tick", target.URL)
	p := s.publisher()
	if p == nil {
		return
	}
	for range 50 { // the webhook earns the fast lane
		if err := c.signal(p, "paced.tick"); err != nil {
			b.Fatal(err)
		}
	}
	c.settle(10 * time.Second)
	from := int(c.next.Load())
	w := measure(s.cmd.Process.Pid)
	ticks := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticks.Stop()
	for range perSecond * int(length/time.Second) {
		if err := c.signal(p, "paced.tick"); err != nil {
			b.Fatal(err)
		}
		<-ticks.C
	}
	took, idle, cpu := w.close()
	c.settle(10 * time.Second)
	r := c.row(from)
	count := int(c.next.Load()) - from
	r.what = fmt.Sprintf("%d events/s", perSecond)
	r.perSecond, r.idle, r.cpu = float64(count)/took.Seconds(), idle, cpu/time.Duration(count)
	t.add(r)
}
