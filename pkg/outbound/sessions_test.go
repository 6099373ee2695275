package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// resumed reports for each of two connections whether it resumed a TLS session,
// and the bytes cached afterwards. The target's certificate chain repeats its
// certificate the given number of times.
func resumed(t *testing.T, certificates int) (connections []bool, s *Sender) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections = append(connections, r.TLS.DidResume)
		w.Header().Set("Connection", "close")
	}))
	server.StartTLS()
	t.Cleanup(server.Close)
	chain := &server.TLS.Certificates[0]
	for len(chain.Certificate) < certificates {
		chain.Certificate = append(chain.Certificate, chain.Certificate[0])
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	s, err := New(Config{AllowPrivate: true, RootCAs: roots, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		post := webhook.Post{Webhook: webhook.Webhook{TargetURL: server.URL}, Event: webhook.Event{Name: "a.b"}}
		if result := s.Send(t.Context(), post); result.Error != failure.None {
			t.Fatalf("got %+v", result)
		}
	}
	return connections, s
}

func TestSessions_OfOrdinarySizeAreResumed(t *testing.T) {
	t.Parallel()
	if got, _ := resumed(t, 4); fmt.Sprint(got) != "[false true]" {
		t.Errorf("resumed %v, want the second connection to be", got)
	}
}

func TestSessions_OfHostileSizeAreNotRemembered(t *testing.T) {
	t.Parallel()
	got, s := resumed(t, 200)
	if fmt.Sprint(got) != "[false false]" {
		t.Errorf("resumed %v, want neither: a session of 200 certificates is too large", got)
	}
	held := s.sessions.held.Bytes()
	if held != 0 {
		t.Errorf("%d bytes are cached", held)
	}
}

func TestSessions_AreBoundedInBytes(t *testing.T) {
	t.Parallel()
	_, s := resumed(t, 4)
	one, ok := s.sessions.Get("127.0.0.1")
	if !ok {
		t.Fatal("no session is cached")
	}
	for n := range 20_000 {
		s.sessions.Put(fmt.Sprintf("h%d.example.com", n), one)
	}
	if got := s.sessions.held.Bytes(); got > maxSessionBytes || got < maxSessionBytes/2 {
		t.Errorf("sessions take %d bytes, want up to %d", got, maxSessionBytes)
	}
	s.sessions.Put("h19999.example.com", nil)
	if _, ok := s.sessions.Get("h19999.example.com"); ok {
		t.Error("a removed session is still cached")
	}
	var _ tls.ClientSessionCache = s.sessions
}
