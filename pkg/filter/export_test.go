package filter

// MaxSteps is the limit of Match.
const MaxSteps = maxSteps

// Steps is Match, and returns how many steps it took.
func (f *Filter) Steps(e *Event) (passes bool, steps int) {
	var r run
	passes = r.match(f, e)
	return passes, r.steps
}
