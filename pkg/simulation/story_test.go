package simulation_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// storyLines is how many steps a story tells, the last ones.
const storyLines = 60

var (
	namesDelivery = regexp.MustCompile(`\bw\d+/e\d+\b`)
	namesWebhook  = regexp.MustCompile(`\bw\d+\b`)
	namesEvent    = regexp.MustCompile(`\be\d+\b`)
)

// story tells how the run came to break a promise: who is concerned, and what happened
// to it, step by step.
func (w *world) story() []string {
	if len(w.verdict) == 0 || !w.keep {
		return nil
	}
	broken := strings.Join(w.verdict, "\n")
	var out []string
	for _, name := range unique(namesWebhook.FindAllString(broken, -1)) {
		number, _ := strconv.Atoi(name[1:])
		if a := w.witness.accounts[hook(number)]; a != nil {
			v := a.history.Last()
			out = append(out, fmt.Sprintf("%s is webhook %d of %s: state %d, app %q, events %s, to %s, %s, %s", name, v.ID, v.Tenant, v.State, v.App, strings.Join(v.Patterns, " "), v.Target, v.Policy, v.Format))
		}
	}
	for _, id := range w.witness.order {
		if h := w.witness.events[id]; slices.Contains(namesEvent.FindAllString(broken, -1), h.name) {
			out = append(out, fmt.Sprintf("%s is %s of %s, key %d, stored at %s as %s", h.name, h.event.Name, h.event.Tenant, h.event.PrimaryKey, stamp(h.stored.Sub(w.began)), id))
		}
	}
	about := unique(namesDelivery.FindAllString(broken, -1))
	if len(about) == 0 {
		about = unique(append(namesWebhook.FindAllString(broken, -1), namesEvent.FindAllString(broken, -1)...))
	}
	var steps []string
	for _, line := range w.trace {
		if strings.Contains(line, " weather ") || strings.Contains(line, " LEDGER ") || slices.ContainsFunc(about, func(name string) bool {
			return regexp.MustCompile(`\b` + name + `\b`).MatchString(line)
		}) {
			steps = append(steps, line)
		}
	}
	if left := len(steps) - storyLines; left > 0 {
		out, steps = append(out, fmt.Sprintf("(%d earlier steps)", left)), steps[left:]
	}
	return append(out, steps...)
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
