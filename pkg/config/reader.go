package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Lookup returns the value of an environment variable, like os.LookupEnv.
type Lookup = func(name string) (string, bool)

// reader reads settings one by one and collects the errors.
type reader struct {
	lookup   Lookup
	deployed bool
	errs     []error
}

func (r *reader) err() error { return errors.Join(r.errs...) }

func (r *reader) invalid(name, value, allowed string) {
	if s, _ := find(name); s.Secret {
		r.errs = append(r.errs, fmt.Errorf("%s must be %s", name, allowed))
		return
	}
	r.errs = append(r.errs, fmt.Errorf("%s is %q, must be %s", name, value, allowed))
}

// text returns the setting's value, or its default if it is unset or empty.
func (r *reader) text(name string) string {
	s, ok := find(name)
	if !ok {
		panic("config: " + name + " is not in the table of settings")
	}
	byDefault := s.Local
	if r.deployed {
		byDefault = s.Deployed
	}
	if v, ok := r.lookup(name); ok && v != "" {
		return v
	}
	return byDefault
}

// required returns the value of a variable that the template sets.
func (r *reader) required(name string) string {
	v, _ := r.lookup(name)
	if v == "" {
		r.errs = append(r.errs, fmt.Errorf("%s is not set; the template passes it", name))
	}
	return v
}

func (r *reader) optional(name string) string {
	v, _ := r.lookup(name)
	return v
}

func (r *reader) boolean(name string) bool {
	return r.oneOf(name, "true", "false") == "true"
}

func (r *reader) oneOf(name string, allowed ...string) string {
	v := r.text(name)
	if !slices.Contains(allowed, v) {
		r.invalid(name, v, strings.Join(allowed, " or "))
	}
	return v
}

func (r *reader) days(name string, least int) time.Duration {
	const most = 3650
	v := r.text(name)
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		r.invalid(name, v, fmt.Sprintf("a whole number of days from %d to %d", least, most))
		return 0
	}
	return time.Duration(n) * 24 * time.Hour
}

// number returns a whole number from 1 to most.
func (r *reader) number(name string, most int) int {
	v := r.text(name)
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		r.invalid(name, v, fmt.Sprintf("a whole number from 1 to %d", most))
		return 0
	}
	return n
}

func (r *reader) duration(name string) time.Duration {
	v := r.text(name)
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		r.invalid(name, v, "a positive duration such as 10s")
	}
	return d
}

// url returns an absolute http or https URL, or "".
func (r *reader) url(name string) string {
	v := r.text(name)
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	switch {
	case err == nil && u.User != nil:
		// Not quoted: the URL may contain a password.
		r.errs = append(r.errs, fmt.Errorf("%s must not contain a user or password", name))
	case err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.Fragment != "":
		r.invalid(name, v, "an http or https URL with a host and no query")
	}
	return v
}

var linkLocal = netip.MustParsePrefix("169.254.0.0/16")

func (r *reader) cidrs(name string) []netip.Prefix {
	var prefixes []netip.Prefix
	for part := range strings.SplitSeq(r.text(name), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		switch {
		case err != nil || p != p.Masked() || p.Addr().Is4In6():
			r.invalid(name, part, "networks such as 10.0.0.0/8, comma-separated, with no bits set beyond the mask")
		case p.Overlaps(linkLocal):
			r.invalid(name, part, "networks that do not overlap "+linkLocal.String())
		default:
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// addresses reads IP addresses and networks.
func (r *reader) addresses(name string) []string {
	var found []string
	for part := range strings.SplitSeq(r.text(name), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		_, notAddress := netip.ParseAddr(part)
		if network, err := netip.ParsePrefix(part); notAddress != nil && (err != nil || network != network.Masked()) {
			r.invalid(name, part, "addresses such as 203.0.113.7 and networks such as 203.0.113.8/29, comma-separated")
		}
		found = append(found, part)
	}
	return found
}

func (r *reader) level(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(r.oneOf(name, "debug", "info", "warn", "error"))); err != nil {
		return slog.LevelInfo // oneOf reported it
	}
	return l
}

// credential returns a user:password pair with both parts.
func (r *reader) credential(name, byDefault string) string {
	v := r.text(name)
	if v == "" {
		v = byDefault
	}
	user, password, _ := strings.Cut(v, ":")
	if user == "" || password == "" {
		r.invalid(name, "", "user:password")
	}
	return v
}
