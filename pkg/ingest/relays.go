package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// relayLife is how long a relay is used without being read again, also while it
// cannot be: a revoked secret stops verifying within this time.
const relayLife = 5 * time.Second

// relays reads the sources of relays and remembers them for relayLife. It does
// not remember which sources do not exist.
type relays struct {
	mu    sync.Mutex
	known map[string]reading
}

// reading is a source and when its read began.
type reading struct {
	source source.Source
	at     time.Time
}

// get returns a source, and whether it read it for this call.
func (r *relays) get(ctx context.Context, from source.Sources, name string, now func() time.Time) (s source.Source, fresh bool, err error) {
	r.mu.Lock()
	known, found := r.known[name]
	r.mu.Unlock()
	if found && webhook.Elapsed(known.at, now()) < relayLife {
		return known.source, false, nil
	}
	s, err = r.read(ctx, from, name, now)
	return s, true, err
}

// errUnknown says that no relay has the name.
var errUnknown = errors.New("unknown relay")

// read reads a source. Errors: errUnknown, and those of the store.
func (r *relays) read(ctx context.Context, from source.Sources, name string, now func() time.Time) (source.Source, error) {
	began := now()
	s, err := from.Get(ctx, name)
	switch {
	case errors.Is(err, webhook.ErrNotFound), err == nil && s.Relay == nil:
		err = errUnknown
	case err != nil:
		err = fmt.Errorf("read source: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	known, found := r.known[name]
	newer := !found || !known.at.After(began)
	switch {
	case err == nil && newer:
		r.keep(name, reading{s, began})
	case errors.Is(err, errUnknown) && newer:
		delete(r.known, name)
	}
	return s, err
}

// keep remembers a reading. Names are those of sources that exist, so that old
// readings are all that may be too many. Callers hold the lock.
func (r *relays) keep(name string, read reading) {
	if r.known == nil {
		r.known = map[string]reading{}
	}
	if len(r.known) >= source.MaxSources {
		for other, known := range r.known {
			if webhook.Elapsed(known.at, read.at) >= relayLife {
				delete(r.known, other)
			}
		}
	}
	r.known[name] = read
}
