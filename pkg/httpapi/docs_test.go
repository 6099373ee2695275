package httpapi_test

import (
	"strings"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/httpapi"
)

// The page for users of SuperOffice names all of SuperOffice's operations, and those
// that Posthaste adds under a webhook.
func TestDocs_NameEveryOperation(t *testing.T) {
	t.Parallel()
	page := read(t, "../../docs/superoffice.md")
	for _, r := range httpapi.Routes() {
		operation, ofAgent := strings.CutPrefix(r.Pattern, agent)
		switch {
		case ofAgent && r.Method == "POST":
			if !strings.Contains(page, "| `"+operation) {
				t.Errorf("docs/superoffice.md lacks %s", operation)
			}
		case ofAgent || !strings.HasPrefix(r.Pattern, "/api/v1/Webhook"):
		case strings.HasSuffix(r.Pattern, "/Options"):
			if !strings.Contains(page, "`GET`, `PUT`, `PATCH "+r.Pattern+"`") {
				t.Errorf("docs/superoffice.md lacks %s", r.Pattern)
			}
		case strings.Contains(r.Pattern, "/Deliveries"): // docs/log.md
			if names := httpapi.QueryParameters()[r.Method+" "+r.Pattern]; names != nil {
				log := read(t, "../../docs/log.md")
				for _, name := range names {
					if !strings.Contains(log, "`"+name+"`") {
						t.Errorf("docs/log.md lacks %s", name)
					}
				}
			}
		case strings.Contains(r.Pattern, "/Replay"), strings.Contains(r.Pattern, "/Explain"):
			// The page about delivery has these.
		case !strings.Contains(page, "`"+r.Method+" "+r.Pattern+"`"):
			t.Errorf("docs/superoffice.md lacks %s %s", r.Method, r.Pattern)
		}
	}
}
