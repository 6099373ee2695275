package outbound

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameLength is how many characters a name in DNS may have.
const maxNameLength = 253

// insideNames are the domains that name only what is inside a network.
var insideNames = []string{"localhost", "internal", "local"}

// CheckHost judges a target's host by its spelling alone, without resolving it.
// It returns the host as resolvers see it: a name in lower case and ASCII,
// without a final dot, or an address in its shortest form. If the host may not
// be called it says why; the error wraps ErrBlocked and does not quote the host.
//
// An address is accepted in its ordinary spelling only: what one program reads
// as decimal, another reads as octal.
func (g *Guard) CheckHost(host string) (seen string, err error) {
	seen, ok := resolvable(host)
	if !ok {
		return "", fmt.Errorf("this spelling of a host %w", ErrBlocked)
	}
	if ip, err := netip.ParseAddr(seen); err == nil {
		if err := g.checkIP(ip, 0); err != nil {
			return "", err
		}
		return ip.Unmap().String(), nil
	}
	labels := strings.Split(seen, ".")
	last := labels[len(labels)-1]
	if strings.Contains(seen, ":") || numeric(last) {
		return "", fmt.Errorf("this spelling of an address %w", ErrBlocked)
	}
	if slices.Contains(labels, "") {
		return "", fmt.Errorf("this spelling of a host %w", ErrBlocked)
	}
	if g.allowPrivate {
		return seen, nil
	}
	if len(labels) == 1 {
		return "", fmt.Errorf("a host name without a dot %w", ErrBlocked)
	}
	if slices.Contains(insideNames, last) {
		return "", fmt.Errorf("a host under .%s %w", last, ErrBlocked)
	}
	return seen, nil
}

// numeric reports whether a last label makes programs read the host as an IPv4
// address: all digits, or hexadecimal.
func numeric(label string) bool {
	if strings.HasPrefix(label, "0x") {
		return true
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// resolvable brings a host to the form that resolvers see: ASCII, lower case, no
// brackets and no final dot. It refuses what has no such form, and characters
// that one program drops where another keeps them.
func resolvable(host string) (string, bool) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return "", false
		}
	}
	for _, r := range host {
		switch {
		case r <= ' ', r == 0x7f, strings.ContainsRune(`%/\@#?[]`, r):
			return "", false
		case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), unicode.Is(unicode.Cf, r):
			return "", false
		}
	}
	ascii, ok := toASCII(host)
	ascii = strings.TrimSuffix(strings.ToLower(ascii), ".")
	return ascii, ok && ascii != ""
}

// toASCII translates an international name as net/http does: full-width digits
// and dots become ordinary ones, letters that look like others become those. It
// has a transport of net/http dial, which gives the translation away, and lets
// the dial fail. Another translation might see another host.
//
// A name of more characters than DNS has room for is refused untranslated: the
// time that Punycode takes grows with the square of the length.
func toASCII(host string) (string, bool) {
	if isASCII(host) {
		return host, true
	}
	if utf8.RuneCountInString(host) > maxNameLength {
		return "", false
	}
	dialled := ""
	transport := http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = strings.TrimSuffix(address, ":80")
		return nil, ErrBlocked
	}}
	req := http.Request{Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: host}, Header: http.Header{}}
	if resp, err := transport.RoundTrip(&req); err == nil {
		_ = resp.Body.Close() // nothing was dialled, so there is none
	}
	return dialled, isASCII(dialled)
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}
