package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// rootSecret is Secrets Manager with the secret of the root keys: versions, and the
// label AWSCURRENT, which moves only from where it is.
type rootSecret struct {
	secrets.Client
	w        *world
	versions map[string]string
	current  string
}

func newRootSecret(w *world) *rootSecret {
	return &rootSecret{w: w, versions: map[string]string{"v0": `{"first":"` + strings.Repeat("aB3", 22) + `"}`}, current: "v0"}
}

func lostCall() error { return errors.New("injected") }

// effect is a call to the secret.
func (r *rootSecret) effect(ctx context.Context, label string, do func() error) error {
	return r.w.effect(ctx, kindSecret, "", label, lostCall, func(verdict) error {
		r.w.mu.Lock()
		defer r.w.mu.Unlock()
		return do()
	})
}

func (r *rootSecret) GetSecretValue(ctx context.Context, _ *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	var id, text string
	err := r.effect(ctx, "read the root secret", func() error { id, text = r.current, r.versions[r.current]; return nil })
	if err != nil {
		return nil, err
	}
	return &secretsmanager.GetSecretValueOutput{VersionId: &id, SecretString: &text}, nil
}

func (r *rootSecret) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	err := r.effect(ctx, "put the root secret", func() error { r.versions[*in.ClientRequestToken] = *in.SecretString; return nil })
	if err != nil {
		return nil, err
	}
	return &secretsmanager.PutSecretValueOutput{VersionId: in.ClientRequestToken}, nil
}

func (r *rootSecret) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	err := r.effect(ctx, "move the label of the root secret", func() error {
		if r.current != *in.RemoveFromVersionId {
			return &types.InvalidParameterException{}
		}
		r.current = *in.MoveToVersionId
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &secretsmanager.UpdateSecretVersionStageOutput{}, nil
}

// open opens what a process sealed.
func (r *rootSecret) open(ref webhook.SecretRef, tenant, id string) (webhook.SecretDocument, error) {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	ring, err := seal.DecodeRing([]byte(r.versions[r.current]))
	if err != nil {
		return webhook.SecretDocument{}, err
	}
	at := seal.Place{Kind: "webhooks", Tenant: tenant, Version: ref.Version}
	if _, err := fmt.Sscan(id, &at.ID); err != nil {
		return webhook.SecretDocument{}, err
	}
	text, err := ring.Open(string(ref.Sealed), at)
	if err != nil {
		return webhook.SecretDocument{}, err
	}
	return webhook.DecodeSecretDocument(webhook.NewSecret(string(text)))
}

// stores returns both stores of secrets as a process has them.
func (w *world) stores(p *process, random *randomness, caches bool) *secrets.Stores {
	root := secrets.NewRoot(w.root, "root", p.now, random)
	stores := &secrets.Stores{
		Manager: w.vault, Sealed: &secrets.Sealed{Rings: root, Now: p.now, Random: random}, Rotate: root.Rotate, WriteSealed: w.sealed,
	}
	if caches {
		stores.Manager = secrets.NewCache(w.vault, 4<<20)
	}
	return stores
}

// document returns the contents of a version, even after its deletion. A sealed one must
// open, and for no other tenant and no other webhook.
func (w *world) document(ref webhook.SecretRef) webhook.SecretDocument {
	if ref.Sealed == "" {
		return w.vault.document(ref)
	}
	parts := strings.Split(ref.Name, "/") // sealed:webhooks/<tenant>/<id>/<random>
	doc, err := w.root.open(ref, parts[1], parts[2])
	if err != nil {
		w.violated("secrets", "%s %s cannot be read: %v", ref.Name, ref.Version, err)
	}
	for _, tenant := range w.tenants {
		for _, id := range []string{parts[2], parts[2] + "1"} {
			if _, err := w.root.open(ref, string(tenant), id); err == nil && (string(tenant) != parts[1] || id != parts[2]) {
				w.violated("promise 9", "what is sealed as %s opens for w%s of %s", ref.Name, id, tenant)
			}
		}
	}
	return doc
}

// keep begins a job that moves the secrets of a tenant to a store, or seals them under a
// new root key.
func keep(u *user) {
	luck := u.w.luck("keep", fmt.Sprint(u.left))
	kind := []job.Kind{job.MoveToItems, job.MoveToManager, job.RotateRoot}[int(luck(0)*3)]
	of := u.w.tenants[int(luck(1)*float64(len(u.w.tenants)))]
	u.call(fmt.Sprintf("%s of %s", kind, of), func(ctx context.Context, e *environment) error {
		j, err := job.New(kind, of, u.who.Associate, time.Now(), e.random)
		if err != nil {
			return err
		}
		return e.jobs.Create(ctx, j)
	}, func(error) {})
}

// keeps draws which store is written, and whether and when secrets move.
func (w *world) keeps() {
	luck := w.luck("secret store")
	w.sealed = luck(0) < 0.5
	if luck(1) < 0.5 {
		return
	}
	env := &environment{w: w, kind: "api-kim"}
	who := webhook.Principal{Tenant: w.tenants[0], Associate: webhook.Associate{ID: int32(len(w.actors)), Name: "kim"}}
	first := w.began.Add(time.Duration(luck(2) * luck(3) * float64(w.weather.lasts)))
	w.actors = append(w.actors, &user{w: w, name: "kim", who: who, env: env, left: 1 + int(luck(4)*4), after: first, step: keep})
}

// moved reports whether a revision of a webhook differs from the one before it in the
// place of its secret alone, and checks that the secret is the same.
func (l *witness) moved(p *process, id hook, w webhook.Webhook) bool {
	history := l.webhooks[id]
	if p == nil || !strings.HasPrefix(p.name, "sweep") || len(history) == 0 {
		return false
	}
	was := history[len(history)-1].Webhook
	if was.Secret.Name == w.Secret.Name || w.State != was.State {
		return false
	}
	before, after := webhook.EncodeSecretDocument(l.w.document(was.Secret)), webhook.EncodeSecretDocument(l.w.document(w.Secret))
	if before.Reveal() != after.Reveal() || was.Secret.Signed != w.Secret.Signed || !was.Updated.Equal(w.Updated) {
		l.w.violated("secrets", "w%d has another secret after a move", id)
	}
	delete(l.preferred, id) // it is stored under the version
	l.movedAt[id] = time.Now()
	return true
}
