package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/posthaste-dev/posthaste/pkg/jsonscan"
)

// Submission is an event as sent by a caller of POST /api/v1/Events. A nil member is
// absent, and its default applies.
type Submission struct {
	Name                          string
	PrimaryKey                    int32
	Key                           string          // at most 256 characters; empty: none
	Entity                        *string         // default: the name before its last dot
	Changes                       []string        // default: the names of FieldValues, in their order
	FieldValues, Values, Previous json.RawMessage // objects, with any white space
	ChangedBy                     *int32          // default: the caller's
	// At is at most 5 minutes in the future, and at most the life of an event less
	// one day in the past. Zero: now.
	At time.Time
	// Source and ID are the idempotency key for 24 h, unless ID is empty. Source must
	// not begin with "/in/", which is reserved for relays.
	Source, ID string
	Sequence   string // opaque
	Hops       int    // as for Signal
	// Faults are what the reader of the submission found wrong with it. They are
	// reported with those that PublishAll finds, which adds none about a member that
	// has one already.
	Faults Faults
}

// SubmissionError is an error about one of several submissions.
type SubmissionError struct {
	Index int
	Err   error
}

func (e *SubmissionError) Error() string { return fmt.Sprintf("event [%d]: %v", e.Index, e.Err) }

// Unwrap returns the error without the index.
func (e *SubmissionError) Unwrap() error { return e.Err }

const (
	// MaxSubmissions is the most events that one call may submit.
	MaxSubmissions = 100

	maxKey         = 256
	maxSource      = 255
	maxAhead       = 5 * time.Minute // of an event's time
	maxPublishing  = 16              // concurrent store calls
	submissionSlot = "#"             // between an idempotency key and an entry's index
)

// PublishAll checks submissions, stores all of them as events, and returns their ids
// in the same order. If one of them is refused it stores none, and the faults name
// the index: "[3].Timestamp must be …". It first claims all idempotency keys and
// then stores all events, so that repeating a call that died midway completes it.
//
// Submissions with the same Source and ID are one event: in one call, in concurrent
// calls, and for 24 h. A submission without an ID has the key
// "<idempotencyKey>#<index>". Without an idempotency key, each call stores a new
// event.
//
// Errors: as for Publish. ErrTooLarge, ErrLoop and ErrIdempotencyKeyReused are those
// of one or several [SubmissionError], joined.
func (p *Publisher) PublishAll(ctx context.Context, who Principal, idempotencyKey string, list []Submission) ([]EventID, error) {
	now := p.Now().UTC()
	entries, err := p.checkAll(who, idempotencyKey, list, now)
	if err != nil {
		return nil, err
	}
	first := map[string]int{} // the first entry of each key
	var reused []error
	for i := range entries {
		e := &entries[i]
		if e.event.ID, err = NewEventID(now, p.Random); err != nil {
			return nil, err
		}
		if e.key == "" {
			continue
		}
		if twin, found := first[e.key]; !found {
			first[e.key] = i
		} else if entries[twin].hash != e.hash {
			reused = append(reused, &SubmissionError{i, ErrIdempotencyKeyReused})
		} else {
			e.twin = &entries[twin]
		}
	}
	if err := errors.Join(reused...); err != nil {
		return nil, err
	}
	err = each(entries, func(i int, e *entry) error {
		if e.key == "" || e.twin != nil {
			return nil
		}
		claim := IdempotencyClaim{Event: e.event.ID, Body: e.hash, Expires: now.Add(idempotencyLife)}
		stored, err := p.Events.Remember(ctx, who.Tenant, e.key, claim, now)
		if err != nil {
			return &SubmissionError{i, err}
		}
		if stored.Body != claim.Body {
			return &SubmissionError{i, ErrIdempotencyKeyReused}
		}
		e.event.ID = stored.Event
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = each(entries, func(i int, e *entry) error {
		if e.twin != nil {
			return nil
		}
		if err := p.Events.Put(ctx, e.event); err != nil {
			return &SubmissionError{i, err}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	ids := make([]EventID, len(entries))
	for i, e := range entries {
		if ids[i] = e.event.ID; e.twin != nil {
			ids[i] = e.twin.event.ID
		}
	}
	return ids, nil
}

// Preview returns the event that PublishAll would store of a submission now, without
// storing it. Errors: as for PublishAll; faults have no index.
func (p *Publisher) Preview(who Principal, s Submission) (Event, error) {
	now := p.Now().UTC()
	e, _, err := p.check(who, s, now)
	if err == nil {
		e.ID, err = NewEventID(now, p.Random)
	}
	if err != nil {
		return Event{}, err
	}
	return e, nil
}

// entry is a checked submission.
type entry struct {
	event Event
	key   string // the hashed idempotency key; empty: none
	hash  string // of the submission
	twin  *entry // an earlier entry with the same key and hash
}

// each calls do for every entry, some concurrently, and returns all errors joined.
func each(entries []entry, do func(i int, e *entry) error) error {
	errs := make([]error, len(entries))
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxPublishing)
	for i := range entries {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i, &entries[i])
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// checkAll returns the entries of submissions, or all faults of all of them.
func (p *Publisher) checkAll(who Principal, idempotencyKey string, list []Submission, now time.Time) ([]entry, error) {
	var faults Faults
	if len(list) == 0 {
		faults.AddText("", "at least one event is required")
	}
	if len(list) > MaxSubmissions {
		faults.AddText("", "at most %d events are allowed in one call", MaxSubmissions)
		list = nil
	}
	if utf8.RuneCountInString(idempotencyKey) > maxIdempotencyKey {
		faults.Add("Idempotency-Key", "must be at most %d characters", maxIdempotencyKey)
	}
	entries := make([]entry, len(list))
	var refused []error
	for i, s := range list {
		event, stated, err := p.check(who, s, now)
		var invalid *ValidationError
		switch {
		case errors.As(err, &invalid):
			for _, f := range invalid.Faults {
				if f.Member == "" {
					faults.AddText(fmt.Sprintf("[%d]", i), "[%d]: %s", i, f.Text)
					continue
				}
				faults.AddText(fmt.Sprintf("[%d].%s", i, f.Member), "[%d].%s", i, f.Text)
			}
			continue
		case err != nil:
			refused = append(refused, &SubmissionError{i, err})
			continue
		}
		entries[i] = entry{event: event, hash: stated}
		switch {
		case s.ID != "":
			entries[i].key = hexHash(who.App, "event", s.Source, s.ID)
		case idempotencyKey != "":
			entries[i].key = hexHash(who.App, "events", idempotencyKey+submissionSlot+strconv.Itoa(i))
		}
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return entries, errors.Join(refused...)
}

// check returns the event of a submission, without an id, and a hash of the
// submission.
func (p *Publisher) check(who Principal, s Submission, now time.Time) (Event, string, error) {
	var f Faults
	checkEventName(&f, "Event", s.Name)
	checkShort(&f, "Key", s.Key, maxKey)
	checkShort(&f, "Source", s.Source, maxSource)
	checkShort(&f, "Id", s.ID, maxIdempotencyKey)
	checkShort(&f, "Sequence", s.Sequence, maxIdempotencyKey)
	if strings.HasPrefix(s.Source, relayed) {
		f.Add("Source", "must not begin with %s", relayed)
	}
	c := &Content{Entity: s.Entity, Changes: s.Changes, Source: s.Source, SourceEvent: s.ID, Sequence: s.Sequence}
	c.FieldValues = compactObject(&f, "FieldValues", s.FieldValues)
	c.Values = compactObject(&f, "Values", s.Values)
	c.Previous = compactObject(&f, "Previous", s.Previous)
	if s.Entity != nil {
		checkShort(&f, "Entity", *s.Entity, maxEventName)
	}
	for i, name := range c.Changes {
		if !utf8.ValidString(name) {
			f.AddText("Changes", "Changes[%d] must be valid UTF-8", i)
		}
	}
	at := s.At.UTC().Truncate(100 * time.Nanosecond)
	switch past := p.Life - 24*time.Hour; {
	case s.At.IsZero():
		at = now.Truncate(100 * time.Nanosecond)
	case at.After(now.Add(maxAhead)):
		f.Add("Timestamp", "must be at most %.0f minutes in the future", maxAhead.Minutes())
	case at.Before(now.Add(-past)):
		f.Add("Timestamp", "must be at most %.0f days in the past", past.Hours()/24)
	}
	if err := s.allFaults(f).Err(); err != nil {
		return Event{}, "", err
	}
	if s.Hops+1 > maxHops {
		return Event{}, "", fmt.Errorf("passed through %d webhooks: %w", s.Hops, ErrLoop)
	}
	e := Event{
		Tenant: who.Tenant, Name: s.Name, PrimaryKey: s.PrimaryKey, Key: s.Key, Content: c, ChangedBy: who.Associate.ID,
		At: at, Hops: s.Hops + 1, ExpiresAt: now.Add(p.Life),
	}
	stated, err := hashSubmission(s, c)
	if err != nil {
		return Event{}, "", err
	}
	if s.ChangedBy != nil {
		e.ChangedBy = *s.ChangedBy
	}
	if c.Entity == nil {
		entity := e.Entity()
		c.Entity = &entity
	}
	if c.Changes == nil && c.FieldValues != nil {
		if c.Changes, err = objectNames(c.FieldValues); err != nil {
			return Event{}, "", err
		}
	}
	if size := c.Size(); size > maxEventDataBytes {
		return Event{}, "", fmt.Errorf("event content (Changes, FieldValues, Values and Previous) has %d bytes, more than %d: %w", size, maxEventDataBytes, ErrTooLarge)
	}
	return e, stated, nil
}

// allFaults returns the faults that the reader of a submission found, and of those
// that were found later the ones about other members.
func (s Submission) allFaults(later Faults) Faults {
	all := slices.Clone(s.Faults)
	for _, f := range later {
		if !s.Faults.About(f.Member) {
			all = append(all, f)
		}
	}
	return all
}

// hashSubmission returns a hash of a submission. White space and defaults do not
// count: a repeated submission has a different default time.
func hashSubmission(s Submission, c *Content) (string, error) {
	stated, err := EncodeContent(c)
	if err != nil {
		return "", err
	}
	at, by := "", ""
	if !s.At.IsZero() {
		at = s.At.UTC().Format(time.RFC3339Nano)
	}
	if s.ChangedBy != nil {
		by = strconv.Itoa(int(*s.ChangedBy))
	}
	return hexHash(s.Name, strconv.Itoa(int(s.PrimaryKey)), s.Key, string(stated), at, by), nil
}

// objectNames returns the names of an object's members, in order.
func objectNames(object json.RawMessage) ([]string, error) {
	members, err := jsonscan.Members(object)
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.Name
	}
	return names, err
}

// compactObject returns a member's object without white space, nil if absent.
func compactObject(f *Faults, member string, raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return nil
	}
	if err := jsonscan.CheckObject(raw); err != nil {
		f.Add(member, "%v", err)
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		f.Add(member, "must be valid JSON: %v", err)
		return nil
	}
	return compact.Bytes()
}

// checkShort adds a fault unless a string is printable and at most limit
// characters long.
func checkShort(f *Faults, member, s string, limit int) {
	if utf8.RuneCountInString(s) > limit {
		f.Add(member, "must be at most %d characters", limit)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		f.Add(member, "must be valid UTF-8 without control characters")
	}
}
