package wire_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
)

// folding draws strings many of which differ only in case. K, k and the Kelvin
// sign fold to one letter, as do S, s and the long s; İ and ß fold to themselves.
func folding(longest int) *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringOfN(rapid.RuneFrom([]rune("kKKsSſéÉǅǆǄσςΣİiIıßẞ\ufffd1")), 0, longest, -1),
		rapid.SampledFrom([]string{"\xff", "k\xff", "K\xfe"}),
	)
}

func TestFoldName_AgreesWithEqualFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := folding(3).Draw(t, "a"), folding(3).Draw(t, "b")
		if got, want := wire.FoldName(a) == wire.FoldName(b), strings.EqualFold(a, b); got != want {
			t.Errorf("%q and %q: got %t, want %t", a, b, got, want)
		}
	})
}

// object is an object while a patch is applied to it.
type object struct{ wire.Tree }

func newObject() *object { return &object{wire.Empty(wire.KindObject)} }

// put adds a member, or replaces the one with exactly this name.
func (o *object) put(name, text string) { o.Set(name, wire.Text(text)) }

// find returns the value of a member. The name is case-insensitive.
func (o *object) find(name string) (text string, found bool) {
	member, found := o.Named(name)
	return member.Text(), found
}

// remove removes the member that find returns.
func (o *object) remove(name string) {
	if i := o.Child(name); i >= 0 {
		o.Remove(i)
	}
}

func (o *object) json() string { return string(o.JSON()) }

func (o *object) same(other *object) bool {
	same := other.Clone()
	return o.Equal(&same)
}

// plainObject is an object that is searched without an index.
type plainObject struct{ names, texts []string }

func (o *plainObject) find(name string) int {
	if i := slices.Index(o.names, name); i >= 0 {
		return i
	}
	return slices.IndexFunc(o.names, func(have string) bool { return strings.EqualFold(have, name) })
}

// After any sequence of sets and removals, an indexed object equals one that is
// searched member by member.
func TestObject_AgreesWithOneThatIsSearched(t *testing.T) {
	t.Parallel()
	valid := rapid.StringOfN(rapid.RuneFrom([]rune("kKKéÉ")), 0, 2, -1)
	rapid.Check(t, func(t *rapid.T) {
		tree, want := newObject(), plainObject{}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			name := valid.Draw(t, "name")
			i := want.find(name)
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				text := rapid.StringMatching(`[a-z]`).Draw(t, "text")
				if exact := slices.Index(want.names, name); exact >= 0 {
					want.texts[exact] = text
				} else {
					want.names, want.texts = append(want.names, name), append(want.texts, text)
				}
				tree.put(name, text)
			case 1:
				if i >= 0 {
					want.names, want.texts = slices.Delete(want.names, i, i+1), slices.Delete(want.texts, i, i+1)
				}
				tree.remove(name)
			default:
				text, found := tree.find(name)
				if found != (i >= 0) || found && text != want.texts[i] {
					t.Errorf("%q: got %q, %t; want position %d of %v", name, text, found, i, want)
				}
			}
		}
		fresh := newObject()
		for i, name := range want.names {
			fresh.put(name, want.texts[i])
		}
		if tree.json() != fresh.json() || !tree.same(fresh) || !fresh.same(tree) {
			t.Errorf("got %s, want %s", tree.json(), fresh.json())
		}
		if !json.Valid([]byte(tree.json())) {
			t.Errorf("%s is not JSON", tree.json())
		}
		fresh.put("another", "x")
		if tree.same(fresh) || fresh.same(tree) {
			t.Errorf("%s is the same as %s", tree.json(), fresh.json())
		}
	})
}
