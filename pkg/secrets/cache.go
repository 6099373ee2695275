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

// Cache is a webhook.Secrets that caches what it reads without expiry: a
// version never changes, so it cannot be stale. It is bounded in bytes and
// evicts from the tenant that holds most. Errors are not cached. Concurrent
// reads of one version share one call.
//
// Use NewCache to create one. Its methods may be called concurrently. It starts
// no goroutines.
type Cache struct {
	webhook.Secrets
	held *bytecache.Cache[version, webhook.SecretDocument] // by tenant and version

	mu      sync.Mutex
	flights map[version]*flight
}

type version struct{ name, id string }

// owner returns the part of a secret's name before the webhook's id and the
// random part, which identifies the tenant. See Manager.Name.
func (v version) owner() string {
	owner := v.name
	for range 2 {
		owner = owner[:max(strings.LastIndexByte(owner, '/'), 0)]
	}
	return owner
}

// flight is a read in progress. doc and err may be read once done is closed.
type flight struct {
	done chan struct{}
	doc  webhook.SecretDocument
	err  error
}

// NewCache returns a Cache in front of source that holds up to limit bytes. A
// document rarely exceeds 1 KB; its maximum is 20 KB.
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
			return webhook.SecretDocument{}, wrap("read secret version", ctx.Err(), webhook.ErrSecretUnavailable)
		}
		// If another caller's context ended, try again with ours.
		if !ended(f.err) {
			return clone(f.doc), f.err
		}
	}
}

// Delete implements webhook.Secrets and drops all versions of the secret from
// the cache.
func (c *Cache) Delete(ctx context.Context, name string) error {
	c.held.DeleteFunc(version{name: name}.owner(), func(v version) bool { return v.name == name })
	return c.Secrets.Delete(ctx, name)
}

// join returns the version's document, or else the read in progress and whether
// the caller must make it.
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

// fly makes the read. It releases the waiting callers even if the source
// panics.
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

// clone copies a document, so that callers cannot change the cached headers.
func clone(doc webhook.SecretDocument) webhook.SecretDocument {
	doc.Headers = maps.Clone(doc.Headers)
	return doc
}
