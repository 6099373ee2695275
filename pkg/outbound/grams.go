package outbound

// grams is a set of minPart-byte substrings of secrets, as an open-addressed
// hash table. A zero slot is empty.
type grams []uint64

// newGrams returns a set for up to n substrings.
func newGrams(n int) grams {
	slots := 64
	for slots < 2*n {
		slots *= 2
	}
	return make(grams, slots)
}

// slot returns the index of a gram, or the empty slot where it belongs.
func (g grams) slot(gram uint64) int {
	mask := uint64(len(g) - 1)
	for i := gram * 0x9e3779b97f4a7c15 >> 32 & mask; ; i = (i + 1) & mask {
		if g[i] == gram || g[i] == 0 {
			return int(i)
		}
	}
}

const gramMask = 1<<(8*minPart) - 1

// add adds all grams of text and reports whether there are any.
func (g grams) add(text []byte) bool {
	gram := uint64(0)
	for i, b := range text {
		if gram = (gram<<8 | uint64(b)) & gramMask; i >= minPart-1 {
			g[g.slot(gram)] = gram
		}
	}
	return len(text) >= minPart
}

// find appends the spans of in that are parts of secrets. Adjacent and
// overlapping parts become one span, including what the view leaves out between
// them.
func (g grams) find(in view, found []span) []span {
	gram, last := uint64(0), -1 // where the last part ends
	for i, b := range in.text {
		if gram = (gram<<8 | uint64(b)) & gramMask; i < minPart-1 || g[g.slot(gram)] != gram {
			continue
		}
		if first := i - minPart + 1; last >= first-1 && last >= 0 {
			found[len(found)-1].to = in.original(i, i+1).to
		} else {
			found = append(found, in.original(first, i+1))
		}
		last = i
	}
	return found
}
