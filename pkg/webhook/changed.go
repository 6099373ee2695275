package webhook

import "maps"

// changed returns the names of the members that a change of a stored webhook sets
// to another value: those of the entity in its order, then options, as the wire
// spells them. PreviousSecret stands for the end of an overlap. It never returns a
// value.
func (c change) changed(from Webhook) (names []string) {
	secret := c.docChanged && c.old.Current != c.doc.Current
	secretHeaders := c.docChanged && !maps.Equal(c.old.Headers, c.doc.Headers)
	for _, m := range changeables {
		if m.name == memberState && secret { // the entity has Secret before State
			names = append(names, memberSecret)
		}
		if !m.equal(&from, &c.webhook) || m.name == memberHeaders && secretHeaders {
			names = append(names, m.name)
		}
	}
	if c.docChanged && !secret && c.old.Previous != c.doc.Previous {
		names = append(names, memberPreviousSecret)
	}
	return names
}
