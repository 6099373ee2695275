package webhook

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/filter"
)

// Selection decides which of the events that match a webhook's patterns the webhook
// takes: what the options Filter, OnlyFields, IgnoreFields and SkipOwn of one revision
// say. A nil Selection takes all. It is immutable and may be used concurrently.
type Selection struct {
	only, ignore []string
	own          []int32
	filter       *filter.Filter // nil: none
}

// Selection returns that of the webhook. A stored filter that this version of the
// service cannot compile takes all events: none is lost.
func (w Webhook) Selection() *Selection {
	o := w.Options
	if len(o.Filter) == 0 && len(o.OnlyFields) == 0 && len(o.IgnoreFields) == 0 && len(o.SkipOwn) == 0 {
		return nil
	}
	s := &Selection{only: o.OnlyFields, ignore: o.IgnoreFields, own: o.SkipOwn}
	if len(o.Filter) > 0 {
		s.filter, _ = filter.Compile(o.Filter)
	}
	return s
}

// Bytes estimates the memory of a Selection.
func (s *Selection) Bytes() int {
	const empty, perName, perID = 80, 16, 4
	if s == nil {
		return 0
	}
	n := empty + perID*len(s.own)
	for _, names := range [][]string{s.only, s.ignore} {
		for _, name := range names {
			n += perName + len(name)
		}
	}
	if s.filter != nil {
		n += s.filter.Bytes()
	}
	return n
}

// WithoutSelection returns the options without those that decide which events a
// webhook takes: a delivery does not need them.
func (o Options) WithoutSelection() Options {
	o.Filter, o.OnlyFields, o.IgnoreFields, o.SkipOwn = nil, nil, nil, nil
	return o
}

// filtered returns the event as selections see it.
func (e Event) filtered() *filter.Event {
	all := e.Carried(false)
	f := &filter.Event{
		Event: foldEventName(e.Name), Entity: e.Entity(), Key: e.Key, PrimaryKey: e.PrimaryKey, ChangedByAssociateId: e.ChangedBy,
		Changes: all.Changes, FieldValues: all.FieldValues, Values: all.Values, Previous: all.Previous,
	}
	if e.Content != nil {
		f.Source = e.Content.Source
	}
	return f
}

// seen is an event as selections see it, made when the first one asks.
type seen struct {
	event    Event
	filtered *filter.Event
}

func (s *seen) get() *filter.Event {
	if s.filtered == nil {
		s.filtered = s.event.filtered()
	}
	return s.filtered
}

// The options that make a Selection.
const (
	optionFilter       = "Filter"
	optionOnlyFields   = "OnlyFields"
	optionIgnoreFields = "IgnoreFields"
	optionSkipOwn      = "SkipOwn"
)

// Takes reports whether the Selection takes the event.
func (s *Selection) Takes(e Event) bool { return s.refuses(&seen{event: e}) == "" }

// refuses returns the option because of which the webhook does not take the event, ""
// if it takes it.
func (s *Selection) refuses(e *seen) (option string) {
	switch {
	case s == nil:
		return ""
	case e.event.ChangedBy != 0 && slices.Contains(s.own, e.event.ChangedBy):
		return optionSkipOwn
	case len(s.only)+len(s.ignore) > 0 && len(e.get().Changes) > 0 && !slices.ContainsFunc(e.get().Changes, s.counts):
		if len(s.only) > 0 {
			return optionOnlyFields
		}
		return optionIgnoreFields
	case s.filter != nil && !s.filter.Match(e.get()):
		return optionFilter
	}
	return ""
}

// counts reports whether a change of the member is one that the webhook is for.
func (s *Selection) counts(name string) bool {
	is := func(listed string) bool { return sameField(listed, name) }
	return (len(s.only) == 0 || slices.ContainsFunc(s.only, is)) && !slices.ContainsFunc(s.ignore, is)
}

// sameField reports whether two names of members differ at most in case.
func sameField(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// Refusal names the option because of which a webhook does not take an event, such as
// SkipOwn or Filter.FieldValues.amount. It is empty for an event that the options do
// not leave out.
func (w Webhook) Refusal(e Event) string {
	event := &seen{event: e}
	option := w.Selection().refuses(event)
	if option != optionFilter {
		return option
	}
	if path, err := filter.Refusal(w.Options.Filter, event.get()); err == nil {
		return path
	}
	return option
}

// Limits of the options that name members and associates.
const (
	maxFields = 100
	maxOwn    = 100
)

// optionFields is checked like OnlyFields.
const optionFields = "Fields"

// selection adds what is wrong with the options that make a Selection, and with Fields.
func (f *Faults) selection(o Options) {
	var fault *filter.Error
	if len(o.Filter) > 0 {
		if _, err := filter.Compile(o.Filter); errors.As(err, &fault) {
			f.AddText(optionFilter, "%s: %s", Truncate(fault.Path, 200), Truncate(fault.Rule, 500))
		}
	}
	for _, list := range []struct {
		option string
		names  []string
	}{{optionOnlyFields, o.OnlyFields}, {optionIgnoreFields, o.IgnoreFields}, {optionFields, o.Fields}} {
		if len(list.names) > maxFields {
			f.Add(list.option, "must have at most %d items", maxFields)
		}
		for i, name := range list.names {
			if name == "" || utf8.RuneCountInString(name) > maxEventName || !utf8.ValidString(name) {
				f.AddText(list.option, "%s[%d] must be the name of a member, of at most %d characters", list.option, i, maxEventName)
				break
			}
		}
	}
	if len(o.SkipOwn) > maxOwn {
		f.Add(optionSkipOwn, "must have at most %d items", maxOwn)
	}
	if slices.ContainsFunc(o.SkipOwn, func(id int32) bool { return id <= 0 }) {
		f.Add(optionSkipOwn, "must list AssociateIds, which are greater than 0")
	}
}
