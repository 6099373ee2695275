package secrets

import (
	"container/list"
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Cache is a webhook.Secrets that remembers what it read, for ever: a version
// never changes, so nothing can be stale. It holds a bounded number of
// versions and gives up the one that was not asked for the longest. Faults are
// not remembered. Reads of one version at the same time share one call.
//
// Make it with NewCache; its methods may be called concurrently. It starts
// nothing that outlives a call.
type Cache struct {
	webhook.Secrets
	limit int

	mu      sync.Mutex
	held    map[version]*list.Element // of *entry
	recent  *list.List                // the latest read first
	flights map[version]*flight
}

type version struct{ name, id string }

type entry struct {
	version
	doc webhook.SecretDocument
}

// flight is a read under way. doc and err may be read once done is closed.
type flight struct {
	done chan struct{}
	doc  webhook.SecretDocument
	err  error
}

// NewCache makes a Cache before source that holds up to limit versions, at
// least one. A version's document is rarely over a kilobyte.
func NewCache(source webhook.Secrets, limit int) *Cache {
	return &Cache{
		Secrets: source, limit: max(limit, 1),
		held: map[version]*list.Element{}, recent: list.New(), flights: map[version]*flight{},
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
	c.mu.Lock()
	for v, at := range c.held {
		if v.name == name {
			c.recent.Remove(at)
			delete(c.held, v)
		}
	}
	c.mu.Unlock()
	return c.Secrets.Delete(ctx, name)
}

// join gives the version's document, or else the read under way and whether the
// caller is the one to make it.
func (c *Cache) join(v version) (doc webhook.SecretDocument, f *flight, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.held[v]; ok {
		c.recent.MoveToFront(at)
		return at.Value.(*entry).doc, nil, false //nolint:forcetypeassert // the list holds nothing else
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
			c.held[v] = c.recent.PushFront(&entry{v, f.doc})
			c.shed()
		}
		close(f.done)
	}()
	f.doc, f.err = c.Secrets.Read(ctx, ref)
}

func (c *Cache) shed() {
	for c.recent.Len() > c.limit {
		last := c.recent.Back()
		delete(c.held, last.Value.(*entry).version) //nolint:forcetypeassert // the list holds nothing else
		c.recent.Remove(last)
	}
}

func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// clone gives a caller headers of its own.
func clone(doc webhook.SecretDocument) webhook.SecretDocument {
	doc.Headers = maps.Clone(doc.Headers)
	return doc
}
