package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// ErrBlocked means that the target's address, name or port is forbidden. Errors
// that wrap it name what is forbidden, and the setting that would allow it.
var ErrBlocked = errors.New("may not be called")

// never lists ranges that no configuration can allow: link-local addresses,
// home of metadata services and the Lambda runtime; addresses of this machine
// or of many; and ranges that wrap an IPv4 address which the other checks would
// miss.
var never = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), // this machine, for connect(2)
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/4"), // multicast
	netip.MustParsePrefix("240.0.0.0/4"), // reserved, broadcast
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("ff00::/8"),        // multicast
	netip.MustParsePrefix("fd00:ec2::/32"),   // the metadata service, by IPv6
	netip.MustParsePrefix("64:ff9b::/96"),    // NAT64
	netip.MustParsePrefix("64:ff9b:1::/48"),  // NAT64, local
	netip.MustParsePrefix("2002::/16"),       // 6to4
	netip.MustParsePrefix("2001::/32"),       // Teredo
	netip.MustParsePrefix("::/96"),           // IPv4-compatible, but for ::1
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated
}

// Guard decides which hosts, addresses and ports may be called. It checks the
// target's URL when a webhook is saved, and the resolved address right before a
// connection is made. It may be used concurrently.
type Guard struct {
	public       *ssrf.Guardian
	allowHTTP    bool
	allowPrivate bool
	allowed      []netip.Prefix
	runtime      netip.AddrPort
}

// NewGuard returns the guard for a configuration. RuntimeAPI, if set, must be
// an IP address or localhost, with a port; otherwise the guard could not refuse
// it.
func NewGuard(config Config) (*Guard, error) {
	g := &Guard{
		public:    ssrf.New(ssrf.WithAnyPort()),
		allowHTTP: config.AllowHTTP, allowPrivate: config.AllowPrivate, allowed: config.AllowedCIDRs,
	}
	if config.RuntimeAPI != "" {
		address := config.RuntimeAPI
		if port, ok := strings.CutPrefix(address, "localhost:"); ok {
			address = "127.0.0.1:" + port
		}
		runtime, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, fmt.Errorf("runtime API address: %w", err)
		}
		g.runtime = netip.AddrPortFrom(runtime.Addr().Unmap(), runtime.Port())
	}
	return g, nil
}

// Control implements [net.Dialer]'s hook of the same name. It sees the address
// that is about to be connected to, so no trick with names gets past it. The
// error wraps ErrBlocked.
func (g *Guard) Control(network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return ErrBlocked
	}
	return g.CheckAddress(target)
}

// CheckAddress returns an error that wraps ErrBlocked if an address and port
// must not be called.
func (g *Guard) CheckAddress(target netip.AddrPort) error {
	port := target.Port()
	if port != 443 && port < 1024 && (port != 80 || !g.allowHTTP) {
		return fmt.Errorf("port %d %w", port, ErrBlocked)
	}
	return g.checkIP(target.Addr(), port)
}

// checkIP checks an address; port 0 means any port.
func (g *Guard) checkIP(ip netip.Addr, port uint16) error {
	if ip.Zone() != "" {
		return fmt.Errorf("an address with a zone %w; no setting allows it", ErrBlocked)
	}
	ip = ip.Unmap()
	private, runtime := ip.IsLoopback() || ip.IsPrivate(), g.isRuntime(ip, port)
	allowed := g.allowPrivate && private || within(g.allowed, ip) || g.public.SafeAddr(ip) == nil
	switch {
	case within(never, ip) && ip != netip.IPv6Loopback(), runtime && (ip == g.runtime.Addr() || ip.Is6()):
		return fmt.Errorf("this address %w; no setting allows it", ErrBlocked)
	case allowed && !runtime:
		return nil
	case private:
		return fmt.Errorf("this address %w unless the setting ALLOWED_TARGET_CIDRS, or ALLOW_PRIVATE_TARGETS of the local run, allows it", ErrBlocked)
	}
	return fmt.Errorf("this address %w unless the setting ALLOWED_TARGET_CIDRS allows it", ErrBlocked)
}

// isRuntime reports whether an address may reach Lambda's Runtime API. If that
// listens on loopback, any loopback address may reach it, except one in an
// allowed network that does not contain the Runtime API's own address. Where
// private targets are allowed, only its port is refused.
func (g *Guard) isRuntime(ip netip.Addr, port uint16) bool {
	runtime := g.runtime.Addr()
	if !runtime.IsValid() || ip != runtime && (!ip.IsLoopback() || !runtime.IsLoopback() || g.listedWithout(ip, runtime)) {
		return false
	}
	return !g.allowPrivate || port == g.runtime.Port()
}

// listedWithout reports whether an allowed network contains the IPv4 address ip
// but not other. It returns false for IPv6, where localhost may be either
// family.
func (g *Guard) listedWithout(ip, other netip.Addr) bool {
	return ip.Is4() && slices.ContainsFunc(g.allowed, func(p netip.Prefix) bool { return p.Contains(ip) && !p.Contains(other) })
}

func within(prefixes []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// splitTarget splits a dial address into host and port.
func splitTarget(address string) (host string, port uint16, err error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, ErrBlocked
	}
	number, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", 0, ErrBlocked
	}
	return host, uint16(number), nil
}
