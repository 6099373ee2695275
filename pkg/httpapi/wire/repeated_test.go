package wire_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
)

// Of a name that is repeated no value is lost, in forms and in XML; want is marked
// with * where the values are not those of a list.
func TestReadObject_KeepsRepeatedValues(t *testing.T) {
	t.Parallel()
	const form, xml = "application/x-www-form-urlencoded", "text/xml"
	for _, test := range []struct{ contentType, body, want string }{
		{form, "Tags=a&Tags=b&tags[]=c&TAGS[7]=d", `{"Tags":["a","b","c","d"]}`},
		{form, "Tags=a&Tags=", `{"Tags":["a"]}`},
		{form, "Name=a&Name=b", `{"Name":["a","b"]}*Name`},
		{form, "Name=a&name=b&NAME=c", `{"Name":["a","b","c"]}*Name`},
		{form, "Name=a&Name=a", `{"Name":["a","a"]}*Name`},
		{form, "Name=a&Name[b]=c&Name[d]=e", `{"Name":["a",{"b":"c"},{"d":"e"}]}*Name`},
		{form, "Name[b]=c&Name=a", `{"Name":[{"b":"c"},"a"]}*Name`},
		{form, "Parts[0][Id]=1&Parts[0][id]=2&Parts[1][Id]=3", `{"Parts":[{"Id":["1","2"]},{"Id":"3"}]}*Parts..Id`},
		{form, "Notes[X]=1&Notes[X]=2&Notes[x]=3&Notes=", `{"Notes":{"X":["1","2"],"x":"3"}}*Notes.X`},
		{form, "Notes=x&Notes[X]=1", `{"Notes":["x",{"X":"1"}]}*Notes`},
		{form, "Notes[X]=1&Notes=x", `{"Notes":[{"X":"1"},"x"]}*Notes`},
		{form, "Extra[k]=1&Extra[k]=2", `{"Extra":{"k":["1","2"]}}*Extra.k`},
		{form, "Extra[k][]=1&Extra[k][]=2&Extra[l][]=3", `{"Extra":{"k":["1","2"],"l":["3"]}}`},
		{form, "Extra[k]=1&Extra[k][]=2", `{"Extra":{"k":["1","2"]}}*Extra.k`},
		{form, "Extra[a][Tags]=1&Extra[a][tags]=2", `{"Extra":{"a":{"Tags":"1","tags":"2"}}}`},
		{xml, "<o><Tags><string>a</string></Tags><tags/><TAGS><string>b</string><string>c</string></TAGS></o>", `{"Tags":["a","b","c"]}`},
		{xml, "<o><Tags>a</Tags><Tags>b</Tags></o>", `{"Tags":["a","b"]}*Tags`},
		{xml, "<o><Name>a</Name><name>b</name><Name/></o>", `{"Name":["a","b",""]}*Name`},
		{xml, "<o><Parts><Part><Id>1</Id><Id>2</Id></Part></Parts><Parts><Part><Id>3</Id></Part></Parts></o>", `{"Parts":[{"Id":["1","2"]},{"Id":"3"}]}*Parts..Id`},
		{xml, "<o><Notes><X>1</X><X>2</X><x>3</x></Notes></o>", `{"Notes":{"X":["1","2"],"x":"3"}}*Notes.X`},
		{xml, "<o><Notes><X>1</X></Notes><Notes><Y>1</Y></Notes></o>", `{"Notes":[{"X":"1"},{"Y":"1"}]}*Notes`},
		{xml, "<o><Extra><p><k>1</k><k>2</k></p><KeyValuePair><Key>p</Key><Value>3</Value></KeyValuePair></Extra></o>", `{"Extra":{"p":[{"k":["1","2"]},"3"]}}*Extra.p`},
		{xml, `<o xmlns:i="i"><Extra><k i:type="ArrayOfanyType"><a>1</a></k><k i:type="ArrayOfanyType"><a>2</a></k><k>3</k></Extra></o>`, `{"Extra":{"k":[["1"],["2"],"3"]}}*Extra.k`},
	} {
		tree := read(t, test.contentType, test.body)
		got := string(tree.JSON())
		if path := tree.RepeatedMember(); path != "" {
			got += "*" + path
		}
		if got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.body, got, test.want)
		}
	}
}

func TestReadDictionary_CollectsRepeatedValues(t *testing.T) {
	t.Parallel()
	const form, xml = "application/x-www-form-urlencoded", "text/xml"
	for _, test := range []struct{ contentType, body, want string }{
		{form, "tags=a&tags=b&n=1", `{"tags":["a","b"],"n":"1"}`},
		{form, "tags%5B%5D=a&tags[]=b", `{"tags":["a","b"]}`},
		{form, "tags[]=a", `{"tags":["a"]}`},
		{form, "tags=a&tags[]=b&Tags=c&[]=d&a[b]=e", `{"tags":["a","b"],"Tags":"c","[]":"d","a[b]":"e"}`},
		{form, "tags[]=a&tags=b", `{"tags":["a","b"]}`},
		{form, "Tags=a&Notes=&Notes=b", `{"Tags":"a","Notes":["","b"]}`},
		{xml, "<d><tags>a</tags><tags>b</tags><Tags>c</Tags></d>", `{"tags":["a","b"],"Tags":"c"}`},
		{xml, "<d><a><b>1</b><b/></a><a>2</a></d>", `{"a":[{"b":["1",""]},"2"]}`},
		{"", `{"a":1,"a":2}`, `{"a":1,"a":2}`},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.contentType)
		tree, err := wire.ReadDictionary(r)
		if got := string(tree.JSON()); got != test.want || err != nil {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", test.body, got, err, test.want)
		}
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader("<d><KeyValuePair><Key>a</Key><Value>1</Value><Value>2</Value></KeyValuePair></d>"))
	r.Header.Set("Content-Type", xml)
	if _, err := wire.ReadDictionary(r); err == nil || !strings.Contains(err.Error(), "more than one Value") {
		t.Errorf("two values of one key: got %v", err)
	}
}
