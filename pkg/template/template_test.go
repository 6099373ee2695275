package template_test

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/template"
)

func event() template.Event {
	return template.Event{
		EventID: "e1", Timestamp: "2026-03-01T12:00:00.5Z", Event: "contact.changed", Entity: "contact", PrimaryKey: 7, ChangedByAssociateId: -1,
		ContextIdentifier: "Cust1", WebhookName: `a "name"`, Changes: []string{"name", "a\\b"},
		FieldValues: json.RawMessage(`{"name":"Blåbær \"AS\"\n","amount":1.50,"big":12345678901234567890,"null":null,"yes":true,"empty":"","o":{"x":{"y":[1,{"z":2}]},"":3},
			"list":["a",null,2,{"k":"v"},["n"]],"none":[],"a.b":"dot","a}b":"brace","é":"acute","twice":1,"twice":{"x":2},"again":{"x":1},"again":3,"e\u0073caped":"\ud83d\ude00"}`),
		Previous: json.RawMessage(` {"name" : "old"} `),
	}
}

func compiled(t testing.TB, document string) *template.Template {
	t.Helper()
	c, err := template.Compile([]byte(document))
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return c
}

// made returns what a template makes of an event.
func made(t testing.TB, document string, e template.Event) string {
	t.Helper()
	b, err := compiled(t, document).Append(nil, &e)
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return string(b)
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		// Exactly a placeholder.
		`"{{FieldValues.name}}"`: `"Blåbær \"AS\"\n"`, `"{{FieldValues.amount}}"`: `1.50`, `"{{FieldValues.big}}"`: `12345678901234567890`,
		`"{{FieldValues.null}}"`: `null`, `"{{FieldValues.yes}}"`: `true`, `"{{FieldValues.empty}}"`: `""`, `"{{FieldValues.o.x}}"`: `{"y":[1,{"z":2}]}`,
		`"{{FieldValues.none}}"`: `[]`, `"{{Previous}}"`: `{"name" : "old"}`, `"{{Previous.name}}"`: `"old"`, `"{{EventId}}"`: `"e1"`, `"{{Timestamp}}"`: `"2026-03-01T12:00:00.5Z"`,
		`"{{Event}}"`: `"contact.changed"`, `"{{Entity}}"`: `"contact"`, `"{{PrimaryKey}}"`: `7`, `"{{ChangedByAssociateId}}"`: `-1`, `"{{WebhookName}}"`: `"a \"name\""`,
		`"{{ContextIdentifier}}"`: `"Cust1"`, `"{{Changes}}"`: `["name","a\\b"]`,
		// Missing.
		`"{{Key}}"`: `null`, `"{{Source}}"`: `null`, `"{{Values}}"`: `null`, `"{{Values.name}}"`: `null`, `"{{FieldValues.Name}}"`: `null`, `"{{FieldValues.name.x}}"`: `null`,
		`"{{FieldValues.list.a}}"`: `null`, `"{{FieldValues.o.y}}"`: `null`, `"x{{Key}}y{{Values.a.b}}z"`: `"xyz"`,
		// Within text.
		`"Hi {{FieldValues.name}}!"`: `"Hi Blåbær \"AS\"\n!"`, `"{{FieldValues.amount}} {{FieldValues.yes}}{{FieldValues.null}}"`: `"1.50 true"`,
		`"{{FieldValues.o.x}} "`: `"{\"y\":[1,{\"z\":2}]} "`, `"{{Changes}} "`: `"name, a\\b "`, `"{{FieldValues.list}}."`: `"a, , 2, {\"k\":\"v\"}, [\"n\"]."`,
		`"{{FieldValues.none}}."`: `"."`, `"{{Event}}{{Event}}"`: `"contact.changedcontact.changed"`, `"<{{WebhookName}}\u0001&é\u00e9\t\"\\/>"`: `"<a \"name\"\u0001&éé\t\"\\/>"`,
		`"{{FieldValues.escaped}}."`: `"\ud83d\ude00."`,
		// Spelling.
		`"{{  Event  }}"`: `"contact.changed"`, `"\u007b{Event}}"`: `"contact.changed"`, `"{{FieldValues.a\\.b}}"`: `"dot"`, `"{{FieldValues.a\\}b}}"`: `"brace"`,
		`"{{FieldValues.é}}"`: `"acute"`, `"{{FieldValues.\\é}}"`: `"acute"`, `"{{FieldValues.escaped}}"`: `"\ud83d\ude00"`, `"{{FieldValues.x\\ }}"`: `null`,
		`"{{{{"`: `"{{"`, `"{{{{Event}}"`: `"{{Event}}"`, `"{{{{{{{{"`: `"{{{{"`, `"{{{{{{Event}}}}"`: `"{{contact.changed}}"`, `"{{Event}}}"`: `"contact.changed}"`, `"}} { }"`: `"}} { }"`,
		`"{{{{DATE({{Timestamp}}, SHORT)}}"`: `"{{DATE(2026-03-01T12:00:00.5Z, SHORT)}}"`,
		// Of names that are there twice, the last counts.
		`"{{FieldValues.twice}}"`: `{"x":2}`, `"{{FieldValues.twice.x}}"`: `2`, `"{{FieldValues.again.x}}"`: `null`,
		// What has no placeholder stays.
		`1.50`: `1.50`, `[ 1 , { "a" : [ ] , "b" : { } } , "é\u00e9" ]`: `[1,{"a":[],"b":{}},"é\u00e9"]`,
	} {
		if got := made(t, `{"v":`+value+`}`, event()); got != `{"v":`+want+`}` {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
		if got := made(t, ` [ "{{Event}}" , `+value+` ] `, event()); got != `["contact.changed",`+want+`]` {
			t.Errorf("%s in an array: got %s, want %s", value, got, want)
		}
	}
	if got := made(t, `["{{FieldValues}}","{{Changes}}","{{PrimaryKey}}","{{Event}}"]`, template.Event{}); got != `[null,null,0,null]` {
		t.Errorf("of the zero event: %s", got)
	}
	if got := made(t, `["{{FieldValues.a}} {{Values}}"]`, template.Event{FieldValues: []byte("null"), Values: []byte(" \n")}); got != `[" "]` {
		t.Errorf("of objects that are missing: %s", got)
	}
	prefix, err := compiled(t, `["{{PrimaryKey}}"]`).Append([]byte("before "), &template.Event{PrimaryKey: 1})
	if string(prefix) != "before [1]" || err != nil {
		t.Errorf("got %s, %v", prefix, err)
	}
}

func TestCompile_Faults(t *testing.T) {
	t.Parallel()
	const members = "EventId, Timestamp, Event, Entity, PrimaryKey, Key, Changes, ContextIdentifier, ChangedByAssociateId, WebhookName, Source, FieldValues, Values, Previous"
	for document, want := range map[string]string{
		``: "is not valid JSON: unexpected end of JSON input", `{`: "is not valid JSON", `{"a":1}{}`: "is not valid JSON", `5`: "must be a JSON object or array", ` "{{Event}}"`: "must be a JSON object or array",
		`{"a":"` + strings.Repeat("x", template.MaxBytes) + `"}`: "must have at most 8192 bytes", strings.Repeat("[", 65) + strings.Repeat("]", 65): "is nested deeper than 64",
		"{\"a\":\"\xff\"}": "must be valid UTF-8", `{"a":"\ud800"}`: "unpaired surrogate",
		`{"x{{Event}}":1}`:           `has {{ in "x{{Event}}", the name of a member: only values are replaced`,
		`{"a":"{{Evnt}}"}`:           `has "{{Evnt}}", which does not begin with a member of events: ` + members,
		`{"a":"x {{event}} y"}`:      `has "{{event}}", which does not begin with a member of events: ` + members,
		`{"a":"{{}}"}`:               `has "{{}}", which does not begin with a member of events`,
		`{"a":"{{{Event}}}"}`:        `has "{{{Event}}", which does not begin with a member of events`,
		`{"a":"{{Event.x}}"}`:        `has "{{Event.x}}", but Event has no members`,
		`{"a":"{{Changes.0}}"}`:      `has "{{Changes.0}}", but Changes has no members`,
		`{"a":"{{FieldValues.}}"}`:   `has "{{FieldValues.}}", in which a name is empty`,
		`{"a":"{{FieldValues..x}}"}`: `has "{{FieldValues..x}}", in which a name is empty`,
		`{"a":["{{Event}"]}`:         `has {{ without }} in "{{Event}"; {{{{ is a literal {{`,
		`{"a":"{{Event}} {{"}`:       `has {{ without }} in "{{"`,
		`{"a":"{{Event\\}}"}`:        `has {{ without }} in "{{Event\\}}"`,
		`{"a":"{{Event\\"}`:          `has {{ without }} in`,
		`{"a":"{{FieldValues` + strings.Repeat(".x", 64) + `}}"}`: `.x.…", with more than 64 names`,
	} {
		_, err := template.Compile([]byte(document))
		var fault *template.Error
		if !errors.As(err, &fault) || !strings.Contains(fault.Rule, want) || err.Error() != "the template "+fault.Rule {
			t.Errorf("%.80s: got %v, want %q", document, err, want)
		}
	}
	compiled(t, `{"a":"{{FieldValues`+strings.Repeat(".x", 63)+`}}"}`)
}

func TestMembers(t *testing.T) {
	t.Parallel()
	got := compiled(t, `{"a":["{{Values.x}}","y {{Event}}{{Values.z}}"],"b":"{{{{Key}}"}`).Members()
	if diff := cmp.Diff([]string{"Event", "Values"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// values are large: nearly the largest data of an event, about 250 KiB.
func values(value string, n int) json.RawMessage {
	return json.RawMessage(`{"v":` + strings.Repeat(value, n) + `}`)
}

// A path that is repeated as often as a document has room for does not make a result
// beyond the limit, nor does it allocate more than a few times as much on the way.
func TestAppend_IsBounded(t *testing.T) { // not parallel: it counts allocated bytes
	document := func(value string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(value+",", (template.MaxBytes-2)/(len(value)+1)), ",") + "]"
	}
	texts := func(n int) json.RawMessage { return json.RawMessage(`{"v":"` + strings.Repeat("x", n) + `"}`) }
	quotes := json.RawMessage(`{"v":{"` + strings.Repeat(`\"`, 125_000) + `":1}}`)
	list := json.RawMessage(`{"v":[` + strings.TrimSuffix(strings.Repeat(`1,`, 125_000), ",") + `]}`)
	for name, test := range map[string]struct {
		document string
		values   json.RawMessage
		fits     bool
	}{
		"values":                      {document(`"{{FieldValues.v}}"`), texts(250_000), false},
		"texts":                       {document(`" {{FieldValues.v}}"`), texts(250_000), false},
		"many small ones":             {document(`"{{FieldValues.v}}"`), texts(2_000), false},
		"escapes":                     {document(`" {{FieldValues.v}}"`), quotes, false},
		"escapes once":                {`["{{FieldValues.v}} "]`, json.RawMessage(`{"v":{"` + strings.Repeat(`\"`, 64<<10) + `":1}}`), true},
		"elements":                    {document(`" {{FieldValues.v}}"`), list, false},
		"elements once":               {`["{{FieldValues.v}} "]`, list, true},
		"everything once":             {`["{{FieldValues}}"]`, values(`"`+strings.Repeat("x", 262_000)+`"`, 1), true},
		"everything twice":            {`["{{FieldValues}}","{{FieldValues.v}}"]`, values(`"`+strings.Repeat("x", 262_000)+`"`, 1), true},
		"everything three times":      {`["{{FieldValues}}","{{FieldValues.v}}","{{FieldValues.v}}"]`, values(`"`+strings.Repeat("x", 262_000)+`"`, 1), false},
		"a document of placeholders":  {document(`"{{Key}}"`), texts(1), true},
		"a document of paths":         {paths(), texts(1), true},
		"a deep document":             {strings.Repeat("[", 64) + `"{{FieldValues.v}}"` + strings.Repeat("]", 64), texts(250_000), true},
		"a deep path in a deep event": {`["{{FieldValues.v` + strings.Repeat(".v", 60) + `}}"]`, json.RawMessage(strings.Repeat(`{"v":`, 60) + `"` + strings.Repeat("x", 250_000) + `"` + strings.Repeat("}", 60)), true},
		"many members":                {paths(), json.RawMessage(`{` + strings.TrimSuffix(strings.Repeat(`"p1":0,`, 35_000), ",") + `}`), true},
	} {
		e := template.Event{FieldValues: test.values}
		c := compiled(t, test.document)
		if got := c.Bytes(); got > 48*template.MaxBytes {
			t.Errorf("%s: compiled, it takes %d bytes", name, got)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := c.Append(nil, &e)
		runtime.ReadMemStats(&after)
		if test.fits != (err == nil) || err != nil && !errors.Is(err, template.ErrTooLarge) || len(got) > template.MaxResult || err == nil && !json.Valid(got) {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 4*template.MaxResult {
			t.Errorf("%s: allocates %d bytes", name, spent)
		}
	}
}

// paths returns a document with as many different paths as it has room for.
func paths() string {
	document := []byte{'['}
	for i := 0; len(document) < template.MaxBytes-40; i++ {
		document = append(document, `"{{FieldValues.p`...)
		for n := i; ; n /= 10 {
			document = append(document, byte('0'+n%10))
			if n < 10 {
				break
			}
		}
		document = append(document, `}}",`...)
	}
	document[len(document)-1] = ']'
	return string(document)
}

// What is not JSON, as from a damaged store, neither panics nor circles.
func TestAppend_OfWhatIsNotJSON(t *testing.T) {
	t.Parallel()
	c := compiled(t, `{"a":"{{FieldValues.a.b}} {{FieldValues.a}}","b":"{{FieldValues.a.b}}"}`)
	for _, raw := range []string{`{`, `{"a"`, `{"a":`, `{"a":[`, `{"a":["b",`, `{"a":["b"}`, `{,}`, `{"a":{"b":1`, `{a}`, `{"`, `{"a":}`, `[`, `{"a":,`, `{]`, `{"a":[}]`, "\xff", `{"\`, `{"a":["\`, `{"":[{]`} {
		e := template.Event{FieldValues: json.RawMessage(raw)}
		if got, err := c.Append(nil, &e); err != nil || len(got) > 100 {
			t.Errorf("%s: got %s, %v", raw, got, err)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, document := range []string{
		`{"text":"{{Event}} of {{FieldValues.name}}","n":"{{FieldValues.amount}}"}`, `["{{{{","{{Previous.a\\.b}}x"]`, paths(), `{"{{":1}`, `["{{{Event}}}"]`,
		`["{{FieldValues.` + strings.Repeat("x.", 70) + `x}}"]`, strings.Repeat("[", 70), `["` + strings.Repeat(" ", 100) + `{{` + strings.Repeat(" ", 100) + `Event}}"]`, `["\ud83d\ude00{{Event}}"]`,
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		c, err := template.Compile(document)
		if err != nil {
			var fault *template.Error
			if !errors.As(err, &fault) || fault.Rule == "" {
				t.Fatalf("%q: %v", document, err)
			}
			return
		}
		if c.Bytes() > 64*template.MaxBytes {
			t.Fatalf("%d bytes of document take %d", len(document), c.Bytes())
		}
		e := event()
		got, err := c.Append(nil, &e)
		if err != nil || !json.Valid(got) || jsonscan.CheckText(got) != nil {
			t.Fatalf("%q: got %q, %v", document, got, err)
		}
	})
}

func FuzzAppend(f *testing.F) {
	e := event()
	f.Add([]byte(`{"a":"{{FieldValues.name}}","b":"{{FieldValues.list}} {{FieldValues.o}}"}`), []byte(e.FieldValues))
	f.Add([]byte(`["{{FieldValues.a.b}}","{{FieldValues}}","x{{Previous}}"]`), []byte(`{"a":{"b":[1,{"c":"\u0041"}],"a":{"b":0},"b":2},"a":1}`))
	f.Add([]byte(`["{{FieldValues.a}} "]`), []byte(`{"a":["b",`))
	f.Fuzz(func(t *testing.T, document, values []byte) {
		c, err := template.Compile(document)
		if err != nil {
			return
		}
		e := event()
		e.FieldValues, e.Previous = values, values
		got, err := c.Append(nil, &e)
		if err != nil && !errors.Is(err, template.ErrTooLarge) || len(got) > template.MaxResult {
			t.Fatalf("%q of %q: %d bytes, %v", document, values, len(got), err)
		}
		if err == nil && jsonscan.CheckObject(values) == nil && !json.Valid(got) {
			t.Fatalf("%q of %q makes %q", document, values, got)
		}
	})
}
