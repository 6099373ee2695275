package webhook

import (
	"strconv"
	"strings"
)

// origin is the origin that a target's headers are sent to: its scheme, host and
// effective port.
type origin struct {
	scheme, host string
	port         int
}

// originOf returns the origin of a target. ok is false if the target is not an
// absolute http or https URL. Different spellings of one host are the same origin:
// case, a final dot and, if the rules have CheckHost, international names and the
// forms of an address.
func (rules Rules) originOf(target string) (o origin, ok bool) {
	u, err := ParseTarget(target)
	if err != nil || u.Hostname() == "" {
		return origin{}, false
	}
	o = origin{scheme: u.Scheme, host: rules.seenHost(u.Hostname())}
	switch {
	case u.Port() != "":
		o.port, err = strconv.Atoi(u.Port())
	case u.Scheme == "https":
		o.port = 443
	case u.Scheme == "http":
		o.port = 80
	}
	return o, err == nil && o.port != 0
}

// seenHost returns a host as resolvers see it. If the rules now refuse the host it
// falls back on the spelling: two hosts are never taken for one.
func (rules Rules) seenHost(host string) string {
	if rules.CheckHost != nil {
		if seen, err := rules.CheckHost(host); err == nil {
			return seen
		}
	}
	return strings.TrimSuffix(lowerASCII(host), ".")
}

// lowerASCII lower-cases ASCII letters only: strings.ToLower maps some others to
// ASCII.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// moves reports whether the draft would send the headers of the stored webhook to
// a different origin than their values were set for.
//
// That origin is the stored target's: a change to another one is refused unless it
// sets the values again or drops the headers. Dropped values are removed from the
// secret document.
func (d Draft) moves(stored Webhook, rules Rules) bool {
	if d.TargetURL == stored.TargetURL {
		return false
	}
	from, okFrom := rules.originOf(stored.TargetURL)
	to, okTo := rules.originOf(d.TargetURL)
	return !okFrom || !okTo || from != to
}

const maskMoved = "Headers: the value of %s must be set again: %q keeps a value that was set for another scheme, host or port of TargetUrl"
