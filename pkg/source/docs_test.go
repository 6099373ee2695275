package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/source"
)

// UPDATE_EVENTS=1 rewrites the table instead of comparing it.
func TestEventsPage_ListsTheReasons(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "events.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const reasonsBegin, reasonsEnd = "<!-- reasons:begin -->\n", "<!-- reasons:end -->"
	before, rest, begun := strings.Cut(string(page), reasonsBegin)
	table, after, ended := strings.Cut(rest, reasonsEnd)
	if !begun || !ended {
		t.Fatal("docs/events.md has no table of reasons")
	}
	want := "| reason | meaning |\n|---|---|\n"
	for _, r := range source.Reasons() {
		want += "| `" + string(r) + "` | " + r.Text() + " |\n"
	}
	if os.Getenv("UPDATE_EVENTS") != "" {
		if err := os.WriteFile(path, []byte(before+reasonsBegin+want+reasonsEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("UPDATE_EVENTS=1 go test ./pkg/source -run EventsPage rewrites it (-want +got):\n%s", diff)
	}
}
