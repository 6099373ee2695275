package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/signature"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// started begins a job and returns its id.
func (d *deployment) started(path, body string) string {
	d.t.Helper()
	status, _, data := d.call(http.MethodPost, path, "application/json", []byte(body), d.administrator())
	var began struct{ JobId string } //nolint:revive // the wire's spelling
	if err := json.Unmarshal(data, &began); status != http.StatusAccepted || err != nil {
		d.t.Fatalf("%s: got %d %s", path, status, data)
	}
	return began.JobId
}

// ended sweeps until a job is done, and returns what it processed.
func (d *deployment) ended(job string, limit time.Duration) int {
	d.t.Helper()
	var shown struct {
		Status, Reason string
		Processed      int
	}
	defer func() {
		if d.t.Failed() {
			d.t.Logf("the job is %+v", shown)
		}
	}()
	within(d.t, limit, "the end of the job", func() bool {
		d.sweep()
		status, _, data := d.call(http.MethodGet, "/admin/v1/Jobs/"+job, "", nil, d.administrator())
		if err := json.Unmarshal(data, &shown); status != http.StatusOK || err != nil {
			d.t.Fatalf("got %d %s", status, data)
		}
		return shown.Status != "Running"
	})
	if shown.Status != "Done" || shown.Reason != "" {
		d.t.Errorf("the job ended as %+v", shown)
	}
	return shown.Processed
}

// movedWebhooks is how many webhooks are moved: a few, or MOVED_WEBHOOKS.
func movedWebhooks(t *testing.T) int {
	t.Helper()
	text := os.Getenv("MOVED_WEBHOOKS")
	if text == "" {
		return 30
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("MOVED_WEBHOOKS is %q, must be a number of webhooks", text)
	}
	return n
}

// relayed POSTs to a relay, signed with its secret.
func (d *deployment) relayed(name, secret string) {
	d.t.Helper()
	body := []byte(`{"EventId":"","Event":"moved.relay","PrimaryKey":1,"Entity":"moved","ContextIdentifier":"Cust-moved","Changes":[]}`)
	status, _, data := d.call(http.MethodPost, "/in/v1/"+name, "application/json", body, func(r *http.Request) {
		r.Header.Del("Authorization")
		r.Header.Set("X-SuperOffice-Signature", signature.SuperOffice(secret, body))
	})
	if status != http.StatusOK {
		d.t.Errorf("a POST to relay %s, signed with its secret: got %d %s", name, status, data)
	}
}

// Secrets move into the items and back while events are delivered: every POST is
// signed with the webhook's secret, every POST to a relay is verified, and nothing is
// left behind in Secrets Manager. Then the root key is rotated, and sealed secrets still
// sign and verify.
func TestDeployed_SecretsMoveThereAndBackUnderLoad(t *testing.T) {
	d := deployed(t)
	n := movedWebhooks(t)
	const event = "moved.webhook"
	target := newTarget(t, http.StatusOK)
	secrets := map[int32]string{}
	for i := range n {
		secret := fmt.Sprint("secret of ", i)
		id := d.create(event, fmt.Sprintf("%s/%d", target.URL, i), secret)
		secrets[id] = secret
		defer d.remove(id)
	}
	relay, relaySecret := fmt.Sprint("moved-", record()), "secret of the relay"
	d.source(fmt.Sprintf(`{"Name":%q,"Kind":"relay","Tenant":%q,"Relay":{"Protocol":"superoffice","Context":"Cust-moved","Secret":%q}}`, relay, tenant, relaySecret))
	d.relayed(relay, relaySecret)
	// refs returns the references to the secrets of the webhooks and of the relay.
	refs := func() (all []webhook.SecretRef) {
		for id := range secrets {
			w, err := d.store.Webhooks().Get(t.Context(), tenant, id)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, w.Secret)
		}
		s, err := d.store.Sources().Get(t.Context(), relay)
		if err != nil {
			t.Fatal(err)
		}
		return append(all, s.Relay.Secret)
	}
	// sealedUnder counts the sealed secrets by the id of their root key.
	sealedUnder := func() map[string]int {
		keys := map[string]int{}
		for _, ref := range refs() {
			if ref.Sealed != "" {
				keys[seal.KeyOf(string(ref.Sealed))]++
			}
		}
		return keys
	}
	total := func(keys map[string]int) (sum int) {
		for _, count := range keys {
			sum += count
		}
		return sum
	}
	inManager := func() (names []string) {
		pages := secretsmanager.NewListSecretsPaginator(d.secrets, &secretsmanager.ListSecretsInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page.SecretList {
				parts := strings.Split(aws.ToString(s.Name), "/")
				if s.DeletedDate != nil || len(parts) < 4 {
					continue
				}
				// The id is 0 for the secret of a source.
				if id, err := strconv.ParseInt(parts[len(parts)-2], 10, 32); err == nil && (secrets[int32(id)] != "" || id == 0) {
					names = append(names, *s.Name)
				}
			}
		}
		return names
	}

	var load sync.WaitGroup
	enough, signalled := make(chan struct{}), 0
	load.Go(func() {
		for ; ; signalled++ {
			select {
			case <-enough:
				return
			case <-time.After(200*time.Millisecond + time.Duration(max(n-30, 0))*40*time.Millisecond): // each is n POSTs
				d.signal(event)
			}
		}
	})
	began := time.Now()
	limit := 4**patience + time.Duration(n)*2*time.Second // a sweep alone may take 45 s
	for _, to := range []string{"sealed", "manager", "sealed"} {
		before := total(sealedUnder())
		moved := d.ended(d.started("/admin/v1/SecretStore/Move", fmt.Sprintf(`{"To":%q,"Tenant":%q}`, to, tenant)), limit)
		want, left := n+1, 0
		if to == "manager" {
			want, left = 0, n+1
		}
		// What two sweeps do at once counts once: the schedule's runs in between.
		if got := total(sealedUnder()); got != want || (moved == 0) != (got == before) {
			t.Errorf("moved to %s: %d of %d are sealed, and %d were moved", to, got, n+1, moved)
		}
		if names := inManager(); len(names) != left {
			t.Errorf("moved to %s: Secrets Manager has %d secrets, want %d: %v", to, len(names), left, names)
		}
		d.relayed(relay, relaySecret)
		t.Logf("moved to %s: %d secrets after %s", to, n+1, time.Since(began).Round(time.Second))
	}
	close(enough)
	load.Wait()
	was := sealedUnder()
	d.ended(d.started("/admin/v1/SecretRoot/Rotate", ""), limit+5*time.Minute)
	for key := range was {
		if now := sealedUnder(); now[key] > 0 || len(now) != 1 || total(now) != n+1 {
			t.Errorf("secrets by root key: %v, then %v after a rotation, want all under a new one", was, now)
		}
	}
	d.relayed(relay, relaySecret)
	d.signal(event)
	signalled++
	within(t, limit, "every event at every webhook", func() bool { return target.count() >= signalled*n })
	target.mu.Lock()
	defer target.mu.Unlock()
	for i, r := range target.received {
		secret := "secret of " + strings.TrimPrefix(r.URL.Path, "/")
		if !signature.VerifySuperOffice(secret, target.bodies[i], r.Header.Get("X-SuperOffice-Signature")) {
			t.Errorf("POST %d to %s is not signed with its secret", i, r.URL.Path)
		}
	}
	for id := range secrets { // ApiFunction opens the old one to compare
		status, _, data := d.call(http.MethodPatch, path(id), "application/merge-patch+json", []byte(`{"Secret":"another"}`))
		if status != http.StatusOK {
			t.Errorf("a save of a sealed secret: got %d %s", status, data)
		}
		break
	}
	t.Logf("%d webhooks, %d events, %d POSTs, all verified", n, signalled, len(target.received))
}
