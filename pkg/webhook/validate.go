package webhook

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
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

// typeCRMScript is SuperOffice's script plugin, which is not offered.
const typeCRMScript = "crmscript"

// Rules are what a deployment asks of a webhook beyond the wire's own limits.
// The zero Rules are the strict ones, with no check of the target's address.
type Rules struct {
	// AllowHTTP accepts http targets beside https ones.
	AllowHTTP bool
	// RefuseUnknownTypes accepts no Type but "webhook".
	RefuseUnknownTypes bool
	// OwnHosts are the API's own hosts, without port, which are no targets: a
	// webhook that calls its own service would loop.
	OwnHosts []string
	// CheckHost gives a target's host as resolvers see it, or says why it may
	// not be called, judging by its spelling alone, without DNS. Unset: no
	// such check.
	CheckHost func(host string) (seen string, err error)
}

// Own returns the rules with more hosts of the API's own. Empty ones it leaves
// out.
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

// limit checks the length of a text; name is how a sentence calls it.
func (f *Faults) limit(member, name, text string, limit int) {
	if n := utf8.RuneCountInString(text); n > limit {
		f.AddText(member, "%s has %d characters, more than %d", name, n, limit)
	}
	if !utf8.ValidString(text) {
		f.AddText(member, "%s is not valid UTF-8", name)
	}
}

// Validate reports everything that is wrong with the draft as a
// *ValidationError, in the order of the entity's members, or nil. It does not
// look at what is stored: whether a mask stands for something is checked on
// saving.
func (d Draft) Validate(rules Rules) error {
	var f Faults
	f.limit("Name", "Name", d.Name, maxName)
	f.events(d.Events)
	f.target(d.TargetURL, rules)
	f.secret(d.Secret)
	if d.State < StateUnknown || d.State > StateTooManyErrors {
		f.Add("State", "%d is none of Unknown, Active, Stopped, TooManyErrors", d.State)
	}
	f.pluginType(d.Type, rules)
	f.headers(d.Headers)
	f.properties(d.Properties)
	f.limit("ErrorsEmail", "ErrorsEmail", d.ErrorsEmail, maxErrorsEmail)
	if len(d.ErrorEmails) > maxErrorEmails {
		f.Add("ErrorEmails", "has %d addresses, more than %d", len(d.ErrorEmails), maxErrorEmails)
	}
	for i, address := range d.ErrorEmails {
		f.limit("ErrorEmails", fmt.Sprintf("ErrorEmails[%d]", i), address, maxErrorsEmail)
	}
	if len(d.ErrorAssociates) > MaxPropertyBytes {
		f.Add("ErrorAssociates", "has %d bytes, more than %d", len(d.ErrorAssociates), MaxPropertyBytes)
	}
	f.limit("Description", "Description", d.Description, maxDescription)
	if d.NotifyVia < 0 || d.NotifyVia > 2 {
		f.Add("NotifyVia", "%d is none of None, Email, InApp", d.NotifyVia)
	}
	if d.NotifyWhen < 0 || d.NotifyWhen > 3 {
		f.Add("NotifyWhen", "%d is no combination of FirstFailure and Disabling", d.NotifyWhen)
	}
	return f.Err()
}

func (f *Faults) events(patterns []string) {
	if len(patterns) == 0 {
		f.Add("Events", "is empty: name at least one event")
		return
	}
	for _, p := range patterns {
		if !validEventPattern(p) {
			f.AddText("Events", "Events: %q is no event name (up to 200 characters of A-Z a-z 0-9 _ . -), \"*\" or \"<entity>.*\"", truncate(p, 200))
		}
	}
	if n := len(strings.Join(patterns, ",")); n > maxEvents {
		f.Add("Events", "has %d characters with commas between, more than %d", n, maxEvents)
	}
}

func (f *Faults) target(text string, rules Rules) {
	if strings.TrimSpace(text) == "" {
		f.Add("TargetUrl", "is empty")
		return
	}
	f.limit("TargetUrl", "TargetUrl", text, maxTargetURL)
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		f.Add("TargetUrl", "is no absolute URL")
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
		f.Add("TargetUrl", "must not hold a user or password")
	}
	if strings.Contains(text, "#") {
		f.Add("TargetUrl", "must not have a fragment")
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
	if n := utf8.RuneCountInString(s.text); n > maxSecret {
		f.Add("Secret", "has %d characters, more than %d", n, maxSecret)
	}
	if !utf8.ValidString(s.text) {
		f.Add("Secret", "is not valid UTF-8")
	}
	if encoded, ok := strings.CutPrefix(s.text, standardPrefix); ok {
		if key, err := base64.StdEncoding.DecodeString(encoded); err != nil || len(key) == 0 {
			f.Add("Secret", "begins with %q, but what follows is no standard base64", standardPrefix)
		}
	}
}

func (f *Faults) pluginType(name string, rules Rules) {
	f.limit("Type", "Type", name, maxType)
	switch {
	case strings.EqualFold(name, typeCRMScript):
		f.Add("Type", "%q is not offered: only HTTP webhooks are", name)
	case rules.RefuseUnknownTypes && name != "" && !strings.EqualFold(name, typeWebhook):
		f.Add("Type", "must be %q, not %q, unless the setting UNKNOWN_TYPE is accept", typeWebhook, truncate(name, maxType))
	}
}

func (f *Faults) headers(headers []DraftHeader) {
	if len(headers) > maxHeaders {
		f.Add("Headers", "has %d members, more than %d", len(headers), maxHeaders)
	}
	total := 0
	seen := map[string]string{} // folded name → the name as it came first
	for _, h := range headers {
		total += len(h.Name) + len(h.Value.text)
		folded := foldHeaderName(h.Name)
		switch {
		case !headerName(h.Name):
			f.AddText("Headers", "Headers: %q is no header name", truncate(h.Name, 200))
		case ReservedHeader(h.Name):
			f.AddText("Headers", "Headers: %s may not be set", h.Name)
		case strings.EqualFold(seen[folded], h.Name):
			f.AddText("Headers", "Headers: %s stands twice", h.Name)
		case seen[folded] != "":
			f.AddText("Headers", "Headers: %s and %s are the same header to many receivers", seen[folded], h.Name)
		}
		if seen[folded] == "" {
			seen[folded] = h.Name
		}
		if !headerValue(h.Value.text) {
			f.AddText("Headers", "Headers: the value of %q holds a control character", truncate(h.Name, 200))
		}
	}
	if total > maxHeaderBytes {
		f.Add("Headers", "has %d bytes, more than %d", total, maxHeaderBytes)
	}
}

func (f *Faults) properties(raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	if len(raw) > MaxPropertyBytes {
		f.Add("Properties", "has %d bytes, more than %d", len(raw), MaxPropertyBytes)
		return
	}
	if err := jsonscan.CheckObject(raw); err != nil {
		f.Add("Properties", "%v", err)
	}
}
