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

// TestAlarms_KnowTheLines holds the template's filters of log lines against the
// code: a line that nobody writes any more would raise no alarm, and nobody
// would notice.
func TestAlarms_KnowTheLines(t *testing.T) {
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
		t.Error("the template filters no lines")
	}
	for _, p := range patterns {
		line := errorLine.FindStringSubmatch(p[1])
		if line == nil {
			t.Errorf("%s does not ask for a level and a message", p[1])
			continue
		}
		if n := strings.Count(code.String(), `"`+line[1]+`"`); n != 1 {
			t.Errorf("%q is written in %d places, not in one", line[1], n)
		}
	}
}
