package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// ReadSources reads sources from a file's JSON, in the form of GET
// /admin/v1/Sources. What only the service knows about a source is zero: a secret,
// the revision, and Created, so that records of any time count. builtIn is the
// tenant of the built-in source, empty if the file does not list it. A
// *webhook.ValidationError has all faults.
func ReadSources(text []byte) (sources []source.Source, builtIn webhook.Tenant, err error) {
	if err := jsonscan.CheckObject(text); err != nil {
		return nil, "", webhook.Invalid("the file %v", err)
	}
	var f webhook.Faults
	readNamed(memberValue("", wire.Raw(text), &f), []namedMember{{"Sources", func(v value) {
		for _, each := range v.items("sources") {
			d, _ := readDraft(each)
			if d.Name == source.DefaultBus("").Name {
				builtIn = d.Tenant
				continue
			}
			if err := d.Validate(); err != nil {
				f.AddText("Sources", "%s: %v", each.path, err)
			}
			sources = append(sources, d.Source)
		}
	}}})
	return sources, builtIn, f.Err()
}

// ShowOutcome returns what a record, counted from 1, has become under a source, as
// indented JSON with the members of POST /admin/v1/Sources/{name}/Test. An empty
// name is left out.
func ShowOutcome(record int, name string, out source.Outcome) ([]byte, error) {
	text, err := wire.EncodeJSON(struct {
		Record int
		Source string `json:",omitempty"`
		sourceOutcome
	}{record, name, newSourceOutcome(out)})
	if err != nil {
		return nil, fmt.Errorf("show record %d: %w", record, err)
	}
	var shown bytes.Buffer
	err = json.Indent(&shown, text, "", "  ")
	return shown.Bytes(), err
}
