package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/source"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The operations on sources read and return JSON only: their documents have
// names and records that the other formats cannot hold.

func (a *api) listSources(c *call) (reply, error) {
	all, err := a.Sources.List(c.Context())
	if err != nil {
		return reply{}, err
	}
	page := struct{ Sources []sourceDocument }{[]sourceDocument{}}
	for _, s := range all {
		shown, err := a.showSource(c, s)
		if err != nil {
			return reply{}, err
		}
		page.Sources = append(page.Sources, shown)
	}
	return jsonReply(http.StatusOK, nil, page)
}

func (a *api) getSource(c *call) (reply, error) {
	s, err := a.Sources.Get(c.Context(), c.PathValue("name"))
	if err != nil {
		return reply{}, sourceNotFound(err)
	}
	return a.sourceReply(c, http.StatusOK, s)
}

func (a *api) createSource(c *call) (reply, error) {
	d, _, err := readSource(c)
	if err != nil {
		return reply{}, err
	}
	s, err := a.Sources.Create(c.Context(), c.who.Associate.UserName, d)
	if err != nil {
		return reply{}, existing(err, "The source already exists")
	}
	a.audit(c.Context(), c, auditedChange{action: "create source", tenant: s.Tenant, sourceName: s.Name})
	return a.sourceReply(c, http.StatusCreated, s)
}

// replaceSource replaces a source. The revision in the body or in If-Match is the
// one that must be stored.
func (a *api) replaceSource(c *call) (reply, error) {
	d, stated, err := readSource(c)
	if err != nil {
		return reply{}, err
	}
	revision, err := ifMatch(c)
	if err != nil {
		return reply{}, err
	}
	conditional := revision != 0
	if !conditional {
		revision = stated
	}
	saved, err := a.Sources.Replace(c.Context(), c.who.Associate.UserName, c.PathValue("name"), revision, d)
	if err != nil {
		return reply{}, revisionFailed(sourceNotFound(err), conditional)
	}
	a.audit(c.Context(), c, auditedChange{action: "change source", tenant: saved.Tenant, sourceName: saved.Name, changed: saved.Changed})
	return a.sourceReply(c, http.StatusOK, saved.Source)
}

func (a *api) deleteSource(c *call) (reply, error) {
	revision, err := ifMatch(c)
	if err != nil {
		return reply{}, err
	}
	s, err := a.Sources.Delete(c.Context(), c.PathValue("name"), revision)
	if err != nil {
		return reply{}, revisionFailed(sourceNotFound(err), revision != 0)
	}
	a.audit(c.Context(), c, auditedChange{action: "delete source", tenant: s.Tenant, sourceName: s.Name})
	return noContent(nil), nil
}

func (a *api) endSourceOverlap(c *call) (reply, error) {
	saved, err := a.Sources.EndOverlap(c.Context(), c.who.Associate.UserName, c.PathValue("name"))
	if err != nil {
		return reply{}, sourceNotFound(err)
	}
	if len(saved.Changed) > 0 {
		a.audit(c.Context(), c, auditedChange{action: "change source", tenant: saved.Tenant, sourceName: saved.Name, changed: saved.Changed})
	}
	return noContent(nil), nil
}

func sourceNotFound(err error) error {
	if !errors.Is(err, webhook.ErrNotFound) {
		return err
	}
	return explain(err, "The source does not exist")
}

// revisionFailed returns the error for a stored revision that is not the one that
// If-Match names.
func revisionFailed(err error, conditional bool) error {
	if !conditional || !errors.Is(err, webhook.ErrConflict) {
		return err
	}
	return explain(errPrecondition, "The source does not have the revision that If-Match names")
}

// ifMatch returns the revision that the If-Match header names, 0 without one or
// for "*".
func ifMatch(c *call) (int64, error) {
	tag := strings.TrimSpace(c.Header.Get("If-Match"))
	if tag == "" || tag == "*" {
		return 0, nil
	}
	digits, opened := strings.CutPrefix(tag, `"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	revision, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || revision < 1 || opened != closed {
		return 0, webhook.Invalid("If-Match must be a source's revision, such as %q", `"3"`)
	}
	return revision, nil
}

// sourceReply returns a source with its counts; its ETag is its revision.
func (a *api) sourceReply(c *call, status int, s source.Source) (reply, error) {
	shown, err := a.showSource(c, s)
	if err != nil {
		return reply{}, err
	}
	return jsonReply(status, http.Header{"Etag": {fmt.Sprintf("%q", strconv.FormatInt(s.Revision, 10))}}, shown)
}

func (a *api) showSource(c *call, s source.Source) (sourceDocument, error) {
	counts, err := a.Sources.Sources.Counts(c.Context(), s.Name)
	if err != nil {
		return sourceDocument{}, err
	}
	return newSourceDocument(s, counts), nil
}

// jsonReply returns a reply that is JSON whatever the call accepts.
func jsonReply(status int, header http.Header, body any) (reply, error) {
	text, err := wire.EncodeJSON(body)
	return reply{status: status, header: header, json: text}, err
}
