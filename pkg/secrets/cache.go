package secrets

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Cache is a webhook.Secrets that remembers what it read, for ever: a version
// never changes, so nothing can be stale. It is bounded in bytes; a full one
// evicts from the tenant that holds most. Faults are not remembered. Reads of one
// version at the same time share one call.
//
// Make it with NewCache; its methods may be called concurrently. It starts
// nothing that outlives a call.
type Cache struct {
	webhook.Secrets
	held *bytecache.Cache[version, webhook.SecretDocument] // by tenant and version

	mu      sync.Mutex
	flights map[version]*flight
}

type version struct{ name, id string }

// owner is what a secret's name has before the webhook's id and the random part:
// the tenant. See Manager.Name.
func (v version) owner() string {
	owner := v.name
	for range 2 {
		owner = owner[:max(strings.LastIndexByte(owner, '/'), 0)]
	}
	return owner
}

// flight is a read under way. doc and err may be read once done is closed.
type flight struct {
	done chan struct{}
	doc  webhook.SecretDocument
	err  error
}

// NewCache makes a Cache before source that holds up to limit bytes. A version's
// document is rarely over a kilobyte, and up to 20.
func NewCache(source webhook.Secrets, limit int) *Cache {
	return &Cache{
		Secrets: source, held: bytecache.New[version, webhook.SecretDocument](limit), flights: map[version]*flight{},
	}
}

// Read implements webhook.Secrets.
func (c *Cache) Read(ctx context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	v := version{ref.Name, ref.Version}
	for {
		doc, f, mine := c.join(v)
		if f == nil {
			return clone(doc), nil
		}
		if mine {
			c.fly(ctx, v, ref, f)
			return clone(f.doc), f.err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return webhook.SecretDocument{}, fault("read secret version", ctx.Err(), webhook.ErrSecretUnavailable)
		}
		// Another caller's time that ran out says nothing about ours.
		if !ended(f.err) {
			return clone(f.doc), f.err
		}
	}
}

// Delete implements webhook.Secrets and forgets all versions of the secret.
func (c *Cache) Delete(ctx context.Context, name string) error {
	c.held.DeleteFunc(version{name: name}.owner(), func(v version) bool { return v.name == name })
	return c.Secrets.Delete(ctx, name)
}

// join gives the version's document, or else the read under way and whether the
// caller is the one to make it.
func (c *Cache) join(v version) (doc webhook.SecretDocument, f *flight, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if doc, ok := c.held.Get(v.owner(), v); ok {
		return doc, nil, false
	}
	if f, ok := c.flights[v]; ok {
		return webhook.SecretDocument{}, f, false
	}
	f = &flight{done: make(chan struct{}), err: webhook.ErrSecretUnavailable}
	c.flights[v] = f
	return webhook.SecretDocument{}, f, true
}

// fly makes the read. Even if the source panics nobody is left waiting.
func (c *Cache) fly(ctx context.Context, v version, ref webhook.SecretRef, f *flight) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flights, v)
		if f.err == nil {
			c.held.Put(v.owner(), v, f.doc, len(v.name)+len(v.id)+f.doc.Size())
		}
		close(f.done)
	}()
	f.doc, f.err = c.Secrets.Read(ctx, ref)
}

func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// clone gives a caller headers of its own.
func clone(doc webhook.SecretDocument) webhook.SecretDocument {
	doc.Headers = maps.Clone(doc.Headers)
	return doc
}
