package webhook

import (
	"bytes"
	"maps"
	"slices"
)

// changed returns the names of the members that a change of a stored webhook sets
// to another value: those of the entity in its order, then options, as the wire
// spells them. PreviousSecret stands for the end of an overlap. It never returns a
// value.
func (c change) changed(from Webhook) (names []string) {
	to := c.webhook
	add := func(name string, changed bool) {
		if changed {
			names = append(names, name)
		}
	}
	secret := c.docChanged && c.old.Current != c.doc.Current
	secretHeaders := c.docChanged && !maps.Equal(c.old.Headers, c.doc.Headers)
	add("Name", from.Name != to.Name)
	add("Events", !slices.Equal(from.Events, to.Events))
	add("TargetUrl", from.TargetURL != to.TargetURL)
	add("Secret", secret)
	add("State", from.State != to.State)
	add("Type", from.Type != to.Type)
	add("Headers", secretHeaders || !slices.Equal(from.Headers, to.Headers))
	add("Properties", !bytes.Equal(from.Properties, to.Properties))
	add("ErrorsEmail", from.ErrorsEmail != to.ErrorsEmail)
	add("ErrorEmails", !slices.Equal(from.ErrorEmails, to.ErrorEmails))
	add("ErrorAssociates", !bytes.Equal(from.ErrorAssociates, to.ErrorAssociates))
	add("Description", from.Description != to.Description)
	add("NotifyVia", from.NotifyVia != to.NotifyVia)
	add("NotifyWhen", from.NotifyWhen != to.NotifyWhen)
	add("Policy", from.Options.Policy != to.Options.Policy)
	add("TimeoutSeconds", from.Options.Timeout != to.Options.Timeout)
	add("SecretOverlapSeconds", !equalOrNil(from.Options.SecretOverlap, to.Options.SecretOverlap))
	add("Format", from.Options.Format != to.Options.Format)
	add("Include", !slices.Equal(from.Options.Include, to.Options.Include))
	add("PreviousSecret", c.docChanged && !secret && c.old.Previous != c.doc.Previous)
	return names
}

// equalOrNil reports whether two pointers are both nil or point to equal values.
func equalOrNil[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
