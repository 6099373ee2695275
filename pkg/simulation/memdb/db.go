package memdb

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Operation describes one call of a client method to the hooks.
type Operation struct {
	Name  string // "PutItem"
	Table string // the first one if a call names several
	Key   string // "pk/sk" of each item, separated by spaces; for a Query, the index and partition
	Write bool
}

// Config configures a DB. Now is required. The hooks are called without the
// DB's lock, from the goroutine of the call, and may block.
type Config struct {
	Tables []Table
	Now    func() time.Time

	// Before runs before an operation takes effect. If it returns an error, the
	// call returns it and has no effect.
	Before func(context.Context, Operation) error
	// After runs after a successful operation. If it returns an error, the call
	// returns it although it took effect: its response was lost.
	After func(context.Context, Operation) error

	// Lag returns how many commits behind the newest an eventually consistent
	// read of a table is served; IndexLag does the same for a query of an
	// index. Nil means no lag. Both are called once per read, under the DB's
	// lock, so they must not call the DB. Reads go back at most History
	// commits.
	Lag      func(table string) int
	IndexLag func(table, index string) int
	// History is how many commits old states are kept. Zero means 1,000.
	History int

	// Consumed is told what each operation takes, also if its condition fails. It is
	// called under the DB's lock, so it must not call the DB.
	Consumed func(Use)

	// PageBytes is the size after which a Query's page ends. Zero means 1 MiB.
	PageBytes int
	// BatchKeys is how many keys a BatchGetItem reads; the others are returned
	// as unprocessed. Zero means all.
	BatchKeys int
}

// DB is an in-memory DynamoDB. It is safe for concurrent use. Items are copied
// in and out.
type DB struct {
	config Config

	mu      sync.Mutex
	tables  map[string]*table
	commit  int // number of the newest commit; 0 is the empty database
	parsed  map[parseKey]parseResult
	repeats map[string]repeat
}

type table struct {
	Table
	base    *tree
	indexes []*tree // one per Index, in its order
	changes []Change
}

// New returns an empty database. It panics on an invalid configuration: no
// clock, or two tables with the same name.
func New(config Config) *DB {
	if config.Now == nil {
		panic("memdb: Config.Now is nil")
	}
	if config.History == 0 {
		config.History = 1000
	}
	if config.PageBytes == 0 {
		config.PageBytes = 1 << 20
	}
	db := &DB{
		config:  config,
		tables:  make(map[string]*table),
		parsed:  make(map[parseKey]parseResult),
		repeats: make(map[string]repeat),
	}
	for _, t := range config.Tables {
		if _, twice := db.tables[t.Name]; twice {
			panic("memdb: two tables are named " + t.Name)
		}
		made := &table{Table: t, base: newTree()}
		for range t.Indexes {
			made.indexes = append(made.indexes, newTree())
		}
		db.tables[t.Name] = made
	}
	return db
}

// Commits returns the number of commits so far. A transaction counts as one; a
// write that changes nothing does not count.
func (db *DB) Commits() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.commit
}

// run performs an operation between its hooks.
func run[T any](ctx context.Context, db *DB, op Operation, effect func() (T, error)) (T, error) {
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, failed(op.Name, fmt.Errorf("request cancelled: %w", err))
	}
	if db.config.Before != nil {
		if err := db.config.Before(ctx, op); err != nil {
			return zero, failed(op.Name, err)
		}
	}
	db.mu.Lock()
	out, err := effect()
	db.mu.Unlock()
	if err != nil {
		return zero, failed(op.Name, err)
	}
	if db.config.After != nil {
		if err := db.config.After(ctx, op); err != nil {
			return zero, failed(op.Name, err)
		}
	}
	return out, nil
}

// asOf returns the commit at which an eventually consistent read is served.
func (db *DB) asOf(lag int) int {
	return db.commit - max(0, min(lag, db.config.History, db.commit))
}

type parseKey struct {
	kind, text string
}

type parseResult struct {
	expression *expression
	err        error
}

// parse returns the parsed expression, or nil if text is nil.
func (db *DB) parse(kind string, text *string, rule func(*parser) error) (*expression, error) {
	if text == nil {
		return nil, nil
	}
	key := parseKey{kind, *text}
	result, ok := db.parsed[key]
	if !ok {
		result.expression, result.err = parse(*text, rule)
		if result.err != nil {
			result.err = invalid("Invalid %s: %s", kind, message(result.err))
		}
		db.parsed[key] = result
	}
	return result.expression, result.err
}
