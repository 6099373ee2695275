package httpapi

import (
	"reflect"
	"strings"
)

// maxSelected is how many names of a $select are read.
const maxSelected = 500

// selection is a $select: the members of a response that the caller wants. nil
// selects all.
type selection struct {
	whole   bool                  // the member with everything in it
	members map[string]*selection // keyed by name in lower case
}

// parseSelection reads a $select: case-insensitive names joined by commas, nested
// members as paths with slashes. A $select without a name selects everything.
func parseSelection(text string) *selection {
	root := &selection{}
	names := 0
	for path := range strings.SplitSeq(text, ",") {
		if names == maxSelected {
			break
		}
		if path = strings.Trim(path, " \t\r\n/"); path == "" {
			continue
		}
		names++
		if strings.Count(path, "/") < maxSelectedDepth {
			root.add(strings.ToLower(path))
		}
	}
	if names == 0 {
		return nil
	}
	return root
}

// maxSelectedDepth is deeper than any response.
const maxSelectedDepth = 8

func (s *selection) add(path string) {
	member := s
	for name := range strings.SplitSeq(path, "/") {
		if member.members == nil {
			member.members = map[string]*selection{}
		}
		inner := member.members[name]
		if inner == nil {
			inner = &selection{}
			member.members[name] = inner
		}
		member = inner
	}
	member.whole = true
}

// selected returns a body with the call's $select applied. All members stay, but
// those that were not selected get the wire's empty value. A webhook's id and
// links are always selected. A $select applies to each item of a list, but not to
// single members of dictionaries or of lists inside an item. Unknown names are
// ignored.
func (c *call) selected(body any) reply {
	if s := parseSelection(c.query("$select")); s != nil {
		body = eachStruct(body, s.apply)
	}
	return ok(body)
}

// apply clears the fields that are not selected. The zero value of every field is
// the wire's empty value.
func (s *selection) apply(v reflect.Value) {
	for i := range v.NumField() {
		name, field := memberName(v.Type().Field(i)), v.Field(i)
		if name == "webhookid" || name == "_links" || !field.CanSet() {
			continue
		}
		member := s.members[name]
		switch {
		case member == nil:
			field.SetZero()
		case !member.whole && field.Kind() == reflect.Pointer && !field.IsNil() && field.Type().Elem().Kind() == reflect.Struct:
			inner := reflect.New(field.Type().Elem()) // the original may be shared
			inner.Elem().Set(field.Elem())
			member.apply(inner.Elem())
			field.Set(inner)
		}
	}
}

// memberName returns a field's name on the wire, in lower case.
func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		name = f.Name
	}
	return strings.ToLower(name)
}

// eachStruct returns a copy of a body to which change was applied: to the body
// itself or, if it is a list, to each item. A body without structs stays.
func eachStruct(body any, change func(reflect.Value)) any {
	v := reflect.ValueOf(body)
	switch {
	case v.Kind() == reflect.Struct:
		changed := reflect.New(v.Type()).Elem()
		changed.Set(v)
		change(changed)
		return changed.Interface()
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		changed := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(changed, v)
		for i := range changed.Len() {
			change(changed.Index(i))
		}
		return changed.Interface()
	}
	return body
}
