package main

import (
	"fmt"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/receiver"
)

// banner returns the text printed at the start: the service's address, three calls
// to paste, and which of the deployed service's protections are off.
func banner(cfg config.Local, addr string) string {
	base := "http://" + addr
	var b strings.Builder
	fmt.Fprintf(&b, "Posthaste %s serves on %s and stores its data in %s. Ctrl-C stops it.\n\n", version, base, cfg.DataDir)
	user := "tje0:Tje0"
	if cfg.FirstCredential.Reveal() != config.DefaultCredential {
		user = "$FIRST_CREDENTIAL"
	}
	target := "https://example.com/hook" // to be replaced with the reader's own
	if cfg.AllowPrivate {
		target = base + receiver.Path
	}
	// The secret is the example of Standard Webhooks' libraries: all of them
	// take it as it is.
	fmt.Fprintf(&b, "  curl -u %s -H 'Content-Type: application/json' %s/api/v1/Webhook -d '%s'\n\n", user, base,
		`{"Name": "My first webhook", "Events": ["contact.*"], "TargetUrl": "`+target+`", "Secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}`)
	fmt.Fprintf(&b, "  curl -u %s -H 'Content-Type: application/json' %s/api/v1/Webhook/contact.changed/7 -d '%s'\n\n", user, base, `{"name": "Blåbær AS", "category_idx": 3}`)
	if cfg.AllowPrivate {
		fmt.Fprintf(&b, "  curl %s\n\n", target)
	}
	var open []string
	if cfg.AllowHTTP {
		open = append(open, "http targets are allowed (ALLOW_HTTP)")
	}
	if cfg.AllowPrivate {
		open = append(open, "targets on this machine and its network are allowed (ALLOW_PRIVATE_TARGETS)")
	}
	if !cfg.RequireTargetCheck {
		open = append(open, "targets are not pinged when a webhook is saved (TARGET_CHECK)")
	}
	if len(open) > 0 {
		fmt.Fprintf(&b, "For development only: %s.\nA deployed service is stricter.\n\n", strings.Join(open, ", "))
	}
	return b.String()
}
