package functions_test

import (
	"cmp"
	"os"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// These match the name of a statement of a function's role, in the template and
// in docs/security.md.
var (
	roleLine     = regexp.MustCompile(`^  (\w+):`)
	templateLine = regexp.MustCompile(`^\s+(?:- )?Sid: (\w+)|\*vpcStatement,`)
	documentRow  = regexp.MustCompile("^\\| (\\w*) ?\\| `(\\w+)` \\| .+ \\| .+ \\|$")
)

// TestPermissions_AreExplained compares docs/security.md's table of permissions
// with the template: it must list every statement of every role, in order, and
// nothing else.
func TestPermissions_AreExplained(t *testing.T) {
	t.Parallel()
	var want, got []string
	of := ""
	for line := range strings.Lines(read(t, "../template.yaml")) {
		if m := roleLine.FindStringSubmatch(line); m != nil {
			of = m[1]
		}
		if m := templateLine.FindStringSubmatch(line); m != nil {
			want = append(want, strings.TrimSuffix(of, "Role")+"Function "+cmp.Or(m[1], "AttachToVpc"))
		}
	}
	for line := range strings.Lines(read(t, "../docs/security.md")) {
		if m := documentRow.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			if m[1] != "" {
				of = m[1]
			}
			got = append(got, of+" "+m[2])
		}
	}
	if len(want) < 20 {
		t.Fatalf("%d statements were found in the template", len(want))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("docs/security.md explains each statement of template.yaml by a row (-template +document):\n%s", diff)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
