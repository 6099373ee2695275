package httpapi

import (
	"net/http"
	"reflect"
	"strings"
	"time"
)

// wireTime is a time as the wire has it: UTC without fraction, and without zone
// unless the caller asked for it. The zero time is .NET's.
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

// wantsZone reports whether a call asks for dates with their zone: the header
// SO-TimeZone may hold includeTZOffset beside the name of a zone. Which zone
// does not matter, since no date of a webhook is local. Neither do the headers
// Accept-Language, SO-Language and SO-Culture, whatever they hold: no text of a
// webhook has translations, and numbers and dates outside of texts are neutral.
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

// zoned gives an answer whose dates have their zone.
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

// dateForms are the forms of a date that are read; fractions of a second, by a
// point or a comma, may stand behind each second.
var dateForms = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02", "20060102T150405Z0700", "20060102T150405", "20060102",
}

// parseDate reads a date in any usual form of ISO 8601. Without a zone it is
// UTC, as on the wire.
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
