package webhook

import (
	"errors"

	"github.com/posthaste-dev/posthaste/pkg/filter"
	"github.com/posthaste-dev/posthaste/pkg/template"
)

// optionTemplate is checked by package template.
const optionTemplate = "Template"

// template adds what is wrong with the option Template.
func (f *Faults) template(o Options) {
	if len(o.Template) == 0 {
		return
	}
	var fault *template.Error
	if _, err := template.Compile(o.Template); errors.As(err, &fault) {
		f.AddText(optionTemplate, "Template %s", Truncate(fault.Rule, 500))
	}
	if o.Format == FormatCloudEvents {
		f.AddText(optionTemplate, "Template must not be set together with the Format %s, whose Content-Type promises a CloudEvent", FormatCloudEvents)
	}
}

// WithoutValues returns a *ValidationError if Filter or Template is about values that the
// setting EVENT_DATA=names keeps out of bodies: which events pass a filter, or what a
// template makes of them, would tell what they are. nil: neither is.
func (o Options) WithoutValues() error {
	var f Faults
	refuse := func(option string, members []string) {
		for _, member := range members {
			if member == "FieldValues" || member == "Previous" {
				f.AddText(option, "%s must not be about %s: this deployment keeps values out of deliveries (EVENT_DATA=names)", option, member)
			}
		}
	}
	if c, err := filter.Compile(o.Filter); err == nil {
		refuse(optionFilter, c.Members())
	}
	if c, err := template.Compile(o.Template); err == nil {
		refuse(optionTemplate, c.Members())
	}
	return f.Err()
}
