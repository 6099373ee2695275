package functions_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/posthaste-dev/posthaste/pkg/awsenv"
	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestDeployed_SignalledEventArrivesSigned(t *testing.T) {
	d := deployed(t)
	const secret = "Something Super Secret"
	receiver := newTarget(t, http.StatusOK)
	id := d.create("deployed.signed", receiver.URL+"/in", secret)
	event := d.signal("deployed.signed")
	eventually(t, "the signed POST", func() bool { return receiver.count() > 0 })
	r, body := receiver.received[0], receiver.bodies[0]
	if !signature.VerifySuperOffice(webhook.NewSecret(secret).Reveal(), body, r.Header.Get("X-SuperOffice-Signature")) {
		t.Error("the SuperOffice signature does not verify")
	}
	if !bytes.Contains(body, []byte("Blåbær AS")) {
		t.Errorf("body %s", body)
	}
	if got := webhook.EventID(r.Header.Get("Webhook-Id")); got != event {
		t.Errorf("the POST has event id %s, want %s", got, event)
	}
	eventually(t, "the row of the delivery", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
	for path, want := range map[string]string{
		"/Deliveries?status=delivered&event=deployed.*": `"Examined":1,"Cursor":null`, "/Deliveries/" + string(event): `"Lane":`,
	} {
		status, _, data := d.call(http.MethodGet, fmt.Sprintf("/api/v1/Webhook/%d%s", id, path), "", nil)
		if status != http.StatusOK || !bytes.Contains(data, []byte(want)) || !bytes.Contains(data, []byte(event)) {
			t.Errorf("%s: got %d %s, want %s", path, status, data, want)
		}
	}

	status, _, data := d.call(http.MethodDelete, fmt.Sprintf("/api/v1/Webhook/%d", id), "", nil)
	if status/100 != 2 {
		t.Fatalf("delete: %d %s", status, data)
	}
	if status, _, _ := d.call(http.MethodGet, fmt.Sprintf("/api/v1/Webhook/%d", id), "", nil); status != http.StatusNotFound {
		t.Errorf("a deleted webhook: got %d, want 404", status)
	}
}

func TestDeployed_RotatedSecretSignsAtOnce(t *testing.T) {
	d := deployed(t)
	receiver := newTarget(t, http.StatusOK)
	id := d.create("deployed.rotated", receiver.URL+"/in", "the first secret")
	path := fmt.Sprintf("/api/v1/Webhook/%d", id)
	for i, secret := range []string{"the second secret", "the third secret"} {
		body := fmt.Sprintf(`{"Name": "rotated", "Events": ["deployed.rotated"], "TargetUrl": %q, "Secret": %q, "State": 1}`, receiver.URL+"/in", secret)
		if status, _, data := d.call(http.MethodPut, path, "application/json", []byte(body)); status != http.StatusOK {
			t.Fatalf("rotate: %d %s", status, data)
		}
		d.signal("deployed.rotated")
		eventually(t, "the POST", func() bool { return receiver.count() > i })
		if !signature.VerifySuperOffice(secret, receiver.bodies[i], receiver.received[i].Header.Get("X-SuperOffice-Signature")) {
			t.Errorf("POST %d is not signed with %q", i+1, secret)
		}
	}
	d.call(http.MethodDelete, path, "", nil)
}

func TestDeployed_OddInputThroughTheGateway(t *testing.T) {
	d := deployed(t)
	tests := []struct {
		name, method, path, contentType string
		body                            []byte
		edit                            func(*http.Request)
		want                            int
	}{
		{"a health check needs no credential", http.MethodGet, "/healthz", "", nil, func(r *http.Request) { r.Header.Del("Authorization") }, 200},
		{"no credential", http.MethodGet, "/api/v1/Webhook", "", nil, func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		{"a wrong password", http.MethodGet, "/api/v1/Webhook", "", nil, func(r *http.Request) { r.SetBasicAuth("tje0", "no") }, 401},
		{"a path in another case with a trailing slash", http.MethodGet, "/API/v1/webhook/", "", nil, nil, 200},
		{"a query", http.MethodGet, "/api/v1/Webhook?%24top=1&x=a%26b", "", nil, nil, 200},
		{"cookies", http.MethodGet, "/api/v1/Webhook/default", "", nil, func(r *http.Request) { r.Header.Set("Cookie", "a=1; b=2") }, 200},
		{"an encoded slash, which the gateway decodes", http.MethodGet, "/api/v1/Webhook/7%2F8", "", nil, nil, 405},
		{"an encoded percent sign", http.MethodGet, "/api/v1/Webhook/50%25%20off", "", nil, nil, 404},
		{"an unknown path", http.MethodGet, "/nowhere", "", nil, nil, 404},
		{"invalid JSON", http.MethodPost, "/api/v1/Webhook", "application/json", []byte("{"), nil, 400},
		{"a binary body", http.MethodPost, "/api/v1/Webhook", "application/octet-stream", []byte{0xff, 0xfe, 0, 1}, nil, 415},
		{"JSON with invalid UTF-8", http.MethodPost, "/api/v1/Webhook", "application/json", []byte("{\"Name\":\"\xff\"}"), nil, 400},
		{"every fault at once", http.MethodPost, "/api/v1/Webhook", "application/json", []byte(`{"Events": [], "TargetUrl": "ftp://x"}`), nil, 400},
		{"over 1 MiB", http.MethodPost, "/api/v1/Webhook", "application/json", []byte(`{"Name": "` + strings.Repeat("x", 1<<20) + `"}`), nil, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edit := tt.edit
			if edit == nil {
				edit = func(*http.Request) {}
			}
			got, header, data := (&deployment{t: t, url: d.url, host: d.host}).call(tt.method, tt.path, tt.contentType, tt.body, edit)
			if got != tt.want {
				t.Errorf("got %d, want %d: %.300s", got, tt.want, data)
			}
			if got >= 400 && !bytes.Contains(data, []byte(`"ErrorSource":"Posthaste"`)) {
				t.Errorf("the error is not in our shape: %q %.300s", header.Get("Content-Type"), data)
			}
		})
	}
}

func TestDeployed_CallsSignedWithAWSCredentials(t *testing.T) {
	d := deployed(t)
	const path = "/aws/api/v1/Webhook/default"
	plain := func(r *http.Request) { r.Header.Del("Authorization") }
	signed := func(r *http.Request) {
		cfg, err := awsenv.Config(os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		key, err := cfg.Credentials.Retrieve(r.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Del("Authorization")
		nothing := fmt.Sprintf("%x", sha256.Sum256(nil))
		if err := v4.NewSigner().SignHTTP(r.Context(), key, r, nothing, "execute-api", cfg.Region, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	status, _, data := d.call(http.MethodGet, path, "", nil, plain)
	if status != http.StatusForbidden || bytes.Contains(data, []byte("Posthaste")) {
		t.Errorf("without a signature: got %d %s, want the gateway's 403", status, data)
	}
	// The account's owner may call the gateway, but has no credential here.
	status, _, data = d.call(http.MethodGet, path, "", nil, signed)
	if status != http.StatusUnauthorized || !bytes.Contains(data, []byte(`"ErrorSource":"Posthaste"`)) {
		t.Errorf("signed by an unknown principal: got %d %s, want our 401", status, data)
	}
}

// administrator presents the credential that the template generated.
func (d *deployment) administrator() func(*http.Request) {
	d.t.Helper()
	secret := os.Getenv("ADMIN_SECRET")
	generated, err := d.secrets.GetSecretValue(d.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &secret})
	if err != nil {
		d.t.Fatal(err)
	}
	return func(r *http.Request) { r.SetBasicAuth("admin", *generated.SecretString) }
}

func TestDeployed_AdministratorsPasswordIsTheGeneratedOne(t *testing.T) {
	d := deployed(t)
	if status, _, data := d.call(http.MethodGet, "/admin/v1/Tenants", "", nil, d.administrator()); status != http.StatusOK {
		t.Errorf("got %d %s", status, data)
	}
	local := func(r *http.Request) { r.SetBasicAuth("admin", "admin") }
	if status, _, data := d.call(http.MethodGet, "/admin/v1/Tenants", "", nil, local); status != http.StatusUnauthorized {
		t.Errorf("with the password of the local run: got %d %s", status, data)
	}
}
