package main

import (
	"fmt"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/receiver"
)

// banner is what a newcomer sees: where the service is, three calls to paste,
// and which of the deployed service's protections are off.
func banner(cfg config.Local, addr string) string {
	base := "http://" + addr
	var b strings.Builder
	fmt.Fprintf(&b, "Posthaste %s serves on %s and keeps everything in %s. Ctrl-C stops it.\n\n", version, base, cfg.DataDir)
	user := "tje0:Tje0"
	if cfg.FirstCredential.Reveal() != config.DefaultCredential {
		user = "$FIRST_CREDENTIAL"
	}
	target := "https://example.com/hook" // to be replaced by one's own
	if cfg.AllowPrivate {
		target = base + receiver.Path
	}
	fmt.Fprintf(&b, "  curl -u %s -H 'Content-Type: application/json' %s/api/v1/Webhook -d '%s'\n\n", user, base,
		`{"Name": "My first webhook", "Events": ["contact.*"], "TargetUrl": "`+target+`", "Secret": "Something Super Secret"}`)
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
		fmt.Fprintf(&b, "For development: %s.\nThe deployed service does not do so.\n\n", strings.Join(open, ", "))
	}
	return b.String()
}
