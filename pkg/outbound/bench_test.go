package outbound_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(server.Close)
	b.Run("Sender", func(b *testing.B) {
		s := sender(b, nil)
		post := webhook.Post{Webhook: hook(server.URL), Event: event, Secrets: webhook.SecretDocument{Current: webhook.NewSecret("Super")}}
		b.ReportAllocs()
		for b.Loop() {
			if r := s.Send(context.Background(), post); r.Error != failure.None {
				b.Fatal(r.Error)
			}
		}
	})
	b.Run("bare net/http and HMAC", func(b *testing.B) {
		transport := &http.Transport{}
		b.Cleanup(transport.CloseIdleConnections)
		body := bytes.Repeat([]byte("x"), 300)
		b.ReportAllocs()
		for b.Loop() {
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, server.URL, bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			mac := hmac.New(sha256.New, []byte("Super"))
			mac.Write(body)
			req.Header.Set("X-SuperOffice-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
			resp, err := transport.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}
