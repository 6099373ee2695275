package outbound_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// nameServer is a DNS server on the loopback interface.
type nameServer struct {
	resolver *net.Resolver

	mu      sync.Mutex
	names   map[string][]string // name → addresses, or "alias." for a CNAME
	queries map[string]int      // of type A, by name
	turns   map[string][][]string
}

// newNameServer starts a server for the names. An entry that ends with a dot is
// a CNAME. Other names do not exist.
func newNameServer(t testing.TB, names map[string][]string) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := &nameServer{names: names, queries: map[string]int{}, turns: map[string][][]string{}}
	s.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			if answer := s.answer(packet[:n]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return s
}

// set changes the addresses of a name. Each query for IPv4 addresses gets the
// next of several answers; the last one repeats.
func (s *nameServer) set(name string, answers ...[]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turns[name] = answers
}

func (s *nameServer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return s.resolver.LookupNetIP(ctx, "ip", host)
}

// asked returns how often a name's IPv4 addresses were queried.
func (s *nameServer) asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queries[name]
}

func (s *nameServer) answer(query []byte) []byte {
	const typeA, typeCNAME, typeAAAA = 1, 5, 28
	var labels []string
	end := 12
	for end < len(query) && query[end] != 0 {
		labels = append(labels, string(query[end+1:end+1+int(query[end])]))
		end += 1 + int(query[end])
	}
	end += 5
	if end > len(query) {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[end-4:])
	name := strings.ToLower(strings.Join(labels, "."))
	s.mu.Lock()
	defer s.mu.Unlock()
	values, known := s.names[name]
	if turns := s.turns[name]; len(turns) > 0 {
		values, known = turns[min(s.queries[name], len(turns)-1)], true
	}
	if kind == typeA {
		s.queries[name]++
	}
	records, count := []byte(nil), uint16(0)
	add := func(name string, kind uint16, data []byte) {
		records = append(records, encodeName(name)...)
		records = binary.BigEndian.AppendUint16(records, kind)
		records = append(records, 0, 1, 0, 0, 0, 0) // class IN, TTL 0
		records = binary.BigEndian.AppendUint16(records, uint16(len(data)))
		records = append(records, data...)
		count++
	}
	for i := 0; i < len(values); i++ {
		if alias, ok := strings.CutSuffix(values[i], "."); ok {
			add(name, typeCNAME, encodeName(alias))
			name, values, i = alias, s.names[alias], -1
			continue
		}
		ip := netip.MustParseAddr(values[i])
		switch {
		case ip.Is4() && kind == typeA:
			add(name, typeA, ip.AsSlice())
		case ip.Is6() && kind == typeAAAA:
			add(name, typeAAAA, ip.AsSlice())
		}
	}
	header := []byte{query[0], query[1], 0x85, 0x80, 0, 1, byte(count >> 8), byte(count), 0, 0, 0, 0}
	if !known {
		header[3] |= 3 // NXDOMAIN
	}
	return append(append(header, query[12:end]...), records...)
}

func encodeName(name string) []byte {
	var b []byte
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}
