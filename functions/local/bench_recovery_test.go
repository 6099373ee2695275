package main

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const benchWaiting = 20_000 // events that are accepted while the target is down

// benchRecovery measures how a target that was down gets what waited for it: its
// processor time is that of the recovery alone.
func benchRecovery(b *testing.B, t *table, binary string) {
	b.Helper()
	reserved, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := reserved.Addr().String()
	if err := reserved.Close(); err != nil { // from now on it refuses connections
		b.Fatal(err)
	}
	c := newCourse()
	s := startBenchService(b, binary)
	defer s.stop()
	s.create("waits.tick", "http://"+addr)
	var wg sync.WaitGroup
	var sent atomic.Int64
	for range 16 {
		wg.Go(func() {
			p := s.publisher()
			for p != nil && sent.Add(1) <= benchWaiting {
				if err := c.signal(p, "waits.tick"); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	var posts, first atomic.Int64
	up, err := net.Listen("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	target := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		first.CompareAndSwap(0, time.Now().UnixNano())
		c.ServeHTTP(w, r)
	})}
	go func() { _ = target.Serve(up) }()
	defer func() { _ = target.Close() }()
	w := measure(s.cmd.Process.Pid)
	c.settle(5 * time.Minute)
	_, idle, cpu := w.close()
	last := time.Unix(0, c.last.Load())
	start := time.Unix(0, first.Load())
	arrived := int(c.arrivals.Load())
	t.add(row{
		what: fmt.Sprintf("%d waiting", benchWaiting), perSecond: float64(arrived) / last.Sub(start).Seconds(), idle: idle, cpu: cpu / time.Duration(max(arrived, 1)),
		note: fmt.Sprintf("first POST %s after the target is back (its breaker's step), all %s later (goal 45 s), %d duplicates, %d missing",
			span(start.Sub(began)), span(last.Sub(start)), int(posts.Load())-arrived, benchWaiting-arrived),
	})
}
