package auth

// Size is how many buckets there are.
func (t *Throttle) Size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.buckets)
}

// Wrong counts a wrong credential.
func (t *Throttle) Wrong(source, user string) { t.guess(source, presented{user: user}).failed() }
