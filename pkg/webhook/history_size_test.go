package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// A filter and a template count in the size above which a replaced webhook is kept in
// part, and are kept even then, as they are stored.
func TestReplaces_CountsDocuments(t *testing.T) {
	t.Parallel()
	document := json.RawMessage("[" + strings.Repeat("x", 8190) + "]") // not JSON, as from a damaged store
	w := webhook.Webhook{Description: "d"}
	if (webhook.Change{}).Replaces(w).Partial {
		t.Error("a small webhook is kept in part")
	}
	w.Options.Filter = document
	if (webhook.Change{}).Replaces(w).Partial {
		t.Error("one with a filter is kept in part")
	}
	w.Options.Template = document
	if r := (webhook.Change{}).Replaces(w); !r.Partial || r.Webhook.Description != "" || len(r.Webhook.Options.Template) != len(document) || len(r.Webhook.Options.Filter) != len(document) {
		t.Errorf("one with a filter and a template is kept as %+v", r)
	}
}
