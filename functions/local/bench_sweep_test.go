package main

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchSweep adds the figures of the sweep. They are measured in virtual time, which
// only tests have.
func benchSweep(b *testing.B, t *table) {
	out, err := exec.CommandContext(b.Context(), "go", "test", "../../pkg/sweep", "-count=1", "-run", "^TestFigures$", "-figures").CombinedOutput()
	if err != nil {
		b.Fatalf("figures of the sweep: %v\n%s", err, out)
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
