package ledger

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The waits between the attempts of a delivery.
var gaps = map[string][]time.Duration{
	"durable": {
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	},
	"superoffice": {time.Second, 4 * time.Second},
}

// Retries returns how often a policy retries a delivery.
func Retries(policy string) int { return len(gaps[policy]) }

// Gap returns the shortest and the longest wait before a retry, numbered from 1.
// ok is false if the policy has no such retry.
func Gap(policy string, retry int) (shortest, longest time.Duration, ok bool) {
	if retry < 1 || retry > Retries(policy) {
		return 0, 0, false
	}
	gap := gaps[policy][retry-1]
	if policy == "superoffice" {
		return gap, gap, true
	}
	return gap * 8 / 10, gap * 12 / 10, true
}

// maxAsked is the longest wait that a target can ask for.
const maxAsked = 24 * time.Hour

// Response is a response of a target.
type Response struct {
	Status     int
	RetryAfter string // the header, "" if absent
	Abort      bool   // webhook-delivery: abort-message
	At         time.Time
}

// OK reports whether the target accepted the event.
func (r Response) OK() bool { return r.Status >= 200 && r.Status <= 299 }

// Final reports whether a failed delivery must not be attempted again.
func (r Response) Final() bool { return r.Status == 410 || r.Abort }

// Asked returns the wait that the target asked for: at least, counted from when the
// response arrived, and at most, counted from when the attempt began.
func (r Response) Asked(began time.Time) (least, most time.Duration) {
	if r.Status != 429 && r.Status != 503 {
		return 0, 0
	}
	text := strings.TrimSpace(r.RetryAfter)
	for _, layout := range dates {
		if date, err := time.Parse(layout, text); err == nil {
			return clamp(date.Sub(r.At)), clamp(date.Sub(began))
		}
	}
	for number := range strings.SplitSeq(text, ",") {
		if number = strings.TrimSpace(number); seconds.MatchString(number) {
			n, _ := strconv.ParseFloat(number, 64)
			least = max(least, time.Duration(math.Ceil(min(n, maxAsked.Seconds())))*time.Second)
		}
	}
	return least, least
}

// seconds is what counts as a number of seconds, and dates are the forms of a date.
var (
	seconds = regexp.MustCompile(`^\+?(\d+\.?\d*|\.\d+)$`)
	dates   = []string{
		"Mon, 02 Jan 2006 15:04:05 GMT", "Mon, 2 Jan 2006 15:04:05 UTC", "Mon, 2 Jan 2006 15:04:05 -0700",
		"Monday, 02-Jan-06 15:04:05 MST", "Mon Jan _2 15:04:05 2006", time.RFC3339,
	}
)

func clamp(d time.Duration) time.Duration { return min(max(d, 0), maxAsked) }

// Wait returns the shortest and the longest wait before a retry, numbered from 1,
// after a response to an attempt; the zero Response if none arrived. ok is false if
// there must be no such retry.
func Wait(policy string, retry int, r Response, began time.Time) (shortest, longest time.Duration, ok bool) {
	if r.OK() || r.Final() {
		return 0, 0, false
	}
	shortest, longest, ok = Gap(policy, retry)
	least, most := r.Asked(began)
	return max(shortest, least), max(longest, most), ok
}
