package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/httpapi"
	"github.com/posthaste-dev/posthaste/pkg/trigger"
)

// gatewayCall is the part of a call that an attacker controls.
type gatewayCall struct {
	method, path, query, authorization, cookie, xsrf, app, accept, contentType, body string
}

// payload returns the call as API Gateway passes it to Lambda.
func (c gatewayCall) payload(t *testing.T) []byte {
	t.Helper()
	headers := map[string]string{"host": "hooks.example.com", "x-forwarded-proto": "https"}
	for name, value := range map[string]string{
		"authorization": c.authorization, "x-xsrf-token": c.xsrf, "so-apptoken": c.app, "accept": c.accept, "content-type": c.contentType,
	} {
		if value != "" {
			headers[name] = value
		}
	}
	event := map[string]any{
		"version": "2.0", "rawPath": c.path, "rawQueryString": c.query, "headers": headers,
		"body": base64.StdEncoding.EncodeToString([]byte(c.body)), "isBase64Encoded": true,
		"requestContext": map[string]any{"requestId": "r", "http": map[string]string{"method": c.method, "sourceIp": "192.0.2.7"}},
	}
	if c.cookie != "" {
		event["cookies"] = []string{c.cookie}
	}
	data, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// known reports whether a call carries the only valid credential.
func (c gatewayCall) known(credential string) bool {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(c.authorization), " ")
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	return err == nil && strings.EqualFold(scheme, "Basic") && string(decoded) == credential
}

// Whatever an attacker sends to the gateway, in the address, the query, the
// credentials or the body: the service never fails with an internal error, and
// without a credential it does nothing.
func FuzzGateway(f *testing.F) {
	const basic = "Basic dGplMDpUamUw"
	for _, seed := range []gatewayCall{
		{method: "GET", path: "/api/v1/Webhook", query: "nameFilter=a&eventFilter=contact.changed&statusFilter=Active&$top=1&$skip=1", authorization: basic},
		{method: "GET", path: "/api/v1/Webhook", query: "NAMEFILTER=%&statusFilter=5&$top=-1&$skip=99999999999", authorization: basic},
		{method: "GET", path: "/Default/api/v1/Webhook/1/", query: "$select=name,registeredAssociate/name", authorization: basic, accept: "text/xml;q=0.3,*/*"},
		{method: "POST", path: "/api/v1/Webhook", authorization: basic, contentType: "application/json", body: `{"Name":"n","Events":["a.b"],"TargetUrl":"https://192.0.2.1/","Secret":"ea"}`},
		{method: "POST", path: "/api/v1/Webhook/contact.changed/7", authorization: basic, contentType: "application/json", body: `{"name":"Blåbær"}`},
		{method: "POST", path: "/api/v1/Webhook/a.b/..", authorization: basic},
		{method: "PATCH", path: "/api/v1//Webhook/%2e%2e/1", authorization: basic},
		{method: "PATCH", path: "/api/v1/Webhook/1", authorization: basic, contentType: "application/json", body: `[{"op":"replace","path":"/Name","value":"x"}]`},
		{method: "POST", path: "/api/v1/Agents/Webhook/GetWebhook", query: "webhookid=1", authorization: "basic dGplMDpUamUw", body: "null"},
		{method: "POST", path: "/api/v1/Session", authorization: basic},
		{method: "GET", path: "/api/v1/Webhook", cookie: "posthaste_session=abc; XSRF-TOKEN=def", xsrf: "def"},
		{method: "GET", path: "/api/v1/Webhook", authorization: "Bearer 8A:Default.abc", app: "0123456789abcdef"},
		{method: "GET", path: "/admin/v1/Tenants", authorization: "SOTicket 7T:=="},
		{method: "GET", path: "/api/v1/Webhook", authorization: "Basic " + strings.Repeat("=", 100), cookie: strings.Repeat("a=b;", 100)},
		{method: "\x00", path: "\\", query: ";%zz&&&=", authorization: "\n", accept: ",;q=", contentType: "a/b; charset=\"", body: "\xff"},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.authorization, seed.cookie, seed.xsrf, seed.app, seed.accept, seed.contentType, seed.body)
	}
	dir := f.TempDir()
	cfg, err := config.LoadLocal(func(name string) (string, bool) {
		switch name {
		case "DATA_DIR":
			return dir, true
		case "ALLOW_PRIVATE_TARGETS":
			return "false", true
		}
		return "", false
	})
	if err != nil {
		f.Fatal(err)
	}
	parts, err := newParts(cfg, io.Discard)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = parts.db.Close() })
	handler := trigger.HTTP(parts.handler, httpapi.WriteError, "", slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, method, path, query, authorization, cookie, xsrf, app, accept, contentType, body string) {
		c := gatewayCall{method, path, query, authorization, cookie, xsrf, app, accept, contentType, body}
		folded := strings.ToLower(path)
		if strings.Contains(folded, "test") {
			return // it sends a POST, to wherever the body says
		}
		data, err := handler.Invoke(t.Context(), c.payload(t))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			StatusCode int
			Headers    map[string]string
			Body       string
		}
		if err := json.Unmarshal(data, &answer); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		if answer.StatusCode < 200 || answer.StatusCode >= 500 && answer.StatusCode != 508 {
			t.Errorf("%+v: got %d %s", c, answer.StatusCode, answer.Body)
		}
		for name, value := range answer.Headers {
			if strings.ContainsAny(name+value, "\r\n") {
				t.Errorf("%+v: the header %q is %q", c, name, value)
			}
		}
		open := strings.Contains(folded, "healthz") || strings.Contains(folded, "openapi.json") || strings.Contains(folded, "_receiver")
		if answer.StatusCode < 300 && !open && !c.known(cfg.FirstCredential.Reveal()) && !c.known(cfg.AdminCredential.Reveal()) {
			t.Errorf("%+v: got %d %s without a credential", c, answer.StatusCode, answer.Body)
		}
	})
}
