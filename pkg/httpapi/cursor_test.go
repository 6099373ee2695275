package httpapi_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestCursor_ReturnsItsFields(t *testing.T) {
	t.Parallel()
	for _, fields := range [][]string{{"a"}, {"", ""}, {`"`, "\x00", "Blåbær", "a,b"}} {
		got, err := httpapi.DecodeCursor("deliveries", "scope", httpapi.EncodeCursor("deliveries", "scope", fields...), len(fields))
		if err != nil || !slices.Equal(got, fields) {
			t.Errorf("fields %q are read as %q, %v", fields, got, err)
		}
	}
}

// Whatever a caller does to a cursor, it is a 400 that names the parameter.
func TestCursor_RefusesAllOthers(t *testing.T) {
	t.Parallel()
	scope := func(tenant webhook.Tenant, app string, id int32) string {
		return httpapi.CursorScope(webhook.Principal{Tenant: tenant, App: app}, id)
	}
	own := scope("Cust1", "app", 7)
	good := httpapi.EncodeCursor("deliveries", own, "x")
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	old := slices.Clone(raw)
	old[0]--
	broken := map[string]string{
		"of another kind":        httpapi.EncodeCursor("events", own, "x"),
		"of another webhook":     httpapi.EncodeCursor("deliveries", scope("Cust1", "app", 8), "x"),
		"of another tenant":      httpapi.EncodeCursor("deliveries", scope("Cust2", "app", 7), "x"),
		"of another app":         httpapi.EncodeCursor("deliveries", scope("Cust1", "other", 7), "x"),
		"of no app":              httpapi.EncodeCursor("deliveries", scope("Cust1", "", 7), "x"),
		"with more fields":       httpapi.EncodeCursor("deliveries", own, "x", "y"),
		"without fields":         httpapi.EncodeCursor("deliveries", own),
		"of another version":     base64.RawURLEncoding.EncodeToString(old),
		"with padding":           good + "=",
		"with a space":           good + " ",
		"in the other alphabet":  "+/" + good[2:],
		"too short":              good[:6],
		"empty":                  "",
		"an event id":            "0192aaaa-0000-7000-8000-000000000001",
		"longer than any cursor": strings.Repeat("A", 1<<20),
	}
	for at := range raw {
		changed := slices.Clone(raw)
		changed[at] ^= 1
		broken[fmt.Sprintf("changed at %d", at)] = base64.RawURLEncoding.EncodeToString(changed)
	}
	for what, cursor := range broken {
		_, err := httpapi.DecodeCursor("deliveries", own, cursor, 1)
		var invalid *webhook.ValidationError
		if !errors.As(err, &invalid) || invalid.Faults[0].Member != "cursor" || !strings.HasPrefix(err.Error(), "cursor must be ") {
			t.Errorf("a cursor %s: got %v", what, err)
		}
	}
}

// The scope joins its parts so that no scope can imitate another.
func TestCursor_ScopesAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, who := range []webhook.Principal{{Tenant: "a", App: "b"}, {Tenant: "a", App: `b",1`}, {Tenant: "a"}, {App: "a"}} {
		for _, id := range []int32{0, 1, 11} {
			seen[httpapi.CursorScope(who, id)] = true
		}
	}
	if len(seen) != 12 {
		t.Errorf("got %d scopes of 12 lists", len(seen))
	}
}
