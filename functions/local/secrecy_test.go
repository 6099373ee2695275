package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/auth"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// capture is a local run with all of its output.
type capture struct {
	*started
	mu sync.Mutex
	// secrets are strings that must not appear in the output, by what they are.
	secrets map[string]string
	// answers are the responses, without the secrets that the call itself set and
	// may see.
	answers []string
}

func (c *capture) keep(what, secret string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[what] = secret
	return secret
}

// ask makes a call and stores its response, without the strings it may show.
func (c *capture) ask(method, path, body string, want int, header []string, may ...string) (http.Header, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != want {
		c.t.Fatalf("%s %s: got %d %s, want %d", method, path, resp.StatusCode, answer, want)
	}
	shown := fmt.Sprintf("%s %s: %v %s", method, path, resp.Header, answer)
	for _, secret := range may {
		shown = strings.ReplaceAll(shown, secret, "…")
	}
	c.answers = append(c.answers, shown)
	return resp.Header, answer
}

func basic(credential string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(credential))
}

// made creates a credential, whose secret only the response to that call may show.
func (c *capture) made(admin, kind, app string) string {
	c.t.Helper()
	_, answer := c.ask("POST", "/admin/v1/Tenants/Cust1/Credentials",
		fmt.Sprintf(`{"Kind":%q,"User":"anna","App":%q,"Scopes":["webhooks","events"]}`, kind, app), 201, []string{admin})
	var credential struct{ Secret string }
	if err := json.Unmarshal(answer, &credential); err != nil || len(credential.Secret) < 32 {
		c.t.Fatalf("%s: got a secret of %d characters, %v", kind, len(credential.Secret), err)
	}
	last := len(c.answers) - 1
	c.answers[last] = strings.ReplaceAll(c.answers[last], credential.Secret, "…")
	return c.keep(kind, credential.Secret)
}

// lastEvent returns the id of the event that the last call created.
func (c *capture) lastEvent() webhook.EventID {
	_, id, _ := strings.Cut(c.answers[len(c.answers)-1], "Eventid:[")
	id, _, _ = strings.Cut(id, "]")
	return webhook.EventID(id)
}

// TestSecretsStaySecret uses every feature once and searches all output for
// secrets: log lines, rows, responses, errors.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const (
		first, administrator    = "first-credential-f00d", "administrator-c0ffee"
		signing, rotated, later = "signing-secret-a11ce", "rotated-secret-b0b", "lost-secret-deed"
		headerValue             = "header-value-5eed"
		targetPath              = "/target-path-ca5e?query=target-query-ace"
	)
	c := &capture{secrets: map[string]string{
		"first credential": first, "administrator's password": administrator, "signing secret": signing,
		"rotated secret": rotated, "refused secret": later, "header value": headerValue,
	}}
	delivered := make(chan struct{}, 100)
	refuse := true
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-SuperOffice-Signature", "Webhook-Signature"} {
			for i, value := range r.Header.Values(name) {
				for j, signature := range strings.Fields(value) {
					c.keep(fmt.Sprint("signature ", name, r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp"), i, j, len(signature)), strings.TrimPrefix(signature, "v1,"))
				}
			}
		}
		c.mu.Lock()
		refusing := refuse && r.Header.Get("X-SuperOffice-Event") != "test"
		refuse = refuse && !refusing
		c.mu.Unlock()
		if refusing { // and returns all of the request's headers
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, r.Header)
			return
		}
		delivered <- struct{}{}
	}))
	defer target.Close()

	dir := t.TempDir()
	c.started = start(t, dir, map[string]string{
		"FIRST_CREDENTIAL": "tje0:" + first, "ADMIN_CREDENTIAL": "admin:" + administrator, "TARGET_CHECK": "require", "LOG_LEVEL": "debug",
	})
	admin := basic("admin:" + administrator)
	c.ask("POST", "/admin/v1/Tenants", `{"Name":"Cust1"}`, 201, []string{admin})
	password, ticket := c.made(admin, "basic", ""), "Authorization: SOTicket "+c.made(admin, "ticket", "")
	bearer, app := "Authorization: Bearer "+c.made(admin, "bearer", "crm"), "SO-AppToken: "+c.made(admin, "app", "crm")
	c.keep("first credential in base64", base64.StdEncoding.EncodeToString([]byte("tje0:"+first)))
	c.keep("basic in base64", base64.StdEncoding.EncodeToString([]byte("anna:"+password)))

	body := func(secret string) string {
		return fmt.Sprintf(`{"Name":"n","Events":["contact.changed"],"TargetUrl":%q,"Secret":%q,"Headers":{"Authorization":%q}}`, target.URL+targetPath, secret, headerValue)
	}
	// Only the webhook's owner may see its URL.
	url, value := target.URL+targetPath, headerValue
	c.ask("POST", "/api/v1/Webhook", body(signing), 200, []string{ticket, app}, signing, value, url)
	for _, header := range [][]string{{ticket}, {bearer}, {basic("anna:" + password)}} {
		c.ask("GET", "/api/v1/Webhook", "", 200, header, url)
		c.ask("GET", "/api/v1/Webhook/1", "", 200, header, url)
	}
	c.ask("PUT", "/api/v1/Webhook/1", body(rotated), 200, []string{bearer}, rotated, value, url)
	c.ask("PUT", "/api/v1/Webhook/1", strings.Replace(body(later), target.URL, "http://127.0.0.1:1", 1), 400, []string{bearer})
	c.ask("PUT", "/api/v1/Webhook/1", strings.Replace(body(later), `"n"`, `7`, 1), 400, []string{bearer})
	c.ask("PATCH", "/api/v1/Webhook/1", `[{"op":"test","path":"/Secret","value":"`+rotated+`"}]`, 400, []string{bearer})
	c.ask("POST", "/api/v1/Webhook/Test", body(signing), 200, []string{bearer})

	h, _ := c.ask("POST", "/api/v1/Session", "", 204, []string{ticket})
	for i, cookie := range (&http.Response{Header: h}).Cookies() {
		last := len(c.answers) - 1
		c.answers[last] = strings.ReplaceAll(c.answers[last], cookie.Value, "…")
		c.keep(fmt.Sprint("cookie ", i), cookie.Value)
	}
	session := []string{"Cookie: " + auth.SessionCookie + "=" + c.secrets["cookie 0"], "X-XSRF-TOKEN: " + c.secrets["cookie 1"]}
	c.ask("POST", "/api/v1/Webhook/contact.changed/7", `{"name":"x"}`, 204, session)
	for deadline := time.After(30 * time.Second); ; { // pings, then the retry
		select {
		case <-delivered:
		case <-deadline:
			t.Fatal("not delivered")
		}
		c.mu.Lock()
		refused := !refuse
		c.mu.Unlock()
		if refused {
			break
		}
	}
	c.ask("GET", "/api/v1/Webhook/1/LastError", "", 200, []string{ticket})
	c.ask("GET", "/api/v1/Webhook/1", "", 401, session[:1])
	c.ask("GET", "/api/v1/Webhook", "", 401, []string{basic("tje0:" + later)})
	c.ask("GET", "/api/v1/Webhook", "", 403, []string{ticket, "SO-AppToken: " + c.keep("a wrong token", "wrong-token-7e57")})
	c.ask("GET", "/api/v1/Webhook", "", 403, []string{admin})
	c.ask("GET", "/admin/v1/Tenants/Cust1/Credentials", "", 200, []string{admin})
	c.ask("GET", "/admin/v1/Tenants", "", 403, []string{basic("tje0:" + first)})
	// Next, a failed attempt, whose response is stored in the delivery's row.
	c.mu.Lock()
	refuse = true
	c.mu.Unlock()
	c.ask("POST", "/api/v1/Webhook/contact.changed/8", "", 204, []string{ticket})
	refused := c.lastEvent()
	c.row(delivery.Key{Tenant: "Cust1", Webhook: 1, Event: refused}, func(d delivery.Row) bool { return d.Response != "" })
	c.ask("GET", "/api/v1/Webhook/1/History", "", 200, []string{ticket}, url)
	_, request := c.ask("GET", "/api/v1/Webhook/1/Deliveries/"+string(refused)+"/Request", "", 200, []string{ticket}, url)
	if !strings.Contains(string(request), `"Exact":true`) || !strings.Contains(string(request), `"Authorization":"********"`) {
		t.Errorf("the request of the failed attempt is %s", request)
	}
	c.stop()

	seen := func(where, text string, secrets map[string]string) {
		for what, secret := range secrets {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("%s: it contains the %s", where, what)
			}
		}
	}
	c.secrets["target's path"], c.secrets["target's query"] = "target-path-ca5e", "target-query-ace"
	if n := len(c.secrets); n < 16 {
		t.Errorf("%d secrets were captured, and at least 16 were used", n)
	}
	seen("log", c.logs.String(), c.secrets)
	for _, answer := range c.answers {
		name, _, _ := strings.Cut(answer, ":")
		seen("response to "+name, answer, c.secrets)
	}
	data, err := bbolt.Open(filepath.Join(dir, "posthaste.db"), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = data.Close() }()
	rows := 0
	err = data.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			if string(name) == "secrets" {
				return nil
			}
			return b.ForEach(func(k, v []byte) error {
				rows++
				row := string(k) + " " + string(v)
				if string(name) == "webhooks" || string(name) == "history" { // where the URL belongs
					row = strings.ReplaceAll(row, targetPath, "…")
				}
				seen("row in "+string(name), row, c.secrets)
				return nil
			})
		})
	})
	if err != nil || rows == 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
}
