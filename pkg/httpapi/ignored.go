package httpapi

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// headerIgnored lists the members and parameters of a request that nothing reads.
const headerIgnored = "X-Posthaste-Ignored"

const (
	maxIgnoredBytes = 1 << 10
	maxIgnoredName  = 100 // bytes of one name, escaped
	ignoredMore     = "..."
)

// ignored collects the names of a request that nothing reads: SuperOffice's clients
// send members that are unknown here, so they are not refused. The zero ignored is
// empty. It holds names only, and no more than its header can.
type ignored struct {
	text string
	seen map[string]bool
	full bool
}

// add adds a name, once.
func (i *ignored) add(name string) {
	if i.full {
		return
	}
	escaped := escapeIgnored(name)
	if i.seen[escaped] {
		return
	}
	const between = ", "
	if len(i.text)+len(between)+len(escaped) > maxIgnoredBytes-len(between+ignoredMore) {
		i.text, i.full = i.text+between+ignoredMore, true
		return
	}
	if i.seen == nil {
		i.seen = map[string]bool{}
	}
	if i.seen[escaped] = true; i.text != "" {
		i.text += between
	}
	i.text += escaped
}

// escapeIgnored writes a name in characters of a header that need no quotes; others
// are percent-encoded, and a long name is cut.
func escapeIgnored(name string) string {
	if name == "" {
		return `""`
	}
	var out strings.Builder
	for i := range len(name) {
		if out.Len() > maxIgnoredName-len("%00") {
			return out.String() + ignoredMore
		}
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("_.-$[]", c) >= 0:
			out.WriteByte(c)
		default:
			_, _ = fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// vocabulary is the names that some part of a request may have, and how faults name
// one of them.
type vocabulary struct {
	kind   string // "member"
	names  []string
	folded [][]rune
}

func newVocabulary(kind string, names ...string) vocabulary {
	v := vocabulary{kind: kind, names: names}
	for _, name := range names {
		v.folded = append(v.folded, []rune(wire.FoldName(name)))
	}
	return v
}

// minTypo is how many characters a name needs to be taken for a misspelled one.
const minTypo = 4

// check looks at a name that a request has: a known one passes, one that is an edit
// away from known ones is a fault, and any other is ignored, which check reports.
// path is how faults and the list of ignored names call it.
func (v vocabulary) check(name, path string, ignores *ignored, f *webhook.Faults) bool {
	if slices.ContainsFunc(v.names, func(known string) bool { return strings.EqualFold(known, name) }) {
		return false
	}
	meant := v.near(name)
	if len(meant) == 0 {
		ignores.add(path)
		return true
	}
	f.AddText(meant[0], "unknown %s %q: did you mean %s?", v.kind, wire.Shorten(path), strings.Join(meant, " or "))
	return false
}

// near returns the known names that an unknown one is probably meant to be.
func (v vocabulary) near(name string) (meant []string) {
	const longest = 64 // more bytes than any known name has
	if len(name) > longest || utf8.RuneCountInString(name) < minTypo {
		return nil
	}
	folded := []rune(wire.FoldName(name))
	for i, known := range v.folded {
		if oneEdit(folded, known) {
			meant = append(meant, v.names[i])
		}
	}
	return meant
}

// oneEdit reports whether one insertion, deletion, substitution or transposition
// turns a name into another.
func oneEdit(a, b []rune) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch {
	case len(a) < len(b):
		return slices.Equal(a[i:], b[i+1:])
	case i == len(a):
		return false
	case slices.Equal(a[i+1:], b[i+1:]):
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && slices.Equal(a[i+2:], b[i+2:])
}
