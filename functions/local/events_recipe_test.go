package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The calls of docs/events.md store their events and create their sources, and the
// test of a source has the result that the page shows.
func TestRecipe_Events(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the page's calls need curl")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	calls := fenced.FindAllStringSubmatch(page, -1)
	want := []string{"202", "202", "201", "201", "201", "200"}
	if len(calls) != len(want) {
		t.Fatalf("docs/events.md has %d calls, want %d", len(calls), len(want))
	}
	s := start(t, t.TempDir(), nil)
	last := ""
	for i, call := range calls {
		command := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(call[1], "curl", "curl -sS -w '%{http_code}'", 1)) //nolint:gosec // our own documentation
		command.Env = append(os.Environ(), "API_URL="+s.base, "ADMIN_CREDENTIAL=admin:admin", "FIRST_CREDENTIAL=tje0:Tje0")
		out, err := command.CombinedOutput()
		if err != nil || !strings.HasSuffix(string(out), want[i]) {
			t.Fatalf("call %d: %v\n%s\ngot %s, want %s", i, err, call[1], out, want[i])
		}
		last = strings.TrimSuffix(string(out), want[i])
	}
	_, shown, _ := strings.Cut(page, "```json\n")
	shown, _, _ = strings.Cut(shown, "```")
	var got, printed struct{ Event map[string]any }
	if err := json.Unmarshal([]byte(last), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(shown), &printed); err != nil {
		t.Fatal(err)
	}
	for name, value := range printed.Event {
		if diff := cmp.Diff(value, got.Event[name]); diff != "" {
			t.Errorf("the page's %s (-page +got):\n%s", name, diff)
		}
	}
}
