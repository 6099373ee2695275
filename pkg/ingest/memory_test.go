package ingest_test

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// memory is a source.Sources in memory that counts its calls and can fail.
type memory struct {
	mu      sync.Mutex
	sources map[string]source.Source
	counts  map[string]source.Counts
	reads   int
	writes  int   // of counts
	err     error // of every call
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// calls returns the numbers of reads of a source and of writes of counts.
func (m *memory) calls() (reads, writes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads, m.writes
}

func (m *memory) List(context.Context) ([]source.Source, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []source.Source
	for _, name := range slices.Sorted(maps.Keys(m.sources)) {
		all = append(all, m.sources[name])
	}
	return all, m.err
}

func (m *memory) Get(_ context.Context, name string) (source.Source, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.err != nil {
		return source.Source{}, m.err
	}
	s, found := m.sources[name]
	if !found {
		return source.Source{}, webhook.ErrNotFound
	}
	return s, nil
}

func (m *memory) Put(_ context.Context, s source.Source) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sources == nil {
		m.sources = map[string]source.Source{}
	}
	if s.Revision != m.sources[s.Name].Revision+1 {
		return webhook.ErrConflict
	}
	m.sources[s.Name] = s
	return m.err
}

func (m *memory) Delete(_ context.Context, name string, _ int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sources, name)
	return m.err
}

func (m *memory) Count(_ context.Context, name string, c source.Counts) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes++
	if m.err != nil {
		return m.err
	}
	if m.counts == nil {
		m.counts = map[string]source.Counts{}
	}
	m.counts[name] = m.counts[name].Add(c)
	return nil
}

func (m *memory) Counts(_ context.Context, name string) (source.Counts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[name], m.err
}
