package outbound

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
)

// insideNames are the domains that name only what is inside a network.
var insideNames = []string{"localhost", "internal", "local"}

// CheckHost says why a host may not be called, judging by its spelling alone,
// without resolving it; nil if nothing speaks against it. The error wraps
// ErrBlocked and does not quote the host.
//
// An address is accepted in its ordinary spelling only: what one program reads
// as decimal, another reads as octal.
func (g *Guard) CheckHost(host string) error {
	folded, ok := foldHost(host)
	if !ok || folded == "" {
		return fmt.Errorf("this spelling of a host %w", ErrBlocked)
	}
	if ip, err := netip.ParseAddr(folded); err == nil {
		return g.checkIP(ip, 0)
	}
	labels := strings.Split(folded, ".")
	last := labels[len(labels)-1]
	if strings.Contains(folded, ":") || numeric(last) {
		return fmt.Errorf("this spelling of an address %w", ErrBlocked)
	}
	if g.allowPrivate {
		return nil
	}
	if len(labels) == 1 {
		return fmt.Errorf("a host name without a dot %w", ErrBlocked)
	}
	for _, name := range insideNames {
		if last == name {
			return fmt.Errorf("a host under .%s %w", name, ErrBlocked)
		}
	}
	return nil
}

// numeric reports whether a last label makes programs read the host as an IPv4
// address: all digits, or hexadecimal.
func numeric(label string) bool {
	if strings.HasPrefix(label, "0x") {
		return true
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// foldHost brings a host to the form that resolvers see: lower case, ordinary
// digits, letters and dots in place of their full-width twins, no brackets and
// no final dot. It refuses characters that resolvers drop or translate.
func foldHost(host string) (string, bool) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return "", false
		}
	}
	var b strings.Builder
	for _, r := range host {
		switch {
		case r == '。', r == '｡', r == '．':
			r = '.'
		case r >= '！' && r <= '～':
			r -= '！' - '!'
		}
		switch {
		case r == '%', r <= ' ', r == 0x7f, r == '/', r == '\\', r == '@', r == '#', r == '?':
			return "", false
		case r > unicode.MaxASCII && !unicode.IsLetter(r) && !unicode.Is(unicode.Mc, r) && !unicode.Is(unicode.Mn, r):
			return "", false
		case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r):
			return "", false
		// Letters that are drawn like Latin ones and translated to them.
		case r >= 0x2100 && r <= 0x214f, r >= 0x1d400 && r <= 0x1d7ff:
			return "", false
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.TrimSuffix(b.String(), "."), true
}
