package httpapi

import (
	"fmt"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// maxChanges is how many operations a patch may have.
const maxChanges = 500

// change is one operation of a patch. Both kinds of patch become changes. The
// label of a JSON Patch operation has an index, that of a merge object has none.
type change struct {
	label string // its name in faults: "Changes[2]" or the member
	op    string // add, replace, remove, test, or merge
	path  []string
	value wire.Tree
}

// patchOps are the operations, by their numbers.
var patchOps = []string{"unknown", "add", "replace", "remove", "test", "move", "copy"}

// readPatch reads a body that is a JSON Patch (an array) or a merge object. The
// body decides which it is, not its Content-Type.
func readPatch(c *call) ([]change, error) {
	text, label, err := wire.ReadText(c.Request)
	switch {
	case err != nil:
		return nil, err
	case text == nil || string(text) == "null":
		return nil, webhook.Invalid("the body must be a JSON array of operations or an object")
	case !label.IsJSON():
		return nil, wire.Unsupported("A patch must be a JSON array of operations or an object; send Content-Type: application/json")
	}
	if err := jsonscan.CheckText(text); err != nil {
		return nil, webhook.Invalid("the body %v", err)
	}
	t, err := wire.ParseJSON(text, wire.MaxElements)
	if err != nil {
		return nil, webhook.Invalid("the body %v", err)
	}
	switch t.Kind() {
	case wire.KindArray:
		return c.jsonPatch(t)
	case wire.KindObject:
		return c.mergePatch(t)
	default:
		return nil, webhook.Invalid("the body must be a JSON array of operations or an object")
	}
}

// jsonPatch reads a JSON Patch (RFC 6902), without the operations move and copy.
func (c *call) jsonPatch(t wire.Tree) ([]change, error) {
	items, more := t.Items(maxChanges)
	if more {
		return nil, webhook.Invalid("the body has %d operations, more than %d", t.Len(), maxChanges)
	}
	var f webhook.Faults
	changes := make([]change, 0, len(items))
	for i, item := range items {
		ch := change{label: fmt.Sprintf("Changes[%d]", i)}
		if item.Kind() != wire.KindObject {
			f.Add(ch.label, "must be an object with op, path and value")
			continue
		}
		for _, m := range item.Members() {
			patchMembers.check(m.Name, "Changes."+m.Name, &c.ignored, &f)
		}
		ch.read(item, &f)
		changes = append(changes, ch)
	}
	return changes, f.Err()
}

func (ch *change) read(item wire.Tree, f *webhook.Faults) {
	op, _ := item.Named("op")
	number, known := enumNumber(op.Text(), patchOps, false)
	switch {
	case (op.Kind() == wire.KindString || op.Kind() == wire.KindNumber) && known && op.Text() != "":
		ch.op = patchOps[number]
	default:
		ch.op = "unknown"
	}
	switch ch.op {
	case "move", "copy":
		f.AddText(ch.label, "%s: op %s is not supported", ch.label, ch.op)
	case "unknown":
		f.AddText(ch.label, "%s: op must be one of add, replace, remove, test", ch.label)
	}
	path, _ := item.Named("path")
	switch ch.path = patchPath(path.Text()); {
	case path.Kind() != wire.KindString || ch.path == nil:
		f.AddText(ch.label, "%s: path must name a member", ch.label)
	case badPointerEscape(path.Text()):
		f.AddText(ch.label, "%s: path has an invalid escape: ~ must be followed by 0 or 1", ch.label)
	}
	var stated bool
	if ch.value, stated = item.Named("value"); !stated && ch.op != "remove" && ch.op != "unknown" {
		f.AddText(ch.label, "%s: value is required", ch.label)
	}
}

// badPointerEscape reports whether a path has a ~ that RFC 6901 does not allow.
func badPointerEscape(path string) bool {
	for _, rest := range strings.Split(path, "~")[1:] {
		if rest == "" || rest[0] != '0' && rest[0] != '1' {
			return true
		}
	}
	return false
}

var unescapePath = strings.NewReplacer("~1", "/", "~0", "~")

// patchPath splits a path. The leading slash is optional. It returns nil if the
// path is empty or deeper than any member can be nested.
func patchPath(text string) []string {
	if strings.Count(text, "/") > jsonscan.MaxDepth {
		return nil
	}
	path := strings.Split(strings.TrimPrefix(text, "/"), "/")
	if path[0] == "" {
		return nil
	}
	for i, key := range path {
		path[i] = unescapePath.Replace(key)
	}
	return path
}

// mergePatch reads a merge patch (RFC 7396): one change per member.
func (c *call) mergePatch(t wire.Tree) ([]change, error) {
	var f webhook.Faults
	for _, m := range t.Members() {
		webhookMembers.check(m.Name, m.Name, &c.ignored, &f)
	}
	return mergeChanges(t), f.Err()
}

// mergeChanges returns the changes that set the writable members of an object.
func mergeChanges(t wire.Tree) []change {
	var changes []change
	for _, m := range t.Members() {
		if w := writableIndex(m.Name); w >= 0 { // other members are skipped unread
			changes = append(changes, change{writable[w].name, "merge", []string{writable[w].name}, m.Value})
		}
	}
	return changes
}

// fault returns a ValidationError with one fault of the change.
func (ch change) fault(format string, args ...any) error {
	var f webhook.Faults
	f.AddText(ch.label, "%s: %s", ch.label, fmt.Sprintf(format, args...))
	return f.Err()
}
