package webhook

import (
	"strconv"
	"strings"
)

// origin is where a target's headers go: its scheme, host and effective port.
type origin struct {
	scheme, host string
	port         int
}

// originOf returns the origin of a target. ok is false if the target is not an
// absolute http or https URL. Spellings of one host are one origin: letter
// case, a final dot and, where the rules know how resolvers see a host,
// international names and the forms of an address.
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

// seenHost falls back on the spelling where the host is one that the rules
// refuse by now: two hosts are never taken for one.
func (rules Rules) seenHost(host string) string {
	if rules.CheckHost != nil {
		if seen, err := rules.CheckHost(host); err == nil {
			return seen
		}
	}
	return strings.TrimSuffix(lowerASCII(host), ".")
}

// lowerASCII leaves letters beyond ASCII alone: strings.ToLower maps some of
// them to ASCII ones.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// moves reports whether the draft sends the headers of the stored webhook to an
// origin other than the one that their values were stated for.
//
// The stored target is that origin: a change to another one is refused unless
// it states the values again or drops them, and what is dropped leaves the
// secret document.
func (d Draft) moves(stored Webhook, rules Rules) bool {
	if d.TargetURL == stored.TargetURL {
		return false
	}
	from, okFrom := rules.originOf(stored.TargetURL)
	to, okTo := rules.originOf(d.TargetURL)
	return !okFrom || !okTo || from != to
}

const maskMoved = "Headers: the value of %s must be stated again: %q stands for one that was stated for another scheme, host or port of TargetUrl"
