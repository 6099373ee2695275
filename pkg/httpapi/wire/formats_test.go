package wire_test

import (
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
)

// members belong to an API of the tests' own: the codec knows no API.
var members = wire.Members{
	"tags":  {Container: wire.List},
	"parts": {Container: wire.List, Element: "Part"},
	"notes": {Container: wire.Strings, Element: "NoteKeyValuePair"},
	"extra": {Container: wire.Any},
}

func read(t *testing.T, contentType, body string) wire.Tree {
	t.Helper()
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	tree, err := wire.ReadObject(r, members)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return tree
}

func TestReadObject_EveryFormatIsTheSameTree(t *testing.T) {
	t.Parallel()
	const want = `{"Name":"n","Tags":["a"],"Parts":[{"Id":"1"}],"Notes":{"Tags":"x"},"Extra":{"k":"v"}}`
	for contentType, body := range map[string]string{
		"application/json": want,
		"text/xml": `<o><Name>n</Name><Tags><string>a</string></Tags><Parts><Part><Id>1</Id></Part></Parts>
			<Notes><NoteKeyValuePair><Key>Tags</Key><Value>x</Value></NoteKeyValuePair></Notes>
			<Extra><StringObjectKeyValuePair><Key>k</Key><Value>v</Value></StringObjectKeyValuePair></Extra></o>`,
		"application/x-www-form-urlencoded": `Name=n&Tags=a&Parts[0][Id]=1&Notes[Tags]=x&Extra[k]=v`,
	} {
		tree := read(t, contentType, body)
		if got := string(tree.JSON()); got != want {
			t.Errorf("%s: got %s, want %s", contentType, got, want)
		}
	}
}

func TestEncodeXML_IsReadBack(t *testing.T) {
	t.Parallel()
	const body = `{"Name":"<&>","Tags":["a","b"],"Parts":[{"Id":"1"}],"Notes":{"a b":"x"},"Extra":{"n":1.10,"t":true,"z":null,"l":[1,{"m":"2"}],"o":{}}}`
	object := wire.Raw([]byte(body))
	parsed, err := wire.ParseJSON([]byte(body), math.MaxInt)
	if err != nil {
		t.Fatal(err)
	}
	document, err := wire.EncodeXML("Thing", raw(body), members)
	if err != nil {
		t.Fatal(err)
	}
	for _, element := range []string{"<Thing ", "<Part>", "<NoteKeyValuePair><Key>a b</Key>", `<Value xsi:type="xsd:decimal">1.10</Value>`} {
		if !strings.Contains(string(document), element) {
			t.Errorf("%s is not in %s", element, document)
		}
	}
	again := read(t, "application/xml", string(document))
	if got := string(again.JSON()); got != body || !again.Equal(&parsed) || !again.Equal(&object) {
		t.Errorf("got %s, want %s", got, body)
	}
}

// raw is JSON that is encoded unchanged.
type raw string

func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// Values from a JSON body keep the bytes that were sent.
func TestTree_KeepsJSONAsItWasWritten(t *testing.T) {
	t.Parallel()
	tree := read(t, "application/json", `{"Extra": {"a":"\u0041", "a":1e2}, "Tags":[ 1 ,"b\n"], "Extra2":null}`)
	listed := tree.Members()
	if got := string(listed[0].Value.JSON()); got != `{"a":"\u0041", "a":1e2}` {
		t.Errorf("got %s", got)
	}
	items, more := listed[1].Value.Items(1)
	if len(items) != 1 || !more || items[0].Kind() != wire.KindNumber || items[0].Text() != "1" {
		t.Errorf("got %d items, more %t", len(items), more)
	}
	items, more = listed[1].Value.Items(2)
	if len(items) != 2 || more || items[1].Text() != "b\n" {
		t.Errorf("got %d items, more %t", len(items), more)
	}
	inner, stated := tree.Named("EXTRA")
	if !stated || inner.Len() != 1 || inner.At(0).Text() != "1e2" {
		t.Errorf("opened: stated %t, %d members", stated, inner.Len())
	}
}

func TestReadObject_WithoutABodyIsTheZeroTree(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", " \n", "null"} {
		tree := read(t, "application/json", body)
		if !tree.IsZero() || tree.JSON() != nil || len(tree.Members()) != 0 {
			t.Errorf("%q: got %s", body, tree.JSON())
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "br": false, "*": true, "br, gzip;q=0.1": true, "gzip;q=0": false,
		"gzip;q=0, *": false, "*, gzip;q=0": false, "*;q=0, gzip": true, "gzip;q=x": false, "gzip;q=2": false, "gzip;q=NaN": false, ";,gzip": true,
	} {
		if got := wire.AcceptsGzip([]string{header}); got != want {
			t.Errorf("Accept-Encoding %q: got %t, want %t", header, got, want)
		}
	}
	if !wire.AcceptsGzip([]string{"br", "gzip"}) {
		t.Error("the second of two headers was ignored")
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"application/xml;q=0.5, text/json;q=0.6": "text/json", "*/*;q=0.1, text/xml": "text/xml", "application/json;q=0, */*": "text/json",
	} {
		if got, accepted := wire.Negotiate([]string{header}); got != want || !accepted {
			t.Errorf("Accept %q: got %s, %t; want %s", header, got, accepted, want)
		}
	}
	if got, accepted := wire.Negotiate([]string{"image/png"}); got != "application/json" || accepted {
		t.Errorf("got %s, %t", got, accepted)
	}
}
