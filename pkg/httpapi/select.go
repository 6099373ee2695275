package httpapi

import (
	"reflect"
	"strings"
)

// maxSelected is how many names of a $select are looked at.
const maxSelected = 500

// selection is a $select: the members of an answer that a caller wants. nil is
// all of them.
type selection struct {
	whole   bool                  // the member with all that is in it
	members map[string]*selection // by names in lower case
}

// parseSelection reads a $select: names joined by commas, in any letter case,
// of nested members by paths with slashes. A text without a name selects
// everything.
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

// maxSelectedDepth is deeper than any answer is.
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

// selected answers with what the call's $select leaves of a body: all members
// stay, those that were not selected as the wire writes nothing. A webhook's id
// and links are always there. Lists are selected item by item; the members of
// dictionaries and of what is in a list are not told apart. Names that there
// are none of do not matter.
func (c *call) selected(body any) reply {
	if s := parseSelection(c.query("$select")); s != nil {
		body = eachStruct(body, s.apply)
	}
	return ok(body)
}

// apply empties what is not selected. The zero value of every member of an
// answer is what the wire has for nothing.
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
			inner := reflect.New(field.Type().Elem()) // others may hold the same
			inner.Elem().Set(field.Elem())
			member.apply(inner.Elem())
			field.Set(inner)
		}
	}
}

// memberName gives a field's name on the wire, in lower case.
func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		name = f.Name
	}
	return strings.ToLower(name)
}

// eachStruct gives a copy of a body in which the body itself, or each item of a
// list, was changed. What holds no struct stays.
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
