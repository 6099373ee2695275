package main

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchVirtual adds the figures of a package that are measured in virtual time, which
// only tests have.
func benchVirtual(b *testing.B, t *table, pkg string) {
	out, err := exec.CommandContext(b.Context(), "go", "test", "../../pkg/"+pkg, "-count=1", "-v", "-run", "^TestFigures$", "-figures").CombinedOutput() //nolint:gosec // a package of ours
	if err != nil {
		b.Fatalf("figures of %s: %v\n%s", pkg, err, out)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if fields[0] != "figure" || len(fields) != 5 {
			continue
		}
		perMinute, _ := strconv.ParseFloat(fields[2], 64)
		cpu, _ := strconv.ParseInt(fields[3], 10, 64)
		t.add(row{what: fields[1], perSecond: perMinute / 60, cpu: time.Duration(cpu), note: number(perMinute) + " a minute; " + fields[4]})
	}
}
