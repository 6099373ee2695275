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

// ErrBlocked says that the target's address, name or port may not be called.
var ErrBlocked = errors.New("may not be called")

// never are refused whatever the configuration says: link-local addresses,
// where metadata services and the Lambda runtime live, addresses that stand for
// this machine or for many, and ranges that wrap an IPv4 address which the
// other checks would not see.
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

// Guard decides which hosts, addresses and ports may be called: when a webhook
// is saved, by what its target says, and when it is called, by the address that
// is about to be connected to. It may be used concurrently.
type Guard struct {
	public       *ssrf.Guardian
	allowHTTP    bool
	allowPrivate bool
	allowed      []netip.Prefix
	runtime      netip.AddrPort
}

// NewGuard makes the guard of a configuration. It fails if RuntimeAPI is set
// and neither an address nor localhost: then the guard could not refuse it.
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

// Control is the check of [net.Dialer]: it sees the address that is really
// about to be called, so that no trick with names gets past it. ErrBlocked.
func (g *Guard) Control(network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return ErrBlocked
	}
	return g.CheckAddress(target)
}

// CheckAddress says whether an address and port may be called. ErrBlocked.
func (g *Guard) CheckAddress(target netip.AddrPort) error {
	port := target.Port()
	if port != 443 && port < 1024 && (port != 80 || !g.allowHTTP) {
		return fmt.Errorf("port %d %w", port, ErrBlocked)
	}
	return g.checkIP(target.Addr(), port)
}

// checkIP judges an address; port 0 stands for any port.
func (g *Guard) checkIP(ip netip.Addr, port uint16) error {
	if ip.Zone() != "" {
		return fmt.Errorf("an address with a zone %w", ErrBlocked)
	}
	ip = ip.Unmap()
	refused := within(never, ip) && ip != netip.IPv6Loopback() || g.isRuntime(ip, port)
	allowed := g.allowPrivate && (ip.IsLoopback() || ip.IsPrivate()) || within(g.allowed, ip)
	if refused || !allowed && g.public.SafeAddr(ip) != nil {
		return fmt.Errorf("this address %w", ErrBlocked)
	}
	return nil
}

// isRuntime reports whether an address reaches Lambda's Runtime API. If that is
// on the loopback interface, all loopback addresses may, but for one of a listed
// network that leaves the Runtime API's own address out. Where private targets
// are allowed its port alone is refused.
func (g *Guard) isRuntime(ip netip.Addr, port uint16) bool {
	runtime := g.runtime.Addr()
	if !runtime.IsValid() || ip != runtime && (!ip.IsLoopback() || !runtime.IsLoopback() || g.listedBeside(ip, runtime)) {
		return false
	}
	return !g.allowPrivate || port == g.runtime.Port()
}

// listedBeside reports whether a listed network holds an IPv4 address and not
// another one. An IPv6 address never is: localhost may be one and the other.
func (g *Guard) listedBeside(ip, other netip.Addr) bool {
	return ip.Is4() && slices.ContainsFunc(g.allowed, func(p netip.Prefix) bool { return p.Contains(ip) && !p.Contains(other) })
}

func within(prefixes []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// splitTarget takes the address of a dial apart.
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
