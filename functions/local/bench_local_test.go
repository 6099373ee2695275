package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// benchService is the local run as `make run` starts it, with its logs discarded.
type benchService struct {
	b    *testing.B
	cmd  *exec.Cmd
	addr string
}

func startBenchService(b *testing.B, binary string) *benchService {
	b.Helper()
	return startBenchServiceOn(b, binary, b.TempDir())
}

// startBenchServiceOn starts one on data that is there already.
func startBenchServiceOn(b *testing.B, binary, dir string) *benchService {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), binary) //nolint:gosec // built by this benchmark
	cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "DATA_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_, rest, found := strings.Cut(line, "serves on http://")
	addr, _, _ := strings.Cut(rest, " ")
	if err != nil || !found {
		b.Fatalf("the program printed %q (%v)", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return &benchService{b: b, cmd: cmd, addr: addr}
}

func (s *benchService) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // says that it was killed
}

// create creates a webhook for one event name.
func (s *benchService) create(event, target string) {
	s.b.Helper()
	body, err := json.Marshal(map[string]any{"Name": event, "Events": []string{event}, "TargetUrl": target, "Secret": benchSecret})
	if err != nil {
		s.b.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+s.addr+"/api/v1/Webhook", bytes.NewReader(body))
	if err != nil {
		s.b.Fatal(err)
	}
	req.SetBasicAuth("tje0", "Tje0")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		s.b.Fatalf("create: %s", resp.Status)
	}
}

// publisher signals events over one connection. It does as little work as
// possible, because it shares the machine with the measured process.
type publisher struct {
	conn net.Conn
	read *bufio.Reader
	addr string
	buf  []byte
}

func (s *benchService) publisher() *publisher {
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.b.Error(err)
		return nil
	}
	return &publisher{conn: conn, read: bufio.NewReader(conn), addr: s.addr}
}

// signal signals an event with a number in its data, and returns once it is
// accepted.
func (p *publisher) signal(event string, n int) error {
	data := strings.Replace(benchData, "{", `{"n":`+strconv.Itoa(n)+`,`, 1)
	p.buf = fmt.Appendf(p.buf[:0], "POST /api/v1/Webhook/%s/7 HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic dGplMDpUamUw\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", event, p.addr, len(data), data)
	return p.exchange("204")
}

// exchange writes the buffered request and reads the response, which must have the
// given status and no body.
func (p *publisher) exchange(want string) error {
	if _, err := p.conn.Write(p.buf); err != nil {
		return err
	}
	status, err := p.read.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 "+want+" ") {
		return fmt.Errorf("response: %s", strings.TrimSpace(status))
	}
	for {
		line, err := p.read.ReadSlice('\n')
		if err != nil || len(line) <= 2 {
			return err
		}
	}
}

// course records, for numbered events, when the call started, when the event was
// accepted, and when it arrived.
type course struct {
	began, accepted, arrived []atomic.Int64 // Unix nanoseconds
	next, arrivals           atomic.Int64
	last                     atomic.Int64
}

func newCourse() *course {
	const most = 400_000
	return &course{began: make([]atomic.Int64, most), accepted: make([]atomic.Int64, most), arrived: make([]atomic.Int64, most)}
}

// ServeHTTP is the target. An event that arrives twice counts once.
func (c *course) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	now := time.Now().UnixNano()
	if _, rest, found := bytes.Cut(body, []byte(`"n":`)); found {
		digits, _, _ := bytes.Cut(rest, []byte(","))
		if n, err := strconv.Atoi(string(digits)); err == nil && c.arrived[n].CompareAndSwap(0, now) {
			c.last.Store(now)
			c.arrivals.Add(1)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// signal sends the next event.
func (c *course) signal(p *publisher, event string) error {
	n := int(c.next.Add(1) - 1)
	c.began[n].Store(time.Now().UnixNano())
	if err := p.signal(event, n); err != nil {
		return err
	}
	c.accepted[n].Store(time.Now().UnixNano())
	return nil
}

// settle waits until every event has arrived, at most for patience.
func (c *course) settle(patience time.Duration) {
	for until := time.Now().Add(patience); c.arrivals.Load() < c.next.Load() && time.Now().Before(until); {
		<-time.After(time.Millisecond)
	}
}

// row summarizes the events numbered from and up. An event that arrived before its
// publisher had read the response took no time.
func (c *course) row(from int) row {
	var after, whole []time.Duration
	missing := 0
	for n := from; n < int(c.next.Load()); n++ {
		arrived := c.arrived[n].Load()
		if arrived == 0 {
			missing++
			continue
		}
		after = append(after, time.Duration(max(0, arrived-c.accepted[n].Load())))
		whole = append(whole, time.Duration(arrived-c.began[n].Load()))
	}
	r := row{p50: percentile(after, 0.5), p99: percentile(after, 0.99)}
	r.note = fmt.Sprintf("from the start of the call p50 %s, p99 %s", span(percentile(whole, 0.5)), span(percentile(whole, 0.99)))
	if missing > 0 {
		r.note += fmt.Sprintf("; %d OF %d EVENTS DID NOT ARRIVE", missing, len(after)+missing)
	}
	return r
}

func benchThroughput(b *testing.B, t *table, binary string, publishers int) {
	const warm, length = time.Second, 6 * time.Second
	c := newCourse()
	target := httptest.NewServer(c)
	defer target.Close()
	s := startBenchService(b, binary)
	defer s.stop()
	s.create("bench.tick", target.URL)
	publish := func(d time.Duration) {
		var wg sync.WaitGroup
		until := time.Now().Add(d)
		for range publishers {
			wg.Go(func() {
				p := s.publisher()
				for p != nil && time.Now().Before(until) {
					if err := c.signal(p, "bench.tick"); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	publish(warm)
	c.settle(10 * time.Second)
	from := int(c.next.Load())
	w := measure(s.cmd.Process.Pid)
	publish(length)
	c.settle(10 * time.Second)
	took, idle, cpu := w.close()
	if last := time.Unix(0, c.last.Load()).Sub(w.began); last < took {
		took = last
	}
	n := int(c.next.Load()) - from
	r := c.row(from)
	r.what = fmt.Sprintf("%d publishers", publishers)
	r.perSecond, r.idle, r.cpu = float64(n)/took.Seconds(), idle, cpu/time.Duration(max(n, 1))
	t.add(r)
}

// neighbour is a misbehaving target.
type neighbour struct {
	what   string
	events int
	target func(b *testing.B) (url string, stop func())
}

var neighbours = []neighbour{
	{"alone", 0, nil},
	{"next to one that hangs", 600, hanging(0)},
	{"next to one that hangs", 2000, hanging(0)},
	{"next to one that hangs after 100 fast responses", 600, hanging(100)},
	{"next to one that drips its response", 600, dripping},
	{"next to one that refuses connections", 600, refusing},
	{"next to one that responds normally after 16 s", 600, late},
}

func served(handler http.HandlerFunc) func(*testing.B) (string, func()) {
	return func(*testing.B) (string, func()) {
		server := httptest.NewServer(handler)
		return server.URL, func() { server.CloseClientConnections(); server.Close() }
	}
}

// hanging returns a target that responds good times and then hangs.
func hanging(good int64) func(*testing.B) (string, func()) {
	var answered atomic.Int64
	return served(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if answered.Add(1) > good {
			<-r.Context().Done()
		}
	})
}

func dripping(b *testing.B) (string, func()) {
	return served(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "1000000")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			<-time.After(100 * time.Millisecond)
		}
	})(b)
}

func late(b *testing.B) (string, func()) {
	return served(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(16 * time.Second):
		case <-r.Context().Done():
		}
	})(b)
}

func refusing(b *testing.B) (string, func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	_ = l.Close()
	return "http://" + l.Addr().String(), func() {}
}

// benchNeighbours sends a healthy webhook a steady flow of events, alone and next
// to each neighbour, which receives events from the start.
func benchNeighbours(b *testing.B, t *table, binary string) {
	var alone row
	for _, n := range neighbours {
		r := benchNeighbour(b, binary, n)
		if n.target == nil {
			alone = r
		} else {
			r.note = fmt.Sprintf("×%.2f, p99 ×%.2f of alone (goal 1.5); %s", float64(r.p50)/float64(alone.p50), float64(r.p99)/float64(alone.p99), r.note)
		}
		t.add(r)
	}
}

func benchNeighbour(b *testing.B, binary string, n neighbour) row {
	const length, pace, pacedBad = 12 * time.Second, 20 * time.Millisecond, 5 * time.Millisecond
	c := newCourse()
	target := httptest.NewServer(c)
	defer target.Close()
	s := startBenchService(b, binary)
	defer s.stop()
	s.create("good.tick", target.URL)
	warm := s.publisher()
	if warm == nil {
		return row{}
	}
	for range 50 { // the webhook earns the fast lane
		if err := c.signal(warm, "good.tick"); err != nil {
			b.Fatal(err)
		}
	}
	c.settle(10 * time.Second)
	from := int(c.next.Load())
	var wg sync.WaitGroup
	if n.target != nil {
		url, stop := n.target(b)
		defer stop()
		s.create("bad.tick", url)
		wg.Go(func() {
			p := s.publisher()
			for i := 0; p != nil && i < n.events; i++ {
				if err := p.signal("bad.tick", i); err != nil {
					b.Error(err)
					return
				}
				<-time.After(pacedBad)
			}
		})
	}
	w := measure(s.cmd.Process.Pid)
	for range int(length / pace) {
		if err := c.signal(warm, "good.tick"); err != nil {
			b.Fatal(err)
		}
		<-time.After(pace)
	}
	took, idle, cpu := w.close()
	c.settle(10 * time.Second)
	wg.Wait()
	r := c.row(from)
	r.what = n.what
	if n.events > 0 {
		r.what += fmt.Sprintf(", %d events", n.events)
	}
	count := int(c.next.Load()) - from
	r.perSecond, r.idle, r.cpu = float64(count)/took.Seconds(), idle, cpu/time.Duration(count+n.events)
	return r
}
