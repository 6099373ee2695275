package source

// Reasons returns all reasons.
func Reasons() (all []Reason) {
	for _, known := range reasons {
		all = append(all, known.reason)
	}
	return all
}
