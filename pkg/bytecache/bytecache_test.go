package bytecache_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/bytecache"
)

// size is the size of a value that counts for n bytes.
func size(n int) int { return n - bytecache.Overhead }

// held returns an owner's values by key, without marking them as used.
func held(c *bytecache.Cache[int, string], owner string) (values []string) {
	var keys []int
	c.DeleteFunc(owner, func(key int) bool { keys = append(keys, key); return false })
	for key := range 100 {
		for _, k := range keys {
			if k == key {
				values = append(values, fmt.Sprint(key))
			}
		}
	}
	return values
}

func TestCache_KeepsOwnersApart(t *testing.T) {
	t.Parallel()
	c := bytecache.New[int, string](10_000)
	c.Put("a", 1, "of a", 0)
	c.Put("b", 1, "of b", 0)
	for _, owner := range []string{"a", "b"} {
		if got, ok := c.Get(owner, 1); !ok || got != "of "+owner {
			t.Errorf("%s: got %q, %v", owner, got, ok)
		}
	}
	if got, ok := c.Get("c", 1); ok {
		t.Errorf("an unknown owner got %q", got)
	}
	c.Delete("a", 1)
	if _, ok := c.Get("a", 1); ok {
		t.Error("a deleted value is still there")
	}
	if _, ok := c.Get("b", 1); !ok {
		t.Error("deleting one owner's value removed another's")
	}
}

func TestCache_EvictsFromTheOwnerThatHoldsMost(t *testing.T) {
	t.Parallel()
	c := bytecache.New[int, string](10_000)
	c.Put("small", 1, "the oldest of all", size(1000))
	for key := 1; key <= 8; key++ {
		c.Put("large", key, "v", size(1000))
	}
	c.Get("large", 1) // now 2 is the least recently used
	c.Put("middle", 1, "v", size(1000))
	c.Put("middle", 2, "v", size(1000))
	if got := strings.Join(held(c, "large"), " "); got != "1 3 4 5 6 7 8" {
		t.Errorf("the largest holds %s, want all but 2", got)
	}
	if len(held(c, "small")) != 1 || len(held(c, "middle")) != 2 {
		t.Error("a smaller owner's value was evicted")
	}
	c.Put("newcomer", 1, "v", size(9000)) // holds most by itself
	if len(held(c, "newcomer")) != 0 || len(held(c, "large")) != 7 {
		t.Error("an owner's single large value evicted others' values")
	}
	if got := c.Bytes(); got != 10_000 {
		t.Errorf("got %d bytes, want 10,000", got)
	}
}

func TestCache_CountsAReplacedValueOnce(t *testing.T) {
	t.Parallel()
	c := bytecache.New[int, string](10_000)
	for n := range 100 {
		c.Put("a", 1, fmt.Sprint(n), size(3000))
	}
	if got, ok := c.Get("a", 1); !ok || got != "99" {
		t.Errorf("got %q, %v; want the last", got, ok)
	}
	if got := c.Bytes(); got != 3000 {
		t.Errorf("got %d bytes, want 3,000", got)
	}
	c.Put("a", 1, "too large", size(10_001))
	if _, ok := c.Get("a", 1); ok || c.Bytes() != 0 {
		t.Error("a value over the limit, or the one that it replaced, is still there")
	}
}

func TestCache_BoundsSmallValuesToo(t *testing.T) {
	t.Parallel()
	c := bytecache.New[int, string](100 * bytecache.Overhead)
	for key := range 10_000 {
		c.Put("a", key, "", 0)
	}
	n := 0
	c.DeleteFunc("a", func(int) bool { n++; return false })
	if n != 100 {
		t.Errorf("%d empty values are held, want 100", n)
	}
}

func TestCache_Clear(t *testing.T) {
	t.Parallel()
	c := bytecache.New[int, string](10_000)
	c.Put("a", 1, "v", 1)
	c.Clear()
	if _, ok := c.Get("a", 1); ok || c.Bytes() != 0 {
		t.Error("the cache is not empty")
	}
	c.Put("a", 1, "v", 1)
	if _, ok := c.Get("a", 1); !ok {
		t.Error("a cleared cache cannot be used again")
	}
}

// Under any sequence of operations, a cache counts its bytes correctly and
// stays within its limit, and only the largest owner loses values.
func TestCache_Counts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		c := bytecache.New[int, int](50_000)
		sizes := map[string]map[int]int{"a": {}, "b": {}, "c": {}}
		owners := []string{"a", "b", "c"}
		for range 2000 {
			owner, key := owners[random.IntN(3)], random.IntN(40)
			switch random.IntN(6) {
			case 0:
				c.Delete(owner, key)
				delete(sizes[owner], key)
			case 1:
				c.Get(owner, key)
			default:
				n := bytecache.Overhead + random.IntN(3000)
				c.Put(owner, key, n, n-bytecache.Overhead)
				sizes[owner][key] = n
			}
			most := map[string]int{}
			for owner, values := range sizes {
				for _, n := range values {
					most[owner] += n
				}
			}
			sum := 0
			for _, owner := range owners {
				have := map[int]bool{}
				c.DeleteFunc(owner, func(key int) bool { have[key] = true; return false })
				for key, n := range sizes[owner] {
					if have[key] {
						sum += n
						continue
					}
					if most[owner] < max(most["a"], most["b"], most["c"])-3000-bytecache.Overhead {
						t.Fatalf("seed %d: %s lost a value while another holds more: %v", seed, owner, most)
					}
					delete(sizes[owner], key)
				}
				if len(have) != len(sizes[owner]) {
					t.Fatalf("seed %d: %s holds %d values, want %d", seed, owner, len(have), len(sizes[owner]))
				}
			}
			if got := c.Bytes(); got != sum || got > 50_000 {
				t.Fatalf("seed %d: got %d bytes, want %d and at most 50,000", seed, got, sum)
			}
		}
	}
}

func TestCache_Concurrently(t *testing.T) {
	t.Parallel()
	c := bytecache.New[int, string](20_000)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			owner := fmt.Sprint(worker % 2)
			for n := range 1000 {
				c.Put(owner, n%50, owner, 500)
				if got, ok := c.Get(owner, n%50); ok && got != owner {
					t.Errorf("%s got %s", owner, got)
				}
				if n%100 == 0 {
					c.Clear()
				}
			}
		})
	}
	wg.Wait()
}
