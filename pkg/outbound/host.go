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

// maxNameLength is the most characters of a DNS name.
const maxNameLength = 253

// insideNames are top-level domains that exist only inside a network.
var insideNames = []string{"localhost", "internal", "local"}

// CheckHost checks a target's host by its spelling, without resolving it. It
// returns the host as resolvers see it: a name in lower-case ASCII without a
// final dot, or an address in canonical form. The error wraps ErrBlocked, says
// why, and does not quote the host.
//
// An address must have its ordinary spelling: where one program reads decimal,
// another reads octal.
func (g *Guard) CheckHost(host string) (seen string, err error) {
	seen, ok := resolvable(host)
	if !ok {
		return "", fmt.Errorf("this spelling of a host %w; use a DNS name such as hooks.example.com", ErrBlocked)
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
		return "", fmt.Errorf("this spelling of an address %w; use the usual one, such as 203.0.113.7 or [2001:db8::7]", ErrBlocked)
	}
	if slices.Contains(labels, "") {
		return "", fmt.Errorf("this spelling of a host %w; use a DNS name such as hooks.example.com", ErrBlocked)
	}
	if g.allowPrivate {
		return seen, nil
	}
	if len(labels) == 1 {
		return "", fmt.Errorf("a host name without a dot %w unless the setting ALLOW_PRIVATE_TARGETS of the local run allows it", ErrBlocked)
	}
	if slices.Contains(insideNames, last) {
		return "", fmt.Errorf("a host under .%s %w unless the setting ALLOW_PRIVATE_TARGETS of the local run allows it", last, ErrBlocked)
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

// resolvable converts a host to the form that resolvers see: lower-case ASCII
// without brackets or a final dot. It refuses hosts that have no such form, and
// characters that some programs drop and others keep.
func resolvable(host string) (string, bool) {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return "", false
		}
	}
	for _, r := range host {
		switch {
		case r <= ' ', r == 0x7f, strings.ContainsRune(`%/\@#?[]<>"`, r):
			return "", false
		case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), unicode.Is(unicode.Cf, r):
			return "", false
		}
	}
	ascii, ok := toASCII(host)
	ascii = strings.TrimSuffix(strings.ToLower(ascii), ".")
	return ascii, ok && ascii != ""
}

// toASCII converts an international name exactly as net/http does: full-width
// digits and dots become ordinary ones, look-alike letters become the letters
// they resemble. To get net/http's own conversion it has a transport dial,
// notes the address, and fails the dial. Any other conversion might see another
// host.
//
// A name longer than DNS allows is refused first: Punycode takes time quadratic
// in the length.
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
		_ = resp.Body.Close() // unreachable: the dial always fails
	}
	return dialled, isASCII(dialled)
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}
