package memdb

import "github.com/aws/aws-sdk-go-v2/aws"

// Use is what DynamoDB bills, in on-demand mode, for what an operation does with one
// item, one index entry or one page.
type Use struct {
	Operation string // "PutItem"
	Table     string
	Index     string // "" for the table itself
	Partition string // of the item, or of the page
	// Read is in read request units: a half for each 4 KB that are read with eventual
	// consistency. Write is in write request units.
	Read, Write float64
	// Stored is by how many bytes the data grow that storage is billed for.
	Stored int
}

const (
	readUnitBytes  = 4 << 10
	writeUnitBytes = 1 << 10
	// storedBytes are billed for each item and each entry of an index, in addition to
	// its size.
	storedBytes = 100
)

// used tells Config.Consumed what an operation takes. The DB's lock is held.
func (db *DB) used(u Use) {
	if db.config.Consumed != nil {
		db.config.Consumed(u)
	}
}

// readUnits returns the units of a read. A read of nothing costs as much as one of a
// byte.
func readUnits(bytes int, consistent *bool) float64 {
	units := max(1, (bytes+readUnitBytes-1)/readUnitBytes)
	if aws.ToBool(consistent) {
		return float64(units)
	}
	return float64(units) / 2
}

func writeUnits(old, item Item) float64 {
	return float64(max(1, (max(itemBytes(old), itemBytes(item))+writeUnitBytes-1)/writeUnitBytes))
}

// grown returns by how many bytes storage grows when an item replaces another one.
func grown(old, item Item) int {
	n := itemBytes(item) - itemBytes(old)
	if old != nil {
		n -= storedBytes
	}
	if item != nil {
		n += storedBytes
	}
	return n
}

// usedByWrite tells what a write takes, also if its condition fails. times is 2 in a
// transaction. Entries of indexes are written afterwards, and never twice.
func (db *DB) usedByWrite(operation string, times float64, a *action, old, item Item) {
	if db.config.Consumed == nil {
		return
	}
	use := Use{Operation: operation, Table: a.table.Name, Partition: a.key.partition, Write: times * writeUnits(old, item), Stored: grown(old, item)}
	db.used(use)
	if !changes(old, item) {
		return
	}
	for i := range a.table.Indexes {
		x := &a.table.Indexes[i]
		before, was, _ := x.indexKey(old)
		now, is, _ := x.indexKey(item)
		var gone, kept Item
		if was {
			gone = x.project(&a.table.Table, old)
		}
		if is {
			kept = x.project(&a.table.Table, item)
		}
		use.Index, use.Stored = x.Name, grown(gone, kept)
		switch {
		case was && is && before != now: // the entry moves
			use.Write = writeUnits(gone, nil) + writeUnits(nil, kept)
		case was != is, was && !equalItems(gone, kept):
			use.Write = writeUnits(gone, kept)
		default:
			continue
		}
		db.used(use)
	}
}
