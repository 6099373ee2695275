package filter_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/filter"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// event is what the tests filter.
func event() filter.Event {
	return filter.Event{
		Event: "contact.changed", Entity: "contact", PrimaryKey: 7, ChangedByAssociateId: 5, Source: "crm", Changes: []string{"name", "amount"},
		FieldValues: json.RawMessage(`{"name":"Bl\u00e5b\u00e6r AS","amount":12.50,"vip":true,"gone":null,"tags":["a","b"],"empty":[],"none":{},` +
			`"address":{"city":"Oslo","ip":"10.1.2.3"},"lines":[{"sku":"A","n":1},{"sku":"B","n":2,"discount":5}],"twice":1,"twice":2,"a.b":3}`),
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		`{"Event":["contact.changed"]}`:                                                                                       true,
		`{"Event":["Contact.Changed"]}`:                                                                                       true, // names ignore case
		`{"Event":[{"prefix":"CONTACT."}]}`:                                                                                   true,
		`{"Event":[{"anything-but":"CONTACT.CHANGED"}]}`:                                                                      false,
		`{"Entity":["contact"],"PrimaryKey":[7.0],"ChangedByAssociateId":[5]}`:                                                true,
		`{"Entity":["sale"],"PrimaryKey":[7]}`:                                                                                false,
		`{"PrimaryKey":[{"numeric":[">",7]}]}`:                                                                                false,
		`{"PrimaryKey":["7"]}`:                                                                                                false,
		`{"Key":[{"exists":false}],"Source":[{"exists":true}]}`:                                                               true,
		`{"Changes":["amount","other"]}`:                                                                                      true,
		`{"Changes":[{"anything-but":["name","amount"]}]}`:                                                                    false,
		`{"FieldValues":{"name":["Blåbær AS"]}}`:                                                                              true,
		`{"FieldValues":{"name":[{"prefix":"Blå"}]}}`:                                                                         true,
		`{"FieldValues":{"name":[{"suffix":" AS"}]}}`:                                                                         true,
		`{"FieldValues":{"name":[{"wildcard":"B*b*AS"}]}}`:                                                                    true,
		`{"FieldValues":{"name":[{"wildcard":"B*b*as"}]}}`:                                                                    false,
		`{"FieldValues":{"name":[{"equals-ignore-case":"BLÅBÆR as"}]}}`:                                                       true,
		`{"FieldValues":{"name":[{"prefix":{"equals-ignore-case":"BLÅ"}}]}}`:                                                  true,
		`{"FieldValues":{"name":[{"suffix":{"equals-ignore-case":"R as"}}]}}`:                                                 true,
		`{"FieldValues":{"amount":[12.5]}}`:                                                                                   true,
		`{"FieldValues":{"amount":[125e-1]}}`:                                                                                 true,
		`{"FieldValues":{"amount":[{"numeric":[">",0,"<=",12.5]}]}}`:                                                          true,
		`{"FieldValues":{"amount":[{"numeric":[">",0,"<",12.5]}]}}`:                                                           false,
		`{"FieldValues":{"vip":[true],"gone":[null]}}`:                                                                        true,
		`{"FieldValues":{"gone":["null"]}}`:                                                                                   false,
		`{"FieldValues":{"gone":[{"exists":true}]}}`:                                                                          true,
		`{"FieldValues":{"missing":[{"exists":false}]}}`:                                                                      true,
		`{"FieldValues":{"missing":["x",{"exists":false}],"vip":[true]}}`:                                                     true,
		`{"FieldValues":{"empty":[{"exists":false}],"none":[{"exists":false}]}}`:                                              true,
		`{"FieldValues":{"missing":[{"anything-but":"x"}]}}`:                                                                  false,
		`{"FieldValues":{"tags":["b"]}}`:                                                                                      true,
		`{"FieldValues":{"tags":[{"anything-but":"b"}]}}`:                                                                     true, // "a" is not b
		`{"FieldValues":{"address":{"city":["Oslo"],"ip":[{"cidr":"10.0.0.0/8"}]}}}`:                                          true,
		`{"FieldValues":{"address":{"ip":[{"cidr":"11.0.0.0/8"}]}}}`:                                                          false,
		`{"FieldValues":{"lines":{"sku":["A"],"n":[1]}}}`:                                                                     true,
		`{"FieldValues":{"lines":{"sku":["A"],"n":[2]}}}`:                                                                     false, // of two lines
		`{"FieldValues":{"lines":{"sku":["A"],"discount":[{"exists":false}]}}}`:                                               true,
		`{"FieldValues":{"lines":{"sku":["B"],"discount":[{"exists":false}]}}}`:                                               false,
		`{"FieldValues":{"lines":{"discount":[{"exists":false}]}}}`:                                                           false, // one line has it
		`{"FieldValues":{"twice":[2]}}`:                                                                                       true,
		`{"FieldValues":{"twice":[1]}}`:                                                                                       false,
		`{"FieldValues":{"a.b":[3]}}`:                                                                                         true,
		`{"FieldValues":{"a":{"b":[3]}}}`:                                                                                     false,
		`{"$or":[{"Entity":["sale"]},{"FieldValues":{"vip":[true]}}]}`:                                                        true,
		`{"$or":[{"Entity":["sale"]},{"FieldValues":{"vip":[false]}}]}`:                                                       false,
		`{"Entity":["contact"],"FieldValues":{"$or":[{"amount":[1]},{"$or":[{"vip":[false]},{"tags":["a"]}]}]}}`:              true,
		`{"FieldValues":{"lines":{"$or":[{"sku":["A"],"n":[2]},{"sku":["B"],"n":[1]}]}}}`:                                     false,
		`{"Values":{"name":["x"]}}`:                                                                                           false,
		`{"Previous":{"name":[{"exists":false}]}}`:                                                                            true,
		`{"FieldValues":{"amount":[{"anything-but":[1,2]}],"name":[{"anything-but":{"prefix":["x","y"]}}],"vip":["x",true]}}`: true,
	} {
		f, err := filter.Compile([]byte(pattern))
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		e := event()
		if got := f.Match(&e); got != want {
			t.Errorf("%s: got %t", pattern, got)
		}
	}
}

func TestCompile_NamesThePathAndTheRule(t *testing.T) {
	t.Parallel()
	long := `{"FieldValues":{"a":["` + strings.Repeat("x", filter.MaxBytes) + `"]}}`
	list := `{"Key":["x"` + strings.Repeat(`,"x"`, filter.MaxTerms) + `]}`
	var or strings.Builder // 2 × 2 × … combinations
	for i := range 7 {
		fmt.Fprintf(&or, `,"f%d":{"$or":[{"a":[1]},{"b":[1]}]}`, i)
	}
	for pattern, want := range map[string]string{
		`[]`:                                    "Filter: must be a JSON object",
		`{}`:                                    "Filter: must not be empty",
		`{"a":1`:                                "Filter: must be valid JSON: unexpected end of input",
		`{"Nope":["x"]}`:                        "Filter.Nope: is not a member of events; they have Event, Entity, PrimaryKey, Key, Changes, ChangedByAssociateId, Source, FieldValues, Values, Previous",
		`{"Key":{"a":["x"]}}`:                   `Filter.Key: must be a list of values, such as ["x"]: it has no members`,
		`{"FieldValues":["x"]}`:                 "Filter.FieldValues: is an object: name its members",
		`{"Key":"x"}`:                           `Filter.Key: must be a list of values, such as ["x"]`,
		`{"FieldValues":{"a":5}}`:               `Filter.FieldValues.a: must be a list of values, such as ["x"], or an object`,
		`{"Key":[]}`:                            "Filter.Key: must not be an empty list",
		`{"FieldValues":{}}`:                    "Filter.FieldValues: must not be empty",
		`{"Key":["x"],"Key":["y"]}`:             `Filter: "Key" is there twice`,
		`{"Key":[["x"]]}`:                       "Filter.Key: a value must be a string, a number, true, false, null or an object with an operator",
		`{"Key":[{}]}`:                          "Filter.Key: an object in a list must have one operator: anything-but, cidr, equals-ignore-case, exists, numeric, prefix, suffix, wildcard",
		`{"Key":[{"regex":"x"}]}`:               `Filter.Key: "regex" is not an operator; they are anything-but, cidr, equals-ignore-case, exists, numeric, prefix, suffix, wildcard`,
		`{"Key":[{"prefix":1}]}`:                "Filter.Key: prefix takes a string",
		`{"Key":[{"prefix":["x"]}]}`:            "Filter.Key: prefix takes a string",
		`{"Key":[{"prefix":{"x":"y"}}]}`:        "Filter.Key: prefix takes a string, or an object with equals-ignore-case",
		`{"Key":[{"prefix":"x","suffix":"y"}]}`: "Filter.Key: prefix must be alone in its object",
		`{"Key":[{"exists":1}]}`:                "Filter.Key: exists takes true or false",
		`{"Key":[{"cidr":"10.0.0.0"}]}`:         `Filter.Key: cidr takes a network, such as "10.0.0.0/8"`,
		`{"Key":[{"wildcard":"a**"}]}`:          "Filter.Key: wildcard must not have ** in it",
		`{"Key":[{"wildcard":"a\\b"}]}`:         `Filter.Key: wildcard must have \\ for a backslash and \* for an asterisk`,
		`{"FieldValues":{"amount":[{"numeric":[">"]}]}}`:                `Filter.FieldValues.amount: numeric takes pairs of operator and number, such as [">", 0, "<=", 5]`,
		`{"FieldValues":{"amount":[{"numeric":["<",5,">",0]}]}}`:        `Filter.FieldValues.amount: numeric takes pairs of operator and number, such as [">", 0, "<=", 5]`,
		`{"FieldValues":{"amount":[{"numeric":["",5,"",0]}]}}`:          `Filter.FieldValues.amount: numeric takes pairs of operator and number, such as [">", 0, "<=", 5]`,
		`{"FieldValues":{"amount":[{"numeric":["=",5,"<",9]}]}}`:        `Filter.FieldValues.amount: numeric takes pairs of operator and number, such as [">", 0, "<=", 5]`,
		`{"FieldValues":{"amount":[{"numeric":[">",5,"<",5]}]}}`:        "Filter.FieldValues.amount: the lower bound of numeric must be less than the upper one",
		`{"Key":[{"anything-but":[]}]}`:                                 "Filter.Key: anything-but must not have an empty list",
		`{"Key":[{"anything-but":["x",1]}]}`:                            "Filter.Key: anything-but takes a string, a number, a list of either, or an object with equals-ignore-case, prefix, suffix or wildcard",
		`{"Key":[{"anything-but":null}]}`:                               "Filter.Key: anything-but takes a string, a number, a list of either, or an object with equals-ignore-case, prefix, suffix or wildcard",
		`{"Key":[{"anything-but":{"prefix":""}}]}`:                      "Filter.Key: anything-but prefix must not be empty",
		`{"Key":[{"anything-but":{"numeric":["=",1]}}]}`:                "Filter.Key: anything-but takes a string, a number, a list of either, or an object with equals-ignore-case, prefix, suffix or wildcard",
		`{"$or":[{"Key":["x"]}]}`:                                       "Filter: $or must be a list of at least two objects",
		`{"$or":{"Key":["x"]}}`:                                         "Filter: $or must be a list of at least two objects",
		`{"FieldValues":{"$or":[{"numeric":["x"]},{"a":["x"]}]}}`:       "Filter.FieldValues.numeric: is an operator, which cannot be a name in $or",
		`{"Key":["x"],"$or":[{"Key":["y"]},{"Entity":["z"]}]}`:          "Filter.Key: has terms in two places that must hold together",
		`{"FieldValues":{"a":["x"],"$or":[{"a":{"b":[1]}},{"c":[1]}]}}`: "Filter.FieldValues.a: has terms, and elsewhere members, that must hold together",
		long: "Filter: must be at most 8192 bytes",
		list: "Filter.Key: the pattern has more than 200 values",
		`{"FieldValues":{"x":[1]` + or.String() + `}}`: "Filter.FieldValues: $or has 128 combinations here, at most 64 are allowed",
	} {
		_, err := filter.Compile([]byte(pattern))
		var fault *filter.Error
		if !errors.As(err, &fault) || err.Error() != want {
			t.Errorf("%.80s: got %v, want %s", pattern, err, want)
		}
	}
}

func TestRefusal_NamesThePath(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`{"Entity":["contact"],"FieldValues":{"amount":[1],"vip":[true]}}`:                                 "Filter.FieldValues.amount",
		`{"FieldValues":{"lines":{"sku":["A"],"n":[2]}}}`:                                                  "Filter",
		`{"$or":[{"Entity":["sale"],"Key":["x"]},{"Entity":["contact"],"FieldValues":{"missing":["x"]}}]}`: "Filter.FieldValues.missing",
		`{"FieldValues":{"lines":{"discount":[{"exists":false}]}}}`:                                        "Filter.FieldValues.lines.discount",
	} {
		e := event()
		got, err := filter.Refusal([]byte(pattern), &e)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", pattern, got, err, want)
		}
	}
}

// hostile are pairs of pattern and event that would take long if work were not bounded.
func hostile() map[string][2]string {
	many := strings.Repeat(`"aaaaaaaaaaaaaaaaaaaaaaaa",`, 9000)
	return map[string][2]string{
		"asterisks":       {`{"FieldValues":{"a":[{"wildcard":"` + strings.Repeat("a*", 3000) + `b"}]}}`, `{"a":"` + strings.Repeat("a", 250_000) + `"}`},
		"many terms":      {`{"FieldValues":{"a":[` + strings.Repeat(`{"wildcard":"*b*b*"},`, 199) + `"x"]}}`, `{"a":[` + many + `1]}`},
		"nested arrays":   {`{"FieldValues":{"a":["x"]}}`, `{"a":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`},
		"repeated names":  {`{"FieldValues":{"a":{"b":["x"]}}}`, `{` + strings.Repeat(`"a":{"b":1},`, 20_000) + `"a":1}`},
		"elements":        {`{"FieldValues":{"a":{"b":[1],"c":[{"exists":false}]}}}`, `{"a":[` + strings.Repeat(`{},`, 80_000) + `{}]}`},
		"digits":          {`{"FieldValues":{"a":[{"numeric":["=",2` + strings.Repeat("0", 4000) + `]}]}}`, `{"a":[` + strings.Repeat(`1`+strings.Repeat("0", 4000)+`,`, 60) + `1]}`},
		"names to search": {`{"FieldValues":{` + names(199) + `}}`, `{` + strings.Repeat(`"y":1,`, 40_000) + `"y":1}`},
	}
}

func names(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"n%d":[1]`, i)
	}
	return strings.Join(list, ",")
}

func TestMatch_IsBounded(t *testing.T) {
	t.Parallel()
	for name, test := range hostile() {
		f, err := filter.Compile([]byte(test[0]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e := filter.Event{FieldValues: json.RawMessage(test[1])}
		passes, steps := f.Steps(&e)
		if steps > filter.MaxSteps+1000 {
			t.Errorf("%s: %d steps", name, steps)
		}
		if name == "names to search" && steps < 40_000*(199/16) {
			t.Errorf("%s: only %d steps", name, steps)
		}
		if many := name == "many terms"; many != (steps > filter.MaxSteps) {
			t.Errorf("%s: %d steps", name, steps)
		}
		if passes != (steps > filter.MaxSteps) {
			t.Errorf("%s: passes %t after %d steps", name, passes, steps)
		}
	}
}

// ten has ten terms about small.
const ten = `{"Event":[{"prefix":"contact."}],"Entity":["contact"],"FieldValues":{"name":[{"prefix":"Bl"}],"amount":[{"numeric":[">",10]}],"vip":[true],` +
	`"country":[{"anything-but":["SE","DK"]}],"address":{"city":[{"wildcard":"O*o"}],"ip":[{"cidr":"10.0.0.0/8"}]},"gone":[{"exists":false}],"category":[{"suffix":"mer"}]}}`

// small returns an event of 1 KB.
func small() filter.Event {
	fields := `{"name":"Blåbær AS","amount":1250.5,"vip":true,"country":"NO","address":{"street":"Karl Johans gate 1","zip":"0154","city":"Oslo","ip":"10.1.2.3"},"category":"customer"`
	for i := 0; len(fields) < 1000; i++ {
		fields += fmt.Sprintf(`,"extra_%d":"some value %d"`, i, i)
	}
	return filter.Event{Event: "contact.changed", Entity: "contact", PrimaryKey: 7, FieldValues: json.RawMessage(fields + "}")}
}

func TestMatch_DoesNotAllocate(t *testing.T) {
	f, err := filter.Compile([]byte(ten))
	if err != nil {
		t.Fatal(err)
	}
	e := small()
	match := f.Again()
	if !match(&e) {
		t.Fatal("the event does not pass")
	}
	if n := testing.AllocsPerRun(100, func() { match(&e) }); n > 0 {
		t.Errorf("%.1f allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	f, err := filter.Compile([]byte(ten))
	if err != nil {
		b.Fatal(err)
	}
	e := small()
	b.Run("ten terms", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Match(&e)
		}
	})
	b.Run("jsonscan", func(b *testing.B) {
		for b.Loop() {
			if _, err := jsonscan.Members(e.FieldValues); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte(ten))
	for _, test := range hostile() {
		f.Add([]byte(test[0][:min(len(test[0]), 500)]))
	}
	f.Fuzz(func(t *testing.T, pattern []byte) {
		compiled, err := filter.Compile(pattern)
		var fault *filter.Error
		if err != nil {
			if !errors.As(err, &fault) || !strings.HasPrefix(fault.Path, "Filter") || fault.Rule == "" {
				t.Fatalf("%s: %v", pattern, err)
			}
			return
		}
		if compiled.Bytes() > 64*filter.MaxBytes {
			t.Fatalf("%d bytes of pattern take %d", len(pattern), compiled.Bytes())
		}
		e := event()
		if passes := compiled.Match(&e); passes {
			return
		}
		if path, err := filter.Refusal(pattern, &e); err != nil || !strings.HasPrefix(path, "Filter") {
			t.Fatalf("%s: %s, %v", pattern, path, err)
		}
	})
}

func FuzzMatch(f *testing.F) {
	e := event()
	f.Add([]byte(ten), []byte(e.FieldValues))
	f.Add([]byte(`{"FieldValues":{"a":[null,{"exists":false}]}}`), []byte(`{"a":[[],{},{"a":"\ud83d\ude00\n"}]}`))
	f.Add([]byte(`{"FieldValues":{"a":[1]}}`), []byte(`{"a":[1,`))
	f.Fuzz(func(t *testing.T, pattern, values []byte) {
		compiled, err := filter.Compile(pattern)
		if err != nil {
			return
		}
		e := event()
		e.FieldValues, e.Previous = values, values
		first, steps := compiled.Steps(&e)
		if second := compiled.Match(&e); first != second || steps > filter.MaxSteps+len(values)+1000 {
			t.Fatalf("%t, then %t; %d steps", first, second, steps)
		}
	})
}
