package httpapi_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// folding draws texts of which many differ in letter case alone. K, k and the sign
// of Kelvin are one letter, as are S, s and the long s; İ and ß are like no other.
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
		if got, want := httpapi.FoldName(a) == httpapi.FoldName(b), strings.EqualFold(a, b); got != want {
			t.Errorf("%q and %q: got %t, want %t", a, b, got, want)
		}
	})
}

// plainObject is an object as its members are found without an index.
type plainObject struct{ names, texts []string }

func (o *plainObject) find(name string) int {
	if i := slices.Index(o.names, name); i >= 0 {
		return i
	}
	return slices.IndexFunc(o.names, func(have string) bool { return strings.EqualFold(have, name) })
}

// Whatever is set and removed in whatever order, an object is what it would be
// if its members were looked for one by one.
func TestObject_AgreesWithOneThatIsSearched(t *testing.T) {
	t.Parallel()
	valid := rapid.StringOfN(rapid.RuneFrom([]rune("kKKéÉ")), 0, 2, -1)
	rapid.Check(t, func(t *rapid.T) {
		object, want := httpapi.NewObject(), plainObject{}
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
				object.Set(name, text)
			case 1:
				if i >= 0 {
					want.names, want.texts = slices.Delete(want.names, i, i+1), slices.Delete(want.texts, i, i+1)
				}
				object.Remove(name)
			default:
				text, found := object.Find(name)
				if found != (i >= 0) || found && text != want.texts[i] {
					t.Errorf("%q: got %q, %t; want place %d of %v", name, text, found, i, want)
				}
			}
		}
		fresh := httpapi.NewObject()
		for i, name := range want.names {
			fresh.Set(name, want.texts[i])
		}
		if object.JSON() != fresh.JSON() || !object.Same(fresh) || !fresh.Same(object) {
			t.Errorf("got %s, want %s", object.JSON(), fresh.JSON())
		}
		if !json.Valid([]byte(object.JSON())) {
			t.Errorf("%s is not JSON", object.JSON())
		}
		fresh.Set("another", "x")
		if object.Same(fresh) || fresh.Same(object) {
			t.Errorf("%s is the same as %s", object.JSON(), fresh.JSON())
		}
	})
}

// A list may ask as many webhooks as there are about a name as long as a body.
func TestList_FoldsItsFilterOnce(t *testing.T) {
	w := webhook.Webhook{Events: []string{"contact.changed", "sale.*"}}
	if got := httpapi.ListFilterAllocs(strings.Repeat("É", 1000)+".x", w); got > 0 {
		t.Errorf("asking one webhook takes %.0f allocations", got)
	}
}
