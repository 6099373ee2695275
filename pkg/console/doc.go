// Package console is the web console: pages about webhooks, deliveries and events,
// rendered on the server.
//
// It has no authority of its own. Each page is made from calls to the API's handler, in
// this process and in the name of the reader's session; what the console can do, the API
// can do. client.go makes these calls, session.go signs in and out, page.go has the frame
// of a page and its parts, and each other file holds the pages about one subject.
//
// The package refuses to know stores, credentials and the domain: it reads the API's JSON.
// Nothing in a page depends on JavaScript; console.js shows times in the reader's zone and
// copies secrets.
package console
