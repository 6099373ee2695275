package webhook

// For tests of package webhook_test.
const (
	MaxEventDataBytes = maxEventDataBytes
	MaxHops           = maxHops
	MaxFaults         = maxFaults
	MaxStoredAttempts = maxStoredAttempts
)

var (
	ValidEventName    = validEventName
	ValidEventPattern = validEventPattern
)
