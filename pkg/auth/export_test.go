package auth

// Size returns the number of buckets.
func (t *Throttle) Size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.buckets)
}

// Wrong counts a wrong credential.
func (t *Throttle) Wrong(source, user string) { t.guess(source, presented{user: user}).failed() }
