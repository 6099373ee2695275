package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/seal"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Options configures a DB. Now and Random are required.
type Options struct {
	Now    func() time.Time
	Random io.Reader
	// SecretPrefix begins the names of secrets. Empty: "local".
	SecretPrefix string
	// Visibility is how long a received message is hidden. 0: 15 min.
	Visibility time.Duration
	// MaxReceives is how often a message is received before it becomes a dead
	// letter. 0: 20.
	MaxReceives int
}

// linger is how long the committing goroutine waits for more writes: long
// compared with the time a writer needs to come back, short compared with a
// sync.
const linger = 300 * time.Microsecond

// patience is how long a write that is not urgent waits for an urgent one to be committed
// with. Each event costs two urgent writes, itself and its row, and about as many others:
// at a few hundred events a second this halves the number of commits.
const patience = 5 * time.Millisecond

// lockWait bounds the wait for another process's lock on the file.
const lockWait = 500 * time.Millisecond

var bucketNames = []string{
	"webhooks", "history", "graves", "pointers", "epochs", "ids", "health", "intents", "tenants", "credentials", "issued", "events", "claims", "feed",
	"deliveries", "due", "queue", "ready", "dead", "secrets", "jobs", "ended", "expiry", "sources", "counts", "responses", "statistics",
	"secretkey",
}

// DB is an open file. It is safe for concurrent use.
type DB struct {
	Options
	bolt   *bbolt.DB
	writes chan *write
	closed chan struct{} // closed when the committing goroutine has ended

	mu      sync.Mutex
	closing bool
	senders sync.WaitGroup

	ring      seal.Ring  // seals the secrets
	documents *documents // secrets that were read

	fed    *signal // something entered the feed
	queued *signal // something entered the queue, or became visible sooner
}

// write is a change waiting to be committed.
type write struct {
	change func(*bbolt.Tx) error
	urgent bool
	done   chan error
}

// Open opens the file posthaste.db in a directory, creating both if needed, and with
// it the file secrets.key, which has the key of the secrets in it. The file is synced
// at each commit. Open fails if another process has the file open, if it is empty or
// damaged, or if its key is missing or is another's.
func Open(dir string, o Options) (*DB, error) {
	if o.SecretPrefix == "" {
		o.SecretPrefix = "local"
	}
	if o.Visibility == 0 {
		o.Visibility = 15 * time.Minute
	}
	if o.MaxReceives == 0 {
		o.MaxReceives = 20
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	bolt, err := openFile(filepath.Join(dir, "posthaste.db"))
	if err != nil {
		return nil, err
	}
	db := &DB{
		Options: o, bolt: bolt, writes: make(chan *write, 1024), closed: make(chan struct{}),
		documents: newDocuments(), fed: newSignal(), queued: newSignal(),
	}
	err = bolt.Update(func(tx *bbolt.Tx) error {
		for _, name := range bucketNames {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return fmt.Errorf("create bucket %s: %w", name, err)
			}
		}
		return nil
	})
	if err == nil {
		db.ring, err = openKey(dir, bolt)
	}
	if err == nil {
		err = db.release()
	}
	if err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	go db.commitAll()
	return db, nil
}

// Close waits for pending writes and closes the file.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closing {
		db.mu.Unlock()
		<-db.closed
		return nil
	}
	db.closing = true
	db.mu.Unlock()
	db.senders.Wait()
	close(db.writes)
	<-db.closed
	if err := db.bolt.Close(); err != nil {
		return fmt.Errorf("close data file: %w", err)
	}
	return nil
}

var errClosed = fmt.Errorf("data file is closed: %w", webhook.ErrUnavailable)

// update commits a change and returns the change's error or the commit's. If
// the context ends first, update returns the context's error, and the change
// may still be committed. A change may run more than once, and after update has
// returned, so it must not write to anything its caller reads. To return a
// value, use commit.
func (db *DB) update(ctx context.Context, change func(*bbolt.Tx) error) error {
	return db.write(ctx, &write{change: change, urgent: true, done: make(chan error, 1)})
}

// updateSoon is update for a change that no call and no attempt waits for. It is
// committed with the next urgent one, or after patience.
func (db *DB) updateSoon(ctx context.Context, change func(*bbolt.Tx) error) error {
	return db.write(ctx, &write{change: change, done: make(chan error, 1)})
}

func (db *DB) write(ctx context.Context, w *write) error {
	db.mu.Lock()
	if db.closing {
		db.mu.Unlock()
		return errClosed
	}
	db.senders.Add(1)
	db.mu.Unlock()
	defer db.senders.Done()
	select {
	case db.writes <- w:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit is update, or updateSoon, for a change that returns a value.
func commit[T any](ctx context.Context, update func(context.Context, func(*bbolt.Tx) error) error, change func(*bbolt.Tx) (T, error)) (T, error) {
	made := new(T) // owned by the committing goroutine until update returns
	err := update(ctx, func(tx *bbolt.Tx) (err error) {
		*made, err = change(tx)
		return err
	})
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		var none T
		return none, err
	}
	return *made, err
}

// Changed returns a channel that the next change of the queue closes.
func (db *DB) Changed() <-chan struct{} { return db.queued.raised() }

// view reads the last committed state.
func (db *DB) view(ctx context.Context, read func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.bolt.View(read)
}

// commitAll runs the committing goroutine.
func (db *DB) commitAll() {
	defer close(db.closed)
	for first := range db.writes {
		db.commitGroup(db.gather(first))
	}
}

// maxGroup bounds the changes of one transaction.
const maxGroup = 1024

// gather collects the waiting writes, and those that arrive while it lingers.
func (db *DB) gather(first *write) []*write {
	group, urgent := []*write{first}, first.urgent
	timer := time.NewTimer(lingers(urgent))
	defer timer.Stop()
	for len(group) < maxGroup {
		select {
		case w, open := <-db.writes:
			if !open {
				return group
			}
			group = append(group, w)
			if w.urgent && !urgent {
				urgent = true
				timer.Reset(lingers(urgent))
			}
		case <-timer.C:
			return group
		}
	}
	return group
}

func lingers(urgent bool) time.Duration {
	if urgent {
		return linger
	}
	return patience
}

// commitGroup runs the changes of a group in one transaction and wakes their
// writers. A change that fails other than by a refusal may have written part of
// its data: the transaction is rolled back, and the group runs again without
// it.
func (db *DB) commitGroup(group []*write) {
	for len(group) > 0 {
		results := make([]error, len(group))
		broken := -1
		err := db.bolt.Update(func(tx *bbolt.Tx) error {
			for i, w := range group {
				if results[i] = run(w, tx); results[i] != nil && !refusal(results[i]) {
					broken = i
					return results[i]
				}
			}
			return nil
		})
		if broken >= 0 {
			group[broken].done <- err
			group = append(group[:broken:broken], group[broken+1:]...)
			continue
		}
		for i, w := range group {
			if err != nil {
				results[i] = fmt.Errorf("commit: %w: %w", webhook.ErrUnavailable, err)
			}
			w.done <- results[i]
		}
		break
	}
	db.fed.raise()
	db.queued.raise()
}

// refusal reports whether err is one that changes return only before they write
// anything.
func refusal(err error) bool {
	for _, sentinel := range []error{delivery.ErrRefused, webhook.ErrConflict, webhook.ErrNotFound, webhook.ErrExists} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	var full *webhook.LimitError
	return errors.As(err, &full)
}

func run(w *write, tx *bbolt.Tx) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("change panicked: %v", cause)
		}
	}()
	return w.change(tx)
}

// signal wakes all its waiters.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func newSignal() *signal { return &signal{ch: make(chan struct{})} }

func (s *signal) raise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ch)
	s.ch = make(chan struct{})
}

// raised returns a channel that the next raise closes.
func (s *signal) raised() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

// key joins the parts of a key: strings end with a zero byte if another part
// follows, numbers are big-endian.
func key(parts ...any) []byte {
	var out []byte
	for i, part := range parts {
		switch p := part.(type) {
		case string:
			out = append(out, p...)
			if i < len(parts)-1 {
				out = append(out, 0)
			}
		case int32:
			out = binary.BigEndian.AppendUint32(out, uint32(p))
		case uint64:
			out = binary.BigEndian.AppendUint64(out, p)
		case byte:
			out = append(out, p)
		case time.Time:
			out = binary.BigEndian.AppendUint64(out, uint64(max(p.UnixMilli(), 0)))
		default:
			panic(fmt.Sprintf("key part of type %T", part))
		}
	}
	return out
}

// shown names an item in an error.
func shown(bucket string, k []byte) string { return fmt.Sprintf("%s %q", bucket, k) }

func load(bucket *bbolt.Bucket, k []byte, into any) (found bool, err error) {
	stored := bucket.Get(k)
	if stored == nil {
		return false, nil
	}
	if err := json.Unmarshal(stored, into); err != nil {
		return false, fmt.Errorf("read stored item: %w", err)
	}
	return true, nil
}

func save(bucket *bbolt.Bucket, k []byte, item any) error {
	text, err := encode(item)
	if err != nil {
		return fmt.Errorf("encode item: %w", err)
	}
	if err := bucket.Put(k, text); err != nil {
		return fmt.Errorf("write item: %w", err)
	}
	return nil
}

// encode returns an item's JSON. Raw JSON within it keeps every byte;
// json.Marshal would escape <, > and &.
func encode(item any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(item); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

func bucket(tx *bbolt.Tx, name string) *bbolt.Bucket { return tx.Bucket([]byte(name)) }
