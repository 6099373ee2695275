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

	"github.com/posthaste-dev/posthaste/pkg/signature"
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

// Secrets move into the items and back while events are delivered: every POST is
// signed with the webhook's secret, and nothing is left behind in Secrets Manager. Then
// the root key is rotated, and sealed secrets still sign.
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
	sealed := func() (count int) {
		for id := range secrets {
			w, err := d.store.Webhooks().Get(t.Context(), tenant, id)
			if err != nil {
				t.Fatal(err)
			}
			if w.Secret.Sealed != "" {
				count++
			}
		}
		return count
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
				if id, err := strconv.ParseInt(parts[len(parts)-2], 10, 32); err == nil && secrets[int32(id)] != "" {
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
			case <-time.After(200 * time.Millisecond):
				d.signal(event)
			}
		}
	})
	limit := 4**patience + time.Duration(n)*2*time.Second // a sweep alone may take 45 s
	for _, to := range []string{"sealed", "manager", "sealed"} {
		before := sealed()
		moved := d.ended(d.started("/admin/v1/SecretStore/Move", fmt.Sprintf(`{"To":%q,"Tenant":%q}`, to, tenant)), limit)
		want, left := n, 0
		if to == "manager" {
			want, left = 0, n
		}
		if got := sealed(); got != want || moved < max(got-before, before-got) {
			t.Errorf("moved to %s: %d of %d are sealed, and %d were moved", to, got, n, moved)
		}
		if names := inManager(); len(names) != left {
			t.Errorf("moved to %s: Secrets Manager has %d secrets, want %d: %v", to, len(names), left, names)
		}
	}
	close(enough)
	load.Wait()
	if sealedAgain := d.ended(d.started("/admin/v1/SecretRoot/Rotate", ""), limit+5*time.Minute); sealedAgain < n {
		t.Errorf("%d secrets were sealed under the new root key, want %d", sealedAgain, n)
	}
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
