// Package ingest takes records from the sources that administrators configured,
// and stores the events that they become.
//
// [Relay] is the http.Handler of POST /in/v1/{source}, where other services send
// their webhooks. It verifies a POST over the bytes as they arrived, has the
// source map it, and responds with 200 once the event is durable. [Batches] takes
// what AWS delivers in batches: events of EventBridge buses and changes of
// DynamoDB tables. What a record becomes is pkg/source's to decide, and how an
// event is stored once is webhook.Publisher's.
//
// The package refuses to map anything, to retry a write (the sender or AWS does), to
// refuse a POST whose signature verifies, and to log or return anything of a
// record but an event's name and ids. It knows neither a store nor AWS. A
// goroutine ends before the call that started it does.
package ingest
