package functions_test

import (
	"regexp"
	"strings"
	"testing"
)

var workflowStep = regexp.MustCompile(`(?m)^ +- run: make ([a-z-]+)`)

// The workflow runs the commands that README tells a contributor to run, and only
// targets that exist.
func TestWorkflow_RunsREADMEsCommands(t *testing.T) {
	t.Parallel()
	readme, makefile := read(t, "../README.md"), read(t, "../Makefile")
	ran := map[string]bool{}
	for _, step := range workflowStep.FindAllStringSubmatch(read(t, "../.github/workflows/test.yml"), -1) {
		ran[step[1]] = true
		if !strings.Contains(makefile, "\n"+step[1]+":") {
			t.Errorf("the workflow runs make %s, which is not a target", step[1])
		}
	}
	for _, target := range []string{"test", "check", "test-aws"} {
		if !ran[target] || !strings.Contains(readme, "| `make "+target+"` |") {
			t.Errorf("make %s must be in README and in the workflow", target)
		}
	}
}
