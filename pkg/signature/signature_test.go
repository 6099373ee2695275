package signature_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/posthaste-dev/posthaste/pkg/signature"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestSuperOffice(t *testing.T) {
	t.Parallel()
	compact := read(t, "contact-changed.json")
	var indented bytes.Buffer
	if err := json.Indent(&indented, compact, "", "  "); err != nil {
		t.Fatal(err)
	}
	const secret = "Something Super Secret"
	for _, c := range []struct {
		name, secret string
		body         []byte
		want         string
	}{
		{"compact", secret, compact, "BCiOaqlMZ2idyAhrKK+twtAuLPOdBYE96ebKwdXx3CA="},
		{"indented, LF", secret, indented.Bytes(), "YbdhUUzjyLxSryabMWD5niRIZdKayV4p+VtLEnOYnQ0="},
		{"indented, CRLF", secret, bytes.ReplaceAll(indented.Bytes(), []byte("\n"), []byte("\r\n")), "XakZm0bX7nR8udQsWHylUPEduKZNSjl2wTsFh9UsUbE="},
		{"empty body", secret, nil, "96zZuTBP8aQ+I+Kyo84ULPT/UwJ4TgMXZyfMITpxCBs="},
		{"text beyond ASCII", "Hemmelig nøkkel ✓", read(t, "contact-changed-utf8.json"), "qo8czjFPFGjdCh+wE1wMxhZb2tmPVYrJ2np3kD8KE0o="},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := signature.SuperOffice(c.secret, c.body); got != c.want {
				t.Errorf("signature %s, want %s", got, c.want)
			}
			if !signature.VerifySuperOffice(c.secret, c.body, c.want) {
				t.Error("a valid signature is rejected")
			}
			if signature.VerifySuperOffice(c.secret, append(bytes.Clone(c.body), ' '), c.want) {
				t.Error("a changed body is accepted")
			}
			if signature.VerifySuperOffice("", c.body, signature.SuperOffice("", c.body)) {
				t.Error("the empty secret verifies")
			}
		})
	}
}

var standardVectors = []struct {
	name, secret, id string
	seconds          int64
	body, want       string
}{
	{"the libraries' own", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, `{"test": 2432232314}`, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	{"the specification's", "whsec_plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", 1731705121, `{"event_type":"ping","data":{"success":true}}`, "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="},
}

func TestStandard(t *testing.T) {
	t.Parallel()
	for _, c := range standardVectors {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at, body, seconds := time.Unix(c.seconds, 0), []byte(c.body), strconv.FormatInt(c.seconds, 10)
			got, err := signature.Standard(c.id, at, body, c.secret)
			if err != nil || got != c.want {
				t.Fatalf("signature %s (%v), want %s", got, err, c.want)
			}
			check := func(secret, timestamp, list string, now time.Time) error {
				return signature.VerifyStandard(secret, c.id, timestamp, list, body, now, 5*time.Minute)
			}
			for _, v := range []struct {
				name string
				err  error
				want error
			}{
				{"in time", check(c.secret, seconds, c.want, at.Add(5*time.Minute)), nil},
				{"too old", check(c.secret, seconds, c.want, at.Add(5*time.Minute+time.Second)), signature.ErrTimestamp},
				{"too new", check(c.secret, seconds, c.want, at.Add(-6*time.Minute)), signature.ErrTimestamp},
				{"no number", check(c.secret, "soon", c.want, at), signature.ErrTimestamp},
				{"another secret", check("other", seconds, c.want, at), signature.ErrMismatch},
				{"no secret", check("", seconds, c.want, at), signature.ErrMismatch},
				{"bad base64", check("whsec_%", seconds, c.want, at), signature.ErrKey},
				{"among other versions", check(c.secret, seconds, "v1a,xx v1,AAAA "+c.want, at), nil},
				{"nothing in the list", check(c.secret, seconds, "", at), signature.ErrMismatch},
			} {
				if !errors.Is(v.err, v.want) {
					t.Errorf("%s: %v, want %v", v.name, v.err, v.want)
				}
			}
		})
	}
}

func TestStandard_OfficialLibraryAcceptsOurs(t *testing.T) {
	t.Parallel()
	const newer, older = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "ea"
	body, at := []byte(`{"a":"ø"}`), time.Unix(1614265330, 0)
	list, err := signature.Standard("id", at, body, newer, older)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := signature.Standard("id", at, body, newer)
	second, _ := signature.Standard("id", at, body, older)
	if list != first+" "+second {
		t.Errorf("list %q, want new then old", list)
	}
	official, err := standardwebhooks.NewWebhook(newer)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := standardwebhooks.NewWebhookRaw([]byte(older))
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	header.Set("Webhook-Id", "id")
	header.Set("Webhook-Timestamp", "1614265330")
	header.Set("Webhook-Signature", list)
	for name, verifier := range map[string]*standardwebhooks.Webhook{"new": official, "old, raw": raw} {
		if err := verifier.VerifyIgnoringTimestamp(body, header); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
