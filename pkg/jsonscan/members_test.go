package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	type member = jsonscan.Member
	many := make([]string, 100)
	var manyMembers []member
	for i := range many {
		many[i] = fmt.Sprintf(`"k%d":%d`, i%50, i)
		if i >= 50 {
			manyMembers = append(manyMembers, member{fmt.Sprint("k", i-50), json.RawMessage(fmt.Sprint(i))})
		}
	}
	for raw, want := range map[string][]member{
		``: nil, `{}`: nil, " { } \n": nil,
		`{"a":1}`: {{"a", []byte(`1`)}},
		" {\t\"a\" : -1.50e+3 ,\n\"b\":\"x\" , \"c\" : [ 1 , {\"d\":\"]}\"} ] , \"e\" : { } , \"f\":null }": {
			{"a", []byte(`-1.50e+3`)}, {"b", []byte(`"x"`)}, {"c", []byte(`[ 1 , {"d":"]}"} ]`)}, {"e", []byte(`{ }`)}, {"f", []byte(`null`)},
		},
		`{"a":true}`:                        {{"a", []byte(`true`)}},
		`{"a\"\u00e5\\":"\\\"}"}`:           {{"a\"å\\", []byte(`"\\\"}"`)}},
		`{"":"","a":1,"":{}}`:               {{"", []byte(`{}`)}, {"a", []byte(`1`)}},
		"{\"a\xff\":1,\"a\ufffd\":2}":       {{"a\ufffd", []byte(`2`)}},
		`{` + strings.Join(many, ",") + `}`: manyMembers,
	} {
		got, err := jsonscan.Members(json.RawMessage(raw))
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
	for _, raw := range []string{`[]`, `1`, `null`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1}x`, `{"a":1}{}`, `{a:1}`, `{"a":01}`, ` `, `{"a":"`} {
		if got, err := jsonscan.Members(json.RawMessage(raw)); err == nil {
			t.Errorf("%s: got %v", raw, got)
		}
	}
}

// Members agrees with encoding/json on all valid input.
func TestMembers_AgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	texts := rapid.StringOfN(rapid.RuneFrom([]rune(`a"\/{}[]:, <é`+"\n\x01😀")), 0, 6, -1)
	var values *rapid.Generator[any]
	values = rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Map(rapid.Int(), func(n int) any { return n }),
		rapid.Map(texts, func(s string) any { return s }), rapid.Map(rapid.SliceOfN(texts, 0, 3), func(s []string) any { return s }),
		rapid.Deferred(func() *rapid.Generator[any] {
			return rapid.Map(rapid.MapOfN(texts, values, 0, 3), func(m map[string]any) any { return m })
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOfN(texts, values, 0, 40).Draw(t, "object")
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "indented") {
			var indented bytes.Buffer
			if err := json.Indent(&indented, raw, " ", "\t"); err != nil {
				t.Fatal(err)
			}
			raw = indented.Bytes()
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		members, err := jsonscan.Members(raw)
		if err != nil || len(members) != len(want) {
			t.Fatalf("%d members of %s, %v", len(members), raw, err)
		}
		for _, m := range members {
			if !bytes.Equal(m.Value, want[m.Name]) {
				t.Errorf("%q is %s, want %s", m.Name, m.Value, want[m.Name])
			}
		}
	})
}
