package ingest_test

import (
	"context"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/source"
)

// sources is a store of sources that counts its calls and can fail.
type sources struct {
	source.Sources
	mu            sync.Mutex
	reads, writes int // of sources, of counts
	err           error
}

func (s *sources) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// calls returns the numbers of reads of a source and of writes of counts.
func (s *sources) calls() (reads, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads, s.writes
}

func (s *sources) Get(ctx context.Context, name string) (source.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.err != nil {
		return source.Source{}, s.err
	}
	return s.Sources.Get(ctx, name)
}

func (s *sources) Count(ctx context.Context, name string, c source.Counts) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.err != nil {
		return s.err
	}
	return s.Sources.Count(ctx, name, c)
}
