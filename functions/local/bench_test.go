package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/posthaste-dev/posthaste/functions/internal/memory"
)

var figures = flag.String("figures", "engine,sweep,drains,seal,stream,filter,ingest,local,paced,relay,neighbours,hostile,recovery,replay,bodies,log,events", "what BenchmarkFigures measures")

// BenchmarkFigures measures the figures of docs/performance.md and prints them as
// one table. It runs once, for minutes, and judges nothing: it fails only if it
// cannot measure.
//
//	go test ./functions/local -run '^$' -bench '^BenchmarkFigures$' -benchtime 1x
func BenchmarkFigures(b *testing.B) {
	memory.Tune(os.LookupEnv) // like the functions and the local run
	for b.Loop() {
		t := &table{}
		if strings.Contains(*figures, "engine") {
			t.section("Engine: first attempts of one webhook, a target that responds at once, in its own process")
			benchEngine(b, t)
		}
		if strings.Contains(*figures, "sweep") {
			t.section("Sweep: one minute of SweepFunction, calls of the store take 5 ms and ten messages 15 ms of virtual time; CPU without the SDK's")
			benchVirtual(b, t, "sweep")
		}
		if strings.Contains(*figures, "drains") {
			t.section("Drains: a target that was away is back; calls of the store take 5 ms of virtual time; CPU without the store's and HTTP")
			benchVirtual(b, t, "dispatch")
		}
		if strings.Contains(*figures, "seal") {
			t.section("Seal: the secret document of a webhook, 100 bytes, sealed in its item, and what it is for")
			benchSeal(b, t)
		}
		if strings.Contains(*figures, "stream") {
			t.section("Stream: one record of the Events table's stream, 300 bytes of data")
			benchDecode(b, t)
		}
		if strings.Contains(*figures, "filter") {
			t.section("Filter of ten terms, template of ten paths: an event of 1 KB")
			benchFilter(b, t)
		}
		if strings.Contains(*figures, "ingest") {
			t.section("Ingest: changes of a table, batches of 100, ten attributes of which five are listed and three differ")
			benchIngest(b, t)
		}
		binary := filepath.Join(b.TempDir(), "local")
		if out, err := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-o", binary, ".").CombinedOutput(); err != nil { //nolint:gosec // our own path
			b.Fatalf("build: %v\n%s", err, out)
		}
		if strings.Contains(*figures, "local") {
			t.section("Local run: signals over HTTP to POSTs received, one webhook; publishers and target in one other process")
			for _, publishers := range []int{16, 64} {
				benchThroughput(b, t, binary, publishers)
			}
		}
		if strings.Contains(*figures, "paced") {
			t.section("Paced: signals over HTTP at a steady pace, one publisher, one webhook")
			for _, perSecond := range []int{50, 300} {
				benchPaced(b, t, binary, perSecond)
			}
		}
		if strings.Contains(*figures, "relay") {
			t.section("Relay: signed POSTs of SuperOffice's kind to the local run, relayed to one webhook; times are those of the responses")
			for _, senders := range []int{16, 64} {
				benchRelay(b, t, binary, senders)
			}
		}
		if strings.Contains(*figures, "neighbours") {
			t.section("Neighbours: a webhook that gets 50 events a second, next to one that gets 200 a second")
			benchNeighbours(b, t, binary)
		}
		if strings.Contains(*figures, "hostile") {
			t.section("Hostile tenant: a webhook that gets 50 events a second, next to another tenant's slow ones")
			benchHostile(b, t, binary)
		}
		if strings.Contains(*figures, "recovery") {
			t.section("Recovery: a target that refused connections while events were accepted")
			benchRecovery(b, t, binary)
		}
		if strings.Contains(*figures, "replay") {
			t.section(fmt.Sprintf("Replay: a webhook that gets 50 live events a second, during a replay of %d past ones", benchReplayed))
			benchReplay(b, t, binary)
		}
		if strings.Contains(*figures, "bodies") {
			t.section("Bodies: one call at the limits of its format, one after another")
			benchBodies(b, t, binary)
		}
		if strings.Contains(*figures, "log") {
			t.section(fmt.Sprintf("Delivery log: %d deliveries of one webhook, read page by page from the newest to the oldest", benchDeliveries))
			benchLog(b, t, binary)
		}
		if strings.Contains(*figures, "events") {
			t.section(fmt.Sprintf("What happened: a tenant with %d events and %d deliveries, calls over HTTP one after another", benchEvents, benchDeliveries))
			benchWhatHappened(b, t, binary)
		}
		fmt.Println(t.print(b))
	}
}

// A row is one line of the table. Zero values were not measured.
type row struct {
	what      string
	perSecond float64
	p50, p99  time.Duration
	idle      float64 // share of the machine that was idle
	cpu       time.Duration
	allocs    float64
	note      string
}

// table collects rows and prints them together at the end.
type table struct {
	rows []row
}

func (t *table) section(title string) { t.rows = append(t.rows, row{what: title, note: "section"}) }
func (t *table) add(r row)            { t.rows = append(t.rows, r) }

func (t *table) print(b *testing.B) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s, %s %s/%s, %d cores of %s, fdatasync %v\n", time.Now().UTC().Format("2006-01-02 15:04 MST"),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), syncTime(b).Round(10*time.Microsecond))
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, r := range t.rows {
		if r.note == "section" {
			_ = w.Flush()
			fmt.Fprintf(&out, "\n%s\n", r.what)
			fmt.Fprintln(w, "per second\tp50\tp99\tidle\tCPU per event\tallocs\t  ")
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", number(r.perSecond), span(r.p50), span(r.p99),
			percent(r.idle), span(r.cpu), number(r.allocs), strings.TrimSuffix(r.what+"; "+r.note, "; "))
	}
	_ = w.Flush()
	return out.String()
}

func number(f float64) string {
	if f == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", f)
}

func percent(f float64) string { return fmt.Sprintf("%.0f %%", 100*f) }

func span(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// percentile returns a percentile of some durations; share is between 0 and 1. It
// sorts all.
func percentile(all []time.Duration, share float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(share*float64(len(all))))]
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown processor"
}

// syncTime returns the median time the disk takes to store a page durably.
func syncTime(b *testing.B) time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	took := make([]time.Duration, 100)
	for i := range took {
		began := time.Now()
		if _, err := f.WriteAt(make([]byte, 4096), int64(i)*4096); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	return percentile(took, 0.5)
}
