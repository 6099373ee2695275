package outbound_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/posthaste-dev/posthaste/pkg/outbound"
)

func guard(t *testing.T, c outbound.Config) *outbound.Guard {
	t.Helper()
	g, err := outbound.NewGuard(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGuard_CheckHostReturnsTheResolversForm(t *testing.T) {
	t.Parallel()
	g := guard(t, outbound.Config{})
	for host, want := range map[string]string{
		"example.com": "example.com", "EXAMPLE.com.": "example.com", "a.b.c.example": "a.b.c.example", "1e100.net": "1e100.net",
		"blåbær.example": "xn--blbr-roah.example", "BLÅBÆR.example": "xn--blbr-roah.example", "xn--bl-zia.example": "xn--bl-zia.example",
		"ｅｘａｍｐｌｅ。ｃｏｍ": "example.com", "1.2.3.4.nip.io": "1.2.3.4.nip.io", "1.1.1.1": "1.1.1.1", "[2606:4700:0::1111]": "2606:4700::1111",
		"[::ffff:1.1.1.1]": "1.1.1.1",
	} {
		if got, err := g.CheckHost(host); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", host, got, err, want)
		}
	}
}

func TestGuard_CheckAddress(t *testing.T) {
	t.Parallel()
	strict := outbound.Config{RuntimeAPI: "127.0.0.1:9001"}
	local := outbound.Config{AllowPrivate: true, AllowHTTP: true, RuntimeAPI: "127.0.0.1:9001"}
	listed := outbound.Config{RuntimeAPI: "10.0.0.9:9001", AllowedCIDRs: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"), netip.MustParsePrefix("::/0"),
	}}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	loopbackListed := outbound.Config{RuntimeAPI: "localhost:9001", AllowedCIDRs: loopback}
	nextTo := outbound.Config{RuntimeAPI: "127.0.0.1:9001", AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}}
	elsewhere := outbound.Config{RuntimeAPI: "10.0.0.9:9001", AllowedCIDRs: loopback}
	for _, c := range []struct {
		name    string
		config  outbound.Config
		address string
		allowed bool
	}{
		{"public", strict, "1.1.1.1:443", true},
		{"public, high port", strict, "1.1.1.1:8443", true},
		{"public, low port", strict, "1.1.1.1:22", false},
		{"port 80 without http", strict, "1.1.1.1:80", false},
		{"port 80 with http", local, "1.1.1.1:80", true},
		{"port 0", strict, "1.1.1.1:0", false},
		{"loopback", strict, "127.0.0.1:443", false},
		{"loopback in the local run", local, "127.0.0.1:8080", true},
		{"loopback by IPv6 in the local run", local, "[::1]:8080", true},
		{"mapped loopback", strict, "[::ffff:127.0.0.1]:443", false},
		{"the runtime in the local run", local, "127.0.0.1:9001", false},
		{"the runtime, mapped, in the local run", local, "[::ffff:127.0.0.1]:9001", false},
		{"metadata in the local run", local, "169.254.169.254:443", false},
		{"mapped metadata in the local run", local, "[::ffff:169.254.169.254]:443", false},
		{"metadata by IPv6 in the local run", local, "[fd00:ec2::254]:443", false},
		{"the runtime by another loopback address", loopbackListed, "127.0.0.2:9001", false},
		{"the runtime by IPv6 loopback", loopbackListed, "[::1]:9001", false},
		{"a listed loopback address, not the runtime's", nextTo, "127.0.0.2:9001", true},
		{"the runtime, next to a listed loopback address", nextTo, "127.0.0.1:9001", false},
		{"a loopback address that is not listed", nextTo, "127.0.0.3:9001", false},
		{"listed loopback without a runtime there", elsewhere, "127.0.0.2:9001", true},
		{"a listed range", listed, "10.0.0.1:443", true},
		{"outside the listed range", listed, "10.0.1.1:443", false},
		{"the runtime in a listed range", listed, "10.0.0.9:443", false},
		{"metadata though listed", listed, "169.254.169.254:443", false},
		{"NAT64 though listed", listed, "[64:ff9b::1]:443", false},
		{"unspecified though listed", listed, "0.0.0.0:443", false},
		{"unspecified IPv6 though listed", listed, "[::]:443", false},
		{"multicast though listed", listed, "224.0.0.1:443", false},
		{"IPv6 multicast though listed", listed, "[ff02::1]:443", false},
		{"broadcast though listed", listed, "255.255.255.255:443", false},
		{"IPv4-compatible though listed", listed, "[::10.0.0.9]:443", false},
		{"IPv4-translated though listed", listed, "[::ffff:0:10.0.0.9]:443", false},
		{"6to4 though listed", listed, "[2002:a9fe:a9fe::]:443", false},
		{"Teredo though listed", listed, "[2001::1]:443", false},
		{"a zone though listed", listed, "[2606:4700::1%eth0]:443", false},
		{"link-local with a zone", local, "[fe80::1%eth0]:443", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			network := "tcp6"
			if netip.MustParseAddrPort(c.address).Addr().Is4() {
				network = "tcp4"
			}
			err := guard(t, c.config).Control(network, c.address, nil)
			if (err == nil) != c.allowed || err != nil && !errors.Is(err, outbound.ErrBlocked) {
				t.Errorf("%s: %v, allowed should be %v", c.address, err, c.allowed)
			}
		})
	}
}

func TestNewGuard_RefusesAnInvalidRuntimeAPI(t *testing.T) {
	t.Parallel()
	if _, err := outbound.NewGuard(outbound.Config{RuntimeAPI: "runtime"}); err == nil {
		t.Error("accepted")
	}
}
