package filter

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
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
	type compared struct{ pattern, event string }
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
			if p, _ := parse([]byte(source)); earlierAbsence(p) || wildAndFolded(p) {
				continue
			}
			e := Event{Event: "contact.changed", PrimaryKey: 7, FieldValues: json.RawMessage(g.render(content))}
			for _, c := range changes {
				e.Changes = append(e.Changes, c.(string))
			}
			asked <- compared{source, string(e.FieldValues)}
			verdicts <- f.Match(&e)
			fmt.Fprintf(w, "%s\t%s\n", plain(g.render(undotted(pattern))), plain(g.render(undotted(all))))
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
		if want != got {
			t.Errorf("event-ruler says %s, we say %s:\n%s\n%s", want, got, pair.pattern, pair.event)
			if t.Failed() && n > 20 {
				_ = cmd.Process.Kill()
				break
			}
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	t.Logf("%d of %d pairs match", matching, n)
	if matching*100 < 30*n {
		t.Errorf("%d of %d pairs match, want 30 %%", matching, n)
	}
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
