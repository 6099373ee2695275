package filter

import "net/netip"

// network is a network of IPv4 or IPv6 addresses.
type network struct {
	address [16]byte
	size    int // of an address in bytes
	bits    int
}

// parseNetwork reads a network: "10.0.0.0/8". Bits of the address beyond the network's
// may be set.
func parseNetwork(text string) (network, bool) {
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4In6() {
		return network{}, false
	}
	n := network{bits: p.Bits()}
	n.size = copy(n.address[:], p.Addr().AsSlice())
	return n, true
}

// contains reports whether a string is an address of the network. An IPv4 address in
// IPv6 is that IPv4 address.
func (n *network) contains(text []byte) bool {
	var address [16]byte
	size, ok := parseAddress(&address, text)
	if !ok || size != n.size {
		return false
	}
	whole := n.bits / 8
	if string(address[:whole]) != string(n.address[:whole]) {
		return false
	}
	rest := n.bits % 8
	return rest == 0 || (address[whole]^n.address[whole])>>(8-rest) == 0
}

// parseAddress reads an address into the first 4 or 16 bytes. It is netip.ParseAddr
// without its allocations and zones.
func parseAddress(to *[16]byte, text []byte) (size int, ok bool) {
	if len(text) > 45 {
		return 0, false
	}
	for _, c := range text {
		if c == ':' {
			return parseIPv6(to, text)
		}
	}
	return 4, parseIPv4(to[:4], text)
}

func parseIPv4(to, text []byte) bool {
	part, digits, value := 0, 0, 0
	for i := 0; i <= len(text); i++ {
		if i == len(text) || text[i] == '.' {
			if digits == 0 || part == 4 {
				return false
			}
			to[part] = byte(value)
			part, digits, value = part+1, 0, 0
			continue
		}
		if text[i] < '0' || text[i] > '9' || digits > 0 && value == 0 {
			return false
		}
		if value = value*10 + int(text[i]-'0'); value > 255 {
			return false
		}
		digits++
	}
	return part == 4
}

func parseIPv6(to *[16]byte, text []byte) (size int, ok bool) {
	at, gap, i := 0, -1, 0
	if len(text) >= 2 && text[0] == ':' && text[1] == ':' {
		gap, i = 0, 2
	}
	for i < len(text) {
		if at == 16 {
			return 0, false
		}
		value, digits, start := 0, 0, i
		for ; i < len(text) && digits < 5; i++ {
			d, hex := hexDigit(text[i])
			if !hex {
				break
			}
			value, digits = value<<4|d, digits+1
		}
		if i < len(text) && text[i] == '.' {
			if at > 12 || !parseIPv4(to[at:at+4], text[start:]) {
				return 0, false
			}
			at += 4
			break
		}
		if digits == 0 || digits > 4 {
			return 0, false
		}
		to[at], to[at+1] = byte(value>>8), byte(value)
		at += 2
		if i == len(text) {
			break
		}
		if text[i] != ':' || i+1 == len(text) {
			return 0, false
		}
		if i++; text[i] == ':' {
			if gap >= 0 {
				return 0, false
			}
			gap = at
			i++
		}
	}
	switch {
	case at == 16 && gap >= 0, at < 16 && gap < 0:
		return 0, false
	case gap >= 0:
		moved := copy(to[16-(at-gap):], to[gap:at])
		clear(to[gap : 16-moved])
	}
	if mapped := [12]byte{10: 0xff, 11: 0xff}; [12]byte(to[:12]) == mapped {
		copy(to[:4], to[12:])
		return 4, true
	}
	return 16, true
}

func hexDigit(c byte) (int, bool) {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0'), true
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10, true
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10, true
	}
	return 0, false
}
