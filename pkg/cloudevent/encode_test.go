package cloudevent_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/cloudevent"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// events draws any event that the specification allows, with data of any kind.
func events(t *rapid.T) cloudevent.Event {
	text := rapid.StringOfN(rapid.RuneFrom([]rune(`aZ09 "%\+/;=<>&é€😀`)), 1, 8, -1)
	e := cloudevent.Event{ID: text.Draw(t, "id"), Source: text.Draw(t, "source"), Type: text.Draw(t, "type")}
	if rapid.Bool().Draw(t, "has a subject") {
		e.Subject = text.Draw(t, "subject")
	}
	if rapid.Bool().Draw(t, "has a time") {
		zone := time.FixedZone("", 60*rapid.IntRange(-720, 720).Draw(t, "zone"))
		e.Time = time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).In(zone)
	}
	e.Extensions = rapid.MapOfN(rapid.StringMatching(`x[a-z0-9]{0,5}`), rapid.Map(text, strings.TrimSpace), 0, 3).Draw(t, "extensions")
	if len(e.Extensions) == 0 {
		e.Extensions = nil
	}
	e.Data = json.RawMessage(rapid.SampledFrom([]string{"", `{}`, `{"a":{"b":[1.50,"\u00e5å<>"]}}`, `[]`, `"x"`, `""`, `0`, `-1e400`, `true`, `null`}).Draw(t, "data"))
	if len(e.Data) == 0 {
		e.Data = nil
	}
	return e
}

// attributes returns the attributes of an event with the types of JSON.
func attributes(e cloudevent.Event) map[string]any {
	all := map[string]any{"specversion": "1.0", "id": e.ID, "source": e.Source, "type": e.Type}
	if e.Subject != "" {
		all["subject"] = e.Subject
	}
	if !e.Time.IsZero() {
		all["time"] = e.Time.Format(time.RFC3339Nano)
	}
	for name, value := range e.Extensions {
		all[name] = value
	}
	return all
}

// structured encodes an event in the JSON format, with members in any order and
// spacing, and unset attributes that are null.
func structured(t *rapid.T, e cloudevent.Event) []byte {
	members := []string{`"unset":null`}
	for name, value := range attributes(e) {
		encoded, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, fmt.Sprintf("%q:%s", name, encoded))
	}
	if e.Data != nil {
		members = append(members, `"data":`+string(e.Data))
		if rapid.Bool().Draw(t, "datacontenttype") {
			members = append(members, `"datacontenttype":"application/json"`)
		}
	}
	slices.Sort(members)
	body := []byte("{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}")
	if rapid.Bool().Draw(t, "indented") {
		var out bytes.Buffer
		if err := json.Indent(&out, body, "", "\t"); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	return body
}

// headers encodes the attributes of an event as headers. It percent-encodes what
// the specification requires, and some other bytes too.
func headers(t *rapid.T, e cloudevent.Event) map[string][]string {
	all := map[string][]string{}
	attributes := attributes(e)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		var value strings.Builder
		for _, c := range []byte(attributes[name].(string)) {
			switch {
			case c <= ' ' || c == '"' || c == '%' || c > '~' || rapid.Bool().Draw(t, "needlessly"):
				fmt.Fprintf(&value, rapid.SampledFrom([]string{"%%%02X", "%%%02x"}).Draw(t, "digits"), c)
			default:
				value.WriteByte(c)
			}
		}
		prefix := rapid.SampledFrom([]string{"ce-", "Ce-", "CE-"}).Draw(t, "prefix")
		all[prefix+name] = []string{value.String()}
	}
	return all
}

// Any event reads as it was encoded, in the JSON format and in headers.
func TestParse_ReadsWhatWasEncoded(t *testing.T) {
	t.Parallel()
	same := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
	rapid.Check(t, func(t *rapid.T) {
		want := events(t)
		body := structured(t, want)
		if err := jsonscan.CheckObject(body); err != nil {
			t.Fatal(err)
		}
		got, faults := cloudevent.ParseJSON(body)
		if diff := cmp.Diff(want, trimmed(got), same); diff != "" || faults != nil {
			t.Errorf("%s: %v (-want +got):\n%s", body, faults, diff)
		}
		all := headers(t, want)
		got, faults = cloudevent.ParseHeaders(cloudevent.Attributes(all), "application/json", want.Data)
		if diff := cmp.Diff(want, got, same); diff != "" || faults != nil {
			t.Errorf("%v: %v (-want +got):\n%s", all, faults, diff)
		}
	})
}

// trimmed returns an event with its data in compact form.
func trimmed(e cloudevent.Event) cloudevent.Event {
	var out bytes.Buffer
	if e.Data != nil && json.Compact(&out, e.Data) == nil {
		e.Data = out.Bytes()
	}
	return e
}
