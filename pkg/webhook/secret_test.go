package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestSecret_IsNeverPrinted(t *testing.T) {
	t.Parallel()
	const text = "tråd-og-nål"
	secret := webhook.NewSecret(text)
	holder := struct {
		Secret  webhook.Secret
		Pointer *webhook.Secret
		Map     map[string]webhook.Secret
	}{secret, &secret, map[string]webhook.Secret{"a": secret}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%5.2f"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", secret, holder)
	}
	fmt.Fprintln(&out, fmt.Sprint(secret), slog.AnyValue(secret).String())
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", secret, "holder", holder)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", secret, "holder", holder)
	if err := json.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%d", []byte(text)), "tr\\u00e5d"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the secret is printed as %q in:\n%s", form, out.String())
		}
	}
	if secret.Reveal() != text {
		t.Error("Reveal does not return the secret")
	}
}

func TestSecretDocument_RoundTrip(t *testing.T) {
	t.Parallel()
	docs := map[string]webhook.SecretDocument{
		"empty":   {},
		"current": {Current: webhook.NewSecret("ea")},
		"all": {
			Current: webhook.NewSecret("nøkkel ✓ <&>"), Previous: webhook.NewSecret("old"),
			PreviousUntil: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC),
			Headers:       map[string]webhook.Secret{"Authorization": webhook.NewSecret("Bearer x")},
		},
	}
	for name, doc := range docs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := webhook.DecodeSecretDocument(webhook.EncodeSecretDocument(doc))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(doc, got, cmp.AllowUnexported(webhook.Secret{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := webhook.DecodeSecretDocument(webhook.NewSecret(`{"current":"hush`)); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v, want an error that does not quote the input", err)
	}
}
