package embedded

import (
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestDocuments_AreBoundedInBytes(t *testing.T) {
	t.Parallel()
	d := newDocuments()
	ref := func(tenant string, n int) webhook.SecretRef {
		return webhook.SecretRef{Name: "local/" + tenant + "/1/ab", Version: fmt.Sprint(n)}
	}
	for _, tenant := range []string{"Default", "Other"} {
		d.keep(ref(tenant, 1), webhook.SecretDocument{Current: webhook.NewSecret("of " + tenant)}, 0)
	}
	large := webhook.SecretDocument{Headers: map[string]webhook.Secret{"X-A": webhook.NewSecret(strings.Repeat("h", 16<<10))}}
	for n := range 2000 {
		d.keep(ref("Hostile", n), large, 0)
	}
	if got := d.known.Bytes(); got > maxDocumentBytes || got < maxDocumentBytes/2 {
		t.Errorf("documents take %d bytes, want up to %d", got, maxDocumentBytes)
	}
	for _, tenant := range []string{"Default", "Other"} {
		if doc, _, known := d.get(ref(tenant, 1)); !known || doc.Current.Reveal() != "of "+tenant {
			t.Errorf("%s: known %v", tenant, known)
		}
	}
}
