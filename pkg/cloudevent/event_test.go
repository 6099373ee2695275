package cloudevent_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/cloudevent"
)

// read returns an example of the specification.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/spec/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(text)
}

// readHTTP returns the headers and the body of an example.
func readHTTP(t *testing.T, name string) (textproto.MIMEHeader, []byte) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(read(t, name)))
	headers, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return headers, bytes.TrimSpace(body)
}

// parseHTTP reads an example of the binary mode.
func parseHTTP(t *testing.T, name string) (cloudevent.Event, []cloudevent.Fault) {
	t.Helper()
	headers, body := readHTTP(t, name)
	return cloudevent.ParseHeaders(cloudevent.Attributes(headers), headers.Get("Content-Type"), body)
}

// compact returns an event with its data in compact form.
func compact(t *testing.T, e cloudevent.Event) cloudevent.Event {
	t.Helper()
	var out bytes.Buffer
	if e.Data != nil {
		if err := json.Compact(&out, e.Data); err != nil {
			t.Fatal(err)
		}
		e.Data = out.Bytes()
	}
	return e
}

// The events of the specification's examples.
var (
	extensions = map[string]string{"comexampleextension1": "value", "comexampleothervalue": "5"}
	someTime   = time.Date(2018, 4, 5, 17, 31, 0, 0, time.UTC)
	examples   = map[string]cloudevent.Event{
		"object": {
			ID: "C234-1234-1234", Source: "/mycontext", Type: "com.example.someevent", Time: someTime, Extensions: extensions,
			Data: json.RawMessage(`{"appinfoA":"abc","appinfoB":123,"appinfoC":true}`),
		},
		"number": {ID: "C234-1234-1234", Source: "/mycontext", Type: "com.example.someevent", Time: someTime, Extensions: extensions, Data: json.RawMessage(`1.5`)},
		"string": {
			ID: "D234-1234-1234", Source: "/mycontext", Type: "com.example.someevent", Time: someTime, Extensions: extensions,
			Data: json.RawMessage(`"I'm just a string"`),
		},
	}
)

func TestExamplesOfTheSpecification(t *testing.T) {
	t.Parallel()
	for name, want := range examples {
		structured, faults := cloudevent.ParseJSON(read(t, name+".json"))
		if diff := cmp.Diff(want, compact(t, structured)); diff != "" || faults != nil {
			t.Errorf("%s.json: %v (-want +got):\n%s", name, faults, diff)
		}
		binary, faults := parseHTTP(t, name+".http")
		if diff := cmp.Diff(want, compact(t, binary)); diff != "" || faults != nil {
			t.Errorf("%s.http: %v (-want +got):\n%s", name, faults, diff)
		}
	}
}

func TestExamplesOfTheSpecification_WithOtherData(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"binary", "xml", "base64"} {
		_, faults := cloudevent.ParseJSON(read(t, name+".json"))
		if len(faults) != 1 || !faults[0].Unsupported {
			t.Errorf("%s.json: got %v, want data that is not supported", name, faults)
		}
		_, faults = parseHTTP(t, name+".http")
		if len(faults) != 1 || !faults[0].Unsupported {
			t.Errorf("%s.http: got %v, want data that is not supported", name, faults)
		}
	}
}

func TestConformanceTests(t *testing.T) {
	t.Parallel()
	want := cloudevent.Event{
		ID: "1234-1234-1234", Source: "/mycontext/subcontext", Type: "com.example.someevent", Time: time.Date(2018, 4, 5, 3, 56, 24, 0, time.UTC),
		Data: json.RawMessage(`{"message":"Hello World!"}`),
	}
	binary, faults := parseHTTP(t, "conformance-binary.http")
	if diff := cmp.Diff(want, compact(t, binary)); diff != "" || faults != nil {
		t.Errorf("binary: %v (-want +got):\n%s", faults, diff)
	}
	headers, body := readHTTP(t, "conformance-structured.http")
	structured, faults := cloudevent.ParseJSON(body)
	if diff := cmp.Diff(want, compact(t, structured)); diff != "" || faults != nil || cloudevent.Attributes(headers) != nil {
		t.Errorf("structured: %v (-want +got):\n%s", faults, diff)
	}
}

func TestParseJSON_Faults(t *testing.T) {
	t.Parallel()
	const whole = `"specversion":"1.0","id":"1","source":"/s","type":"a.b"`
	for raw, want := range map[string]string{
		`{}`: "specversion is required; id is required; source is required; type is required",
		`{"specversion":"0.3","id":"","source":null,"type":5,"subject":"","time":"yesterday"}`: "type must be a string; specversion must be 1.0; id must not be empty; source is required; subject must not be empty; time must be a time of RFC 3339, such as 2030-01-31T12:00:00Z",
		`{` + whole + `,"PrimaryKey":7}`:                              "PrimaryKey is not an attribute name of CloudEvents: a-z and 0-9",
		`{` + whole + `,"":"x"}`:                                      " is not an attribute name of CloudEvents: a-z and 0-9",
		`{` + whole + `,"a":{}}`:                                      "a must be a string, an integer or a boolean, as every attribute; members of the event's own are in data",
		`{` + whole + `,"a":1.5}`:                                     "a must be an integer",
		`{` + whole + `,"time":"2026-11-24T08:00:00"}`:                "time must be a time of RFC 3339, such as 2030-01-31T12:00:00Z",
		`{` + whole + `,"time":"0001-01-01T00:00:00Z"}`:               "time must be a time of RFC 3339, such as 2030-01-31T12:00:00Z",
		`{` + whole + `,"datacontenttype":"text/plain","data":"x"}`:   "datacontenttype must be application/json: data of other types is not supported",
		`{` + whole + `,"datacontenttype":"","data":{}}`:              "datacontenttype must be application/json: data of other types is not supported",
		`{` + whole + `,"data_base64":"e30="}`:                        "data_base64 is not supported: data must be JSON",
		`{` + whole + `,"datacontenttype":"text/plain"}`:              "", // no data
		`{` + whole + `,"datacontenttype":"x/y+JSON;z=1","data":1}`:   "",
		`{` + whole + `,"time":"2026-11-24t08:00:00.5z","data":null}`: "",
		`{` + whole + `,"data_base64":null,"subject":null,"a":null}`:  "",
		`{` + whole + `,"id":5,"id":"1","x":true,"y":-1}`:             "", // the last counts
	} {
		e, faults := cloudevent.ParseJSON([]byte(raw))
		if got := list(faults); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
		if want == "" && (e.ID != "1" || e.Source != "/s" || e.Type != "a.b") {
			t.Errorf("%s: got %+v", raw, e)
		}
	}
}

func list(faults []cloudevent.Fault) string {
	texts := make([]string, len(faults))
	for i, f := range faults {
		texts[i] = f.Attribute + " " + f.Rule
	}
	return strings.Join(texts, "; ")
}

func TestParseJSON_FaultsAreBounded(t *testing.T) {
	t.Parallel()
	raw := `{"` + strings.Repeat("É", 1000) + `":1`
	for i := range 1000 {
		raw += `,"X` + strings.Repeat("Y", i) + `":1`
	}
	_, faults := cloudevent.ParseJSON([]byte(raw + "}"))
	if len(faults) != 100 || faults[0].Attribute != strings.Repeat("É", 100) {
		t.Errorf("got %d faults, the first about %q", len(faults), faults[0].Attribute)
	}
}

func TestParseHeaders_Values(t *testing.T) {
	t.Parallel()
	const escape, quote, text = "must have % only before two hexadecimal digits; write % as %25", "must end with the quote that it begins with", "must be UTF-8, percent-encoded"
	for value, want := range map[string]struct{ subject, rule string }{
		"Euro%20%E2%82%AC%20%F0%9F%98%80": {"Euro € 😀", ""}, // the specification's
		"%e2%82%ac":                       {"€", ""}, "%41%7a": {"Az", ""}, "a+b c": {"a+b c", ""}, "%2541": {"%41", ""}, " \ta\t ": {"a", ""}, "€": {"€", ""},
		`"Euro € \"\\😀"`: {`Euro € "\😀`, ""}, `"%20"`: {" ", ""}, `"a%22"`: {`a"`, ""}, `say "hi"`: {`say "hi"`, ""}, `\a`: {`\a`, ""},
		"100%": {"", escape}, "%4": {"", escape}, "%zz": {"", escape}, `"a`: {"", quote}, `"`: {"", quote}, `"a" b`: {"", quote}, `"a\`: {"", quote}, `"a\"`: {"", quote},
		"%C0%A0": {"", text}, "%ff": {"", text}, "%ed%a0%80": {"", text}, "\xe5": {"", text},
	} {
		e, faults := cloudevent.ParseHeaders(map[string][]string{"specversion": {"1.0"}, "id": {"1"}, "source": {"s"}, "type": {"t"}, "subject": {value}}, "", nil)
		rule := ""
		if len(faults) > 0 {
			rule = faults[0].Rule
		}
		if e.Subject != want.subject || rule != want.rule {
			t.Errorf("%s: got %q, %v; want %v", value, e.Subject, faults, want)
		}
	}
}

func TestParseHeaders_Faults(t *testing.T) {
	t.Parallel()
	headers := map[string][]string{
		"Ce-Id": {"1"}, "CE-ID": {"2"}, "ce-source": {"%"}, "ce-type": {""}, "ce-datacontenttype": {"application/json"}, "ce-data": {"{}"}, "ce-a-b": {"x"},
		"Ce-Data_base64": {""}, "ce-": {"x"}, "cf-x": {"%"}, "Content-Type": {"x"},
	}
	want := " is not an attribute name of CloudEvents: a-z and 0-9; a-b is not an attribute name of CloudEvents: a-z and 0-9; data is not an attribute name of CloudEvents: a-z and 0-9; " +
		"data_base64 is not an attribute name of CloudEvents: a-z and 0-9; datacontenttype must not be a header: Content-Type is the type of the data; id must be one header; " +
		"source must have % only before two hexadecimal digits; write % as %25; specversion is required; type must not be empty"
	if _, faults := cloudevent.ParseHeaders(cloudevent.Attributes(headers), "application/json", nil); list(faults) != want {
		t.Errorf("got  %s\nwant %s", list(faults), want)
	}
	for contentType, supported := range map[string]bool{"application/json": true, "text/json; charset=x": true, "application/geo+json": true, "": false, "text/plain": false, "json": false, "x/+json": false} {
		e, faults := cloudevent.ParseHeaders(map[string][]string{"specversion": {"1.0"}, "id": {"1"}, "source": {"s"}, "type": {"t"}}, contentType, []byte("1"))
		if (faults == nil) != supported || len(faults) == 1 && !faults[0].Unsupported || supported && string(e.Data) != "1" {
			t.Errorf("%s: got %v", contentType, faults)
		}
	}
}
