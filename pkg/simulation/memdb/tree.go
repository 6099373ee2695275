package memdb

import (
	"slices"
	"strings"
)

// tree holds the items of a table or an index, ordered by partition and sort
// key, with the old states that stale reads may still see.
type tree struct {
	partitions map[string][]*slot
}

// slot holds the versions of one key. In an index, tie is the item's own key,
// because several items may share an index key.
type slot struct {
	sort, tie string
	versions  []version // oldest first
}

// version is an item's state after a commit: nil if it does not exist.
type version struct {
	commit int
	item   Item
}

func newTree() *tree {
	return &tree{partitions: make(map[string][]*slot)}
}

func (s *slot) before(sort, tie string) int {
	if c := strings.Compare(s.sort, sort); c != 0 {
		return c
	}
	return strings.Compare(s.tie, tie)
}

// at returns the item as of a commit.
func (s *slot) at(commit int) Item {
	for i := len(s.versions) - 1; i >= 0; i-- {
		if s.versions[i].commit <= commit {
			return s.versions[i].item
		}
	}
	return nil
}

// dead reports whether no read can see an item here.
func (s *slot) dead(oldest int) bool {
	last := s.versions[len(s.versions)-1]
	return last.item == nil && last.commit <= oldest
}

func (t *tree) find(partition, sort, tie string) (int, bool) {
	return slices.BinarySearchFunc(t.partitions[partition], struct{}{}, func(s *slot, _ struct{}) int {
		return s.before(sort, tie)
	})
}

func (t *tree) get(partition, sort, tie string, commit int) Item {
	if i, ok := t.find(partition, sort, tie); ok {
		return t.partitions[partition][i].at(commit)
	}
	return nil
}

// put adds a version and drops those that only reads before oldest could see.
func (t *tree) put(partition, sort, tie string, v version, oldest int) {
	i, ok := t.find(partition, sort, tie)
	slots := t.partitions[partition]
	if !ok {
		if n := len(slots); n >= 64 && n&(n-1) == 0 {
			slots = slices.DeleteFunc(slots, func(s *slot) bool { return s.dead(oldest) })
			t.partitions[partition] = slots
			i, _ = t.find(partition, sort, tie)
		}
		slots = slices.Insert(slots, i, &slot{sort: sort, tie: tie})
		t.partitions[partition] = slots
	}
	s := slots[i]
	for len(s.versions) > 1 && s.versions[1].commit <= oldest {
		s.versions = s.versions[1:]
	}
	s.versions = append(s.versions, v)
}
