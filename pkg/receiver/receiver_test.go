package receiver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/receiver"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func call(r http.Handler, method, url, body string, header http.Header) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, url, strings.NewReader(body))
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

func TestReceiver_DropsTheOldestWhenFull(t *testing.T) {
	t.Parallel()
	r := &receiver.Receiver{Now: func() time.Time { return at }}
	post := func(path string, n int) {
		if got := call(r, "POST", "http://127.0.0.1:8080/_receiver/"+path, strings.Repeat("b", n), http.Header{"X-Large": {strings.Repeat("h", n/4)}}); got.Code != 200 {
			t.Fatalf("got %d", got.Code)
		}
	}
	post("first", 1)
	for range 40 {
		post("large", 1<<20)
	}
	post("last", 1)
	size := 0
	all := r.All()
	for _, got := range all {
		size += len(got.Body) + len(got.Headers.Get("X-Large"))
	}
	if size > 16<<20 || size < 8<<20 {
		t.Errorf("%d bytes recorded, want up to 16 MiB", size)
	}
	if !strings.HasSuffix(all[len(all)-1].Path, "/last") || strings.HasSuffix(all[0].Path, "/first") {
		t.Errorf("recorded %s to %s, want the newest", all[0].Path, all[len(all)-1].Path)
	}
	r.Empty()
	for range 1010 {
		post("small", 1)
	}
	if n := len(r.All()); n != 1000 {
		t.Errorf("%d recorded, want 1,000", n)
	}
}

func TestReceiver_Verdicts(t *testing.T) {
	t.Parallel()
	const body, url = `{"a":1}`, "http://127.0.0.1:8080/_receiver/in?x=1"
	standard, err := signature.Standard("id", at, []byte(body), "Super")
	if err != nil {
		t.Fatal(err)
	}
	signed := http.Header{
		"X-SuperOffice-Signature": {signature.SuperOffice("Super", []byte(body))}, "webhook-id": {"id"},
		"webhook-timestamp": {"1767323045"}, "webhook-signature": {standard},
	}
	for _, c := range []struct {
		name    string
		header  http.Header
		secrets []string
		want    [2]receiver.Verdict
	}{
		{"no signature", nil, []string{"Super"}, [2]receiver.Verdict{receiver.Absent, receiver.Absent}},
		{"right, with the second secret", signed, []string{"other", "Super"}, [2]receiver.Verdict{receiver.Valid, receiver.Valid}},
		{"wrong secret", signed, []string{"other"}, [2]receiver.Verdict{receiver.Invalid, receiver.Invalid}},
		{"an unknown URL", signed, nil, [2]receiver.Verdict{receiver.Invalid, receiver.Invalid}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked string
			r := &receiver.Receiver{Now: func() time.Time { return at }, Secrets: func(_ context.Context, url string) (list []webhook.Secret) {
				asked = url
				for _, s := range c.secrets {
					list = append(list, webhook.NewSecret(s))
				}
				return list
			}}
			if w := call(r, "POST", url, body, c.header); w.Code != 200 {
				t.Fatalf("status %d", w.Code)
			}
			if asked != url {
				t.Errorf("requested secrets of %s", asked)
			}
			var shown struct{ Received []receiver.Received }
			if err := json.Unmarshal(call(r, "GET", "/_receiver", "", nil).Body.Bytes(), &shown); err != nil || len(shown.Received) != 1 {
				t.Fatalf("%v, %v", shown, err)
			}
			got := shown.Received[0]
			if diff := cmp.Diff(c.want, [2]receiver.Verdict{got.SuperOffice, got.StandardWebhooks}); diff != "" {
				t.Error(diff)
			}
			if got.Body != body || got.Path != "/_receiver/in?x=1" || !got.At.Equal(at) {
				t.Errorf("recorded %+v", got)
			}
		})
	}
}

func TestReceiver_Answers(t *testing.T) {
	t.Parallel()
	r := &receiver.Receiver{Now: func() time.Time { return at }}
	for _, c := range []struct {
		name, method, url, body string
		want                    int
	}{
		{"another status", "POST", "/_receiver?status=503", "", 503},
		{"no such status", "POST", "/_receiver?status=100", "", 400},
		{"too long a delay", "POST", "/_receiver?delay=31s", "", 400},
		{"too large", "POST", "/_receiver", strings.Repeat("x", 1<<20+1), 413},
		{"another path", "POST", "/_receivers", "", 404},
		{"another method", "PUT", "/_receiver", "", 405},
		{"emptied", "DELETE", "/_receiver", "", 204},
	} {
		if w := call(r, c.method, c.url, c.body, nil); w.Code != c.want {
			t.Errorf("%s: status %d, want %d", c.name, w.Code, c.want)
		}
	}
	if got := strings.TrimSpace(call(r, "GET", "/_receiver", "", nil).Body.String()); got != `{"Received":[]}` {
		t.Errorf("after emptying: %s", got)
	}
}

func TestReceiver_AnswersLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		call(&receiver.Receiver{Now: time.Now}, "POST", "/_receiver?delay=2s", "", nil)
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestReceiver_KeepsTheLatestThousand(t *testing.T) {
	t.Parallel()
	r := &receiver.Receiver{Now: func() time.Time { return at }}
	var group sync.WaitGroup
	for range 1001 {
		group.Go(func() { call(r, "POST", "/_receiver", "early", nil) })
	}
	group.Wait()
	call(r, "POST", "/_receiver", "last", nil)
	if all := r.All(); len(all) != 1000 || all[999].Body != "last" {
		t.Errorf("%d kept", len(all))
	}
}
