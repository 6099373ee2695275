package telemetry_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

func TestEmit_WritesOneEmbeddedMetricLine(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := telemetry.Metrics(&b).Emit(time.UnixMilli(1700000000123), map[string]string{"Stage": "dev"}, map[string]float64{"Late": 1, "Delivered": 2.5})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Delivered":2.5,"Late":1,"Stage":"dev","_aws":{"CloudWatchMetrics":[{"Namespace":"Posthaste","Dimensions":[["Stage"]],"Metrics":[{"Name":"Delivered"},{"Name":"Late"}]}],"Timestamp":1700000000123}}` + "\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestEmit_RefusesANameUsedTwice(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := telemetry.Metrics(&b).Emit(time.UnixMilli(0), map[string]string{"A": "x"}, map[string]float64{"A": 1}); err == nil || b.Len() > 0 {
		t.Errorf("error %v, wrote %q", err, b.String())
	}
}
