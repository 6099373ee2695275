package seal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

var place = seal.Place{Kind: "webhooks", Tenant: "Cust1", ID: 7, Version: "v1"}

func ring(t testing.TB, seed uint64) seal.Ring {
	t.Helper()
	r, err := seal.NewRing(webhooktest.Random(seed))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sealed(t testing.TB, r seal.Ring, text string) string {
	t.Helper()
	out, err := r.Seal([]byte(text), place, seal.FirstKey, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOpen_ReturnsWhatWasSealed(t *testing.T) {
	t.Parallel()
	r := ring(t, 1)
	for _, text := range []string{"", "ea", strings.Repeat("nøkkel ", 3000)} {
		one, two := sealed(t, r, text), sealed(t, r, text)
		if one == two {
			t.Error("one text is sealed to the same bytes twice")
		}
		for _, out := range []string{one, two} {
			if got, err := r.Open(out, place); err != nil || string(got) != text {
				t.Errorf("got %.20q, %v, want %.20q", got, err, text)
			}
		}
		if text != "" && (strings.Contains(one, text) || strings.Contains(one, base64.RawURLEncoding.EncodeToString([]byte(text)))) {
			t.Error("the sealed text contains the text")
		}
		if seal.KeyOf(one) != seal.FirstKey {
			t.Errorf("sealed with %q", seal.KeyOf(one))
		}
	}
}

// Each part of the place, and each byte of the sealed text, must be as it was.
func TestOpen_RefusesWhatWasChangedOrMoved(t *testing.T) {
	t.Parallel()
	r := ring(t, 1)
	out := sealed(t, r, "ea")
	for name, elsewhere := range map[string]seal.Place{
		"kind":    {Kind: "local", Tenant: "Cust1", ID: 7, Version: "v1"},
		"tenant":  {Kind: "webhooks", Tenant: "Cust12", ID: 7, Version: "v1"},
		"id":      {Kind: "webhooks", Tenant: "Cust1", ID: 8, Version: "v1"},
		"version": {Kind: "webhooks", Tenant: "Cust1", ID: 7, Version: "v2"},
		"borders": {Kind: "webhooksC", Tenant: "ust1", ID: 7, Version: "v1"},
	} {
		if got, err := r.Open(out, elsewhere); !errors.Is(err, seal.ErrTampered) || got != nil {
			t.Errorf("another %s: got %q, %v", name, got, err)
		}
	}
	body := strings.LastIndexByte(out, '.') + 1
	for i := range out {
		changed := []byte(out)
		if changed[i]++; i >= body {
			changed[i] = "AB"[min(strings.IndexByte("A", out[i])+1, 1)] // another letter of base64
		}
		if string(changed) == out {
			continue
		}
		_, err := r.Open(string(changed), place)
		if !errors.Is(err, seal.ErrTampered) && (i >= body || !errors.Is(err, seal.ErrUnknownKey)) {
			t.Errorf("byte %d: got %v", i, err)
		}
	}
	for _, text := range []string{"", "s1", "s1.", "s1.first", "s1.first.", "s1.first.AAAA", out[:len(out)-1], out + "A", out + "\n", "s2" + out[2:]} {
		if _, err := r.Open(text, place); !errors.Is(err, seal.ErrTampered) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := ring(t, 2).Open(out, place); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("another root key of the same id: got %v", err)
	}
}

// Two keys of one ring have equal bytes only by an operator's mistake. Even then a text
// is bound to the key that it names.
func TestOpen_BindsTheIDOfTheKey(t *testing.T) {
	t.Parallel()
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	r, err := seal.DecodeRing(fmt.Appendf(nil, `{"keys":{"a":{"key":%q},"b":{"key":%q}}}`, secret, secret))
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Seal([]byte("ea"), place, "a", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(strings.Replace(out, ".a.", ".b.", 1), place); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Open(strings.Replace(out, ".a.", ".c.", 1), place); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("got %v", err)
	}
}

func TestRing_AddedKeysOpenAndOlderOnesStay(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first := ring(t, 1)
	old := sealed(t, first, "old")
	more, id, err := first.Add(at, webhooktest.Random(2))
	if err != nil {
		t.Fatal(err)
	}
	if first.Has(id) || !more.Has(id) || !more.Has(seal.FirstKey) {
		t.Error("Add changed the ring, or did not return one with both keys")
	}
	for by, want := range map[time.Time]string{at.Add(-time.Second): seal.FirstKey, at: id, at.Add(time.Hour): id} {
		if got := more.Newest(by); got != want {
			t.Errorf("by %s: %s, want %s", by, got, want)
		}
	}
	out, err := more.Seal([]byte("new"), place, id, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again, err := seal.DecodeRing(more.Encode())
	if err != nil {
		t.Fatal(err)
	}
	for text, sealed := range map[string]string{"old": old, "new": out} {
		if got, err := again.Open(sealed, place); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if _, err := first.Open(out, place); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("an older ring: got %v", err)
	}
	if _, err := first.Seal(nil, place, id, rand.Reader); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("an older ring: got %v", err)
	}
}

func TestRing_WithoutTheFirstKeyUsesTheOldest(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r, a, err := seal.Ring{}.Add(at, webhooktest.Random(1))
	if err != nil {
		t.Fatal(err)
	}
	r, b, err := r.Add(at.Add(time.Hour), webhooktest.Random(2))
	if err != nil {
		t.Fatal(err)
	}
	if early, late := r.Newest(at.Add(-time.Hour)), r.Newest(at.Add(2*time.Hour)); early != a || late != b {
		t.Errorf("got %s and %s, want %s and %s", early, late, a, b)
	}
	if got := (seal.Ring{}).Newest(at); got != "" {
		t.Errorf("an empty ring has the key %q", got)
	}
}

func TestRing_IsBounded(t *testing.T) {
	t.Parallel()
	r := ring(t, 1)
	random := webhooktest.Random(2)
	for n := 1; n < seal.MaxKeys; n++ {
		var err error
		if r, _, err = r.Add(time.Now(), random); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := r.Add(time.Now(), random); !errors.Is(err, seal.ErrFull) {
		t.Errorf("got %v", err)
	}
	if n := len(r.Encode()); n > 64<<10 {
		t.Errorf("a full ring has %d bytes, and a secret of Secrets Manager at most 64 KiB", n)
	}
}

func TestDecodeRing(t *testing.T) {
	t.Parallel()
	generated := `{"keys":{},"first":"` + strings.Repeat("aB3", 22) + `"}`
	r, err := seal.DecodeRing([]byte(generated))
	if err != nil || r.Newest(time.Time{}) != seal.FirstKey {
		t.Errorf("a generated document: %v", err)
	}
	for _, text := range []string{
		"", "hush", "{}", `{"keys":{}}`, `{"first":"hush"}`, `{"keys":{"a":{"key":"aHVzaA=="}}}`, `{"keys":{"a":{}}}`, `["hush"]`, `{"first":"hush","keys":3}`,
		`{"keys":{"a.b":{"key":"` + strings.Repeat("aHVz", 11) + `"}}}`, `{"keys":{"first":{"key":"` + strings.Repeat("aHVz", 11) + `"}}}`,
	} {
		if _, err := seal.DecodeRing([]byte(text)); err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "aHVz") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestRing_IsNeverPrinted(t *testing.T) {
	t.Parallel()
	r, _, err := ring(t, 1).Add(time.Now(), webhooktest.Random(2))
	if err != nil {
		t.Fatal(err)
	}
	var stored struct {
		First string
		Keys  map[string]struct{ Key []byte }
	}
	if err := json.Unmarshal(r.Encode(), &stored); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", r, struct{ Ring seal.Ring }{r})
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "ring", r)
	if err := json.NewEncoder(&out).Encode(r); err != nil {
		t.Fatal(err)
	}
	secrets := []string{stored.First}
	for _, key := range stored.Keys {
		secrets = append(secrets, base64.StdEncoding.EncodeToString(key.Key), fmt.Sprintf("%x", key.Key), fmt.Sprintf("%d", key.Key))
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(out.String(), secret) {
			t.Errorf("the key %q is printed in:\n%s", secret, out.String())
		}
	}
}

func FuzzOpen(f *testing.F) {
	r := ring(f, 1)
	valid, err := r.Seal([]byte("ea"), place, seal.FirstKey, webhooktest.Random(2)) // the same in every worker
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{valid, "", "s1.first.", "s1.x.AAAA", "s1..", strings.ToUpper(valid)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := r.Open(text, place); err == nil && (text != valid || string(got) != "ea") {
			t.Errorf("%q opens as %q", text, got)
		}
	})
}

func FuzzDecodeRing(f *testing.F) {
	f.Add(ring(f, 1).Encode())
	f.Add([]byte(`{"keys":{"":{"key":"","since":"2026-01-01T00:00:00Z"}}}`))
	f.Fuzz(func(t *testing.T, stored []byte) {
		r, err := seal.DecodeRing(stored)
		if err != nil {
			return
		}
		if again, err := seal.DecodeRing(r.Encode()); err != nil || again.Newest(time.Now()) != r.Newest(time.Now()) {
			t.Errorf("a ring that was decoded is not decoded again: %v", err)
		}
	})
}
