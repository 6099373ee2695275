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

	"github.com/posthaste-dev/posthaste/pkg/outbound"
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
			asked := false
			r := &receiver.Receiver{Now: func() time.Time { return at }, Secrets: func(_ context.Context, hit func(string) bool) (list []webhook.Secret) {
				asked = hit(url) && !hit(url+"2")
				for _, s := range c.secrets {
					list = append(list, webhook.NewSecret(s))
				}
				return list
			}}
			if w := call(r, "POST", url, body, c.header); w.Code != 200 {
				t.Fatalf("status %d", w.Code)
			}
			if asked != (c.header != nil) { // an unsigned POST needs none
				t.Errorf("requested secrets of this URL: %v", asked)
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

// A request is of the webhook whose TargetUrl leads to it, however that is
// spelled: its signature is right.
func TestReceiver_KnowsATargetInAnySpelling(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, host string // of the request
		same      []string
		other     []string
	}{
		{
			"/_receiver", "127.0.0.1:8080",
			[]string{
				"http://127.0.0.1:8080/_receiver", "HTTP://127.0.0.1:8080/_receiver", "http://localhost:8080/_receiver", "http://LocalHost.:8080/_receiver",
				"http://[::1]:8080/_receiver", "http://127.0.0.2:8080/_receiver", "http://127.0.0.1:08080/_receiver", "http://127.0.0.1:8080/%5Freceiver",
				" http://127.0.0.1:8080/_receiver ", "http://127.0.0.1:8080/_receiver?", "https://127.0.0.1:8080/_receiver",
			},
			[]string{
				"http://127.0.0.1:8081/_receiver", "http://127.0.0.1/_receiver", "http://example.com:8080/_receiver", "http://127.0.0.1:8080/_receiver/", "http://127.0.0.1:8080/_Receiver",
				"http://127.0.0.1:8080/_receiver?a", "http://127.0.0.1:8080%/_receiver", "", "x",
			},
		},
		{
			"/_receiver/bl%C3%A5%2fb%C3%A6r?q=two%20words&e=a+b%2B%3d", "tunnel.example",
			[]string{
				"https://tunnel.example/_receiver/blå%2fbær?q=two words&e=a+b%2B%3d", "https://TUNNEL.example.:443/_receiver/%62l%c3%a5%2Fbær?%71=two%20words&e=a+b%2b%3D",
				"http://tunnel.example:80/_receiver/blå%2fbær?q=two words&e=a+b%2B%3d",
			},
			[]string{
				"https://tunnel.example/_receiver/blå/bær?q=two words&e=a+b%2B%3d", "https://tunnel.example/_receiver/blå%2fbær?q=two words&e=a+b+%3d",
				"https://tunnel.example/_receiver/blå%2fbær?q=two words&e=a+b%2B=", "https://other.example/_receiver/blå%2fbær?q=two words&e=a+b%2B%3d",
			},
		},
		{"/_receiver/100%25", "xn--blbr-roah.example", []string{"https://blåbær.example/_receiver/100%", "https://blåbær.example/_receiver/100%25"}, nil},
	} {
		guard, err := outbound.NewGuard(outbound.Config{AllowPrivate: true})
		if err != nil {
			t.Fatal(err)
		}
		r := &receiver.Receiver{Now: func() time.Time { return at }, SeenHost: guard.CheckHost, Secrets: func(_ context.Context, hit func(string) bool) []webhook.Secret {
			for _, target := range c.same {
				if !hit(target) {
					t.Errorf("%s does not lead to %s%s", target, c.host, c.url)
				}
			}
			for _, target := range c.other {
				if hit(target) {
					t.Errorf("%s leads to %s%s", target, c.host, c.url)
				}
			}
			return nil
		}}
		if got := call(r, "POST", "http://"+c.host+c.url, "", http.Header{"webhook-signature": {"v1,x"}}); got.Code != 200 {
			t.Errorf("%s: got %d", c.url, got.Code)
		}
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
		{"a status with a semicolon", "POST", "/_receiver?status=503;delay=1s", "", 400},
		{"a status with a bad escape", "POST", "/_receiver?status=503%zz", "", 400},
		{"two statuses", "POST", "/_receiver?status=503&status=200", "", 400},
		{"an escaped status", "POST", "/_receiver?status=%35%30%33", "", 503},
		{"a query of the target's own", "POST", "/_receiver?token=a;b&x=%zz&status=503", "", 503},
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
