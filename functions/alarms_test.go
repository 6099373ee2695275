package functions_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	filterPattern = regexp.MustCompile(`FilterPattern: '(.+)'`)
	errorLine     = regexp.MustCompile(`^{ \$\.level = "ERROR" && \$\.msg = "([^"]+)" }$`)
)

// TestAlarms_FilterLinesThatAreLogged compares the template's log filters with
// the code: a filter on a line that is no longer logged would silently never
// raise its alarm.
func TestAlarms_FilterLinesThatAreLogged(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, root := range []string{"../pkg", "."} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path) //nolint:gosec // our own source
			code.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	patterns := filterPattern.FindAllStringSubmatch(read(t, "../template.yaml"), -1)
	if len(patterns) == 0 {
		t.Error("the template has no log filters")
	}
	for _, p := range patterns {
		line := errorLine.FindStringSubmatch(p[1])
		if line == nil {
			t.Errorf("%s does not filter by level and message", p[1])
			continue
		}
		if n := strings.Count(code.String(), `"`+line[1]+`"`); n != 1 {
			t.Errorf("%q is logged in %d places, want 1", line[1], n)
		}
	}
}
