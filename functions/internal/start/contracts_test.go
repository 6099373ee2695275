package start

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/custody"
	"github.com/posthaste-dev/posthaste/pkg/service"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// secretsManager is the API of Secrets Manager over HTTP, as far as a store of secrets
// needs it. It counts calls, by operation and secret.
type secretsManager struct {
	mu      sync.Mutex
	secrets map[string]string
	calls   map[string]int
}

func (m *secretsManager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, _ := io.ReadAll(r.Body)
	var in struct{ SecretId, Name, SecretString, ClientRequestToken string } //nolint:revive // AWS's spelling
	_ = json.Unmarshal(body, &in)
	name := in.SecretId + in.Name
	m.calls[operation+" "+name]++
	if operation == "CreateSecret" {
		m.secrets[name] = in.SecretString
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]string{"Name": name, "VersionId": "v1", "SecretString": m.secrets[name]})
}

// called returns the calls since it was last called.
func (m *secretsManager) called() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = map[string]int{}
	return fmt.Sprint(calls)
}

// An environment calls Secrets Manager for the first read of each secret in it, and for
// sealed ones only once, to read the root.
func TestContracts_CallsForSecrets(t *testing.T) {
	t.Parallel()
	m := &secretsManager{secrets: map[string]string{"root": `{"keys":{},"first":"` + strings.Repeat("aB3", 22) + `"}`}, calls: map[string]int{}}
	server := httptest.NewServer(m)
	defer server.Close()
	environment := func(sealed bool) service.Contracts {
		clients := aws.Config{
			Region: "eu-west-1", BaseEndpoint: &server.URL,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "x", SecretAccessKey: "x"}, nil
			}),
		}
		cfg := config.Deployed{SecretPrefix: "stack/webhooks", RootSecret: "root", WriteSealed: sealed}
		return Contracts(cfg, Limits{DocumentBytes: 1 << 20}, clients, slog.New(slog.DiscardHandler))
	}
	var refs [2][]webhook.SecretRef
	for i, sealed := range []bool{false, true} {
		on := environment(sealed)
		for id := range int32(3) {
			name, err := on.Secrets.Name("Cust1", id)
			if err != nil {
				t.Fatal(err)
			}
			ref, err := on.Secrets.Create(t.Context(), name, webhook.SecretDocument{Current: webhook.NewSecret(fmt.Sprint("secret ", id))})
			if err != nil {
				t.Fatal(err)
			}
			refs[i] = append(refs[i], ref)
		}
		if holder := on.Custody.Holder(refs[i][0].Name); (holder == custody.InItems) != sealed {
			t.Errorf("SECRET_STORE sealed %t writes to %s", sealed, holder)
		}
	}
	managed, sealed := refs[0], refs[1]
	m.called()
	on := environment(false)
	read := func(what string, ref webhook.SecretRef, want string) {
		t.Helper()
		for range 3 { // the calls of the first read are all
			if doc, err := on.Secrets.Read(t.Context(), ref); err != nil || !strings.HasPrefix(doc.Current.Reveal(), "secret ") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if got := m.called(); got != want {
			t.Errorf("%s: calls %s, want %s", what, got, want)
		}
	}
	read("a cold environment, sealed", sealed[0], "map[GetSecretValue root:1]")
	read("a warm one, sealed", sealed[1], "map[]")
	read("a warm one, in Secrets Manager", managed[0], "map[GetSecretValue "+managed[0].Name+":1]")
	read("a warm one, in Secrets Manager, another", managed[1], "map[GetSecretValue "+managed[1].Name+":1]")
	read("a warm one, sealed, another", sealed[2], "map[]")
}
