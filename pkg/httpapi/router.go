package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// router brings a call to its route. ServeMux does the matching; what it is
// strict about, and the forgiving routes of ASP.NET are not, is put right
// before: letter case, a trailing slash, a tenant's name as first segment.
type router struct {
	api    *api
	mux    *http.ServeMux
	routes []routeSegments
}

// routeSegments is a route's pattern, cut at the slashes.
type routeSegments struct {
	method   string
	segments []string
	literals int
}

func newRouter(a *api) *router {
	rt := &router{api: a, mux: http.NewServeMux()}
	for _, r := range a.routes() {
		rt.mux.Handle(r.method+" "+r.pattern, a.operation(r))
		segments := strings.Split(r.pattern[1:], "/")
		literals := 0
		for _, s := range segments {
			if !wildcard(s) {
				literals++
			}
		}
		rt.routes = append(rt.routes, routeSegments{r.method, segments, literals})
	}
	// The most literal first, so that the documented spelling of a literal is
	// found before a wildcard takes it as it came.
	slices.SortStableFunc(rt.routes, func(a, b routeSegments) int { return b.literals - a.literals })
	return rt
}

func wildcard(segment string) bool { return strings.HasPrefix(segment, "{") }

func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := callOf(r)
	segments := strings.Split(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/"), "/")
	if len(segments) > 1 && strings.EqualFold(segments[1], "api") && webhook.Tenant(segments[0]).Valid() {
		c.tenantSegment, segments = webhook.Tenant(segments[0]), segments[1:]
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allowed []string
	for _, route := range rt.routes {
		path, ok := route.path(segments)
		if !ok {
			continue
		}
		if route.method == method {
			matched, address := r.WithContext(r.Context()), *r.URL
			address.Path, address.RawPath = path, ""
			matched.URL = &address
			rt.mux.ServeHTTP(w, matched)
			return
		}
		allowed = append(allowed, route.method)
	}
	if len(allowed) == 0 {
		rt.api.write(w, c, failed(c, explain(webhook.ErrNotFound, "There is nothing at this address")))
		return
	}
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	answer := failed(c, errMethod)
	answer.header.Set("Allow", strings.Join(slices.Compact(allowed), ", "))
	rt.api.write(w, c, answer)
}

// path gives the segments in the route's own spelling, if they are the
// route's.
func (r routeSegments) path(segments []string) (string, bool) {
	if len(segments) != len(r.segments) {
		return "", false
	}
	var path strings.Builder
	for i, s := range segments {
		switch {
		case wildcard(r.segments[i]) && s != "" && s != "." && s != "..":
		case strings.EqualFold(r.segments[i], s):
			s = r.segments[i]
		default:
			return "", false
		}
		path.WriteString("/" + s)
	}
	return path.String(), true
}
