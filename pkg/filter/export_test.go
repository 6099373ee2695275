package filter

// MaxSteps is the limit of Match.
const MaxSteps = maxSteps

// Steps is Match, and returns how many steps it took.
func (f *Filter) Steps(e *Event) (passes bool, steps int) {
	var r run
	passes = r.match(f, e)
	return passes, r.steps
}

// Again returns Match with buffers that it keeps: those of a pool may be dropped, which
// the race detector does at random.
func (f *Filter) Again() func(e *Event) bool {
	var r run
	return func(e *Event) bool { return r.match(f, e) }
}
