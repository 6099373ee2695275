package eventbridge

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// detail is the `detail` of an event. docs/operational-events.md has its table.
type detail struct {
	Stack     string `json:"Stack"`
	Tenant    string `json:"Tenant,omitempty"`
	WebhookID int32  `json:"WebhookId,omitempty"`
	Name      string `json:"Name,omitempty"`
	Host      string `json:"Host,omitempty"`
	Source    string `json:"Source,omitempty"`
	Since     string `json:"Since,omitempty"`
	Count     int64  `json:"Count,omitempty"`
	Error     string `json:"Error,omitempty"`
	Status    int    `json:"Status,omitempty"`
	Advice    string `json:"Advice"`
}

// encode returns the detail of a notice of a stack.
func encode(n webhook.Notice, stack string) (string, error) {
	d := detail{
		Stack: stack, Tenant: string(n.Tenant), WebhookID: n.Webhook, Name: n.Name, Host: n.Host, Source: n.Source,
		Count: n.Count, Error: string(n.Error), Status: n.Status, Advice: n.Advice(),
	}
	if !n.Since.IsZero() {
		d.Since = n.Since.UTC().Format(time.RFC3339)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encode notice: %w", err)
	}
	return string(text), nil
}
