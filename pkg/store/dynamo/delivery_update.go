package dynamo

import (
	"time"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
)

// leaseUpdate expresses Lease.Apply for an existing row, which must be parked or not as
// the lease says. It also requires that the row has not expired and that its expiry does
// not move back, since an expression cannot take the later of two times, and that the
// row knows its event.
func leaseUpdate(l delivery.Lease, now time.Time) (change string, c condition) {
	change = "SET attempt = :attempt, lease_by = :token, lease_until = :until, updated = :asked, ver = ver + :one"
	grants := "attempt = :attempt AND attribute_exists(lease_by) AND lease_until < :asked"
	c = condition{
		names: []string{attrStatus},
		values: item{
			":pending": text(string(delivery.StatusPending)), ":round": number(l.Round), ":now": millis(now),
			":attempt": number(l.Attempt), ":asked": millis(l.Now),
			":token": text(l.Token), ":until": millis(l.Until), ":one": number(1),
		},
	}
	if !l.Takeover {
		grants = "attempt = :before AND attribute_not_exists(lease_by) OR " + grants
		c.values[":before"] = number(l.Attempt - 1)
	}
	c.text = "#status = :pending AND round = :round AND expires_ms > :now AND (" + grants + ")"
	if !l.Seed.ExpiresAt.IsZero() {
		change += ", expires_at = :expires, expires_ms = :expires_ms"
		c.text = "expires_ms <= :expires_ms AND " + c.text
		c.values[":expires"], c.values[":expires_ms"] = expirySeconds(l.Seed.ExpiresAt), millis(l.Seed.ExpiresAt)
	}
	if l.Parked {
		change += ", sweep_at = :sweep REMOVE parked"
		c.text = "attribute_exists(parked) AND " + c.text
		c.values[":sweep"] = millis(l.SweepAt)
	} else {
		c.text = "attribute_not_exists(parked) AND " + c.text
	}
	if l.Seed.EventName != "" {
		c.text = "attribute_exists(#event) AND " + c.text // else the row learns its event, by the protocol's function
		c.names = append(c.names, attrEvent)
	}
	return change, c
}

// claimUpdate expresses Claim.Apply. Items in the index always have a SweepAt,
// so a Claim that saw none is refused.
func claimUpdate(cl delivery.Claim, now time.Time) (change string, c condition) {
	return "SET sweep_at = :next, resends = if_not_exists(resends, :zero) + :one, updated = :asked, ver = ver + :one REMOVE parked",
		condition{
			text:  "#status = :pending AND sweep_at = :seen AND expires_ms > :now",
			names: []string{attrStatus},
			values: item{
				":pending": text(string(delivery.StatusPending)), ":seen": millis(cl.Seen), ":next": millis(cl.Next),
				":asked": millis(cl.Now), ":now": millis(now), ":zero": number(0), ":one": number(1),
			},
		}
}

// deferUpdate expresses Defer.Apply. It also requires that the row's expiry does not
// move back, since an expression cannot take the later of two times.
func deferUpdate(d delivery.Defer, now time.Time) (change string, c condition) {
	change = "SET parked = :event, sweep_at = :net, updated = :asked, ver = ver + :one"
	c = condition{
		text: "#status = :pending AND sweep_at = :seen AND attribute_not_exists(lease_by) AND expires_ms > :now AND " +
			"(attribute_not_exists(next_at) OR next_at <= :asked)",
		names: []string{attrStatus},
		values: item{
			":pending": text(string(delivery.StatusPending)), ":seen": millis(d.Seen), ":net": millis(d.Net),
			":event": text(string(d.Key.Event)), ":asked": millis(d.Now), ":now": millis(now), ":one": number(1),
		},
	}
	if !d.ExpiresAt.IsZero() {
		change += ", expires_at = :expires, expires_ms = :expires_ms"
		c.text = "expires_ms <= :expires_ms AND " + c.text
		c.values[":expires"], c.values[":expires_ms"] = expirySeconds(d.ExpiresAt), millis(d.ExpiresAt)
	}
	return change + " REMOVE resends", c
}
