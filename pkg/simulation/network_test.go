package simulation_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/simulation/ledger"
	"github.com/posthaste-dev/posthaste/pkg/simulation/lineage"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// agent is the User-Agent of the processes' senders.
const agent = "Posthaste/sim"

// newSender returns a process's sender: the real one, on connections in memory.
func (w *world) newSender(p *process) *outbound.Sender {
	s, err := outbound.New(outbound.Config{
		UserAgent: agent, AllowHTTP: true, Now: p.now,
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			n := slices.Index(w.targets.hosts, strings.TrimSuffix(host, "."))
			if n < 0 {
				return nil, errors.New("unknown host")
			}
			return []netip.Addr{netip.AddrFrom4([4]byte{93, 184, 216, byte(n + 1)})}, nil
		},
		Connect: func(ctx context.Context, address netip.AddrPort) (net.Conn, error) {
			octets := address.Addr().As4()
			client, server := net.Pipe()
			w.mu.Lock()
			defer w.mu.Unlock()
			if p.dead {
				return nil, errors.New("dead")
			}
			p.connections = append(p.connections, server)
			go w.serve(context.WithoutCancel(ctx), p, w.targets.hosts[octets[3]-1], server)
			return client, nil
		},
	})
	if err != nil {
		w.violated("run", "cannot make a sender: %v", err)
	}
	return s
}

// disconnect closes all connections of a process.
func (p *process) disconnect() {
	for _, c := range p.connections {
		_ = c.Close()
	}
	p.connections = nil
}

// sending is a process's sender as its engine sees it: it tells the ledger of
// attempts, and the process may die or freeze before it has the result.
type sending struct {
	w       *world
	process *process
	sender  *outbound.Sender
}

func (s *sending) Send(ctx context.Context, post webhook.Post) webhook.Result {
	w, process := s.w, processOf(ctx)
	a := w.witness.begin(process, post, time.Now())
	if !w.calm && w.luck("panic", string(a.key.Event), fmt.Sprint(a.key.Webhook, a.retry, process.name))(0) < w.weather.panics/10 {
		result := webhook.Result{At: process.now(), Error: failure.Internal}
		w.mu.Lock()
		a.over = true
		w.mu.Unlock()
		w.tracef(process.name, "*** the sender panics")
		w.witness.reportResult(a, result)
		w.witness.learned(a, result)
		panic("injected")
	}
	result := s.sender.Send(ctx, post)
	w.mu.Lock()
	a.over = true
	w.mu.Unlock()
	label := fmt.Sprintf("POST w%d/%s: %s", about(a.key), w.witness.name(a.key.Event), said(result))
	if result.Error != failure.None {
		w.witness.reportResult(a, result)
	}
	w.wait(ctx, process, kindAnswer, w.witness.about(about(a.key), a.key.Event), label)
	if result.Error == failure.None {
		w.witness.reportResult(a, result)
	}
	w.witness.learned(a, result)
	return result
}

func said(r webhook.Result) string {
	if r.StatusCode > 0 {
		return strconv.Itoa(r.StatusCode)
	}
	return string(r.Error)
}

// serve is a target's end of a connection.
func (w *world) serve(ctx context.Context, p *process, host string, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for {
		r, err := readRequest(reader, host)
		if err != nil || !w.targets.serve(ctx, p, host, conn, r) {
			return
		}
	}
}

// readRequest reads a request as it is spelled.
func readRequest(from *bufio.Reader, host string) (ledger.Request, error) {
	line := func() (string, error) {
		text, err := from.ReadString('\n')
		return strings.TrimSuffix(text, "\r\n"), err
	}
	first, err := line()
	if err != nil {
		return ledger.Request{}, err
	}
	r := ledger.Request{Line: first}
	for {
		text, err := line()
		if err != nil {
			return r, err
		}
		if text == "" {
			break
		}
		name, value, _ := strings.Cut(text, ": ")
		r.Headers = append(r.Headers, ledger.Header{Name: name, Value: value})
	}
	length, err := strconv.Atoi(r.Get("Content-Length"))
	if err != nil {
		return r, err
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(from, body); err != nil {
		return r, err
	}
	path, _ := strings.CutPrefix(first, "POST ")
	path, _ = strings.CutSuffix(path, " HTTP/1.1")
	r.Body, r.Target = string(body), "http://"+host+path
	return r, nil
}

// serve lets a request arrive at its target, or not, and responds. It reports
// whether the connection is still good.
func (t *targets) serve(ctx context.Context, p *process, host string, conn net.Conn, r ledger.Request) bool {
	w := t.w
	lineage.Set(chain(0, r.Target+r.Get("webhook-id")+r.Get("X-SuperOffice-Retry")+r.Get("X-SuperOffice-Signature")))
	a := w.witness.attemptOf(p, r)
	if a == nil {
		w.violated("promise 9", "%s sends %s for event %s, but attempts no such delivery", p.name, r.Line, w.witness.name(webhook.EventID(r.Get("webhook-id"))))
		return false
	}
	label := fmt.Sprintf("POST w%d/%s", about(a.key), w.witness.name(a.key.Event))
	v := w.wait(ctx, p, kindPost, w.witness.about(about(a.key), a.key.Event), label+" to "+host)
	w.mu.Lock()
	key := r.Target + r.Get("webhook-id")
	t.posts[key]++
	luck := w.luck(key, fmt.Sprint(t.posts[key]))
	over := a.over
	w.mu.Unlock()
	m := t.mood(host, luck(0))
	switch {
	case v == failBefore:
		return false
	case m.deaf || over && luck(1) < 0.5: // a request may arrive although its sender stopped waiting
		_, _ = io.Copy(io.Discard, conn)
		return false
	}
	m = t.verified(m, host, a, r)
	r.Began, r.Arrived, r.Skew = a.began, time.Now(), w.skew
	answer, text := m.answer(luck, r.Arrived)
	w.witness.saw(a, r, m, answer)
	if v == dieAfter {
		return false
	}
	time.Sleep(m.quick + time.Duration(luck(2)*float64(m.late-m.quick)))
	if v == failAfter {
		return false
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return false
	}
	if m.drips {
		for range 40 {
			time.Sleep(time.Second)
			if _, err := io.WriteString(conn, "."); err != nil {
				return false
			}
		}
	}
	return !m.closes
}

// answer returns a response and how it is spelled.
func (m mood) answer(luck func(int) float64, now time.Time) (ledger.Response, string) {
	out := ledger.Response{Status: m.status, Abort: m.abort, At: now}
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", m.status, http.StatusText(m.status))
	if m.wait != nil {
		out.RetryAfter = m.wait(luck(3), now)
		fmt.Fprintf(&b, "Retry-After: %s\r\n", out.RetryAfter)
	}
	if m.abort {
		b.WriteString("webhook-delivery: abort-message\r\n")
	}
	b.WriteString(m.extra)
	switch {
	case m.status == 204 || m.status < 200:
		b.WriteString("\r\n")
	case m.drips:
		b.WriteString("Content-Length: 1000\r\n\r\n")
	default:
		b.WriteString("Content-Length: 2\r\n\r\nok")
	}
	return out, b.String()
}
