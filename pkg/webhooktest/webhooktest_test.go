package webhooktest_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// judged is a testing.TB that counts failures instead of reporting them.
type judged struct {
	testing.TB
	failures int
}

func (j *judged) Helper()               {}
func (j *judged) Log(...any)            {}
func (j *judged) Errorf(string, ...any) { j.failures++ }

func TestLogger(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		log   func(*slog.Logger)
		fails bool
	}{
		{"listed keys", func(l *slog.Logger) { l.Info("sent", "webhook_id", 1, "host", "example.com") }, false},
		{"an unlisted key", func(l *slog.Logger) { l.Info("sent", "url", "x") }, true},
		{"an unlisted key added by With", func(l *slog.Logger) { l.With("url", "x").Info("sent") }, true},
		{"an unlisted group", func(l *slog.Logger) { l.WithGroup("g").Info("sent", "host", "x") }, true},
		{"a secret in a value", func(l *slog.Logger) { l.Info("sent", "error", "bad hu\"sh") }, true},
		{"a secret in the message", func(l *slog.Logger) { l.Info("hu\"sh") }, true},
		{"a secret that redacts itself", func(l *slog.Logger) { l.Info("sent", "error", webhook.NewSecret("hu\"sh")) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := &judged{TB: t}
			c.log(webhooktest.Logger(j, "hu\"sh"))
			if (j.failures > 0) != c.fails {
				t.Errorf("got %d failures, want failures: %v", j.failures, c.fails)
			}
		})
	}
}

func TestClockAndRandom(t *testing.T) {
	t.Parallel()
	start := time.Unix(1, 0)
	clock := webhooktest.NewClock(start)
	if got := clock.Advance(time.Second); !got.Equal(time.Unix(2, 0)) || !clock.Now().Equal(got) {
		t.Errorf("got clock at %s, want 2 s", got)
	}
	if clock.Set(start); !clock.Now().Equal(start) {
		t.Error("the clock was not set back")
	}
	read := func(seed uint64) []byte {
		b := make([]byte, 100)
		_, _ = io.ReadFull(webhooktest.Random(seed), b)
		return b
	}
	if !bytes.Equal(read(1), read(1)) || bytes.Equal(read(1), read(2)) {
		t.Error("the bytes do not depend on the seed alone")
	}
}

func TestReceiver_RespondsInTurn(t *testing.T) {
	t.Parallel()
	r := webhooktest.NewReceiver(t, webhooktest.Answer{Status: 503}, webhooktest.Answer{Body: "ok"})
	for _, want := range []int{503, 200, 200} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+"/a?b", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := new(http.Client).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("got status %d, want %d", resp.StatusCode, want)
		}
	}
	if got := r.Requests(); len(got) != 3 || got[0].URI != "/a?b" || string(got[0].Body) != "body" {
		t.Errorf("got requests %v", got)
	}
}
