// Package job is durable work that takes longer than a call: a [Job] is done in
// slices, each of which continues from the cursor that the previous one stored.
//
// [Jobs] is the contract of the stores; what holds for the stores of pkg/webhook
// (store.go there) holds for it.
//
// The package refuses to know what a job does: replay, tenancy and their like
// do the work of a slice. It starts no goroutine and keeps no schedule.
package job
