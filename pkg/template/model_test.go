package template_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthaste-dev/posthaste/pkg/template"
)

// model makes what a template should make of an event's FieldValues, with encoding/json
// and trees.
func model(document any, values json.RawMessage) any {
	switch document := document.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, v := range document {
			out[name] = model(v, values)
		}
		return out
	case []any:
		out := make([]any, len(document))
		for i, v := range document {
			out[i] = model(v, values)
		}
		return out
	case string:
		parts := strings.Split(document, "|") // as documents of the test spell placeholders
		if len(parts) == 3 && parts[0] == "" && parts[2] == "" {
			return decodedAs[any](at(values, parts[1]))
		}
		for i := 1; i < len(parts); i += 2 {
			parts[i] = textOf(at(values, parts[i]), true)
		}
		return strings.Join(parts, "")
	}
	return document
}

// at returns the value at a path, null if there is none.
func at(values json.RawMessage, path string) json.RawMessage {
	for name := range strings.SplitSeq(path, ".") {
		var members map[string]json.RawMessage
		_ = json.Unmarshal(values, &members)
		if values = members[name]; values == nil {
			return json.RawMessage("null")
		}
	}
	return values
}

func textOf(value json.RawMessage, apart bool) string {
	switch {
	case value[0] == '"':
		return decodedAs[string](value)
	case string(value) == "null":
		return ""
	case value[0] == '[' && apart:
		var texts []string
		for _, element := range decodedAs[[]json.RawMessage](value) {
			texts = append(texts, textOf(element, false))
		}
		return strings.Join(texts, ", ")
	}
	return string(value)
}

func decodedAs[T any](raw []byte) (v T) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

func TestAppend_AgreesWithAModel(t *testing.T) {
	t.Parallel()
	names := rapid.SampledFrom([]string{"a", "b", "é\n", `q"`})
	texts := rapid.StringOfN(rapid.RuneFrom([]rune("a\"\\/{}[]:, <é\n\x01😀")), 0, 6, -1)
	var values *rapid.Generator[any]
	values = rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Int(), func(n int) any { return n }), rapid.Map(texts, func(s string) any { return s }),
		rapid.Deferred(func() *rapid.Generator[any] {
			return rapid.Map(rapid.SliceOfN(values, 0, 3), func(list []any) any { return list })
		}),
		rapid.Deferred(func() *rapid.Generator[any] {
			return rapid.Map(rapid.MapOfN(names, values, 0, 3), func(m map[string]any) any { return m })
		}),
	)
	path := rapid.Custom(func(t *rapid.T) string {
		return "|" + strings.Join(rapid.SliceOfN(names, 1, 3).Draw(t, "path"), ".") + "|"
	})
	strung := rapid.Custom(func(t *rapid.T) any {
		text := path.Draw(t, "first")
		for range rapid.IntRange(0, 2).Draw(t, "more") {
			text += strings.ReplaceAll(texts.Draw(t, "between"), "{", "") + path.Draw(t, "next")
		}
		return text
	})
	documents := rapid.MapOfN(texts, rapid.OneOf(strung, rapid.Map(rapid.SliceOfN(strung, 0, 3), func(list []any) any { return list }), rapid.Just[any](true)), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		document := map[string]any{}
		for name, value := range documents.Draw(t, "document") {
			document[strings.ReplaceAll(name, "{", "")] = value
		}
		event := encoded(rapid.MapOfN(names, values, 0, 4).Draw(t, "event"))
		want := model(document, event)
		got, err := mustCompile(t, spelled(document)).Append(nil, &template.Event{FieldValues: event})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(decodedAs[any](encoded(want)), decodedAs[any](got)); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", encoded(document), event, diff)
		}
	})
}

// spelled returns the document of the test as a template: "|a.b|" is {{FieldValues.a.b}}.
func spelled(document any) []byte {
	var b strings.Builder
	open := true
	for i, part := range strings.Split(string(encoded(document)), "|") {
		switch {
		case i > 0 && open:
			b.WriteString("{{FieldValues.")
			open = false
		case i > 0:
			b.WriteString("}}")
			open = true
		}
		b.WriteString(part)
	}
	return []byte(b.String())
}

func encoded(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSpace(b.Bytes())
}

func mustCompile(t *rapid.T, document []byte) *template.Template {
	c, err := template.Compile(document)
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return c
}
