// Package sending makes the sender of POSTs from the settings. It refuses to do
// more: what a target may be is pkg/outbound's to decide.
package sending

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
)

// New returns a sender. version is the build's. It fails as outbound.New does.
func New(cfg config.Sending, version string, now func() time.Time) (*outbound.Sender, error) {
	return outbound.New(outbound.Config{
		UserAgent: cfg.Agent(version), AllowHTTP: cfg.AllowHTTP, AllowPrivate: cfg.AllowPrivate, AllowedCIDRs: cfg.AllowedCIDRs,
		RuntimeAPI: cfg.RuntimeAPI, OmitFieldValues: cfg.OmitFieldValues, HTTP2: cfg.HTTP2, Now: now,
	})
}
