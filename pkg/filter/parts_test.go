package filter

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// The parts of a filter decide as the standard library does, on values made at random.

func TestDecimal_ComparesAsRationalNumbersDo(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(1, 2))}
	digits := func() string {
		text := one(g, "0", "1", "12", "120", "9999999999999999999999", "5")
		if g.chance(60) {
			text += "." + one(g, "0", "5", "50", "05", "005", "000", "12345678901234567890")
		}
		if g.chance(50) {
			text += one(g, "e0", "E+1", "e-1", "e-2", "e3", "e21", "e-0")
		}
		return one(g, "", "-") + text
	}
	equal := 0
	for range 20_000 {
		a, b := digits(), digits()
		x, okX := new(big.Rat).SetString(a)
		y, okY := new(big.Rat).SetString(b)
		if !okX || !okY {
			t.Fatalf("%s, %s", a, b)
		}
		want := x.Cmp(y)
		if want == 0 {
			equal++
		}
		if got := decimalOf([]byte(a)).compare(decimalOf([]byte(b))); got != want {
			t.Fatalf("%s and %s compare as %d, want %d", a, b, got, want)
		}
	}
	if equal < 300 {
		t.Errorf("only %d are equal", equal)
	}
}

func TestNetwork_ContainsWhatNetipSays(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(1, 3))}
	part := func() string { return one(g, "0", "1", "10", "255", "256", "01", "fd00", "FD00", "12345", "", "a") }
	address := func() string {
		if g.chance(10) {
			return one(g, "::", "::1", "1::", "::ffff:10.0.0.1", "::ffff:a00:1", "fd00::1", "10.0.0.1", "fe80::1%eth0", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7::", ":1:2:3:4:5:6:7:8")
		}
		separator, n := one(g, ".", ":"), one(g, 2, 3, 4, 4, 4, 8)
		parts := make([]string, n)
		for i := range parts {
			parts[i] = part()
		}
		return strings.Join(parts, separator)
	}
	valid, inside := 0, 0
	for range 200_000 {
		text, cidr := address(), one(g, "10.0.0.0/8", "10.255.0.0/13", "0.0.0.0/0", "1.0.0.0/32", "fd00::/16", "::/0", "::/1", "::1/128", "fd00::/9")
		want, err := netip.ParseAddr(text)
		var got [16]byte
		size, ok := parseAddress(&got, []byte(text))
		if err != nil || want.Zone() != "" {
			if ok {
				t.Fatalf("%s is an address", text)
			}
			continue
		}
		valid++
		want = want.Unmap()
		if !ok || string(got[:size]) != string(want.AsSlice()) {
			t.Fatalf("%s is %v, want %v", text, got[:size], want.AsSlice())
		}
		n, ok := parseNetwork(cidr)
		if is := netip.MustParsePrefix(cidr).Contains(want); !ok || n.contains([]byte(text)) != is {
			t.Fatalf("%s in %s: want %t", text, cidr, is)
		} else if is {
			inside++
		}
	}
	if valid < 500 || inside < 100 {
		t.Errorf("%d addresses, %d of them in the network", valid, inside)
	}
}

// matchSlowly is matchParts by trying everything.
func matchSlowly(pattern, text string) bool {
	switch {
	case pattern == "":
		return text == ""
	case pattern[0] == '*':
		return matchSlowly(pattern[1:], text) || text != "" && matchSlowly(pattern, text[1:])
	}
	return text != "" && text[0] == pattern[0] && matchSlowly(pattern[1:], text[1:])
}

func TestWildcard_MatchesAsTryingEverythingDoes(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(1, 4))}
	word := func(letters ...string) string {
		var b strings.Builder
		for range g.IntN(8) {
			b.WriteString(one(g, letters...))
		}
		return b.String()
	}
	matching := 0
	for range 50_000 {
		pattern, text := strings.ReplaceAll(word("a", "b", "*", "ab"), "**", "*"), word("a", "b", "ab")
		parts, rule := parseWildcard(strings.ReplaceAll(pattern, "**", "*"))
		if rule != "" {
			continue
		}
		want := matchSlowly(pattern, text)
		if want {
			matching++
		}
		if got := matchParts(parts, []byte(text)); got != want {
			t.Fatalf("%s and %s: got %t", pattern, text, got)
		}
	}
	if matching < 2000 {
		t.Errorf("only %d match", matching)
	}
}

func TestDecoded_IsWhatEncodingJSONReads(t *testing.T) {
	t.Parallel()
	g := generator{rand.New(rand.NewPCG(1, 5))}
	var r run
	for range 20_000 {
		quoted := `"`
		for range g.IntN(6) {
			quoted += one(g, "a", "å", "😀", `\n`, `\\`, `\"`, `\/`, `\b\f\r\t`, `\u00e5`, `\u00E5`, `\ud83d\ude00`, `\ud83d\ude00\u0041`, `\u0000`, `\\u0041`)
		}
		quoted += `"`
		var want string
		if err := json.Unmarshal([]byte(quoted), &want); err != nil {
			t.Fatal(err)
		}
		if got := string(r.decoded([]byte(quoted))); got != want {
			t.Fatalf("%s: got %q, want %q", quoted, got, want)
		}
	}
}
