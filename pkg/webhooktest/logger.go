package webhooktest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/telemetry"
)

// Logger returns a logger that writes to the test's own log. It fails the test
// on a key that is not on the module's list, or if one of the secrets appears
// in a record's message or values.
func Logger(t testing.TB, secrets ...string) *slog.Logger {
	t.Helper()
	return slog.New(&handler{t: t, secrets: secrets})
}

type handler struct {
	t       testing.TB
	secrets []string
	attrs   []slog.Attr
	groups  []string
}

func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = append(append([]slog.Attr(nil), h.attrs...), h.nest(attrs)...)
	return &next
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.groups = append(append([]string(nil), h.groups...), name)
	return &next
}

// nest puts attributes into the open groups.
func (h *handler) nest(attrs []slog.Attr) []slog.Attr {
	for i := len(h.groups) - 1; i >= 0; i-- {
		attrs = []slog.Attr{{Key: h.groups[i], Value: slog.GroupValue(attrs...)}}
	}
	return attrs
}

func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	h.t.Helper()
	var own []slog.Attr
	record.Attrs(func(a slog.Attr) bool { own = append(own, a); return true })
	attrs := append(append([]slog.Attr(nil), h.attrs...), h.nest(own)...)
	for _, a := range attrs {
		h.checkKey(a)
	}
	// slog's two handlers resolve values differently, so a secret may appear in the
	// output of only one of them.
	var text, object bytes.Buffer
	all := &slog.HandlerOptions{Level: slog.Level(-128)}
	plain := slog.NewRecord(record.Time, record.Level, record.Message, 0)
	plain.AddAttrs(attrs...)
	if err := slog.NewTextHandler(&text, all).Handle(ctx, plain); err != nil {
		return err
	}
	if err := slog.NewJSONHandler(&object, all).Handle(ctx, plain); err != nil {
		return err
	}
	shown := text.String() + object.String()
	for _, secret := range h.secrets {
		quoted, err := json.Marshal(secret)
		if err != nil {
			return err
		}
		if secret != "" && (strings.Contains(shown, secret) || strings.Contains(shown, string(quoted[1:len(quoted)-1]))) {
			h.t.Errorf("a secret was logged in the record %q", record.Message)
			return nil // without logging the record
		}
	}
	h.t.Log(strings.TrimSpace(text.String()))
	return nil
}

func (h *handler) checkKey(a slog.Attr) {
	h.t.Helper()
	value := a.Value.Resolve()
	if a.Key != "" && !telemetry.Listed(a.Key) {
		h.t.Errorf("log key %q is not on the list", a.Key)
	}
	if value.Kind() == slog.KindGroup {
		for _, inner := range value.Group() {
			h.checkKey(inner)
		}
	}
}
