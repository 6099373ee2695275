package webhook

// For tests of package webhook_test.
const (
	MaxEventDataBytes = maxEventDataBytes
	MaxHops           = maxHops
)

var (
	ValidEventName    = validEventName
	ValidEventPattern = validEventPattern
)
