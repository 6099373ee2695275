package simulation_test

import (
	"context"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// vault is a secret store at the level of the contract: named secrets with
// immutable versions, some of which cannot be read for a while after they were
// written.
type vault struct {
	w       *world
	drawn   int
	secrets map[string]map[string]*version
	written map[webhook.SecretRef]webhook.SecretDocument // all ever written
}

type version struct {
	doc      webhook.SecretDocument
	readable time.Time
}

func (v *vault) Name(tenant webhook.Tenant, id int32) (string, error) {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	v.drawn++
	return fmt.Sprintf("posthaste/%s/%d/s%d", tenant, id, v.drawn), nil
}

func (v *vault) add(name string, doc webhook.SecretDocument) webhook.SecretRef {
	v.drawn++
	version := &version{doc: doc, readable: time.Now()}
	if luck := v.w.luck("version", name, fmt.Sprint(v.drawn)); !v.w.calm && luck(0) < v.w.weather.unread {
		version.readable = version.readable.Add(time.Duration(luck(1) * float64(time.Minute)))
	}
	id := fmt.Sprintf("v%d", v.drawn)
	v.secrets[name][id] = version
	ref := webhook.SecretRef{Name: name, Version: id}
	v.written[ref] = doc
	return ref
}

func (v *vault) Create(ctx context.Context, name string, doc webhook.SecretDocument) (ref webhook.SecretRef, err error) {
	err = v.w.effect(ctx, kindSecret, "", "create secret "+name, unavailable, func(verdict) error {
		v.w.mu.Lock()
		defer v.w.mu.Unlock()
		if v.secrets[name] != nil {
			return webhook.ErrExists
		}
		v.secrets[name] = map[string]*version{}
		ref = v.add(name, doc)
		return nil
	})
	if err != nil {
		ref = webhook.SecretRef{}
	}
	return ref, err
}

func unreadable() error { return fmt.Errorf("injected: %w", webhook.ErrSecretUnavailable) }

func (v *vault) Read(ctx context.Context, ref webhook.SecretRef) (doc webhook.SecretDocument, err error) {
	err = v.w.effect(ctx, kindSecret, "", "read secret "+ref.Name+" "+ref.Version, unreadable, func(verdict) error {
		v.w.mu.Lock()
		defer v.w.mu.Unlock()
		have := v.secrets[ref.Name][ref.Version]
		switch {
		case have == nil:
			return webhook.ErrNotFound
		case have.readable.After(time.Now()):
			return webhook.ErrSecretUnavailable
		}
		doc = have.doc
		return nil
	})
	if err != nil {
		doc = webhook.SecretDocument{}
	}
	return doc, err
}

func (v *vault) Put(ctx context.Context, committed webhook.SecretRef, doc webhook.SecretDocument) (ref webhook.SecretRef, err error) {
	err = v.w.effect(ctx, kindSecret, "", "put secret "+committed.Name, unavailable, func(verdict) error {
		v.w.mu.Lock()
		defer v.w.mu.Unlock()
		if v.secrets[committed.Name][committed.Version] == nil {
			return webhook.ErrNotFound
		}
		ref = v.add(committed.Name, doc)
		return nil
	})
	if err != nil {
		ref = webhook.SecretRef{}
	}
	return ref, err
}

func (v *vault) Delete(ctx context.Context, name string) error {
	return v.w.effect(ctx, kindSecret, "", "delete secret "+name, unavailable, func(verdict) error {
		v.w.mu.Lock()
		defer v.w.mu.Unlock()
		delete(v.secrets, name)
		return nil
	})
}

// old stores a secret that exists before the run.
func (v *vault) old(tenant webhook.Tenant, id int32, doc webhook.SecretDocument) webhook.SecretRef {
	v.drawn++
	name := fmt.Sprintf("posthaste/%s/%d/s%d", tenant, id, v.drawn)
	v.secrets[name] = map[string]*version{}
	ref := v.add(name, doc)
	v.secrets[name][ref.Version].readable = time.Time{}
	ref.Signed = true
	return ref
}

// document returns the contents of a version, even after its deletion.
func (v *vault) document(ref webhook.SecretRef) webhook.SecretDocument {
	ref.Signed = false
	return v.written[ref]
}
