package ledger

// Hour is what the statistics of an hour must say: attempts, those that a target
// accepted, and deliveries that failed with one.
type Hour struct{ Attempts, Delivered, Failed int64 }

// Tried returns the counts with an attempt that ended in some way. One that a
// lane cut short, or that the fast lane left undecided, does not count: it is made again.
func (h Hour) Tried(kind Kind, fast bool) Hour {
	if kind == CutShort || kind == CutLate || kind == Undecided && fast {
		return h
	}
	h.Attempts++
	if kind == Accepted {
		h.Delivered++
	}
	return h
}

// Plus returns the sum of two counts.
func (h Hour) Plus(o Hour) Hour {
	return Hour{h.Attempts + o.Attempts, h.Delivered + o.Delivered, h.Failed + o.Failed}
}

// Minus returns the difference of two counts.
func (h Hour) Minus(o Hour) Hour {
	return Hour{h.Attempts - o.Attempts, h.Delivered - o.Delivered, h.Failed - o.Failed}
}

// Within reports whether no count is greater than the other's.
func (h Hour) Within(o Hour) bool {
	return h.Attempts <= o.Attempts && h.Delivered <= o.Delivered && h.Failed <= o.Failed
}
