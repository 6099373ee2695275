package httpapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// bodyTypes are the Content-Types that a body may have.
var bodyTypes = []string{
	"application/json", "text/json", "application/xml", "text/xml", "application/x-www-form-urlencoded",
	"application/json-patch+json", "application/merge-patch+json", "", "application/json; charset=utf-16", "text/xml; charset=iso-8859-1",
}

// asMeant decodes a response and keeps the digits of its numbers.
func asMeant(t *testing.T, body []byte) (meant any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&meant); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return meant
}

// unwritable matches characters that XML cannot represent.
var unwritable = regexp.MustCompile(`\\u00|[\x{fffd}-\x{ffff}]`)

// A body of any format is stored or refused, never a 5xx. A stored webhook survives
// a round trip through XML.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		minimal, patchable, `[]`, `null`, `{"Name":5}`, `{"state":"1","notifywhen":"FirstFailure, Disabling"}`, "\xef\xbb\xbf{}", "\xff\xfe{\x00}\x00",
		`{"events":["a"],"targeturl":"https://a.example","errorAssociates":[{"tableRight":{"mask":15},"childItems":[{}]}],"properties":{"":[{"a":{}},[],-0.0e-1,"",null]}}`,
	} {
		f.Add(uint8(0), seed)
	}
	f.Add(uint8(2), `<w><Events><string>a</string></Events><TargetUrl>https://a.example/</TargetUrl><Properties><p><Key>k</Key><Value xmlns:i="i" i:type="x:int">1</Value></p></Properties></w>`)
	f.Add(uint8(2), `<?xml version="1.0" encoding="iso-8859-1"?><!DOCTYPE a><a b="c" nil="true">&amp;&#1;<![CDATA[x]]></a>`)
	f.Add(uint8(4), `Events=a&Events[7]=b&TargetUrl=https://a.example&Headers[X-A]=1&ErrorAssociates[0][Id]=5&Properties=&a[b][c]=%41`)
	s := newServer(f)
	f.Fuzz(func(t *testing.T, label uint8, body string) {
		contentType := bodyTypes[int(label)%len(bodyTypes)]
		for _, path := range []string{"/api/v1/Webhook/contact.changed/1", "/api/v1/Agents/Webhook/SaveWebhook", "/api/v1/Agents/Webhook/GetAllWebhooks?$select=name&nameFilter=no"} {
			if got := s.call("POST", path, body, "Content-Type: "+contentType); got.Code >= 500 {
				t.Errorf("%s of %s %q: got %d %s", path, contentType, body, got.Code, got.Body)
			}
		}
		got := s.call("POST", "/api/v1/Webhook", body, "Content-Type: "+contentType)
		if got.Code >= 500 {
			t.Errorf("%s %q: got %d %s", contentType, body, got.Code, got.Body)
		}
		if got.Code != 200 {
			return
		}
		created, _ := asMeant(t, got.Body.Bytes()).(map[string]any)
		path := fmt.Sprintf("/api/v1/Webhook/%s", created["WebhookId"])
		before := s.call("GET", path, "").Body.Bytes()
		if unwritable.Match(before) {
			return
		}
		asXML := s.call("GET", path, "", "Accept: text/xml").Body.String()
		if put := s.call("PUT", path, asXML, "Content-Type: text/xml"); put.Code != 200 {
			t.Fatalf("%s %q: put of %s: got %d %s", contentType, body, asXML, put.Code, put.Body)
		}
		if diff := cmp.Diff(asMeant(t, before), asMeant(t, s.call("GET", path, "").Body.Bytes())); diff != "" {
			t.Errorf("%s %q through XML (-before +after):\n%s", contentType, body, diff)
		}
	})
}

// Events in any mode are accepted or refused, never a 5xx, and repeating those that
// are accepted under an Idempotency-Key returns the same ids.
func FuzzEvents(f *testing.F) {
	for _, seed := range []struct{ contentType, ce, body string }{
		{"application/json", "", `[{"Event":"a.b","PrimaryKey":7,"Changes":["a"],"Previous":{"a":1e400}},{"event":"a","Timestamp":"2026-11-24T08:00:00Z"}]`},
		{"application/cloudevents+json", "", `{"specversion":"1.0","id":"1","source":"s","type":"a","subject":"7","posthaste":"event","data":{"Values":{}}}`},
		{"application/cloudevents-batch+json", "", `[{"specversion":"1.0","id":"1","source":"s","type":"a","data_base64":""},{"data":[[]]}]`},
		{"application/json;charset=utf-16", "1.0", "\xff\xfe{\x00}\x00"},
		{"text/json", `"1%2e0"`, `"\ud83d\ude00"`},
	} {
		f.Add(seed.contentType, seed.ce, seed.body)
	}
	s := newServer(f)
	f.Fuzz(func(t *testing.T, contentType, ce, body string) {
		headers := []string{"Content-Type: " + contentType, fmt.Sprintf("Idempotency-Key: %x", sha256.Sum256([]byte(contentType+"\n"+ce+"\n"+body)))}
		if ce != "" {
			headers = append(headers, "ce-specversion: "+ce, "ce-id: "+ce, "ce-source: "+ce, "ce-type: a", "ce-subject: "+ce, "ce-posthaste: "+ce)
		}
		got := s.call("POST", eventsPath, body, headers...)
		if !slices.Contains([]int{202, 400, 413, 415, 422}, got.Code) {
			t.Errorf("%q of %q with %q: got %d %s", body, contentType, ce, got.Code, got.Body)
		}
		if again := s.call("POST", eventsPath, body, headers...); again.Code != got.Code || got.Code == 202 && again.Body.String() != got.Body.String() {
			t.Errorf("%q of %q with %q: got %s, then %d %s", body, contentType, ce, got.Body, again.Code, again.Body)
		}
	})
}

// A patch is applied or refused, never a 5xx, and changes no member of the server.
func FuzzPatch(f *testing.F) {
	files, _ := filepath.Glob(goldens + "/patch/*.request")
	for _, file := range files {
		_, body, _ := strings.Cut(read(f, file), "\n\n")
		f.Add(body)
	}
	for _, seed := range []string{
		`[{"op":"add","path":"/Properties/a~1b/-","value":[{}]},{"op":"test","path":"events/1","value":null},{"op":"remove","path":"Secret"}]`,
		`[{"op":3,"path":"/ErrorAssociates/0/ChildItems/0"},{"op":"add","path":"/Events/0","value":"x.y"}]`, `{"Headers":{"X":null},"_Links":1}`, `[[]]`, `null`,
	} {
		f.Add(seed)
	}
	s := newServer(f)
	s.call("POST", "/api/v1/Webhook", patchable)
	f.Fuzz(func(t *testing.T, body string) {
		got := s.call("PATCH", "/api/v1/Webhook/1", body)
		if !slices.Contains([]int{200, 400, 409, 415, 429}, got.Code) {
			t.Errorf("%q: got %d %s", body, got.Code, got.Body)
		}
		if got.Code != 200 {
			return
		}
		shown := object(t, s.call("GET", "/api/v1/Webhook/1", "").Body.String())
		if shown["WebhookId"] != 1.0 || shown["Registered"] != "2026-11-24T08:00:00" || shown["TotalCalls"] != 0.0 {
			t.Errorf("%q changed a member of the server: %v", body, shown)
		}
		s.call("PUT", "/api/v1/Webhook/1", patchable)
	})
}

// A $select keeps all keys, and shows only values that are there without it.
func FuzzSelect(f *testing.F) {
	for _, seed := range []string{"", "name", "name,department,category/id", "REGISTEREDASSOCIATE/tableright/mask,/,,_links", "\x00/ ,\xff", strings.Repeat("a/", 2000)} {
		f.Add(seed)
	}
	s := newServer(f)
	s.call("POST", "/api/v1/Webhook", patchable)
	whole := s.call("GET", "/api/v1/Webhook/1", "").Body.String()
	f.Fuzz(func(t *testing.T, text string) {
		got := s.call("GET", "/api/v1/Webhook/1?$select="+url.QueryEscape(text), "")
		if !utf8.ValidString(text) && got.Code == 400 {
			return
		}
		if got.Code != 200 {
			t.Fatalf("%q: got %d %s", text, got.Code, got.Body)
		}
		if diff := cmp.Diff(names(t, whole), names(t, got.Body.String())); diff != "" {
			t.Errorf("%q: keys (-want +got):\n%s", text, diff)
		}
		all := object(t, whole)
		for name, value := range object(t, got.Body.String()) {
			if name == "RegisteredAssociate" || name == "UpdatedAssociate" { // may be shown in part
				continue
			}
			if !cmp.Equal(value, all[name]) && !cmp.Equal(value, nothing[name]) {
				t.Errorf("%q: %s is %v", text, name, value)
			}
		}
	})
}

// Whatever Accept says, a response has one of six media types, and its body matches
// it.
func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"", "*/*", "text/*;q=0.5, application/xml;q=0.51", "application/json;q=0", ";;q=1,,\x00", "a/b;q=\"1", "text/xml;q=1e-9", "*/xml"} {
		f.Add(seed)
	}
	types := []string{"application/json", "text/json", "application/xml", "text/xml", "application/json-patch+json", "application/merge-patch+json"}
	s := newServer(f)
	f.Fuzz(func(t *testing.T, accept string) {
		got := s.call("GET", "/api/v1/Webhook/default", "", "Accept: "+accept)
		mediaType, isUTF8 := strings.CutSuffix(got.Header().Get("Content-Type"), "; charset=utf-8")
		if got.Code != 200 || !isUTF8 || !slices.Contains(types, mediaType) {
			t.Fatalf("%q: got %d %s", accept, got.Code, got.Header())
		}
		if xml := strings.HasPrefix(got.Body.String(), "<?xml "); xml != strings.HasSuffix(mediaType, "/xml") {
			t.Errorf("%q: %s holds %.40s", accept, mediaType, got.Body)
		}
		// A single media type without a quality is used if it is supported.
		if slices.Contains(types, accept) && mediaType != accept {
			t.Errorf("%q: got %s", accept, mediaType)
		}
	})
}

// Bodies that are designed to cost memory or time cost little of either: the
// allocations of a call are bounded by the size of its body. The test does not run
// in parallel, since it counts the allocations of the process.
func TestCostlyBodies(t *testing.T) { //nolint:paralleltest // see above
	const size = 1 << 18 // a quarter of the largest body, to keep the test short
	fill := func(begin, repeated, end string) string {
		return begin + strings.Repeat(repeated, (size-len(begin)-len(end))/len(repeated)) + end
	}
	numbered := func(begin, each, end string) string {
		var b strings.Builder
		b.WriteString(begin)
		for i := 0; b.Len() < size-len(end)-40; i++ {
			fmt.Fprintf(&b, each, i)
		}
		return b.String() + end
	}
	bodies := map[string][2]string{
		"an array of arrays":       {"application/json", fill(`{"Events":[`, `[],`, `1]}`)},
		"an array of numbers":      {"application/json", fill(`{"Events":[`, `1,`, `1]}`)},
		"names in an object":       {"application/json", numbered(`{"Headers":{`, `"%d":1,`, `"":1}}`)},
		"unknown members":          {"application/json", numbered(`{`, `"%d":1,`, `"":1}`)},
		"properties":               {"application/json", numbered(`{"Properties":{`, `"%d":{},`, `"":1}}`)},
		"list items":               {"application/json", fill(`{"ErrorAssociates":[`, `{},`, `{}]}`)},
		"lists of list items":      {"application/json", fill(`{"ErrorAssociates":[`, `{"ChildItems":[`+strings.Repeat(`{},`, 1990)+`{}]},`, `{}]}`)},
		"list items in list items": {"application/json", fill(``, `{"ErrorAssociates":[`, ``)},
		"depth":                    {"application/json", fill(``, `{"a":`, ``)},
		"escapes":                  {"application/json", fill(`{"Name":"`, `\u0041`, `"}`)},
		"UTF-16":                   {"application/json; charset=utf-16", fill("", "\x01\x4e", "")},
		"elements":                 {"text/xml", fill(`<a>`, `<a/>`, `</a>`)},
		"elements in elements":     {"text/xml", fill(``, `<a>`, ``)},
		"attributes":               {"text/xml", numbered(`<a `, `a%d="" `, `/>`)},
		"namespaces":               {"text/xml", numbered(`<a `, `xmlns:a%d="b" `, `/>`)},
		"entities":                 {"text/xml", fill(`<a><Name>`, `&amp;`, `</Name></a>`)},
		"comments":                 {"text/xml", fill(`<a>`, `<!---->`, `</a>`)},
		"a name of a megabyte":     {"text/xml", fill(`<`, `a`, ``)},
		"values of a form":         {"application/x-www-form-urlencoded", numbered(``, `a%d=1&`, ``)},
		"brackets":                 {"application/x-www-form-urlencoded", fill(`a`, `[a]`, `=1`)},
		"events of a form":         {"application/x-www-form-urlencoded", numbered(``, `Events[%d]=a&`, ``)},
		"ampersands":               {"application/x-www-form-urlencoded", fill(`a`, `&`, ``)},
	}
	patches := map[string][2]string{
		"operations":        {"application/json", fill(`[`, `{},`, `{}]`)},
		"faults":            {"application/json", fill(`[`, `1,`, `1]`)},
		"a merge of names":  {"application/json", numbered(`{"Properties":{`, `"%d":1,`, `"":1}}`)},
		"arrays":            {"application/json", fill(``, `[`, ``)},
		"a path of slashes": {"application/json", fill(`[{"op":"add","value":1,"path":"Properties`, `/`, `"}]`)},
	}
	s := newServer(t)
	s.call("POST", "/api/v1/Webhook", patchable)
	try := func(method, path, name string, label, body string) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := s.call(method, path, body, "Content-Type: "+label)
		runtime.ReadMemStats(&after)
		if got.Code < 400 || got.Code >= 500 {
			t.Errorf("%s %s: got %d %.200s", method, name, got.Code, got.Body)
		}
		if got.Body.Len() > 64<<10 {
			t.Errorf("%s %s: the response has %d bytes", method, name, got.Body.Len())
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 128*size {
			t.Errorf("%s %s: %d MB allocated", method, name, allocated>>20)
		}
	}
	for name, b := range bodies {
		try("POST", "/api/v1/Webhook", name, b[0], b[1])
	}
	for name, b := range patches {
		try("PATCH", "/api/v1/Webhook/1", name, b[0], b[1])
	}
}
