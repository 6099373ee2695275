package telemetry_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/telemetry"
)

func TestHandlers_LeaveOutUnlistedKeys(t *testing.T) {
	t.Parallel()
	for name, create := range map[string]func(*bytes.Buffer) slog.Handler{
		"JSON": func(b *bytes.Buffer) slog.Handler { return telemetry.NewHandler(b, slog.LevelInfo) },
		"text": func(b *bytes.Buffer) slog.Handler { return telemetry.NewTextHandler(b, slog.LevelInfo) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			l := slog.New(create(&b)).With("password", "hunter2")
			l.Info("saved", "tenant", "Default", "body", "hunter2", slog.Group("event", "user", "hunter2"))
			l.Debug("quiet", "tenant", "hunter2")
			if got := b.String(); strings.Contains(got, "hunter2") || !strings.Contains(got, "Default") || strings.Count(got, "\n") != 1 {
				t.Errorf("got %s", got)
			}
		})
	}
}

// The template's metric filters rely on these names and this spelling of the
// level.
func TestNewHandler_NamesLevelAndMessage(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slog.New(telemetry.NewHandler(&b, slog.LevelInfo)).Error("stuck")
	if got := b.String(); !strings.Contains(got, `"level":"ERROR","msg":"stuck"`) {
		t.Errorf("got %s", got)
	}
}
