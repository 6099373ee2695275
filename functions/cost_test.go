package functions_test

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var costRow = regexp.MustCompile(`^\| (\*\*)?(.+?)(\*\*)? \| (\*\*)?([0-9.]+)(\*\*)? \|$`)

// docs/cost.md adds up, counts the alarms of every deployment, and is what the README's
// table is computed from.
func TestCostTable(t *testing.T) {
	t.Parallel()
	totals, sum := map[string]float64{}, 0.0
	for line := range strings.Lines(read(t, "../docs/cost.md")) {
		m := costRow.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		dollars, err := strconv.ParseFloat(m[5], 64)
		if err != nil {
			t.Fatal(err)
		}
		if m[1] == "" {
			sum += dollars
			continue
		}
		totals[m[2]] = dollars
		if sum != 0 && math.Abs(sum-dollars) > 0.005 {
			t.Errorf("%s is $%.2f, its rows add up to $%.2f", m[2], dollars, sum)
		}
		sum = 0
	}
	fixed, each, events := totals["fixed"], totals["each webhook that has a secret"], totals["one million events"]
	if fixed == 0 || each == 0 || events == 0 {
		t.Fatalf("docs/cost.md has the totals %v", totals)
	}
	if n := watchedMetrics(t); !strings.Contains(read(t, "../docs/cost.md"), fmt.Sprintf("| %d metrics that alarms watch | %.2f |", n, 0.1*float64(n))) {
		t.Errorf("docs/cost.md does not have the price of %d metrics that alarms watch", n)
	}
	want := "\n| webhooks | 1 million events | sealed | 10 million events | sealed |\n|---|---|---|---|---|\n"
	for _, webhooks := range []float64{10, 100, 1000} {
		name := strings.Replace(fmt.Sprint(webhooks), "1000", "1,000", 1)
		want += fmt.Sprintf("| %s | %.0f | %.0f | %.0f | %.0f |\n", name,
			fixed+each*webhooks+events, fixed+events, fixed+each*webhooks+10*events, fixed+10*events)
	}
	_, rest, _ := strings.Cut(read(t, "../README.md"), "<!-- cost:begin -->")
	got, _, _ := strings.Cut(rest, "<!-- cost:end -->")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the README's table (-computed +README):\n%s", diff)
	}
}

// watchedMetrics returns the number of metrics of the alarms that every deployment
// outside dev has: CloudWatch bills an alarm by metric.
func watchedMetrics(t *testing.T) (n int) {
	t.Helper()
	for _, alarm := range alarmText.FindAllStringSubmatch(read(t, "../template.yaml"), -1) {
		if !strings.HasPrefix(alarm[0], "  "+alarm[1]+":\n    Type: AWS::CloudWatch::Alarm\n    Condition: HasAlarms\n") {
			continue
		}
		metrics := 0
		for line := range strings.Lines(alarm[3]) {
			if strings.Contains(line, "MetricStat:") && !strings.Contains(line, "!If") {
				metrics++
			}
		}
		n += max(metrics, 1)
	}
	return n
}
