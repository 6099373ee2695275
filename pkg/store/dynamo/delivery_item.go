package dynamo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// The attributes of a row that conditions or the index refer to.
const (
	attrStatus   = "status"
	attrVer      = "ver"
	attrCreated  = "created"
	attrDueShard = "due_shard"
	attrSweepAt  = "sweep_at"
	attrNextAt   = "next_at"
	attrResends  = "resends"
	attrParked   = "parked" // the event id
	attrEvent    = "event"  // name
	attrEntity   = "entity" // if the name does not say it
)

// deliveryPartitions is how many partitions the rows of one webhook are spread
// over.
const deliveryPartitions = delivery.ParkedPartitions

func deliveryPK(tenant webhook.Tenant, id int32, n int) string {
	return fmt.Sprintf("T#%s#W#%d#%d", tenant, id, n)
}

func deliveryKey(k delivery.Key) item {
	return key(deliveryPK(k.Tenant, k.Webhook, k.Event.Partition(deliveryPartitions)), string(k.Event))
}

// readDeliveryKey is the inverse of deliveryKey.
func readDeliveryKey(r *reader) delivery.Key {
	parts := strings.Split(r.text(attrPK), "#")
	if len(parts) != 5 {
		r.fail(attrPK, r.item[attrPK])
		return delivery.Key{}
	}
	id, err := strconv.ParseInt(parts[3], 10, 32)
	if err != nil {
		r.fail(attrPK, r.item[attrPK])
	}
	return delivery.Key{Tenant: webhook.Tenant(parts[1]), Webhook: int32(id), Event: webhook.EventID(r.text(attrSK))}
}

// encodeDelivery returns a row's item. Zero members are omitted, so that a
// lease is removed rather than zeroed, and the index holds only unfinished
// rows.
func encodeDelivery(d delivery.Row) item {
	it := deliveryKey(d.Key)
	it[attrVer] = number(1)
	it[attrStatus] = text(string(d.Status))
	it[attrCreated] = millis(d.Created)
	it["updated"] = millis(d.Updated)
	it["round"] = number(d.Round)
	it["attempt"] = number(d.Attempt)
	it.setText(attrEvent, d.EventName)
	it.setInt(attrKey, int64(d.PrimaryKey))
	it.setText(attrEntity, d.Entity)
	it.setText(attrTextKey, d.EventKey)
	it.setText("reason", d.Reason)
	it.setText("lease_by", d.LeaseBy)
	it.setTime("lease_until", d.LeaseUntil)
	it.setTime(attrNextAt, d.NextAt)
	if !d.SweepAt.IsZero() {
		it[attrSweepAt] = millis(d.SweepAt)
		it[attrDueShard] = number(delivery.DueShard(d.Key))
	}
	if d.Parked {
		it[attrParked] = text(string(d.Event))
	}
	it.setInt(attrResends, int64(d.Resends))
	it.setText("replay", d.Replay)
	if len(d.Attempts) > 0 {
		list := make([]types.AttributeValue, len(d.Attempts))
		for i, a := range d.Attempts {
			list[i] = text(encodeAttempt(a))
		}
		it["attempts"] = &types.AttributeValueMemberL{Value: list}
	}
	it.setInt("count", int64(d.AttemptCount))
	it.setText("response", d.Response)
	it.setExpiry(d.ExpiresAt)
	return it
}

func decodeDelivery(it item) (delivery.Row, error) {
	r := reader{item: it}
	d := delivery.Row{
		Key: readDeliveryKey(&r), EventName: r.text(attrEvent), PrimaryKey: r.int32(attrKey),
		Entity: r.text(attrEntity), EventKey: r.text(attrTextKey),
		Status: delivery.Status(r.text(attrStatus)), Round: r.int("round"), Attempt: r.int("attempt"), Reason: r.text("reason"),
		LeaseBy: r.text("lease_by"), LeaseUntil: r.time("lease_until"), NextAt: r.time(attrNextAt), SweepAt: r.time(attrSweepAt),
		Parked: r.text(attrParked) != "", Resends: r.int(attrResends), Replay: r.text("replay"),
		AttemptCount: r.int("count"), Response: r.text("response"),
		Created: r.time(attrCreated), Updated: r.time("updated"), ExpiresAt: r.time(attrExpiresMS),
	}
	for _, s := range readTexts[string](&r, "attempts") {
		a, err := decodeAttempt(s)
		if err != nil {
			r.fail("attempts", it["attempts"])
		}
		d.Attempts = append(d.Attempts, a)
	}
	if r.err != nil {
		return delivery.Row{}, fmt.Errorf("read delivery: %w", r.err)
	}
	return d, nil
}

// encodeAttempt returns an attempt as "number at duration code error detail made :sent",
// without what is empty: a success has no error, most errors have no detail, and all
// but the last attempt have no sent. Both times are in base 36 milliseconds, so that
// twelve attempts and a response fit in a row of one write unit. made is the first
// letter of the lane and the round, unless that is 1; older versions do not read it.
func encodeAttempt(a delivery.Attempt) string {
	made := ""
	if a.Lane != "" {
		made = string(a.Lane[:1])
	}
	if a.Round > 1 || a.Round == 1 && made == "" {
		made += strconv.Itoa(a.Round)
	}
	s := strings.TrimRight(strings.Join([]string{
		strconv.Itoa(a.Number), strconv.FormatInt(a.At.UnixMilli(), 36), strconv.FormatInt(a.Duration.Milliseconds(), 36),
		strconv.Itoa(a.StatusCode), string(a.Error), string(a.Detail), made,
	}, " "), " ")
	if a.Sent != (webhook.Sent{}) {
		s += " :" + encodeSent(a.Sent)
	}
	return s
}

// lanes are the lanes of attempts, by the letter that encodeAttempt writes.
var lanes = map[string]delivery.Lane{"f": delivery.LaneFast, "q": delivery.LaneQueue, "s": delivery.LaneSlow}

// decodeMade reads the lane and the round of an attempt.
func decodeMade(s string, a *delivery.Attempt) error {
	round := strings.TrimLeft(s, "fqs")
	if a.Lane = lanes[strings.TrimSuffix(s, round)]; s == "" {
		return nil
	}
	if a.Round = 1; round == "" {
		return nil
	}
	n, err := strconv.Atoi(round)
	if err != nil {
		return fmt.Errorf("round %q of an attempt: %w", round, err)
	}
	a.Round = n
	return nil
}

// The letters of encodeSent.
const (
	sentCurrent  = "c"
	sentPrevious = "p"
	sentBoth     = "b"
	sentReplay   = "r"
)

// encodeSent returns "revision.body.letters", with the revision in base 36: about
// 17 characters.
func encodeSent(s webhook.Sent) string {
	letters := ""
	switch s.Signer {
	case webhook.SignerCurrent:
		letters = sentCurrent
	case webhook.SignerPrevious:
		letters = sentPrevious
	case webhook.SignerNone:
	}
	if s.Both {
		letters += sentBoth
	}
	if s.Replay {
		letters += sentReplay
	}
	return strconv.FormatInt(s.Revision, 36) + "." + s.Body + "." + letters
}

func decodeSent(text string) (webhook.Sent, error) {
	fields := strings.Split(text, ".")
	if len(fields) != 3 {
		return webhook.Sent{}, fmt.Errorf("sent %q has %d fields", text, len(fields))
	}
	revision, err := strconv.ParseInt(fields[0], 36, 64)
	if err != nil {
		return webhook.Sent{}, fmt.Errorf("sent %q: %w", text, err)
	}
	s := webhook.Sent{
		Revision: revision, Body: fields[1], Both: strings.Contains(fields[2], sentBoth), Replay: strings.Contains(fields[2], sentReplay),
	}
	switch {
	case strings.Contains(fields[2], sentCurrent):
		s.Signer = webhook.SignerCurrent
	case strings.Contains(fields[2], sentPrevious):
		s.Signer = webhook.SignerPrevious
	}
	return s, nil
}

func decodeAttempt(s string) (delivery.Attempt, error) {
	fields := strings.Split(s, " ")
	if len(fields) < 4 {
		return delivery.Attempt{}, fmt.Errorf("attempt %q has %d fields", s, len(fields))
	}
	var n [4]int64
	for i, base := range [4]int{10, 36, 36, 10} {
		v, err := strconv.ParseInt(fields[i], base, 64)
		if err != nil {
			return delivery.Attempt{}, fmt.Errorf("attempt %q: %w", s, err)
		}
		n[i] = v
	}
	a := delivery.Attempt{
		Number: int(n[0]), At: time.UnixMilli(n[1]).UTC(),
		Duration: time.Duration(n[2]) * time.Millisecond, StatusCode: int(n[3]),
	}
	if last := fields[len(fields)-1]; strings.HasPrefix(last, ":") {
		sent, err := decodeSent(last[1:])
		if err != nil {
			return delivery.Attempt{}, fmt.Errorf("attempt %q: %w", s, err)
		}
		a.Sent, fields = sent, fields[:len(fields)-1]
	}
	if len(fields) > 4 {
		a.Error = failure.Kind(fields[4])
	}
	if len(fields) > 5 {
		a.Detail = failure.Detail(fields[5])
	}
	if len(fields) > 6 {
		err := decodeMade(fields[6], &a)
		return a, err
	}
	return a, nil
}
