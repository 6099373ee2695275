package config

import (
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// Local is the configuration of functions/local: everything in one process.
type Local struct {
	Addr    string // host:port
	DataDir string
	// FirstCredential and AdminCredential are user:password.
	FirstCredential, AdminCredential webhook.Secret
	LogLevel                         slog.Level
	ShutdownTimeout                  time.Duration
	Serving
	Sending
	Delivering
}

// LoadLocal reads the local run's settings. The error has one line per fault.
func LoadLocal(lookup Lookup) (Local, error) {
	r := &reader{lookup: lookup}
	r.errs = unknownOverrides(r.optional(overridesName))
	first, admin := r.credential("FIRST_CREDENTIAL", DefaultCredential), r.credential("ADMIN_CREDENTIAL", DefaultAdmin)
	c := Local{
		Addr:            r.address("ADDR"),
		DataDir:         r.text("DATA_DIR"),
		FirstCredential: webhook.NewSecret(first),
		AdminCredential: webhook.NewSecret(admin),
		LogLevel:        r.level("LOG_LEVEL"),
		ShutdownTimeout: r.duration("SHUTDOWN_TIMEOUT"),
		Serving:         r.serving(),
		Sending:         r.sending(),
		Delivering:      r.delivering(),
	}
	if !loopback(c.Addr) {
		if first == DefaultCredential {
			r.invalid("FIRST_CREDENTIAL", "", "changed from the default if ADDR is not a loopback address")
		}
		if admin == DefaultAdmin {
			r.invalid("ADMIN_CREDENTIAL", "", "changed from the default if ADDR is not a loopback address")
		}
	}
	if err := r.err(); err != nil {
		return Local{}, err
	}
	return c, nil
}

func (r *reader) address(name string) string {
	v := r.text(name)
	_, port, err := net.SplitHostPort(v)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		r.invalid(name, v, "host:port, such as 127.0.0.1:8080")
	}
	return v
}

// loopback errs on the safe side: an empty host listens on all interfaces, and
// a name other than localhost may resolve to anything. A malformed address has
// already been reported and counts as loopback.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
