package main

import (
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
)

// relay posts a signed body with a number in its values, and returns once the
// response is read.
func (p *publisher) relay(b *testing.B, n int) error {
	_, body := relayed(b)
	body = strings.Replace(body, `"name":"Howell"`, fmt.Sprintf(`"n":%d,"name":"Howell"`, n), 1)
	p.buf = fmt.Appendf(p.buf[:0], "POST /in/v1/crm HTTP/1.1\r\nHost: %s\r\nX-SuperOffice-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
		p.addr, signatureOf([]byte(body)), len(body), body)
	return p.exchange("200")
}

// benchRelay posts from several senders to a relay with one webhook.
func benchRelay(b *testing.B, t *table, binary string, senders int) {
	const warm, length = time.Second, 6 * time.Second
	dir := b.TempDir()
	db, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		b.Fatal(err)
	}
	putRelay(b, db)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	c := newCourse()
	target := httptest.NewServer(c)
	defer target.Close()
	s := startBenchServiceOn(b, binary, dir)
	defer s.stop()
	s.create("contact.changed", target.URL)
	post := func(d time.Duration) {
		var wg sync.WaitGroup
		until := time.Now().Add(d)
		for range senders {
			wg.Go(func() {
				p := s.publisher()
				for p != nil && time.Now().Before(until) {
					n := int(c.next.Add(1) - 1)
					c.began[n].Store(time.Now().UnixNano())
					if err := p.relay(b, n); err != nil {
						b.Error(err)
						return
					}
					c.accepted[n].Store(time.Now().UnixNano())
				}
			})
		}
		wg.Wait()
	}
	post(warm)
	c.settle(10 * time.Second)
	from := int(c.next.Load())
	w := measure(s.cmd.Process.Pid)
	post(length)
	posted := time.Since(w.began)
	c.settle(10 * time.Second)
	_, idle, cpu := w.close()
	var took []time.Duration
	missing := 0
	for n := from; n < int(c.next.Load()); n++ {
		took = append(took, time.Duration(c.accepted[n].Load()-c.began[n].Load()))
		if c.arrived[n].Load() == 0 {
			missing++
		}
	}
	r := row{what: fmt.Sprintf("%d senders", senders), p50: percentile(took, 0.5), p99: percentile(took, 0.99)}
	r.perSecond, r.idle, r.cpu = float64(len(took))/posted.Seconds(), idle, cpu/time.Duration(max(len(took), 1))
	if missing > 0 {
		r.note = fmt.Sprintf("%d OF %d EVENTS DID NOT ARRIVE", missing, len(took))
	}
	t.add(r)
}
