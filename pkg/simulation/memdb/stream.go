package memdb

import (
	"slices"
	"time"
)

// The kinds of changes, as the stream's records name them.
const (
	Insert = "INSERT"
	Modify = "MODIFY"
	Remove = "REMOVE"
)

// Change is one record of a table's stream: a committed write that changed
// something.
type Change struct {
	Sequence  int    // 1, 2, …, per table
	EventName string // Insert, Modify or Remove
	Keys      Item
	NewImage  Item // nil for REMOVE

	// ApproximateCreationTime is truncated to the second, as in DynamoDB.
	ApproximateCreationTime time.Time
}

// Changes returns the changes of a table with a Sequence greater than after,
// oldest first. A table that is unknown or has no stream has no changes.
func (db *DB) Changes(tableName string, after int) []Change {
	db.mu.Lock()
	defer db.mu.Unlock()
	t := db.tables[tableName]
	if t == nil || after >= len(t.changes) {
		return nil
	}
	out := slices.Clone(t.changes[max(0, after):])
	for i := range out {
		out[i].Keys, out[i].NewImage = give(out[i].Keys), give(out[i].NewImage)
	}
	return out
}

// store commits an item's new state; nil removes it. The caller has checked
// that it differs from old and has incremented db.commit.
func (db *DB) store(t *table, k primary, old, item Item) {
	oldest := db.commit - db.config.History
	t.base.put(k.partition, k.sort, "", version{db.commit, item}, oldest)
	for i := range t.Indexes {
		x := &t.Indexes[i]
		before, was, _ := x.indexKey(old)
		now, is, _ := x.indexKey(item)
		if was && (!is || before != now) {
			t.indexes[i].put(before.partition, before.sort, k.tie(), version{db.commit, nil}, oldest)
		}
		if !is {
			continue
		}
		shown := x.project(&t.Table, item)
		if was && before == now && equalItems(shown, x.project(&t.Table, old)) {
			continue
		}
		t.indexes[i].put(now.partition, now.sort, k.tie(), version{db.commit, shown}, oldest)
	}
	if !t.Stream {
		return
	}
	c := Change{
		Sequence: len(t.changes) + 1, EventName: Modify, NewImage: item,
		ApproximateCreationTime: db.config.Now().Truncate(time.Second),
	}
	image := item
	switch {
	case old == nil:
		c.EventName = Insert
	case item == nil:
		c.EventName, image = Remove, old
	}
	c.Keys = make(Item)
	for _, name := range keyNames(t.PK, t.SK) {
		c.Keys[name] = image[name]
	}
	t.changes = append(t.changes, c)
}
