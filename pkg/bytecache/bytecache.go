// Package bytecache caches values up to a total number of bytes, and keeps one
// owner from evicting the others' values: a full cache evicts from the owner
// that holds most.
//
// The owner is part of every key, so one tenant's value is never returned to
// another. The package loads nothing, expires nothing and starts no goroutines;
// its users decide whether a value is still valid.
package bytecache

import (
	"container/heap"
	"sync"
)

// Overhead is the number of bytes that each value counts for on top of its
// size: roughly the cost of its cache entry.
const Overhead = 256

// Cache holds values of type V by owner and key. Use New to create one. Its
// methods may be called concurrently. Values are shared, not copied.
type Cache[K comparable, V any] struct {
	limit int

	mu     sync.Mutex
	bytes  int
	owners map[string]*owner[K, V]
	most   mostFirst[K, V]
}

// New returns an empty Cache of up to limit bytes, including Overhead.
func New[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{limit: limit, owners: map[string]*owner[K, V]{}}
}

// Get returns the owner's value for a key and reports whether there is one. It
// marks the value as used: an owner's least recently used value is evicted
// first.
func (c *Cache[K, V]) Get(of string, key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.owners[of]
	if o == nil {
		return value, false
	}
	e := o.entries[key]
	if e == nil {
		return value, false
	}
	e.unlink()
	o.newest(e)
	return e.value, true
}

// Put stores a value of size bytes, replacing the owner's value for the key,
// and then evicts until the cache is within its limit: the least recently used
// value of the owner that holds most, possibly of this owner. A value that
// exceeds the limit by itself is not stored.
func (c *Cache[K, V]) Put(of string, key K, value V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(of, key)
	if size += Overhead; size > c.limit {
		return
	}
	o := c.owners[of]
	if o == nil {
		o = &owner[K, V]{name: of, entries: map[K]*entry[K, V]{}}
		o.uses.prev, o.uses.next = &o.uses, &o.uses
		c.owners[of] = o
		heap.Push(&c.most, o)
	}
	e := &entry[K, V]{key: key, value: value, size: size}
	o.entries[key] = e
	o.newest(e)
	c.resize(o, size)
	for c.bytes > c.limit {
		largest := c.most[0]
		c.drop(largest.name, largest.uses.prev.key)
	}
}

// Delete removes the owner's value for a key, if there is one.
func (c *Cache[K, V]) Delete(of string, key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(of, key)
}

// DeleteFunc removes the owner's values for whose keys remove returns true.
func (c *Cache[K, V]) DeleteFunc(of string, remove func(K) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.owners[of]
	if o == nil {
		return
	}
	for key := range o.entries {
		if remove(key) {
			c.drop(of, key)
		}
	}
}

// Clear removes everything.
func (c *Cache[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes, c.owners, c.most = 0, map[string]*owner[K, V]{}, nil
}

// Bytes returns the cache's current size, including Overhead. It never exceeds
// the limit.
func (c *Cache[K, V]) Bytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}

// drop removes a value. mu must be held.
func (c *Cache[K, V]) drop(of string, key K) {
	o := c.owners[of]
	if o == nil {
		return
	}
	e := o.entries[key]
	if e == nil {
		return
	}
	delete(o.entries, key)
	e.unlink()
	c.resize(o, -e.size)
	if len(o.entries) == 0 {
		heap.Remove(&c.most, o.place)
		delete(c.owners, of)
	}
}

// resize adds by, which may be negative, to an owner's bytes and to the total.
// mu must be held.
func (c *Cache[K, V]) resize(o *owner[K, V], by int) {
	c.bytes += by
	o.bytes += by
	heap.Fix(&c.most, o.place)
}

// owner holds one owner's values: by key, and in a ring around uses, from the
// most to the least recently used.
type owner[K comparable, V any] struct {
	name    string
	bytes   int
	place   int // in the heap
	entries map[K]*entry[K, V]
	uses    entry[K, V]
}

type entry[K comparable, V any] struct {
	key        K
	value      V
	size       int
	prev, next *entry[K, V]
}

func (o *owner[K, V]) newest(e *entry[K, V]) {
	e.prev, e.next = &o.uses, o.uses.next
	e.prev.next, e.next.prev = e, e
}

func (e *entry[K, V]) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

// mostFirst is a heap of owners, largest first. Names break ties, so that runs
// are reproducible.
type mostFirst[K comparable, V any] []*owner[K, V]

func (h mostFirst[K, V]) Len() int { return len(h) }

func (h mostFirst[K, V]) Less(i, j int) bool {
	return h[i].bytes > h[j].bytes || h[i].bytes == h[j].bytes && h[i].name < h[j].name
}

func (h mostFirst[K, V]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *mostFirst[K, V]) Push(o any) {
	added := o.(*owner[K, V]) //nolint:forcetypeassert // Put pushes nothing else
	added.place = len(*h)
	*h = append(*h, added)
}

// Pop implements heap.Interface.
func (h *mostFirst[K, V]) Pop() any {
	last := len(*h) - 1
	o := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return o
}
