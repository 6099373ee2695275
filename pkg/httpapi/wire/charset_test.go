package wire_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
)

func TestReadObject_InEveryCharset(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct{ contentType, body, want string }{
		{form, "Name=Bl%C3%A5b%C3%A6r", "Blåbær"},
		{form + "; charset=UTF-8", "Name=Bl%C3%A5b%C3%A6r", "Blåbær"},
		{form + "; charset=ISO-8859-1", "Name=Bl%E5b%E6r", "Blåbær"},
		{form + "; charset=latin1", "Name=Bl%E5b\xe6r%80", "Blåbær\u0080"},
		{form + `; charset="Windows-1252"`, "N%61me=%80+%8A%81&Notes[%E5]=1", "€ Š\u0081"},
		{form + "; charset=cp1252", "Name=\x93x\x94", "“x”"},
		{form + "; charset=iso-8859-1", "Name=%C3%A5", "Ã¥"},
		{"application/json; charset=windows-1252", "{\"Name\":\"\x80\"}", "€"},
		{"text/xml; charset=windows-1252", "<o><Name>\x80</Name></o>", "€"},
		{"text/xml", `<?xml version="1.0" encoding="Windows-1252"?>` + "<o><Name>\x80\x9f</Name></o>", "€Ÿ"},
		{"text/xml", `<?xml version="1.0" encoding="ISO-8859-1"?>` + "<o><Name>\x80</Name></o>", "\u0080"},
	} {
		tree := read(t, test.contentType, test.body)
		name, _ := tree.Named("Name")
		if got := name.Text(); got != test.want {
			t.Errorf("%s %q: got %q, want %q", test.contentType, test.body, got, test.want)
		}
	}
	for _, body := range []string{"Name=%E5", "Name=\xe5"} {
		for _, contentType := range []string{form, form + "; charset=utf-8", form + "; charset=us-ascii"} {
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			if _, err := wire.ReadObject(r, members); err == nil || !strings.Contains(err.Error(), "not valid UTF-8") {
				t.Errorf("%s %q: got %v", contentType, body, err)
			}
		}
	}
}

// What a browser sends of every byte of a charset is what the charset has for it.
func TestReadDictionary_EveryByteOfACharset(t *testing.T) {
	t.Parallel()
	for b := range 256 {
		r := httptest.NewRequest("POST", "/", strings.NewReader("a="+url.QueryEscape(string([]byte{byte(b)}))))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=iso-8859-1")
		tree, err := wire.ReadDictionary(r)
		value, _ := tree.Named("a")
		if err != nil || value.Text() != string(rune(b)) {
			t.Errorf("%d: got %q, %v", b, value.Text(), err)
		}
	}
}
