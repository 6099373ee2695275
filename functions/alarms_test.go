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
	alarmText     = regexp.MustCompile(`(?m)^  (\w+):\n    Type: AWS::CloudWatch::Alarm\n(?:    Condition: \w+\n)?    Properties:\n      AlarmDescription: "(.+)"$`)
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

// docs/operating.md has every alarm of the template, with its description.
func TestAlarms_AreListed(t *testing.T) {
	t.Parallel()
	template, page := read(t, "../template.yaml"), read(t, "../docs/operating.md")
	alarms := alarmText.FindAllStringSubmatch(template, -1)
	if n := strings.Count(template, "AWS::CloudWatch::Alarm\n"); len(alarms) != n {
		t.Fatalf("%d of %d alarms have an AlarmDescription first", len(alarms), n)
	}
	for _, alarm := range alarms {
		if row := "| `" + alarm[1] + "` | " + alarm[2] + " |\n"; !strings.Contains(page, row) {
			t.Errorf("docs/operating.md lacks the row\n%s", row)
		}
	}
	if n := strings.Count(page, "Alarm` |"); n != len(alarms) {
		t.Errorf("docs/operating.md lists %d alarms, the template %d", n, len(alarms))
	}
}
