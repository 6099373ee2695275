package filter

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes patterns and events that meet often.
type generator struct{ *rand.Rand }

// pair is members of an object. Names may be repeated.
type pair struct {
	name  string
	value any // string, number, nil, bool, []any, []pair
}

// number is a number as written.
type number string

func one[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func (g generator) name() string { return one(g, "a", "a", "b", "b", "k", "zz", "a.b", "å") }

var numbers = []number{
	"0", "-0", "0.0", "-0e5", "1", "1.0", "1e0", "10e-1", "2", "100", "1e2", "1.00E+2", "0.1", "1e-1", "0.10", "-1", "-1.0", "-2.5",
	"3.14", "314e-2", "1e300", "10e299", "-1e300", "1e-300", "5", "5.0", "4.999999", "123456789012345", "1.23456789012345e14",
}

func (g generator) scalar() any {
	switch g.IntN(8) {
	case 0:
		return nil
	case 1:
		return g.chance(50)
	case 2, 3, 4:
		return one(g, numbers...)
	}
	return one(g, "", "a", "ab", "abc", "ABC", "aab", "Åb", "åB", "x*y", `x\y`, `"`, "a\nb", "1", "null", "true", "😀", "Σσ",
		"10.0.0.1", "10.1.2.3", "192.168.7.9", "255.255.255.255", "fd00::1", "FD00:0:0:0::1", "fd00::ffff:1", "2001", "1.2.3", "::", "1:2", ":1")
}

func (g generator) value(depth int) any {
	switch n := g.IntN(10); {
	case n < 5 || depth > 3:
		return g.scalar()
	case n < 8:
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(depth+1))
		}
		return list
	}
	return g.object(depth + 1)
}

func (g generator) object(depth int) []pair {
	list := []pair{}
	for range g.IntN(5) {
		list = append(list, pair{g.name(), g.value(depth)})
	}
	return list
}

// leaf is a value of an event and the names that lead to it.
type leaf struct {
	path  []string
	value any
}

func leaves(path []string, v any) (all []leaf) {
	switch v := v.(type) {
	case []pair:
		for _, p := range v {
			all = append(all, leaves(append(slices.Clip(path), p.name), p.value)...)
		}
	case []any:
		for _, e := range v {
			all = append(all, leaves(path, e)...)
		}
	default:
		all = append(all, leaf{path, v})
	}
	return all
}

// render writes a value as JSON, with escapes here and there.
func (g generator) render(v any) string {
	switch v := v.(type) {
	case number:
		return string(v)
	case string:
		var b strings.Builder
		b.WriteByte('"')
		for _, r := range v {
			if g.chance(10) && r < 0x10000 {
				fmt.Fprintf(&b, `\u%04x`, r)
				continue
			}
			text, _ := json.Marshal(string(r))
			b.Write(text[1 : len(text)-1])
		}
		b.WriteByte('"')
		return b.String()
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = g.render(e)
		}
		return "[" + strings.Join(parts, one(g, ",", " , ")) + "]"
	case []pair:
		parts := make([]string, len(v))
		for i, p := range v {
			parts[i] = g.render(p.name) + one(g, ":", " : ") + g.render(p.value)
		}
		return "{" + strings.Join(parts, one(g, ",", ", \n")) + "}"
	}
	text, _ := json.Marshal(v)
	return string(text)
}

// terms returns a list of terms, most often one that holds for the value.
func (g generator) terms(v any) []any {
	list := []any{g.term(v)}
	for g.chance(30) {
		list = append(list, g.term(g.scalar()))
	}
	if g.chance(10) {
		list = append(list, []pair{{"exists", g.chance(50)}})
	}
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (g generator) term(v any) any {
	if g.chance(15) {
		v = g.scalar()
	}
	switch v := v.(type) {
	case string:
		runes := []rune(v)
		cut := g.IntN(len(runes) + 1)
		head, tail := string(runes[:cut]), string(runes[cut:])
		wild := strings.NewReplacer(`\`, `\\`, "*", `\*`)
		text := wild.Replace(head) + "*" + wild.Replace(tail)
		fold := func(s string) string {
			if strings.ContainsAny(s, "😀Σσ") {
				return s
			}
			return one(g, strings.ToLower, strings.ToUpper)(s)
		}
		if strings.Contains(v, "😀") { // halves of pairs have no case, and event-ruler folds them one by one
			return v
		}
		switch g.IntN(12) {
		case 0:
			return []pair{{"prefix", head}}
		case 1:
			return []pair{{"suffix", tail}}
		case 2:
			return []pair{{"equals-ignore-case", fold(v)}}
		case 3:
			return []pair{{"prefix", []pair{{"equals-ignore-case", fold(head)}}}}
		case 4:
			return []pair{{"suffix", []pair{{"equals-ignore-case", fold(tail)}}}}
		case 5:
			return []pair{{"wildcard", text}}
		case 6:
			return []pair{{"anything-but", one[any](g, head, []any{head, "abc"}, []any{v, tail})}}
		case 7:
			return []pair{{"anything-but", []pair{{one(g, "prefix", "suffix"), one[any](g, "a"+head, []any{"b", "x"})}}}}
		case 8:
			return []pair{{"anything-but", []pair{{"wildcard", one[any](g, text, []any{"b*", "*x", "q"})}}}}
		case 9:
			return []pair{{"anything-but", []pair{{"equals-ignore-case", one[any](g, fold(head), []any{fold(head), "q"})}}}}
		case 10:
			return []pair{{"cidr", one(g, "10.0.0.0/8", "10.0.0.1/31", "10.1.0.0/15", "192.168.7.8/30", "fd00::/16", "fd00::1/127", "fd00::/100", "255.255.255.254/31")}}
		}
	case number:
		n := one(g, v, one(g, numbers...))
		low, high := one[number](g, "-2e300", "-1", "0", "1", "5"), one[number](g, "5.5", "100", "1e2", "2e300", "123456789012346")
		switch g.IntN(5) {
		case 0:
			return []pair{{"numeric", []any{one(g, "=", "<", "<=", ">", ">="), n}}}
		case 1:
			return []pair{{"numeric", []any{one(g, ">", ">="), low, one(g, "<", "<="), high}}}
		case 2:
			return []pair{{"anything-but", one[any](g, n, []any{n, number("7")})}}
		}
		return n
	}
	if g.chance(10) {
		return []pair{{"exists", true}}
	}
	return v
}

// pattern returns a pattern for some of the values of an event.
func (g generator) pattern(of []leaf, depth int) []pair {
	var p []pair
	for range 1 + g.IntN(3) {
		l := leaf{[]string{"FieldValues", g.name(), g.name()}, g.scalar()}
		if len(of) > 0 && g.chance(90) {
			l = of[g.IntN(len(of))]
		}
		if g.chance(12) {
			p = put(p, append(slices.Clip(l.path), "zz"), []any{[]pair{{"exists", false}}})
			continue
		}
		p = put(p, l.path, g.terms(l.value))
	}
	if depth < 2 && g.chance(25) {
		list := []any{}
		for range 2 + g.IntN(2) {
			list = append(list, g.pattern(of, depth+1))
		}
		p = append(p, pair{"$or", list})
	}
	return p
}

// put adds a list of terms at a path.
func put(p []pair, path []string, terms []any) []pair {
	at := slices.IndexFunc(p, func(m pair) bool { return m.name == path[0] })
	if len(path) == 1 {
		if at < 0 {
			p = append(p, pair{path[0], terms})
		}
		return p
	}
	if at < 0 {
		p, at = append(p, pair{path[0], []pair{}}), len(p)
	}
	if inner, ok := p[at].value.([]pair); ok {
		p[at].value = put(inner, path[1:], terms)
	}
	return p
}
