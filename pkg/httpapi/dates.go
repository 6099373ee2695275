package httpapi

import (
	"net/http"
	"reflect"
	"strings"
	"time"
)

// wireTime is a time as written on the wire: in UTC, without fraction, and without
// a zone unless the caller asked for it. Its zero value is .NET's zero time.
type wireTime struct {
	time.Time
	zoned bool
}

func (t wireTime) MarshalJSON() ([]byte, error) {
	if t.zoned {
		return []byte(t.UTC().Format(`"2006-01-02T15:04:05Z"`)), nil
	}
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05"`)), nil
}

// wantsZone reports whether a call asks for dates with their zone: SO-TimeZone may
// contain includeTZOffset next to the name of a zone. The zone does not matter,
// since no date of a webhook is local. The headers Accept-Language, SO-Language
// and SO-Culture do not matter either: no string of a webhook is translated, and
// numbers and dates outside strings are culture-neutral.
func wantsZone(h http.Header) bool {
	for _, text := range h.Values("SO-TimeZone") {
		for part := range strings.SplitSeq(text, ",") {
			if strings.EqualFold(strings.TrimSpace(part), "includeTZOffset") {
				return true
			}
		}
	}
	return false
}

// zoned returns a copy of a body whose dates have their zone.
func zoned(body any) any {
	return eachStruct(body, func(v reflect.Value) {
		for i := range v.NumField() {
			if !v.Field(i).CanSet() {
				continue
			}
			if t, isDate := v.Field(i).Interface().(wireTime); isDate {
				v.Field(i).Set(reflect.ValueOf(wireTime{t.Time, true}))
			}
		}
	})
}

// dateForms are the accepted forms of a date. Seconds may have a fraction after a
// point or a comma.
var dateForms = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02", "20060102T150405Z0700", "20060102T150405", "20060102",
}

// parseDate reads a date in any common form of ISO 8601, and reports whether it
// could. Without a zone it is UTC, as on the wire.
func parseDate(text string) (t time.Time, ok bool) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if len(text) > len("2006-01-02") && text[10] == ' ' {
		text = text[:10] + "T" + text[11:]
	}
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
