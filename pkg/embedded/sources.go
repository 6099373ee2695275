package embedded

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Sources is the store of sources of a DB.
type Sources struct{ db *DB }

var _ source.Sources = Sources{}

// Sources returns the store of sources.
func (db *DB) Sources() Sources { return Sources{db} }

func loadSource(tx *bbolt.Tx, name string) (source.Source, error) {
	stored := bucket(tx, "sources").Get([]byte(name))
	if stored == nil {
		return source.Source{}, fmt.Errorf("source %s: %w", name, webhook.ErrNotFound)
	}
	s, err := source.Decode(stored)
	if err != nil {
		return source.Source{}, fmt.Errorf("source %s: %w", name, err)
	}
	return s, nil
}

// List implements source.Sources.
func (s Sources) List(ctx context.Context) (all []source.Source, err error) {
	var broken webhook.UnreadableError
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		c := bucket(tx, "sources").Cursor()
		for k, stored := c.First(); k != nil; k, stored = c.Next() {
			each, err := source.Decode(stored)
			if err != nil {
				broken.Add(shown("sources", k), err)
				continue
			}
			all = append(all, each)
		}
		return broken.Err()
	})
	return all, err
}

// Get implements source.Sources.
func (s Sources) Get(ctx context.Context, name string) (found source.Source, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		found, err = loadSource(tx, name)
		return err
	})
	return found, err
}

// Put implements source.Sources.
func (s Sources) Put(ctx context.Context, put source.Source) error {
	text, err := source.Encode(put)
	if err != nil {
		return err
	}
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		b, k := bucket(tx, "sources"), []byte(put.Name)
		if put.Revision != 1 {
			current, err := loadSource(tx, put.Name)
			if err != nil {
				return err
			}
			if current.Revision != put.Revision-1 {
				return fmt.Errorf("source %s: %w", put.Name, webhook.ErrConflict)
			}
			return b.Put(k, text)
		}
		if b.Get(k) != nil {
			return fmt.Errorf("source %s: %w", put.Name, webhook.ErrExists)
		}
		n, c := 0, b.Cursor()
		for have, _ := c.First(); have != nil; have, _ = c.Next() {
			n++
		}
		if n >= source.MaxSources {
			return source.FullError()
		}
		// Calls that began before an older source of this name was deleted may
		// have counted since.
		if err := bucket(tx, "counts").Delete(k); err != nil {
			return fmt.Errorf("reset counts: %w", err)
		}
		return b.Put(k, text)
	})
}

// Delete implements source.Sources.
func (s Sources) Delete(ctx context.Context, name string, revision int64) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		current, err := loadSource(tx, name)
		if err != nil {
			return err
		}
		if current.Revision != revision {
			return fmt.Errorf("source %s: %w", name, webhook.ErrConflict)
		}
		if err := bucket(tx, "counts").Delete([]byte(name)); err != nil {
			return fmt.Errorf("remove counts: %w", err)
		}
		return bucket(tx, "sources").Delete([]byte(name))
	})
}

// Count implements source.Sources.
func (s Sources) Count(ctx context.Context, name string, c source.Counts) error {
	return s.db.update(ctx, func(tx *bbolt.Tx) error {
		var have source.Counts
		if _, err := load(bucket(tx, "counts"), []byte(name), &have); err != nil {
			return err
		}
		return save(bucket(tx, "counts"), []byte(name), have.Add(c))
	})
}

// Counts implements source.Sources.
func (s Sources) Counts(ctx context.Context, name string) (c source.Counts, err error) {
	err = s.db.view(ctx, func(tx *bbolt.Tx) error {
		_, err := load(bucket(tx, "counts"), []byte(name), &c)
		return err
	})
	return c, err
}
