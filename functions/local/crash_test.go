package main

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"flag"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var crashes = flag.Int("crashes", 2, "how often TestCrash kills the local run")

// recoveryLimit is how long after a restart the last event accepted before it may
// take to arrive.
const recoveryLimit = 5 * time.Second

// tally counts the POSTs of each event at a target.
type tally struct {
	mu      sync.Mutex
	posts   map[webhook.EventID]int
	changed chan struct{}
}

func (s *tally) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts[webhook.EventID(r.Header.Get("Webhook-Id"))]++
	close(s.changed)
	s.changed = make(chan struct{})
}

// missing returns how many of the events the target has not received, and a channel
// that is closed when it receives another.
func (s *tally) missing(events []webhook.EventID) (n int, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range events {
		if s.posts[id] == 0 {
			n++
		}
	}
	return n, s.changed
}

// duplicates returns the number of repeated POSTs.
func (s *tally) duplicates() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, posts := range s.posts {
		n += posts - 1
	}
	return n
}

// process is the local run as a separate process.
type process struct {
	cmd  *exec.Cmd
	base string
}

func launch(t *testing.T, binary, dir string) *process {
	t.Helper()
	cmd := exec.Command(binary) //nolint:gosec // built by this test
	cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "DATA_DIR="+dir, "LOG_LEVEL=error")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // of one that a failed test left
	line, err := bufio.NewReader(out).ReadString('\n')
	_, rest, found := strings.Cut(line, "serves on ")
	base, _, _ := strings.Cut(rest, " ")
	if err != nil || !found {
		t.Fatalf("the program printed %q (%v)", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return &process{cmd: cmd, base: base}
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // says that it was killed
}

func (p *process) interrupt(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}

func (p *process) post(client *http.Client, path, body string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, p.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("tje0", "Tje0")
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp, err
}

// underLoad calls send from several clients at once until stop is closed, and returns
// the events that were accepted. send returns "" for one that was not, and an error if
// the process was killed: the event may have been accepted or not.
func underLoad(stop <-chan struct{}, send func(*http.Client) (webhook.EventID, error)) (accepted []webhook.EventID) {
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				id, err := send(client)
				if err != nil {
					return
				}
				if id != "" {
					mu.Lock()
					accepted = append(accepted, id)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return accepted
}

// crashed is what was seen of a local run that was killed repeatedly.
type crashed struct {
	binary, dir string
	target      *tally
	accepted    []webhook.EventID
	slowest     time.Duration
}

// crash kills the local run under a load of send, repeatedly, and waits each time until
// all accepted events are delivered. prepare, if not nil, fills the store before.
func crash(t *testing.T, prepare func(*embedded.DB), send func(*process, *http.Client) (webhook.EventID, error)) crashed {
	t.Helper()
	c := crashed{
		binary: filepath.Join(t.TempDir(), "local"), dir: t.TempDir(), target: &tally{posts: map[webhook.EventID]int{}, changed: make(chan struct{})},
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", c.binary, ".").CombinedOutput(); err != nil { //nolint:gosec // this package
		t.Fatalf("build: %v\n%s", err, out)
	}
	server := httptest.NewServer(c.target)
	defer server.Close()
	if prepare != nil {
		db := opened(t, c.dir)
		prepare(db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p := launch(t, c.binary, c.dir)
	webhookBody, err := json.Marshal(map[string]any{"Events": []string{"*"}, "TargetUrl": server.URL, "Secret": "ea"})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.post(http.DefaultClient, "/api/v1/Webhook", string(webhookBody)) //nolint:bodyclose // post closes it
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("create: %v, %v", resp, err)
	}
	for n := range *crashes {
		stop, sent := make(chan struct{}), make(chan []webhook.EventID)
		go func() {
			sent <- underLoad(stop, func(client *http.Client) (webhook.EventID, error) { return send(p, client) })
		}()
		<-time.After(time.Duration(50+mathrand.IntN(400)) * time.Millisecond)
		p.kill(t)
		close(stop)
		c.accepted = append(c.accepted, <-sent...)

		p = launch(t, c.binary, c.dir)
		took := recovered(t, c.target, c.accepted)
		c.slowest = max(c.slowest, took)
		t.Logf("crash %d: %d events accepted so far, all delivered %v after the restart", n+1, len(c.accepted), took.Round(time.Millisecond))
	}
	if len(c.accepted) == 0 {
		t.Error("no event was accepted")
	}
	p.interrupt(t)
	return c
}

// The local run is killed in the middle of its work, repeatedly: no accepted event
// is lost.
func TestCrash(t *testing.T) {
	c := crash(t, nil, func(p *process, client *http.Client) (webhook.EventID, error) {
		resp, err := p.post(client, "/api/v1/Webhook/contact.changed/7", `{"name":"Howell"}`) //nolint:bodyclose // post closes it
		if err != nil || resp.StatusCode != http.StatusNoContent {
			return "", err
		}
		return webhook.EventID(resp.Header.Get("X-Superoffice-Eventid")), nil
	})
	t.Logf("%d crashes: %d events accepted, %d duplicates, slowest recovery %v", *crashes, len(c.accepted), c.target.duplicates(), c.slowest.Round(time.Millisecond))
	everyRowEnds(t, c.binary, c.dir, c.accepted)
}

// recovered waits until the target has seen all events.
func recovered(t *testing.T, target *tally, accepted []webhook.EventID) time.Duration {
	t.Helper()
	began := time.Now()
	late := time.After(recoveryLimit)
	for {
		missing, changed := target.missing(accepted)
		if missing == 0 {
			return time.Since(began)
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%v after the restart %d of %d events are not delivered", recoveryLimit, missing, len(accepted))
		}
	}
}

// everyRowEnds checks the data afterwards: each event has a delivered row. Work
// that the last run did not finish is still in its feed or queue, so the next run
// finishes it.
func everyRowEnds(t *testing.T, binary, dir string, accepted []webhook.EventID) {
	t.Helper()
	for began := time.Now(); ; {
		pending := pending(t, dir, accepted)
		if len(pending) == 0 {
			return
		}
		if time.Since(began) > recoveryLimit {
			t.Errorf("%d of %d events have no delivered row, among them %s", len(pending), len(accepted), pending[0])
			return
		}
		p := launch(t, binary, dir)
		<-time.After(500 * time.Millisecond)
		p.interrupt(t)
	}
}

// pending returns the events that have no delivered row.
func pending(t *testing.T, dir string, accepted []webhook.EventID) (events []webhook.EventID) {
	t.Helper()
	db := opened(t, dir)
	defer func() { _ = db.Close() }()
	for _, id := range accepted {
		row, err := db.Deliveries().Get(t.Context(), delivery.Key{Tenant: "Default", Webhook: 1, Event: id})
		if err != nil || row.Status != delivery.StatusDelivered {
			events = append(events, id)
		}
	}
	return events
}

func opened(t *testing.T, dir string) *embedded.DB {
	t.Helper()
	db, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return db
}
