package wire

import (
	"iter"
	"slices"
	"strconv"
	"strings"
)

// AnswerTypes are the media types of responses in order of preference: of types
// that a caller weights equally, the earlier one is used. The two patch types are
// JSON with another label.
var AnswerTypes = []string{
	"application/json", "text/json", "application/xml", "text/xml",
	"application/json-patch+json", "application/merge-patch+json",
}

// maxAcceptRanges is how many ranges of an Accept header are considered.
const maxAcceptRanges = 64

// mediaRange is one member of an Accept header.
type mediaRange struct {
	main, sub string // lower case; "*" is a wildcard
	quality   float64
}

// specificity returns 0 if the range does not include the type, otherwise a number
// that is higher for a more specific range.
func (r mediaRange) specificity(mediaType string) int {
	main, sub, _ := strings.Cut(mediaType, "/")
	switch {
	case r.main == main && r.sub == sub:
		return 3
	case r.main == main && r.sub == "*":
		return 2
	case r.main == "*" && r.sub == "*":
		return 1
	}
	return 0
}

// Negotiate chooses the media type of a response by the Accept headers of a
// request. A type's quality is that of the most specific range that includes it;
// the highest quality wins, then the more specific range, then the order of
// AnswerTypes. Without an Accept header the type is JSON. If nothing matches it is
// JSON too, and accepted is false.
//
// It skips malformed ranges and ignores parameters other than q. also are types that
// the response has too, after AnswerTypes.
func Negotiate(headers []string, also ...string) (mediaType string, accepted bool) {
	ranges := acceptRanges(headers)
	if len(ranges) == 0 {
		return AnswerTypes[0], strings.TrimSpace(strings.Join(headers, "")) == ""
	}
	mediaType = AnswerTypes[0]
	var best mediaRange
	bestSpecificity := 0
	for _, offered := range slices.Concat(AnswerTypes, also) {
		var match mediaRange
		specificity := 0
		for _, r := range ranges {
			if s := r.specificity(offered); s > specificity {
				match, specificity = r, s
			}
		}
		if specificity == 0 || match.quality == 0 {
			continue
		}
		if !accepted || match.quality > best.quality || match.quality == best.quality && specificity > bestSpecificity {
			mediaType, best, bestSpecificity, accepted = offered, match, specificity, true
		}
	}
	return mediaType, accepted
}

// acceptRanges returns the ranges of Accept headers in order.
func acceptRanges(headers []string) (ranges []mediaRange) {
	for name, quality := range weights(headers) {
		if len(ranges) == maxAcceptRanges {
			break
		}
		if main, sub, isRange := strings.Cut(name, "/"); isRange {
			ranges = append(ranges, mediaRange{main, sub, quality})
		}
	}
	return ranges
}

// IsXML reports whether a media type is XML.
func IsXML(mediaType string) bool { return mediaType == "application/xml" || mediaType == "text/xml" }

// AcceptsGzip reports whether Accept-Encoding headers allow gzip. Without one they
// do not.
func AcceptsGzip(headers []string) bool {
	accepts, named := false, false
	for coding, quality := range weights(headers) {
		switch {
		case coding == "gzip", coding == "x-gzip":
			accepts, named = quality > 0, true
		case coding == "*" && !named:
			accepts = quality > 0
		}
	}
	return accepts
}

// weights returns the elements of headers such as Accept, in lower case and in
// order, each with its weight: the parameter q, or 1. It skips malformed elements
// and weights outside 0 to 1, and ignores other parameters.
func weights(headers []string) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for text := range strings.SplitSeq(strings.Join(headers, ","), ",") {
			name, params, err := parseMediaType(text)
			if err != nil {
				continue
			}
			quality := 1.0
			if q, stated := params["q"]; stated {
				if quality, err = strconv.ParseFloat(q, 64); err != nil || !(quality >= 0 && quality <= 1) { // also NaN
					continue
				}
			}
			if !yield(name, quality) {
				return
			}
		}
	}
}
