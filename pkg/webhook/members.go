package webhook

import (
	"slices"
	"time"
)

// changeable is a member of a webhook that changes set.
type changeable struct {
	name  string // as the wire spells it
	equal func(a, b *Webhook) bool
	copy  func(to, from *Webhook)
	// kept says that a webhook that is kept in part always has the member: it is
	// small, and decides what becomes of an event.
	kept bool
}

// changeables lists the members that changes set: those of the entity in its order,
// then the options. The secrets are in their document.
var changeables = []changeable{
	single("Name", func(w *Webhook) *string { return &w.Name }),
	list("Events", func(w *Webhook) *[]string { return &w.Events }),
	single("TargetUrl", func(w *Webhook) *string { return &w.TargetURL }),
	kept(single(memberState, func(w *Webhook) *State { return &w.State })),
	single("Type", func(w *Webhook) *string { return &w.Type }),
	list(memberHeaders, func(w *Webhook) *[]Header { return &w.Headers }),
	list("Properties", func(w *Webhook) *[]byte { return (*[]byte)(&w.Properties) }),
	single("ErrorsEmail", func(w *Webhook) *string { return &w.ErrorsEmail }),
	list("ErrorEmails", func(w *Webhook) *[]string { return &w.ErrorEmails }),
	list("ErrorAssociates", func(w *Webhook) *[]byte { return (*[]byte)(&w.ErrorAssociates) }),
	single("Description", func(w *Webhook) *string { return &w.Description }),
	single("NotifyVia", func(w *Webhook) *int32 { return &w.NotifyVia }),
	single("NotifyWhen", func(w *Webhook) *int32 { return &w.NotifyWhen }),
	kept(single("Policy", func(w *Webhook) *Policy { return &w.Options.Policy })),
	kept(single("TimeoutSeconds", func(w *Webhook) *time.Duration { return &w.Options.Timeout })),
	{
		name:  "SecretOverlapSeconds",
		equal: func(a, b *Webhook) bool { return equalOrNil(a.Options.SecretOverlap, b.Options.SecretOverlap) },
		copy:  func(to, from *Webhook) { to.Options.SecretOverlap = from.Options.SecretOverlap },
		kept:  true,
	},
	kept(single("Format", func(w *Webhook) *Format { return &w.Options.Format })),
	kept(list("Include", func(w *Webhook) *[]Include { return &w.Options.Include })),
	kept(list("Filter", func(w *Webhook) *[]byte { return (*[]byte)(&w.Options.Filter) })),
	kept(list("OnlyFields", func(w *Webhook) *[]string { return &w.Options.OnlyFields })),
	kept(list("IgnoreFields", func(w *Webhook) *[]string { return &w.Options.IgnoreFields })),
	kept(list("SkipOwn", func(w *Webhook) *[]int32 { return &w.Options.SkipOwn })),
	kept(list("Fields", func(w *Webhook) *[]string { return &w.Options.Fields })),
	kept(list("Template", func(w *Webhook) *[]byte { return (*[]byte)(&w.Options.Template) })),
}

// Members whose values, or some of them, are in the secret document, and State,
// which the service itself sets too.
const (
	memberSecret         = "Secret"
	memberState          = "State"
	memberHeaders        = "Headers"
	memberPreviousSecret = "PreviousSecret"
)

func single[T comparable](name string, of func(*Webhook) *T) changeable {
	return changeable{
		name:  name,
		equal: func(a, b *Webhook) bool { return *of(a) == *of(b) },
		copy:  func(to, from *Webhook) { *of(to) = *of(from) },
	}
}

func list[T comparable](name string, of func(*Webhook) *[]T) changeable {
	return changeable{
		name:  name,
		equal: func(a, b *Webhook) bool { return slices.Equal(*of(a), *of(b)) },
		copy:  func(to, from *Webhook) { *of(to) = *of(from) },
	}
}

func kept(m changeable) changeable { m.kept = true; return m }

// equalOrNil reports whether two pointers are both nil or point to equal values.
func equalOrNil[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
