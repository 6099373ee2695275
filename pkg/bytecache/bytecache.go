// Package bytecache keeps values in memory up to a number of bytes, and keeps
// one owner from pushing out the others: a full cache evicts from the owner that
// holds most.
//
// The owner is a part of every key, so what one tenant stored is never returned
// to another. The package reads nothing, expires nothing and starts nothing:
// whether a value still counts is for its user to decide.
package bytecache

import (
	"container/heap"
	"sync"
)

// Overhead is the number of bytes that each value counts for beside its size:
// about what its place in the cache takes.
const Overhead = 256

// Cache holds values of type V by owner and key. Make it with New; its methods
// may be called concurrently. Values are shared, not copied.
type Cache[K comparable, V any] struct {
	limit int

	mu     sync.Mutex
	bytes  int
	owners map[string]*owner[K, V]
	most   mostFirst[K, V]
}

// New returns an empty Cache of up to limit bytes, Overhead included.
func New[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{limit: limit, owners: map[string]*owner[K, V]{}}
}

// Get returns the owner's value for a key and reports whether there is one. It
// counts as a use: of an owner's values the one unused for longest goes first.
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

// Put stores a value of size bytes in place of what the owner had under the key,
// and evicts until the cache is within its limit: of the owner that then holds
// most, which may be this one, the value unused for longest. A value that is
// larger than the limit by itself is not stored.
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

// DeleteFunc removes those of the owner's values whose keys remove selects.
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

// Bytes returns what is held, Overhead included: never more than the limit.
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

// resize counts bytes that an owner holds more, or less. mu must be held.
func (c *Cache[K, V]) resize(o *owner[K, V], by int) {
	c.bytes += by
	o.bytes += by
	heap.Fix(&c.most, o.place)
}

// owner is one owner's values: by key, and in a ring around uses, the newest use
// next and the oldest before it.
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

// mostFirst is a heap of owners, the one that holds most first. Of two that hold
// the same the name decides, so that a run can be repeated.
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
