package functions_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// starts is how many times each function is started.
const starts = 20

// BenchmarkStart prints the size of each Lambda binary and its start time next
// to that of a hello-world function, started in turns: ApiFunction's from the
// start of the process to its first response, the others' to their first poll.
// The benchmark serves the Runtime API itself. The times exclude what AWS adds:
// fetching the code and starting the sandbox.
//
//	go test ./functions -run '^$' -bench '^BenchmarkStart$' -benchtime 1x
func BenchmarkStart(b *testing.B) {
	event, err := os.ReadFile("../events/api/healthz.json")
	if err != nil {
		b.Fatal(err)
	}
	environment := append(os.Environ(), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
		"WEBHOOKS_TABLE=w", "EVENTS_TABLE=e", "DELIVERIES_TABLE=d", "SECRET_PREFIX=p/", "ROOT_SECRET=r", "FIRST_CREDENTIAL_SECRET=f", "ADMIN_SECRET=a",
		"DELIVERY_QUEUE_URL=http://127.0.0.1:9/q", "SLOW_QUEUE_URL=http://127.0.0.1:9/s", "DEAD_LETTER_QUEUE_URL=http://127.0.0.1:9/d", "FAILURE_BUCKET=b")
	for b.Loop() {
		hello := build(b, "testdata/hello")
		var functions []*started
		for _, main := range mains(b) {
			functions = append(functions, build(b, filepath.Dir(main)))
		}
		for range starts {
			for _, f := range append([]*started{hello}, functions...) {
				polled, answered := start(b, f.binary, environment, event)
				f.polled, f.answered = append(f.polled, polled), append(f.answered, answered)
			}
		}
		fmt.Printf("\n%-10s%12s%15s%12s%12s%10s\n", "function", "bytes", "until", "median", "slowest", "x hello")
		line := func(f *started, until string, took, base []time.Duration) {
			slices.Sort(took)
			slices.Sort(base)
			median := took[starts/2]
			fmt.Printf("%-10s%12d%15s%12v%12v%10.2f\n", filepath.Base(f.folder), f.size, until,
				median.Round(100*time.Microsecond), took[starts-1].Round(100*time.Microsecond), float64(median)/float64(base[starts/2]))
		}
		line(hello, "first poll", hello.polled, hello.polled)
		line(hello, "first answer", hello.answered, hello.answered)
		for _, f := range functions {
			if f.folder == "api" {
				line(f, "first answer", f.answered, hello.answered)
			} else {
				line(f, "first poll", f.polled, hello.polled)
			}
		}
	}
}

// started is a function's binary and its start times.
type started struct {
	folder, binary   string
	size             int64
	polled, answered []time.Duration
}

// mains returns the main files of the Lambda functions.
func mains(b *testing.B) []string {
	b.Helper()
	all, err := filepath.Glob("*/main.go")
	if err != nil {
		b.Fatal(err)
	}
	return slices.DeleteFunc(all, func(main string) bool { return filepath.Dir(main) == "local" })
}

func build(b *testing.B, folder string) *started {
	b.Helper()
	binary := filepath.Join(b.TempDir(), filepath.Base(folder))
	cmd := exec.CommandContext(b.Context(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", binary, "./"+folder) //nolint:gosec // our own folders
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	return &started{folder: folder, binary: binary, size: info.Size()}
}

// runtimeAPI hands out one event, and reports the poll that receives it and the
// response. Each process has its own: the previous process's poll may arrive after
// the next process has started.
type runtimeAPI struct {
	event            []byte
	polled, answered chan struct{}
	handed           atomic.Bool
}

func (l *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !strings.HasSuffix(r.URL.Path, "/invocation/next"):
		l.answered <- struct{}{}
		w.WriteHeader(http.StatusAccepted)
	case l.handed.CompareAndSwap(false, true):
		l.polled <- struct{}{}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10))
		_, _ = w.Write(l.event)
	default:
		<-r.Context().Done() // the next poll
	}
}

// start starts a function, hands it one event, and returns the times from its
// start to its first poll and to its first response.
func start(b *testing.B, binary string, environment []string, event []byte) (polled, answered time.Duration) {
	b.Helper()
	lambda := &runtimeAPI{event: event, polled: make(chan struct{}, 1), answered: make(chan struct{}, 1)}
	server := httptest.NewServer(lambda)
	defer server.Close()
	cmd := exec.CommandContext(b.Context(), binary)
	cmd.Env = append(environment, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"))
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for _, step := range []struct {
		done chan struct{}
		took *time.Duration
	}{{lambda.polled, &polled}, {lambda.answered, &answered}} {
		select {
		case <-step.done:
			*step.took = time.Since(began)
		case <-time.After(10 * time.Second):
			b.Fatalf("%s does not start", binary)
		}
	}
	return polled, answered
}
