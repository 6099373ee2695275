package outbound

import (
	"net/http"
	"strings"
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// retryAfter returns how long the target asked to wait, from 0 to
// delivery.MaxRetryAfter. Where it asked several times, in several lines or in a
// list of numbers, the longest wait counts. It reads what servers send, which is
// more than RFC 9110 defines:
//
//   - a number of seconds of any size. A fraction is rounded up, and a plus sign
//     is ignored. A comma separates numbers: 12,5 is 12 s. A time in Unix
//     seconds is a number like any other, so it counts as the longest wait.
//   - a date of RFC 9110, whose day may have one digit and whose zone may be UTC
//     or an offset, or a time of RFC 3339.
//
// Everything else means no wait: a negative number, a date in the past, a number
// with an exponent or a unit.
func retryAfter(lines []string, now time.Time) (wait time.Duration) {
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if at, ok := retryDate(line); ok {
			wait = max(wait, at.Sub(now))
			continue
		}
		for number := range strings.SplitSeq(line, ",") {
			wait = max(wait, retrySeconds(strings.TrimSpace(number)))
		}
	}
	return min(wait, delivery.MaxRetryAfter)
}

// retrySeconds returns a number of seconds, rounded up and limited to
// delivery.MaxRetryAfter; 0 if the string is not a number.
func retrySeconds(text string) time.Duration {
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "+"), ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0
	}
	const most = int64(delivery.MaxRetryAfter / time.Second)
	seconds := int64(0)
	for _, digit := range whole {
		seconds = min(10*seconds+int64(digit-'0'), most)
	}
	if strings.Trim(fraction, "0") != "" {
		seconds++
	}
	return time.Duration(seconds) * time.Second
}

// retryDates are the forms of a date beyond those that http.ParseTime reads.
var retryDates = []string{
	"Mon, 2 Jan 2006 15:04:05 GMT", "Mon, 2 Jan 2006 15:04:05 UTC", "Mon, 2 Jan 2006 15:04:05 -0700", time.RFC3339,
}

func retryDate(text string) (time.Time, bool) {
	if at, err := http.ParseTime(text); err == nil {
		return at, true
	}
	for _, form := range retryDates {
		if at, err := time.Parse(form, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
