package functions_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkStart prints how large each Lambda binary is and how long it takes
// from its start to its first question for work, against a Runtime API of the
// benchmark's own. What AWS adds, fetching the code and starting the sandbox, is
// not in it.
//
//	go test ./functions -run '^$' -bench '^BenchmarkStart$' -benchtime 1x
func BenchmarkStart(b *testing.B) {
	polled := make(chan struct{}, 1)
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/runtime/invocation/next") {
			polled <- struct{}{}
		}
		<-r.Context().Done()
	}))
	defer api.Close()
	environment := append(os.Environ(),
		"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"), "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
		"STAGE=dev", "WEBHOOKS_TABLE=w", "EVENTS_TABLE=e", "DELIVERIES_TABLE=d", "SECRET_PREFIX=p/", "FIRST_CREDENTIAL_SECRET=f", "ADMIN_SECRET=a",
		"DELIVERY_QUEUE_URL=http://127.0.0.1:9/q", "DEAD_LETTER_QUEUE_URL=http://127.0.0.1:9/d", "FAILURE_BUCKET=b")
	mains, err := filepath.Glob("*/main.go")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		fmt.Printf("\n%-10s%15s%12s%12s\n", "function", "bytes", "median", "slowest")
		for _, main := range mains {
			name := filepath.Dir(main)
			if name == "local" {
				continue
			}
			binary := filepath.Join(b.TempDir(), name)
			build := exec.CommandContext(b.Context(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", binary, "./"+name) //nolint:gosec // our own folders
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			info, err := os.Stat(binary)
			if err != nil {
				b.Fatal(err)
			}
			took := make([]time.Duration, 20)
			for i := range took {
				took[i] = start(b, binary, environment, polled)
			}
			slices.Sort(took)
			fmt.Printf("%-10s%15d%12v%12v\n", name, info.Size(), took[len(took)/2].Round(100*time.Microsecond), took[len(took)-1].Round(100*time.Microsecond))
		}
	}
}

// start starts a function and waits until it asks for work.
func start(b *testing.B, binary string, environment []string, polled <-chan struct{}) time.Duration {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), binary)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment, os.Stderr, os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	select {
	case <-polled:
		return time.Since(began)
	case <-time.After(10 * time.Second):
		b.Fatalf("%s does not ask for work", binary)
		return 0
	}
}
