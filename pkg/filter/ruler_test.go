package filter

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var (
	ruler = flag.String("ruler", "", "the class path of event-ruler and Ruler.class, to compare with")
	pairs = flag.Int("pairs", 100_000, "how many pairs of pattern and event are compared")
	seed  = flag.Uint64("seed", 1, "of the pairs")
)

// AWS's event-ruler decides as we do, except for the differences that docs/filters.md
// lists. It gets each event without them: with one member of a name, and no dots in
// names. Numbers have at most 15 digits.
func TestRuler(t *testing.T) {
	if *ruler == "" {
		t.Skip("make test-clients fetches event-ruler")
	}
	cmd := exec.Command("java", "-cp", *ruler, "Ruler")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g := generator{rand.New(rand.NewPCG(*seed, 1))}
	type compared struct {
		pattern, event string
		alone          []string // the same with one term in each list
	}
	asked := make(chan compared, 1000)
	verdicts := make(chan bool, 1000)
	go func() {
		w := bufio.NewWriter(in)
		for n := 0; n < *pairs; {
			content, changes := g.object(0), []any{"name", "a"}[:g.IntN(3)]
			all := []pair{{"Event", "contact.changed"}, {"PrimaryKey", number("7")}, {"Changes", changes}, {"FieldValues", content}}
			pattern := g.pattern(leaves(nil, all), 0)
			source := g.render(pattern)
			f, err := Compile([]byte(source))
			if err != nil {
				var fault *Error
				if !errors.As(err, &fault) {
					t.Errorf("%s: %v", source, err)
				}
				continue
			}
			if p, _ := parse([]byte(source)); earlierAbsence(p) || wildAndFolded(p) || addressOrQuote(p) {
				continue
			}
			e := Event{Event: "contact.changed", PrimaryKey: 7, FieldValues: json.RawMessage(g.render(content))}
			for _, c := range changes {
				e.Changes = append(e.Changes, c.(string))
			}
			event := plain(g.render(undotted(all)))
			c := compared{pattern: source, event: string(e.FieldValues)}
			for _, one := range alone(undotted(pattern)) {
				c.alone = append(c.alone, plain(g.render(one))+"\t"+event)
			}
			asked <- c
			verdicts <- f.Match(&e)
			fmt.Fprintf(w, "%s\t%s\n", plain(g.render(undotted(pattern))), event)
			n++
		}
		if err := errors.Join(w.Flush(), in.Close()); err != nil {
			t.Error(err)
		}
		close(asked)
	}()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	n, matching := 0, 0
	for pair := range asked {
		if !lines.Scan() {
			t.Fatalf("event-ruler ended after %d pairs: %v", n, lines.Err())
		}
		want, got := lines.Text(), fmt.Sprint(<-verdicts)
		if n++; want == "true" {
			matching++
		}
		if want != got && judge(t, pair.alone) != got {
			t.Errorf("event-ruler says %s, we say %s:\n%s\n%s", want, got, pair.pattern, pair.event)
			_ = cmd.Process.Kill()
			break
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	t.Logf("%d of %d pairs match", matching, n)
	if matching*100 < 30*n {
		t.Errorf("%d of %d pairs match, want 30 %%", matching, n)
	}
}

// most is how many patterns of one term in each list are made of a pattern.
const most = 400

// alone returns the patterns that have one term in each list of a pattern, which matches
// if one of them does. Where event-ruler says something else, it contradicts itself: it
// confuses terms of one list, differently from run to run.
func alone(p any) []any {
	members, ok := p.([]pair)
	if !ok {
		var one []any
		for _, term := range p.([]any) {
			one = append(one, []any{term})
		}
		return one
	}
	all := []any{[]pair{}}
	for _, m := range members {
		var inner []any
		if m.name == "$or" {
			for _, choice := range m.value.([]any) {
				inner = append(inner, alone(choice)...)
			}
		} else {
			inner = alone(m.value)
		}
		var longer []any
		for _, before := range all {
			for _, value := range inner {
				if m.name == "$or" { // needs two
					value = []any{value, value}
				}
				if len(longer) < most {
					longer = append(longer, append(slices.Clone(before.([]pair)), pair{m.name, value}))
				}
			}
		}
		all = longer
	}
	return all
}

// judge returns "true" if event-ruler says so of one of the lines.
func judge(t *testing.T, lines []string) string {
	t.Helper()
	cmd := exec.Command("java", "-cp", *ruler, "Ruler")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil || len(lines) >= most {
		t.Fatalf("%d patterns: %v", len(lines), err)
	}
	return fmt.Sprint(slices.Contains(strings.Fields(string(out)), "true"))
}

// addressOrQuote reports whether a pattern has a string that is an address, which
// event-ruler compares as one, or one that begins or ends with a quotation mark, which it
// finds around the string.
func addressOrQuote(p pattern) bool {
	for _, combination := range p.combinations {
		for _, f := range combination {
			for _, t := range f.terms {
				for _, one := range t.tests {
					if _, err := netip.ParseAddr(one.text); err == nil {
						return true
					}
					if strings.HasPrefix(one.text, `"`) || strings.HasSuffix(one.text, `"`) {
						return true
					}
				}
			}
		}
	}
	return false
}

// earlierAbsence reports whether a pattern has {"exists": false} at a path that sorts
// before that of a value, which may be in the same element of an array: event-ruler
// does not look at that value's element.
func earlierAbsence(p pattern) bool {
	for _, combination := range p.combinations {
		for _, absent := range combination {
			for _, f := range combination {
				if absent.absent && len(f.terms) > 0 && f != absent && f.path[0] == absent.path[0] && f.path[1] == absent.path[1] &&
					sorted(f) > sorted(absent) {
					return true
				}
			}
		}
	}
	return false
}

// wildAndFolded reports whether a pattern has a wildcard and a term that ignores case
// for one value: event-ruler 2.1.0 confuses them, so that "bcd" matches
// [{"wildcard": "*9"}, {"equals-ignore-case": "A"}].
func wildAndFolded(p pattern) bool {
	wild, folded := map[string]bool{}, map[string]bool{}
	for _, combination := range p.combinations {
		for _, f := range combination {
			for _, t := range f.terms {
				for _, one := range t.tests {
					wild[sorted(f)] = wild[sorted(f)] || one.op == wildcard
					folded[sorted(f)] = folded[sorted(f)] || one.op == exactFold || one.op == prefixFold || one.op == suffixFold
				}
			}
			if wild[sorted(f)] && folded[sorted(f)] {
				return true
			}
		}
	}
	return false
}

// sorted returns a path as event-ruler sorts it.
func sorted(f *field) string {
	return strings.Join(strings.Split(strings.ReplaceAll(strings.Join(f.path, "\x00"), ".", "·"), "\x00"), ".")
}

// undotted returns a value without what is listed as a difference.
func undotted(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = undotted(e)
		}
		return list
	case []pair:
		var list []pair
		for i, p := range v {
			if !slices.ContainsFunc(v[i+1:], func(q pair) bool { return q.name == p.name }) {
				list = append(list, pair{strings.ReplaceAll(p.name, ".", "·"), undotted(p.value)})
			}
		}
		return list
	}
	return v
}

// plain returns JSON in one line.
func plain(text string) string { return strings.ReplaceAll(text, "\n", " ") }
