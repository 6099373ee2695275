package telemetry_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// A terminal's log spans days.
func TestNewTextHandler_ShowsTheDate(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	record := slog.NewRecord(time.Date(2026, 11, 27, 9, 30, 0, 123, time.FixedZone("", 3600)), slog.LevelInfo, "request", 0)
	if err := telemetry.NewTextHandler(&b, slog.LevelInfo).Handle(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "time=2026-11-27T09:30:00+01:00 level=INFO msg=request\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An unused key on the list would let a value through unchecked.
func TestListed_KeysAreWritten(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, root := range []string{"../../pkg", "../../functions"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/telemetry/") {
				return err
			}
			text, err := os.ReadFile(path)
			source.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range telemetry.Keys {
		// As an argument of a log call: "key", value.
		if !strings.Contains(source.String(), `"`+key+`", `) {
			t.Errorf("no line has the key %q", key)
		}
	}
}
