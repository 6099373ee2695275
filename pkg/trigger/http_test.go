package trigger_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "events", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// answer is the response as API Gateway reads it.
type answer struct {
	StatusCode      int
	Headers         map[string]string
	Cookies         []string
	Body            string
	IsBase64Encoded bool
}

func invoke(t *testing.T, payload []byte, h http.HandlerFunc) answer {
	t.Helper()
	data, err := trigger.HTTP(h, httpapi.WriteError, "", slog.New(slog.DiscardHandler)).Invoke(t.Context(), payload)
	if err != nil {
		t.Fatal(err)
	}
	var got answer
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestHTTP_ShowsTheRequestAsItWasMade(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, event string
		check       func(r *http.Request, body string) (got, want any)
	}{
		{"method, path and body", "api/post-webhook", func(r *http.Request, body string) (any, any) {
			return fmt.Sprint(r.Method, " ", r.URL.Path, " ", strings.Contains(body, "Something Super Secret"), " ", r.ContentLength == int64(len(body))),
				"POST /api/v1/Webhook true true"
		}},
		{"a body in base64 is decoded", "api/post-webhook-base64", func(_ *http.Request, body string) (any, any) {
			return strings.HasPrefix(body, `{"Name": "Send changes`), true
		}},
		{"text that is not ASCII", "api/signal", func(_ *http.Request, body string) (any, any) {
			return body, `{"name":"Blåbær AS","category_idx":3}`
		}},
		{"host, caller, encryption and request id", "api/get-default", func(r *http.Request, _ string) (any, any) {
			return fmt.Sprint(r.Host, " ", r.Header.Get("Host"), " ", r.RemoteAddr, " ", r.TLS != nil, " ", trigger.RequestID(r.Context())),
				"abcde12345.execute-api.eu-north-1.amazonaws.com  192.0.2.7:0 true JKJaXmPLvHcESHA="
		}},
		{"query", "api/list", func(r *http.Request, _ string) (any, any) {
			return r.URL.Query().Get("name") + r.URL.Query().Get("$top"), "a&b10"
		}},
		{"cookies come as one header", "api/list", func(r *http.Request, _ string) (any, any) {
			b, err := r.Cookie("b")
			if err != nil {
				return err, nil
			}
			return r.Header.Get("Cookie") + " " + b.Value, "a=1; b=2 2"
		}},
		{"a value is not split at commas", "api/list", func(r *http.Request, _ string) (any, any) {
			return r.Header.Values("X-List"), []string{"one,two"}
		}},
		{"a decoded path is not decoded again", "api/percent-in-path", func(r *http.Request, _ string) (any, any) {
			return r.URL.Path, "/api/v1/Webhook/50% off/a%2Fb"
		}},
		{"who signed a call with AWS credentials", "api/signed-by-iam", func(r *http.Request, _ string) (any, any) {
			return r.Method + " " + r.URL.Path + " " + trigger.SignedBy(r.Context()),
				"POST /api/v1/Webhook/contact.changed/7 arn:aws:sts::123456789012:assumed-role/publisher/session"
		}},
		{"a signature that the gateway did not verify is ignored", "api/list", func(r *http.Request, _ string) (any, any) {
			return trigger.SignedBy(r.Context()), ""
		}},
		{"a credential", "api/list", func(r *http.Request, _ string) (any, any) {
			user, _, ok := r.BasicAuth()
			return fmt.Sprint(user, ok), "tje0true"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			called := false
			invoke(t, fixture(t, tt.event), func(_ http.ResponseWriter, r *http.Request) {
				called = true
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got, want := tt.check(r, string(body))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
			if !called {
				t.Error("the handler was not called")
			}
		})
	}
}

func TestHTTP_RoutesOfServeMuxSeeSegments(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/Webhook/{a}/{b}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.PathValue("a")+"|"+r.PathValue("b"))
	})
	if got := invoke(t, fixture(t, "api/percent-in-path"), mux.ServeHTTP).Body; got != "50% off|a%2Fb" {
		t.Errorf("got %q", got)
	}
}

func TestHTTP_Answers(t *testing.T) {
	t.Parallel()
	binary := string([]byte{0xff, 0, 1})
	tests := []struct {
		name   string
		handle http.HandlerFunc
		want   answer
	}{
		{"an empty response is a 200", func(http.ResponseWriter, *http.Request) {}, answer{StatusCode: 200, Headers: map[string]string{}}},
		{"status, headers, text", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Add("X-Two", "1")
			w.Header().Add("X-Two", "2")
			w.WriteHeader(201)
			w.WriteHeader(500)
			w.Header().Set("X-Late", "1")
			fmt.Fprint(w, `{"a":"æ"}`)
		}, answer{StatusCode: 201, Headers: map[string]string{"content-type": "application/json", "x-two": "1, 2"}, Body: `{"a":"æ"}`}},
		{"Set-Cookie headers are not joined", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "a=1, 2")
			w.Header().Add("Set-Cookie", "b=3")
			w.WriteHeader(204)
		}, answer{StatusCode: 204, Headers: map[string]string{}, Cookies: []string{"a=1, 2", "b=3"}}},
		{"invalid UTF-8 is sent as base64", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			fmt.Fprint(w, binary)
		}, answer{
			StatusCode: 200, Headers: map[string]string{"content-type": "application/octet-stream"},
			Body: base64.StdEncoding.EncodeToString([]byte(binary)), IsBase64Encoded: true,
		}},
		{"a missing content type is detected", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hi") }, answer{
			StatusCode: 200, Headers: map[string]string{"content-type": "text/plain; charset=utf-8"}, Body: "hi",
		}},
		{"a response over 6 MB is our 500", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(`"`, 3<<20)) }, answer{
			StatusCode: 500, Headers: map[string]string{"content-type": "application/json; charset=utf-8", "cache-control": "no-store"},
			Body: `{"Error":true,"ErrorType":"SoServerException","ErrorMessage":"The response exceeds the limit of 6 MB; request less","ErrorSource":"Posthaste","Message":"The response exceeds the limit of 6 MB; request less"}`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, invoke(t, fixture(t, "api/get-default"), tt.handle)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHTTP_APanicFailsTheInvocation(t *testing.T) {
	t.Parallel()
	h := trigger.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		panic("boom")
	}), httpapi.WriteError, "", slog.New(slog.DiscardHandler))
	if got := answers(t, h, fixture(t, "api/get-default")); got != "error: panic: boom" {
		t.Errorf("got %s", got)
	}
}

func TestHTTP_InvalidBase64Is400(t *testing.T) {
	t.Parallel()
	payload := []byte(`{"rawPath": "/", "body": "%%%", "isBase64Encoded": true, "requestContext": {"http": {"method": "POST"}}}`)
	got := invoke(t, payload, func(http.ResponseWriter, *http.Request) { t.Error("the handler was called") })
	if got.StatusCode != 400 || !strings.Contains(got.Body, `"ErrorSource":"Posthaste"`) {
		t.Errorf("got %+v", got)
	}
}

func TestHTTP_LeavesTimeToRespond(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(time.Minute)
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	h := trigger.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if deadline, ok := r.Context().Deadline(); !ok || !deadline.Equal(end.Add(-500*time.Millisecond)) {
			t.Errorf("the handler's deadline is %v, the invocation's %v", deadline, end)
		}
	}), httpapi.WriteError, "", slog.New(slog.DiscardHandler))
	if _, err := h.Invoke(ctx, fixture(t, "api/get-default")); err != nil {
		t.Fatal(err)
	}
}

// Whatever the query holds reaches the API undecoded: a filter that is dropped
// lists everything.
func TestHTTP_PassesTheQueryOnAsItIs(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"nameFilter=no;such", "nameFilter=50%", "%zz", "a=%E5&&=;", "a+b=%2B%26"} {
		payload, err := json.Marshal(map[string]any{"rawPath": "/api/v1/Webhook", "rawQueryString": query})
		if err != nil {
			t.Fatal(err)
		}
		got := invoke(t, payload, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.RawQuery) })
		if got.Body != query {
			t.Errorf("%q: got %q", query, got.Body)
		}
	}
}

// The base path of a custom domain must not pass for a tenant: it is removed from calls to
// PUBLIC_URL's host, before the prefix of signed calls is.
func TestHTTP_RemovesTheBasePathOfPublicURL(t *testing.T) {
	t.Parallel()
	const own, other = "Hooks.example.com", "abc.execute-api.eu-west-1.amazonaws.com"
	for _, c := range []struct{ public, host, path, signer, want string }{
		{"https://hooks.example.com/api", own, "/api/api/v1/Webhook", "", "/api/v1/Webhook"},
		{"https://hooks.example.com/api", own, "/api", "", "/"},
		{"https://hooks.example.com/api/", own, "/api/healthz", "", "/healthz"},
		{"https://hooks.example.com/a/b", own, "/a/b/aws/api/v1/Webhook", "arn:aws:sts::1:assumed-role/r/s", "/api/v1/Webhook"},
		{"https://hooks.example.com/api", own, "/apiary", "", "/apiary"},
		{"https://hooks.example.com/api", other, "/api/v1/Webhook", "", "/api/v1/Webhook"},
		{"https://hooks.example.com", own, "/api/v1/Webhook", "", "/api/v1/Webhook"},
		{"", other, "/api/v1/Webhook", "", "/api/v1/Webhook"},
	} {
		payload, err := json.Marshal(map[string]any{
			"rawPath": c.path, "headers": map[string]string{"host": c.host},
			"requestContext": map[string]any{"authorizer": map[string]any{"iam": map[string]any{"userArn": c.signer}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got string
		h := trigger.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.URL.Path }), httpapi.WriteError, c.public, slog.New(slog.DiscardHandler))
		if _, err := h.Invoke(t.Context(), payload); err != nil || got != c.want {
			t.Errorf("PUBLIC_URL %q, call of https://%s%s: got %s, want %s (%v)", c.public, c.host, c.path, got, c.want, err)
		}
	}
}
