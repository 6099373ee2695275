package functions_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// idle is what a month costs in which nothing happens, by stage, and what ways in add to
// it in prod.
type idle struct {
	lines        []string // in order
	dev, prod    bill
	bus, changes bill
	further      string // a row that is not included
}

// ownMetrics returns how many metrics the template makes of log lines, each lane's by
// itself.
func ownMetrics(template string) (n float64) {
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`MetricName: (\w+), MetricValue: [^,}]+(, Dimensions: \[{Key: Lane)?`).FindAllStringSubmatch(template, -1) {
		switch {
		case seen[m[1]]:
		case m[2] != "":
			n += 3
		default:
			n++
		}
		seen[m[1]] = true
	}
	return n
}

// idleMonths computes it from the template.
func idleMonths(t *testing.T, p *prices) idle {
	t.Helper()
	template := read(t, "../template.yaml")
	watched := watchedMetrics(t)
	polling := func(queues float64) float64 {
		minutes := p.assume(t, "days of a month") * 24 * 60
		return p.dollars(t, "queue calls", queues*p.assume(t, "pollers of a queue")*p.assume(t, "calls per minute of a poller")*minutes)
	}
	mapped := strings.Count(template, "          Type: SQS\n")
	secrets := strings.Count(template, "Type: AWS::SecretsManager::Secret\n")
	sweep := sweepMonth(t, p)
	i := idle{dev: bill{}, prod: bill{}, bus: bill{}, changes: bill{}}
	add := func(line string, dev, prod, bus, changes float64) {
		i.lines = append(i.lines, line)
		i.dev[line], i.prod[line], i.bus[line], i.changes[line] = dev, prod, bus, changes
	}
	lists := sweep[lineLists]
	add("SweepFunction, each minute", sweep.sum()-lists, sweep.sum()-lists, 0, 0)
	add("S3, a list of the failure bucket each five minutes", lists, lists, 0, lists)
	add(fmt.Sprintf("Lambda's polling of %d queues", mapped), polling(float64(mapped)), polling(float64(mapped)), polling(1), 0)
	add(fmt.Sprintf("%d secrets of the deployment", secrets), p.dollars(t, "secrets", float64(secrets)), p.dollars(t, "secrets", float64(secrets)), 0, 0)
	add(fmt.Sprintf("%.0f metrics that alarms watch", watched["HasAlarms"]), 0, p.dollars(t, "alarms", watched["HasAlarms"]),
		p.dollars(t, "alarms", watched["HasIngest"]+watched["HasEventBusAlarms"]), p.dollars(t, "alarms", watched["HasIngest"]+watched["HasChangeAlarms"]))
	add("a metric made of log lines each minute", 0, p.dollars(t, "metrics", 1), 0, 0)
	further := ownMetrics(template) - 1
	i.further = fmt.Sprintf("| at most %.0f more such metrics, in hours with such lines | | %s | | |\n", further, money(p.dollars(t, "metrics", further)))
	return i
}

func (i idle) table() string {
	text := header("per month", "dev", "prod", "a bus adds", "changes of tables add")
	for _, line := range i.lines {
		text += fmt.Sprintf("| %s | %s | %s | %s | %s |\n", line, money(i.dev[line]), money(i.prod[line]), money(i.bus[line]), money(i.changes[line]))
	}
	text = strings.ReplaceAll(text, " 0.00 |", " |")
	return text + fmt.Sprintf("| **together** | **%s** | **%s** | **%s** | **%s** |\n", money(i.dev.sum()), money(i.prod.sum()), money(i.bus.sum()), money(i.changes.sum())) + i.further
}

// watchedMetrics returns how many metrics alarms watch, by the condition under which
// they do. CloudWatch bills an alarm by metric.
func watchedMetrics(t *testing.T) map[string]float64 {
	t.Helper()
	under := regexp.MustCompile(`!If \[(\w+), \{`)
	condition := regexp.MustCompile(`\n    Condition: (\w+)\n`)
	watched := map[string]float64{}
	for _, alarm := range alarmText.FindAllStringSubmatch(read(t, "../template.yaml"), -1) {
		of, several := condition.FindStringSubmatch(alarm[0])[1], false
		for line := range strings.Lines(alarm[3]) {
			if !strings.Contains(line, "MetricStat:") {
				continue
			}
			several = true
			if m := under.FindStringSubmatch(line); m != nil {
				watched[m[1]]++
			} else {
				watched[of]++
			}
		}
		if !several {
			watched[of]++
		}
	}
	return watched
}

// memories returns the memory of the functions in MB, as the template has it.
func memories(t *testing.T) map[string]float64 {
	t.Helper()
	template, setting := read(t, "../template.yaml"), regexp.MustCompile(`(?m)^ +MemorySize: (\d+)`)
	all, _ := strconv.ParseFloat(setting.FindStringSubmatch(template)[1], 64)
	found := map[string]float64{}
	for _, section := range regexp.MustCompile(`(?m)^  (\w+):\n    Type: AWS::Serverless::Function\n((?:    .*\n)+)`).FindAllStringSubmatch(template, -1) {
		found[section[1]] = all
		if m := setting.FindStringSubmatch(section[2]); m != nil {
			found[section[1]], _ = strconv.ParseFloat(m[1], 64)
		}
	}
	if len(found) != 5 || all == 0 {
		t.Fatalf("the template has the memory %v", found)
	}
	return found
}

// An idle deployment stays within what docs/operating.md promises of it.
func TestIdleMonths(t *testing.T) {
	t.Parallel()
	i := idleMonths(t, loadPrices(t))
	if dev, prod := i.dev.sum(), i.prod.sum(); dev > 3 || prod > 8 {
		t.Errorf("a month costs $%.2f in dev and $%.2f in prod, want at most $3 and $8", dev, prod)
	}
}
