package webhook

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// Limits of a webhook, in characters unless the name says bytes. The sizes are
// those of SuperOffice's columns.
const (
	maxName           = 400
	maxEvents         = 4000 // all patterns of a webhook, joined by commas
	maxTargetURL      = 4000
	maxSecret         = 400
	maxType           = 100
	maxErrorsEmail    = 239
	maxDescription    = 4000
	maxHeaders        = 50
	maxHeaderBytes    = 16 << 10 // names and values of all headers together
	MaxPropertyBytes  = 32 << 10
	maxEventDataBytes = 256 << 10 // compact
	maxErrorEmails    = 50
)

// typeWebhook is the built-in plugin: an HTTP POST.
const typeWebhook = "webhook"

// typeCRMScript is the name of SuperOffice's script plugin, which is not supported.
const typeCRMScript = "crmscript"

// Rules are a deployment's requirements of a webhook beyond the limits of the wire.
// The zero Rules are strict, without a check of the target's address.
type Rules struct {
	// AllowHTTP accepts http targets as well as https ones.
	AllowHTTP bool
	// RefuseUnknownTypes refuses every Type except "webhook".
	RefuseUnknownTypes bool
	// OwnHosts are the API's own hosts, without port. They are refused as targets:
	// a webhook that calls its own service would loop.
	OwnHosts []string
	// CheckHost returns a target's host as resolvers see it, or why it must not be
	// called. It checks the spelling only, without DNS. nil: no such check.
	CheckHost func(host string) (seen string, err error)
}

// Own returns the rules with additional hosts of the API, ignoring empty ones.
func (rules Rules) Own(hosts ...string) Rules {
	own := slices.Clip(rules.OwnHosts)
	for _, host := range hosts {
		if host != "" {
			own = append(own, host)
		}
	}
	rules.OwnHosts = own
	return rules
}

// limit checks the length of a string and that it is valid UTF-8. name is what the
// fault calls it.
func (f *Faults) limit(member, name, text string, limit int) {
	if utf8.RuneCountInString(text) > limit {
		f.AddText(member, "%s must be at most %d characters", name, limit)
	}
	if !utf8.ValidString(text) {
		f.AddText(member, "%s must be valid UTF-8", name)
	}
}

// Validate reports everything that is wrong with the draft as a
// *ValidationError, in the order of the entity's members, or nil. It does not know
// the stored webhook: a save also checks that each mask has a stored secret to keep.
func (d Draft) Validate(rules Rules) error {
	var f Faults
	f.limit("Name", "Name", d.Name, maxName)
	f.events(d.Events)
	f.target(d.TargetURL, rules)
	f.secret(d.Secret)
	if d.State < StateUnknown || d.State > StateTooManyErrors {
		f.Add("State", "must be one of Unknown, Active, Stopped, TooManyErrors")
	}
	f.pluginType(d.Type, rules)
	f.headers(d.Headers)
	f.propertiesObject(d.Properties)
	f.limit("ErrorsEmail", "ErrorsEmail", d.ErrorsEmail, maxErrorsEmail)
	if len(d.ErrorEmails) > maxErrorEmails {
		f.Add("ErrorEmails", "must have at most %d items", maxErrorEmails)
	}
	for i, address := range d.ErrorEmails {
		f.limit("ErrorEmails", fmt.Sprintf("ErrorEmails[%d]", i), address, maxErrorsEmail)
	}
	if len(d.ErrorAssociates) > MaxPropertyBytes {
		f.Add("ErrorAssociates", "must be at most %d bytes", MaxPropertyBytes)
	}
	f.limit("Description", "Description", d.Description, maxDescription)
	if d.NotifyVia < 0 || d.NotifyVia > 2 {
		f.Add("NotifyVia", "must be one of None, Email, InApp")
	}
	if d.NotifyWhen < 0 || d.NotifyWhen > 3 {
		f.Add("NotifyWhen", "must be None or a combination of FirstFailure and Disabling")
	}
	return f.Err()
}

func (f *Faults) events(patterns []string) {
	if len(patterns) == 0 {
		f.Add("Events", "must name at least one event")
		return
	}
	for _, p := range patterns {
		if !ValidEventPattern(p) {
			f.AddText("Events", "Events: %q must be an event name (1 to %d characters of A-Z a-z 0-9 _ . -), \"*\", or \"<prefix>.*\" with a prefix of at most %d segments",
				Truncate(p, maxEventName), maxEventName, maxPrefixSegments)
		}
	}
	if len(strings.Join(patterns, ",")) > maxEvents {
		f.Add("Events", "must be at most %d characters, joined by commas", maxEvents)
	}
}

func (f *Faults) target(text string, rules Rules) {
	if text = strings.TrimSpace(text); text == "" {
		f.Add("TargetUrl", "is required")
		return
	}
	f.limit("TargetUrl", "TargetUrl", text, maxTargetURL)
	if strings.ContainsFunc(text, unicode.IsControl) {
		f.Add("TargetUrl", "must not contain control characters, such as a tab or a line break")
		return
	}
	u, err := ParseTarget(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		f.Add("TargetUrl", "must be an absolute URL")
		return
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && rules.AllowHTTP:
	case u.Scheme == "http":
		f.Add("TargetUrl", "must be an https URL unless the setting ALLOW_HTTP is true")
	default:
		f.Add("TargetUrl", "must be an http or https URL")
		return
	}
	if u.User != nil {
		f.Add("TargetUrl", "must not contain a user or password")
	}
	if strings.Contains(text, "#") {
		f.Add("TargetUrl", "must not contain a fragment")
	}
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		switch {
		case err == nil && (n == 443 || n >= 1024 && n <= 65535):
		case err == nil && n == 80 && u.Scheme == "http":
		default:
			f.Add("TargetUrl", "%s", portRule(u.Scheme, port))
		}
	}
	f.targetHost(strings.TrimSuffix(u.Hostname(), "."), rules)
}

// portRule says which ports a target of the scheme may use instead of this one,
// and which setting allows it.
func portRule(scheme, port string) string {
	switch {
	case scheme == "http":
		return fmt.Sprintf("must use port 80, 443 or 1024-65535, not %s; no setting allows it", port)
	case port == "80":
		return "must use port 443 or 1024-65535, not 80; http targets may use it if the setting ALLOW_HTTP is true"
	}
	return fmt.Sprintf("must use port 443 or 1024-65535, not %s; no setting allows it", port)
}

func (f *Faults) targetHost(host string, rules Rules) {
	if rules.CheckHost != nil {
		seen, err := rules.CheckHost(host)
		if err != nil {
			f.AddText("TargetUrl", "TargetUrl: %v", err)
			return
		}
		host = seen
	}
	for _, own := range rules.OwnHosts {
		if strings.EqualFold(host, strings.TrimSuffix(own, ".")) {
			f.Add("TargetUrl", "must not point to this service; no setting allows it")
			return
		}
	}
}

const standardPrefix = "whsec_"

// CheckSecret adds what is wrong with a signing secret that a member states.
// Every secret that signs or verifies has these rules.
func (f *Faults) CheckSecret(member string, s Secret) {
	var own Faults
	own.secret(&s)
	for _, fault := range own {
		f.AddText(member, "%s%s", member, strings.TrimPrefix(fault.Text, "Secret"))
	}
}

func (f *Faults) secret(s *Secret) {
	if s == nil {
		return
	}
	f.limit("Secret", "Secret", s.text, maxSecret)
	encoded, ok := strings.CutPrefix(s.text, standardPrefix)
	if !ok && misspelledStandard(s.text) {
		f.Add("Secret", "must begin with %[1]q itself: remove everything before it, such as \"v1,\", a space or a quote, and write %[1]q in lower case", standardPrefix)
	}
	if ok {
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(key) == 0 || strings.ContainsAny(encoded, "\r\n") { // line breaks are ignored by some decoders only
			f.Add("Secret", "must be standard base64 after the prefix %q", standardPrefix)
		}
	}
}

// misspelledStandard reports whether a secret that does not begin with "whsec_"
// looks like one that does: with the "v1," that some dashboards show in front of
// it, with spaces or quotes around it, or in other case. As a plain string it
// would sign with another key than the receiver's library uses.
func misspelledStandard(text string) bool {
	const around = " \t\r\n\"'`"
	text = strings.ToLower(strings.Trim(text, around))
	for _, version := range []string{"v1,", "v1a,"} {
		text = strings.TrimLeft(strings.TrimPrefix(text, version), around)
	}
	return strings.HasPrefix(text, standardPrefix)
}

func (f *Faults) pluginType(name string, rules Rules) {
	f.limit("Type", "Type", name, maxType)
	switch {
	case strings.EqualFold(name, typeCRMScript):
		f.Add("Type", "%q is not supported: only HTTP webhooks are", name)
	case rules.RefuseUnknownTypes && name != "" && !strings.EqualFold(name, typeWebhook):
		f.Add("Type", "must be %q, not %q, unless the setting UNKNOWN_TYPE is accept", typeWebhook, Truncate(name, maxType))
	}
}

func (f *Faults) headers(headers []DraftHeader) {
	if len(headers) > maxHeaders {
		f.Add("Headers", "must have at most %d items", maxHeaders)
	}
	total := 0
	seen := map[string]string{} // folded name → the first name that folds to it
	for _, h := range headers {
		total += len(h.Name) + len(h.Value.text)
		folded := foldHeaderName(h.Name)
		switch {
		case !headerName(h.Name):
			f.AddText("Headers", "Headers: invalid header name %q", Truncate(h.Name, 200))
		case ReservedHeader(h.Name):
			f.AddText("Headers", "Headers: reserved header %s", h.Name)
		case strings.EqualFold(seen[folded], h.Name):
			f.AddText("Headers", "Headers: duplicate header %s", h.Name)
		case seen[folded] != "":
			f.AddText("Headers", "Headers: many receivers cannot tell %s and %s apart", seen[folded], h.Name)
		}
		if seen[folded] == "" {
			seen[folded] = h.Name
		}
		if !headerValue(h.Value.text) {
			f.AddText("Headers", "Headers: the value of %s must not contain control characters", Truncate(h.Name, 200))
		}
	}
	if total > maxHeaderBytes {
		f.Add("Headers", "must be at most %d bytes", maxHeaderBytes)
	}
}

func (f *Faults) propertiesObject(raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	if len(raw) > MaxPropertyBytes {
		f.Add("Properties", "must be at most %d bytes", MaxPropertyBytes)
		return
	}
	if err := jsonscan.CheckObject(raw); err != nil {
		f.Add("Properties", "%v", err)
	}
}
