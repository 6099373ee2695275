package outbound_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/outbound"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func guard(t *testing.T, c outbound.Config) *outbound.Guard {
	t.Helper()
	g, err := outbound.NewGuard(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var insideSpellings = []string{
	"127.0.0.1", "127.0.0.1.", "127.1", "2130706433", "017700000001", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.01",
	"１２７.0.0.1", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "①27.0.0.1", "127.0.0.1%00", "0", "0.0.0.0", "00000177.0.0.1", "0X7F.0.0.1",
	"[::1]", "::1", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::127.0.0.1]", "[fe80::1%25eth0]", "[fe80::1%eth0]",
	"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "169.254.100.1", "224.0.0.1", "255.255.255.255",
	"[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2001:0:1::1]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[2001:db8::1]",
	"localhost", "LOCALHOST", "localhost.", "ｌｏｃａｌｈｏｓｔ", "a.localhost", "x.internal", "printer.local", "intranet", "a\u00adb.example", "loc\u200balhost", "", ".", "[::1",
	"999.1.1.1", "1.2.3", "exa mple.com", "a@b.com", "𝗹ocalhost",
}

func TestGuard_CheckHostRefusesEverySpellingOfInside(t *testing.T) {
	t.Parallel()
	g := guard(t, outbound.Config{})
	for _, host := range insideSpellings {
		if err := g.CheckHost(host); !errors.Is(err, outbound.ErrBlocked) {
			t.Errorf("%q: %v, want ErrBlocked", host, err)
		}
	}
	for _, host := range []string{"example.com", "EXAMPLE.com.", "blåbær.example", "1.1.1.1", "[2606:4700::1111]", "a.b.c.example", "1e100.net", "xn--bl-zia.example", "1.2.3.4.nip.io"} {
		if err := g.CheckHost(host); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func TestGuard_CheckAddress(t *testing.T) {
	t.Parallel()
	strict := outbound.Config{RuntimeAPI: "127.0.0.1:9001"}
	local := outbound.Config{AllowPrivate: true, AllowHTTP: true, RuntimeAPI: "127.0.0.1:9001"}
	listed := outbound.Config{RuntimeAPI: "10.0.0.9:9001", AllowedCIDRs: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("::/0"),
	}}
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
		{"a listed range", listed, "10.0.0.1:443", true},
		{"beside the listed range", listed, "10.0.1.1:443", false},
		{"the runtime in a listed range", listed, "10.0.0.9:443", false},
		{"metadata though listed", listed, "169.254.169.254:443", false},
		{"NAT64 though listed", listed, "[64:ff9b::1]:443", false},
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

func TestNewGuard_RefusesARuntimeThatIsNoAddress(t *testing.T) {
	t.Parallel()
	if _, err := outbound.NewGuard(outbound.Config{RuntimeAPI: "runtime"}); err == nil {
		t.Error("accepted")
	}
}

func TestSend_OneForbiddenAnswerOfDNSRefuses(t *testing.T) {
	t.Parallel()
	s, err := outbound.New(outbound.Config{Now: time.Now, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("::ffff:10.0.0.1")}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Send(t.Context(), webhook.Post{Webhook: webhook.Webhook{TargetURL: "https://rebind.example/"}, Event: event})
	if r.Error != webhook.AttemptBlocked {
		t.Errorf("error %q", r.Error)
	}
}
