package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

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

// lockWait bounds the wait for another process's lock on the file.
const lockWait = 500 * time.Millisecond

var bucketNames = []string{
	"webhooks", "history", "graves", "pointers", "epochs", "ids", "health", "intents", "tenants", "credentials", "issued", "events", "claims", "feed",
	"deliveries", "due", "parked", "timers", "duetimers", "queue", "ready", "dead", "secrets", "jobs", "ended", "expiry", "sources", "counts", "responses", "statistics",
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

// Changed returns a channel that the next change of the queue closes.
func (db *DB) Changed() <-chan struct{} { return db.queued.raised() }

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
