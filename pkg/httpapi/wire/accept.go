package wire

import (
	"iter"
	"mime"
	"strconv"
	"strings"
)

// AnswerTypes are the media types that an answer may have, the preferred first:
// what a caller likes equally well, or does not name, is answered with the
// earlier one. The two patch types are JSON under another label.
var AnswerTypes = []string{
	"application/json", "text/json", "application/xml", "text/xml",
	"application/json-patch+json", "application/merge-patch+json",
}

// maxAcceptRanges bounds how much of an Accept header is looked at.
const maxAcceptRanges = 64

// mediaRange is one member of an Accept header.
type mediaRange struct {
	main, sub string // lower case; "*" is any
	quality   float64
}

// specificity is 0 where the range does not hold the type, else the higher the
// more of the type it names.
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

// Negotiate chooses an answer's media type by the Accept headers of a call. Of
// the ranges that hold a type the most specific one gives its quality; the
// highest quality wins, then the more specific range, then the order of
// AnswerTypes. Without any Accept header it is JSON, and where nothing matches
// too, but then accepted is false.
//
// What cannot be read of a header is passed over; parameters other than q are
// not looked at.
func Negotiate(headers []string) (mediaType string, accepted bool) {
	ranges := acceptRanges(headers)
	if len(ranges) == 0 {
		return AnswerTypes[0], strings.TrimSpace(strings.Join(headers, "")) == ""
	}
	mediaType = AnswerTypes[0]
	var best mediaRange
	bestSpecificity := 0
	for _, offered := range AnswerTypes {
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

// acceptRanges reads the ranges of Accept headers, in their order.
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

// IsXML reports whether a media type is one of XML's.
func IsXML(mediaType string) bool { return mediaType == "application/xml" || mediaType == "text/xml" }

// AcceptsGzip reads Accept-Encoding headers. Without one nothing is compressed.
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
// their order, each with its weight: the parameter q, 1 without one. It skips an
// element that cannot be read, or whose weight is not from 0 to 1, and ignores
// other parameters.
func weights(headers []string) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for text := range strings.SplitSeq(strings.Join(headers, ","), ",") {
			name, params, err := mime.ParseMediaType(text)
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
