// Package sending builds the sender of POSTs from the settings. It refuses to
// decide which targets are allowed: pkg/outbound does.
package sending

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/config"
	"github.com/posthaste-dev/posthaste/pkg/outbound"
)

// New returns a sender for this build's version. Errors are those of outbound.New.
func New(cfg config.Sending, version string, now func() time.Time) (*outbound.Sender, error) {
	return outbound.New(outbound.Config{
		UserAgent: cfg.Agent(version), AllowHTTP: cfg.AllowHTTP, AllowPrivate: cfg.AllowPrivate, AllowedCIDRs: cfg.AllowedCIDRs,
		RuntimeAPI: cfg.RuntimeAPI, OmitFieldValues: cfg.OmitFieldValues, HTTP2: cfg.HTTP2, Now: now,
	})
}
