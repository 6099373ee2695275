package httpapi_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// memory stands in for the stores as far as the API uses them. What it lacks
// panics.
type memory struct {
	mu       sync.Mutex
	lastID   int32
	webhooks []webhook.Webhook
	events   []webhook.Event
	docs     []webhook.SecretDocument
	health   map[int32]webhook.Health
	fault    error // what List answers
}

func (m *memory) NextID(context.Context, webhook.Tenant) (int32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastID++
	return m.lastID, nil
}

func (m *memory) Create(_ context.Context, w webhook.Webhook) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.webhooks = append(m.webhooks, w)
	return nil
}

func (m *memory) find(tenant webhook.Tenant, id int32) int {
	return slices.IndexFunc(m.webhooks, func(w webhook.Webhook) bool { return w.Tenant == tenant && w.ID == id })
}

type webhookStore struct {
	*memory
	unused
}

// unused holds the methods that the API does not call, one level down so that
// those of memory come first.
type unused struct{ webhook.Webhooks }

func (m webhookStore) Get(_ context.Context, tenant webhook.Tenant, id int32) (webhook.Webhook, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(tenant, id); i >= 0 {
		return m.webhooks[i], nil
	}
	return webhook.Webhook{}, webhook.ErrNotFound
}

func (m webhookStore) List(_ context.Context, tenant webhook.Tenant, after int32, limit int) ([]webhook.Webhook, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil {
		return nil, m.fault
	}
	var found []webhook.Webhook
	for _, w := range m.webhooks {
		if w.Tenant == tenant && w.ID > after && len(found) < limit {
			found = append(found, w)
		}
	}
	return found, nil
}

func (m webhookStore) Update(_ context.Context, w webhook.Webhook, raised ...webhook.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.webhooks[m.find(w.Tenant, w.ID)] = w
	m.events = append(m.events, raised...)
	return nil
}

func (m webhookStore) Delete(_ context.Context, tenant webhook.Tenant, id int32, _ int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(tenant, id)
	m.webhooks = slices.Delete(m.webhooks, i, i+1)
	return nil
}

func (m webhookStore) Health(context.Context, webhook.Tenant, []int32) (map[int32]webhook.Health, error) {
	return m.health, nil
}

func (webhookStore) PutIntent(context.Context, webhook.Intent) error { return nil }
func (webhookStore) RemoveIntent(context.Context, string) error      { return nil }

type eventStore struct {
	*memory
	webhook.Events
}

func (m eventStore) Put(_ context.Context, e webhook.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, e)
	return nil
}

func (eventStore) Remember(_ context.Context, _ webhook.Tenant, _ string, claim webhook.IdempotencyClaim, _ time.Time) (webhook.IdempotencyClaim, error) {
	return claim, nil
}

// secretStore keeps each version's place in docs as its name.
type secretStore struct{ *memory }

func (secretStore) Name(tenant webhook.Tenant, id int32) (string, error) {
	return fmt.Sprintf("test/%s/%d", tenant, id), nil
}

func (m secretStore) Create(_ context.Context, name string, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.docs = append(m.docs, doc)
	return webhook.SecretRef{Name: name, Version: fmt.Sprint(len(m.docs) - 1)}, nil
}

func (m secretStore) Read(_ context.Context, ref webhook.SecretRef) (webhook.SecretDocument, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, doc := range m.docs {
		if fmt.Sprint(i) == ref.Version {
			return doc, nil
		}
	}
	return webhook.SecretDocument{}, webhook.ErrSecretUnavailable
}

func (m secretStore) Put(ctx context.Context, committed webhook.SecretRef, doc webhook.SecretDocument) (webhook.SecretRef, error) {
	return m.Create(ctx, committed.Name, doc)
}

func (secretStore) Delete(context.Context, string) error { return nil }
