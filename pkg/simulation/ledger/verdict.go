package ledger

import "time"

// Verdicts are the decisions about an event and a webhook that were right at some
// moment of a period.
type Verdicts struct {
	Wanted bool // some version wants the event
	// Each of the others is a rule by which some version does not. Late includes that
	// the clocks may disagree about it.
	Absent, Stopped, Disabled, Hidden, Unfit, Late bool
}

// Refused reports whether some version does not want the event.
func (v Verdicts) Refused() bool {
	return v.Absent || v.Stopped || v.Disabled || v.Hidden || v.Unfit || v.Late
}

// Verdicts returns the decisions about an event of the versions that were in force at
// some moment from from to to, as the clocks of processes may order them. accepted is
// when the event says that it was accepted.
func (h History) Verdicts(e Event, accepted, from, to time.Time) Verdicts {
	from, to = from.Add(-clocks), to.Add(clocks)
	versions := h.Between(from, to)
	d := Verdicts{Absent: len(versions) == 0 || versions[0].At.After(from)}
	for _, v := range versions {
		d.Absent = d.Absent || !v.Exists
		d.Wanted = d.Wanted || v.Wants(e)
		d.refuse(v, e, accepted)
	}
	if d.Absent && len(h) > 0 {
		d.refuse(h[0], e, accepted) // it may be judged as it was created
	}
	return d
}

// refuse adds the rules by which a version does not want an event.
func (d *Verdicts) refuse(v Version, e Event, accepted time.Time) {
	if !v.Exists {
		return
	}
	d.Stopped = d.Stopped || v.State == Stopped
	d.Disabled = d.Disabled || v.State == TooManyErrors
	d.Hidden = d.Hidden || !v.maySee(e)
	d.Unfit = d.Unfit || !v.fits(e)
	d.Late = d.Late || v.tooLate(accepted.Add(-clocks-time.Second)) // feeds round times down
}
