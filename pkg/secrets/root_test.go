package secrets_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
	"github.com/posthaste-dev/posthaste/pkg/webhooktest"
)

// rootSecret is a Secrets Manager with one secret that has versions and labels. It
// counts reads.
type rootSecret struct {
	secrets.Client
	mu       sync.Mutex
	versions map[string]string
	labels   map[string]string // version of each
	err      error
	reads    int
	put      func() // called after each put
}

// newRootSecret returns the secret as the template generates it.
func newRootSecret() *rootSecret {
	return &rootSecret{
		versions: map[string]string{"v0": `{"keys":{},"first":"` + strings.Repeat("aB3", 22) + `"}`}, labels: map[string]string{"AWSCURRENT": "v0"},
	}
}

func (r *rootSecret) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reads++; r.err != nil {
		return nil, r.err
	}
	current := r.labels["AWSCURRENT"]
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(r.versions[current]), VersionId: &current}, nil
}

func (r *rootSecret) PutSecretValue(_ context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	r.mu.Lock()
	if r.err != nil {
		defer r.mu.Unlock()
		return nil, r.err
	}
	r.versions[*in.ClientRequestToken] = *in.SecretString
	for _, label := range in.VersionStages {
		r.labels[label] = *in.ClientRequestToken
	}
	put := r.put
	r.mu.Unlock()
	if put != nil {
		put()
	}
	return &secretsmanager.PutSecretValueOutput{VersionId: in.ClientRequestToken}, nil
}

func (r *rootSecret) UpdateSecretVersionStage(_ context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.labels[*in.VersionStage] != *in.RemoveFromVersionId {
		return nil, &types.InvalidParameterException{Message: aws.String("the label is on another version")}
	}
	r.labels[*in.VersionStage] = *in.MoveToVersionId
	return &secretsmanager.UpdateSecretVersionStageOutput{}, nil
}

func (r *rootSecret) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// fleet is several environments with one root secret and one clock.
type fleet struct {
	*rootSecret
	clock *webhooktest.Clock
}

func newFleet() *fleet {
	return &fleet{newRootSecret(), webhooktest.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
}

// environment returns the sealed store of a new environment, and its root.
func (f *fleet) environment() (*secrets.Sealed, *secrets.Root) {
	root := secrets.NewRoot(f, "root", f.clock.Now, rand.Reader)
	return &secrets.Sealed{Rings: root, Now: f.clock.Now, Random: rand.Reader}, root
}

func (f *fleet) create(t *testing.T, in *secrets.Sealed, text string) webhook.SecretRef {
	t.Helper()
	name, err := in.Name("Cust1", 7)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := in.Create(t.Context(), name, webhook.SecretDocument{Current: webhook.NewSecret(text)})
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// calls runs do, and fails unless that read the root secret this many times.
func (f *fleet) calls(t *testing.T, what string, want int, do func()) {
	t.Helper()
	before := f.reads
	do()
	if n := f.reads - before; n != want {
		t.Errorf("%s: the root secret was read %d times, want %d", what, n, want)
	}
}

func reads(t *testing.T, from *secrets.Sealed, ref webhook.SecretRef, want string) {
	t.Helper()
	if doc, err := from.Read(t.Context(), ref); err != nil || doc.Current.Reveal() != want {
		t.Errorf("got %q, %v, want %q", doc.Current.Reveal(), err, want)
	}
}

func keyOf(ref webhook.SecretRef) string { return seal.KeyOf(string(ref.Sealed)) }

func TestRoot_IsReadOncePerEnvironment(t *testing.T) {
	t.Parallel()
	f := newFleet()
	writer, _ := f.environment()
	var refs []webhook.SecretRef
	f.calls(t, "a writer", 1, func() {
		for n := range 50 {
			refs = append(refs, f.create(t, writer, fmt.Sprint(n)))
		}
	})
	reader, _ := f.environment()
	f.calls(t, "a cold reader", 1, func() { reads(t, reader, refs[0], "0") })
	f.calls(t, "a warm reader, secrets that it has not read", 0, func() {
		for n, ref := range refs {
			reads(t, reader, ref, fmt.Sprint(n))
		}
		f.clock.Advance(24 * time.Hour)
		reads(t, reader, refs[1], "1")
	})
}

func TestRoot_ANewKeySealsAfterAMinuteAndIsReadAtOnce(t *testing.T) {
	t.Parallel()
	f := newFleet()
	writer, _ := f.environment()
	reader, _ := f.environment()
	_, admin := f.environment()
	old := f.create(t, writer, "old")
	reads(t, reader, old, "old")
	id, err := admin.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, 30 * time.Second, 29 * time.Second} {
		f.clock.Advance(after)
		cold, _ := f.environment() // it knows the key, and others may not
		for _, in := range []*secrets.Sealed{writer, cold} {
			if key := keyOf(f.create(t, in, "x")); key != seal.FirstKey {
				t.Errorf("sealed with %s before the minute is over", key)
			}
		}
	}
	f.clock.Advance(time.Minute)
	ref := f.create(t, writer, "new")
	if keyOf(ref) != id {
		t.Fatalf("sealed with %s, want %s", keyOf(ref), id)
	}
	f.calls(t, "a reader that does not know the key", 1, func() {
		reads(t, reader, ref, "new")
		reads(t, reader, old, "old")
		reads(t, reader, ref, "new")
	})
}

// A key that exists nowhere must not make a reader call Secrets Manager for every
// delivery.
func TestRoot_AnUnknownKeyIsLookedForEveryTenSeconds(t *testing.T) {
	t.Parallel()
	f := newFleet()
	reader, _ := f.environment()
	ref := f.create(t, reader, "x")
	unknown := ref
	unknown.Sealed = webhook.Sealed(strings.Replace(string(ref.Sealed), ".first.", ".0123.", 1))
	look := func() {
		t.Helper()
		for range 20 {
			if _, err := reader.Read(t.Context(), unknown); !errors.Is(err, webhook.ErrSecretUnavailable) || webhook.SecretLost(err) {
				t.Errorf("got %v", err)
			}
		}
	}
	f.calls(t, "read a moment ago", 0, look)
	f.clock.Advance(10 * time.Second)
	f.calls(t, "after ten seconds", 1, look)
	f.clock.Advance(9 * time.Second)
	f.calls(t, "nine seconds later", 0, look)
	f.fail(errors.New("outage with the secret text"))
	f.clock.Advance(time.Second)
	f.calls(t, "while reads fail", 1, look)
	f.calls(t, "known keys while reads fail", 0, func() { reads(t, reader, ref, "x") })
}

func TestRoot_OutagesQueueReadersAndLeaveWarmWriters(t *testing.T) {
	t.Parallel()
	f := newFleet()
	warm, _ := f.environment()
	cold, root := f.environment()
	ref := f.create(t, warm, "x")
	f.fail(errors.New("outage with the secret text"))
	if _, err := cold.Read(t.Context(), ref); !errors.Is(err, webhook.ErrSecretUnavailable) || strings.Contains(err.Error(), "secret text") {
		t.Errorf("a cold reader got %v", err)
	}
	name, err := cold.Name("Cust1", 7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cold.Create(t.Context(), name, webhook.SecretDocument{}); !errors.Is(err, webhook.ErrUnavailable) || strings.Contains(err.Error(), "secret text") {
		t.Errorf("a cold writer got %v", err)
	}
	if _, err := root.Rotate(t.Context()); !errors.Is(err, webhook.ErrUnavailable) || strings.Contains(err.Error(), "secret text") {
		t.Errorf("a rotation got %v", err)
	}
	f.clock.Advance(time.Hour)
	reads(t, warm, f.create(t, warm, "y"), "y")
	f.fail(nil)
	f.versions["v0"] = `{"first":"hush"}`
	f.clock.Advance(time.Minute)
	if _, err := cold.Read(t.Context(), ref); !errors.Is(err, webhook.ErrSecretUnavailable) || strings.Contains(err.Error(), "hush") {
		t.Errorf("a damaged root secret: got %v", err)
	}
}

func TestRoot_RotationsAtOnceLoseNoKey(t *testing.T) {
	t.Parallel()
	f := newFleet()
	_, one := f.environment()
	_, two := f.environment()
	var other string
	f.put = func() { // the other rotation overtakes this one between its put and its commit
		f.put = nil
		var err error
		if other, err = two.Rotate(t.Context()); err != nil {
			t.Error(err)
		}
	}
	id, err := one.Rotate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.DecodeRing([]byte(f.versions[f.labels["AWSCURRENT"]]))
	if err != nil {
		t.Fatal(err)
	}
	if !ring.Has(seal.FirstKey) || !ring.Has(id) || !ring.Has(other) || id == other {
		t.Errorf("the root secret has not all of %s, %s and %s", seal.FirstKey, id, other)
	}
}
