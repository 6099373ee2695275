// Package job is durable work that takes longer than a call: a [Job] is done in
// slices, each of which continues from the cursor that the previous one stored.
//
// [Jobs] is the contract of the stores. The rules for all stores in pkg/webhook's
// store.go apply to it, its errors are those of pkg/webhook, and
// pkg/store/storetest is its suite. A [Runner] does the slices every minute.
//
// The package refuses to know what a job does: pkg/replay, pkg/tenancy and
// pkg/custody do the work of a slice. It starts no goroutine and keeps no schedule.
package job
