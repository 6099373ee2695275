package delivery

// For tests of package delivery_test.
const MaxStoredAttempts = maxStoredAttempts
