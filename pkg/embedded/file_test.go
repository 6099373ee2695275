package embedded_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/embedded"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestOpen_RefusesAnEmptyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "posthaste.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Open(dir, embedded.Options{Now: time.Now, Random: rand.Reader})
	if err == nil || !strings.Contains(err.Error(), path+" is empty") {
		t.Errorf("got %v, want an error that the file is empty", err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("the file was changed: %v, %v", info, err)
	}
}

// Every page of a file is damaged once, and the file is cut at every page.
// bbolt hits some of this damage in its own goroutine, where a panic would end
// the test.
func TestOpen_ReportsADamagedFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	var writes []func() error
	for i := range 30 {
		e := newEvent(t)
		e.Data = []byte(`"` + strings.Repeat("x", 500+i%9*1000) + `"`) // some span several pages
		writes = append(writes, func() error { return db.Events().Put(t.Context(), e) })
	}
	atOnce(t, writes)
	whole, err := os.ReadFile(filepath.Join(copied(t, dir), "posthaste.db"))
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	try := func(what string, contents []byte) (failed bool) {
		t.Helper()
		to := t.TempDir()
		path := filepath.Join(to, "posthaste.db")
		if err := os.WriteFile(path, contents, 0o600); err != nil {
			t.Fatal(err)
		}
		copyTo(t, filepath.Join(to, "secrets.key"), filepath.Join(dir, "secrets.key"))
		db, err := embedded.Open(to, embedded.Options{Now: time.Now, Random: rand.Reader})
		if err == nil {
			_ = db.Close()
			return false
		}
		if text := err.Error(); !strings.HasPrefix(text, path+" cannot be read: ") || strings.Contains(text, "\n") {
			t.Errorf("%s: got %q, want one line", what, text)
		}
		return true
	}
	if try("whole", whole) {
		t.Fatal("the intact file was refused")
	}
	var failed atomic.Int32
	var tries []func() error
	for n := range len(whole) / page {
		tries = append(tries, func() error {
			broken := slices.Clone(whole)
			for i := range page {
				broken[n*page+i] = []byte{0, 5, 0xff}[n%3]
			}
			if try(fmt.Sprintf("page %d", n), broken) {
				failed.Add(1)
			}
			broken = slices.Clone(whole)
			for i := 16; i < page; i++ { // after the page's header: items far beyond the end of the file
				broken[n*page+i] = 0x7e
			}
			_ = try(fmt.Sprintf("items of page %d", n), broken)
			return nil
		}, func() error {
			if n > 3 && n < len(whole)/page/2 && !try(fmt.Sprintf("cut at page %d", n), whole[:n*page]) {
				t.Errorf("a file that ends at page %d of %d was opened", n, len(whole)/page)
			}
			return nil
		})
	}
	atOnce(t, tries)
	if failed.Load() == 0 {
		t.Error("no damage was detected")
	}
}

// TestDB_AFullDiskIsUnavailable simulates a full disk by a file size limit, in
// a separate process.
func TestDB_AFullDiskIsUnavailable(t *testing.T) {
	t.Parallel()
	if os.Getenv("FULL_DISK") == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDB_AFullDiskIsUnavailable$", "-test.v")
		child.Env = append(os.Environ(), "FULL_DISK=1")
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	dir := t.TempDir()
	db := open(t, dir)
	info, err := os.Stat(filepath.Join(dir, "posthaste.db"))
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limited := syscall.Rlimit{Cur: uint64(info.Size()) + 100_000, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited); err != nil {
		t.Fatal(err)
	}
	stored := []webhook.Event{}
	for err == nil && len(stored) < 1000 {
		e := newEvent(t)
		e.Data = []byte(`"` + strings.Repeat("x", 10_000) + `"`)
		if err = db.Events().Put(t.Context(), e); err == nil {
			stored = append(stored, e)
		}
	}
	if !errors.Is(err, webhook.ErrUnavailable) {
		t.Errorf("after %d events: got %v, want ErrUnavailable", len(stored), err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	e := newEvent(t)
	if err := db.Events().Put(t.Context(), e); err != nil {
		t.Errorf("after space was freed: %v", err)
	}
	for _, e := range append(stored, e) {
		if _, err := db.Events().Get(t.Context(), "Default", e.ID); err != nil {
			t.Errorf("an event that was stored: %v", err)
		}
	}
}
