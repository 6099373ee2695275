package webhook

// For tests of package webhook_test.
const MaxStoredAttempts = maxStoredAttempts
