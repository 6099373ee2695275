package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")
	makeCall  = regexp.MustCompile(`^make invoke EVENT=(\S+) SOURCES=(\S+)\n$`)
)

// The calls of docs/events.md store their events and create their sources, and what
// shows records has the results that the page shows.
func TestRecipe_Events(t *testing.T) {
	t.Setenv("DATA_DIR", t.TempDir()) // of make invoke
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	calls, shown := fenced.FindAllStringSubmatch(string(page), -1), jsonBlock.FindAllStringSubmatch(string(page), -1)
	want := []string{"202", "202", "201", "201", "201", "200", "make"}
	if len(calls) != len(want) || len(shown) != 2 {
		t.Fatalf("docs/events.md has %d calls and shows %d results, want %d and 2", len(calls), len(shown), len(want))
	}
	s := start(t, t.TempDir(), nil)
	tried := ""
	for i, call := range calls[:len(calls)-1] {
		body, status := s.curl(call[1])
		if status != want[i] {
			t.Fatalf("call %d: %s\ngot %s %s, want %s", i, call[1], status, body, want[i])
		}
		tried = body
	}
	var got, printed struct{ Event map[string]any }
	decode(t, tried, &got)
	decode(t, shown[0][1], &printed)
	for name, value := range printed.Event {
		if diff := cmp.Diff(value, got.Event[name]); diff != "" {
			t.Errorf("the page's %s (-page +got):\n%s", name, diff)
		}
	}
	made := makeCall.FindStringSubmatch(calls[len(calls)-1][1])
	if made == nil {
		t.Fatalf("the last call is %s", calls[len(calls)-1][1])
	}
	var out bytes.Buffer
	root := filepath.Join("..", "..")
	if err := invoke(t.Context(), invocation{event: filepath.Join(root, made[1]), sources: filepath.Join(root, made[2])}, &out, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(documents(t, shown[1][1]), documents(t, out.String())); diff != "" {
		t.Errorf("make invoke (-page +got):\n%s", diff)
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// documents returns JSON documents that follow each other.
func documents(t *testing.T, text string) (all []any) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var each any
		if err := d.Decode(&each); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, each)
	}
	return all
}
