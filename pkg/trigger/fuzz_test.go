package trigger_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

// Every payload of the gateway gets a response, or is rejected as not being a
// call.
func FuzzHTTP(f *testing.F) {
	for _, name := range []string{"api/post-webhook", "api/post-webhook-base64", "api/signal", "api/list", "api/get-default"} {
		f.Add(fixture(f, name))
	}
	for _, seed := range []string{`{}`, `null`, `[]`, `{"isBase64Encoded":true,"body":"%"}`, `{"headers":{"\n":"\r"},"rawPath":"%","cookies":["",";"]}`} {
		f.Add([]byte(seed))
	}
	handler := trigger.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = r.Cookie("a")
		_ = r.URL.Query()
		_, _ = io.Copy(w, r.Body)
	}), httpapi.WriteError, "", slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, payload []byte) {
		data, err := handler.Invoke(t.Context(), payload)
		if err != nil {
			return
		}
		var got answer
		if err := json.Unmarshal(data, &got); err != nil || got.StatusCode != http.StatusOK && got.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: got %s (%v)", payload, data, err)
		}
	})
}
