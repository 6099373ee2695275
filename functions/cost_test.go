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
	const alarm = "Type: AWS::CloudWatch::Alarm\n"
	template := read(t, "../template.yaml")
	alarms := strings.Count(template, alarm) - strings.Count(template, alarm+"    Condition:")
	if row := fmt.Sprintf("| %d alarms | %.2f |", alarms, 0.1*float64(alarms)); !strings.Contains(read(t, "../docs/cost.md"), row) {
		t.Errorf("docs/cost.md lacks the row %s", row)
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
