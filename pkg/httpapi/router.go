package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/httpapi/wire"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// router finds the route of a call. It is as forgiving as ASP.NET: it is
// case-insensitive, and accepts a trailing slash and a tenant's name as the
// first segment. Routes with the most literals come first, so that a literal
// matches before a wildcard does.
type router []routeSegments

// routeSegments is a route with its pattern split at the slashes.
type routeSegments struct {
	route
	segments []string
	literals int
}

func newRouter(routes []route) router {
	var rt router
	for _, r := range routes {
		cut := routeSegments{route: r, segments: strings.Split(r.pattern[1:], "/")}
		for _, s := range cut.segments {
			if _, is := wildcard(s); !is {
				cut.literals++
			}
		}
		rt = append(rt, cut)
	}
	slices.SortStableFunc(rt, func(a, b routeSegments) int { return b.literals - a.literals })
	return rt
}

// wildcard returns the name of a wildcard segment, and reports whether it is one.
func wildcard(segment string) (name string, is bool) {
	name, is = strings.CutPrefix(segment, "{")
	return strings.TrimSuffix(name, "}"), is
}

// match returns the route for the segments of a call's path, and stores the
// values of its wildcards in the call. Of the routes that fit the path only the most
// literal ones count: /Webhook/Test is never the webhook with the id Test. If none of
// them has the call's method, match returns the methods that they have.
func (rt router) match(c *call, segments []string) (found *route, allowed []string) {
	if len(segments) > 1 && strings.EqualFold(segments[1], "api") && webhook.Tenant(segments[0]).Valid() {
		c.tenantSegment, segments = webhook.Tenant(segments[0]), segments[1:]
	}
	method := c.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	literals := 0
	for i := range rt {
		if !rt[i].fits(segments) {
			continue
		}
		if len(allowed) > 0 && rt[i].literals < literals {
			break
		}
		if literals = rt[i].literals; rt[i].method != method {
			allowed = append(allowed, rt[i].method)
			continue
		}
		for at, s := range rt[i].segments {
			if name, is := wildcard(s); is {
				c.SetPathValue(name, segments[at])
			}
		}
		return &rt[i].route, nil
	}
	return nil, allowed
}

// fits reports whether the segments match the route's pattern.
func (r *routeSegments) fits(segments []string) bool {
	if len(segments) != len(r.segments) {
		return false
	}
	for i, s := range segments {
		_, is := wildcard(r.segments[i])
		switch {
		case is && s != "" && s != "." && s != "..":
		case strings.EqualFold(r.segments[i], s):
		default:
			return false
		}
	}
	return true
}

// unrouted returns the response to a call that no route matches.
func unrouted(c *call, allowed []string) reply {
	if len(allowed) == 0 {
		return failed(c, explain(webhook.ErrNotFound, "Nothing is served at this address"))
	}
	slices.Sort(allowed)
	allowed = slices.Compact(allowed)
	response := failed(c, methodNotAllowed(c.Method, allowed))
	if at, get := slices.BinarySearch(allowed, http.MethodGet); get {
		allowed = slices.Insert(allowed, at+1, http.MethodHead)
	}
	response.header.Set("Allow", strings.Join(allowed, ", "))
	return response
}

// methodNotAllowed returns the error for a method that an address does not have.
// It names those that it has.
func methodNotAllowed(method string, allowed []string) error {
	choice, last := "", len(allowed)-1
	if last > 0 {
		choice = strings.Join(allowed[:last], ", ") + " or "
	}
	return explain(errMethod, "%s is not allowed here; use %s%s", wire.Shorten(method), choice, allowed[last])
}
