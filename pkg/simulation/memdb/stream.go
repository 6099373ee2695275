package memdb

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// Change is one record of a table's stream: a committed write that changed
// something.
type Change struct {
	Sequence  int // 1, 2, …, per table
	EventName types.OperationType
	Keys      Item
	NewImage  Item // nil for REMOVE

	// ApproximateCreationTime is cut to the second, as DynamoDB's is.
	ApproximateCreationTime time.Time
}

// Changes returns the changes of a table whose Sequence is greater than after,
// oldest first. A table without a stream, or an unknown one, has none.
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

// store commits an item's new state, nil to remove it. The caller has checked
// that it differs from old, and raised db.commit.
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
		if is {
			t.indexes[i].put(now.partition, now.sort, k.tie(), version{db.commit, x.project(&t.Table, item)}, oldest)
		}
	}
	if !t.Stream {
		return
	}
	c := Change{
		Sequence: len(t.changes) + 1, EventName: types.OperationTypeModify, NewImage: item,
		ApproximateCreationTime: db.config.Now().Truncate(time.Second),
	}
	image := item
	switch {
	case old == nil:
		c.EventName = types.OperationTypeInsert
	case item == nil:
		c.EventName, image = types.OperationTypeRemove, old
	}
	c.Keys = make(Item)
	for _, name := range keyNames(t.PK, t.SK) {
		c.Keys[name] = image[name]
	}
	t.changes = append(t.changes, c)
}
